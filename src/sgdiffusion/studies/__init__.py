"""One module per paper: which runs and measures make the table behind each figure (composition only)."""
