"""The typeset report: one article of a preset, every number from the run's files."""
