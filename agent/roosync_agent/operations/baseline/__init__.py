"""The golden baseline: read, proposed from packages, signed, committed."""
