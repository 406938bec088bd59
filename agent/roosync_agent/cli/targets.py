"""`roosync targets`: what is managed here. `roosync explain`: where one value comes from, and why."""

from typing import Any

import click

from roosync_agent.cli.running import json_option, show
from roosync_agent.cli.text import harmless, many, table, want_colour

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
    rows = [row for row in answer["targets"] if everything or row["found"] or row["note"]]
    hidden = len(answer["targets"]) - len(rows)
    shown = [
        (r["target"], r["assistant"], r["group"], r["state"], _things(r), r["where"])
        for r in rows
    ]  # fmt: skip
    lines = []
    if shown:
        lines.append(table(shown, ("TARGET", "ASSISTANT", "GROUP", "HERE", "THINGS", "WHERE"), colour=want_colour()))
    else:
        lines.append("No assistant that roosync knows was found in this home folder.")
    notes = [f"! {row['target']} is {row['state']}: {row['note']}" for row in rows if row["note"]]
    notes += [f"! {file} declares nothing: {reason}" for file, reason in answer["broken"].items()]
    notes += [f"  {row['target']} is your own: {row['declared']}" for row in rows if row["declared"]]
    lines += ["", *map(harmless, notes)] if notes else []
    lines.append("")
    if hidden:
        lines.append(f"{many(hidden, 'target')} of assistants that are not here: `roosync targets --all`.")
    lines.append("Next: roosync explain PATH for a file or a thing in it; docs/own-targets.md to manage a file more.")
    return "\n".join(lines)


def _things(row: dict[str, Any]) -> str:
    if not row["found"]:
        return ""
    return f"{row['things']}, {row['not_read']} not read" if row["not_read"] else str(row["things"])
