"""Figures of Hennick & De Baerdemacker 2025: tidy tables in, artists out."""
