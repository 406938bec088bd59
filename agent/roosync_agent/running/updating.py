"""UPDATE_REQUIRED as one machine lives it: looked at after each turn, from the law and the journal alone.

A campaign names a version; whether, when and how it is taken is decided here. The recipe runs beside the turns, and the
agent never replaces itself: it stages the release, ends, and whoever started it starts the new version on trial.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roosync_agent.state import StateError
from roosync_agent.updating import handover, judging, recipes, steps
from roosync_agent.updating import journal as journals
from roosync_agent.updating.journal import ENDED, HANDED_OVER, Journal, Phase
from roosync_agent.updating.judging import Facts, Stand
from roosync_broker.tasks import end
from roosync_protocol import __version__
from roosync_protocol.messages import Campaign, Rollout, UpdateReport
from roosync_protocol.secrets import scrub
from roosync_protocol.versions import same

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.updating")

TRIES = 3  # runs of a recipe during which the agent ended: the recipe itself may be what ends it
CLEANING = 30.0  # seconds until a recipe that was cancelled, and ends what it started, is cancelled once more
WATCH = 0.1  # seconds between two looks at the journal while this agent is on trial
ON_TRIAL = HANDED_OVER - {"staged"}
ALARMS = {"returned": 2, "return_failed": 3}


class Updating:
    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
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
            await self._hand_over(journal)

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
        await end([task for task in (self._task, self._watching) if task is not None], again=CLEANING)

    # -- what is to be done

    async def _decide(self) -> Stand | None:
        """Where this machine stands with the campaign in force, after doing what can be done now."""
        machine, campaign = self._machine, self._machine.fleet.law.campaign
        try:
            journal = journals.read(machine.state)
        except StateError as error:
            return Stand(phase="refused", reason=str(error)) if judging.concerned(campaign, machine.name) else None
        if journal is not None and journal.phase in ON_TRIAL and self._supervised:
            journal = self._on_trial(journal)
        if journal is not None and journal.phase in ENDED and not journal.told:
            await self._tell(journal)
        if journal is not None and journal.phase in ("preparing", "staged"):
            journal = await self._still_wanted(journal, campaign)
        if campaign is None or not judging.concerned(campaign, machine.name):
            return None
        ours = journal if journal is not None and judging.is_of(journal, campaign) else None
        if ours is None and journal is not None and journal.phase in ON_TRIAL:
            return Stand(phase="waiting", reason=f"version {journal.version} is on trial here")
        if ours is not None and ours.phase in ENDED:
            stand = judging.end_of(ours, self.version)
            if not judging.again(self._rollout(campaign), machine.name, self._report(campaign, stand)):
                return stand
            ours = None
        if ours is not None and ours.phase in HANDED_OVER and not self._supervised:
            return Stand(phase="waiting", reason=judging.NOBODY, journal=ours)
        if ours is not None and ours.phase == "staged":
            held = judging.hindrance(self._facts(campaign), campaign)  # its release is made, and has to wait
            return Stand(phase="waiting" if held else "updating", reason=held, journal=ours)
        if ours is not None and (ours.phase in HANDED_OVER or self._running):
            return Stand(phase="updating", journal=ours)
        return await self._from_rest(campaign, ours)

    async def _from_rest(self, campaign: Campaign, left: Journal | None) -> Stand:
        """Nothing runs. `left`: of a recipe that ran when the agent was killed."""
        facts = self._facts(campaign)
        if refusal := judging.refusal(facts, campaign):
            return refusal
        if left is not None and left.tries >= TRIES:
            reason = f"the agent ended {left.tries} times while the recipe ran"
            ended = left.to("returned", self._machine.session.now(), reason=reason)
            await self._tell(journals.write(self._machine.state, ended))
            return Stand(phase="returned", reason=reason, journal=ended)
        if waits := judging.hindrance(facts, campaign) or (None if left else self._splayed(campaign)):
            return Stand(phase="waiting", reason=waits, journal=left)
        return Stand(phase="updating", journal=await self._begin(campaign, left))

    def _splayed(self, campaign: Campaign) -> str | None:
        """Machines of one wave begin at different moments of its splay: which, is told by their names."""
        round_, now = self._round(campaign), asyncio.get_running_loop().time()
        if self._due is None or self._due[:2] != (campaign.id, round_):
            delay = judging.delay(campaign, self._machine.name)
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

    async def _hand_over(self, journal: Journal) -> None:
        """Ends this agent. Who holds the turn finishes first: an apply, or what a person asked for."""
        async with self._machine.turn:
            journals.write(self._machine.state, replace(journal, handed_over=True))
            log.info("the new version is staged; this agent ends for it")
            self.handed_over = True
            self.leave()
            await asyncio.Event().wait()  # nothing more is begun: the end of the agent ends this too

    async def _still_wanted(self, journal: Journal, campaign: Campaign | None) -> Journal | None:
        """A campaign that is in force no more begins nothing more: what was made for it is dropped."""
        machine = self._machine
        if campaign is not None and judging.is_of(journal, campaign) and judging.concerned(campaign, machine.name):
            return journal
        if self._task is not None:
            await end([self._task], again=CLEANING)
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
        if not judging.concerned(machine.fleet.law.campaign, machine.name):  # it was withdrawn after it had begun here
            stand = judging.end_of(journal, self.version)
            await machine.say_if_new(self._of(journal.campaign, journal.version, stand, journal.round))
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
        round_ = stand.journal.round if stand.journal else self._round(campaign)
        return self._of(campaign.id, campaign.version, stand, round_)

    def _of(self, campaign: str, wanted: str, stand: Stand, round_: int) -> UpdateReport:
        machine, journal = self._machine, stand.journal
        public = machine.public
        return UpdateReport(
            agent=machine.name,
            timestamp=machine.session.now(),
            campaign=campaign,
            phase=stand.phase,
            version=self.version,
            before=journal.old.version if journal else self.version,
            wanted=wanted,
            reason=public(stand.reason)[:500],
            began=_began(journal),
            round=round_,
            log=tuple(public(line)[:500] for line in journal.log[-50:]) if journal else (),
        )

    # -- what is known

    @property
    def _supervised(self) -> bool:
        return self.supervisor in judging.SUPERVISORS

    @property
    def _running(self) -> bool:
        return self._task is not None and not self._task.done()

    def _facts(self, campaign: Campaign) -> Facts:
        machine = self._machine
        return Facts(
            machine=machine.name,
            version=self.version,
            supervisor=self.supervisor,
            settings=machine.settings.update,
            law=machine.fleet.law,
            rollout=self._rollout(campaign),
            paused=machine.paused,
            stopped=machine.cycles.stopped,
            now=machine.session.now(),
        )

    def _rollout(self, campaign: Campaign) -> Rollout | None:
        return self._machine.fleet.rollout(campaign.id).state

    def _round(self, campaign: Campaign) -> int:
        rollout = self._rollout(campaign)
        return rollout.round if rollout else 0


def _began(journal: Journal | None) -> datetime | None:
    return journal.began if journal else None
