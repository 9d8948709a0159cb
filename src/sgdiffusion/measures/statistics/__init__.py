"""Intervals, tests and convergence, whatever is measured."""
