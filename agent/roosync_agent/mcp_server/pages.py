"""Rows by the page: how many there are, how many are left, and what an assistant asks for next."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from roosync_agent.mcp_server.desk import Desk
from roosync_protocol.risk_names import RISK_NAMES, danger


class Page(Struct, frozen=True, kw_only=True):
    """Beside `rows`: of how many, and how many come after these."""

    total: int
    left: int


def paged(desk: Desk, rows: Sequence[Any], limit: int, offset: int) -> dict[str, Any]:
    """The fields of a `Page`, and its rows; says how to go on."""
    shown = list(rows[offset : offset + limit])
    left = max(len(rows) - offset - len(shown), 0)
    if left:
        desk.next.append(f"{left} rows are left: the same with offset {offset + len(shown)}, or ask for fewer")
    return {"total": len(rows), "left": left, "rows": shown}


def chosen(rows: Sequence[dict[str, Any]], machine: str | None, risk: str | None) -> list[dict[str, Any]]:
    """Decisions or divergences of this machine, of this risk or less; the most dangerous first."""
    most = danger(risk) if risk else len(RISK_NAMES)
    kept = [one for one in rows if machine in (None, one["machine"]) and danger(one["risk"]) <= most]
    return sorted(kept, key=lambda one: -danger(one["risk"]))


def counted(words: Iterable[str]) -> dict[str, int]:
    """How many of each word, the most frequent first."""
    return dict(Counter(words).most_common())
