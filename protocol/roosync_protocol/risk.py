"""How dangerous is a change? A configuration is a list of commands to run on somebody's machine.

The class of a change is the highest that any rule finds; the rules are the tables of `risk_rules`, and what is
dangerous in a command line or a text, whatever the field, is in `dangers`. The *surface* of a value is the part
that executes: an approval is bound to its hash, so that any other command needs another approval (6-trust).
Values are in public form; nothing here ever sees a secret.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from roosync_protocol import dangers
from roosync_protocol.digest import digest, same
from roosync_protocol.entity import Kind, target_of
from roosync_protocol.names import Value
from roosync_protocol.risk_rules import (
    DANGEROUS_CHOICES,
    EVERYTHING,
    HARMLESS_CHOICES,
    UNKNOWN,
    How,
    Risk,
    Rule,
    find,
)
from roosync_protocol.secrets import scrub
from roosync_protocol.shapes import normal, root

__all__ = ["Assessment", "Risk", "assess", "surface", "surface_digest"]

REASONS = 12  # more than a person reads
LENGTH = 240  # characters of one reason


class Assessment(Struct, frozen=True):
    """The class of a change, and why, gravest first. Each reason is one line for a person."""

    risk: Risk
    reasons: tuple[str, ...] = ()


class Finding(NamedTuple):
    risk: Risk
    reason: str


def assess(key: str, kind: Kind, before: Value | None, after: Value | None) -> Assessment:
    """Judge the step from `before` to `after`, both in public form; None means that the entity is not there."""
    path = root(kind, key)
    if same(before, after) or (None not in (before, after) and same(normal(path, before), normal(path, after))):
        return Assessment(Risk.NONE)
    found = sorted(set(_findings(key, kind, before, after)), key=lambda finding: (-finding.risk, finding.reason))
    if not found:
        return Assessment(Risk.LOW, ("nothing that executes changes",))
    reasons = tuple(_line(finding.reason) for finding in found[:REASONS])
    return Assessment(found[0].risk, reasons)


def surface(kind: Kind, value: Value | None) -> Value:
    """What of the value executes or steers what executes: all but the fields whose every change is low.

    For a secret its reference stands there. None for an entity that is not there.
    """
    if kind in (Kind.TEXT, Kind.SETTING) or not isinstance(value, dict):
        return value
    return {name: inner for name, inner in value.items() if not _inert(kind, name)}


def surface_digest(kind: Kind, value: Value | None) -> str:
    """SHA-256 of the surface; what an approval is bound to."""
    return digest(surface(kind, value))


def _inert(kind: Kind, name: str) -> bool:
    rule = find(kind, "", name)
    return rule is not None and rule.how is How.CHANGE and rule.risk is Risk.LOW


def _line(reason: str) -> str:
    """For a person's eyes: no secret, and no character that a name could play tricks with."""
    return "".join(c if c.isprintable() else "?" for c in scrub(reason))[:LENGTH]


def _findings(key: str, kind: Kind, before: Value | None, after: Value | None) -> Iterator[Finding]:
    if after is None:
        yield Finding(Risk.MEDIUM, "it is taken away")
    else:
        yield from (Finding(Risk.CRITICAL, reason) for reason in dangers.in_any(before, after))
    match kind:
        case Kind.TEXT:
            yield from (Finding(*danger) for danger in dangers.in_text(key, before, after))
        case Kind.MCP_SERVER:
            yield from _server(key, before, after)
        case Kind.MODE:
            if before is None:
                yield Finding(Risk.MEDIUM, "a new mode")
            yield from _fields(_Where(kind, target_of(key)), before, after) if after is not None else ()
        case Kind.SETTING:
            name = key.split("/", 1)[-1]
            yield from _field(_Where(kind, target_of(key), name), before, after)


