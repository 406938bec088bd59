"""Rollouts: what was approved reaches its machines wave after wave, and every one of them is accounted for."""
