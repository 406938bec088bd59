"""The secret parts of one string: what found each, what it is called, and which wins where two overlap.

Two machines have one server with two tokens, and must find the same part under the same name, or the server would
differ between them for ever. So the form around a value decides before its look does.
"""

import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from roosync_protocol.secrets.values import suspicious

LOOK, TEXT, FORM = range(3)  # what showed a part to be secret: its look, a name in running text, the form around it


class Span(NamedTuple):
    """A secret part of a string: [start, end) in characters, and a name for its address ("" when it needs none).

    `rank`: what found it, LOOK, TEXT or FORM.
    """

    start: int
    end: int
    label: str = ""
    rank: int = FORM

    def moved(self, by: int, label: str | None = None) -> "Span":
        return Span(self.start + by, self.end + by, self.label if label is None else label, self.rank)

    @property
    def form(self) -> str:
        """The label that does not depend on the value."""
        return self.label if self.rank > LOOK else ""


_NAME_BEFORE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,80}=\Z")
_PLAIN_AFTER = re.compile(r"[@/#?&:](?:[A-Za-z][a-z]{0,15}(?:[/.:#?&=-]|\Z)|\d{1,5}(?:[/.:#?&=-]|\Z))*\Z")


def merged(spans: list[Span], text: str) -> list[Span]:
    """In order and without overlap. Where two overlap, what has the higher rank stays as it is, with its label.

    Of the other one stays what sticks out, but for the `name=` before a value and plain words after it.
    """
    result: list[Span] = []
    for rank in (FORM, TEXT, LOOK):
        found = _united([span for span in spans if span.rank == rank and span.start < span.end])
        if found:
            result = sorted([*result, *(rest for span in found for rest in _outside(span, result, text))])
    return result


def _united(spans: list[Span]) -> list[Span]:
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start < result[-1].end:
            result[-1] = result[-1]._replace(end=max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def _outside(span: Span, taken: list[Span], text: str) -> list[Span]:
    """What of the span sticks out of those that are taken (sorted, without overlap)."""
    first = bisect_right(taken, span.start, key=lambda other: other.end)
    past = bisect_left(taken, span.end, key=lambda other: other.start)
    rests, at = [], span.start
    for other in taken[first:past]:
        if at < other.start and not _is_name(text[at : other.start]):
            rests.append(span._replace(start=at, end=other.start))
        at = max(at, other.end)
    if at == span.start:
        return [span]
    if at < span.end and not _PLAIN_AFTER.match(text, at, span.end):
        rests.append(span._replace(start=at))
    return rests


def _is_name(text: str) -> bool:
    return bool(_NAME_BEFORE.match(text)) and not suspicious(text[:-1], 12)
