"""How long each cycle awaits its checkpoint, or a rollout its wave, as this machine lived it: by its own steady clock.

The moments in a record are those of whoever wrote them, and clocks differ; so who leads, or may lead next,
counts for itself. Time without the bus is counted apart, because a short loss only pauses what is led; of the time in
which this process was stopped no more than `ASLEEP` counts, as either: it knows nothing of what the bus was then.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from roosync_protocol.messages import Cycle, Rollout

LedT = TypeVar("LedT", Cycle, Rollout)

ASLEEP = 10.0  # seconds between two samples, beyond which this process was not running


def checkpoint_of(cycle: Cycle) -> tuple[object, ...]:
    return cycle.checkpoint, cycle.round, cycle.status, cycle.entered


def wave_of(rollout: Rollout) -> tuple[object, ...]:
    return rollout.wave, rollout.round, rollout.status, rollout.opened, rollout.ended


class Awaited(Generic[LedT]):
    """`place`: what is awaited, so that the time begins anew when that is another."""

    def __init__(self, clock: Callable[[], float], place: Callable[[LedT], tuple[object, ...]]) -> None:
        self._clock = clock
        self._place: Callable[[LedT], tuple[object, ...]] = place
        self._last: tuple[float, bool] | None = None  # of the last sample: when, and was the bus there
        self._known: dict[str, tuple[tuple[object, ...], float, float]] = {}  # id -> place, awaited, bus away

    def sample(self, led: Iterable[LedT], *, there: bool) -> None:
        """To be called often. `led` are those that have not ended; `there`: is the bus."""
        now = self._clock()
        passed, away = 0.0, 0.0
        if self._last is not None:
            since, was_there = self._last
            seconds = min(now - since, ASLEEP)
            passed, away = (seconds, 0.0) if there and was_there else (0.0, seconds)
        self._last = now, there
        known = self._known
        self._known = {}
        for one in led:
            place = self._place(one)
            before, awaited, lost = known.get(one.id, (None, 0.0, 0.0))
            if before == place:
                self._known[one.id] = place, awaited + passed, lost + away
            else:
                self._known[one.id] = place, 0.0, 0.0

    def of(self, one: LedT) -> tuple[float, float]:
        """Seconds that its place was awaited, and seconds that the bus was away meanwhile."""
        _, awaited, lost = self._known.get(one.id, (None, 0.0, 0.0))
        return awaited, lost
