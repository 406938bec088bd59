"""The words and the reasoning of roosync: pure, no I/O, no clock, no chance, no bus."""

__version__ = "0.2.0"
