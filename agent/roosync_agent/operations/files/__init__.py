"""Files of this machine: edited, put back, held back."""
