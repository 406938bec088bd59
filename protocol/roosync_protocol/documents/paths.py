"""Paths in a document as people write them: understood, and then found in a value.

    customModes[0].slug       a name after a dot, an index in brackets ([-1]: the last)
    mcpServers["a.b"].env     a name with a dot, a bracket or a quote in it: in brackets, in either sort of quotes
    customModes[slug=code]    the one element whose `slug` is `code`
    .                         the whole document

`parse` reads back whatever `edits.show` prints, so that a path can be copied out of a message. What is wrong is
said by a person's measure: the character that is not understood; how far a path exists, and which names are near.
"""

import json
import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from roosync_protocol.documents.edits import Path, show
from roosync_protocol.names import Value

_WORD = re.compile(r'[^.\[\]"\n\r]*')
_INDEX = re.compile(r"(-?[0-9]{1,9})\]")
_NAME = re.compile(r"[^\[\]\"'=\n\r]+(?==)")
_BARE = re.compile(r"[^\[\]\"'\n\r]*")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIGNS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"} | {sign: sign for sign in "\\/\"'"}
_LIKE_THIS = """'["like this"]'"""  # a shell takes the outer quotes away
NEAR = 3  # names that are suggested
LISTED = 6  # names that are listed when none is near


class PathError(ValueError):
    """A path that is not understood, or leads nowhere. Its writer's fault; the message says where."""


@dataclass(frozen=True)
class Where:
    """The element of a list whose member `name` has this value. In quotes: the text alone, and no number."""

    name: str
    value: str
    quoted: bool = False

    def fits(self, element: Value) -> bool:
        if not isinstance(element, dict) or self.name not in element:
            return False
        found = element[self.name]
        if isinstance(found, str):
            return found == self.value
        return not self.quoted and not isinstance(found, dict | list) and spelled(found) == self.value

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


Step: TypeAlias = str | int | Where


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a path. PathError names the character, counted from 1, at which it is not understood."""
    if text == ".":
        return ()
    if not text:
        raise PathError("the path is empty: write . for the whole document")
    steps: list[Step] = []
    at = 1 if text[0] == "." else 0  # `.a.b` is how jq spells it
    while True:
        step, at = _bracket(text, at + 1) if text[at : at + 1] == "[" else _word(text, at)
        steps.append(step)
        if at == len(text):
            return tuple(steps)
        if text[at] == ".":
            at += 1
        elif text[at] != "[":
            raise _unclear(text, at, "after ] comes a dot, another [ or the end")


def selector(text: str) -> Where | None:
    """`slug=code` as it stands in brackets; None when it is no such thing."""
    try:
        step, end = _bracket(f"[{text}]", 1)
    except PathError:
        return None
    return step if isinstance(step, Where) and end == len(text) + 2 else None


def resolve(value: Value, steps: tuple[Step, ...], *, new: bool = False) -> Path:
    """The place in `value` that `steps` mean. `new`: names, and an element after the last, need not be there yet.

    PathError says how far the path exists, and what is near to the step that does not.
    """
    path: list[str | int] = []
    here: Value = value
    there = True
    for step in steps:
        if not there or (here is None and new):
            if isinstance(step, Where):
                raise PathError(f"there is no list at {show(tuple(path))} yet, so no element of it has {step}")
            there = False
            path.append(step)
            continue
        place = _place(here, step, tuple(path), new)
        path.append(place)
        if isinstance(here, dict) and isinstance(place, str):
            there = place in here
            here = here.get(place)
        elif isinstance(here, list) and isinstance(place, int):
            there = place < len(here)
            here = here[place] if there else None
    return tuple(path)


def near(name: str, names: list[str]) -> str:
    """A hint for a name that is not there: those like it, or the first few that are."""
    alike = get_close_matches(name, names, NEAR, 0.5)
    if alike:
        return f"did you mean {', '.join(map(repr, alike))}?"
    return listed(names)


def listed(names: list[str]) -> str:
    """The first few of what is there."""
    if not names:
        return "it is empty"
    more = ", ..." if len(names) > LISTED else ""
    return f"it has {', '.join(map(repr, names[:LISTED]))}{more}"


def typed(path: Path) -> str:
    """A path as it is typed in a POSIX shell: quoted where a shell would take it apart. `parse` reads what is left."""
    text = ""
    for step in path:
        one = show((step,))
        if isinstance(step, str) and one != step:
            one = f"[{json.dumps(step, ensure_ascii=False)}]"
        text += one if not text or one.startswith("[") else f".{one}"
    return shlex.quote(text or ".")


def spelled(value: Value) -> str:
    """A scalar as JSON has it; a text as it is."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- inside


