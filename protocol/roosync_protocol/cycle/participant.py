"""What one machine says at a checkpoint: nothing until it is there, and then what it saw.

It is level-triggered: asked at every turn, from what is known now. An arrival carries its checkpoint and its round, so
one that is delivered late passes no later barrier.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from roosync_protocol import decision
from roosync_protocol.cycle import ENDED, each_with_each
from roosync_protocol.digest import digest
from roosync_protocol.messages import Arrival, Cycle, Decision, StatusReport

OPEN = decision.OPEN | {"rolled_back", "overwritten", "rollback_failed"}  # no answer took the difference away
LOOKED = frozenset({"status", "collected", "baseline", "final", "synced"})  # where a machine says how it stands now


class Facts(Struct, frozen=True, kw_only=True):
    """What a machine knows of itself and of the fleet at this moment."""

    machine: str
    status: StatusReport | None  # its own, as it was said last
    decisions: tuple[Decision, ...]  # of the whole fleet
    statuses: frozenset[str] = frozenset()  # machines whose status report is known here
    version: str = ""
    package: str | None = None  # manifest of its latest complete package


def arrival_of(cycle: Cycle, facts: Facts, now: datetime) -> Arrival | None:
    """The report of `facts.machine` at the awaited checkpoint; None while it is not there, or takes no part."""
    if cycle.status in ENDED or facts.machine not in cycle.participants or facts.machine in cycle.excused:
        return None
    status = facts.status
    if not _there(cycle, facts):
        return None
    return Arrival(
        agent=facts.machine,
        timestamp=now,
        cycle=cycle.id,
        checkpoint=cycle.checkpoint,
        round=cycle.round,
        status=status.status if status else "unknown",
        divergences=digest_of(facts.decisions, listed_by(cycle, facts.machine)),
        divergences_count=status.divergences_count if status else 0,
        accepted=status.accepted_differences if status else 0,
        version=facts.version,
        baseline_revision=status.baseline_revision if status else 0,
        package=facts.package,
    )


def looks_at(cycle: Cycle) -> bool:
    """Does this state have a machine look at its files again? Else what is known of it is enough to answer.

    A cycle that was stopped, or may have been, held back what a policy applies: then all is looked at again.
    """
    return cycle.checkpoint in LOOKED or cycle.status != "running" or bool(cycle.escalations)


def taking_part(cycle: Cycle) -> list[str]:
    """The participants that nobody excused: what is open elsewhere keeps nobody from going on."""
    return [machine for machine in cycle.participants if machine not in cycle.excused]


def stopped_at(cycle: Cycle) -> int:
    """The level at which it is stopped: from 2 on no policy applies anything on its machines, at 3 nobody does."""
    return cycle.stopped if cycle.status == "waiting" else 0


def listed_by(cycle: Cycle, machine: str) -> list[str]:
    """The participants whose divergences this one lists at DIFFS."""
    return taking_part(cycle) if each_with_each(cycle) else [machine]


def open_divergences(decisions: Iterable[Decision], participants: Iterable[str]) -> list[Decision]:
    """The fleet's divergences that wait for an end, in one order on every machine."""
    taking = frozenset(participants)
    found = [d for d in decisions if d.machine in taking and d.reference == "baseline" and d.status in OPEN]
    return sorted(found, key=lambda d: (d.machine, d.entity, d.id))


def digest_of(decisions: Iterable[Decision], participants: Iterable[str]) -> str:
    """By which two machines see that they list the same divergences."""
    return digest(
        [[d.machine, d.id, d.local.digest, d.remote.digest] for d in open_divergences(decisions, participants)]
    )


def _there(cycle: Cycle, facts: Facts) -> bool:
    status = facts.status
    match cycle.checkpoint:
        case "init" | "version":
            return True  # that it was read, and that the answer arrives, is what is asked
        case "status":
            others = set(taking_part(cycle)) - {facts.machine} if each_with_each(cycle) else set()
            return status is not None and others <= facts.statuses
        case "diffs":
            return status is not None and status.status != "unknown"
        case "collected":
            return facts.package is not None
        case "baseline":
            return status is not None and status.baseline_revision > 0
        case "resolution":
            return not open_divergences(facts.decisions, (facts.machine,))
        case "final" | "synced":
            return status is not None and status.status == "synced"
    return False
