"""What machines said at the checkpoints of cycles, by cycle: of each the last word, and of so many cycles each.

Whoever makes up cycles pushes out only what it said itself, so nobody's word is taken away by somebody else.
"""

from roosync_protocol.cycle import ROUTES
from roosync_protocol.envelope import Heard

CYCLES = 200  # whose arrivals are kept of each machine, the ones that it spoke of last
CHECKPOINTS = frozenset(one for route in ROUTES.values() for one in route)

Place = tuple[str, str]  # checkpoint and machine


class HeardArrivals(dict[str, dict[Place, Heard]]):
    """The arrivals by the id of their cycle."""

    def __init__(self) -> None:
        super().__init__()
        self._spoken: dict[str, dict[str, None]] = {}  # by machine: the cycles that it spoke of, the last one last

    def keep(self, cycle: str, checkpoint: str, heard: Heard) -> None:
        """`checkpoint`: one of `CHECKPOINTS`, or one machine could make up any number of places."""
        kept = self.setdefault(cycle, {})
        place = checkpoint, heard.speaker
        known = kept.get(place)
        if known is None or heard.sequence >= known.sequence:
            kept[place] = heard
        spoken = self._spoken.setdefault(heard.speaker, {})
        spoken.pop(cycle, None)
        spoken[cycle] = None
        while len(spoken) > CYCLES:
            self._forget(next(iter(spoken)), heard.speaker)

    def clear(self) -> None:
        super().clear()
        self._spoken.clear()

    def _forget(self, cycle: str, speaker: str) -> None:
        del self._spoken[speaker][cycle]
        left = {place: heard for place, heard in self.pop(cycle, {}).items() if place[1] != speaker}
        if left:
            self[cycle] = left
