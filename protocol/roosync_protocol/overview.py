"""The fleet at one look: every expected machine by name, what is known of it, and what it waits for.

This is the answer to `status` for a person, an assistant and a monitoring system alike. It only reads a
`Fleet`; nothing is guessed: what nobody said is None or "unknown", never zero and never "synced".

    seen    present   its heartbeat is on the bus (the asking machine is always present to itself)
            silent    presence was read and it is not there; last_seen None: it never spoke
            unknown   presence could not be read
    state   what its last genuine report and its proven decisions say; the first that holds, as in `_state`
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from roosync_protocol.fleet import Fleet
from roosync_protocol.law import WARN_BEFORE, Law
from roosync_protocol.messages import Decision, StatusReport
from roosync_protocol.names import is_operator
from roosync_protocol.open_work import CycleRow, RolloutRow, cycle_row, held_back, open_rollouts
from roosync_protocol.request import for_person

Seen = Literal["present", "silent", "unknown"]
State = Literal["synced", "diverged", "conflict", "quarantined", "unknown", "no_report"]
Overall = Literal["synced", "diverged", "conflict", "unknown"]

COLLIDING = frozenset({"conflict", "delete_modify"})  # verdicts of `diff` that only a person resolves
UNDER_WAY = frozenset({"approved", "applying", "failed"})
FAILED = frozenset({"failed", "rolled_back", "overwritten", "rollback_failed"})
DECISIONS = ("a person: 1 decision", "a person: {count} decisions")  # as a person reads them
APPROVED = ("1 approved change", "{count} approved changes")
REFUSALS_SHOWN = 20

IN_STEP, DRIFT, PENDING, CONFLICT, NO_ANSWER = 0, 2, 3, 4, 5  # exit codes, 7-faces; 1 is an error of the command


class MachineRow(Struct, frozen=True, kw_only=True):
    machine: str
    seen: Seen
    last_seen: datetime | None
    roosync_version: str | None
    baseline_version: str | None  # that it compared itself with
    state: State
    divergences_count: int | None  # None: it did not say
    pending_decisions: int
    failed_decisions: int = 0  # of which the apply failed, and that a person has not answered since
    waiting_for: str  # who has to do what before this machine is in step; "" for nothing
    last_sync: datetime | None
    paused: bool = False
    accepted_differences: int = 0
    unread: dict[str, str] = {}  # targets of which nothing is known, because they can not be read there
    skipped: int = 0  # single things that can not be read there; the notes say which
    only_here: int | None = None  # things of it that the baseline does not speak of: not shared, no divergence
    notes: tuple[str, ...] = ()


class ProposalWaiting(Struct, frozen=True, kw_only=True):
    """A proposed baseline that a person has not finished with."""

    id: str
    status: str
    open_questions: int
    after_revision: int


class Overview(Struct, frozen=True, kw_only=True):
    """The first five fields are those of the founding protocol's Status report (5-protocols)."""

    agent: str
    timestamp: datetime
    machines_detected: int  # present now, or heard of by a report that still stands
    status: Overall
    divergences_count: int | None  # of the machines that reported; None: none did
    pending_decisions: int
    machines: tuple[MachineRow, ...]
    fleet: str
    baseline_version: str | None
    baseline_revision: int
    proposal: ProposalWaiting | None = None
    cycles: tuple[CycleRow, ...] = ()  # that run, or wait for a person
    rollouts: tuple[RolloutRow, ...] = ()  # that go on, or wait for a person
    requests_waiting: int = 0  # coordination requests that a person has not answered
    paused: bool = False  # automatic application, on the whole fleet
    refused: dict[str, int] = {}  # what was heard and does not count: the most frequent reasons
    refused_total: int = 0
    warnings: tuple[str, ...] = ()
    mail_unread: int = 0  # letters to the asking machine
    not_kept: int = 0  # messages that the asking machine could neither tell nor keep; nobody was told of that yet


def overview(fleet: Fleet, me: str, present: Mapping[str, datetime] | None, now: datetime) -> Overview:
    """`present`: last heartbeat of the machines that have one; None when presence could not be read.

    `me` may be an operator, who is no machine and gets no row.
    """
    law = fleet.law
    refused = fleet.refusals()
    rows = machine_rows(fleet, me, present, now)
    counts = [row.divergences_count for row in rows if row.divergences_count is not None]
    return Overview(
        agent=me,
        timestamp=now,
        machines_detected=sum(row.seen == "present" or row.state != "no_report" for row in rows),
        status=_overall(row.state for row in rows),
        divergences_count=sum(counts) if counts else None,
        pending_decisions=sum(row.pending_decisions for row in rows),
        machines=rows,
        fleet=law.fleet,
        baseline_version=law.baseline.version if law.baseline else None,
        baseline_revision=law.baseline.revision if law.baseline else 0,
        proposal=_proposal(fleet),
        cycles=tuple(cycle_row(fleet, one, present) for one in fleet.open_cycles()),
        rollouts=open_rollouts(fleet),
        requests_waiting=len(for_person(fleet.requests(), now)),
        paused=law.policy.paused,
        refused=dict(refused.most_common(REFUSALS_SHOWN)),
        refused_total=refused.total(),
        warnings=tuple(_warnings(law, [row.machine for row in rows], present, now)),
    )


