"""The answer to `roosync explain`, as data: a file, or one thing in it, and why it is as it is.

Values are in public form: what is secret is a reference, whether it is set here is said beside it.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct


class Leaf(Struct, frozen=True, kw_only=True):
    """One field of an entity; a list is one, unless its elements have names."""

    field: str  # dotted
    here: Any = None
    absent_here: bool = False
    baseline: str = ""  # "same", "differs", "only here", "only there", "" when nothing is compared
    agreed: Any = None  # the baseline's value, where it differs
    secrets: dict[str, str] = {}  # address -> "set here", "not set here", "not known from here"
    means: str = ""  # what the tokens in it stand for on this machine
    list_rule: str = ""  # how a list is compared
    risk: str = ""  # of a change of this field
    rule: str = ""  # and the rule that says so
    brought: list[str] = []  # machines that have this leaf, where the common value was put together


class Change(Struct, frozen=True, kw_only=True):
    """A version of the baseline that brought, changed or took away the entity, as far as this machine is concerned."""

    version: str
    published: datetime
    signed_by: str
    what: str  # "brought", "changed", "made special", "taken away" ...
    note: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """A decision about the entity on this machine."""

    id: str
    status: str
    risk: str
    action: str
    compared_with: str
    said_yes: list[str]  # operators, or "the policy"
    when: datetime
    last: str = ""  # the last line of its log


class EntityExplained(Struct, frozen=True, kw_only=True):
    key: str
    machine: str
    kind: str
    assistant: str
    state: str  # in a word: see `entity.STATES`
    summary: str  # one sentence
    file: str = ""  # portable
    target: str
    rule: str = ""  # the declaration that found the file
    declared: str = ""  # the file of the person's own that declares the target
    value: Any = None
    absent: bool = False
    source: str = ""  # where the value of the baseline comes from
    why: str = ""  # what is known about that choice
    had_by: list[str] = []  # machines that had it when it became common
    of: int = 0  # out of so many that had a say
    history: list[Change] = []  # newest first
    base: str = ""  # what was last agreed between this machine and the baseline
    decisions: list[Asked] = []  # open ones first
    skipped: str = ""  # why it can not be read, or is held back
    next: str = ""
    leaves: list[Leaf] = []


class FileExplained(Struct, frozen=True, kw_only=True):
    path: str  # portable
    target: str
    assistant: str
    rule: str
    declared: str = ""
    state: str  # of STATES of `targets_list`, or why this one file is not read
    entities: list[str]  # keys
    states: dict[str, str]  # key -> how it stands
    unread: dict[str, str]  # things in it that can not be read -> why
    unmanaged: list[str]  # names of what else is in it, and passes through untouched
    note: str = ""


class Explained(Struct, frozen=True, kw_only=True):
    asked: str
    kind: str  # "entity", "file", "unknown"
    entity: EntityExplained | None = None
    files: list[FileExplained] = []  # one for each target that has a part of the file
    reason: str = ""  # why it is not managed
    nearest: list[str] = []
    not_known: str = ""  # why nothing can be said of the fleet: no fleet, no broker
