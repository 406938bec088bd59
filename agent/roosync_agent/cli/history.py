"""`roosync history`: what was done, by whom, who approved it, and what came of it."""

from collections.abc import Iterator
from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import TONES
from roosync_agent.columns import columns, folded, paint, want_colour, width
from roosync_agent.wording import heard, tr, trn

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
        if answer["what"]:
            return tr("Nothing was done about {what} in this time.", what=harmless(answer["what"]))
        return tr("Nothing was done in this time.")
    lines = list(_lines(answer["rows"], want_colour(), width() or 80))
    if answer["not_believed"]:
        told = trn(
            "! {count} lines are not signed by whom they name, and are left out.",
            "! {count} lines are not signed by whom they name, and are left out.",
            answer["not_believed"],
        )
        lines += ["", told]
    if answer["more"]:
        command = f"roosync history --limit {len(answer['rows']) + answer['more']}"
        lines += ["", tr("{number} earlier: {command}", number=answer["more"], command=command)]
    return "\n".join(lines)


def _lines(rows: list[dict[str, Any]], colour: bool, room: int) -> Iterator[str]:
    """Each action with what came of it, the newest last; below it, indented, what does not fit into a line."""
    heads = tr("AT (UTC)"), tr("WHO"), tr("ACTION"), tr("OUTCOME")
    at = max(columns(heads[0]), 8)  # HH:MM:SS
    who = max(columns(heads[1]), *(columns(harmless(row["who"])) for row in rows))
    deeds = [_deed(row) for row in rows]
    wide = max(columns(heads[2]), *(min(MOST, columns(deed)) for deed in deeds))
    place = at + 2 + who + 2
    yield paint(f"{heads[0]:{at}}  {heads[1]:{who}}  {heads[2]:{wide}}  {heads[3]}", "bold", colour)
    day = ""
    for row, deed in zip(rows, deeds, strict=True):
        if row["at"][:10] != day:
            day = row["at"][:10]
            yield paint(day, "bold", colour)
        outcome = harmless(row["outcome"] or tr("its end was not told"))
        head = f"{row['at'][11:19]:{at}}  {harmless(row['who']):{who}}  {deed:{wide}}  "
        yield head + paint(outcome, TONES.get(outcome, "" if row["outcome"] else "warn"), colour)
        for line in _below(row):
            yield from folded(line, room, place)


def _deed(row: dict[str, Any]) -> str:
    """The action, with what it is about when that is short."""
    whole = harmless(f"{row['action']} {row['about']}".strip())
    return harmless(row["action"]) if row["entity"] or columns(whole) > MOST else whole


def _below(row: dict[str, Any]) -> Iterator[str]:
    about = f"{row['about']} {row['entity']}".strip()
    if about and harmless(row["about"]) not in _deed(row):
        if row["machine"] and row["machine"] != row["who"]:
            about = tr("{thing} on {machine}", thing=about, machine=row["machine"])
        about += f" ({row['content'][:8]})" if row["content"] else ""
        if row["approved_by"]:
            about += ", " + tr("approved by {names}", names=", ".join(row["approved_by"]))
        yield harmless(about)
    if row["outcome"] in TELLING:
        yield from (harmless(heard(line)) for line in row["details"].strip().splitlines()[-2:])


TELLING = frozenset(
    {"not done", "failed", "refused", "rollback_failed", "rolled_back", "deferred", "overwritten", "interrupted"}
)
