"""`roosync history`: what was done, by whom, who approved it, and what came of it."""

from collections.abc import Iterator
from typing import Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import TONES, columns, folded, harmless, paint, want_colour, width

MOST = 34  # columns of an action with what it is about; what is longer stands below


@click.command()
@click.argument("what", required=False, default="", metavar="[ENTITY|MACHINE|ID]")
@click.option("--since", default="", metavar="TIME", help="30m, 2h, 3d, or 2026-01-31T12:00 (UTC).")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The last so many.")
@json_option
def history(what: str, since: str, limit: int, as_json: bool) -> None:
    """Every action about a thing (`roo.mcp/github`), a machine, an operator, or an id; of everything without one."""
    answer = ask_machine("history", what=what, since=since, limit=limit)
    show(answer, as_json, _text)


def _text(answer: dict[str, Any]) -> str:
    if not answer["rows"]:
        return f"Nothing was done{' about ' + harmless(answer['what']) if answer['what'] else ''} in this time."
    lines = list(_lines(answer["rows"], want_colour(), width() or 80))
    if answer["not_believed"]:
        lines += ["", f"! {answer['not_believed']} lines are not signed by whom they name, and are left out."]
    if answer["more"]:
        lines += ["", f"{answer['more']} earlier: roosync history --limit {len(answer['rows']) + answer['more']}"]
    return "\n".join(lines)


def _lines(rows: list[dict[str, Any]], colour: bool, room: int) -> Iterator[str]:
    """Each action with what came of it, the newest last; below it, indented, what does not fit into a line."""
    who = max(columns(harmless(row["who"])) for row in [*rows, {"who": "WHO"}])
    deeds = [_deed(row) for row in rows]
    wide = max(columns("ACTION"), *(min(MOST, columns(deed)) for deed in deeds))
    place = 8 + 2 + who + 2
    yield paint(f"{'AT (UTC)':8}  {'WHO':{who}}  {'ACTION':{wide}}  OUTCOME", "bold", colour)
    day = ""
    for row, deed in zip(rows, deeds, strict=True):
        if row["at"][:10] != day:
            day = row["at"][:10]
            yield paint(day, "bold", colour)
        outcome = harmless(row["outcome"] or "its end was not told")
        head = f"{row['at'][11:19]}  {harmless(row['who']):{who}}  {deed:{wide}}  "
        yield head + paint(outcome, TONES.get(outcome, "" if row["outcome"] else "warn"), colour)
        for line in _below(row):
            yield from folded(line, room, place)


def _deed(row: dict[str, Any]) -> str:
    """The action, with what it is about when that is short."""
    whole = harmless(f"{row['action']} {row['about']}".strip())
    return harmless(row["action"]) if row["entity"] or columns(whole) > MOST else whole


def _below(row: dict[str, Any]) -> Iterator[str]:
    about = f"{row['about']} {row['entity']}".strip()
    where = f" on {row['machine']}" if row["machine"] and row["machine"] != row["who"] else ""
    content = f" ({row['content'][:8]})" if row["content"] else ""
    yes = f", approved by {', '.join(row['approved_by'])}" if row["approved_by"] else ""
    if about and harmless(row["about"]) not in _deed(row):
        yield harmless(f"{about}{where}{content}{yes}")
    if row["outcome"] in TELLING:
        yield from map(harmless, row["details"].strip().splitlines()[-2:])


TELLING = frozenset(
    {"not done", "failed", "refused", "rollback_failed", "rolled_back", "deferred", "overwritten", "interrupted"}
)
