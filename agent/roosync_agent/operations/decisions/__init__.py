"""Differences and their answers: compared, shown, approved, applied."""
