"""Waiting until every machine that was asked for something has ended, or is known not to answer; each by name.

The same for decisions that were approved and for requests. Who has not ended after a moment is asked directly, so a
dead machine is named within two seconds and nobody waits for it any longer; the others have their time.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_protocol import request as life
from roosync_protocol.messages import Decision, Request
from roosync_protocol.proof import needed_approvals
from roosync_protocol.rollout.standing import of_decision, together

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

AWAITED, UNSIGNED = "awaited", "unsigned"
LONGEST = 250.0  # seconds; a command gives an answer as much time as this, and some more
LOOK = 0.05  # seconds between two looks at what was heard; nothing is asked of anybody
SELDOM = 0.3  # the same where each look asks the broker
FIRST = 0.5  # seconds until who has not ended is asked whether it is there
REQUESTS = {"done": "done", "failed": "failed", "refused": "refused", "expired": "timed_out"}  # the others: awaited


class Accounted(Struct, frozen=True, kw_only=True):
    """How one machine ended, in the words of `cli.outcomes_text`."""

    machine: str
    state: str
    reason: str = ""


class Account(Struct, frozen=True, kw_only=True):
    machines: list[Accounted]
    waited: float  # seconds at most that were given


async def decisions(machine: "Machine", asked: dict[str, int], wait: float = 20.0) -> Account:
    """How the machines of these decisions ended, after at most `wait` seconds.

    `asked`: each id with the revision from which on it counts: what was signed a moment ago may not be heard here yet.
    """
    known: dict[str, list[str]] = {}
    for decision in machine.fleet.decisions():
        if decision.id in asked:
            known.setdefault(decision.machine, []).append(decision.id)

    def rows() -> list[Accounted]:
        return [_of_decisions(machine, name, {id_: asked[id_] for id_ in ids}) for name, ids in known.items()]

    return await _settled(machine, rows, wait)


async def requests(machine: "Machine", ids: list[str], wait: float = 20.0) -> Account:
    """How the machines of these requests answered, after at most `wait` seconds."""

    def rows() -> list[Accounted]:
        found = {one.id: one for one in machine.fleet.requests()}
        return [_of_request(machine, found[id_]) for id_ in ids if id_ in found]

    return await _settled(machine, rows, wait)


# -- inside


async def _settled(machine: "Machine", rows: Callable[[], list[Accounted]], wait: float) -> Account:
    if not 0 <= wait <= LONGEST:
        raise RefusedRequestError(f"{wait:g} seconds are no time to wait; give 0 to {LONGEST:g}")
    loop = asyncio.get_running_loop()
    end, call, pause = loop.time() + wait, loop.time() + min(FIRST, wait), 2.0
    silent: frozenset[str] | None = frozenset()  # None: it is we who are away
    while True:
        found = rows()
        awaited = {row.machine for row in found if row.state == AWAITED}
        over = loop.time() >= end
        if awaited and (over or loop.time() >= call):
            silent = await _silent(machine, awaited)
            call, pause = loop.time() + pause, pause * 2
            found = rows()  # somebody may have ended meanwhile
        if over or not {row.machine for row in found if row.state == AWAITED} - (silent or frozenset()):
            return Account(machines=[_ended(row, silent, wait) for row in found], waited=wait)
        await asyncio.sleep(min(LOOK if machine.session.whole else SELDOM, max(0.0, end - loop.time())))
        if not machine.session.whole:  # in a large fleet what the others said is read, and not followed
            await machine.following.look_around()


async def _silent(machine: "Machine", names: Iterable[str]) -> frozenset[str] | None:
    members = machine.fleet.law.machines()
    return await pinging.silent_of(machine, [name for name in names if name in members and name != machine.name])


def _ended(row: Accounted, silent: frozenset[str] | None, wait: float) -> Accounted:
    if row.state != AWAITED:
        return row
    if silent is None:
        return replace(row, state="timed_out", reason="the broker does not answer here, so nothing is known of it")
    if row.machine in silent:
        return replace(row, state="unreachable", reason="it does not answer; it finds this when it is back")
    return replace(row, state="timed_out", reason=f"it answers, and did not end within {wait:g} s")


def _of_decisions(machine: "Machine", name: str, asked: dict[str, int]) -> Accounted:
    found = {id_: machine.fleet.decision(name, id_).state for id_ in asked}
    states = [one if one is not None and one.revision >= asked[id_] else None for id_, one in found.items()]
    if any(one is not None and _unsigned(machine, one) for one in states):
        return Accounted(machine=name, state=UNSIGNED, reason="another operator has to sign too")
    end = together(None if one is None else of_decision(one, ours=False) for one in states)
    return Accounted(machine=name, state=end.outcome if end else AWAITED, reason=end.reason if end else "")


def _unsigned(machine: "Machine", decision: Decision) -> bool:
    """Was it signed, and by too few?"""
    signed = decision.status == "pending" and bool(decision.approvals)
    return signed and len(decision.approvals) < needed_approvals(decision, machine.fleet.law)


def _of_request(machine: "Machine", request: Request) -> Accounted:
    state = REQUESTS.get(life.standing(request, machine.session.now()), AWAITED)
    reason = request.outcome.split("\n")[0][:200] if state in ("failed", "refused") else ""
    return Accounted(machine=request.to, state=state, reason=reason)
