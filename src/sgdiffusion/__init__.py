"""Stochastic gradient descent as a diffusion: three papers replicated, their measurements as a library."""

__version__ = "0.1.0"
