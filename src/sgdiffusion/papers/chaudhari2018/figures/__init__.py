"""Figures of Chaudhari & Soatto 2018: tidy tables in, artists out."""
