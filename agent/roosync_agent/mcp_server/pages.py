"""Rows by the page: how many there are, how many are left, and what an assistant asks for next."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from roosync_agent.mcp_server.desk import Desk

R = TypeVar("R")


class Page(Struct, frozen=True, kw_only=True):
    """Beside `rows`: of how many, and how many come after these."""

    total: int
    left: int


def cut(desk: Desk, rows: Sequence[R], limit: int, offset: int) -> tuple[list[R], int]:
    """The rows of a page and how many come after it; says how to go on."""
    shown = list(rows[offset : offset + limit])
    left = max(len(rows) - offset - len(shown), 0)
    if left:
        desk.next.append(f"{left} rows are left: the same with offset {offset + len(shown)}, or ask for fewer")
    return shown, left


def counted(words: Iterable[str]) -> dict[str, int]:
    """How many of each word, the most frequent first."""
    return dict(Counter(words).most_common())
