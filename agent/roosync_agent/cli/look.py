"""Commands that look: status, tail, topology; and the demo."""

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.cli.running import ask_machine, json_option, machine_link, show
from roosync_agent.cli.status_text import shown_status
from roosync_agent.cli.text import table
from roosync_agent.columns import want_colour, width
from roosync_agent.wording import heard, mark, tr

if TYPE_CHECKING:
    from roosync_broker.link import Link

AWAY = mark("! The broker does not answer; waiting for it.")
BACK = mark("! The broker is back. What was said meanwhile: roosync history")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """The fleet at one look.

    Exit code: 0 in step, 2 drift, 3 pending, 4 conflict, quarantine or a failed apply, 5 silence.
    """
    answer = ask_machine("status")
    show(answer["overview"], as_json, lambda seen: shown_status(seen, colour=want_colour()))
    raise click.exceptions.Exit(max(answer["exit_codes"]))


@click.command()
@click.argument("kind", required=False)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many lines.")
@json_option
def tail(kind: str | None, count: int | None, as_json: bool) -> None:
    """Follow the facts on the bus, a line each; KIND is one of status, decision, cycle, request, alarm, audit ...

    Without KIND the audit is left out where the record itself speaks: `roosync tail audit`, or `roosync history`.
    """
    from roosync_agent.cli.facts_text import told_otherwise
    from roosync_protocol.subjects import BY_NAME

    if kind is not None and kind not in BY_NAME:
        raise click.UsageError(
            tr("there is no kind {kind}; there are {kinds}", kind=repr(kind), kinds=", ".join(sorted(BY_NAME)))
        )

    async def follow() -> None:
        async with machine_link() as session:
            await session.refresh_law()
            roster, law = session.fleet.law.roster, session.fleet.law
            who = min(16, max(map(len, [*law.machines(), *(roster.operators if roster else ())]), default=16))
            done = asyncio.Event()
            left = [count]

            def on_fact(heard: Any) -> None:
                if kind is not None and heard.subject.split(".")[2] != kind:
                    return
                if kind is None and not as_json and told_otherwise(heard.message):
                    return
                if not session.fleet.law.genuine(heard) and heard.subject.split(".")[2] != "enrol":
                    return  # signed, but not by whom the subject says: the broker's own invention
                click.echo(_fact_line(heard, as_json, who))
                if left[0] is not None:
                    left[0] -= 1
                    if left[0] <= 0:
                        done.set()

            await session.follow(on_fact)
            await _told_when_away(done, session.link)

    asyncio.run(follow())


async def _told_when_away(done: asyncio.Event, link: "Link", every: float = 0.5) -> None:
    """Until `done`; a broker that is away, and its return, are said on standard error. `every`: seconds."""
    away = False
    while not done.is_set():
        if away is link.connected:
            away = not away
            click.echo(tr(AWAY if away else BACK), err=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), every)


@click.command()
@json_option
def topology(as_json: bool) -> None:
    """The streams of the broker and their bounds, as a table."""
    from roosync_agent.connect import identity_of
    from roosync_agent.settings import load
    from roosync_agent.state import State
    from roosync_broker.topology import describe

    found = describe(identity_of(State(load().state)).fleet)
    rows = [
        (
            row["name"],
            heard(row["about"]),
            row["per_subject"],
            row.get("mib", "-"),
            row.get("full", "-"),
            ", ".join(row["kinds"]) or "-",
        )
        for row in found
    ]
    heads = (tr("STREAM"), tr("HOLDS"), tr("PER SUBJECT"), tr("MIB"), tr("WHEN FULL"), tr("KINDS"))
    show(found, as_json, lambda _: table(rows, heads))


@click.command()
@click.option("--keep", is_flag=True, help="Leave the folders, and say where they are.")
def demo(keep: bool) -> None:
    """Three sample machines on this computer: the whole story, from founding to a failed apply that undid itself."""
    from roosync_agent.demo.story import run_demo

    raise click.exceptions.Exit(run_demo(keep=keep))


def _fact_line(heard: Any, as_json: bool, who: int) -> str:
    from roosync_agent.cli.facts_text import fact_line
    from roosync_protocol.messages import encode

    message = heard.message
    if as_json:
        return json.dumps({"subject": heard.subject, "message": json.loads(encode(message))}, ensure_ascii=False)
    _, _, kind, about = heard.subject.split(".", 3)
    return fact_line(kind, message, about, colour=want_colour(), who=who, room=width())
