"""How a cycle went, in the founding protocol's figures (5-protocols, "Reports, field for field")."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from roosync_protocol.messages import Cycle, Decision, MetricReport

SUCCESS = frozenset({"applied", "promoted", "kept_special", "rejected"})


def metric_report(cycle: Cycle, decisions: Iterable[Decision], agent: str, now: datetime) -> MetricReport:
    """Field for field as seed 004 has it; durations from the record's own moments."""
    ours = [d for d in decisions if d.machine in cycle.participants and d.timestamp >= cycle.started]
    statuses: Counter[str] = Counter(d.status for d in ours)
    ended = cycle.reached[-1].at if cycle.reached else now
    times = [cycle.started, *(one.at for one in cycle.reached)]
    latencies = [(b - a).total_seconds() for a, b in pairwise(times)]
    return MetricReport(
        agent=agent,
        timestamp=now,
        test_session=cycle.id,
        duration_minutes=round((ended - cycle.started).total_seconds() / 60, 3),
        checkpoints_reached=tuple(one.checkpoint.upper() for one in cycle.reached),
        sync_latency_avg_seconds=round(sum(latencies) / len(latencies), 3) if latencies else 0.0,
        decisions_total=len(ours),
        decisions_success=sum(statuses[status] for status in SUCCESS),
        decisions_rollback=len(cycle.failures) + statuses["rolled_back"] - _again(cycle, ours),
        divergences_detected=max((one.divergences for one in cycle.reached), default=0),
        divergences_resolved=sum(statuses[status] for status in SUCCESS),
    )


def _again(cycle: Cycle, decisions: list[Decision]) -> int:
    """Attempts that stand in the record as failed and are still the decision's last: counted once."""
    return sum(f"{d.machine}/{d.id}/{d.attempt}" in cycle.failures for d in decisions if d.status == "rolled_back")
