"""The machines of the fleet: what is known of each, and which of them a person means."""
