"""What the machines lack for a change, each asked directly at this moment.

A baseline may bring a server whose program is not on a machine's path, or whose secret that machine never had. A
person who answers should know it before, and not from a failed apply. Each machine looks for
itself (`lacking`). Silence is silence, and is told as that.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.coordination.lacking import PATIENCE, Answering
from roosync_broker.errors import BusError, NoResponderError
from roosync_broker.keys import verify
from roosync_broker.tasks import end
from roosync_protocol import needs
from roosync_protocol.entity import Entity
from roosync_protocol.needs import Asked, Need, NotSaidError, Told, needs_of

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

ALTOGETHER = 4  # times the patience, for all machines of one question
AT_ONCE = 64  # machines that are asked at the same time
OLD = "its agent is of a version before this question"
AWAY = "the broker does not answer at this moment, so it could not be asked"


class Item(Struct, frozen=True, kw_only=True):
    """One thing to ask a machine about, and the value it is about, as the asker knows it."""

    asked: Asked
    entity: Entity
    digest: str


class Said(Struct, frozen=True, kw_only=True):
    """What one machine said of one thing. `why`: it said nothing."""

    lacks: tuple[Need, ...] = ()
    unsure: tuple[Need, ...] = ()
    why: str = ""


async def ask_each(
    machine: "Machine", asked: Mapping[str, Sequence[Item]], patience: float = PATIENCE
) -> dict[str, list[Said]]:
    """What each machine says of each of its items, in their order. About what needs nothing nobody is asked.

    A thousand machines that hang keep nobody waiting: after ALTOGETHER times `patience` who has not answered is silent.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, items: Sequence[Item]) -> list[Said]:
        async with room:
            return await _ask(machine, name, items, patience)

    tasks = {name: asyncio.create_task(one(name, items)) for name, items in asked.items()}
    late: set[asyncio.Task[list[Said]]] = set()
    try:
        if tasks:
            _, late = await asyncio.wait(tasks.values(), timeout=ALTOGETHER * patience)
    finally:
        await end(tasks.values())
    silent = Said(why=f"no answer within {ALTOGETHER * patience:g} s, with many others to be asked")
    return {name: [silent] * len(asked[name]) if task in late else task.result() for name, task in tasks.items()}


async def _ask(machine: "Machine", name: str, items: Sequence[Item], patience: float) -> list[Said]:
    needed = [frozenset(needs_of(item.entity)) for item in items]
    left = [at for at, of in enumerate(needed) if of]
    said = [Said()] * len(items)
    for start in range(0, len(left), needs.MOST_ASKED):
        part = left[start : start + needs.MOST_ASKED]
        try:
            told = await _told(machine, name, [items[at].asked for at in part], [needed[at] for at in part], patience)
        except (BusError, NotSaidError) as error:
            why = await _silence(machine, name, error, patience)
            for at in left[start:]:
                said[at] = Said(why=why)
            break
        for at, one in zip(part, told, strict=True):
            said[at] = _said(one, items[at].digest)
    return said


def _said(told: Told, digest: str) -> Said:
    if told.why:
        return Said(why=told.why)
    if told.wanted != digest:
        return Said(why="it is asked for another value by now: look again")
    return Said(lacks=told.lacks, unsure=told.unsure)


async def _told(
    machine: "Machine", name: str, asked: list[Asked], needed: list[frozenset[Need]], patience: float
) -> Sequence[Told]:
    session, law = machine.session, machine.fleet.law
    nonce = secrets.token_hex(16)
    question = needs.Question(fleet=law.fleet, machine=name, asker=session.name, nonce=nonce, asked=tuple(asked))
    if name == machine.name:
        return await Answering(machine).about(question)
    subject = session.subjects.call(name, needs.VERB, session.name)
    data = await session.link.request(subject, needs.ask(question, session.keys.public, session.keys.sign), patience)
    return needs.read_reply(data, question, needed, law, verify)


async def _silence(machine: "Machine", name: str, error: Exception, patience: float) -> str:
    """Why nothing was said, for a person: an agent of the release before serves pings, and not this."""
    if isinstance(error, NotSaidError):
        return str(error)
    if not machine.session.reachable:
        return AWAY
    if isinstance(error, NoResponderError):
        row = (await pinging.ping_all(machine, [name], patience))[0]
        return OLD if row.answered else row.reason
    return f"no answer within {patience:g} s"
