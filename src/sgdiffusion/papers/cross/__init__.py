"""Each paper's measurements on the other papers' networks."""
