"""What runs on a machine: the agent, the orchestrator role, and the faces a person uses."""
