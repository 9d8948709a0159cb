"""Figures of what spans the papers: tidy tables in, artists out."""
