"""Safe apply: from wanted entities to bytes on the disk, with a backup before, a check after, and a way back."""
