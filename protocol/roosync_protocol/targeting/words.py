"""The words of an expression, each with its place, and errors that point at a place.

Whoever typed the expression sees the part that is meant, with a line of carets below it.
"""

import re
from typing import Literal, NoReturn

from msgspec import Struct

MAX_TEXT = 1_000_000  # characters of an expression, files written out
SHOWN = 60  # columns of it in an error

Kind = Literal["word", "quoted", "sign", "(", ")"]
_WORD = re.compile(
    r"""(?P<quoted>"[^"]*"?) | (?P<bracket>[()]) | (?P<sign>!=|<=|>=|==|=|<|>|,)
    | (?P<word>(?:[^\s()"=<>!,]|!(?!=))+)""",
    re.VERBOSE,
)


class TargetError(ValueError):
    """An expression that can not be meant so: the message shows the place, and what would do."""


class Word(Struct, frozen=True):
    kind: Kind
    text: str  # without its quotes
    at: int
    end: int

    @property
    def keyword(self) -> str:
        """`and`, `or`, `not`, `all` in any case, and ""; what stands in quotes is a name."""
        small = self.text.lower()
        return small if self.kind == "word" and small in ("and", "or", "not", "all") else ""


def words(text: str) -> list[Word]:
    """Everything but the white space. TargetError for a quote without an end, or more than can be meant."""
    if len(text) > MAX_TEXT:
        raise TargetError(f"the expression has {len(text):,} characters; {MAX_TEXT:,} is the most")
    found: list[Word] = []
    for match in _WORD.finditer(text):
        kind, part = match.lastgroup, match[0]
        if kind == "quoted":
            if len(part) < 2 or not part.endswith('"'):
                refuse(text, match.start(), len(text), "this quote has no end: put another one behind the name")
            found.append(Word("quoted", part[1:-1], match.start(), match.end()))
        elif kind == "bracket":
            found.append(Word("(" if part == "(" else ")", part, match.start(), match.end()))
        else:
            found.append(Word("sign" if kind == "sign" else "word", part, match.start(), match.end()))
    return found


def refuse(text: str, at: int, end: int, why: str) -> NoReturn:
    """Raises TargetError: what is wrong, and the place in the text below it, unless it is all of the text."""
    if not text[:at].strip() and not text[end:].strip() and end - at <= SHOWN:
        raise TargetError(why)
    line = "".join(char if char.isprintable() else " " for char in text)
    start = max(0, min(at - SHOWN // 3, len(line) - SHOWN))
    stop = min(len(line), start + SHOWN)
    before, behind = ("..." if start else ""), ("..." if stop < len(line) else "")
    carets = " " * (len(before) + at - start) + "^" * max(1, min(end, stop) - at)
    raise TargetError(f"{why}\n  {before}{line[start:stop]}{behind}\n  {carets}")
