"""Gradient noise: the diffusion matrix, its spectrum, noise balance."""
