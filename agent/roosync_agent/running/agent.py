"""`roosync agent`: the resident process of one machine. It wakes when something changed, and takes a turn.

What wakes it: a fact on the bus that concerns it, a saved file, a new connection, and once a minute the
clock. All of them do the same thing, so it does not matter which came, or whether two came at once.
"""

import asyncio
import contextlib
import logging
from functools import partial
from typing import Any

from roosync_agent.applying.recovery import recover_at_start
from roosync_agent.collecting.watch import watch
from roosync_agent.connect import as_machine
from roosync_agent.operations import served
from roosync_agent.operations.coordination import lacking, pinging
from roosync_agent.running.changes import HERE
from roosync_agent.running.control_server import ControlServer
from roosync_agent.running.first_reading import UNREAD, FirstReading
from roosync_agent.running.machine import Machine
from roosync_agent.running.orchestrator import Orchestrator
from roosync_agent.running.own_reports import TWIN
from roosync_agent.running.requests import Requests
from roosync_agent.running.signals import stop_event
from roosync_agent.settings import Settings
from roosync_agent.state import HeldError, State, StateError
from roosync_agent.updating.handover import HANDOVER, leave
from roosync_broker.children import OneAtATime
from roosync_broker.errors import BusError
from roosync_broker.presence import BEAT
from roosync_broker.tasks import end
from roosync_protocol.cycle import each_with_each
from roosync_protocol.cycle.participant import looks_at
from roosync_protocol.envelope import Heard
from roosync_protocol.messages import (
    Alarm,
    Arrival,
    Cycle,
    Decision,
    Enrolment,
    Law,
    PackageReport,
    Proposal,
    Request,
    Rollout,
    StatusReport,
    UpdateReport,
)
from roosync_protocol.secrets import scrub

log = logging.getLogger("roosync.agent")

EVERY = 60.0  # seconds between two looks when nothing else wakes the agent
RETRY = 2.0  # seconds after a turn that the bus interrupted, or our own disk
NUDGE = 0.05  # seconds: a burst of reports is one look
BEAT_AGAIN = 0.5  # seconds after a heartbeat that was not stored
LOOKS_AFTER = (2.0, 10.0, 12.5)  # seconds after an apply; the last one ends the watch


