"""Hennick & De Baerdemacker 2025: fractal dynamics, the local learning coefficient."""
