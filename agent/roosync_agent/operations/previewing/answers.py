"""What a preview answers: what a command would sign or do, and what follows from it, the same for every face."""

from typing import Any

from msgspec import Struct

from roosync_agent.operations.answers import Card, Lack, Mark, Open, Shown


class Fact(Struct, frozen=True, kw_only=True):
    """A title and its lines, each a sentence of ours, a name or a number; never a value of a configuration."""

    title: str
    lines: list[str]


class ValueChange(Struct, frozen=True, kw_only=True):
    """One value that the baseline would have otherwise; the fields that a card has too are called as there."""

    entity: str
    kind: str
    machine: str  # "": common to all; else special to it
    how: str  # new | changed | removed (taken from the machines) | left out (the baseline says nothing of it any more)
    local_value: Any  # in the baseline in force
    wanted: Any
    wanted_absent: bool
    risk: str
    reasons: list[str]
    changes: list[Shown]
    executes: Any  # the whole executable surface of what would stand
    unasked: list[Open]
    runs_on: list[str]  # machines whose package has exactly this value
    by_itself: list[str]  # machines that would apply it under the policy, without a question
    asks: list[str]  # machines where a decision would wait for a person
    silent: list[str]  # members without a package: what they would do is not known
    comments: list[str] = []  # lines that are written above it where it is new
    marks: list[Mark] = []
    needs: list[str] = []
    asked: list[str] = []
    lacks: list[Lack] = []
    unsure: list[Lack] = []
    not_said: dict[str, str] = {}


class Preview(Struct, frozen=True, kw_only=True):
    """What would be signed, or done, and nothing was."""

    deed: str  # the command
    what: str  # the same as a sentence
    signs: bool = True  # False: it is done without a signature
    given: dict[str, Any] = {}  # what was asked for
    seen: str = ""  # digest of what it rests on: another one means that something else would be signed
    facts: list[Fact] = []
    before: list[Shown] = []  # of law: what it says now, and would say
    questions: list[dict[str, Any]] = []  # of a proposal, that would be answered
    text: str = ""  # that would be sent
    values: list[ValueChange] | None = None  # of the baseline; None when it is not about that
    card: Card | None = None
    files: list[dict[str, str]] = []  # {"path", "diff"}, secrets hidden
    then: list[str] = []  # what follows
