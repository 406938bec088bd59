"""The judge over the tables of `rules`: what a change of one field is, by what its rule says is dangerous in it.

A map that no rule knows is looked into, and so is a list of maps with names; what no rule knows at the end is high.
"""

from collections.abc import Iterator
from typing import NamedTuple

from roosync_protocol.digest import same
from roosync_protocol.entity import Kind
from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import addresses, commands, modes, variables
from roosync_protocol.risk.dangers.characters import posing
from roosync_protocol.risk.dangers.strings import strings
from roosync_protocol.risk.rules import UNKNOWN, How, Risk, Rule, choices, find
from roosync_protocol.wipe import MANY, SHARE

PHRASE = 120  # characters; what is longer, where a word is expected, says more than a name
_NAMES = ("name", "slug", "id", "pattern", "uses", "provider", "model")  # how an element of a list is called


class Finding(NamedTuple):
    risk: Risk
    reason: str


class Where(NamedTuple):
    """A place: below an entity of this kind and target, at this dotted path."""

    kind: Kind
    target: str
    path: str = ""

    def __truediv__(self, name: str) -> "Where":
        return self._replace(path=f"{self.path}.{name}" if self.path else name)


def fields(where: Where, before: Value | None, after: Value | None) -> Iterator[Finding]:
    """Each field of a map that changed. A server's arguments are seen together with its command."""
    old = before if isinstance(before, dict) else {}
    new = after if isinstance(after, dict) else {}
    if (before is not None and not isinstance(before, dict)) or (after is not None and not isinstance(after, dict)):
        yield Finding(Risk.HIGH, f"{where.path or 'the value'} changes its type")
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new and same(old[name], new[name]):
            continue
        if (where.kind, name, where.path) == (Kind.MCP_SERVER, "args", "") and _only_places(old, new):
            yield Finding(Risk.LOW, "args: the same places, named for every machine")
            continue
        yield from field(where / name, old.get(name), new.get(name))


def field(where: Where, before: Value | None, after: Value | None) -> Iterator[Finding]:
    """One field, and its parts when no rule knows it as a whole."""
    rule = find(where.kind, where.target, where.path)
    if rule is None and (parts := _parts(before, after)):
        yield from fields(where, *parts)
        return
    rule = rule or UNKNOWN
    yield from _judge(rule, where.path, before, after)
    if _may_be_a_name(rule):
        yield from fields(where, _map(before), _map(after))
    if rule.how is How.CHANGE and (gone := _gone(before, after)):
        yield Finding(Risk.HIGH, f"{where.path} loses {gone} at once: is this what is left of a broken file?")
    if after is not None and where.kind is not Kind.MCP_SERVER:
        known = set(strings(before))
        fresh = [text for text in strings(after) if text not in known]
        if where.kind is Kind.SETTING:
            yield from (Finding(*danger) for danger in addresses.in_texts(fresh))
        told = where.kind is Kind.SETTING or where.path == "name"  # of a mode the assistant reads the name only
        if told and rule.risk is Risk.LOW and any("\n" in text or len(text) > PHRASE for text in fresh):
            yield Finding(Risk.MEDIUM, f"{where.path} becomes a long text, which may be read as instructions")
    if before is not None and after is not None and _type(before) is not _type(after):
        yield Finding(Risk.MEDIUM, f"{where.path} changes its type")


def _may_be_a_name(rule: Rule) -> bool:
    """Could the rule have been found by a name that somebody chose? `*notes` finds the profile "notes" as a whole.

    Then what is in it is judged by its own rules as well.
    """
    by_leaf = rule.how in (How.CHANGE, How.ON, How.OFF, How.CHOICE)
    return by_leaf and rule.risk < Risk.CRITICAL and ("*" in rule.path or rule.scope == "*")


def _parts(before: Value | None, after: Value | None) -> tuple[Value | None, Value | None] | None:
    """Both sides as maps, when both can be seen so and there is something in them."""
    old, new = _map(before), _map(after)
    if (before is not None and old is None) or (after is not None and new is None) or not (old or new):
        return None
    return old, new


def _map(value: Value | None) -> dict[str, Value] | None:
    """A map, or a list of maps by their names. A reference to a secret is none: it is one value."""
    match value:
        case {"$secret": str(), **others} if not others:
            return None
        case dict():
            return value
    if not isinstance(value, list):
        return None
    found: dict[str, Value] = {}
    for one in value:
        name = next((one[n] for n in _NAMES if isinstance(one.get(n), str)), None) if isinstance(one, dict) else None
        if not isinstance(name, str) or name in found:
            return None
        found[name] = one
    return found


