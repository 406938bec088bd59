"""`roosync history`: what was done, by whom, who approved it, and what came of it."""

from typing import Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import harmless, table, want_colour


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
    rows = [
        (_time(row["at"]), row["who"], row["action"], _about(row), _came(row), ", ".join(row["approved_by"]) or "-")
        for row in answer["rows"]
    ]
    lines = [table(rows, ("AT (UTC)", "WHO", "ACTION", "ABOUT", "OUTCOME", "APPROVED BY"), colour=want_colour())]
    if answer["not_believed"]:
        lines += ["", f"! {answer['not_believed']} lines are not signed by whom they name, and are left out."]
    if answer["more"]:
        lines += ["", f"{answer['more']} earlier: roosync history --limit {len(rows) + answer['more']}"]
    return "\n".join(lines)


def _about(row: dict[str, Any]) -> str:
    about = f"{row['about']} {row['entity']}".strip() or "-"
    where = f" on {row['machine']}" if row["machine"] and row["machine"] != row["who"] else ""
    content = f" ({row['content'][:8]})" if row["content"] else ""
    return f"{about}{where}{content}"


def _came(row: dict[str, Any]) -> str:
    """The outcome; with a failure, the last line that was told of it."""
    if not row["outcome"]:
        return "its end was not told"
    last = row["details"].strip().splitlines()[-1:] if row["outcome"] in TELLING else []
    return str(row["outcome"]) + "".join(f": {line[:80]}" for line in last)


TELLING = frozenset({"not done", "failed", "refused", "rolled_back", "rollback_failed", "deferred", "overwritten"})


def _time(moment: str) -> str:
    return moment[:19].replace("T", " ")
