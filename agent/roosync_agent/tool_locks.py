"""The locks that assistants take on their own files, respected and held while we write.

Roo Code (and who uses the npm package proper-lockfile) makes a folder `<file>.lock` and touches it; one that
was not touched for 31 s belongs to nobody any more.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from roosync_agent.file_state import FileBusyError
from roosync_agent.files import Door

STALE = 31.0  # seconds
PATIENCE = 3.0  # seconds to wait for a fresh one
PAUSE = 0.05


@contextmanager
def held(door: Door, files: list[Path]) -> Iterator[None]:
    """Holds the lock of each file; FileBusyError when one is in use. Given back in any case."""
    with ExitStack() as stack:
        for file in files:
            lock = file.with_name(file.name + ".lock")
            _take(door, lock, file)
            stack.callback(door.remove_folder, lock)
        yield


def _take(door: Door, lock: Path, file: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not door.make_folder(lock):
        age = time.time() - door.stat(lock).mtime_ns / 1e9
        if age > STALE:
            door.remove_folder(lock)
        elif time.monotonic() > deadline:
            raise FileBusyError(file, "its assistant is writing it at this moment")
        else:
            time.sleep(PAUSE)
