"""Who of the machines that a wave waits for is there at all? Asked directly: a dead one is named in two seconds.

A machine that does not answer twice in a row counts as silent, and that is told to the leader, who writes it down. The
questions come with the opening of a wave and then in growing distances; nobody asks while nobody is waited for.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from roosync_agent.operations.coordination import pinging

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

BACK = 5.0  # seconds after our own connection came back: the others connect again as well
FIRST = 0.2  # seconds after a wave was opened: who is quick has ended by then
LATER = 2.0  # seconds until it is asked again; doubled each time
SELDOM = 60.0  # and no more than that


class Calling:
    """The questions about one open wave. `place` says which: with another one everything begins anew."""

    def __init__(self, machine: "Machine", place: tuple[object, ...]) -> None:
        self._machine = machine
        self.place = place
        self.silent: frozenset[str] = frozenset()
        self.asked: frozenset[str] = frozenset()  # since the time was over
        self._late = False
        self._pause = LATER
        self.at = _time() + FIRST
        self._times = 0  # that our own connection was lost

    def be_late(self) -> None:
        """The time of the wave is over: everybody who is waited for is asked once more, now."""
        if not self._late:
            self._late, self.at = True, _time()

    def begin_again(self) -> None:
        """After our own connection was lost: who was silent meanwhile may have been there."""
        self.silent = self.asked = frozenset()
        self.at, self._pause = _time() + BACK, LATER
        self._times += 1

    async def ask(self, names: Iterable[str], wake: Callable[[], None]) -> None:
        """One round of questions. `wake` is called when it told something."""
        times, late, wanted = self._times, self._late, [name for name in names if name != self._machine.name]
        self.at, self._pause = _time() + self._pause, min(SELDOM, self._pause * 2)
        silent = await pinging.silent_of(self._machine, wanted)
        if silent is None:
            self.begin_again()
        if silent is None or times != self._times:  # lost, and perhaps back by now: an answer may have been lost too
            return
        self.silent = (self.silent - {*wanted}) | silent
        if late:
            self.asked |= {*wanted, self._machine.name}
        if silent or late:
            wake()


def _time() -> float:
    return asyncio.get_running_loop().time()
