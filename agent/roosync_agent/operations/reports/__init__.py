"""What is told: the founding formats, what was done, what is held."""