def _gone(before: Value | None, after: Value | None) -> str:
    """How much of a map or list went at once, when the wipe guard would not believe it; "" otherwise."""
    if type(before) is not type(after):
        return ""
    if isinstance(before, dict) and isinstance(after, dict):
        had, lost = len(before), len(before.keys() - after.keys())
    elif isinstance(before, list) and isinstance(after, list):
        had, lost = len(before), len(before) - len(after)
    else:
        return ""
    return f"{lost} of {had}" if lost >= MANY and lost >= had * SHARE else ""


def _only_places(old: dict[str, Value], new: dict[str, Value]) -> bool:
    command = new.get("command")
    told = isinstance(command, str) and same(old.get("command"), command)
    return told and commands.only_places(old.get("args"), new.get("args"), str(command))


def _judge(rule: Rule, path: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    match rule.how:
        case How.ALLOW | How.DENY:
            yield from _list(rule, path, before, after)
        case How.GRANTS:
            yield from _grants(rule, path, before, after)
        case How.ON | How.OFF:
            yield from _switch(rule, path, before, after)
        case How.VARIABLES:
            yield from _variables(rule, path, before, after)
        case How.GROUPS:
            yield from (Finding(*danger) for danger in modes.in_groups(path, before, after))
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
    if rule.default and before is not None and after is None:
        yield Finding(rule.risk, f"{path} goes, and without it nothing is held back: {rule.why}")
        return
    old, new = _members(before), _members(after)
    allows = rule.how is How.ALLOW
    opened, closed = (new - old, old - new) if allows else (old - new, new - old)
    for name in sorted(opened):
        if allows and commands.allows_everything(name):
            yield Finding(Risk.CRITICAL, f"{path} gains {name!r}, which allows everything")
        elif allows and (plain := posing(name)):
            yield Finding(Risk.CRITICAL, f"{path} gains {name!a}, whose letters pass for {plain}")
        else:
            gains = f"{path} gains {name!r}: {rule.why}"
            yield Finding(rule.risk, gains if allows else f"{path} loses {name!r}: {rule.why}")
    for name in sorted(closed):
        yield Finding(Risk.LOW, f"{path} loses {name!r}" if allows else f"{path} gains {name!r}")


def _members(value: Value | None) -> set[str]:
    return {_member(one) for one in value} if isinstance(value, list) else set()


def _member(one: Value) -> str:
    if isinstance(one, dict) and len(one) == 1:  # {"pattern": "^git"}
        one = next(iter(one.values()))
    return one if isinstance(one, str) else repr(one)


def _grants(rule: Rule, path: str, before: Value | None, after: Value | None) -> Iterator[Finding]:
    """Names with a yes or a no: a new yes, or a no that goes, opens; the contrary closes."""
    old, new = _answers(before), _answers(after)
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if name in old and name in new and was == now:
            continue
        called = f"{path}.{name}" if name else path
        if now == "yes":
            everything = not name or commands.allows_everything(name.rsplit("\0", 1)[-1])
            words = "which allows everything" if everything else rule.why
            risk = Risk.CRITICAL if everything and rule.risk is Risk.HIGH else rule.risk
            yield Finding(risk, f"{called} becomes yes: {words}".replace("\0", "."))
        elif now == "no" or (name not in new and was == "yes"):
            yield Finding(Risk.LOW, f"{called} is closed".replace("\0", "."))
        else:
            yield Finding(rule.risk, f"{called} is no longer closed: {rule.why}".replace("\0", "."))


def _answers(value: Value | None, name: str = "") -> dict[str, str]:
    """Every leaf of a map as yes, no, or what it is; names of inner maps are joined by NUL."""
    match value:
        case None:
            return {}
        case dict():
            inner = [_answers(one, f"{name}\0{key}" if name else key) for key, one in value.items() if one is not None]
            return {key: answer for answers in inner for key, answer in answers.items()}
        case bool():
            return {name: "yes" if value else "no"}
        case str() if value in choices.YES:
            return {name: "yes"}
        case str() if value in choices.NO:
            return {name: "no"}
    return {name: repr(value)}


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
    words = [after] if not isinstance(after, dict | list) else list(strings(after))
    if any(word in choices.DANGEROUS for word in words):
        yield Finding(Risk.CRITICAL, f"{path} becomes {after!r}: {rule.why}")
    elif all(word in choices.HARMLESS for word in words):
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
        risk, why = variables.of_variable(name, old.get(name), new[name])
        why = why or rule.why
        changes = f"{path} changes {name}: {why}" if name in old else f"{path} gains {name}: {why}"
        yield Finding(risk or rule.risk, changes)


def _type(value: Value) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)