def _server(key: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    if after is None:
        return
    if not isinstance(after, dict):
        yield Finding(Risk.HIGH, "the server is no map of fields")
        return
    if before is None:
        yield Finding(Risk.HIGH, f"a new server: {dangers.shown_command(after)}")
    yield from (Finding(*danger) for danger in dangers.in_command(before, after))
    yield from (Finding(*danger) for danger in dangers.in_secrets(before, after))
    yield from _fields(_Where(Kind.MCP_SERVER, target_of(key)), before, after)


class _Where(NamedTuple):
    kind: Kind
    target: str
    path: str = ""

    def __truediv__(self, name: str) -> "_Where":
        return self._replace(path=f"{self.path}.{name}" if self.path else name)


def _fields(where: _Where, before: Value | None, after: Value | None) -> Iterator[Finding]:
    old = before if isinstance(before, dict) else {}
    new = after if isinstance(after, dict) else {}
    if (before is not None and not isinstance(before, dict)) or (after is not None and not isinstance(after, dict)):
        yield Finding(Risk.HIGH, f"{where.path or 'the value'} changes its type")
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new and same(old[name], new[name]):
            continue
        yield from _field(where / name, old.get(name), new.get(name))


def _field(where: _Where, before: Value | None, after: Value | None) -> Iterator[Finding]:
    """One field, and its parts when no rule knows it as a whole."""
    rule = find(where.kind, where.target, where.path)
    maps = all(side is None or isinstance(side, dict) for side in (before, after)) and (before or after)
    if maps and (rule is None or rule.how is How.INSIDE):
        yield from _fields(where, before, after)
        return
    rule = rule or UNKNOWN
    yield from _judge(rule, where.path, before, after)
    if before is not None and after is not None and _type(before) is not _type(after):
        yield Finding(Risk.MEDIUM, f"{where.path} changes its type")


def _judge(rule: Rule, path: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    match rule.how:
        case How.ALLOW | How.DENY:
            yield from _list(rule, path, before, after)
        case How.ON | How.OFF:
            yield from _switch(rule, path, before, after)
        case How.VARIABLES:
            yield from _variables(rule, path, before, after)
        case How.GROUPS:
            yield from (Finding(*danger) for danger in dangers.in_groups(path, before, after))
        case How.CHOICE:
            yield from _choice(rule, path, after)
        case _:
            gone = after is None and rule.risk is Risk.CRITICAL
            yield Finding(Risk.HIGH if gone else rule.risk, f"{path} changes: {rule.why}")


def _list(rule: Rule, path: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    """Of a list, what comes and what goes; the order does not matter."""
    if any(side is not None and not isinstance(side, list) for side in (before, after)):
        yield Finding(max(rule.risk, Risk.HIGH), f"{path} changes: {rule.why}")
        return
    old, new = _members(before), _members(after)
    allows = rule.how is How.ALLOW
    opened, closed = (new - old, old - new) if allows else (old - new, new - old)
    for name in sorted(opened):
        if allows and EVERYTHING.match(name):
            yield Finding(Risk.CRITICAL, f"{path} gains {name!r}, which allows everything")
        else:
            yield Finding(rule.risk, f"{path} {'gains' if allows else 'loses'} {name!r}: {rule.why}")
    for name in sorted(closed):
        yield Finding(Risk.LOW, f"{path} {'loses' if allows else 'gains'} {name!r}")


def _members(value: Value | None) -> set[str]:
    return {one if isinstance(one, str) else repr(one) for one in value} if isinstance(value, list) else set()


def _switch(rule: Rule, path: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    now = rule.default if after is None else after
    opens = now is not False if rule.how is How.ON else now is not True
    if (rule.default if before is None else before) is now:
        yield Finding(Risk.LOW, f"{path} says what was so already")
    elif opens:
        yield Finding(rule.risk, f"{path} becomes {now!r}: {rule.why}")
    else:
        yield Finding(Risk.LOW, f"{path} becomes {now!r}")


def _choice(rule: Rule, path: str, after: Value | None) -> Iterator[Finding]:
    words = [after] if not isinstance(after, dict | list) else list(dangers.strings(after))
    if any(word in DANGEROUS_CHOICES for word in words):
        yield Finding(Risk.CRITICAL, f"{path} becomes {after!r}: {rule.why}")
    elif all(word in HARMLESS_CHOICES for word in words):
        yield Finding(Risk.LOW, f"{path} becomes {after!r}")
    else:
        yield Finding(rule.risk, f"{path} becomes {after!r}: {rule.why}")


def _variables(rule: Rule, path: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    if any(side is not None and not isinstance(side, dict) for side in (before, after)):
        yield Finding(Risk.HIGH, f"{path} is no map: {rule.why}")
        return
    old = before if isinstance(before, dict) else {}
    new = after if isinstance(after, dict) else {}
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new and same(old[name], new[name]):
            continue
        if name not in new:
            yield Finding(rule.risk, f"{path} loses {name}: {rule.why}")
            continue
        risk, why = dangers.of_variable(name, old.get(name), new[name])
        yield Finding(risk or rule.risk, f"{path} {'changes' if name in old else 'gains'} {name}: {why or rule.why}")


def _type(value: Value) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)
