"""Ziyin, Li & Ueda 2025: noise balance, stationary distributions."""
