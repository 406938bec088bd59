"""What the holder of the orchestrator's lease makes of the reports: the next state of a cycle, or nothing to do.

From the records alone: whoever takes the lease over goes on from the same place, and a step that was made already is
not made again. Trouble is told by the table of escalations in 5-protocols; "stuck" is looked up before it is said.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.cycle import ENDED, after
from roosync_protocol.cycle import before as checkpoint_before
from roosync_protocol.cycle.participant import digest_of, open_divergences, taking_part
from roosync_protocol.messages import Arrival, Cycle, Decision, Escalation, Reached

ANSWER = "answer "  # begins what a person is asked after a failed apply
WARN_AT = 0.8  # of the time for a checkpoint
FAILED = frozenset({"failed", "rolled_back", "rollback_failed"})


class View(Struct, frozen=True, kw_only=True):
    """What the orchestrator sees at this moment."""

    arrivals: Mapping[str, Arrival]  # the latest of each machine at the awaited checkpoint
    decisions: tuple[Decision, ...]
    present: frozenset[str] | None  # machines that beat; None: not known
    baseline_revision: int = 0
    token: int = 0  # of its lease


def counted(cycle: Cycle, view: View) -> dict[str, Arrival]:
    """The arrivals that count: of participants, at this checkpoint, in this round."""
    here = (cycle.id, cycle.checkpoint, cycle.round)
    return {
        machine: arrival
        for machine, arrival in view.arrivals.items()
        if machine in cycle.participants and (arrival.cycle, arrival.checkpoint, arrival.round) == here
        and arrival.agent == machine
    }  # fmt: skip


def missing(cycle: Cycle, view: View) -> list[str]:
    """The machines that are waited for, in the order of the participants."""
    there = counted(cycle, view)
    return [m for m in cycle.participants if m not in cycle.excused and not _content(cycle, view, there.get(m))]


def next_state(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """The state that follows now, with `revision` one higher; None when there is nothing to say.

    The caller fills in who says it and its operation id. Whoever holds an older lease than the one under which the
    cycle was moved last says nothing: somebody else leads since.
    """
    if cycle.status in ENDED or view.token < cycle.token:
        return None
    for made in (_failed(cycle, view, now), _answered(cycle, view, now), _reached(cycle, view, now)):
        if made is not None:
            return _stamped(made, cycle, view)
    late = _late(cycle, view, now)
    return _stamped(late, cycle, view) if late else None


def deadline(cycle: Cycle, now: datetime) -> datetime | None:
    """When somebody has to look at it again although nothing was heard."""
    if cycle.status != "running":
        return None
    warn = cycle.entered + timedelta(minutes=cycle.timeout_minutes * WARN_AT)
    return warn if now < warn else cycle.entered + timedelta(minutes=cycle.timeout_minutes)


def _stamped(made: Cycle, cycle: Cycle, view: View) -> Cycle:
    return replace(made, revision=cycle.revision + 1, token=view.token)


def failures(cycle: Cycle, decisions: Iterable[Decision]) -> list[Decision]:
    """Attempts of participants that failed since the cycle began, and that it has not counted yet."""
    return [
        d
        for d in decisions
        if d.machine in cycle.participants
        and d.machine not in cycle.excused
        and d.status in FAILED
        and d.timestamp >= cycle.started
        and not d.rollback_requested
        and _attempt(d) not in cycle.failures
    ]


def _attempt(decision: Decision) -> str:
    return f"{decision.machine}/{decision.id}/{decision.attempt}"


def _failed(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """An apply failed: back to the checkpoint before, and a person is asked before anything is tried again."""
    found = failures(cycle, view.decisions)
    if not found:
        return None
    level = 3 if any(d.status == "rollback_failed" for d in found) else 2
    named = ", ".join(f"{d.entity} on {d.machine} ({d.id})" for d in found[:5])
    end = "and could not be put back" if level == 3 else "and was put back"
    told = _told(cycle, level, f"applying {named} failed {end}", now)
    failed = (*cycle.failures, *map(_attempt, found))[-200:]
    asked = replace(told, failures=failed, status="waiting")
    asked = replace(asked, waiting_for=_question(asked, view))
    if _asks(cycle):  # it went back already, and a person is asked: one more answer is needed
        return asked
    back = checkpoint_before(cycle.route, cycle.checkpoint)
    return replace(asked, checkpoint=back, round=cycle.round + 1, entered=now, strict=True)


def _unanswered(cycle: Cycle, view: View) -> list[Decision]:
    """Failed attempts that the cycle counted, and that no person has answered yet."""
    return [
        d
        for d in view.decisions
        if d.status in FAILED and _attempt(d) in cycle.failures and d.machine not in cycle.excused
    ]


def _asks(cycle: Cycle) -> bool:
    """Does it wait for an answer about a failed apply? It waits for other things as well, such as time that is over."""
    return cycle.status == "waiting" and cycle.waiting_for.startswith(ANSWER)


def _question(cycle: Cycle, view: View) -> str:
    left = _unanswered(cycle, view)
    named = ", ".join(f"{d.entity} on {d.machine} ({d.id})" for d in left[:5])
    return f"{ANSWER}{named}"[:430] + ": approve it again, or reject it"


def _answered(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """A person did what the cycle waited for: it goes on by itself."""
    if not _asks(cycle) or _unanswered(cycle, view):
        return None
    return replace(cycle, status="running", entered=now, waiting_for="")


def _reached(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    taking = taking_part(cycle)
    if cycle.status != "running" or missing(cycle, view) or not taking:
        return None
    left = open_divergences(view.decisions, taking)
    done = Reached(checkpoint=cycle.checkpoint, round=cycle.round, at=now, divergences=len(left))
    following = after(cycle.route, cycle.checkpoint, divergences=len(left))
    reached = (*cycle.reached, done)[-200:]
    if following is None:
        return replace(cycle, status="done", reached=reached)
    strict = cycle.strict or (cycle.checkpoint == "diffs" and bool(left))
    return replace(cycle, checkpoint=following, entered=now, reached=reached, strict=strict)


def _content(cycle: Cycle, view: View, arrival: Arrival | None) -> bool:
    """Does what a machine reported there let it pass?"""
    if arrival is None:
        return False
    match cycle.checkpoint:
        case "version":
            return not cycle.required_version or at_least(arrival.version, cycle.required_version)
        case "diffs":  # everybody lists the same divergences, as they are known now
            return arrival.divergences == digest_of(view.decisions, taking_part(cycle))
        case "collected":
            return arrival.package is not None
        case "baseline":
            return 0 < view.baseline_revision == arrival.baseline_revision
        case "resolution":
            return not open_divergences(view.decisions, (arrival.agent,))
        case "final" | "synced":
            return arrival.status == "synced" and not open_divergences(view.decisions, (arrival.agent,))
    return True


def _late(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """80 % of the time: a warning. All of it: everything stops, and a person is asked, with names."""
    if cycle.status != "running":
        return None
    used = (now - cycle.entered).total_seconds() / (cycle.timeout_minutes * 60)
    said = {e.level for e in cycle.escalations if (e.checkpoint, e.round) == (cycle.checkpoint, cycle.round)}
    if used >= 1:
        level, why = _why_late(cycle, view)
        told = _told(cycle, level, f"time is over at {cycle.checkpoint.upper()}: {why}", now)
        hint = "excuse a machine, resume, or abort"
        return replace(told, status="waiting", waiting_for=f"{why}; {hint}"[:500])
    if used >= WARN_AT and 1 not in said:
        _, why = _why_late(cycle, view)
        return _told(cycle, 1, f"{used:.0%} of the time for {cycle.checkpoint.upper()} is used: {why}", now)
    return None


def _why_late(cycle: Cycle, view: View) -> tuple[int, str]:
    waits, there = missing(cycle, view), counted(cycle, view)
    away = [m for m in waits if view.present is not None and m not in view.present]
    contradicting = [m for m in waits if m in there]
    silent = [m for m in waits if m not in away and m not in there]
    parts = [
        f"{what} {', '.join(names[:10])}"
        for what, names in (
            ("not there:", away),
            ("there, and has not arrived:", silent),
            ("does not agree:", contradicting),
        )
        if names
    ]
    opposed = cycle.checkpoint == "diffs" and contradicting and not away and not silent
    return (3 if opposed else 2), "; ".join(parts) or "nobody is waited for"


def _told(cycle: Cycle, level: int, reason: str, now: datetime) -> Cycle:
    said = Escalation(level=level, reason=reason[:500], checkpoint=cycle.checkpoint, round=cycle.round, at=now)
    return replace(cycle, escalations=(*cycle.escalations, said)[-200:])


def at_least(version: str, required: str) -> bool:
    """Is `version` (three numbers, perhaps with a `v`) the required one, or newer? A suffix is not looked at."""
    return _numbers(version) >= _numbers(required)


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.removeprefix("v").split("+")[0].split("-")[0].split(".")
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else 0 for part in parts)
