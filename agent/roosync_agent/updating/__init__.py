"""UPDATE_REQUIRED on one machine: the new version is made beside the old one, tried, and taken back if need be.

`judging` says whether and when; `journal` is what every crash leaves readable; `releases` is the folder of versions;
`recipes` makes one out of `steps`, each within bounds; `handover` is the supervisor's part, which asks for `health`.
"""
