"""A file of prose: instructions, unless it is a program or its head opens tools."""

import re
from collections.abc import Iterator

from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import Danger
from roosync_protocol.risk.dangers.strings import flat
from roosync_protocol.risk.rules import How, Risk
from roosync_protocol.risk.rules import texts as rules
from roosync_protocol.wipe import SHRUNK, SMALL

_NAMED = re.compile(r"[\"']?([A-Za-z][\w-]*)[\"']?\s*:(?:\s+(.*))?\Z", re.DOTALL)
_HEAD = re.compile("\ufeff?---[ \t]*\n(.*?)^(?:---|\\.\\.\\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_TOOLS = re.compile(r"[^\s,\[\]\"'()-][^\s,\[\]\"'()]*(?:\([^)]{0,300}\))?")


def in_text(key: str, before: Value | None, after: Value | None) -> Iterator[Danger]:
    if after is None:
        return
    yield Risk.MEDIUM, "instructions change" if before is not None else "new instructions"
    old, new = ("" if side is None else flat(side) for side in (before, after))
    if key.lower().endswith(rules.SCRIPTS) or new.startswith("#!"):
        yield Risk.HIGH, "the file is a program"
    if len(old) > SMALL and len(new) < len(old) * SHRUNK:
        yield Risk.HIGH, f"it shrinks from {len(old)} to {len(new)} characters: is this what is left of a broken file?"
    yield from _in_head(_head(old), _head(new))
    ran = set(rules.INLINE_COMMAND.findall(new)) - set(rules.INLINE_COMMAND.findall(old))
    for command in sorted(ran)[:3]:
        line = new.count("\n", 0, new.index(command)) + 1
        yield Risk.HIGH, f"a command that runs when the text is read, in line {line}: {command}"


def _in_head(old: dict[str, str], new: dict[str, str]) -> Iterator[Danger]:
    if new.get("") and new.get("") != old.get(""):
        yield Risk.HIGH, f"its head has a line that is no plain field: {new['']!r}"
    for name, (how, risk) in rules.HEAD_RULES.items():
        before, after = old.get(name), new.get(name)
        if before == after or (how is not How.CHANGE and not _opens(name, how, before, after)):
            continue
        yield risk, f"its head changes {name!r}: what it may do"


def _opens(name: str, how: How, before: str | None, after: str | None) -> bool:
    """Does a list of tools allow more, or forbid less, than it did?"""
    was, now = (set(_TOOLS.findall(side or "")) for side in (before, after))
    if how is How.DENY:
        return not was <= now
    if name in rules.ALL_WITHOUT and (before is None or after is None):
        return after is None or "*" in after
    return not now <= was


def _head(text: str) -> dict[str, str]:
    """The fields of the head as raw text by lower-case name; under "" the first line that is none."""
    found: dict[str, str] = {}
    match = _HEAD.match(text)
    name = ""
    for line in match[1].split("\n") if match else ():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if field := _NAMED.match(line):
            name = field[1].lower()
            found[name] = (f"{found[name]}\n" if name in found else "") + (field[2] or "").strip()
        elif name and line[0] in " \t-":
            found[name] += "\n" + line.strip()
        else:
            found.setdefault("", line.strip())
    return found
