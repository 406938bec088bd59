"""What is dangerous in a command line, a variable, a mode's tools or a text, whatever the field it stands in.

`risk` asks these questions about what changes; a thing that stood there before and stays is no news. Each module
answers one: `commands`, `addresses`, `secrets`, `variables`, `modes`, `texts`; `characters` and `unshown` look into
every string.
"""

from roosync_protocol.risk.rules import Risk

Danger = tuple[Risk, str]
