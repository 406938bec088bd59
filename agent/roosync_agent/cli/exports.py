"""`roosync export`: the founding documents' files, written into a folder."""

from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import next_line
from roosync_agent.wording import heard, mark, tr, trn

SHOWN = 40  # names of a kind
WORDS = {
    "written": mark("written"),
    "removed": mark("removed"),
    "unchanged": mark("unchanged"),
    "skipped": mark("skipped"),
}


@click.command()
@click.argument("folder", required=False)
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the reports.")
@dry_run_option
@json_option
def export(folder: str | None, language: str, dry_run: bool, as_json: bool) -> None:
    """Write dashboard, roadmap, baseline, packages and reports in the founding formats into FOLDER."""
    from pathlib import Path

    into = str(Path(folder).absolute()) if folder else None  # the agent has another working folder
    if dry_run:
        previewed("export", {"folder": into, "language": language}, as_json)
    show(ask_machine("export", folder=into, language=language), as_json, _text)


def _text(answer: dict[str, Any]) -> str:
    lines = [f"{harmless(answer['folder'])}:"]
    for word in ("written", "removed"):
        found = answer[word]
        lines += [_line(word, harmless(name)) for name in found[:SHOWN]]
        rest = len(found) - SHOWN
        lines += [_line(word, trn("and {count} more", "and {count} more", rest))] if rest > 0 else []
    count = len(answer["unchanged"])
    lines += [_line("unchanged", trn("{count} file", "{count} files", count))] if count else []
    lines += [
        _line("skipped", f"{harmless(one['path'])}: {harmless(heard(one['reason']))}") for one in answer["skipped"]
    ]
    return "\n".join([*lines, "", next_line("roosync baseline export", tr("the baseline in one file"))])


def _line(word: str, told: str) -> str:
    wide = max(len(tr(one)) for one in WORDS.values())
    return f"  {tr(WORDS[word]):<{wide}}  {told}"
