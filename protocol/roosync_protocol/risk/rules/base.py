"""What a rule is. The tables of the other modules are made of it, one line for each kind of field."""

from enum import Enum, IntEnum
from typing import NamedTuple


class Risk(IntEnum):
    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class How(Enum):
    """What about a field is dangerous."""

    CHANGE = "change"  # that it changes at all
    ALLOW = "allow"  # a list of what is allowed: additions; everything at once is critical
    DENY = "deny"  # a list of what is forbidden: removals
    GRANTS = "grants"  # names, each with a yes or a no, in maps of any depth: more yes, less no
    ON = "on"  # a switch that opens something: turning it on
    OFF = "off"  # a switch that protects: turning it off
    VARIABLES = "variables"  # a map of environment variables or headers
    GROUPS = "groups"  # the tool groups of a mode
    CHOICE = "choice"  # a word out of a few: see `choices`


class Rule(NamedTuple):
    """A line of a table. In `scope` and `path`, * stands for anything, dots included, and [ab] for one of these."""

    scope: str  # the target without what follows an @, or the kind of the entity
    path: str  # dotted, below the entity; a setting's own name comes first
    how: How
    risk: Risk
    why: str
    default: bool = False  # what a switch is that is not there; of ALLOW: does its absence allow everything?


CHANGE, ALLOW, DENY, GRANTS, ON, OFF = How.CHANGE, How.ALLOW, How.DENY, How.GRANTS, How.ON, How.OFF
VARIABLES, GROUPS, CHOICE = How.VARIABLES, How.GROUPS, How.CHOICE
LOW, MEDIUM, HIGH, CRITICAL = Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL

UNKNOWN = Rule("", "", CHANGE, HIGH, "no rule knows what it does")


def table(scope: str, *lines: tuple[How, Risk, str, str] | tuple[How, Risk, str, str, bool]) -> tuple[Rule, ...]:
    """Each line: how, how much, why, the paths it is for, and what a switch is when it is not there."""
    return tuple(
        Rule(scope, path, how, risk, why, *default)
        for how, risk, why, paths, *default in lines
        for path in paths.split()
    )
