"""How long each cycle awaits its checkpoint, as this machine lived it: by its own steady clock, and by no other.

The moments in a cycle's record are those of whoever wrote them, and clocks differ; so who leads, or may lead next,
counts for itself. Time without the bus is counted apart, because a short loss only pauses a cycle; of the time in which
this process was stopped no more than `ASLEEP` counts, as either: it knows nothing of what the bus was then.
"""

from collections.abc import Callable, Iterable

from roosync_protocol.messages import Cycle

ASLEEP = 10.0  # seconds between two samples, beyond which this process was not running


class Awaited:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: tuple[float, bool] | None = None  # of the last sample: when, and was the bus there
        self._known: dict[str, tuple[tuple[object, ...], float, float]] = {}  # cycle -> place, awaited, bus away

    def sample(self, cycles: Iterable[Cycle], *, there: bool) -> None:
        """To be called often. `cycles` are those that have not ended; `there`: is the bus."""
        now = self._clock()
        passed, away = 0.0, 0.0
        if self._last is not None:
            since, was_there = self._last
            seconds = min(now - since, ASLEEP)
            passed, away = (seconds, 0.0) if there and was_there else (0.0, seconds)
        self._last = now, there
        known = self._known
        self._known = {}
        for cycle in cycles:
            place = cycle.checkpoint, cycle.round, cycle.status, cycle.entered
            before, awaited, lost = known.get(cycle.id, (None, 0.0, 0.0))
            if before == place:
                self._known[cycle.id] = place, awaited + passed, lost + away
            else:
                self._known[cycle.id] = place, 0.0, 0.0

    def of(self, cycle: Cycle) -> tuple[float, float]:
        """Seconds that its checkpoint was awaited, and seconds that the bus was away meanwhile."""
        _, awaited, lost = self._known.get(cycle.id, (None, 0.0, 0.0))
        return awaited, lost
