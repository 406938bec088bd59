"""Characters that a person does not see, that move others, or that pass for others: spelled out, and told.

Whatever came from the bus or a file goes through `harmless` before it reaches a terminal; and a face that shows a
value of a configuration says beside it what it spelled out there (`found_in`), because nobody reads `<U+202E>` in the
middle of a long line. Standard library only: every command needs it.
"""

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_IN_EMOJI = frozenset("\u200d\ufe0f")
# Letters and marks by their category that look like nothing: Hangul fillers, a Braille cell without dots, selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")
# Greek, Cyrillic, Armenian, Cherokee, full-width and mathematical letters: many pass for Latin ones.
_FOREIGN = re.compile("[\u0370-\u058f\u13a0-\u13ff\uab70-\uabbf\uff21-\uff5a\U0001d400-\U0001d7ff]")
_WORD = re.compile(r"[^\W_]+")
_STACKED = 4  # marks on one letter; with more they paint over the lines around
_DEEPEST = 40  # maps in maps
# Blanks as they are printed: before high punctuation in French, between thousands. They are spelled out, and no wonder.
_PRINTED = re.compile("\u00ab[\u00a0\u202f]|[\u00a0\u202f](?=[:;!?\u00bb%\u20ac])|(?<=\\d)[\u00a0\u202f](?=\\d)")
_CONTROLS = {"\x00": "NULL", "\x07": "BELL", "\x08": "BACKSPACE", "\r": "CARRIAGE RETURN", "\x1b": "ESCAPE"}


class Found(NamedTuple):
    """What was spelled out in one text. `where`: its path in the value, "" for the value itself."""

    where: str
    total: int
    hidden: tuple[str, ...]  # "U+202E RIGHT-TO-LEFT OVERRIDE", the most frequent first
    posing: tuple[str, ...]  # the same of letters that pass for others


def harmless(text: object, *, lines: bool = False) -> str:
    """`text` on one line, with every character that a person would not see, or that moves others, spelled out.

    `lines`: line feeds stay, for a value that is shown as a block, each line of it marked by the caller. Letters of
    another script inside a Latin word are spelled out too: one name must not pose as another.
    """
    given = str(text)
    if given.isascii() and given.isprintable():
        return given
    out: list[str] = []
    before, stacked = "", 0
    for char in given:
        if char == "\n":
            out.append(char if lines else "\\n")
        elif char == "\t":
            out.append("  ")
        elif char.isascii() and char.isprintable():
            out.append(char)
        else:
            stacked = stacked + 1 if _is_mark(char) else 0
            out.append(spelled(char) if _unseen(char, before, stacked) else char)
        before = char
    shown = "".join(out)
    return shown if shown.isascii() else _WORD.sub(_with_foreign_letters_spelled, shown)


def brief(text: object, most: int = 30) -> str:
    """A word that a machine says of itself, for a cell: no run of blanks, and no width, makes a row look like two."""
    word = "_".join(str(text).split())
    return word if len(word) <= most else f"{word[: most - 3]}..."


def shell_word(text: object) -> str:
    """`text` in a command that is proposed: who pastes the line must not run what a name says."""
    return shlex.quote(harmless(text))


def spelled(char: str) -> str:
    return f"<U+{ord(char):04X}>"


def named(char: str) -> str:
    """U+200B ZERO WIDTH SPACE"""
    return f"U+{ord(char):04X} {unicodedata.name(char, _CONTROLS.get(char, ''))}".rstrip()


def found_in(value: Any, most: int = 50) -> list[Found]:
    """Every text and name in a value in which something is spelled out; the first `most` of them."""
    found = []
    for where, text in _texts(value, "", _DEEPEST):
        if (one := _found(where, text)) is not None:
            found.append(one)
            if len(found) == most:
                break
    return found


def _found(where: str, text: str) -> Found | None:
    if text.isascii() and (text.isprintable() or not re.search(r"[^\n\t -~]", text)):
        return None
    text = _PRINTED.sub(" ", text.replace("\r\n", "\n"))  # a file of Windows; a lone return is told
    hidden: Counter[str] = Counter()
    posing: Counter[str] = Counter()
    before, stacked = "", 0
    for char in text:
        if char not in "\n\t" and not (char.isascii() and char.isprintable()):
            stacked = stacked + 1 if _is_mark(char) else 0
            if _unseen(char, before, stacked):
                hidden[char] += 1
        before = char
    for word in _WORD.findall(text):
        if not word.isascii() and re.search("[A-Za-z]", word):
            posing.update(_FOREIGN.findall(word))
    if not hidden and not posing:
        return None
    names = (tuple(named(char) for char, _ in one.most_common()) for one in (hidden, posing))
    return Found(where, hidden.total() + posing.total(), *names)


def _texts(value: Any, where: str, left: int) -> Iterator[tuple[str, str]]:
    """Each text of a value with its path, and each name, under the path of what it is a name in."""
    match value:
        case str():
            yield where, value
        case dict() if left:
            for name, inner in value.items():
                at = f"{where}.{name}" if where else str(name)
                yield at, str(name)
                yield from _texts(inner, at, left - 1)
        case list() | tuple() if left:
            for number, inner in enumerate(value):
                yield from _texts(inner, f"{where}[{number}]", left - 1)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")


def _unseen(char: str, before: str, stacked: int = 0) -> bool:
    if char in _IN_EMOJI:
        return not before or unicodedata.category(before) not in ("So", "Sk", "Mn")
    category = unicodedata.category(char)
    if category in ("Mn", "Me") and (stacked > _STACKED or not before or before in " \n\t|"):
        return True  # on nothing it would sit on what we wrote before it
    return category in _UNSEEN or category == "Zs" or bool(_BLANK.match(char))


def _with_foreign_letters_spelled(word: re.Match[str]) -> str:
    if not re.search("[A-Za-z]", word[0]):
        return word[0]  # a word of another script is what it is
    return _FOREIGN.sub(lambda letter: spelled(letter[0]), word[0])
