"""What stays: the agent of a machine, the orchestrator's role, the broker's host, and their supervisor."""
