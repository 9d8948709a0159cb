"""Data sets: fetched and verified or embedded, prepared in one canonical order, stored with what they are.

data = store.load("data/prepared/digits/full.npz")     # what the rules stored
data = preparation.prepare(digits.digits(), "digits", "full", preparation.full, real=False)   # the same
"""
