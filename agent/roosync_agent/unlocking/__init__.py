"""`roosync unlock`: the operator's key in the memory of one process, and what other commands ask of it."""
