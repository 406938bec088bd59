"""Rollouts as this machine lives them: whether its own gate is open, and how it leads while it holds the lease.

Level-triggered like everything else: at each turn the whole is worked out from the records, so whoever takes the lease
over goes on from where the others are. Nothing polls: facts, the answers to direct questions, and timers wake it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roosync_agent.operations.stepping import moved_on
from roosync_agent.running.awaited import Awaited, wave_of
from roosync_agent.running.calling import Calling
from roosync_agent.running.fencing import taken_over, under
from roosync_broker.errors import StaleError
from roosync_broker.keys import verify
from roosync_protocol.messages import Decision, Rollout
from roosync_protocol.rollout import ENDED, awaited, gate
from roosync_protocol.rollout.commands import command
from roosync_protocol.rollout.leading import LED, View, due, is_late, looked_at, next_state
from roosync_protocol.rollout.standing import end_of, is_updating, waits_for

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.rollouts")

SOON = 0.05  # seconds after somebody else was faster
STOPS = "stopped.json"
REMEMBERED = 1_000  # rollouts that were stopped
PER_SECOND = 400_000  # names in all that the fleet hears in a second: each state names all, and is heard by all


class Rollouts:
    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._awaited = Awaited(_time, wave_of)
        self._calls: dict[str, Calling] = {}
        self._called = asyncio.Event()  # when to ask next may be another
        self._written: dict[str, float] = {}  # when ends of each were written down last
        self._gates: dict[str, tuple[object, ...]] = {}  # how this machine stood in each
        self._alarm: asyncio.TimerHandle | None = None
        self._again: float | None = None  # seconds until what was put off is written
        self._kept = machine.state.read(STOPS, list[str]) or []
        self._lost: list[str] = []  # of those, what the broker does not show as stopped
        machine.fleet.stopped |= dict.fromkeys(self._kept)

    @property
    def running(self) -> list[Rollout]:
        """Those that are led: also while one waits for a person, machines that began before end."""
        return [one for one in self._machine.fleet.rollouts() if one.status in LED]

    @property
    def open(self) -> list[Rollout]:
        """Those, and what is prepared: the next fact may let it run."""
        return [one for one in self._machine.fleet.rollouts() if one.status not in ENDED]

    @property
    def led(self) -> list[Rollout]:
        """Those, and what is done while a machine that was away may yet tell how it ended."""
        return [one for one in self._machine.fleet.rollouts() if one.status in LED or looked_at(one)]

    # -- this machine's own part

    def closed(self, decision: Decision) -> str | None:
        """Why this approved decision may not be applied yet; None when it may, or belongs to no rollout."""
        machine = self._machine
        id_ = gate.named(decision, machine.fleet.law, verify, machine.session.now())
        if not id_:
            return None
        rollout = machine.fleet.rollout(id_).state
        why = gate.opens(rollout, machine.name)
        if rollout is None:
            return f"{id_} is not known here: approve it again, or reject it"
        return f"{why}: approve it again, or reject it" if why and rollout.status == "stopped" else why

    def concerns(self, id_: str) -> bool:
        """Is this machine to look again, because its part in the rollout is another than before, or it was stopped?"""
        rollout, name = self._machine.fleet.rollout(id_).state, self._machine.name
        if rollout is not None and rollout.status == "stopped" and (id_ not in self._kept or id_ in self._lost):
            return True
        if rollout is None or not any(name in wave for wave in rollout.waves):
            return False
        part = gate.opens(rollout, name), rollout.round, name in rollout.results
        before, self._gates[id_] = self._gates.get(id_), part
        return part != before

    def keep_stops(self) -> list[str]:
        """What an operator stopped stays so after a restart, whatever the bus is put back to; notes on that."""
        fleet = self._machine.fleet
        fleet.remember_stops()
        stops = list(fleet.stopped)[-REMEMBERED:]
        if stops != self._kept:
            self._machine.state.write(STOPS, stops)
            self._kept = stops
        self._lost = [one.id for one in fleet.lost_stops()]
        said = "was stopped, and the broker lost that: `roosync rollout stop"
        return [f"{id_} {said} {id_}` says it again" for id_ in self._lost]

    # -- leading

    def count_time(self) -> None:
        """To be called often: how long each wave is awaited is told by this machine's own clock."""
        self._awaited.sample(self.running, there=self._machine.session.reachable)

    async def lead(self, token: Callable[[], int], newest: Callable[[], Awaitable[int]]) -> None:
        """Moves every rollout as far as the machines let it; `token` and `newest` as in `Cycles.lead`."""
        self._again = None
        for rollout in self.led:
            current: Rollout | None = rollout
            while current is not None:
                current = await self._step(current, token, newest)
        self._plan_calls()

    async def _step(
        self, rollout: Rollout, token: Callable[[], int], newest: Callable[[], Awaitable[int]]
    ) -> Rollout | None:
        """The state that follows, when it counts and there may be another one after it."""
        machine, held = self._machine, token()
        view = self._view(rollout, await under(rollout, held, newest))
        made = next_state(rollout, view, machine.session.now())
        if made is not None and self._put_off(rollout, made):
            return None
        stranger = view.token != held and rollout.agent != machine.name  # whose number we go on under
        if made is None and rollout.status in LED:
            made = taken_over(rollout, view.token, anew=stranger)
        if made is None or not view.token:
            return None
        made = moved_on(machine.session, made, revision=made.revision)
        action, about = _deed(rollout, made), f"{rollout.id} wave {made.wave + 1}"
        if action:
            await machine.audit(action, "before", about)
        if token() != held:
            return None
        try:
            await machine.session.advance(made, machine.fleet.rollout(rollout.id).sequence)
        except StaleError:
            log.info("rollout %s was moved by somebody else; it is looked at again", rollout.id)
            if action:
                await machine.audit(action, "after", about, "not done", "somebody else moved it first")
            self._again = SOON
            return None
        self._written[rollout.id] = _time()
        await self._tell(rollout, made, view)
        if action:
            await machine.audit(action, "after", about, made.status)
        folded = machine.fleet.rollout(rollout.id).state
        return folded if folded is not None and folded.operation_id == made.operation_id else None

    async def _tell(self, before: Rollout, made: Rollout, view: View) -> None:
        """The alarms: a halt is for a person, and a machine that could not be put back is an emergency."""
        new = [m for m, result in made.results.items() if before.results.get(m) != result]
        broken = [m for m in new if m in view.ends and view.ends[m].broken]
        if broken:
            names = "; ".join(f"{m}: {made.results[m].reason}" for m in broken[:5])
            await self._machine.alarm(3, f"{made.id}: {names}; `{command(made, 'show')}`", made.id)
        if made.status == "waiting" and before.status != "waiting":
            await self.tell_halt(made)

    async def tell_halt(self, halted: Rollout) -> None:
        await self._machine.alarm(2, f"{halted.id} halted: {halted.waiting_for}", halted.id)

    def _view(self, rollout: Rollout, token: int) -> View:
        machine = self._machine
        self.count_time()
        elapsed, _ = self._awaited.of(rollout)
        calling = self._calls.get(rollout.id)
        if calling is not None and calling.place != _wave(rollout):
            calling = None
        now = machine.session.now()
        ends = {m: end_of(rollout, m, machine.fleet, verify, now) for m in looked_at(rollout)}
        silent = calling.silent if calling else frozenset()
        gone = frozenset(m for m in silent if is_late(rollout, elapsed) or not is_updating(rollout, m, machine.fleet))
        return View(
            ends={m: end for m, end in ends.items() if end is not None},
            silent=gone,
            asked=calling.asked if calling else frozenset(),
            why={m: waits_for(rollout, m, machine.fleet) for m in calling.asked} if calling else {},
            elapsed=elapsed,
            token=token,
        )

    def _put_off(self, before: Rollout, made: Rollout) -> bool:
        """Is it only that a few more ended, of a rollout so large that each of its states is long?"""
        if replace(made, results=before.results, revision=before.revision, token=before.token) != before:
            return False
        rest = sum(map(len, made.waves)) ** 2 / PER_SECOND
        left = self._written.get(made.id, -rest) + rest - _time()
        if left <= 0:
            return False
        self._again = min(left, self._again or left)
        return True

    # -- who is there

    def _plan_calls(self) -> None:
        """A round of questions for each wave that is awaited; what was asked of another wave is forgotten."""
        led = {one.id: one for one in self.running if awaited(one)}
        self._calls = {id_: call for id_, call in self._calls.items() if id_ in led and call.place == _wave(led[id_])}
        for id_, rollout in led.items():
            call = self._calls.setdefault(id_, Calling(self._machine, _wave(rollout)))
            if is_late(rollout, self._awaited.of(rollout)[0]):
                call.be_late()
        self._called.set()

    async def call(self, token: Callable[[], int], wake: Callable[[], None]) -> None:
        """Asks who is there, as long as this machine leads. Never ends by itself."""
        while True:
            self._called.clear()
            calls = self._calls if token() else {}
            pause = max(0.0, min(call.at for call in calls.values()) - _time()) if calls else None
            try:
                async with asyncio.timeout(pause):
                    await self._called.wait()
                    continue
            except TimeoutError:
                pass
            due_now = [(id_, call) for id_, call in self._calls.items() if call.at <= _time()]
            await asyncio.gather(*(self._ask(id_, call, wake) for id_, call in due_now))  # none waits for another

    async def _ask(self, id_: str, calling: Calling, wake: Callable[[], None]) -> None:
        rollout = self._machine.fleet.rollout(id_).state
        try:
            if rollout is not None:
                await calling.ask(awaited(rollout), wake)
            else:  # it is being read again
                calling.begin_again()
        except Exception:
            log.exception("asking the machines of %s failed in an unexpected way; it is tried again", id_)
            calling.begin_again()

    def connected(self) -> None:
        """Our own connection is new."""
        for calling in self._calls.values():
            calling.begin_again()
        self._called.set()

    def alarm_clock(self, wake: Callable[[], None]) -> None:
        """Has `wake` called when the time of a wave, or a pause, is over, or when more is to be written."""
        self.count_time()
        if self._alarm is not None:
            self._alarm.cancel()  # one at a time, however many turns set it
        dues = [seconds for one in self.running if (seconds := due(one, self._awaited.of(one)[0])) is not None]
        dues += [] if self._again is None else [self._again]
        if dues:
            seconds = min(3600.0, max(0.02, min(dues) + 0.005))
            self._alarm = asyncio.get_running_loop().call_later(seconds, wake)


def _deed(before: Rollout, after: Rollout) -> str:
    """What the leader does with this step, in the words of the audit; "" when it only writes ends down."""
    if after.status != before.status:
        return {"waiting": "halt rollout", "done": "end rollout"}[after.status]
    return "open wave" if after.wave > before.wave else "lead on" if after.token != before.token else ""


def _wave(rollout: Rollout) -> tuple[object, ...]:
    return rollout.wave, rollout.round, rollout.opened


def _time() -> float:
    return asyncio.get_running_loop().time()
