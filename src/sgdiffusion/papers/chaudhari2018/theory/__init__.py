"""Closed forms and deterministic solutions behind Chaudhari & Soatto 2018."""
