"""The agent of one machine: it looks, tells, asks, and applies what was approved. Level-triggered.

`reconcile` may be called at any time, any number of times: it reads the files and the live view, posts
what is not said yet, applies what stands approved, and reports. What woke it does not matter, so a lost
or doubled message is harmless (2-house, "Level, not edge").
"""

import asyncio
import logging
from datetime import datetime, timedelta

from msgspec.structs import replace

from roosync_agent.applying.applier import Applier
from roosync_agent.collecting.local import Local, Looked
from roosync_agent.collecting.places import public_line
from roosync_agent.collecting.publisher import Publisher
from roosync_agent.collecting.reference import BASELINE, Library, NothingToCompareError, Reference
from roosync_agent.operations.audited import Phase, entry
from roosync_agent.running import own_reports
from roosync_agent.running.changes import Changes
from roosync_agent.running.cycles import Cycles
from roosync_agent.running.following import Following
from roosync_agent.running.mail import Mailroom
from roosync_agent.running.rollouts import Rollouts
from roosync_agent.running.updating import Updating
from roosync_agent.session import Session, new_operation
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_agent.targets.marks import raised
from roosync_broker.errors import BusError, ContentError, StaleError
from roosync_broker.keys import verify
from roosync_broker.presence import BEAT, Presence
from roosync_protocol import reconcile
from roosync_protocol.diff import Divergence
from roosync_protocol.entity import target_of
from roosync_protocol.law import Law
from roosync_protocol.messages import Alarm, Decision, Message, StatusReport, UpdateReport
from roosync_protocol.package import HostilePackageError
from roosync_protocol.reconcile import Asked

log = logging.getLogger("roosync.machine")

SECOND_LOOK = 2.0  # seconds; editors rename and write in steps, so nobody believes the worst at once
REPEAT = timedelta(seconds=10)  # after which a status that the bus does not show is said again


