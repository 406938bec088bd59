"""`roosync ping`: which machines are there at this moment, each asked directly."""

import click

from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import shown_ping, want_colour

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
    show(answer, as_json, lambda found: shown_ping(found, colour=want_colour()))
    raise click.exceptions.Exit(NO_ANSWER if answer["silent"] else 0)
