"""How dangerous is a change? A configuration is a list of commands to run on somebody's machine.

The class of a change is the highest that any rule finds; the rules are the tables of `rules`, found and judged
by `fields`, and what is dangerous in a command line or a text, whatever the field, is in `dangers`. The *surface*
of a value is the part that executes: an approval is bound to its hash, so that any other command needs another
approval (6-trust). Values are in public form; nothing here ever sees a secret.
"""

from collections.abc import Iterator

from msgspec import Struct

from roosync_protocol.digest import digest, same
from roosync_protocol.entity import Kind, target_of
from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import characters, commands, secrets, texts, unshown
from roosync_protocol.risk.fields import Finding, Where, field, fields
from roosync_protocol.risk.rules import How, Risk, find
from roosync_protocol.secrets import find_secrets, scrub
from roosync_protocol.shapes import normal, root

__all__ = ["Assessment", "Risk", "assess", "surface", "surface_digest"]

REASONS = 12  # more than a person reads
LENGTH = 240  # characters of one reason


class Assessment(Struct, frozen=True):
    """The class of a change, and why, gravest first. Each reason is one line for a person."""

    risk: Risk
    reasons: tuple[str, ...] = ()


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
        yield from _anywhere(key, before, after)
    match kind:
        case Kind.TEXT:
            yield from (Finding(*danger) for danger in texts.in_text(key, before, after))
        case Kind.MCP_SERVER:
            yield from _server(key, before, after)
        case Kind.MODE:
            if before is None:
                yield Finding(Risk.MEDIUM, "a new mode")
            yield from fields(Where(kind, target_of(key)), before, after) if after is not None else ()
        case Kind.SETTING:
            name = key.split("/", 1)[-1]
            yield from field(Where(kind, target_of(key), name), before, after)


def _anywhere(key: str, before: Value | None, after: Value) -> Iterator[Finding]:
    """Dangerous wherever it is: a secret in clear, characters that a person does not see, text that is not shown."""
    known = set(find_secrets(before))
    for place in find_secrets(after):
        if place not in known:
            yield Finding(Risk.CRITICAL, f"a secret in clear at {place}" if place else "a secret in clear")
    if before is None:
        name = key.split("/", 1)[-1]
        yield from (Finding(Risk.CRITICAL, reason) for reason in characters.in_any(None, {name: None}))
        if plain := characters.posing(name):
            yield Finding(Risk.CRITICAL, f"a name with look-alike letters, which passes for {plain}")
    yield from (Finding(Risk.CRITICAL, reason) for reason in characters.in_any(before, after))
    yield from (Finding(*danger) for danger in unshown.in_any(before, after))


def _server(key: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    if after is None:
        return
    if not isinstance(after, dict):
        yield Finding(Risk.HIGH, "the server is no map of fields")
        return
    if before is None:
        yield Finding(Risk.HIGH, f"a new server: {commands.shown_command(after)}")
    yield from (Finding(*danger) for danger in commands.in_server(before, after))
    yield from (Finding(*danger) for danger in secrets.in_server(before, after))
    yield from fields(Where(Kind.MCP_SERVER, target_of(key)), before, after)
