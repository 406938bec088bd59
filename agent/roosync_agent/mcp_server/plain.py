"""What an assistant is told is data: hidden characters are spelled, and no answer fills its context.

Texts of configuration files and of other machines reach an assistant only through here. A text that is longer than
anybody reads is cut, and says by how much; the terminal has it whole (`roosync decision show ID`).
"""

from typing import Any

import msgspec

from roosync_agent.characters import harmless

MOST = 48_000  # bytes of an answer as JSON: about 12,000 tokens
TEXT = 4_000  # characters of one text; of an answer that is still too large fewer
LEAST, FEWEST = 60, 5  # characters, items: no less
ITEMS = 200  # of a list or of names, inside a row; pages have a limit of their own
DEEPEST = 40


class Cut:
    """What was left out of one answer."""

    def __init__(self) -> None:
        self.texts = 0
        self.items = 0

    def notes(self) -> list[str]:
        told = []
        if self.texts:
            told.append(f"{self.texts} long texts are cut here; the terminal shows them whole")
        if self.items:
            told.append(f"{self.items} items of long lists are left out here; the terminal shows them")
        return told


def plain(value: Any, room: int = TEXT) -> tuple[Any, list[str]]:
    """JSON builtins of at most `MOST` bytes (nearly), every text harmless; and what was cut, in words.

    `room`: characters of one text. Types stay: a list gets shorter, a text gets shorter, a field of a record never
    goes. Of a page that got shorter `left` says how many rows are left.
    """
    items = ITEMS
    while True:
        cut = Cut()
        told = _plain(value, room, items, cut, 0)
        if len(msgspec.json.encode(told)) <= MOST or (room <= LEAST and items <= FEWEST):
            _count_left(value, told)
            return told, cut.notes()
        room, items = max(room // 4, LEAST), max(items // 4, FEWEST)


def _count_left(value: Any, told: Any) -> None:
    if isinstance(value, dict) and isinstance(value.get("rows"), list) and "left" in value:
        told["left"] += len(value["rows"]) - len(told["rows"])


def _plain(value: Any, room: int, items: int, cut: Cut, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, room, cut)
    if isinstance(value, list | tuple):
        if depth >= DEEPEST:
            cut.items += len(value)
            return []
        kept = value[:items]
        cut.items += len(value) - len(kept)
        return [_plain(one, room, items, cut, depth + 1) for one in kept]
    if isinstance(value, dict):
        names = list(value)
        if depth >= DEEPEST or len(names) > max(items, ITEMS // 4):  # no record of ours has so many fields
            kept_names = [] if depth >= DEEPEST else names[:items]
            cut.items += len(names) - len(kept_names)
            names = kept_names
        return {_text(str(n), room, cut): _plain(value[n], room, items, cut, depth + 1) for n in names}
    return value


def _text(text: str, room: int, cut: Cut) -> str:
    if len(text) > room:
        cut.texts += 1
        return harmless(text[:room], lines=True) + f" ... ({len(text) - room} more characters)"
    return text if text.isascii() and text.isprintable() else harmless(text, lines=True)
