"""Choosing machines of a fleet by what is known of them: names, signed labels, facts, with `and or not ( )`.

words      the parts of a text and their places; errors point at one
grammar    a text becomes a tree (`nodes`)
versions   which of two versions is newer
facts      what can be asked of a machine
choosing   which machines are meant, and why
"""

from roosync_protocol.targeting.choosing import Expression, choose, chosen_because, parse
from roosync_protocol.targeting.facts import FACTS, LABEL, Candidate, candidates
from roosync_protocol.targeting.words import MAX_TEXT, TargetError

__all__ = [
    "FACTS",
    "LABEL",
    "MAX_TEXT",
    "Candidate",
    "Expression",
    "TargetError",
    "candidates",
    "choose",
    "chosen_because",
    "parse",
]
