"""Stochastic processes: Langevin chains, SDE integrators, SGD on few weights."""
