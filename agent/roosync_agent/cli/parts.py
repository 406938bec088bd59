"""`up`, `agent`: the parts that run; `broker` has a module of its own."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from roosync_agent.cli.founding import init
from roosync_agent.cli.running import configure_logging, told
from roosync_agent.columns import hanging, width
from roosync_agent.settings import load
from roosync_agent.state import State
from roosync_agent.wording import tr
from roosync_agent.yes_no import confirm

PART = "--part-of-up"
GLANCE = 0.2  # seconds after which a command that looked whether `up` runs has certainly looked
part_option = click.option(PART, "part", is_flag=True, hidden=True)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the broker; 0 takes any free one.")
def up(port: int | None) -> None:
    """Start what this machine runs: the broker if it is here, and the agent; stop with Ctrl-C."""
    from roosync_agent.connect import NoFleetError, identity_of, url_of
    from roosync_agent.running.agent_child import AgentChild
    from roosync_agent.running.supervisor import Child, supervise
    from roosync_agent.state import StateError
    from roosync_agent.updating.handover import Handover
    from roosync_broker.children import OneAtATime

    configure_logging()
    settings = load()
    state = State(settings.state)
    try:
        identity = identity_of(state)
    except NoFleetError:
        if not sys.stdin.isatty():
            raise
        question = tr("There is no fleet in {folder} yet. Create one now", folder=state.folder)
        confirm(question, default=True, abort=True)
        click.get_current_context().invoke(init, port=port)
        identity = identity_of(state)
    lock = OneAtATime(state.run / "up.lock")
    if not lock.acquire():
        time.sleep(GLANCE)
        if not lock.acquire():
            raise StateError(
                tr("`roosync up` runs already on {folder}: Ctrl-C in its terminal ends it", folder=state.folder)
            )
    children: list[Child] = []
    if identity.embedded and settings.nats is None:
        given = ["--port", str(port)] if port is not None else []
        children.append(Child("broker", ["broker", PART, *given]))
    children.append(AgentChild("agent", ["agent", PART], handover=Handover(state)))
    where = {"fleet": identity.fleet, "machine": identity.machine, "broker": url_of(settings, identity)}
    begun = tr("roosync: fleet {fleet}, machine {machine}, broker {broker}. Ctrl-C stops it.", **where)
    click.echo("\n".join(hanging(begun, width(), 2)))
    code = asyncio.run(supervise(children))
    click.echo(tr("roosync: stopped."))
    raise click.exceptions.Exit(code)


@click.command()
@part_option
def agent(part: bool) -> None:
    """Run the agent of this machine, until stopped."""
    from roosync_agent.running.agent import run

    configure_logging()
    with hopeless_told(part):
        settings = load()
        state = State(settings.state)
        if not part and settings.update.supervisor == "service":
            in_service(state)
        code = asyncio.run(run(settings, state))
    raise click.exceptions.Exit(code)


def in_service(state: State) -> None:
    """This machine's service manager starts agents: which release that is, is decided here, and it takes our place."""
    from roosync_agent.updating.handover import INSTALLED, SUPERVISOR, Handover, command, environment

    if os.environ.get(SUPERVISOR) == "service":
        return  # we are the one that was chosen
    release = Handover(state).begin().release
    own = environment(release, "service")
    if release.start != INSTALLED.start:
        program, *words = [*command(release), "agent"]
        os.execve(program, [program, *words], own)  # noqa: S606 - no shell; the release is of our own recipe
    os.environ.update(own)


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
