"""`roosync targets`: what is managed here. `roosync explain`: where one value comes from, and why."""

import os
from typing import Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import harmless, table, want_colour

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
        lines.append(table(shown, ("TARGET", "ASSISTANT", "HERE", "THINGS", "WHERE"), colour=want_colour()))
    else:
        lines.append("No assistant that roosync knows was found in this home folder.")
    notes = [f"! {row['target']} is {row['state']}: {row['note']}" for row in rows if row["note"]]
    notes += [f"! of {r['target']}, {r['not_read']} not read: roosync explain {r['target']}" for r in rows if _part(r)]
    notes += [f"! {file} declares nothing: {reason}" for file, reason in answer["broken"].items()]
    notes += [f"  {row['target']} is your own: {row['declared']}" for row in rows if row["declared"]]
    lines += ["", *map(harmless, notes)] if notes else []
    lines.append("")
    if empty or elsewhere:
        lines.append(
            f"Not shown: {empty} with nothing in them yet, {elsewhere} of assistants that are not here (--all)."
        )
    lines.append("Next: roosync explain PATH for a file or a thing in it; docs/own-targets.md to manage a file more.")
    return "\n".join(lines)


def _part(row: dict[str, Any]) -> bool:
    return bool(row["not_read"]) and not row["note"]


def _things(row: dict[str, Any]) -> str:
    if not row["found"]:
        return ""
    return f"{row['things']}, {row['not_read']} not read" if row["not_read"] else str(row["things"])


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
