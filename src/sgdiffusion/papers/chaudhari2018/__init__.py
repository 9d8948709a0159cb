"""Chaudhari & Soatto 2018: anisotropic gradient noise, limit cycles."""
