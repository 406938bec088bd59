"""`roosync ping`: which machines are there at this moment, each asked directly."""

from typing import Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import table, want_colour

NO_ANSWER = 5


@click.command()
@click.argument("machines", nargs=-1, metavar="[MACHINE]...")
@click.option("--timeout", type=float, default=1.5, show_default=True, metavar="SECONDS", help="For each answer.")
@json_option
def ping(machines: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Ask each MACHINE, all of them without one, whether its agent is there. Answers are signed.

    Exit code: 0 all answered, 5 somebody is silent.
    """
    answer = ask_machine("ping", machines=list(machines), timeout=timeout)
    show(answer, as_json, _text)
    raise click.exceptions.Exit(NO_ANSWER if answer["silent"] else 0)


def _text(answer: dict[str, Any]) -> str:
    rows = [
        (
            row["machine"] + (" (this one)" if row["machine"] == answer["agent"] else ""),
            "present" if row["answered"] else "silent",
            f"{row['milliseconds']:.1f}" if row["answered"] else "-",
            row["version"] or "-",
            row["reason"] or "-",
        )
        for row in answer["machines"]
    ]
    there = len(rows) - len(answer["silent"])
    lines = [table(rows, ("MACHINE", "ANSWER", "MS", "VERSION", "WHY NOT"), colour=want_colour()), ""]
    if not answer["silent"]:
        return "\n".join([*lines, f"{there} of {len(rows)} answered."])
    names = ", ".join(answer["silent"])
    return "\n".join(
        [*lines, f"{there} of {len(rows)} answered; silent: {names}", "", f"Next: roosync up    (on {names})"]
    )