def machine_rows(
    fleet: Fleet, me: str, present: Mapping[str, datetime] | None, now: datetime
) -> tuple[MachineRow, ...]:
    """Every expected machine, and the one that asks, by name; the arguments are those of `overview`."""
    decisions: dict[str, list[Decision]] = {}
    for decision in fleet.decisions():
        decisions.setdefault(decision.machine, []).append(decision)
    held = held_back(fleet)
    names = {*fleet.law.machines()} if is_operator(me) else {*fleet.law.machines(), me}
    return tuple(
        _row(fleet, name, me, present, now, decisions.get(name, []), held.get(name, {})) for name in sorted(names)
    )


def exit_code(overview: Overview) -> int:
    """The greatest of `exit_codes`: 5 over 4 over 3 over 2.

    A monitoring system takes a greater number for a worse state, so the code may never fall because something
    else went wrong too: the maximum has that property. Silence is greatest because it makes the rest of the
    answer incomplete. Who has laptops that are off at night looks at `exit_codes`, or at the rows.
    """
    return max(exit_codes(overview))


def exit_codes(overview: Overview) -> tuple[int, ...]:
    """Every code that holds, ascending; (0,) when all is in step and was heard to be so."""
    asked = any(cycle.status == "waiting" for cycle in overview.cycles)
    asked = asked or any(rollout.status in ("prepared", "stopped") for rollout in overview.rollouts)
    waits = asked or overview.pending_decisions or overview.proposal or overview.requests_waiting
    found = {PENDING} if waits else set()
    if any(rollout.status == "waiting" for rollout in overview.rollouts):
        found.add(CONFLICT)  # machines failed, and the others are held back until a person says how it goes on
    for row in overview.machines:
        if row.seen != "present" or row.state == "no_report":
            found.add(NO_ANSWER)
        if row.failed_decisions:
            found.add(CONFLICT)
        if row.state in ("conflict", "quarantined"):
            found.add(CONFLICT)
        elif row.state in ("diverged", "unknown") or row.unread:  # not shown to be in step is not in step
            found.add(DRIFT)
    if not overview.machines:
        found.add(DRIFT)
    if overview.not_kept:
        found.add(NO_ANSWER)  # what the fleet knows is incomplete
    return tuple(sorted(found)) or (IN_STEP,)


def failed(decision: Decision, report: StatusReport | None) -> bool:
    """Did its apply fail, so that a person approves it again or rejects it?

    Not what a person took back, nor what its machine, by its own `report`, is in step without. A file that could not
    be put back waits in any case.
    """
    if decision.status == "rollback_failed":
        return True
    synced = report is not None and report.status == "synced" and not report.divergences_count
    mended = synced and decision.reference == "baseline"
    return decision.status in FAILED and not decision.rollback_requested and not mended


def _row(
    fleet: Fleet,
    machine: str,
    me: str,
    present: Mapping[str, datetime] | None,
    now: datetime,
    decisions: list[Decision],
    held: Mapping[str, str],
) -> MachineRow:
    law, report = fleet.law, fleet.status(machine)
    seen: Seen = "silent"
    last_seen = report.timestamp if report else None
    if machine == me:
        seen, last_seen = "present", now
    elif present is None:
        seen = "unknown"
    elif machine in present:
        seen, last_seen = "present", present[machine]
    state = _state(report, decisions, law)
    paused = law.paused(machine) or bool(report and report.paused)
    return MachineRow(
        machine=machine,
        seen=seen,
        last_seen=last_seen,
        roosync_version=(report.roosync_version or None) if report else None,
        baseline_version=(report.baseline_version or None) if report else None,
        state=state,
        divergences_count=report.divergences_count if report and report.status != "unknown" else None,
        pending_decisions=sum(d.status == "pending" for d in decisions),
        failed_decisions=sum(failed(d, report) for d in decisions),
        waiting_for=_waiting_for(seen, state, report, decisions, held, law),
        last_sync=report.last_sync if report else None,
        paused=paused,
        accepted_differences=report.accepted_differences if report else 0,
        unread=report.unread if report else {},
        skipped=len(report.skipped) if report else 0,
        only_here=report.only_here if report and law.baseline else None,
        notes=tuple(_notes(machine, report, paused, law)),
    )


