"""Applying decisions on this machine: claim, lock, snapshot, journal, write, verify; on failure, back at once.

The four checks of the founding protocol are made here, in this order, just before writing: the id is valid
and recent; it is approved for exactly what will execute; the claim was won and the local lock is held; the
snapshot was made (5-protocols). The disk work itself is `apply.execute`; here is its life on the bus.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.applying.apply import Outcome, execute
from roosync_agent.applying.plan import Plan, plan
from roosync_agent.applying.rollback import roll_back
from roosync_agent.collecting.reference import BASELINE, NothingToCompareError, Reference
from roosync_agent.operations.stepping import moved_on
from roosync_broker.errors import StaleError
from roosync_broker.keys import verify
from roosync_protocol.decision import rollback_due
from roosync_protocol.diff import ABSENT, Divergence
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity, target_of
from roosync_protocol.messages import Decision
from roosync_protocol.package import HostilePackageError
from roosync_protocol.placing import NOWHERE, Placing
from roosync_protocol.proof import applicable
from roosync_protocol.secrets import scrub

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.applier")

ENDED = "attempts.json"  # outlives the records: an approval is used once, whatever a broker forgets
CAME = "outcomes.json"  # what came of it, until the bus knows
_ROLLED_BACK = "rolled back "  # before the id of a decision in it: the highest attempt that was taken back here
PAUSES = (0.5, 2.0, 5.0)  # seconds between the tries of a write that was deferred
WATCHED = timedelta(seconds=12)  # how long a tool may write over what was applied before it counts as drift


class GoneError(Exception):
    """What was approved can no longer be found: the reference moved on. The next comparison asks anew."""


class Came(Struct, frozen=True, kw_only=True):
    """What came of an attempt whose files are written, or put back: told as often as it takes, done once."""

    attempt: int
    status: str
    log: tuple[str, ...] = ()
    snapshot: str = ""


class Applier:
    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self.on_applied: Callable[[], None] = lambda: None
        self._watched: dict[str, datetime] = {}  # decisions applied a moment ago, and until when they are watched
        self.ended = machine.state.read(ENDED, dict[str, int]) or {}  # highest attempt ended here, by decision
        self.came = machine.state.read(CAME, dict[str, Came]) or {}
        self._claiming: set[tuple[str, int]] = set()  # claims of which the bus did not say whether it stored them
        self._told: set[tuple[str, int, str]] = set()  # refusals that were told already: a wait is not a failure

    async def run(self, reference: Reference | None) -> bool:
        """Applies and rolls back whatever stands ready. True when files were touched: they were looked at since."""
        touched = False
        for decision in self._machine.own_decisions().values():
            wrote = False
            match decision.status:
                case "approved":
                    wrote = await self._apply(decision, reference)
                case "applying":
                    wrote = await self._claimed(decision, reference)
                case "failed":  # a crash, or a broker that went, between restoring and saying so
                    await self._restored(decision)
                case "applied" if rollback_due(decision, self._machine.fleet.law):
                    wrote = await self._roll_back(decision)
            if wrote:
                touched = True
                await self._machine.look()  # the next decision may be about the same file
        return touched

    async def look_again(self) -> None:
        """What was applied a moment ago, looked at before anything else is made of a difference."""
        for id_, until in list(self._watched.items()):
            decision = self._machine.fleet.decision(self._machine.name, id_).state
            if decision is not None and decision.status == "applied":
                await self._look_again(decision, until)

    async def _apply(self, decision: Decision, reference: Reference | None) -> bool:
        machine = self._machine
        ended = self.ended.get(decision.id, 0)
        fault = applicable(decision, machine.fleet.law, verify, machine.session.now(), ended_attempt=ended)
        if fault is None and machine.paused and decision.policy_proof:
            fault = "automatic application is paused; `roosync resume` turns it on"
        stopped = machine.cycles.stopped
        if fault is None and (stopped >= 3 or (stopped == 2 and decision.policy_proof)):
            fault = "a cycle is stopped, and a person is asked first: `roosync cycle show`"
        fault = fault or machine.rollouts.closed(decision) or self._moved_on(decision)
        if fault is not None:
            self._wait(decision, fault)
            return False
        try:
            reference = await self._compared_with(decision, reference)
            wanted, agreed = self._wanted(decision, reference)
            placing = reference.placing if reference else NOWHERE
            made = await self._planned(decision, wanted, placing)
        except (GoneError, NothingToCompareError, HostilePackageError) as error:
            self._wait(decision, str(error))
            return False
        if refusal := made.refusals.get(decision.entity):
            self._wait(decision, refusal)
            return False
        claimed = await self._claim(decision)
        if claimed is None:
            return False
        if wanted is None:
            machine.local.approved |= {decision.entity}
        outcome = await self._patiently(made, claimed, wanted, placing)
        self._note(claimed, outcome)
        if outcome.status == "applied":
            if decision.reference == BASELINE:
                machine.local.agree(decision.entity, agreed)
            self._watched[decision.id] = machine.session.now() + WATCHED
            self.on_applied()
        await self._tell(claimed, outcome.status)
        return outcome.touched

    async def _claim(self, decision: Decision) -> Decision | None:
        """The decision as it is claimed; None when somebody moved it first. UnavailableError: it may be claimed."""
        if decision.status == "applying":
            return decision
        claim = decision.id, decision.attempt
        self._claiming.add(claim)
        claimed = await self._move(decision, "applying", before=f"apply {decision.action}")
        self._claiming.discard(claim)
        return claimed

    async def _claimed(self, decision: Decision, reference: Reference | None) -> bool:
        """A claim of our own that was not finished: told to its end, or begun, or from before a crash."""
        claim = decision.id, decision.attempt
        if (came := self._came(decision)) is not None:
            await self._tell(decision, came.status)
            return False
        if claim in self._claiming:  # the broker went away before it said that it is ours; no file was touched
            self._claiming.discard(claim)
            return await self._apply(decision, reference)
        await self._orphan(decision)
        return False

    async def _planned(self, decision: Decision, wanted: Entity | None, placing: Placing) -> Plan:
        local, looked = self._machine.local, self._machine.looked_now
        return await asyncio.to_thread(plan, local.door, looked.collection, {decision.entity: wanted}, placing)

    async def _patiently(self, made: Plan, claimed: Decision, wanted: Entity | None, placing: Placing) -> Outcome:
        """Writes; a file that is busy, or was saved just now, is looked at again a few times before a person is."""
        machine = self._machine
        outcome = await asyncio.to_thread(self._write, made, claimed)
        for pause in PAUSES:
            if outcome.status != "deferred":
                break
            await asyncio.sleep(pause)
            await machine.look()
            if self._moved_on(claimed) is not None:
                break
            made = await self._planned(claimed, wanted, placing)
            if made.refusals:
                break
            outcome = await asyncio.to_thread(self._write, made, claimed)
        return outcome

    def _moved_on(self, decision: Decision) -> str | None:
        """Why what is here now is not what the yes was about; None when it is.

        Decisions about another machine's package are compared only when somebody asks for it, so a later edit on this
        machine would be written over unseen. What is quarantined is not believed, and is no ground to build on.
        """
        looked = self._machine.looked_now
        target = target_of(decision.entity)
        if target in looked.quarantine:
            return f"{target} is quarantined: {looked.quarantine[target]}"
        here = looked.entities.get(decision.entity)
        if target in looked.trusted and (digest(here.value) if here else None) != decision.local.digest:
            return "it was changed on this machine since; compare again"
        return None

    def _write(self, made: Plan, decision: Decision) -> Outcome:
        settings = self._machine.settings
        return execute(
            made,
            self._machine.local.door,
            self._machine.state.folder,
            label=decision.id,
            now=self._machine.session.now(),
            collect_again=lambda: self._machine.local.look().collection,
            check=settings.check,
            check_timeout=settings.check_timeout,
        )

    def _note(self, claimed: Decision, outcome: Outcome) -> None:
        """On the disk before it is told: a broker that is away now hears it later, and nothing is done twice."""
        if outcome.status != "deferred":
            self._end(claimed)
        self._keep(
            claimed.id,
            Came(attempt=claimed.attempt, status=outcome.status, log=self._lines(outcome), snapshot=outcome.snapshot),
        )

    def _came(self, decision: Decision, key: str = "") -> Came | None:
        came = self.came.get(key + decision.id)
        return came if came is not None and came.attempt == decision.attempt else None

    def _keep(self, key: str, came: Came | None) -> None:
        if came is not None:
            self.came[key] = came
        elif self.came.pop(key, None) is None:
            return
        self._machine.state.write(CAME, self.came)

    async def _tell(self, claimed: Decision, status: str) -> None:
        """What happened, on the record; a failure is restored already, and a person is asked before another try."""
        came = self._came(claimed) or Came(attempt=claimed.attempt, status=status)
        lines = came.log
        if status == "applied":
            await self._move(claimed, "applied", snapshot=came.snapshot, log=lines, after="applied")
        elif status == "deferred":  # nothing was written: the file is busy, or changed since it was read
            await self._move(claimed, "pending", log=lines, after="deferred", approvals=(), policy_proof=None)
            self._machine.note(f"{claimed.entity}: {lines[-1] if lines else 'deferred'}; approve it again")
        else:
            failed = await self._move(claimed, "failed", snapshot=came.snapshot, log=lines)
            if failed is not None:
                await self._restored(failed)
        self._keep(claimed.id, None)

    async def _restored(self, failed: Decision) -> None:
        """The last step of an attempt that failed, and the alarm that goes with it."""
        came = self._came(failed)
        if came is None:
            await self._move(failed, "rolled_back", log=(*failed.log, "restored before a restart"))
            return
        end = "rolled_back" if came.status == "rolled_back" else "rollback_failed"
        await self._move(failed, end, after=end)
        self._keep(failed.id, None)
        level = 2 if end == "rolled_back" else 3
        why = came.log[-1] if came.log else came.status
        await self._machine.alarm(level, f"{failed.entity} could not be applied on {failed.machine}: {why}", failed.id)

    def _lines(self, outcome: Outcome) -> tuple[str, ...]:
        return tuple(self._machine.public(line)[:500] for line in outcome.log[-50:])

    def _end(self, decision: Decision) -> None:
        self.ended[decision.id] = decision.attempt
        self._machine.state.write(ENDED, self.ended)

    async def _roll_back(self, decision: Decision) -> bool:
        machine = self._machine
        if (came := self._came(decision, _ROLLED_BACK)) is not None:
            await self._tell_back(decision, came)
            return False
        if self.ended.get(_ROLLED_BACK + decision.id, 0) >= decision.attempt or self._later(decision):
            await self._move(decision, "rolled_back", log=(*decision.log, "it was rolled back before"))
            return False
        await machine.audit("rollback, exact" if decision.rollback_exact else "rollback", "before", decision.id)
        machine.local.approved |= self._taken_back(decision)
        outcome = await asyncio.to_thread(
            roll_back,
            decision.snapshot,
            machine.local.door,
            machine.state.folder,
            machine.looked_now.collection,
            now=machine.session.now(),
            collect_again=lambda: machine.local.look().collection,
            exact=decision.rollback_exact,
        )
        lines = self._lines(outcome)
        if outcome.status == "deferred":
            self._wait(decision, f"its rollback: {lines[-1] if lines else 'deferred'}")
            return False
        self.ended[_ROLLED_BACK + decision.id] = decision.attempt
        self._machine.state.write(ENDED, self.ended)
        end = "rolled_back" if outcome.status == "applied" else "rollback_failed"
        came = Came(attempt=decision.attempt, status=end, log=lines)
        self._keep(_ROLLED_BACK + decision.id, came)
        self._watched.pop(decision.id, None)
        await self._tell_back(decision, came)
        return True

    async def _tell_back(self, decision: Decision, came: Came) -> None:
        end, lines = came.status, came.log
        await self._move(decision, end, log=lines, after=end)  # it goes on saying that a person asked
        self._keep(_ROLLED_BACK + decision.id, None)
        if end == "rollback_failed":
            why = lines[-1] if lines else ""
            await self._machine.alarm(3, f"{decision.entity} could not be rolled back: {why}", decision.id)

    def _taken_back(self, decision: Decision) -> frozenset[str]:
        """What may go with a rollback and is no loss: what was added; with `exact`, all that came since in the file."""
        target = target_of(decision.entity)
        here = self._machine.looked_now.entities if decision.rollback_exact else {}
        return frozenset({decision.entity, *(key for key in here if target_of(key) == target)})

    def _later(self, decision: Decision) -> bool:
        """Did a later attempt end here? A broker restored from a backup may ask for what was long ago."""
        return self.ended.get(decision.id, 0) > decision.attempt

    async def _orphan(self, decision: Decision) -> None:
        """A claim of our own from before a crash: the journal was recovered at start, so it is asked again."""
        await self._move(
            decision,
            "pending",
            approvals=(),
            policy_proof=None,
            log=(*decision.log, "the agent stopped while applying"),
            after="interrupted",
        )

    async def _look_again(self, decision: Decision, until: datetime) -> None:
        """Did the tool write over it in the seconds after? Assistants write from stale memory."""
        local = self._machine.looked_now.entities.get(decision.entity)
        now_here = digest(local.value) if local else None
        if now_here == decision.local.digest and now_here != decision.wanted.digest:
            del self._watched[decision.id]
            lines = (*decision.log, "the assistant wrote its old value back: close it, or reload it, and approve again")
            await self._move(decision, "overwritten", log=lines[-50:], after="overwritten")
            await self._machine.alarm(2, f"{decision.entity} was overwritten on {decision.machine}", decision.id)
        elif self._machine.session.now() >= until:
            del self._watched[decision.id]

    async def _compared_with(self, decision: Decision, baseline: Reference | None) -> Reference | None:
        if decision.reference == BASELINE:
            return baseline
        machine = self._machine
        return machine.local.here(await machine.library.of_machine(decision.reference.removeprefix("machine:")))

    def _wanted(self, decision: Decision, reference: Reference | None) -> tuple[Entity | None, Entity | None]:
        """The entity that will stand, found again by its digest; and what is agreed on once it does."""
        machine = self._machine
        other = reference.entities.get(decision.entity) if reference else None
        candidates: list[Entity | None] = [other]
        divergence = next((d for d in machine.divergences if d.key == decision.entity), None)
        if decision.action == "merge" and divergence is not None:
            candidates = [_merged(divergence)]
        for candidate in candidates:
            if (digest(candidate.value) if candidate else None) == decision.wanted.digest:
                return candidate, other
        raise GoneError("what was approved is no longer what the reference holds; the next comparison asks anew")

    async def _move(
        self, decision: Decision, status: str, *, before: str = "", after: str = "", **changes: object
    ) -> Decision | None:
        """One step of the record, told before and after; None when somebody else moved it first."""
        machine = self._machine
        if before:
            await machine.audit(before, "before", decision.id)
        moved = moved_on(machine.session, decision, status=status, **changes)
        try:
            await machine.session.advance(moved, machine.fleet.decision(machine.name, decision.id).sequence)
        except StaleError:
            log.info("%s was moved by somebody else while it became %s", decision.id, status)
            if before:
                await machine.audit(before, "after", decision.id, "not done", "somebody else moved it first")
            return None
        if after:
            await machine.audit(after, "after", decision.id, outcome=after, details="\n".join(moved.log))
        return moved

    def _wait(self, decision: Decision, reason: str) -> None:
        """Approved, and not possible now: told once, shown in the status, tried again at the next look."""
        self._machine.note(f"{decision.entity} waits: {reason}")
        if (decision.id, decision.attempt, reason) not in self._told:
            self._told.add((decision.id, decision.attempt, reason))
            log.warning("%s (%s) waits: %s", decision.id, decision.entity, scrub(reason))


def _merged(divergence: Divergence) -> Entity | None:
    if divergence.merged is ABSENT:
        return None
    return Entity(key=divergence.key, kind=divergence.kind, value=divergence.merged)
