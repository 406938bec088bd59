"""`roosync targets`: what is managed here. `roosync explain`: where one value comes from, and why."""

import os
from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import next_line, table
from roosync_agent.columns import hanging, want_colour, width
from roosync_agent.wording import heard, tr

BROKEN = 1  # the exit code where a declaration of the person's own can not be used


@click.command()
@click.argument("names", metavar="[TARGET]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Also those whose assistant is not on this machine.")
@json_option
def targets(names: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Which assistants' files were found on this machine, where, and what is managed. Needs no fleet.

    TARGET is a target (roo.mcp), an assistant (roo) or a group (mcp).
    """
    import msgspec

    from roosync_agent.operations.targets_list import list_targets
    from roosync_agent.settings import load

    answer = msgspec.to_builtins(list_targets(load(), names))
    show(answer, as_json, lambda found: targets_text(found, everything=everything or bool(names)))
    raise click.exceptions.Exit(BROKEN if answer["broken"] else 0)


def targets_text(answer: dict[str, Any], *, everything: bool) -> str:
    here = [row for row in answer["targets"] if everything or row["found"] or row["note"]]
    rows = [row for row in here if everything or row["things"] or row["not_read"] or row["note"] or row["declared"]]
    empty, elsewhere = len(here) - len(rows), len(answer["targets"]) - len(here)
    shown = [(r["target"], r["assistant"], r["state"], _things(r), r["where"]) for r in rows]
    lines = []
    if shown:
        heads = (tr("TARGET"), tr("ASSISTANT"), tr("HERE"), tr("THINGS"), tr("WHERE"))
        lines.append(table(shown, heads, colour=want_colour()))
    else:
        lines.append(tr("No assistant that roosync knows was found in this home folder."))
    notes = _notes(rows, answer["broken"])
    lines += ["", *(part for note in notes for part in hanging(harmless(note), width(), 4))] if notes else []
    lines.append("")
    if empty or elsewhere:
        left_out = tr(
            "Not shown: {empty} with nothing in them yet, {elsewhere} of assistants that are not here (--all).",
            empty=empty, elsewhere=elsewhere,
        )  # fmt: skip
        lines.append(left_out)
    following = tr("roosync explain PATH for a file or a thing in it; docs/own-targets.md to manage a file more.")
    return "\n".join([*lines, *hanging(next_line(following), width(), 2)])


def _notes(rows: list[dict[str, Any]], broken: dict[str, str]) -> list[str]:
    """What a person should know beside the table: what could not be read, and what they declared themselves."""
    notes = [
        "! " + tr("{target} is {state}: {note}", target=row["target"], state=row["state"], note=heard(row["note"]))
        for row in rows
        if row["note"]
    ]
    notes += [
        "! " + tr("of {target}, {count} not read: {command}", target=row["target"], count=row["not_read"],
                  command=f"roosync explain {row['target']}")
        for row in rows
        if _part(row)
    ]  # fmt: skip
    notes += ["! " + tr("{file} declares nothing: {why}", file=file, why=heard(why)) for file, why in broken.items()]
    own = [row for row in rows if row["declared"]]
    return notes + ["  " + tr("{target} is your own: {file}", target=r["target"], file=r["declared"]) for r in own]


def _part(row: dict[str, Any]) -> bool:
    return bool(row["not_read"]) and not row["note"]


def _things(row: dict[str, Any]) -> str:
    if not row["found"]:
        return ""
    if not row["not_read"]:
        return str(row["things"])
    return tr("{count}, {unread} not read", count=row["things"], unread=row["not_read"])


@click.command()
@click.argument("what", metavar="PATH")
@click.argument("field", required=False, default="")
@json_option
def explain(what: str, field: str, as_json: bool) -> None:
    """Where a value comes from, and why: its baseline, its decisions, what happens next, field by field.

    PATH is a file here, a thing in one (roo.mcp/github), or that of another machine (MACHINE:roo.mcp/github). FIELD is
    a field of the thing (args, env.TOKEN); roo.mcp/github/args says the same. Exit code 1: it is not managed.
    """
    from roosync_agent.cli.explained_text import explained_text

    answer = _explained(what, field, _path(what))
    show(answer, as_json, explained_text)
    raise click.exceptions.Exit(BROKEN if answer["kind"] == "unknown" else 0)


def _path(what: str) -> str:
    """The absolute path that it means in this folder, when it can be one."""
    from pathlib import Path

    try:
        path = Path(what).expanduser()
        given = path.is_absolute() or what.startswith((".", "~")) or path.exists()
    except (OSError, RuntimeError, ValueError):
        return ""
    return os.path.abspath(path) if given else ""  # noqa: PTH100 (a link is followed where it is looked at)


def _explained(what: str, field: str, path: str) -> Any:
    """From the agent; from this machine alone where there is no fleet, or no broker to be reached."""
    import asyncio

    import msgspec

    from roosync_agent.connect import NoFleetError
    from roosync_agent.operations.explaining import explain_alone
    from roosync_agent.settings import load
    from roosync_broker.errors import BusError

    try:
        return ask_machine("explain", what=what, field=field, path=path)
    except (NoFleetError, BusError) as error:
        return msgspec.to_builtins(asyncio.run(explain_alone(load(), str(error), what, field, path)), str_keys=True)
