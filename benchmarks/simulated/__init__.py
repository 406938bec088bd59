"""Many agents in one process, each with a key and a connection of its own to a real broker, and no disk."""
