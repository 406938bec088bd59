"""When a cycle warns, stops, or stops everything: the table of escalations of 5-protocols, trigger by trigger.

    1 warning       the person is told, and it goes on
    2 intervention  it stops at once and waits for a person; meanwhile no policy applies anything on its machines
    3 emergency     the same, one checkpoint back, and its machines apply nothing at all until a person lets it go on

An apply that failed is put back by its machine before anything is told here. What is found carries keys, by which it is
told once in a cycle. Pure: the record and what the leader sees, nothing else.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from msgspec import Struct

from roosync_protocol.cycle.participant import open_divergences, taking_part
from roosync_protocol.cycle.view import View, used
from roosync_protocol.messages import Cycle, Decision

LEVELS = {
    "time_nearly_over": 1,
    "slow": 1,  # degraded performance
    "unexpected_divergence": 1,  # a minor one
    "time_over": 2,
    "apply_failed": 2,
    "critical_divergence": 2,
    "corruption_suspected": 2,
    "bus_lost": 3,
    "corruption_confirmed": 3,
    "rollback_failed": 3,
    "contradiction": 3,
}
DECISIONS = "roosync decisions, then roosync decision approve {id}, or roosync decision reject {id}"
DECISION = "roosync decision approve {id}, or roosync decision reject {id}"  # where it is a single one
NEXT = {  # what a person does about it, as commands
    "time_over": "roosync cycle excuse {machine}, roosync cycle resume {cycle}, or roosync cycle abort {cycle}",
    "apply_failed": DECISIONS,
    "critical_divergence": DECISIONS,
    "corruption_suspected": "roosync quarantine show, on the machine that is named",
    "bus_lost": "roosync ping, then roosync cycle resume {cycle}, or roosync cycle abort {cycle}",
    "corruption_confirmed": "roosync baseline versions, then roosync baseline restore VERSION",
    "rollback_failed": "roosync snapshots, on the machine named; then roosync decision approve {id}, or roosync "
    "decision reject {id}",
    "contradiction": "roosync diffs, on each machine; then roosync cycle resume {cycle}, or roosync cycle abort "
    "{cycle}",
}
PACKAGES = 2  # complete ones from which a baseline is made, at least
FAILED = frozenset({"failed", "rolled_back", "rollback_failed"})
RESUMED = "roosync cycle resume {cycle}    (what it waited for is there)"
SLOW_AT, WARN_AT = 0.25, 0.8  # shares of the time for a checkpoint
SLOWER = 10  # times as long as the longest checkpoint so far: then it is slow
OF_TIME = frozenset({"time_nearly_over", "slow", "time_over", "contradiction"})  # they speak of machines that are late
LATE = frozenset({"time_over", "contradiction"})  # stops that end when those who were waited for are there
OF_PEOPLE = frozenset({"resolution", "baseline"})  # checkpoints that take as long as a person does
DECIDING = frozenset({"resolution", "final", "synced"})  # checkpoints at which divergences have to end
CHANGED_HERE = frozenset({"drift", "local_deletion", "conflict", "delete_modify"})  # verdicts: not the baseline's doing
NAMED = 5
WRONG = {  # what is said of machines that arrived, and whose report does not let them pass
    "version": "has an older version",
    "collected": "has no complete package",
    "baseline": "has another baseline than the one in force",
}


class Found(Struct, frozen=True, kw_only=True):
    trigger: str  # of LEVELS
    reason: str
    keys: tuple[str, ...]
    asks: str = ""  # what a person can do about it, where the cycle does not go on by itself when it is mended

    @property
    def level(self) -> int:
        return LEVELS[self.trigger]


def standing(cycle: Cycle, view: View) -> dict[str, tuple[str, str]]:
    """What stops a cycle for as long as it holds: key -> trigger and what a person is asked."""
    found: dict[str, tuple[str, str]] = {}
    taking = taking_part(cycle)
    for machine in taking:
        status = view.statuses.get(machine)
        for what in status.corrupt if status else ():
            found[f"corrupt {machine} {what}"[:500]] = "corruption_confirmed", f"repair {what} on {machine}"
        for target in sorted(status.quarantine if status else ()):
            asked = f"repair or accept {target} on {machine} (roosync quarantine show)"
            found[f"suspected {machine} {target}"[:500]] = "corruption_suspected", asked
    if cycle.checkpoint in DECIDING or cycle.stopped:
        for d in open_divergences(view.decisions, taking):
            if d.status == "pending" and d.risk == "critical":
                asked = f"{d.entity} on {d.machine} ({d.id}) is critical: approve or reject it"
                found[f"critical {attempt_of(d)}"] = "critical_divergence", asked
    return found


def stopping(cycle: Cycle, view: View) -> Found | None:
    """The worst that holds now and was not told yet; None: nothing. A short loss of the bus only pauses."""
    key = f"bus_lost {_here(cycle)}"
    if view.outage >= cycle.timeout_minutes * 60 and key not in cycle.noticed and cycle.status == "running":
        reason = f"the bus was away for {view.outage / 60:.1f} min, longer than a checkpoint may take"
        return Found(trigger="bus_lost", reason=reason, keys=(key,), asks=f"{reason}; look, then resume or abort")
    fresh = {key: one for key, one in standing(cycle, view).items() if key not in cycle.noticed}
    if not fresh:
        return None
    worst = max((trigger for trigger, _ in fresh.values()), key=LEVELS.__getitem__)
    of_it = {key: asked for key, (trigger, asked) in fresh.items() if trigger == worst}
    reason = f"{worst.replace('_', ' ')}: {_some(list(of_it.values()))}"
    return Found(trigger=worst, reason=reason, keys=tuple(of_it))


def warning(cycle: Cycle, view: View) -> Found | None:
    """Divergences that came while the cycle was past DIFFS, by what was changed on a machine, and are not critical."""
    if cycle.route != "coordination" or cycle.checkpoint not in DECIDING:
        return None
    fresh = {
        f"unexpected {attempt_of(d)}": f"{d.entity} on {d.machine} ({d.id})"
        for d in open_divergences(view.decisions, taking_part(cycle))
        if d.status == "pending" and d.risk != "critical" and d.verdict in CHANGED_HERE
        if d.id not in cycle.listed and not d.reopened  # which a person opened again
    }
    fresh = {key: named for key, named in fresh.items() if key not in cycle.noticed}
    if not fresh or len(cycle.listed) >= 1_000:  # there were more than are kept by name
        return None
    reason = f"not among the divergences of DIFFS: {_some(list(fresh.values()))}"
    return Found(trigger="unexpected_divergence", reason=reason, keys=tuple(fresh))


def of_time(cycle: Cycle, view: View, waits: Sequence[str], arrived: Iterable[str], now: datetime) -> Found | None:
    """Late, nearly late, slow. `waits`: machines that have not passed; `arrived`: those that reported here."""
    share, name = used(cycle, view, now), cycle.checkpoint.upper()
    reason = why(cycle, view, waits, arrived)
    if share >= 1:
        opposed = contradicting(cycle, view, waits, arrived)
        said = f"agents contradict each other at {name}" if opposed else f"time is over at {name}"
        return Found(
            trigger="contradiction" if opposed else "time_over",
            reason=f"{said}: {reason}",
            keys=(),
            asks=asking(reason),
        )
    nearly, slow = f"time {_here(cycle)}", f"slow {_here(cycle)}"
    if share >= WARN_AT and nearly not in cycle.noticed:
        return Found(trigger="time_nearly_over", reason=f"{share:.0%} of the time for {name} is used: {reason}",
                     keys=(nearly, slow))  # fmt: skip
    seconds, longest = share * cycle.timeout_minutes * 60, _longest(cycle)
    ours = set(waits) - _of_people(cycle, view, waits).keys()
    slowly = share >= SLOW_AT and seconds >= SLOWER * longest and ours and cycle.checkpoint != "baseline"
    if slowly and slow not in cycle.noticed:
        so_far = f", and none took more than {longest:.1f} s so far" if longest else ""
        return Found(trigger="slow", reason=f"{name} is slow: {seconds:.0f} s{so_far}; {reason}", keys=(slow,))
    return None


def due(cycle: Cycle, share: float) -> float | None:
    """Seconds until time alone has something to say, when `share` of it is used; None: never."""
    if cycle.status != "running":
        return None
    following = next((at for at in (SLOW_AT, WARN_AT) if share < at), 1.0)
    return max(0.0, (following - share) * cycle.timeout_minutes * 60)


def contradicting(cycle: Cycle, view: View, waits: Sequence[str], arrived: Iterable[str]) -> list[str]:
    """Machines whose reports can not all be true; empty when somebody is only late.

    Everybody lists the divergences at DIFFS and the lists differ; or a machine says that it is in step, and its own
    decisions say that it is not.
    """
    there = frozenset(arrived)
    if cycle.checkpoint == "diffs":
        return list(waits) if waits and all(machine in there for machine in waits) else []
    if cycle.checkpoint not in DECIDING:
        return []
    left = {d.machine for d in open_divergences(view.decisions, waits)}
    said = {m for m in waits if (s := view.statuses.get(m)) and s.status == "synced" and not s.divergences_count}
    return [machine for machine in waits if machine in left & said & there]


def next_step(cycle: Cycle, view: View | None = None, waits: Sequence[str] = ()) -> str:
    """The commands for a person when it waits for one, or when nobody else can move it on; "" otherwise.

    With `view` and `waits` (who has not passed the awaited checkpoint) they name the machine and the decision.
    """
    answering = _answering(cycle, view, waits) if view is not None else ""
    if cycle.status == "running":
        return answering
    if cycle.status != "waiting":
        return ""
    trigger = _trigger(cycle)
    said = NEXT.get(trigger, NEXT["time_over"])
    machine, id_ = "MACHINE", "ID"
    if view is None:
        return said.format(cycle=cycle.id, machine=machine, id=id_)
    if trigger in LATE and settled(cycle, waits):
        said = RESUMED
    elif trigger == "time_over" and answering:
        return f"{answering}; then roosync cycle resume {cycle.id}, or roosync cycle abort {cycle.id}"
    elif trigger == "time_over" and len(waits) == 1:
        machine = waits[0]
    elif len(ids := _asked_about(cycle, view)) == 1:
        said, id_ = DECISION if said == DECISIONS else said, ids[0]
    return said.format(cycle=cycle.id, machine=machine, id=id_)


def question(cycle: Cycle, view: View, waits: Sequence[str], arrived: Iterable[str]) -> str:
    """What a person is asked now; "" once what a stop waited for is there.

    The leader's own words stand while all whom they name are still waited for: it pinged them, who looks here did not.
    """
    if cycle.status != "waiting" or _trigger(cycle) not in LATE:
        return cycle.waiting_for
    if settled(cycle, waits):
        return ""
    named = frozenset(re.findall(r"[\w.-]+", cycle.waiting_for))
    answered = {d.id for d in view.decisions} - {id_ for ids in _of_people(cycle, view, waits).values() for id_ in ids}
    gone = answered | set(cycle.participants) - set(waits)
    published = cycle.checkpoint == "baseline" and view.baseline_revision
    return asking(why(cycle, view, waits, arrived)) if named & gone or published else cycle.waiting_for


def asking(reason: str) -> str:
    """The question about machines that are late, or contradict each other."""
    return f"{reason}; excuse a machine, resume, or abort"


def settled(cycle: Cycle, waits: Sequence[str]) -> bool:
    """Is all there that the awaited checkpoint asks for?"""
    return not waits and not lacks_package(cycle)


def lacks_package(cycle: Cycle) -> bool:
    """Everybody may be there, and still be too few for a baseline."""
    return cycle.checkpoint == "collected" and len(taking_part(cycle)) < PACKAGES


def attempt_of(decision: Decision) -> str:
    return f"{decision.machine}/{decision.id}/{decision.attempt}"


# -- inside


def _trigger(cycle: Cycle) -> str:
    """Why it was stopped last."""
    return next((e.trigger for e in reversed(cycle.escalations) if e.level >= 2), "")


def _asked_about(cycle: Cycle, view: View) -> list[str]:
    """The decisions that a stop is about and no person has answered."""
    return [
        d.id
        for d in view.decisions
        if d.machine in cycle.participants and d.machine not in cycle.excused
        if (d.status in FAILED and attempt_of(d) in cycle.failures) or (d.status == "pending" and d.risk == "critical")
    ]


def _here(cycle: Cycle) -> str:
    return f"{cycle.checkpoint}/{cycle.round}"


def why(cycle: Cycle, view: View, waits: Sequence[str], arrived: Iterable[str]) -> str:
    """Who is waited for, by what is known of each: whom a person keeps waiting is not called late."""
    if cycle.checkpoint == "baseline" and not view.baseline_revision:
        return "a person has to publish a baseline (roosync baseline show)"
    people, there = _of_people(cycle, view, waits), frozenset(arrived)
    away = [m for m in waits if view.present is not None and m not in view.present]
    deciding = [f"{m} ({', '.join(people[m][:2])})" for m in waits if m in people and m not in away]
    wrong = [m for m in waits if m in there and m not in away and m not in people]
    silent = [m for m in waits if m not in away and m not in there and m not in people]
    pinged = "not there, no answer to a ping" if view.asked.issuperset(away) else "not there"
    parts = (
        (pinged, away),
        ("has not arrived" if view.present is None else "there, and has not arrived", silent),
        (WRONG.get(cycle.checkpoint, "does not agree"), wrong),
        ("waits for a person's answer", deciding),
    )
    said = [f"{what}: {_some(names, 10, ', ')}" for what, names in parts if names]
    return "; ".join(said) or "a second package is needed for a baseline" * (cycle.checkpoint == "collected")


def _of_people(cycle: Cycle, view: View, waits: Iterable[str]) -> dict[str, list[str]]:
    """Machines that have decisions for a person to answer, with their ids, where divergences have to end."""
    found: dict[str, list[str]] = {}
    if cycle.checkpoint not in DECIDING:
        return found
    for d in open_divergences(view.decisions, waits):
        if d.status not in ("approved", "applying"):
            found.setdefault(d.machine, []).append(d.id)
    return found


def _answering(cycle: Cycle, view: View, waits: Sequence[str]) -> str:
    """What a person has to answer before any machine can go on; "" while at least one is waited for itself."""
    if cycle.checkpoint == "baseline" and not view.baseline_revision:
        return "roosync baseline show, then roosync baseline publish"
    people = _of_people(cycle, view, waits)
    if not waits or any(machine not in people for machine in waits):
        return ""
    ids = [id_ for machine in waits for id_ in people[machine]]
    return f"roosync decision show {ids[0]}" if len(ids) == 1 else "roosync decisions, then roosync decision show ID"


def _longest(cycle: Cycle) -> float:
    """Seconds of the longest checkpoint so far that only machines were waited for."""
    times = [cycle.started, *(one.at for one in cycle.reached)]
    took: Iterator[float] = (
        (b - a).total_seconds()
        for one, (a, b) in zip(cycle.reached, pairwise(times), strict=True)
        if one.checkpoint not in OF_PEOPLE
    )
    return max(took, default=0.0)


def _some(names: Sequence[str], most: int = NAMED, between: str = "; ") -> str:
    more = f"{between}and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more
