"""What the holder of the orchestrator's lease makes of the reports: the next state of a cycle, or nothing to do.

From the records alone: whoever takes the lease over goes on from the same place, and a step that was made already is
not made again. What stops it, and with which level, is told by `triggers`; "stuck" is looked up before it is said.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from msgspec.structs import replace

from roosync_protocol.cycle import ENDED, after, each_with_each, triggers
from roosync_protocol.cycle import before as checkpoint_before
from roosync_protocol.cycle.participant import digest_of, open_divergences, taking_part
from roosync_protocol.cycle.triggers import FAILED, Found, attempt_of
from roosync_protocol.cycle.view import View, used
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Arrival, Cycle, Decision, Escalation, Reached
from roosync_protocol.versions import at_least

ANSWER = "answer "  # begins what a person is asked, when the cycle goes on by itself once that is done


def view_of(fleet: Fleet, cycle: Cycle, present: Collection[str] | None) -> View:
    """What anybody sees of a cycle, who leads it or not. `present`: the machines that beat; None: not known."""
    return View(
        arrivals=fleet.arrivals(cycle),
        decisions=tuple(fleet.decisions()),
        present=None if present is None else frozenset(present),
        statuses={m: status for m in cycle.participants if (status := fleet.status(m))},
        baseline_revision=fleet.law.baseline.revision if fleet.law.baseline else 0,
    )


def counted(cycle: Cycle, view: View) -> dict[str, Arrival]:
    """The arrivals that count: of participants, at this checkpoint, in this round."""
    here, taking = (cycle.id, cycle.checkpoint, cycle.round), frozenset(cycle.participants)
    return {
        machine: arrival
        for machine, arrival in view.arrivals.items()
        if machine in taking and (arrival.cycle, arrival.checkpoint, arrival.round) == here
        and arrival.agent == machine
    }  # fmt: skip


def missing(cycle: Cycle, view: View) -> list[str]:
    """The machines that are waited for, in the order of the participants."""
    there, passes = counted(cycle, view), _passing(cycle, view)
    return [m for m in cycle.participants if m not in cycle.excused and not (m in there and passes(there[m]))]


def next_state(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """The state that follows now, with `revision` one higher; None when there is nothing to say.

    The caller fills in who says it and its operation id. Whoever holds an older lease than the one under which the
    cycle was moved last says nothing: somebody else leads since.
    """
    if cycle.status in ENDED or view.token < cycle.token:
        return None
    for step in (_failed, _stopped, _answered, _reached, _warned, _late):
        made = step(cycle, view, now)
        if made is not None:
            return replace(made, revision=cycle.revision + 1, token=view.token)
    return None


def deadline(cycle: Cycle, now: datetime, elapsed: float | None = None) -> datetime | None:
    """When somebody has to look at it again although nothing was heard. `elapsed` as in `View`."""
    share = used(cycle, View(arrivals={}, decisions=(), present=None, elapsed=elapsed), now)
    seconds = triggers.due(cycle, share)
    return None if seconds is None else now + timedelta(seconds=seconds)


def failures(cycle: Cycle, view: View) -> list[Decision]:
    """Attempts of participants that failed since the cycle began, and that it has not counted yet.

    A person who takes back what was applied well lets nothing fail, unless it can not be put back.
    """
    taking = frozenset(cycle.participants)
    return [
        d
        for d in view.decisions
        if d.machine in taking
        and d.machine not in cycle.excused
        and d.status in FAILED
        and d.id not in view.earlier
        and (d.status == "rollback_failed" or not d.rollback_requested)
        and attempt_of(d) not in cycle.failures
    ]


def _failed(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """An apply failed: back to the checkpoint before, and a person is asked before anything is tried again."""
    found = failures(cycle, view)
    if not found:
        return None
    broken = any(d.status == "rollback_failed" for d in found)
    named = ", ".join(f"{d.entity} on {d.machine} ({d.id}{_once_more(cycle, d)})" for d in found[:5])
    end = "and could not be put back" if broken else "and was put back"
    told = Found(
        trigger="rollback_failed" if broken else "apply_failed", reason=f"applying {named} failed {end}", keys=()
    )
    failed = (*cycle.failures, *map(attempt_of, found))[-200:]
    asks = replace(cycle, failures=failed)
    return _halted(asks, view, told, now, back=not (_asks(cycle) and _unanswered(cycle, view)))


def _once_more(cycle: Cycle, decision: Decision) -> str:
    before = sum(one.startswith(f"{decision.machine}/{decision.id}/") for one in cycle.failures)
    return f", {before + 1} times in this cycle" if before else ""


def _unanswered(cycle: Cycle, view: View) -> list[Decision]:
    """Failed attempts that the cycle counted, and that no person has answered yet."""
    return [
        d
        for d in view.decisions
        if d.status in FAILED and attempt_of(d) in cycle.failures and d.machine not in cycle.excused
    ]


def _stopped(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """Something else stops it: at level 2 where it is, at level 3 one checkpoint back."""
    found = triggers.stopping(cycle, view)
    if found is None or (cycle.status != "running" and not _asks(cycle) and found.level < 3):
        return None
    return _halted(cycle, view, found, now, back=found.level == 3 and cycle.stopped < 3)


def _halted(cycle: Cycle, view: View, found: Found, now: datetime, *, back: bool) -> Cycle:
    told = _told(cycle, found, now)
    halted = replace(told, status="waiting", stopped=max(found.level, cycle.stopped))
    left = _questions(halted, view)
    halted = replace(halted, waiting_for=(f"{ANSWER}{left}" if left and not found.asks else found.asks)[:500])
    if not back:
        return halted
    place = checkpoint_before(cycle.route, cycle.checkpoint)
    return replace(halted, checkpoint=place, round=cycle.round + 1, entered=now, strict=True)


def _asks(cycle: Cycle) -> bool:
    """Does it go on by itself when it is answered? It waits for other things as well, such as time that is over."""
    return cycle.status == "waiting" and cycle.waiting_for.startswith(ANSWER)


def _questions(cycle: Cycle, view: View) -> str:
    """What is open of all that a person was asked, in one line."""
    left = _unanswered(cycle, view)
    failed = ", ".join(f"{d.entity} on {d.machine} ({d.id})" for d in left[:5])
    asked = [f"{failed[:380]}: approve it again, or reject it"] if left else []
    asked += [ask for key, (_, ask) in triggers.standing(cycle, view).items() if key in cycle.noticed]
    return "; ".join(asked)


def _answered(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """A person did what the cycle waited for: it goes on by itself."""
    if not _asks(cycle) or _questions(cycle, view):
        return None
    return replace(cycle, status="running", entered=now, waiting_for="", stopped=0)


def _reached(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    taking = taking_part(cycle)
    if cycle.status != "running" or missing(cycle, view) or not taking:
        return None
    if triggers.lacks_package(cycle):
        return None
    left = open_divergences(view.decisions, taking)
    done = Reached(checkpoint=cycle.checkpoint, round=cycle.round, at=now, divergences=len(left))
    following = after(cycle.route, cycle.checkpoint, divergences=len(left))
    reached = (*cycle.reached, done)[-200:]
    if following is None:
        return replace(cycle, status="done", reached=reached)
    strict = cycle.strict or (cycle.checkpoint == "diffs" and bool(left))
    listed = tuple(d.id for d in left)[:1_000] if cycle.checkpoint == "diffs" else cycle.listed
    return replace(cycle, checkpoint=following, entered=now, reached=reached, strict=strict, listed=listed)


def _passing(cycle: Cycle, view: View) -> Callable[[Arrival], bool]:
    """What a report has to say there to let its machine pass; what is the same for all is worked out once."""
    match cycle.checkpoint:
        case "version":
            return lambda one: not cycle.required_version or at_least(one.version, cycle.required_version)
        case "status":  # in a large cycle nobody but us looks for the reports of all
            return lambda one: each_with_each(cycle) or one.agent in view.statuses
        case "diffs":  # everybody lists the same divergences, as they are known now
            listed = _lists(cycle, view)
            return lambda one: one.divergences == listed(one.agent)
        case "collected":
            return lambda one: one.package is not None
        case "baseline":
            return lambda one: 0 < view.baseline_revision == one.baseline_revision
        case "resolution" | "final" | "synced":
            open_ = {d.machine for d in open_divergences(view.decisions, cycle.participants)}
            told = cycle.checkpoint != "resolution"
            return lambda one: one.agent not in open_ and (not told or one.status == "synced")
    return lambda one: True


def _lists(cycle: Cycle, view: View) -> Callable[[str], str]:
    """The digest of what each machine has to list at DIFFS."""
    taking = taking_part(cycle)
    if each_with_each(cycle):
        of_all = digest_of(view.decisions, taking)
        return lambda machine: of_all
    parts: dict[str, list[Decision]] = {}
    for one in open_divergences(view.decisions, taking):
        parts.setdefault(one.machine, []).append(one)
    nothing = digest_of((), ())
    return lambda machine: digest_of(parts[machine], (machine,)) if machine in parts else nothing


def _warned(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    found = triggers.warning(cycle, view) if cycle.status == "running" else None
    return _told(cycle, found, now) if found else None


def _late(cycle: Cycle, view: View, now: datetime) -> Cycle | None:
    """80 % of the time: a warning. All of it: everything stops, and a person is asked, with names."""
    if cycle.status != "running":
        return None
    found = triggers.of_time(cycle, view, missing(cycle, view), counted(cycle, view), now)
    if found is None:
        return None
    return _told(cycle, found, now) if found.level == 1 else _halted(cycle, view, found, now, back=found.level == 3)


def _told(cycle: Cycle, found: Found, now: datetime) -> Cycle:
    said = Escalation(
        level=found.level,
        reason=found.reason[:500],
        checkpoint=cycle.checkpoint,
        round=cycle.round,
        at=now,
        trigger=found.trigger,
    )
    noticed = (*cycle.noticed, *found.keys)[-500:]
    return replace(cycle, escalations=(*cycle.escalations, said)[-200:], noticed=noticed)
