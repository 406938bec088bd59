"""A fleet of three machines on this computer, on sample configurations of ours."""
