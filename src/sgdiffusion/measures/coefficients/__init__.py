"""The local learning coefficient."""
