"""The live view of a fleet: everything that was heard, folded into what counts.

Fed with messages in any order between streams (in order within one), doubled or not; asked at any time.
A record is folded again when the law changes, because a message can arrive before the law that makes its
speaker known. Mutable, and pure otherwise: no clock, no bus. Agent, commands and simulation use the same.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar, cast

from msgspec.structs import replace

from roosync_protocol import proposal
from roosync_protocol.cycle import ENDED
from roosync_protocol.cycle.record import FoldedCycle
from roosync_protocol.decision import Folded
from roosync_protocol.envelope import Heard, Verify
from roosync_protocol.heard_arrivals import CHECKPOINTS, HeardArrivals
from roosync_protocol.heard_records import HeardRecords
from roosync_protocol.law import Law, LawRefusedError, OlderLawError
from roosync_protocol.messages import (
    Alarm,
    Arrival,
    Choice,
    Cycle,
    Decision,
    Enrolment,
    InventoryReport,
    Message,
    PackageReport,
    Proposal,
    Request,
    Rollout,
    StatusReport,
    UpdateReport,
)
from roosync_protocol.messages import Law as LawMessage
from roosync_protocol.messages.base import Record
from roosync_protocol.names import is_operator
from roosync_protocol.proposal import FoldedProposal
from roosync_protocol.record_kinds import (
    CYCLE,
    DECISION,
    KINDS,
    PROPOSAL,
    REQUEST,
    ROLLOUT,
    F_co,
    FoldedRecord,
    Key,
    R,
    RecordKind,
    RecordMessage,
    key_of,
)
from roosync_protocol.request import FoldedRequest
from roosync_protocol.rollout.record import FoldedRollout
from roosync_protocol.subjects import BY_NAME, OWN

REASONS = 200  # different reasons that are counted apart
ASKING = 1_000  # requests to join that are kept: whoever holds one code can make up any number of names
AT_ONCE = 5  # cycles that one machine has running: it begins another one when one has ended
OTHER = "other reasons"

REPORTS = tuple(kind for name in OWN if (kind := BY_NAME[name].message))  # kept of each machine, as it said them last
PLAIN = frozenset(REPORTS) - {Arrival}  # one of each kind

M = TypeVar("M", bound=Message)


class Fleet:
    """What one member knows of its fleet."""

    def __init__(self, law: Law, verify: Verify) -> None:
        self.law = law
        self.refused: Counter[str] = Counter()  # what was heard and does not count, by reason
        self.alarms: deque[Heard] = deque(maxlen=200)
        self.enrolments: dict[tuple[str, str], Heard] = {}  # by code and machine
        self._verify = verify
        self._law_version = 0
        self._reports: dict[tuple[type, str], Heard] = {}
        self._records = HeardRecords()
        self._folded: dict[Key, tuple[int, FoldedRecord[RecordMessage]]] = {}  # with the version of the law it rests on
        self._ids: dict[tuple[type, str], dict[str, None]] = {}  # heard of, by kind and machine; some may be forgotten
        self._arrivals = HeardArrivals()
        self.stopped: dict[str, None] = {}  # rollouts that an operator stopped, also when the bus lost that since

    def hear(self, heard: Heard) -> None:
        """Takes one message, whose envelope was opened already."""
        match heard.message:
            case LawMessage():
                self._hear_law(heard)
            case Record() as record:
                self._keep(key_of(record), heard)
            case Arrival() as arrival:
                self._hear_arrival(heard, arrival)
            case Enrolment():
                self._hear_enrolment(heard, heard.message)
            case Alarm():
                if all(known.subject != heard.subject or known.sequence != heard.sequence for known in self.alarms):
                    self.alarms.append(heard)
            case report if type(report) in PLAIN:
                self._hear_report(heard)
            case _:
                pass  # audit and metrics are read from their streams when somebody asks

    def hear_unread(self, subject: str, sequence: int) -> None:
        """A message that can not be opened: changed on its way, or of a version to come.

        Of each speaker the broker keeps so many messages of a record, this one among them: what it said before may be
        gone for that. Of other things than records nothing is kept.
        """
        key = self._records.keep_unread(subject, sequence)
        if key is not None:
            self._changed(key)

    def refuse(self, reason: str) -> None:
        reason = reason[:200]
        self.refused[reason if reason in self.refused or len(self.refused) < REASONS else OTHER] += 1

    def refusals(self) -> Counter[str]:
        """Everything that was heard and does not count, by reason: also the steps of records that prove nothing."""
        found = Counter(self.refused)
        for kind, addressee, id_ in self._records:
            for reason in self._fold(KINDS[kind], addressee, id_).refused:
                found[f"{id_}: {reason}"[:200] if len(found) < REASONS else OTHER] += 1
        return found

    def forget_records(self, kinds: Iterable[type]) -> None:
        """Before these are read again from the bus, which may have been restored to an earlier state."""
        wanted = tuple(kinds)
        self.remember_stops()
        self._records.drop_kinds(wanted)
        for place in [place for place in self._reports if place[0] in wanted]:
            del self._reports[place]
        self._folded.clear()
        if Cycle in wanted or Arrival in wanted:
            self._arrivals.clear()

    def forget(self, of: RecordMessage) -> None:
        """One record, of which the bus has nothing any more."""
        self._records.drop(key_of(of))
        self._changed(key_of(of))

    def folded(self, record: R) -> FoldedRecord[R]:
        """The record that this is, or wants to be, a state of, as it is proven."""
        kind, addressee, id_ = key_of(record)
        return cast(FoldedRecord[R], self._fold(KINDS[kind], addressee, id_))

    def forget_unshown(
        self,
        shown: Collection[int],
        kinds: Collection[type] | None = None,
        machine: str | None = None,
        *,
        last: int = 0,
    ) -> None:
        """After the stream of records was read: what it does not show, up to the newest that it shows, is not in it.

        `kinds`: those that this one pass read, and `machine`: of them only what is addressed to it, or to all. A second
        pass may show what is newer than facts that came in between. `last`: a sequence up to which it shows all there
        is, also when that is nothing: whoever clears the newest away leaves none that is newer.

        So a view can not keep for ever what a bus that was put back has lost, or what somebody cleared away, and reads
        the records as whoever reads them now for the first time.
        """
        self.remember_stops()
        for key in self._records.drop_unshown(shown, kinds, machine, last):
            self._changed(key)

    def forget_others(self, machine: str) -> None:
        """What is known of others' decisions and requests, when they are not followed: it would only grow old."""
        for key in [key for key in self._records if key[0] in (Decision, Request) and key[1] != machine]:
            self._changed(key)
            self._records.drop(key)
            self._ids.pop(key[:2], None)

    def status(self, machine: str) -> StatusReport | None:
        return self._report(StatusReport, machine)

    def reporting(self) -> frozenset[str]:
        """The machines whose status report is known."""
        return frozenset(
            machine
            for (kind, machine), heard in self._reports.items()
            if kind is StatusReport and self.law.speaker_key(machine) == heard.signer
        )

    def package(self, machine: str) -> PackageReport | None:
        return self._report(PackageReport, machine)

    def inventory(self, machine: str) -> InventoryReport | None:
        return self._report(InventoryReport, machine)

    def update(self, machine: str) -> UpdateReport | None:
        return self._report(UpdateReport, machine)

    def packages(self) -> dict[str, PackageReport]:
        """The latest package of each expected machine that announced one."""
        found = {machine: self.package(machine) for machine in self.law.machines()}
        return {machine: package for machine, package in found.items() if package}

    def decision(self, machine: str, id_: str) -> Folded:
        return self._fold(DECISION, machine, id_)

    def decisions(self, machine: str | None = None) -> Iterator[Decision]:
        """Decisions as they are proven, in one order on every machine: by machine, entity, id."""
        keys = self._known(Decision, machine)
        found = [state for _, to, id_ in keys if (state := self.decision(to, id_).state)]
        yield from sorted(found, key=lambda d: (d.machine, d.entity, d.reference, d.id))

    def steps(self, machine: str, id_: str, *, after: int = 0) -> list[Decision]:
        """What members said of a decision, oldest first, as far as the broker kept it: earlier attempts are in it."""
        kept = [h for h in self._records.get((Decision, machine, id_), ()) if h.sequence > after]
        return [h.message for h in kept if isinstance(h.message, Decision) and self.law.genuine(h)]

    def find(self, id_: str) -> list[Decision]:
        """Decisions whose id is, or begins with, what a person typed."""
        return [d for d in self.decisions() if d.id == id_] or [d for d in self.decisions() if d.id.startswith(id_)]

    def proposal(self, id_: str) -> FoldedProposal:
        return self._fold(PROPOSAL, "", id_)

    def proposals(self) -> list[Proposal]:
        """Newest last."""
        found = [state for *_, id_ in self._known(Proposal, "") if (state := self.proposal(id_).state)]
        return sorted(found, key=lambda p: (p.timestamp, p.id))

    def cycle(self, id_: str) -> FoldedCycle:
        return self._fold(CYCLE, "", id_)

    def cycles(self) -> list[Cycle]:
        """Newest last."""
        found = [state for *_, id_ in self._known(Cycle, "") if (state := self.cycle(id_).state)]
        return sorted(found, key=lambda c: (c.started, c.id))

    @property
    def newest(self) -> int:
        """Sequence of the newest message that is known of any record."""
        return max((kept[-1].sequence for kept in self._records.values() if kept), default=0)

    def open_cycles(self) -> list[Cycle]:
        """The cycles that are run: not ended, of each member the first `AT_ONCE` that it began, newest last.

        So who begins any number of them keeps the fleet from nothing, and those of a machine end with its membership.
        """
        found, begun = [], Counter[str]()
        for cycle in self.cycles():
            opener = self.cycle(cycle.id).opener
            member = is_operator(opener) or self.law.may_orchestrate(opener)
            if cycle.status in ENDED or not member:
                continue
            begun[opener] += 1
            if begun[opener] <= AT_ONCE:
                found.append(cycle)
        return found

    def request(self, to: str, id_: str) -> FoldedRequest:
        return self._fold(REQUEST, to, id_)

    def requests(self) -> list[Request]:
        """Newest last."""
        found = [state for _, to, id_ in self._known(Request) if (state := self.request(to, id_).state)]
        return sorted(found, key=lambda r: (r.asked, r.id))

    def rollout(self, id_: str) -> FoldedRollout:
        """A stop is the operator's last word: whoever heard it does not go on with a bus that lost it."""
        folded = self._fold(ROLLOUT, "", id_)
        if id_ not in self.stopped or folded.state is None or folded.state.status == "stopped":
            return folded
        return replace(folded, state=replace(folded.state, status="stopped"))

    def rollouts(self) -> list[Rollout]:
        """Newest last."""
        found = [state for *_, id_ in self._known(Rollout, "") if (state := self.rollout(id_).state)]
        return sorted(found, key=lambda r: (r.started, r.id))

    def remember_stops(self) -> None:
        """Before records are forgotten, and before what is remembered is written down."""
        self.stopped |= {one.id: None for one in self.rollouts() if one.status == "stopped"}

    def lost_stops(self) -> list[Rollout]:
        """Rollouts that were stopped, of which the bus shows an older state: somebody has to stop them once more."""
        shown = [self._fold(ROLLOUT, "", id_).state for id_ in self.stopped]
        return [one for one in shown if one is not None and one.status not in ("stopped", "done")]

    def arrivals(self, cycle: Cycle) -> dict[str, Arrival]:
        """The latest report of each machine at the checkpoint that a cycle awaits."""
        return {
            machine: heard.message
            for (checkpoint, machine), heard in self._arrivals.get(cycle.id, {}).items()
            if checkpoint == cycle.checkpoint and isinstance(heard.message, Arrival) and self.law.genuine(heard)
        }

    def answers(self) -> set[tuple[str, Choice]]:
        """What operators answered to the questions of proposals. Whoever orchestrates only carries answers on."""
        said = (
            heard
            for (kind, _, _), kept in self._records.items()
            for heard in kept
            if kind is Proposal and is_operator(heard.speaker) and self.law.genuine(heard)
        )
        return {one for heard in said if isinstance(heard.message, Proposal) for one in heard.message.choices.items()}

    def open_proposal(self) -> Proposal | None:
        """The newest proposal that still waits for something."""
        waiting = [p for p in self.proposals() if p.status not in proposal.ENDED]
        return waiting[-1] if waiting else None

    def _report(self, kind: type[M], machine: str) -> M | None:
        heard = self._reports.get((kind, machine))
        return heard.message if heard and self.law.genuine(heard) and isinstance(heard.message, kind) else None

    def _known(self, kind: type, addressee: str | None = None) -> list[Key]:
        """Records of this kind, of one addressee or of all; of some nothing may be left."""
        if addressee is None:
            return [key for key in self._records if key[0] is kind]
        return [(kind, addressee, id_) for id_ in self._ids.get((kind, addressee), ())]

    def _fold(self, kind: RecordKind[F_co], addressee: str, id_: str) -> F_co:
        key = kind.message, addressee, id_
        known = self._folded.get(key)
        if known is None or known[0] != self._law_version:
            kept, unread = self._records.get(key, ()), self._records.unread.get(key, ())
            known = self._law_version, kind.fold(kept, self.law, self._verify, unread)
            self._folded[key] = known
        return cast(F_co, known[1])  # of one key there is only what its kind's fold made

    def _keep(self, key: Key, heard: Heard) -> None:
        self._ids.setdefault(key[:2], {})[key[2]] = None
        if self._records.keep(key, heard):
            self._changed(key)

    def _changed(self, key: Key) -> None:
        self._folded.pop(key, None)

    def _hear_report(self, heard: Heard) -> None:
        place = type(heard.message), heard.speaker
        known = self._reports.get(place)
        if self.law.ever_key(heard.speaker) not in (None, heard.signer):
            self.refuse(f"a report of {heard.speaker!r} with another key than its own")
        elif known is None or heard.sequence >= known.sequence:
            self._reports[place] = heard

    def _hear_arrival(self, heard: Heard, arrival: Arrival) -> None:
        if self.law.ever_key(heard.speaker) not in (None, heard.signer):
            self.refuse(f"an arrival of {heard.speaker!r} with another key than its own")
            return
        if arrival.checkpoint not in CHECKPOINTS:
            self.refuse(f"an arrival of {heard.speaker!r} at no checkpoint")
            return
        self._arrivals.keep(arrival.cycle, arrival.checkpoint, heard)

    def _hear_enrolment(self, heard: Heard, message: Enrolment) -> None:
        place = message.code, message.agent
        known = self.enrolments.get(place)
        if heard.signer != message.key:
            self.refuse(f"{message.agent!r} asks to join with a key that it does not hold")
        elif known is None or heard.sequence >= known.sequence:
            self.enrolments[place] = heard
            while len(self.enrolments) > ASKING:
                del self.enrolments[next(iter(self.enrolments))]

    def _hear_law(self, heard: Heard) -> None:
        try:
            self.law = self.law.admit(heard)
        except OlderLawError:
            return  # level-triggered: the whole law is read again at each connect
        except LawRefusedError as error:
            self.refuse(str(error))
            return
        self._law_version += 1
