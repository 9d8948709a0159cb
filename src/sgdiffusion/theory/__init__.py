"""Closed forms and small systems whose truth is computable: what the measurements are held against."""