def _state(report: StatusReport | None, decisions: list[Decision], law: Law) -> State:
    if report is None:
        return "no_report"
    if report.quarantine:
        return "quarantined"
    if any(_collides(d) for d in decisions):
        return "conflict"
    if report.status == "diverged" or report.divergences_count or any(_differs(d) for d in decisions):
        return "diverged"
    if report.status == "unknown" or law.baseline is None or report.baseline_revision < law.baseline.revision:
        return "unknown"  # in step with an earlier baseline says nothing about this one
    return "synced"


def _differs(decision: Decision) -> bool:
    """The machine said so in a decision that has no end yet; a report of before may still call it in step."""
    return decision.reference == "baseline" and decision.status in ("pending", "approved", "applying")


def _collides(decision: Decision) -> bool:
    if decision.status == "rollback_failed":
        return True
    return decision.status == "pending" and decision.verdict in COLLIDING and decision.action != "merge"


def _waiting_for(
    seen: Seen,
    state: State,
    report: StatusReport | None,
    decisions: list[Decision],
    held: Mapping[str, str],
    law: Law,
) -> str:
    pending = sum(d.status == "pending" for d in decisions)
    broken = [d.id for d in decisions if d.status == "rollback_failed"]
    undone = [d.id for d in decisions if d.status == "rolled_back" and not d.rollback_requested]
    moving = sum(d.status in UNDER_WAY and d.id not in held for d in decisions)
    reasons = (
        (seen == "silent", "the machine to come back"),
        (bool(broken), f"a person: the rollback of {', '.join(broken[:3])} failed"),
        (
            state == "quarantined" and report,
            f"a person: repair or accept {_names(report.quarantine if report else ())}",
        ),
        (state == "conflict" and pending, f"{_many(pending, *DECISIONS)}, with a conflict"),
        (pending, _many(pending, *DECISIONS)),
        (
            report and report.unread,
            f"a person: repair {_names(report.unread if report else ())}, which can not be read",
        ),
        (held, f"a person: {_many(len(held), *APPROVED)} of {_names(set(held.values()))}"),
        (moving, f"the machine: {_many(moving, *APPROVED)} to apply"),
        (state == "no_report", "its first report"),
        (law.baseline is None, "a baseline"),
        (state == "unknown", f"its comparison with baseline {law.baseline.version if law.baseline else ''}"),
        (state == "diverged" and undone, f"a person: {', '.join(undone[:3])} failed, and was put back"),
        (state == "diverged", "its decisions"),
    )
    return next((text for holds, text in reasons if holds), "")


def _notes(machine: str, report: StatusReport | None, paused: bool, law: Law) -> Iterable[str]:
    member = law.members.get(machine)
    if member is None or member.revoked:
        yield "revoked: no longer a machine of this fleet" if member else "no member of this fleet yet"
    if paused:
        yield "automatic application is paused; `roosync resume` turns it on"
    if report is None:
        return
    yield from (f"quarantined {target}: {why}" for target, why in sorted(report.quarantine.items()))
    yield from (f"{target} not read: {why}" for target, why in sorted(report.unread.items()))
    yield from (f"not read: {what}" for what in report.skipped)
    yield from report.notes


def _overall(states: Iterable[State]) -> Overall:
    """What is known to be wrong first; then what is not known; in step only when every machine said so."""
    found = set(states)
    if found & {"conflict", "quarantined"}:
        return "conflict"
    if "diverged" in found:
        return "diverged"
    return "synced" if found == {"synced"} else "unknown"


def _proposal(fleet: Fleet) -> ProposalWaiting | None:
    """The open proposal, unless a baseline was published since that it does not follow."""
    found = fleet.open_proposal()
    revision = fleet.law.baseline.revision if fleet.law.baseline else 0
    if found is None or found.after_revision != revision:
        return None
    return ProposalWaiting(
        id=found.id, status=found.status, open_questions=found.arbitrations, after_revision=found.after_revision
    )


def _warnings(law: Law, names: Iterable[str], present: Mapping[str, datetime] | None, now: datetime) -> Iterable[str]:
    if present is None:
        yield "presence could not be read, the broker does not answer: what is shown was heard before"
    if law.roster is None:
        yield "the fleet has no roster yet: nobody may sign for it"
    laws = [("the roster", law.roster)] + [
        (f"the membership of {name}", law.members.get(name)) for name in sorted(names)
    ]
    for what, one in laws:
        if one is None or one.expires is None or one.expires - now > WARN_BEFORE:
            continue
        day = f"{one.expires:%Y-%m-%d}"
        over = f"{what} expired on {day}" if one.expires <= now else f"{what} expires on {day}"
        yield f"{over}; an operator renews it with any signed command"


def _many(count: int, one: str, several: str) -> str:
    return one if count == 1 else several.format(count=count)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
