"""What an entity may do without asking anybody, as it would stand: which tools, which commands, which files.

The risk of a change says what *becomes* easier. A person who says yes also has to see what was open before, and stays
so: the same rules, read over the value as a whole.
"""

from collections.abc import Iterator

from msgspec import Struct

from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity
from roosync_protocol.names import Value
from roosync_protocol.risk.fields import Where
from roosync_protocol.risk.rules import How, choices, find

MOST = 200  # lines for a person
DEEPEST = 20  # maps in maps
# The words of the rules that are about asking, or about what is started by itself. Each of them is a rule's (tested).
WHY = frozenset(
    {
        "a command runs without asking",
        "a command that is started by itself",
        "a folder is opened to it",
        "a program that is started by itself",
        "a project's server is started",
        "a tool runs without asking",
        "a way out of the sandbox",
        "all tools run without asking",
        "any project's servers are started",
        "approvals are kept for ever",
        "code of others is loaded",
        "code of the project is run",
        "commands leave the sandbox",
        "commands may leave the sandbox",
        "commands run without asking",
        "commands that are started by themselves",
        "it acts outside the project without asking",
        "it acts without asking",
        "it is started by itself",
        "it may go on without asking",
        "it never asks",
        "it runs without asking",
        "its tools run without asking",
        "permissions are bypassed",
        "rules that approve tools come from another file",
        "servers of other programs are started",
        "strange folders are trusted",
        "tools run without asking",
        "what commands may touch",
        "what hooks, skills and agents may do",
        "what the classifier that approves is told",
        "when it asks",
        "when its tools ask",
        "which projects are trusted",
        "who approves, and what may be done",
    }
)


class Unasked(Struct, frozen=True, kw_only=True):
    """One thing that is open. `what`: the member of a list, the name that has a yes, or the value that says so."""

    path: str  # dotted, in the entity
    what: Value
    why: str
    new: bool = False  # it was not so before


def unasked(entity: Entity, before: Value | None) -> list[Unasked]:
    """All that is open in the entity as it would stand, at most MOST; `before` stands there now, None: nothing."""
    where = Where(entity.kind, entity.target, entity.name if entity.kind == "setting" else "")
    found: list[Unasked] = []
    for path, what, why, old in _open(where, entity.value, before, DEEPEST):
        found.append(Unasked(path=path, what=what, why=why, new=not old))
        if len(found) == MOST:
            break
    return found


def _open(where: Where, value: Value | None, before: Value | None, left: int) -> Iterator[tuple[str, Value, str, bool]]:
    rule = find(where.kind, where.target, where.path) if where.path else None
    if rule is not None and rule.why in WHY:
        known = {digest(old) for old in _opens(rule.how, before)}
        for what in _opens(rule.how, value):
            yield where.path, what, rule.why, digest(what) in known
        return
    if isinstance(value, dict) and left:
        old = before if isinstance(before, dict) else {}
        for name, inner in value.items():
            yield from _open(where / name, inner, old.get(name), left - 1)


def _opens(how: How, value: Value) -> list[Value]:
    """What of a value opens something, by the kind of its rule. A list of what is forbidden opens nothing."""
    match how, value:
        case _, None:
            return []
        case How.ALLOW, list():
            return list(value)
        case How.ON, bool():
            return [value] if value else []
        case How.OFF, bool():
            return [] if value else [value]
        case How.GRANTS, dict():
            return [name for name, inner in value.items() if _yes(inner)]
        case How.GRANTS, _:
            return [value] if _yes(value) else []
        case How.CHOICE, str():
            return [] if value in choices.HARMLESS else [value]
        case How.DENY, _:
            return []
    return [value]


def _yes(value: Value) -> bool:
    if isinstance(value, dict):
        return any(map(_yes, value.values()))
    return value is True or value in choices.YES
