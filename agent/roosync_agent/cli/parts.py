"""`up`, `broker`, `agent`: the parts that run."""

import asyncio
import sys

import click

from roosync_agent.cli.fleet import init
from roosync_agent.cli.running import configure_logging
from roosync_agent.settings import load
from roosync_agent.state import State


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
        children.append(Child("broker", ["broker", *(["--port", str(port)] if port is not None else [])]))
    children.append(Child("agent", ["agent"]))
    where = url_of(settings, identity)
    click.echo(f"roosync: fleet {identity.fleet}, machine {identity.machine}, broker {where}. Ctrl-C stops it.")
    code = asyncio.run(supervise(children))
    click.echo("roosync: stopped.")
    raise click.exceptions.Exit(code)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the broker; 0 takes any free one.")
def broker(port: int | None) -> None:
    """Run the embedded broker and its keeper, until stopped."""
    from roosync_agent.connect import identity_of
    from roosync_agent.running.broker_host import run

    configure_logging()
    settings = load()
    state = State(settings.state)
    identity = identity_of(state)
    if settings.nats is not None or not identity.embedded:
        where = settings.nats or identity.url
        raise click.ClickException(f"the broker of this fleet is {where} (ROOSYNC_NATS, or as it joined), not here")
    asyncio.run(run(settings, state, identity.fleet, identity.root, port=port))


@click.command()
def agent() -> None:
    """Run the agent of this machine, until stopped."""
    from roosync_agent.running.agent import run

    configure_logging()
    settings = load()
    asyncio.run(run(settings, State(settings.state)))
