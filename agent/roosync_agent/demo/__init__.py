"""`roosync demo`: the whole story on three sample machines, for a new user and for the tests."""
