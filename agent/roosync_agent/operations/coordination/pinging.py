"""Is a machine there at this moment? Asked directly, answered by the agent itself, signed.

A heartbeat says that a machine was there some seconds ago. A ping says that its agent takes part now, which is what
has to be known before anybody is called stuck.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.operations.machines.choosing import choose_here
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_broker.errors import BusError, NoResponderError, RefusedError, UnavailableError
from roosync_broker.keys import verify
from roosync_broker.link import Stored, Subscription
from roosync_protocol import __version__, micro, ping

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

PATIENCE = 1.5  # seconds for an answer: who is silent is named within two
TWICE = (0.7, 0.6)  # the same of each of two questions, which come before anybody is called unreachable
AT_ONCE = 64  # questions on the way at the same time


class PingRow(Struct, frozen=True, kw_only=True):
    machine: str
    answered: bool
    milliseconds: float | None = None
    version: str = ""
    reason: str = ""  # why it counts as silent
    hangs: bool = False  # its agent is connected, and does not answer


class PingAnswer(Struct, frozen=True, kw_only=True):
    agent: str
    timeout_seconds: float
    machines: list[PingRow]
    silent: list[str]


async def serve(machine: "Machine") -> Subscription:
    """Answers pings for as long as the link lives; what is no ping is left without an answer.

    And tells `nats micro ls` that it does, where the broker permits that: one with an older keeper does not yet.
    """
    session = machine.session
    served = micro.Served(started=session.now())
    fleet = session.subjects.fleet
    service = micro.Service(fleet=fleet, machine=machine.name, version=__version__, served=served)

    async def counted(asked: Stored) -> bytes:
        began, error = time.perf_counter_ns(), "no answer was made"
        try:
            reply, error = await answer(asked), ""
        except ValueError as refused:
            error = str(refused)[:200]
            raise
        finally:
            served.count(time.perf_counter_ns() - began, error)
        return reply

    async def described(asked: Stored) -> bytes:
        return service.answer(micro.verb_of(asked.subject))

    async def answer(asked: Stored) -> bytes:
        status = machine.fleet.status(machine.name)
        pong = ping.Pong(
            fleet=fleet,
            machine=machine.name,
            nonce=ping.read_question(asked.data).nonce,
            version=__version__,
            revision=status.baseline_revision if status else 0,
        )
        return ping.reply(pong, session.keys.public, session.keys.sign)

    with contextlib.suppress(RefusedError):
        for subject in micro.answered(fleet, machine.name):
            await session.link.serve(subject, described)
    return await session.link.serve(session.subjects.call(machine.name, ping.VERB, "*"), counted)


async def ask(
    machine: "Machine",
    machines: list[str] | None = None,
    timeout: float = PATIENCE,
    limit: str = "",
    seed: str = "",
) -> PingAnswer:
    """Each that `machines` mean (expressions), all of the fleet without any; by name, the silent ones too."""
    machine.session.require_bus()
    if not 0 < timeout <= 60:
        raise RefusedRequestError(f"{timeout:g} seconds are no time to wait for an answer; give some between 0 and 60")
    chosen = await choose_here(machine, machines, limit, seed)
    rows = await ping_all(machine, chosen.machines, timeout)
    silent = [row.machine for row in rows if not row.answered]
    return PingAnswer(agent=machine.name, timeout_seconds=timeout, machines=rows, silent=silent)


async def ping_all(machine: "Machine", names: Iterable[str], timeout: float = PATIENCE) -> list[PingRow]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> PingRow:
        async with room:
            return await _ping(machine, name, timeout)

    return list(await asyncio.gather(*map(one, names)))


async def silent_of(machine: "Machine", names: Iterable[str]) -> frozenset[str] | None:
    """Who of them answers neither of two questions; None when we are away, and know nothing of anybody."""
    loop, left = asyncio.get_running_loop(), list(names)
    for patience in TWICE:
        began = loop.time()
        left = [row.machine for row in await ping_all(machine, left, patience) if not row.answered]
        if not machine.session.reachable:
            return None
        if not left:
            break
        if patience != TWICE[-1]:  # who is not connected at all is known at once, and may be about to come back
            await asyncio.sleep(max(0.0, began + patience - loop.time()))
    return frozenset(left)


async def _ping(machine: "Machine", name: str, timeout: float) -> PingRow:
    session, nonce, began = machine.session, secrets.token_hex(16), time.monotonic()
    try:
        subject = session.subjects.call(name, ping.VERB, machine.name)
        data = await session.link.request(subject, ping.question(nonce), timeout)
        pong = ping.read_reply(data, name, nonce, machine.fleet.law, verify)
    except NoResponderError:
        return PingRow(machine=name, answered=False, reason="no agent of it is connected")
    except (BusError, ping.NotAnsweredError) as error:
        silent = f"no answer within {timeout:g} s" if isinstance(error, BusError) else str(error)
        hangs = isinstance(error, UnavailableError) and session.link.connected  # somebody listens there, and is silent
        return PingRow(machine=name, answered=False, reason=silent, hangs=hangs)
    took = round((time.monotonic() - began) * 1000, 1)
    return PingRow(machine=name, answered=True, milliseconds=took, version=pong.version)
