"""The live view of a fleet: everything that was heard, folded into what counts.

Fed with messages in any order between streams (in order within one), doubled or not; asked at any time.
A record is folded again when the law changes, because a message can arrive before the law that makes its
speaker known. Mutable, and pure otherwise: no clock, no bus. Agent, commands and simulation use the same.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator

from roosync_protocol import decision, proposal
from roosync_protocol import request as request_record
from roosync_protocol.cycle import ENDED, ROUTES
from roosync_protocol.cycle import record as cycle_record
from roosync_protocol.cycle.record import FoldedCycle
from roosync_protocol.decision import Folded
from roosync_protocol.envelope import Heard, Verify
from roosync_protocol.heard_records import HeardRecords, Key, key_of
from roosync_protocol.law import Law, LawRefusedError, OlderLawError
from roosync_protocol.messages import (
    Alarm,
    Arrival,
    Choice,
    Cycle,
    Decision,
    DivergenceReport,
    Enrolment,
    InventoryReport,
    PackageReport,
    Proposal,
    Request,
    StatusReport,
)
from roosync_protocol.messages import Law as LawMessage
from roosync_protocol.names import is_operator
from roosync_protocol.proposal import FoldedProposal
from roosync_protocol.request import FoldedRequest

REASONS = 200  # different reasons that are counted apart
ASKING = 1_000  # requests to join that are kept: whoever holds one code can make up any number of names
CYCLES = 200  # whose arrivals are kept of each machine, the ones that it spoke of last
AT_ONCE = 5  # cycles that one machine has running: it begins another one when one has ended
OTHER = "other reasons"
CHECKPOINTS = frozenset(one for route in ROUTES.values() for one in route)

Report = InventoryReport | PackageReport | StatusReport | DivergenceReport


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
        self._decisions: dict[tuple[str, str], tuple[int, Folded]] = {}  # by the version of the law they rest on
        self._proposals: dict[str, tuple[int, FoldedProposal]] = {}
        self._cycles: dict[str, tuple[int, FoldedCycle]] = {}
        self._requests: dict[tuple[str, str], tuple[int, FoldedRequest]] = {}  # by addressee and id
        self._ids: dict[tuple[type, str], dict[str, None]] = {}  # heard of, by kind and machine; some may be forgotten
        self._arrivals: dict[str, dict[tuple[str, str], Heard]] = {}  # by cycle; checkpoint and machine
        self._arrived: dict[str, dict[str, None]] = {}  # by machine: the cycles that it spoke of, the last one last

    def hear(self, heard: Heard) -> None:
        """Takes one message, whose envelope was opened already."""
        match heard.message:
            case LawMessage():
                self._hear_law(heard)
            case Decision(machine=machine, id=id_):
                self._keep((Decision, machine, id_), heard)
            case Proposal(id=id_):
                self._keep((Proposal, "", id_), heard)
            case Cycle(id=id_):
                self._keep((Cycle, "", id_), heard)
            case Request(to=to, id=id_):
                self._keep((Request, to, id_), heard)
            case Arrival() as arrival:
                self._hear_arrival(heard, arrival)
            case Enrolment():
                self._hear_enrolment(heard, heard.message)
            case Alarm():
                if all(known.subject != heard.subject or known.sequence != heard.sequence for known in self.alarms):
                    self.alarms.append(heard)
            case InventoryReport() | PackageReport() | StatusReport() | DivergenceReport() as report:
                known = self._reports.get((type(report), heard.speaker))
                if self.law.ever_key(heard.speaker) not in (None, heard.signer):
                    self.refuse(f"a report of {heard.speaker!r} with another key than its own")
                elif known is None or heard.sequence >= known.sequence:
                    self._reports[type(report), heard.speaker] = heard
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
        for kind, machine, id_ in self._records:
            for reason in self._refused(kind, machine, id_):
                found[f"{id_}: {reason}"[:200] if len(found) < REASONS else OTHER] += 1
        return found

    def _refused(self, kind: type, machine: str, id_: str) -> tuple[str, ...]:
        if kind is Decision:
            return self.decision(machine, id_).refused
        if kind is Request:
            return self.request(machine, id_).refused
        return self.cycle(id_).refused if kind is Cycle else self.proposal(id_).refused

    def forget_records(self, kinds: Iterable[type]) -> None:
        """Before these are read again from the bus, which may have been restored to an earlier state."""
        wanted = tuple(kinds)
        self._records.drop_kinds(wanted)
        for place in [place for place in self._reports if place[0] in wanted]:
            del self._reports[place]
        self._decisions.clear()
        self._proposals.clear()
        self._cycles.clear()
        self._requests.clear()
        if Cycle in wanted or Arrival in wanted:
            self._arrivals.clear()
            self._arrived.clear()

    def forget(self, of: Decision | Proposal | Cycle | Request) -> None:
        """One record, of which the bus has nothing any more."""
        self._records.drop(key_of(of))
        self._changed(key_of(of))

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
        for key in self._records.drop_unshown(shown, kinds, machine, last):
            self._changed(key)

    def forget_others(self, machine: str) -> None:
        """What is known of others' decisions and requests, when they are not followed: it would only grow old."""
        for key in [key for key in self._records if key[0] in (Decision, Request) and key[1] != machine]:
            self._changed(key)
            self._records.drop(key)
            self._ids.pop(key[:2], None)

    def status(self, machine: str) -> StatusReport | None:
        report = self._report(StatusReport, machine)
        return report if isinstance(report, StatusReport) else None

    def reporting(self) -> frozenset[str]:
        """The machines whose status report is known."""
        return frozenset(
            machine
            for (kind, machine), heard in self._reports.items()
            if kind is StatusReport and self.law.speaker_key(machine) == heard.signer
        )

    def package(self, machine: str) -> PackageReport | None:
        report = self._report(PackageReport, machine)
        return report if isinstance(report, PackageReport) else None

    def inventory(self, machine: str) -> InventoryReport | None:
        report = self._report(InventoryReport, machine)
        return report if isinstance(report, InventoryReport) else None

    def packages(self) -> dict[str, PackageReport]:
        """The latest package of each expected machine that announced one."""
        found = {machine: self.package(machine) for machine in self.law.machines()}
        return {machine: package for machine, package in found.items() if package}

    def decision(self, machine: str, id_: str) -> Folded:
        known = self._decisions.get((machine, id_))
        if known is None or known[0] != self._law_version:
            kept = self._records.get((Decision, machine, id_), ())
            known = (
                self._law_version,
                decision.fold(kept, self.law, self._verify, self._records.unread.get((Decision, machine, id_), ())),
            )
            self._decisions[machine, id_] = known
        return known[1]

    def decisions(self, machine: str | None = None) -> Iterator[Decision]:
        """Decisions as they are proven, in one order on every machine: by machine, entity, id."""
        if machine is not None:
            keys = [(machine, id_) for id_ in self._ids.get((Decision, machine), ())]
        else:
            keys = [(m, i) for kind, m, i in self._records if kind is Decision]
        found = [state for key in keys if (state := self.decision(*key).state)]
        yield from sorted(found, key=lambda d: (d.machine, d.entity, d.reference, d.id))

    def steps(self, machine: str, id_: str, *, after: int = 0) -> list[Decision]:
        """What members said of a decision, oldest first, as far as the broker kept it: earlier attempts are in it."""
        kept = [h for h in self._records.get((Decision, machine, id_), ()) if h.sequence > after]
        return [h.message for h in kept if isinstance(h.message, Decision) and self.law.genuine(h)]

    def find(self, id_: str) -> list[Decision]:
        """Decisions whose id is, or begins with, what a person typed."""
        return [d for d in self.decisions() if d.id == id_] or [d for d in self.decisions() if d.id.startswith(id_)]

    def proposal(self, id_: str) -> FoldedProposal:
        known = self._proposals.get(id_)
        if known is None or known[0] != self._law_version:
            kept = self._records.get((Proposal, "", id_), ())
            known = (
                self._law_version,
                proposal.fold(kept, self.law, self._verify, self._records.unread.get((Proposal, "", id_), ())),
            )
            self._proposals[id_] = known
        return known[1]

    def proposals(self) -> list[Proposal]:
        """Newest last."""
        ids = [id_ for kind, _, id_ in self._records if kind is Proposal]
        found = [state for id_ in ids if (state := self.proposal(id_).state)]
        return sorted(found, key=lambda p: (p.timestamp, p.id))

    def cycle(self, id_: str) -> FoldedCycle:
        known = self._cycles.get(id_)
        if known is None or known[0] != self._law_version:
            key = (Cycle, "", id_)
            kept, unread = self._records.get(key, ()), self._records.unread.get(key, ())
            known = self._law_version, cycle_record.fold(kept, self.law, unread)
            self._cycles[id_] = known
        return known[1]

    def cycles(self) -> list[Cycle]:
        """Newest last."""
        ids = self._ids.get((Cycle, ""), ())
        found = [state for id_ in ids if (state := self.cycle(id_).state)]
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
        known = self._requests.get((to, id_))
        if known is None or known[0] != self._law_version:
            known = self._law_version, request_record.fold(self._records.get((Request, to, id_), ()), self.law)
            self._requests[to, id_] = known
        return known[1]

    def requests(self) -> list[Request]:
        """Newest last."""
        keys = [(to, id_) for kind, to, id_ in self._records if kind is Request]
        found = [state for key in keys if (state := self.request(*key).state)]
        return sorted(found, key=lambda r: (r.asked, r.id))

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

    def _report(self, kind: type, machine: str) -> object | None:
        heard = self._reports.get((kind, machine))
        return heard.message if heard and self.law.genuine(heard) else None

    def _keep(self, key: Key, heard: Heard) -> None:
        self._ids.setdefault(key[:2], {})[key[2]] = None
        if self._records.keep(key, heard):
            self._changed(key)

    def _changed(self, key: Key) -> None:
        self._decisions.pop(key[1:], None)
        self._proposals.pop(key[2], None)
        self._cycles.pop(key[2], None)
        self._requests.pop(key[1:], None)

    def _hear_arrival(self, heard: Heard, arrival: Arrival) -> None:
        if self.law.ever_key(heard.speaker) not in (None, heard.signer):
            self.refuse(f"an arrival of {heard.speaker!r} with another key than its own")
            return
        if arrival.checkpoint not in CHECKPOINTS:  # or one machine could make up any number of places to keep
            self.refuse(f"an arrival of {heard.speaker!r} at no checkpoint")
            return
        kept = self._arrivals.setdefault(arrival.cycle, {})
        place = arrival.checkpoint, heard.speaker
        known = kept.get(place)
        if known is None or heard.sequence >= known.sequence:
            kept[place] = heard
        spoken = self._arrived.setdefault(heard.speaker, {})
        spoken.pop(arrival.cycle, None)
        spoken[arrival.cycle] = None
        while len(spoken) > CYCLES:  # each forgets only its own: who makes up cycles takes nobody's word away
            self._forget_arrivals(next(iter(spoken)), heard.speaker)

    def _forget_arrivals(self, cycle: str, speaker: str) -> None:
        del self._arrived[speaker][cycle]
        left = {place: heard for place, heard in self._arrivals.pop(cycle, {}).items() if place[1] != speaker}
        if left:
            self._arrivals[cycle] = left

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
