"""YAML texts over several lines, changed where they differ: literal blocks by lines, folded texts by words.

The first way to write a new text over an old one; what it gives is read back like every edit, and where it does
not hold, `yaml_write` writes the text anew. Source: YAML 1.2.2, chapter 8.1.
"""

import re

from roosync_protocol.documents import lines
from roosync_protocol.documents.base import Splice
from roosync_protocol.documents.yaml_tree import Node
from roosync_protocol.documents.yaml_write import UNPRINTABLE, YamlStyle

_HEAD = re.compile(r"(?P<before>(?:[&!]\S*\s+)*[|>])(?P<marks>[-+1-9]*)(?P<rest>[^\n]*)\n")
_CHOMP = {0: "-", 1: ""}
_WORD = re.compile(r"\S+")


def edited(text: str, old: Node, value: str, column: int, style: YamlStyle) -> Splice | None:
    """The splice that makes the scalar `old` say `value`; None when it has one line or must be written anew.

    `column` is the indentation of the map or list that holds it.
    """
    raw = text[old.start : old.end]
    if old.kind != "scalar" or "\n" not in raw:
        return None
    new = _literal(raw, old.text, value, column, style) if old.style == "|" else _folded(raw, old, value, style)
    return None if new is None else (old.start, old.end, new)


def _literal(raw: str, before: str, value: str, column: int, style: YamlStyle) -> str | None:
    head = _HEAD.match(raw)
    old, new = before.rstrip("\n").split("\n"), value.rstrip("\n").split("\n")
    if head is None or len(new) < 2 or not old[0].strip() or not new[0].strip() or not new[-1].strip():
        return None
    body = raw[head.end() :].split("\n")
    indent = _leading(body[0]) - _leading(old[0])
    if indent < 1 or [line[indent:].removesuffix("\r") for line in body[: len(old)]] != old:
        return None
    if any(UNPRINTABLE.search(line) for line in set(new) - set(old)):
        return None
    marks, tail = _marks(head["marks"], before, value, body[len(old) :])
    if marks is None:
        return None
    if new[0][0] in " \t" and not re.search("[1-9]", marks):
        marks = f"{indent - column}{marks}"
    carriage = "\r" if style.newline == "\r\n" else ""
    raws = [*body[: len(old) - 1], body[len(old) - 1] + ("" if tail else carriage)]
    written = lines.overlaid(
        old, raws, new, lambda line: (" " * indent if line or style.padded else "") + line + carriage
    )
    written[-1] = written[-1] if tail else written[-1].removesuffix("\r")
    return head["before"] + marks + head["rest"] + "\n" + "\n".join([*written, *tail])


def _marks(marks: str, before: str, value: str, tail: list[str]) -> tuple[str | None, list[str]]:
    """What stands behind | or >, and the blank lines at the end that belong to the text."""
    ends = _ends(value)
    if ends == _ends(before) and (ends or "-" in marks):
        return marks, tail
    if ends not in _CHOMP or "+" in marks:
        return None, tail
    return re.sub("[-+]", "", marks) + _CHOMP[ends], tail


def _folded(raw: str, old: Node, value: str, style: YamlStyle) -> str | None:
    """Words: in a folded block, and in plain or quoted texts over lines, which are read in the same way."""
    head = _HEAD.match(raw) if old.style == ">" else None
    start = head.end() if head else raw.find(old.style) + len(old.style)
    stop = len(raw.rstrip()) - (0 if head else len(old.style))
    if old.style == ">" and (head is None or _ends(old.text) != _ends(value)):
        return None
    was = list(_WORD.finditer(raw, start, stop))
    new = list(_WORD.finditer(_quoted(value, old.style)))
    if [one[0] for one in was] != _WORD.findall(_quoted(old.text, old.style)) or min(len(was), len(new)) < 2:
        return None
    if UNPRINTABLE.search(value):
        return None
    second = raw[start:] if head else raw[raw.index("\n") + 1 :]
    return _overlaid(raw, was, new, " " * _leading(second), style.newline)


def _quoted(text: str, quote: str) -> str:
    if quote == '"':
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("'", "''") if quote == "'" else text


def _overlaid(raw: str, was: list[re.Match[str]], new: list[re.Match[str]], indent: str, newline: str) -> str:
    """The new words, with the space between two that were neighbours before as it was."""
    pieces = [raw[: was[0].start()]]
    last = -1  # the number of the old word in whose place the word before stands
    for tag, i1, i2, j1, j2 in lines.aligned([one[0] for one in was], [one[0] for one in new]):
        for number in range(j1, j2):
            mine = i1 + number - j1 if tag == "equal" or i2 - i1 == j2 - j1 else -1
            if number and 0 <= last == mine - 1:
                pieces.append(raw[was[last].end() : was[mine].start()])
            elif number:
                pieces.append(_gap(new[number - 1], new[number], indent, newline))
            pieces.append(new[number][0])
            last = mine
    return "".join([*pieces, raw[was[-1].end() :]])


def _gap(before: re.Match[str], word: re.Match[str], indent: str, newline: str) -> str:
    gap = word.string[before.end() : word.start()]
    breaks = gap.count("\n")
    return newline * (breaks + 1) + indent + gap.rpartition("\n")[2] if breaks else gap


def _ends(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
