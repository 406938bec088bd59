"""UPDATE_REQUIRED as operators ask for it: which version, on which machines, in which waves, and who is where."""
