"""UPDATE_REQUIRED as one machine lives it: looked at after each turn, from the law and the journal alone.

A campaign names a version; whether, when and how it is taken is decided here. The recipe runs beside the turns, and the
agent never replaces itself: it stages the release, ends, and whoever started it starts the new version on trial.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.state import StateError
from roosync_agent.updating import handover, recipes, steps
from roosync_agent.updating import journal as journals
from roosync_agent.updating.journal import ENDED, HANDED_OVER, Journal, Phase
from roosync_protocol import __version__
from roosync_protocol.messages import Campaign, Rollout, UpdateReport
from roosync_protocol.messages.reports import UpdatePhase
from roosync_protocol.rollout import gate
from roosync_protocol.secrets import scrub
from roosync_protocol.versions import at_least, same

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.updating")

TRIES = 3  # runs of a recipe during which the agent ended: the recipe itself may be what ends it
WATCH = 0.1  # seconds between two looks at the journal while this agent is on trial
NOBODY = "nobody would start the new version: run the agent by `roosync up`, or see docs/updates.md for a service"
ON_TRIAL = HANDED_OVER - {"staged"}
ALARMS = {"returned": 2, "return_failed": 3}
Gate = Callable[[Rollout | None, str], str | None]


class Stand(Struct, frozen=True, kw_only=True):
    """What this machine says of the campaign in force."""

    phase: UpdatePhase
    reason: str = ""
    journal: Journal | None = None


class Updating:
    def __init__(self, machine: "Machine", opens: Gate = gate.opens) -> None:
        self._machine, self._opens = machine, opens
        self.turns = 0  # that were taken to their end
        self.handed_over = False  # a release is staged, and this agent ends for it
        self.leave: Callable[[], None] = lambda: None  # ends the agent; its own process only
        self.wake: Callable[[], None] = lambda: None
        self.version = __version__
        self.supervisor = os.environ.get(handover.SUPERVISOR, "")
        self._task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._due: tuple[str, int, float] | None = None  # when the splay of a campaign is over, by our steady clock
        self._clean = False  # what an earlier agent's recipe left running is ended
        self._stand: Stand | None = None

    # -- what the turns call

    async def look(self) -> None:
        """After each turn. BusError when the bus went away: the next look goes on from the journal."""
        self.turns += 1
        if not self._clean:
            await asyncio.to_thread(steps.end_leftover, self._machine.state)
            self._clean = True
        stand, before = await self._decide(), self.notes()
        self._stand = stand
        if self.notes() != before:
            self.wake()  # the status tells of it
        campaign = self._machine.fleet.law.campaign
        if stand is not None and campaign is not None:
            await self._machine.say_if_new(self._report(campaign, stand))
        journal = stand.journal if stand else None
        if journal is not None and journal.phase == "staged" and stand is not None and not stand.reason:
            await self._hand_over()

    def notes(self) -> list[str]:
        """For the status, as of the last look: only what is not at rest."""
        stand, campaign = self._stand, self._machine.fleet.law.campaign
        if stand is None or campaign is None or stand.phase in ("confirmed", "unneeded"):
            return []
        reason = f": {stand.reason}" if stand.reason else ""
        return [f"update to {campaign.version}: {stand.phase.replace('_', ' ')}{reason}"]

    def journal(self) -> Journal | None:
        """As it is on the disk; None also when it can not be read, which `look` tells."""
        try:
            return journals.read(self._machine.state)
        except StateError:
            return None

    async def close(self) -> None:
        """The agent ends: so does the recipe, with all that it started."""
        for task in (self._task, self._watching):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    # -- what is to be done

    async def _decide(self) -> Stand | None:
        """Where this machine stands with the campaign in force, after doing what can be done now."""
        machine, campaign = self._machine, self._machine.fleet.law.campaign
        try:
            journal = journals.read(machine.state)
        except StateError as error:
            return Stand(phase="refused", reason=str(error)) if self._concerned(campaign) else None
        if journal is not None and journal.phase in ON_TRIAL and self._supervised:
            journal = self._on_trial(journal)
        if journal is not None and journal.phase in ENDED and not journal.told:
            await self._tell(journal)
        if journal is not None and journal.phase in ("preparing", "staged"):
            journal = await self._still_wanted(journal, campaign)
        if campaign is None or not self._concerned(campaign):
            return None
        ours = journal if journal is not None and _same(journal, campaign) else None
        if ours is None and journal is not None and journal.phase in ON_TRIAL:
            return Stand(phase="waiting", reason=f"version {journal.version} is on trial here")
        if ours is not None and ours.phase in ENDED:
            stand = self._ended(ours)
            if not self._again(campaign, stand):
                return stand
            ours = None
        if ours is not None and ours.phase in HANDED_OVER and not self._supervised:
            return Stand(phase="waiting", reason=NOBODY, journal=ours)
        if ours is not None and ours.phase == "staged":
            return Stand(phase="updating", reason=self._hindered(campaign) or "", journal=ours)
        if ours is not None and (ours.phase in HANDED_OVER or self._running):
            return Stand(phase="updating", journal=ours)
        return await self._from_rest(campaign, ours)

    def _ended(self, ours: Journal) -> Stand:
        if ours.phase == "confirmed" and not at_least(self.version, ours.version):
            reason = f"it was confirmed, and version {self.version} was started by hand since"
            return Stand(phase="refused", reason=reason, journal=ours)
        return Stand(phase=_ENDS[ours.phase], reason=ours.reason, journal=ours)

    async def _from_rest(self, campaign: Campaign, left: Journal | None) -> Stand:
        """Nothing runs. `left`: of a recipe that ran when the agent was killed."""
        if refusal := self._refusal(campaign):
            return refusal
        if left is not None and left.tries >= TRIES:
            reason = f"the agent ended {left.tries} times while the recipe ran"
            ended = left.to("returned", self._machine.session.now(), reason=reason)
            await self._tell(journals.write(self._machine.state, ended))
            return Stand(phase="returned", reason=reason, journal=ended)
        if waits := self._hindered(campaign) or (None if left else self._splayed(campaign)):
            return Stand(phase="waiting", reason=waits.removeprefix("waits for "), journal=left)
        return Stand(phase="updating", journal=await self._begin(campaign, left))

    def _refusal(self, campaign: Campaign) -> Stand | None:
        """What stands in the way as long as this machine and this campaign stay as they are."""
        settings, law = self._machine.settings.update, self._machine.fleet.law
        if law.operator_key(campaign.agent) is None:
            return Stand(phase="refused", reason=f"{campaign.agent} signed it, and was revoked since")
        if same(self.version, campaign.version):
            return Stand(phase="unneeded")
        if not at_least(campaign.version, self.version):
            return Stand(phase="refused", reason=f"older: this machine runs {self.version}, and is not taken back")
        if reason := recipes.possible(settings):
            return Stand(phase="refused", reason=reason)
        if not self._supervised:
            return Stand(phase="refused", reason=NOBODY)
        return None

    def _hindered(self, campaign: Campaign) -> str | None:
        """Why an update does not begin at this moment, nor go over to the new version."""
        if closed := self._opens(self._rollout(campaign), self._machine.name):
            return closed
        law, now = self._machine.fleet.law, self._machine.session.now()
        ends = [one for one in (campaign.expires, law.expiry(self._machine.name)) if one is not None and one <= now]
        if ends:
            return f"the law that it rests on expired on {min(ends):%Y-%m-%d}: `roosync renew`"
        if self._machine.paused:
            return "this machine is paused: `roosync resume`"
        if self._machine.cycles.stopped >= 3:
            return "a cycle of this machine is stopped at level 3"
        return None

    def _splayed(self, campaign: Campaign) -> str | None:
        """Machines of one wave begin at different moments of its splay: which, is told by their names."""
        round_, now = self._round(campaign), asyncio.get_running_loop().time()
        if self._due is None or self._due[:2] != (campaign.id, round_):
            hashed = hashlib.sha256(f"{campaign.id}\n{self._machine.name}".encode()).digest()
            delay = campaign.splay_seconds * int.from_bytes(hashed[:8], "big") / 2**64
            self._due = campaign.id, round_, now + delay
            asyncio.get_running_loop().call_later(delay, lambda: self.wake())
        left = self._due[2] - now
        return f"its moment within the {campaign.splay_seconds:g} s of the splay" if left > 0 else None

    async def _begin(self, campaign: Campaign, left: Journal | None) -> Journal:
        """Told before it is done; journalled before anything runs."""
        machine, now = self._machine, self._machine.session.now()
        details = f"{self.version} -> {campaign.version}, recipe {machine.settings.update.recipe}"
        await machine.audit("update", "before", campaign.id, details=details)
        if left is None:
            old = handover.Handover(machine.state).running()
            journal = Journal(
                campaign=campaign.id,
                revision=campaign.revision,
                round=self._round(campaign),
                version=campaign.version,
                old=replace(old, version=self.version),
                began=now,
                moments={"preparing": now},
                tries=1,
                health_timeout=machine.settings.update.health_timeout,
            )
        else:
            journal = left.to("preparing", now)
        journals.write(machine.state, journal)
        self._task = asyncio.create_task(self._prepare(campaign, journal), name="update")
        return journal

    async def _prepare(self, campaign: Campaign, journal: Journal) -> None:
        """Runs the recipe; how it ended is in the journal when this ends, and a turn is taken."""
        machine, now = self._machine, self._machine.session.now
        try:
            wanted = recipes.Wanted(version=campaign.version, tag=campaign.tag, commit=campaign.commit)
            environment = {k: v for k, v in os.environ.items() if k not in journal.old.environment}
            new = await recipes.make(machine.state, machine.settings.update, wanted, environment)
            ended = replace(journal.to("staged", now()), new=new)
        except recipes.RecipeError as error:
            phase: Phase = "refused" if error.refused else "returned"
            ended = journal.to(phase, now(), reason=scrub(str(error)), log=error.log)
        except (StateError, OSError) as error:
            ended = journal.to("returned", now(), reason=scrub(str(error)))
        except Exception as error:
            log.exception("the recipe failed in an unexpected way; the agent goes on")
            ended = journal.to("returned", now(), reason=f"a fault of roosync itself: {type(error).__name__}")
        try:
            journals.write(machine.state, ended)
        except StateError as error:  # the recipe is run again, once there is room
            log.error("how the recipe ended could not be written down: %s", error)  # noqa: TRY400
        self.wake()

    async def _hand_over(self) -> None:
        """Ends this agent. Who holds the turn finishes first: an apply, or what a person asked for."""
        async with self._machine.turn:
            log.info("the new version is staged; this agent ends for it")
            self.handed_over = True
            self.leave()
            await asyncio.Event().wait()  # nothing more is begun: the end of the agent ends this too

    async def _still_wanted(self, journal: Journal, campaign: Campaign | None) -> Journal | None:
        """A campaign that is in force no more begins nothing more: what was made for it is dropped."""
        if campaign is not None and _same(journal, campaign) and self._concerned(campaign):
            return journal
        if self._running and self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        reason = "the campaign is in force no more; nothing was changed"
        dropped = (self.journal() or journal).to("returned", self._machine.session.now(), reason=reason)
        await self._machine.audit("update", "after", journal.campaign, outcome="not done", details=reason)
        journals.write(self._machine.state, replace(dropped, told=True))  # as it should be, so nobody is alarmed
        return dropped

    def _on_trial(self, journal: Journal) -> Journal:
        """This is the new agent, or the old one that was started again. Who started it decides, and is waited for."""
        if self.supervisor != "service":
            if self._watching is None or self._watching.done():
                self._watching = asyncio.create_task(self._watch(), name="trial")
            return journal
        hand = handover.Handover(self._machine.state)  # nobody else does: it took a turn, so it is well
        if journal.phase == "returning":
            return hand.returned(journal)
        return hand.confirm(journal) if same(self.version, journal.version) else journal

    async def _watch(self) -> None:
        while (journal := self.journal()) is not None and journal.phase in HANDED_OVER:  # noqa: ASYNC110
            await asyncio.sleep(WATCH)  # another process writes it
        self.wake()

    # -- what is told

    async def _tell(self, journal: Journal) -> None:
        """How it ended: once in the audit, and as an alarm when a person has to look at it."""
        machine = self._machine
        details = "\n".join([journal.reason, *journal.log])
        await machine.audit("update", "after", journal.campaign, outcome=journal.phase, details=details)
        if (level := ALARMS.get(journal.phase)) is not None:
            where = f"{machine.name} could not be updated from {journal.old.version} to {journal.version}"
            await machine.alarm(
                level, f"{where}, {journal.phase.replace('_', ' ')}: {journal.reason}", journal.campaign
            )
        journals.write(machine.state, replace(journal, told=True))
        await asyncio.to_thread(self._sweep, journal)

    def _sweep(self, journal: Journal) -> None:
        """Old releases go; the one that runs and the one before stay."""
        releases = handover.Handover(self._machine.state).releases
        with contextlib.suppress(StateError):  # without knowing what runs, nothing is taken away
            current = releases.current()
            known = (current.running, current.previous) if current else ()
            releases.sweep(journal.old, *known)

    def _report(self, campaign: Campaign, stand: Stand) -> UpdateReport:
        machine, journal = self._machine, stand.journal
        public = machine.public
        return UpdateReport(
            agent=machine.name,
            timestamp=machine.session.now(),
            campaign=campaign.id,
            phase=stand.phase,
            version=self.version,
            before=journal.old.version if journal else self.version,
            wanted=campaign.version,
            reason=public(stand.reason)[:500],
            began=_began(journal),
            round=journal.round if journal else self._round(campaign),
            log=tuple(public(line)[:500] for line in journal.log[-50:]) if journal else (),
        )

    # -- what is known

    @property
    def _supervised(self) -> bool:
        return self.supervisor in ("up", "service")

    @property
    def _running(self) -> bool:
        return self._task is not None and not self._task.done()

    def _concerned(self, campaign: Campaign | None) -> bool:
        return campaign is not None and not campaign.withdrawn and self._machine.name in campaign.machines

    def _rollout(self, campaign: Campaign) -> Rollout | None:
        return self._machine.fleet.rollout(campaign.id).state

    def _round(self, campaign: Campaign) -> int:
        rollout = self._rollout(campaign)
        return rollout.round if rollout else 0

    def _again(self, campaign: Campaign, stand: Stand) -> bool:
        """Did an operator say that what ended badly here is to be tried again?"""
        rollout = self._rollout(campaign)
        return rollout is not None and gate.again(rollout, self._machine.name, self._report(campaign, stand))


_ENDS: dict[str, UpdatePhase] = {
    "confirmed": "confirmed",
    "refused": "refused",
    "returned": "returned",
    "return_failed": "return_failed",
}


def _same(journal: Journal, campaign: Campaign) -> bool:
    return (journal.campaign, journal.version) == (campaign.id, campaign.version)


def _began(journal: Journal | None) -> datetime | None:
    return journal.began if journal else None
