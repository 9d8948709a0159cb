"""Trainings of one network at a time, resumable."""
