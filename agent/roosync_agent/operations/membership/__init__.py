"""Who belongs to a fleet and what its law says: founding, joining, signing law."""
