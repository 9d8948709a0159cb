"""One module per paper and one style: tidy tables in, a matplotlib figure out, nothing estimated."""
