"""How a cycle went, in the founding protocol's figures (5-protocols, "Reports, field for field")."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise

from msgspec import Struct

from roosync_protocol.cycle.triggers import FAILED, attempt_of
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Baseline, Cycle, Decision, MetricReport, StatusReport

SUCCESS = frozenset({"applied", "promoted", "kept_special", "rejected"})


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of a cycle's machines when a report is made."""

    decisions: tuple[Decision, ...]
    steps: Mapping[str, tuple[Decision, ...]] = {}  # by decision: what was said of it since, earlier attempts too
    statuses: Mapping[str, StatusReport] = {}
    baseline: Baseline | None = None
    earlier: frozenset[str] = frozenset()  # decisions that stand as they did before the cycle began


def earlier(cycle: Cycle, fleet: Fleet) -> frozenset[str]:
    """Decisions that stand as they did before a cycle began, by the order of the stream: clocks differ."""
    taking = frozenset(cycle.participants)
    ours = (d for d in fleet.decisions() if d.machine in taking)
    return frozenset(d.id for d in ours if fleet.decision(d.machine, d.id).since <= cycle.after)


def evidence_of(cycle: Cycle, fleet: Fleet) -> Evidence:
    taking = frozenset(cycle.participants)
    decisions = tuple(d for d in fleet.decisions() if d.machine in taking)
    old = earlier(cycle, fleet)
    return Evidence(
        decisions=decisions,
        steps={d.id: tuple(fleet.steps(d.machine, d.id, after=cycle.after)) for d in decisions if d.id not in old},
        statuses={m: status for m in cycle.participants if (status := fleet.status(m)) is not None},
        baseline=fleet.law.baseline,
        earlier=old,
    )


def of_cycle(cycle: Cycle, known: Evidence) -> list[Decision]:
    """The decisions that moved while the cycle ran, and those that it waited for."""
    taking = frozenset(cycle.participants)
    return [d for d in known.decisions if d.machine in taking and (d.id not in known.earlier or d.id in cycle.listed)]


def undone(cycle: Cycle, known: Evidence) -> dict[str, Decision | None]:
    """Each attempt that failed or was taken back, with what its machine said last; None: the broker kept none of it.

    Nobody but its machine says so. What a person took back counts too: it is a rollback, and no failure.
    """
    found: dict[str, Decision | None] = dict.fromkeys(cycle.failures)
    for decision in of_cycle(cycle, known):
        now = () if decision.id in known.earlier else (decision,)
        for one in (*known.steps.get(decision.id, ()), *now):
            if one.agent == one.machine == decision.machine and one.status in FAILED:
                found[attempt_of(one)] = one
    return found


def metric_report(cycle: Cycle, known: Evidence, agent: str, now: datetime) -> MetricReport:
    """Field for field as seed 004 has it; durations from the record's own moments."""
    ours = of_cycle(cycle, known)
    statuses: Counter[str] = Counter(d.status for d in ours)
    ended = cycle.reached[-1].at if cycle.reached else now
    success = sum(statuses[status] for status in SUCCESS)
    latencies = list(took(cycle))
    return MetricReport(
        agent=agent,
        timestamp=now,
        test_session=cycle.id,
        duration_minutes=round(max(0.0, (ended - cycle.started).total_seconds()) / 60, 3),
        checkpoints_reached=tuple(one.checkpoint.upper() for one in cycle.reached),
        sync_latency_avg_seconds=round(sum(latencies) / len(latencies), 3) if latencies else 0.0,
        decisions_total=len(ours),
        decisions_success=success,
        decisions_rollback=len(undone(cycle, known)),
        divergences_detected=max((one.divergences for one in cycle.reached), default=0),
        divergences_resolved=success,
    )


def took(cycle: Cycle) -> Iterable[float]:
    """Seconds between two checkpoints, or since the start; 0 where one leader's clock was behind another's."""
    times = [cycle.started, *(one.at for one in cycle.reached)]
    return (max(0.0, round((b - a).total_seconds(), 3)) for a, b in pairwise(times))
