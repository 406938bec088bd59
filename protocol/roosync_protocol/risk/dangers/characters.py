"""Characters that a person does not see, that turn the direction of reading, or that pass for others.

What is found is named by line, column and code point, so that a person finds it; what tags or variation selectors
spell is shown, because that is what the assistant reads.
"""

import re
import unicodedata
from collections.abc import Iterator

from roosync_protocol.names import Value
from roosync_protocol.risk.dangers.strings import places, strings
from roosync_protocol.risk.rules import texts

SHOWN = 3  # findings in one text
_WORDS = re.compile(r"[^\W_]+")
_RUN = re.compile("[\U000e0020-\U000e007e]{2,}|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_SPELLED = 80  # characters of a hidden message


def in_any(before: Value | None, after: Value) -> Iterator[str]:
    """Characters that nobody sees, in lines that were not there before; each finding with its place."""
    known = {line for text in strings(before) for line in text.split("\n")}
    for place, text in places(after):
        found = list(_hidden(text, known))
        for line, column, char in found[:SHOWN]:
            yield (
                f"an invisible or bidirectional character, {named(char)}, in line {line}, column {column} of "
                f"{place or 'the text'}"
            )
        if len(found) > SHOWN:
            yield f"{len(found)} invisible or bidirectional characters in {place or 'the text'}"
        if found and (message := _spelled(text)):
            yield f"invisible characters that spell {message!r} in {place or 'the text'}"


def named(char: str) -> str:
    """U+200B ZERO WIDTH SPACE"""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


def _hidden(text: str, known: set[str]) -> Iterator[tuple[int, int, str]]:
    if not texts.INVISIBLE.search(text):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line not in known:
            shown = texts.FLAGS.sub(lambda flag: "_" * len(flag[0]), line)
            ended = shown.removesuffix("\r")
            for found in texts.INVISIBLE.finditer(ended):
                yield number, found.start() + 1, found[0][-1]


def _spelled(text: str) -> str:
    """What a run of tags, or of variation selectors as bytes, says."""
    message = ""
    for run in _RUN.findall(text):
        if ord(run[0]) in range(0xE0020, 0xE007F):
            message += "".join(chr(ord(char) - 0xE0000) for char in run)
            continue
        codes = bytes(ord(char) - (0xFE00 if ord(char) < 0xFF00 else 0xE0100 - 16) for char in run)
        said = codes.decode("utf-8", "ignore")
        message += said if said.isprintable() else ""
    return message[:_SPELLED]


def posing(word: str, *, alone: bool = False) -> str | None:
    """The plain word that this one passes for, with letters of other scripts; None when it is what it looks like.

    A word wholly of another script is a word of another language, unless `alone` asks about that too.
    """
    if word.isascii():
        return None
    for part in _WORDS.findall(word):
        skeleton = "".join(_plain(char) for char in part)
        if part.isascii() or not skeleton.isascii() or skeleton == part:
            continue
        if alone or any(char.isascii() and char.isalpha() for char in part):
            return word.replace(part, skeleton)
        if any(unicodedata.normalize("NFKC", char).isascii() for char in part):
            return word.replace(part, skeleton)
    return None


def _plain(char: str) -> str:
    if char.isascii():
        return char
    compatible = unicodedata.normalize("NFKC", char)
    return texts.LOOKALIKES.get(char) or (compatible if compatible.isascii() and compatible.isalnum() else char)