def _word(text: str, at: int) -> tuple[str, int]:
    found = _WORD.match(text, at)
    assert found is not None
    end = found.end()
    if end < len(text) and text[end] in '"\n\r]':
        what = "] without [ before it" if text[end] == "]" else f"a name with this in it is written {_LIKE_THIS}"
        raise _unclear(text, end, what)
    if end == at:
        raise _unclear(text, at, "a name is missing")
    return found[0], end


def _bracket(text: str, at: int) -> tuple[Step, int]:
    """What is between [ and ], `at` being the character after the [; and where it goes on."""
    if index := _INDEX.match(text, at):
        return int(index[1]), index.end()
    if text[at : at + 1] in ("'", '"'):
        name, at = _quoted(text, at)
        if text[at : at + 1] == "]":
            return name, at + 1
    elif found := _NAME.match(text, at):
        name, at = found[0], found.end()
    else:
        raise _unclear(
            text, at, f"in brackets stands an index, name=value, or a name in quotes, for a shell {_LIKE_THIS}"
        )
    if text[at : at + 1] != "=":
        raise _unclear(text, at, "here should be ] or =")
    at += 1
    quoted = text[at : at + 1] in ("'", '"')
    if quoted:
        value, at = _quoted(text, at)
    else:
        bare = _BARE.match(text, at)
        assert bare is not None
        value, at = bare[0], bare.end()
    if text[at : at + 1] != "]":
        raise _unclear(text, at, "here should be ]")
    return Where(name, value, quoted), at + 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    found = _QUOTED.match(text, at)
    if found is None:
        raise _unclear(text, at, "the quote that opens here is not closed")
    inner = found[1] if found[1] is not None else found[2]
    start = at + 1

    def plain(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2] or escape[3]
        if code and int(code, 16) <= 0x10FFFF:
            return chr(int(code, 16))
        if not code and escape[4] in _SIGNS:
            return _SIGNS[escape[4]]
        raise _unclear(text, start + escape.start(), f"{escape[0]} is no escape")

    name = _ESCAPE.sub(plain, inner)
    return name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass"), found.end()  # joins pairs


def _unclear(text: str, at: int, what: str) -> PathError:
    return PathError(f"the path {text!r} is not understood at character {at + 1}: {what}")


def _place(here: Value, step: Step, path: Path, new: bool) -> str | int:
    """The key or index that `step` means in what is at `path`."""
    match here, step:
        case dict(), str():
            if step not in here and not new:
                raise PathError(f"{_at(path)} has no {step!r}; {near(step, list(here))}")
            return step
        case dict(), int():
            name = typed((*path, str(step)))
            raise PathError(f"{_at(path)} is a map, and [{step}] an index: a name is written {name}")
        case dict(), Where():
            raise PathError(f"{_at(path)} is a map: its members have names, and [{step}] finds elements of lists")
        case list(), str() if re.fullmatch("[0-9]{1,9}", step):
            return _index(here, int(step), path, new)
        case list(), str():
            raise PathError(
                f"{_at(path)} is a list, and {step!r} a name: write an index or a choice: {_try(here, path)}"
            )
        case list(), int():
            return _index(here, step, path, new)
        case list(), Where():
            return _chosen(here, step, path)
    raise PathError(f"{_at(path)} is {_kind(here)}, and nothing is inside of it")


def _index(here: list[Value], index: int, path: Path, new: bool) -> int:
    found = index + len(here) if index < 0 else index
    if 0 <= found < len(here) or (new and found == len(here)):
        return found
    raise PathError(f"{_at(path)} has {len(here)} element{'s' * (len(here) != 1)}, and [{index}] is none of them")


def _chosen(here: list[Value], step: Where, path: Path) -> int:
    found = [index for index, element in enumerate(here) if step.fits(element)]
    if len(found) == 1:
        return found[0]
    if found:
        either = " or ".join(typed((*path, one)) for one in found[:2])
        raise PathError(f"{_at(path)} has {len(found)} elements with {step}: say {either}")
    known = [spelled(one[step.name]) for one in here if isinstance(one, dict) and step.name in one]
    if known:
        raise PathError(f"no element of {_at(path)} has {step}; {near(step.value, known)}")
    raise PathError(f"no element of {_at(path)} has a {step.name!r}")


def _try(here: list[Value], path: Path) -> str:
    """An index and a selector that work on this list, as examples."""
    at = show(path) if path else ""
    for element in here:
        for name, value in element.items() if isinstance(element, dict) else ():
            if isinstance(value, str) and selector(f"{name}={value}") == Where(name, value):
                return f"{shlex.quote(f'{at}[0]')} or {shlex.quote(f'{at}[{name}={value}]')}"
    return shlex.quote(f"{at}[0]")


def _at(path: Path) -> str:
    return show(path)


def _kind(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return spelled(value)
    return "a text" if isinstance(value, str) else "a number"
