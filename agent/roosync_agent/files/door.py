"""The one door to the user's files: every touch of them goes through here, and nowhere else.

    RealDoor           the disk: reads with limits, writes whole files or nothing
    dry_door.DryDoor   the same interface, writes kept in memory: a dry run is the same code with another door

Writing never opens the user's file: a temporary is written and fsynced beside the *real* file (after every symbolic
link), with its mode and owner, and takes its place by one rename. So links, modes and owners stay what they are.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from roosync_agent.files.file_state import (
    FileBusyError,
    FileRefusedError,
    FileState,
    Tree,
    in_words,
    require_file,
    state_of,
)

LIMIT = 16 * 1024 * 1024  # bytes of one file; the largest real configuration seen is 0.4 MB
TREE_LIMIT = 2_000  # files of one tree
TREE_DEPTH = 12
PASSED_OVER = frozenset({".git", "node_modules", "__pycache__", ".venv", "venv"})  # folders nobody keeps in step
MARK = ".roosync-"  # in the name of each temporary of ours
SHARING_RETRY = 2.0  # seconds; Windows refuses to replace a file that somebody has open

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO must not wait for its other end
_BINARY = getattr(os, "O_BINARY", 0)


class Door(Protocol):
    """Every method raises FileRefusedError with a reason in words; FileBusyError when waiting may help."""

    def stat(self, path: Path) -> FileState: ...
    def read(self, path: Path, limit: int = LIMIT) -> FileState: ...
    def names(self, folder: Path) -> list[str]: ...
    def tree(self, folder: Path) -> Tree: ...
    def prepare(self, temporary: Path, data: bytes, *, mode: int, like: FileState | None = None) -> None: ...
    def replace(self, temporary: Path, target: Path) -> None: ...
    def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None: ...
    def remove(self, path: Path) -> None: ...
    def make_folder(self, path: Path, *, mode: int = 0o755) -> bool: ...
    def remove_folder(self, path: Path) -> bool: ...
    def sync_folder(self, path: Path) -> None: ...
    def lock(self, path: Path) -> AbstractContextManager[None]: ...


class RealDoor:
    """The disk. Stateless: one for a process is enough, and it may be shared between threads."""

    def stat(self, path: Path) -> FileState:
        """What is at `path`, every symbolic link followed; `kind` is "missing" when there is nothing."""
        with in_words(path):
            try:
                info = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return FileState(path, path.resolve(), "missing", dangling=path.is_symlink())
            return state_of(path, path.resolve(), info)

    def read(self, path: Path, limit: int = LIMIT) -> FileState:
        """The whole file, at most `limit` bytes. Missing is a state, not an error; anything but a file is an error."""
        state = self.stat(path)
        if not state.exists:
            return state
        with in_words(path):
            require_file(state, limit)
            try:
                handle = os.open(state.real_path, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT | _BINARY)
            except FileNotFoundError:  # between the look and the opening: an editor renames
                return FileState(path, state.real_path, "missing")
            with os.fdopen(handle, "rb") as file:
                state = state_of(path, state.real_path, os.fstat(handle))
                require_file(state, limit)
                data = file.read(limit + 1)
        if len(data) > limit:
            raise FileRefusedError(path, f"it grew beyond {limit} bytes while it was read")
        return replace(state, data=data, size=len(data))

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none when there is no such folder."""
        with in_words(folder):
            try:
                return sorted(entry.name for entry in folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def tree(self, folder: Path) -> Tree:
        """The files below a folder, links to folders followed once each; bounded in number and depth."""
        found: list[str] = []
        faults: list[tuple[str, str]] = []
        seen: set[tuple[int, int]] = set()
        waiting = deque([(folder, "", 0)])  # links to folders wait at the end: the folder's own name wins
        while waiting:
            here, prefix, depth = waiting.popleft()
            try:
                entries = _entries(here, seen)
            except FileRefusedError as error:
                faults.append((prefix or ".", error.reason))
                continue
            for entry in entries:
                name = prefix + entry.name
                if entry.name in PASSED_OVER:
                    continue
                if _is_folder(entry) and depth < TREE_DEPTH:
                    below = (here / entry.name, name + "/", depth + 1)
                    (waiting.append if entry.is_symlink() else waiting.appendleft)(below)
                elif _is_folder(entry):
                    faults.append((name, f"folders are nested deeper than {TREE_DEPTH}"))
                elif len(found) < TREE_LIMIT:
                    found.append(name)
                else:
                    faults.append((prefix or ".", f"more than {TREE_LIMIT} files"))
                    return Tree(tuple(sorted(found)), tuple(faults))
        return Tree(tuple(sorted(found)), tuple(faults))

    def prepare(self, temporary: Path, data: bytes, *, mode: int, like: FileState | None = None) -> None:
        """Write and fsync a new file that will take another's place. On failure nothing of it is left behind."""
        with in_words(temporary):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
            handle = os.open(temporary, flags, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    _own(handle, mode, like)
                    os.fsync(handle)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def replace(self, temporary: Path, target: Path) -> None:
        """The rename: at every instant `target` is whole, old or new. Sharing violations are retried for 2 s."""
        with in_words(target):
            _retry(lambda: temporary.replace(target))

    def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        """A file of our own (journal, snapshot), whole or not at all, on the disk when this returns."""
        temporary = temporary_for(path, "own")
        temporary.unlink(missing_ok=True)  # of a process that was killed here
        self.prepare(temporary, data, mode=mode)
        self.replace(temporary, path)
        self.sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file; that it is gone already is no error."""
        with in_words(path):
            if os.path.lexists(path):  # a read-only folder refuses also to remove what is not there
                _retry(lambda: path.unlink(missing_ok=True))

    def make_folder(self, path: Path, *, mode: int = 0o755) -> bool:
        """One folder, its parent being there; False when it is there already: making one is taking a lock."""
        with in_words(path):
            try:
                path.mkdir(mode)
            except FileExistsError:
                return False
            return True

    def remove_folder(self, path: Path) -> bool:
        """Remove an empty folder; False, and nothing done, when it is not empty or not there."""
        with suppress(OSError):
            path.rmdir()
            return True
        return False

    def sync_folder(self, path: Path) -> None:
        """Make renames and removals in this folder survive a power cut (POSIX; Windows has no such call)."""
        if os.name == "nt":
            return
        with in_words(path):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def lock(self, path: Path) -> AbstractContextManager[None]:
        """One process at a time; FileBusyError when another has it. The system frees it when a process dies."""
        return _held(path)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with in_words(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        try:
            _lock_handle(handle)
        except OSError as error:
            raise FileBusyError(path, "another roosync process is applying") from error
        yield
    finally:
        os.close(handle)


if os.name == "nt":  # pragma: no cover
    import msvcrt

    def _lock_handle(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
else:
    import fcntl

    def _lock_handle(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def temporary_for(target: Path, transaction: str) -> Path:
    """Beside the target, so that the rename stays on one file system; hidden, and known as ours by MARK."""
    return target.with_name(f".{target.name[:80]}{MARK}{transaction}.tmp")


def make_parents(door: Door, path: Path) -> list[Path]:
    """Make the folders above `path` that are missing; returns those that were made, outermost first."""
    return [folder for folder in missing_parents(door, path) if door.make_folder(folder)]


def missing_parents(door: Door, path: Path) -> list[Path]:
    """The folders above `path` that do not exist, outermost first."""
    missing: list[Path] = []
    for folder in path.parents:
        if door.stat(folder).exists:
            break
        missing.append(folder)
    return missing[::-1]


def _entries(folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """What is in a folder that was not visited yet, sorted; nothing when it is not there."""
    with in_words(folder):
        try:
            info = folder.stat()
            if (info.st_dev, info.st_ino) in seen:
                return []
            seen.add((info.st_dev, info.st_ino))
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links: reading it says so
        return False


def _own(handle: int, mode: int, like: FileState | None) -> None:
    """Owner first, then mode: changing the owner clears bits. Another's owner can be kept by root only."""
    if like is not None and hasattr(os, "fchown") and like.owner != (-1, -1):
        with suppress(PermissionError):
            os.fchown(handle, *like.owner)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, mode & 0o777)


def _retry(action: Callable[[], object]) -> None:
    """Windows only: an open file can not be replaced; most holders let go in a moment."""
    give_up = time.monotonic() + SHARING_RETRY
    while True:
        try:
            action()
            return
        except PermissionError as error:
            if getattr(error, "winerror", None) not in (5, 32, 33) or time.monotonic() > give_up:
                raise
            time.sleep(0.05)
