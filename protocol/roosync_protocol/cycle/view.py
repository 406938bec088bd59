"""What the holder of the orchestrator's lease sees at one moment: what `leading` and `triggers` judge by.

Nothing in it compares the clocks of two machines: how long a checkpoint is awaited is told by the leader's own steady
clock, and what stood before the cycle began by the order of the stream.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from roosync_protocol.messages import Arrival, Cycle, Decision, StatusReport


class View(Struct, frozen=True, kw_only=True):
    arrivals: Mapping[str, Arrival]  # the latest of each machine at the awaited checkpoint
    decisions: tuple[Decision, ...]
    present: frozenset[str] | None  # machines that answered a ping just now; None: nobody was pinged
    asked: frozenset[str] = frozenset()  # machines that were pinged
    earlier: frozenset[str] = frozenset()  # decisions that stand as they did before the cycle began
    statuses: Mapping[str, StatusReport] = {}
    baseline_revision: int = 0
    token: int = 0  # of its lease
    elapsed: float | None = None  # seconds the checkpoint is awaited, bus there; None: by the record's own moment
    outage: float = 0.0  # seconds that the bus was away meanwhile


def used(cycle: Cycle, view: View, now: datetime) -> float:
    """The share of the time for the awaited checkpoint that is over."""
    seconds = (now - cycle.entered).total_seconds() if view.elapsed is None else view.elapsed
    return seconds / (cycle.timeout_minutes * 60)
