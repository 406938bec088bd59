"""`up`, `agent`: the parts that run; `broker` has a module of its own."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from roosync_agent.cli.fleet import init
from roosync_agent.cli.running import configure_logging, told
from roosync_agent.settings import load
from roosync_agent.state import State

PART = "--part-of-up"
part_option = click.option(PART, "part", is_flag=True, hidden=True)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the broker; 0 takes any free one.")
def up(port: int | None) -> None:
    """Start what this machine runs: the broker if it is here, and the agent; stop with Ctrl-C."""
    from roosync_agent.connect import NoFleetError, identity_of, url_of
    from roosync_agent.running.supervisor import Child, supervise
    from roosync_agent.state import StateError
    from roosync_broker.children import OneAtATime

    configure_logging()
    settings = load()
    state = State(settings.state)
    try:
        identity = identity_of(state)
    except NoFleetError:
        if not sys.stdin.isatty():
            raise
        click.confirm(f"There is no fleet in {state.folder} yet. Create one now", default=True, abort=True)
        click.get_current_context().invoke(init, port=port)
        identity = identity_of(state)
    lock = OneAtATime(state.run / "up.lock")
    if not lock.acquire():
        raise StateError(f"`roosync up` runs already on {state.folder}: Ctrl-C in its terminal ends it")
    children = []
    if identity.embedded and settings.nats is None:
        given = ["--port", str(port)] if port is not None else []
        children.append(Child("broker", ["broker", PART, *given]))
    children.append(Child("agent", ["agent", PART]))
    where = url_of(settings, identity)
    click.echo(f"roosync: fleet {identity.fleet}, machine {identity.machine}, broker {where}. Ctrl-C stops it.")
    code = asyncio.run(supervise(children))
    click.echo("roosync: stopped.")
    raise click.exceptions.Exit(code)


@click.command()
@part_option
def agent(part: bool) -> None:
    """Run the agent of this machine, until stopped."""
    from roosync_agent.running.agent import run

    configure_logging()
    with hopeless_told(part):
        settings = load()
        asyncio.run(run(settings, State(settings.state)))


@contextmanager
def hopeless_told(part: bool) -> Iterator[None]:
    """Tells `up` by the exit code that starting this part again is of no use; the person reads the message as ever."""
    try:
        yield
    except Exception as error:
        from roosync_agent.operations.faults import hopeless
        from roosync_agent.running.supervisor import HOPELESS

        if not part or not hopeless(error):
            raise
        told(error)
        raise click.exceptions.Exit(HOPELESS) from error
