"""Figures of Ziyin, Li & Ueda 2025: tidy tables in, artists out."""
