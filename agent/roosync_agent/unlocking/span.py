"""How long the key stays unlocked: by the clock on the wall, which the person is told, and by the time that passed.

Whichever ends first. A laptop that slept has used its time up, though the clock that `time.monotonic` reads stood
still; and a wall clock that is put back makes it no longer.
"""

import sys
import time


class Span:
    def __init__(self, seconds: float) -> None:
        self._end, self.until = _passed() + seconds, time.time() + seconds

    def left(self) -> float:
        """Seconds; 0 when it is over."""
        return max(min(self._end - _passed(), self.until - time.time()), 0.0)


def _passed() -> float:
    """Seconds since some moment, those of sleep among them; nobody can set this clock."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # there it goes on in sleep, and Python's own does not
    return time.monotonic()