class Agent:
    """The tasks around one `Machine`, and what wakes it."""

    def __init__(self, settings: Settings, machine: Machine) -> None:
        self.machine = machine
        self.orchestrator = Orchestrator(machine)
        self.requests = Requests(machine)
        self._settings = settings
        self._wake = asyncio.Event()
        self._silent = asyncio.Event()  # nobody may have heard the last heartbeat
        self._nudge = asyncio.Event()
        self._reread = True
        self._missed = False  # facts that the next reading finds, and nobody was told of
        self._twin = False  # another agent speaks as this machine, and the fleet was told
        self._trouble = ""  # why the last turn failed, if it did
        self._reading = FirstReading()
        self._control = ControlServer(settings.state, self._answer)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Errors of one turn are told and the next turn is taken."""
        await self._control.start()
        self.machine.session.link.on_connected(self._connected)
        self.machine.applier.on_applied = self._applied
        self.machine.updating.wake, self.machine.updating.leave = self.wake, partial(leave, stop)
        tasks = [
            asyncio.create_task(coroutine, name=name)
            for name, coroutine in (
                ("turns", self._turns()),
                ("clock", self._clock()),
                ("files", self._files()),
                ("beat", self._beat()),
                ("cycles", self._cycles()),
                ("mail", self.machine.mail.run()),
                ("orchestrator", self.orchestrator.run()),
            )
        ]
        ended = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ended}:
                task.result()
                raise RuntimeError(f"the task {task.get_name()!r} ended by itself")
        finally:
            await end((*tasks, ended))
            await self.machine.updating.close()
            await self._leave()

    async def _answer(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """One request, when it is known how the fleet stands: an agent that starts knows of no decision and nobody."""
        if verb in served.VERBS and not await self._reading.over_for(verb, self.machine.session):
            return {"error": {"kind": "missing", "message": UNREAD}}
        return await served.answer(self.machine, verb, args)

    async def _leave(self) -> None:
        await self._control.stop()
        with contextlib.suppress(BusError, TimeoutError):
            async with asyncio.timeout(3):
                await self.orchestrator.release()
                await self.machine.presence.leave(self.machine.name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.machine.session.close()

    def wake(self) -> None:
        self._wake.set()

    def _connected(self) -> None:
        """Facts may have been missed: everything is read again before the next turn."""
        self._reread = self._missed = self.machine.session.stale = True
        self._silent.set()
        self.wake()

    def _heard(self, heard: Heard) -> None:
        self.machine.changes.note(heard.subject.split(".")[2])
        match heard.message:
            case Law() | Proposal():
                self.wake()
                self.orchestrator.wake()
            case Decision(machine=machine) as decision if machine == self.machine.name and heard.speaker != machine:
                if decision.status != "approved" or self.machine.rollouts.closed(decision) is None:
                    self.wake()  # else the fact that opens its wave does
                if self.machine.cycles.running or self.machine.rollouts.led:
                    self.orchestrator.wake()
            case Rollout(id=id_):
                if self.machine.rollouts.concerns(id_):
                    self.wake()
                self.orchestrator.wake()
            case Cycle() as cycle:
                if looks_at(cycle) or (not self.machine.session.whole and each_with_each(cycle)):
                    self.wake()
                self._nudge.set()
                self.orchestrator.wake()
            case Request(to=to, status="requested") if to == self.machine.name:
                self.wake()
            case PackageReport() | Enrolment() | Arrival():
                self.orchestrator.wake()
            case Decision() | StatusReport() if self.machine.cycles.running:
                self._nudge.set()
                self.orchestrator.wake()
            case Decision() | UpdateReport() if self.machine.rollouts.led:
                self.orchestrator.wake()
            case Alarm(level=level, reason=reason) if level >= 2 and self.machine.fleet.law.genuine(heard):
                log.warning("alarm %d from %s: %s", level, heard.speaker, scrub(reason))

    async def _cycles(self) -> None:
        """What others say may bring this machine to a checkpoint of a cycle; no file has to be looked at for that."""
        while True:
            await self._nudge.wait()
            await asyncio.sleep(NUDGE)
            self._nudge.clear()
            try:
                await self.machine.cycles.participate()
            except BusError as error:
                log.info("this machine's arrival was not told: %s", error)  # the next turn says it
            except Exception:
                log.exception("taking part in a cycle failed in an unexpected way; the agent goes on")

    async def _turns(self) -> None:
        following = False
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self.machine.session.reachable:
                continue  # the link wakes us when it is back
            try:
                if self._reread:
                    if not following:
                        await self.machine.following.start(self._heard)
                        await pinging.serve(self.machine)
                        await lacking.serve(self.machine)
                        following = True
                    self._reread = False
                    await self.machine.session.telling.catch_up()
                    await self.machine.session.refresh()
                    self._reading.done.set()
                    self.orchestrator.wake()
                    if self._missed:
                        self._missed = False
                        self.machine.changes.everything()
                await self.machine.following.adjust(self.orchestrator.leads)
                await self.machine.reconcile()
                if await self.requests.answer():
                    self.wake()
                await self.machine.updating.look()
                self.machine.changes.note(HERE)  # what was read again, and what only this machine knows of itself
                self._trouble = ""
            except BusError as error:
                log.warning("this turn was not finished: %s", error)
                self._reread = True
                asyncio.get_running_loop().call_later(RETRY, self.wake)
            except (StateError, OSError) as error:
                await self._troubled(scrub(str(error)))
            except Exception:
                log.exception("this turn failed in an unexpected way; the agent goes on")

    async def _troubled(self, reason: str) -> None:
        """Something of our own is in the way, such as a full disk: the others are told, and it is tried again soon."""
        if reason != self._trouble:
            log.warning("this turn failed, and is tried again: %s", reason)
        self._trouble = reason
        asyncio.get_running_loop().call_later(RETRY, self.wake)
        async with self.machine.turn:
            if self.machine.looked is not None:
                self.machine.note(reason)
                with contextlib.suppress(BusError, StateError, OSError):
                    await self.machine.report()

    async def _clock(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self._reread = True
            self.wake()

    def _applied(self) -> None:
        """Something was applied: looks follow, because assistants write from stale memory."""
        for delay in LOOKS_AFTER:
            asyncio.get_running_loop().call_later(delay, self.wake)

    async def _files(self) -> None:
        async for _ in watch(self.machine.local.door, self.machine.local.layout, self.machine.local.specs):
            self.wake()

    async def _beat(self) -> None:
        """The broker forgets heartbeats with its memory: one follows each new connection, and a lost one soon."""
        while True:
            self._silent.clear()
            self.machine.cycles.count_time()
            self.machine.rollouts.count_time()
            try:
                await self.machine.presence.beat(self.machine.name)
                following = BEAT
                await self._tell_of_twin()
            except BusError:
                following = BEAT_AGAIN
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(following):
                    await self._silent.wait()

    async def _tell_of_twin(self) -> None:
        """Once when another agent was met that speaks as this machine, and again in the report when it is gone."""
        twin = self.machine.presence.twin
        if twin == self._twin:
            return
        self._twin = twin
        self.wake()
        if twin:
            log.warning("%s", TWIN)
            await self.machine.alarm(2, f"{self.machine.name}: {TWIN}", self.machine.name)


async def run(settings: Settings, state: State) -> int:
    """The whole life of the agent: one for each state folder. The exit code: HANDOVER when it ended for an update."""
    lock = OneAtATime(state.run / "agent.lock")
    if not lock.acquire():
        raise HeldError(f"an agent already runs on {state.folder}; stop it, or name another folder with ROOSYNC_STATE")
    try:
        stop = stop_event()
        session = await as_machine(settings, state, timeout=None)
        machine = Machine(settings, state, session)
        recover_at_start(machine)
        log.info("agent of %s ready", machine.name)
        await Agent(settings, machine).run(stop)
        return HANDOVER if machine.updating.handed_over else 0
    finally:
        lock.release()
