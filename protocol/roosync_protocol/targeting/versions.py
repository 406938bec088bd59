"""Which of two versions is the newer one, in the two spellings that are in use: 1.4.0-rc.1 and 1.4.0rc1.

What comes before a release (dev, a, b, rc, anything behind a dash) is older than it, `post` is newer, and what stands
behind a plus is no part of the order.
"""

import re

_VERSION = re.compile(
    r"v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,5})(?:[-._]?([a-z][a-z0-9.-]{0,40})|-([0-9][a-z0-9.-]{0,40}))?(?:\+.{0,60})?"
)
_PARTS = re.compile(r"[0-9]{1,15}|[a-z]+")
_RANK = {"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "c": -1, "rc": -1, "pre": -1, "preview": -1, "post": 1}

Order = tuple[tuple[int, ...], tuple[tuple[int, int, str], ...]]
RELEASE = ((0, 0, ""),)  # where a version without a suffix stands


def order(text: str) -> Order | None:
    """Something that compares as the versions do; None when the text is no version and no number. 1.2 is 1.2.0."""
    match = _VERSION.fullmatch(text.strip().lower())
    if match is None:
        return None
    numbers = [int(part) for part in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    parts = _PARTS.findall(match[2] or match[3] or "")
    if not parts:
        return tuple(numbers), RELEASE
    return tuple(numbers), tuple(map(_part, parts))


def _part(text: str) -> tuple[int, int, str]:
    """Words that have a rank stand by it, numbers by their size, and other words by their letters."""
    if text.isdecimal():
        return -5, int(text), ""
    rank = _RANK.get(text, -2)
    return rank, 0, "" if text in _RANK else text
