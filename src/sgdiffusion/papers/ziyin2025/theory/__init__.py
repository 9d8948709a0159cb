"""Closed forms of Ziyin, Li & Ueda 2025, as printed and as derived."""
