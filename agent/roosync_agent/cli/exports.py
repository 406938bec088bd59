"""`roosync export`: the founding documents' files, written into a folder."""

from typing import Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import harmless, many

SHOWN = 40  # names of a kind


@click.command()
@click.argument("folder", required=False)
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the reports.")
@json_option
def export(folder: str | None, language: str, as_json: bool) -> None:
    """Write dashboard, roadmap, baseline, packages and reports in the founding formats into FOLDER."""
    from pathlib import Path

    into = str(Path(folder).absolute()) if folder else None  # the agent has another working folder
    show(ask_machine("export", folder=into, language=language), as_json, _text)


def _text(answer: dict[str, Any]) -> str:
    lines = [f"{harmless(answer['folder'])}:"]
    for word in ("written", "removed"):
        found = answer[word]
        lines += [f"  {word:<9}  {harmless(name)}" for name in found[:SHOWN]]
        lines += [f"  {word:<9}  and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    lines += [f"  unchanged  {many(len(answer['unchanged']), 'file')}"] if answer["unchanged"] else []
    lines += [f"  skipped    {harmless(one['path'])}: {harmless(one['reason'])}" for one in answer["skipped"]]
    return "\n".join(lines)
