"""This machine's side: which files, what is in them, what of it is believed, and what it is compared with."""
