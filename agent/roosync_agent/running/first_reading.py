"""An agent that has just started knows of no decision and nobody: whoever asks it waits until it has read the fleet.

Without this, the moment after a crash looks like a fleet in which nothing waits and nobody ever said anything.
"""

import asyncio
import contextlib
import time

from roosync_agent.session import Session

CONNECTING = 3.0  # seconds after the start; an agent without a broker answers then, and says that it is away
READING = 30.0  # seconds after the start, when the broker is there; a large fleet takes a few
LOOK = 0.05  # seconds between two looks whether the broker is there
AT_ONCE = frozenset({"doctor", "update_health", "pause"})  # verbs that tell of an agent that gets nowhere, or hold it
UNREAD = (
    "the agent of this machine starts, and has not read yet how the fleet stands: ask again in a moment; if it stays "
    "so, `roosync doctor` says what is in its way"
)


class FirstReading:
    """`done` is set when the whole state was read once."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self._began = time.monotonic()

    async def over_for(self, verb: str, session: Session) -> bool:
        """May it be answered? False when the broker is there, and has not told everything in time."""
        while verb not in AT_ONCE and not self.done.is_set():
            age = time.monotonic() - self._began
            if age > (READING if session.reachable else CONNECTING):
                return not session.reachable
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self.done.wait()
        return True
