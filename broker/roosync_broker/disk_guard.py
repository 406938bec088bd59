"""When the disk was full: nats-server 2.15 then refuses to write, without a word, until it is started again.

A stream that met "no space left" stays in that state when there is room again, and posts on it get no answer
(tried). So the supervisor reads the server's log for it, tells a person at once, and starts the server again
when there is room.
"""

import shutil
from enum import StrEnum
from pathlib import Path

ROOM = 64 * 1024 * 1024  # bytes free from which writing is worth another try
NEARLY_FULL = 512 * 1024 * 1024  # bytes free below which a person should know
_SIGN = b"rite error"  # "critical write error", "Critical write error"
_READ = 1024 * 1024


class Disk(StrEnum):
    FINE = "fine"
    NEARLY_FULL = "nearly full"
    STUCK = "stuck"  # writing failed, and there is still no room
    RECOVERABLE = "recoverable"  # writing failed, and there is room again: start the server again


class DiskGuard:
    """Looks at one server's folder and log. `look` is called every few seconds."""

    def __init__(self, state: Path, log: Path) -> None:
        self._state, self._log = state, log
        self._offset = 0
        self._failed = False

    def begin(self) -> None:
        """A server was started: what its log says from now on counts."""
        self._failed = False
        self._offset = self._size()

    def look(self) -> Disk:
        free = self.free()
        self._failed = self._failed or _SIGN in self._news()
        if self._failed:
            return Disk.RECOVERABLE if free >= ROOM else Disk.STUCK
        return Disk.NEARLY_FULL if free < NEARLY_FULL else Disk.FINE

    def free(self) -> int:
        """Bytes that can still be written where the streams are."""
        try:
            return shutil.disk_usage(self._state).free
        except OSError:
            return NEARLY_FULL

    def _news(self) -> bytes:
        size = self._size()
        if size < self._offset:  # the log was turned
            self._offset = 0
        try:
            with self._log.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_READ)
        except OSError:
            return b""
        self._offset += len(data)
        return data

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0
