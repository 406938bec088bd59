"""`roosync ping`: which machines are there at this moment, each asked directly."""

import click

from roosync_agent.cli.choosing import limit_options, on_option, wanted
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import shown_ping
from roosync_agent.columns import want_colour

NO_ANSWER = 5


@click.command()
@click.argument("machines", nargs=-1, metavar="[EXPR]...")
@on_option
@limit_options
@click.option("--timeout", type=float, default=1.5, show_default=True, metavar="SECONDS", help="For each answer.")
@json_option
def ping(machines: tuple[str, ...], on: str | None, limit: str, seed: str, timeout: float, as_json: bool) -> None:
    """Ask each machine that EXPR means, all of them without one, whether its agent is there. Answers are signed.

    Exit code: 0 all answered, 5 somebody is silent.
    """
    answer = ask_machine("ping", machines=wanted(machines, on), timeout=timeout, limit=limit, seed=seed)
    show(answer, as_json, lambda found: shown_ping(found, colour=want_colour()))
    raise click.exceptions.Exit(NO_ANSWER if answer["silent"] else 0)
