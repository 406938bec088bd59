"""What changed since: a count, and its last value by kind, so that a face is told instead of asking again and again.

A face says how far it has seen (`mark`), and waits (`operations.waiting`). The mark is a level, not an event: whoever
was away, or slow, is told each kind once, however often it changed meanwhile. A mark of another process (the agent was
started anew) means that all of it may have changed.
"""

import asyncio
import contextlib
import secrets

from roosync_protocol.subjects import KINDS

HERE = "here"  # what only this machine knows of itself: its files, its pause, whether the broker answers


class Changes:
    """The counts of one process. `note` may be called as often as one likes."""

    def __init__(self) -> None:
        self.waiting = 0  # who waits for a change at this moment
        self._life = secrets.token_hex(4)
        self._count = 0
        self._last: dict[str, int] = {}
        self._bell = asyncio.Event()

    @property
    def mark(self) -> str:
        return f"{self._life}.{self._count}"

    def note(self, *kinds: str) -> None:
        self._count += 1
        self._last |= dict.fromkeys(kinds, self._count)
        self._bell.set()
        self._bell = asyncio.Event()

    def everything(self) -> None:
        """Facts may have been missed, and the view was read anew."""
        self.note(HERE, *(kind.name for kind in KINDS))

    def since(self, mark: str) -> list[str] | None:
        """The kinds that changed after `mark`; None when it is not of this process, and so nothing is known."""
        life, _, count = mark.partition(".")
        if life != self._life or not (count.isascii() and count.isdigit()) or len(count) > 18:
            return None
        return sorted(kind for kind, last in self._last.items() if last > int(count))

    async def woken(self, seconds: float) -> None:
        """Returns at the next change, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