class Machine:
    """One machine on the bus. Resident in the agent, or made for one command when no agent runs."""

    def __init__(self, settings: Settings, state: State, session: Session) -> None:
        self.settings = settings
        self.state = state
        self.session = session
        self.fleet = session.fleet
        self.name = session.name
        self.local = Local(settings, state)
        self.library = Library(session)
        self.publisher = Publisher(session, state)
        self.applier = Applier(self)
        self.cycles = Cycles(self)
        self.rollouts = Rollouts(self)
        self.changes = Changes()
        self.following = Following(self)
        self.mail = Mailroom(session, state)
        self.mail.on_change = lambda: self.changes.note("mail")
        self.updating = Updating(self)
        self.presence = Presence(session.link, session.subjects.fleet)
        self.looked: Looked | None = None
        self.divergences: list[Divergence] = []
        self.corrupt: tuple[str, ...] = ()  # what was shown to be damaged: not what its signed hash says
        self._detected: tuple[float, int] | None = None  # machines that were there, and when that was asked
        self._kept_law: Law | None = None  # as it is known to lie in the state folder
        session.public = lambda text: public_line(text, state.folder, settings.home)
        self.notes: list[str] = []  # what a person should know: scrubbed, one line each
        self._said: dict[type, Message] = {}
        self.turn = asyncio.Lock()

    # -- one turn

    async def reconcile(self) -> None:
        """One whole turn. BusError when the bus went away in the middle: the next turn goes on from there."""
        async with self.turn:
            await self.take_turn()

    async def take_turn(self) -> None:
        """The same, for who holds `turn` already."""
        self.notes = [self.public(line) for line in self.updating.notes()]
        self.keep_law()
        self.notes += self.rollouts.keep_stops()
        await self.look()
        reference = await self.baseline()
        if reference is not None:
            await self.settle(reference)
            if await self.applier.run(reference):
                await self.settle(reference)
        else:
            await self.applier.look_again()
            await self.applier.run(None)
        await self.report()
        await self.publisher.publish_if_changed(self.looked_now)
        await self.cycles.participate()
        await asyncio.to_thread(self.local.believe, self.looked_now)

    @property
    def looked_now(self) -> Looked:
        if self.looked is None:
            raise RuntimeError("look() comes first")
        return self.looked

    async def look(self) -> Looked:
        self.local.public_names = frozenset(self.fleet.law.policy.public_names)
        self.looked = await asyncio.to_thread(self.local.look)
        if self.looked.quarantine.keys() - self.local.base.held.keys():  # what is held back already was looked at twice
            await asyncio.sleep(SECOND_LOOK)
            self.looked = await asyncio.to_thread(self.local.look)
        return self.looked

    async def baseline(self) -> Reference | None:
        """The reference everybody compares with; None when there is none yet, or when it can not be believed."""
        self.corrupt = ()
        try:
            return self.local.here(await self.library.of_baseline(self.name))
        except NothingToCompareError:
            return None
        except (ContentError, HostilePackageError, ValueError) as error:
            self.corrupt = ("the baseline",)
            self.note(f"the baseline can not be used: {error}")
            return None

    async def settle(self, reference: Reference) -> list[Divergence]:
        """Compares, writes down what agrees, and posts the decisions that follow."""
        await self.applier.look_again()
        looked = self.looked_now
        divergences = self.local.differences(looked, reference)
        if reference.name == BASELINE:
            self.divergences = divergences
            self.local.record(divergences, looked, reference)
        asked = self.asked(reference)
        known = self.own_decisions()
        for steps in reconcile.settle(
            divergences,
            known,
            asked,
            self.fleet.law,
            new_operation,
            paused=self.paused or self.cycles.stopped >= 2,
            verify=verify,
            ended_attempts=self.applier.ended,
            unseen=frozenset(target_of(d.entity) for d in known.values()) - looked.trusted,
            judge=raised(looked.collection.marks),
        ):
            await self._post_steps(steps)
        return divergences

    def asked(self, reference: Reference) -> Asked:
        return Asked(
            machine=self.name, reference=reference.name, reference_revision=reference.revision, now=self.session.now()
        )

    async def _post_steps(self, steps: list[Decision]) -> None:
        for decision in steps:
            sequence = self.fleet.decision(self.name, decision.id).sequence
            if decision.status == "approved":  # the machine's own yes; the other steps do nothing yet
                await self.audit("approve by policy", "before", decision.id, details=f"risk {decision.risk}")
            try:
                await self.session.advance(decision, sequence)
            except StaleError:
                log.info("decision %s was moved by somebody else; it is looked at again", decision.id)
                return
            if decision.status == "approved":
                await self.audit("approve by policy", "after", decision.id, outcome="approved")

    def own_decisions(self) -> dict[str, Decision]:
        return {decision.id: decision for decision in self.fleet.decisions(self.name)}

    # -- what is told

    async def report(self, *, always: bool = False) -> None:
        """Status, divergences and inventory: posted when they say something new."""
        await self.say_if_new(await own_reports.status_report(self), always=always)
        await self.say_if_new(own_reports.divergence_report(self))
        await self.say_if_new(await own_reports.inventory_report(self))

    async def say_if_new(self, message: Message, *, always: bool = False) -> None:
        """`always`: also when it was said before. What the bus shows counts: it may have been put back to a backup."""
        said = self._said.get(type(message))
        same = said is not None and replace(said, timestamp=message.timestamp) == message
        shows = {StatusReport: self.fleet.status, UpdateReport: self.fleet.update}.get(type(message))
        shown = shows(self.name) if shows else said
        lost = said is not None and shown != said and message.timestamp - said.timestamp > REPEAT
        if always or not same or lost:
            await self.session.say(message)
            self._said[type(message)] = message

    async def present(self) -> dict[str, datetime] | None:
        """Machines that beat within the last seconds, this one always; None when that could not be read."""
        try:
            return await self.presence.present() | {self.name: self.session.now()}
        except BusError:
            return None

    async def detected(self) -> int:
        """How many machines are there. In a large fleet each would look at all the others only to count them."""
        if self.session.whole:
            return len(await self.present() or {self.name})
        now = asyncio.get_running_loop().time()
        if self._detected is None or now - self._detected[0] > BEAT:
            try:
                self._detected = now, max(1, await self.presence.count())
            except BusError:
                return 1
        return self._detected[1]

    async def alarm(self, level: int, reason: str, about: str) -> None:
        """Told once: now, or from the disk when the broker is back."""
        id_ = "a-" + new_operation()[2:14]
        now, told = self.session.now(), self.public(reason)
        await self.session.tell(Alarm(agent=self.name, timestamp=now, id=id_, level=level, reason=told, about=about))

    async def audit(self, action: str, phase: Phase, about: str, outcome: str = "", details: str = "") -> None:
        """Before an action: BusError when that can not be told, and then it is not done. After it: told, or kept."""
        line = entry(self.session, action, phase, about, outcome, details)
        await (self.session.say(line) if phase == "before" else self.session.tell(line))

    # -- law and pause

    def keep_law(self) -> None:
        """What was believed once is not given up for something older, also after a restart."""
        law = self.fleet.law
        if law is not self._kept_law:  # a law is never changed, only replaced; and reading a large one takes a while
            if law != self.state.law():
                self.state.save_law(law, self.session.law_read)
            self._kept_law = law
        identity = self.state.identity()
        certificate = law.roster.certificate if law.roster else None
        if identity and certificate and identity.certificate != certificate:
            self.state.save_identity(replace(identity, certificate=certificate))
        own_pause = self.pause_since()
        resumed = law.policy.resumed.get(self.name)
        if own_pause and resumed and resumed > own_pause:
            self.state.paused.unlink(missing_ok=True)

    def pause_since(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self.state.paused.read_text("ascii").strip())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return self.session.now()  # a pause that can not be read is a pause

    @property
    def paused(self) -> bool:
        return self.fleet.law.paused(self.name) or self.pause_since() is not None

    def note(self, text: str) -> None:
        self.notes.append(self.public(text))

    def public(self, text: str) -> str:
        """A line for everybody: without secrets, and without the names of this machine's folders."""
        return self.session.public(text)
