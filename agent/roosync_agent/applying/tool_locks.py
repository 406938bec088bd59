"""The locks that assistants take on their own files, respected and held while we write.

Roo Code (and who uses the npm package proper-lockfile) makes a folder `<file>.lock` and touches it; one that
was not touched for 31 s belongs to nobody any more. Some lock the name they know, others the file it links to.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileBusyError, FileRefusedError

STALE = 31.0  # seconds
PATIENCE = 3.0  # seconds to wait for a fresh one
PAUSE = 0.05
TICK = 50 * 10**6  # nanoseconds that a file system's clock may be behind
OURS = 10 * 10**9  # nanoseconds after a transaction was noted in which its locks are made


def folders_of(door: Door, path: Path, real_path: Path) -> list[Path]:
    """The lock folders of one file; none where there is no folder to make them in."""
    both = dict.fromkeys(file.with_name(file.name + ".lock") for file in (path, real_path))
    return [lock for lock in both if door.stat(lock.parent).kind == "folder"]


@contextmanager
def held(door: Door, locks: Iterable[Path]) -> Iterator[None]:
    """Holds each lock folder; FileBusyError when one is in use. Given back in any case."""
    with ExitStack() as stack:
        for lock in sorted(set(locks)):  # one order for everybody: two never wait for each other
            _take(door, lock)
            stack.callback(door.remove_folder, lock)
        yield


def leave(door: Door, locks: Iterable[Path], since: int) -> None:
    """Give back what a process of ours held when it died; `since` is when it noted that it would, in ns."""
    for lock in locks:
        with suppress(FileRefusedError):
            if since - TICK <= door.stat(lock).mtime_ns <= since + OURS:
                door.remove_folder(lock)


def _take(door: Door, lock: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not door.make_folder(lock):
        state = door.stat(lock)
        if state.exists and time.time() - state.mtime_ns / 1e9 > STALE and door.remove_folder(lock):
            continue
        if time.monotonic() > deadline:
            raise FileBusyError(lock, "its assistant is writing the file at this moment")
        time.sleep(PAUSE)
