"""`roosync watch`: the fleet live in the terminal, and the keys that answer what waits.

Drawn by its own few lines (`terminal`, `lines`) and not by a library. Weighed: textual is 24 MB in nine packages and
takes 145 ms to import, and a plain `pip install .` would not have it; rich.live (34 ms) draws from a thread of its own,
folds what is too wide by its own rules, and leaves keys, size, signals and whose the terminal is to us, which is most
of the work. What is shown is a list of lines cut to the terminal, so a list of lines is all there is: `following` hears
of changes, `view` knows what is chosen, `screen` makes the lines, `plain` tells changes where there is no screen.
"""
