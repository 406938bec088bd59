"""Cycles as this machine lives them: what it reports at each checkpoint, and how it leads while it holds the lease.

Level-triggered like everything else: at each turn the whole is worked out from the records, so a machine that was
away, or took the lease over, goes on from where the others are.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.stepping import moved_on
from roosync_agent.running.awaited import Awaited, checkpoint_of
from roosync_agent.running.fencing import taken_over, under
from roosync_broker.errors import StaleError
from roosync_protocol import __version__
from roosync_protocol.cycle import each_with_each, triggers
from roosync_protocol.cycle.leading import deadline, missing, next_state
from roosync_protocol.cycle.metrics import earlier, evidence_of, metric_report
from roosync_protocol.cycle.participant import Facts, arrival_of, stopped_at
from roosync_protocol.cycle.view import View
from roosync_protocol.messages import Arrival, Cycle

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.cycles")

REPEAT = 10.0  # seconds after which an arrival that the bus does not show is said again
ANYWAY = 50.0  # seconds after which it is said again while it is awaited: each of the looks that come once a minute
STEPS = 12  # that one turn makes at most: a route is shorter


class Cycles:
    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._said: dict[tuple[str, str], Arrival] = {}  # by cycle and checkpoint, as it was said last
        self._awaited = Awaited(lambda: asyncio.get_running_loop().time(), checkpoint_of)
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def running(self) -> list[Cycle]:
        return self._machine.fleet.open_cycles()

    @property
    def stopped(self) -> int:
        """The level at which a cycle of this machine is stopped; 0 while none is."""
        name = self._machine.name
        return max((stopped_at(c) for c in self.running if name in c.participants and name not in c.excused), default=0)

    def count_time(self) -> None:
        """To be called often: how long each checkpoint is awaited is told by this machine's own clock."""
        self._awaited.sample(self.running, there=self._machine.session.reachable)

    async def participate(self) -> None:
        """Says where this machine is, for each cycle that it takes part in; again only when it says something new.

        And again when the bus shows something else than was said: a broker that was put back to a backup lost it.
        While the cycle runs also once a minute, like the status: this machine can not see what others are shown in its
        place, such as somebody's forgery, which is all that is left of it for who reads the last report.
        """
        machine = self._machine
        for cycle in self.running:
            if each_with_each(cycle) and not machine.following.knows_all:
                continue  # soon: the next turn begins by following everybody
            arrival = arrival_of(cycle, self._facts(), machine.session.now())
            place = cycle.id, cycle.checkpoint
            if arrival is None:
                continue
            heard = machine.fleet.arrivals(cycle).get(machine.name)
            if _stands(arrival, self._said.get(place), heard, awaited=cycle.status == "running"):
                continue
            await machine.session.say(arrival)
            self._said[place] = arrival

    async def lead(self, token: Callable[[], int], newest: Callable[[], Awaitable[int]]) -> None:
        """Moves every cycle as far as the reports let it. `token` gives the one of the lease that is held now, or 0.

        `newest`: the same, as the broker knows it.
        """
        for cycle in self.running:
            current: Cycle | None = cycle
            for _ in range(STEPS):
                current = await self._step(current, token, newest) if current else None
                if current is None:
                    break

    async def _step(self, cycle: Cycle, token: Callable[[], int], newest: Callable[[], Awaitable[int]]) -> Cycle | None:
        machine, now, held = self._machine, self._machine.session.now(), token()
        token_here = await under(cycle, held, newest)
        view = self._view(cycle, token_here)
        made = next_state(cycle, view, now)
        if made is not None and _calls_late(cycle, made):
            made = next_state(cycle, await self._pinged(cycle, view), now)
        stranger = token_here != held and cycle.agent != machine.name  # whose number we go on under
        made = made or taken_over(cycle, view.token, anew=stranger)
        if made is None or not view.token:
            return None
        made = moved_on(machine.session, made, revision=made.revision, timestamp=now)
        action, about = _deed(cycle, made), f"{cycle.id} {cycle.checkpoint.upper()}"
        await machine.audit(action, "before", about)
        if token() != held:
            return None
        try:
            await machine.session.advance(made, machine.fleet.cycle(cycle.id).sequence)
        except StaleError:
            log.info("cycle %s was moved by somebody else; it is looked at again", cycle.id)
            await machine.audit(action, "after", about, outcome="not done", details="somebody else moved it first")
            return None
        for escalation in made.escalations[len(cycle.escalations) :]:
            await machine.alarm(escalation.level, escalation.reason, cycle.id)
        await machine.audit(action, "after", about, outcome=_came(made))
        if made.status == "done":
            await self.tell_figures(made)
        folded = machine.fleet.cycle(cycle.id).state
        return folded if folded is not None and folded.operation_id == made.operation_id else None

    async def tell_figures(self, cycle: Cycle) -> None:
        """The metric report of a cycle that ended."""
        machine, now = self._machine, self._machine.session.now()
        await machine.session.say(metric_report(cycle, evidence_of(cycle, machine.fleet), machine.name, now))

    def _view(self, cycle: Cycle, token: int) -> View:
        fleet = self._machine.fleet
        self.count_time()
        elapsed, outage = self._awaited.of(cycle)
        return View(
            arrivals=fleet.arrivals(cycle),
            decisions=tuple(fleet.decisions()),
            present=None,  # looked up when somebody is to be called late
            earlier=earlier(cycle, fleet),
            statuses={m: status for m in cycle.participants if (status := fleet.status(m))},
            baseline_revision=fleet.law.baseline.revision if fleet.law.baseline else 0,
            token=token,
            elapsed=elapsed,
            outage=outage,
        )

    async def _pinged(self, cycle: Cycle, view: View) -> View:
        """Nobody is called stuck unasked: each machine that is waited for is pinged, and that tells who is there."""
        members = frozenset(self._machine.fleet.law.machines())  # a cycle may name anybody
        waited = [name for name in missing(cycle, view) if name in members]
        rows = await pinging.ping_all(self._machine, waited)
        there = frozenset(row.machine for row in rows if row.answered)
        return replace(view, present=there, asked=frozenset(waited))

    def _facts(self) -> Facts:
        fleet, name = self._machine.fleet, self._machine.name
        package = fleet.package(name)
        return Facts(
            machine=name,
            status=fleet.status(name),
            decisions=tuple(fleet.decisions()),
            statuses=fleet.reporting() if self._machine.session.whole else frozenset(),
            version=__version__,
            package=package.manifest if package and package.complete else None,
        )

    def alarm_clock(self, wake: Callable[[], None]) -> None:
        """Has `wake` called when the time for a checkpoint is nearly over, or over."""
        now: datetime = self._machine.session.now()
        self.count_time()
        if self._alarm is not None:
            self._alarm.cancel()  # one at a time, however many turns set it
        dues = [due for cycle in self.running if (due := deadline(cycle, now, self._awaited.of(cycle)[0]))]
        if dues:
            seconds = max(0.05, (min(dues) - now).total_seconds() + 0.05)
            self._alarm = asyncio.get_running_loop().call_later(min(seconds, 3600.0), wake)


def _deed(before: Cycle, after: Cycle) -> str:
    """What the leader does with this step, in the words of the audit."""
    if len(after.reached) > len(before.reached):
        return "pass checkpoint"
    if after.round > before.round:
        return "go back"
    if len(after.escalations) > len(before.escalations):
        return "escalate"
    return "lead on"


def _came(made: Cycle) -> str:
    return made.status if made.status != "running" else f"{made.checkpoint.upper()} awaited"


def _calls_late(before: Cycle, made: Cycle) -> bool:
    """Does this state say of machines that they are late? (What else stops a cycle is told by the records.)"""
    return any(one.trigger in triggers.OF_TIME for one in made.escalations[len(before.escalations) :])


def _stands(arrival: Arrival, said: Arrival | None, heard: Arrival | None, *, awaited: bool) -> bool:
    """Was this said, and is it what the others hear? Its fact takes a moment, and can get lost."""
    if said is None or replace(said, timestamp=arrival.timestamp) != arrival:
        return False
    age = abs((arrival.timestamp - said.timestamp).total_seconds())
    if age < REPEAT or (awaited and age >= ANYWAY):
        return age < REPEAT
    return heard is not None and replace(heard, timestamp=arrival.timestamp) == arrival
