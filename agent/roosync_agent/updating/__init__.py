"""UPDATE_REQUIRED on one machine: the new version is made beside the old one, tried, and taken back if need be.

`journal` is what every crash leaves readable, `releases` the folder of versions, `steps` runs one command within
bounds, `recipes` makes a release out of steps, `handover` is the supervisor's part: it starts the new agent on trial.
"""
