"""How a machine stands in a rollout, by its own words: its decisions, or its report of the update.

Everybody reads the same from the same records, so a result that a leader wrote down can be compared with what the
machine itself said. Nothing is guessed: None is a machine that has not ended yet.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from roosync_protocol.envelope import Verify
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision, Rollout, UpdateReport
from roosync_protocol.messages.work import Outcome
from roosync_protocol.rollout import GOOD, PASSING
from roosync_protocol.rollout.gate import SUCCEEDED, named

ANEW = "approve it again"
WORST_FIRST: tuple[Outcome, ...] = ("failed", "refused", "timed_out", "changed", "ok")

# status of a decision -> what it is for the rollout; the others are under way. "failed" is followed by its restoring.
DECISIONS: dict[str, tuple[Outcome, str]] = {
    "applied": ("changed", ""),
    "superseded": ("ok", "there is nothing to change any more"),
    "rolled_back": ("failed", "it was put back"),
    "rollback_failed": ("failed", "it could not be put back"),
    "overwritten": ("failed", "the tool wrote its old value back"),
    "rejected": ("refused", "an operator rejected it"),
    "promoted": ("refused", "it became the baseline instead"),
    "kept_special": ("refused", "an operator keeps the difference"),
    "expired": ("timed_out", f"it expired: {ANEW}"),
}
# phase of an update -> the same
UPDATES: dict[str, tuple[Outcome, str]] = {
    "confirmed": ("changed", ""),
    "unneeded": ("ok", "it ran this version, or a newer one"),
    "refused": ("refused", "it refused"),
    "returned": ("failed", "it runs the version before"),
    "return_failed": ("failed", "it could not go back"),
}
BROKEN = frozenset({"rollback_failed", "return_failed"})  # nobody knows what such a machine is left with


class End(Struct, frozen=True, kw_only=True):
    """How a machine ended, in its own words."""

    outcome: Outcome
    reason: str = ""
    broken: bool = False


def end_of(rollout: Rollout, machine: str, fleet: Fleet, verify: Verify, now: datetime) -> End | None:
    """None while it has not ended."""
    if fleet.law.speaker_key(machine) is None:
        return End(outcome="refused", reason="it is no machine of this fleet, or was revoked")
    if rollout.purpose == "update":
        return _of_update(rollout, fleet.update(machine))
    ends: list[End | None] = []
    for id_ in rollout.items.get(machine, ()):
        state = fleet.decision(machine, id_).state
        if state is None:
            ends.append(End(outcome="refused", reason=f"nothing is known of {id_} any more"))
            continue
        ours = state.status == "pending" and named(state, fleet.law, verify, now) == rollout.id
        ends.append(of_decision(state, ours=ours))
    return together(ends)


def contradiction(rollout: Rollout, machine: str, fleet: Fleet, verify: Verify, now: datetime) -> str:
    """What this machine says against the end that was written down of it, in its own words; "" when nothing does.

    Who leads can write down what did not happen, and what follows from it is a person's to judge. Nothing heard, or
    something that belongs to another rollout, says nothing.
    """
    result = rollout.results.get(machine)
    if result is None or result.outcome in PASSING or fleet.law.speaker_key(machine) is None:
        return ""
    well = result.outcome in GOOD
    if rollout.purpose == "update":
        report = fleet.update(machine)
        if report is None or report.campaign != rollout.id or report.round < rollout.round:
            return ""
        return "" if (report.phase in SUCCEEDED) is well else report.phase.replace("_", " ")
    states = [fleet.decision(machine, id_).state for id_ in rollout.items.get(machine, ())]
    known = [state for state in states if state is not None]
    end = together(of_decision(state, ours=True) for state in known)
    if (end is not None and (end.outcome in GOOD) is well) or len(known) < len(states):
        return ""
    if any(named(state, fleet.law, verify, now) != rollout.id for state in known):
        return ""  # they go on without it
    return "; ".join(f"{state.entity}: {state.status.replace('_', ' ')}" for state in known)[:500]


def is_updating(rollout: Rollout, machine: str, fleet: Fleet) -> bool:
    """Is it restarting into another version? Then it may be silent for a while, and is not gone."""
    report = fleet.update(machine) if rollout.purpose == "update" else None
    return report is not None and report.campaign == rollout.id and report.phase == "updating"


def waits_for(rollout: Rollout, machine: str, fleet: Fleet) -> str:
    """Why it has not ended yet, as it says itself; "" when it says nothing."""
    if rollout.purpose == "update":
        report = fleet.update(machine)
        return report.reason if report is not None and report.campaign == rollout.id else ""
    status = fleet.status(machine)
    states = (fleet.decision(machine, id_).state for id_ in rollout.items.get(machine, ()))
    begins = tuple(f"{state.entity} waits: " for state in states if state is not None)
    return next((note for note in status.notes if note.startswith(begins)), "") if status is not None else ""


def of_decision(decision: Decision, *, ours: bool) -> End | None:
    last = decision.log[-1] if decision.log else ""
    if decision.status == "pending":  # nobody's yes to this rollout: what is asked changed, or nothing was written
        reason = f"{last or 'what is asked changed since it was approved'}: {ANEW}"
        return None if ours else End(outcome="refused", reason=f"{decision.entity}: {reason}"[:500])
    if decision.status not in DECISIONS:
        return None
    outcome, words = DECISIONS[decision.status]
    if decision.status == "applied" and not decision.snapshot:
        outcome, words = "ok", "there was nothing to write"
    if decision.status == "rolled_back" and decision.rollback_requested:
        outcome, words, last = "refused", "an operator took it back", ""
    reason = f"{words} ({last})" if last and outcome == "failed" else words
    reason = f"{decision.entity}: {reason}"[:500] if outcome not in ("changed", "ok") else reason
    return End(outcome=outcome, reason=reason, broken=decision.status in BROKEN)


def _of_update(rollout: Rollout, report: UpdateReport | None) -> End | None:
    if report is None or report.campaign != rollout.id or report.phase not in UPDATES:
        return None
    outcome, words = UPDATES[report.phase]
    if outcome in ("failed", "refused") and report.round < rollout.round:
        return None  # that was the try before: an operator has it tried again
    reason = f"{words}: {report.reason}" if report.reason else words
    return End(outcome=outcome, reason=reason[:500], broken=report.phase in BROKEN)


def together(ends: Iterable[End | None]) -> End | None:
    """Of all that a machine has to do: what failed is told at once, and the rest when all of it ended."""
    known = list(ends)
    for outcome in WORST_FIRST:
        found = [one for one in known if one is not None and one.outcome == outcome]
        if found:
            return max(found, key=lambda one: one.broken) if outcome == "failed" or None not in known else None
    return None
