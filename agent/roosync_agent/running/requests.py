"""What this machine is asked for: found at its start or when it is asked, done once, and answered.

The record says what was accepted and answered; the machine's own journal says what was begun and what came of it. So a
process that is killed between doing and answering answers without doing it again, also when the broker was restored to
a state in which nothing was answered yet.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.operations import machine_side
from roosync_agent.operations.coordination.requests import advance
from roosync_agent.operations.decisions import comparing
from roosync_agent.operations.faults import fault_of
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.reports import views
from roosync_broker.errors import BusError
from roosync_protocol import request as life
from roosync_protocol.messages import Request
from roosync_protocol.secrets import scrub

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.requests")

JOURNAL = "requests.json"
KEPT = 2_000  # requests that the journal remembers
TRIES = 2  # times that one is begun: what ends the agent twice is not begun a third time
AT_ONCE = 20  # requests that one turn answers: who asks for much does not keep this machine from its own work


class Done(Struct, kw_only=True):
    """One line of the journal."""

    tries: int = 0
    status: str = ""  # "": begun, and its end is not known
    outcome: str = ""


class Requests:
    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._journal = machine.state.read(JOURNAL, dict[str, Done]) or {}

    async def answer(self) -> bool:
        """Answers what waits for this machine, oldest first. True when more is left for the next turn."""
        machine = self._machine
        waiting = life.to_be_done(machine.fleet.requests(), machine.name, machine.session.now())
        for request in waiting[:AT_ONCE]:
            try:
                await self._answer(request)
            except RefusedRequestError as error:  # moved by somebody else: it is looked at again
                log.info("%s: %s", request.id, error)
        return len(waiting) > AT_ONCE

    async def _answer(self, request: Request) -> None:
        session = self._machine.session
        done = self._journal.get(request.id) or Done()
        if not done.status and (refusal := self._refusal(request, done)):
            await self._told(request, *refusal)
            return
        if request.status == "requested":
            await self._machine.audit(f"{request.action}, asked by {request.asker}", "before", request.id)
            request = await advance(session, request, status="accepted")
        if not done.status:
            done = await self._do(request, done)
        await self._told(request, done.status, done.outcome)

    def _refusal(self, request: Request, done: Done) -> tuple[str, str] | None:
        """Why it is not begun: the answer's status and its words."""
        if life.standing(request, self._machine.session.now()) == "expired":
            return "expired", "it was found after its time was over"
        if fault := life.fault(request):
            return ("refused" if request.status == "requested" else "failed"), fault
        if done.tries >= TRIES:
            return "failed", f"the agent ended {done.tries} times while it did this; it is not begun again"
        return None

    async def _do(self, request: Request, done: Done) -> Done:
        done.tries += 1
        self._note(request, done)
        try:
            async with self._machine.turn:
                outcome = await ACTIONS[request.action](self._machine)
            done.status = "done"
        except (BusError, asyncio.CancelledError):
            done.tries -= 1  # the bus went away, or the agent is stopped: it is begun again when they are back
            self._note(request, done)
            raise
        except Exception as error:
            if fault_of(error) is None:
                log.exception("%s failed in an unexpected way", request.id)
            done.status, outcome = (
                "failed",
                f"{type(error).__name__}: {error}" if fault_of(error) is None else str(error),
            )
        done.outcome = self._machine.public(scrub(outcome))[:2000]
        self._note(request, done)
        return done

    async def _told(self, request: Request, status: str, outcome: str) -> None:
        await advance(self._machine.session, request, status=status, outcome=outcome)
        await self._machine.audit(
            f"{request.action}, asked by {request.asker}", "after", request.id, outcome=status, details=outcome
        )

    def _note(self, request: Request, done: Done) -> None:
        """On the disk before anything goes on: the newest are kept."""
        self._journal.pop(request.id, None)
        self._journal[request.id] = done
        while len(self._journal) > KEPT:
            del self._journal[next(iter(self._journal))]
        self._machine.state.write(JOURNAL, self._journal)


# -- what a machine does when it is asked; the same functions as the commands of these names


async def _publish(machine: "Machine") -> str:
    done = await machine_side.publish(machine)
    return f"published {done.version}: {len(done.files)} files, {done.entities} entities"


async def _collect(machine: "Machine") -> str:
    done = await machine_side.collect(machine)
    told = f"collected {len(done.files)} files, {done.entities} entities"
    return f"{told}; in quarantine: {', '.join(done.quarantine)}" if done.quarantine else told


async def _export(machine: "Machine") -> str:
    await views.export(machine)
    return "exported"


async def _compare(machine: "Machine") -> str:
    found = await comparing.compare(machine)
    await machine.report(always=True)
    return f"{found.status}: {found.divergences_count} divergences from baseline {found.baseline_version}"


async def _report(machine: "Machine") -> str:
    await machine.report(always=True)
    return _status(machine)


async def _verify(machine: "Machine") -> str:
    await machine.take_turn()
    await machine.report(always=True)
    return _status(machine)


def _status(machine: "Machine") -> str:
    said = machine.fleet.status(machine.name)
    if said is None:
        return "said, and not heard again yet"
    return f"{said.status}: {said.divergences_count} divergences, {said.pending_decisions} decisions pending"


ACTIONS: dict[str, Callable[["Machine"], Awaitable[str]]] = {
    "publish": _publish,
    "collect": _collect,
    "export": _export,
    "compare": _compare,
    "report": _report,
    "verify": _verify,
}
