"""The papers, a folder each, and what spans them.

A paper is this list's name of it, a folder here (settings, items and what they compute) and a folder under
config/ (experiments, claims, texts).
"""

PAPERS = ("chaudhari2018", "ziyin2025", "hennick2025")
