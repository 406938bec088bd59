"""STATE/releases: a folder for each version, made beside the one that runs; which one runs; what room they take.

    releases/<version>/      a whole release, or one that is being made: only the journal tells which
    releases/source.git/     the git recipe's own copy of its source
    releases/current.json    what `roosync up` starts, and what it started before
    releases/step.log        what a step of a recipe prints while it runs

Nothing here follows a link: a release is a stranger's files until it runs.
"""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, convert

from roosync_agent.state import State, StateError
from roosync_agent.updating.journal import Release
from roosync_protocol.messages.law import Version

CURRENT = "releases/current.json"
SOURCE = "source.git"
KEPT = frozenset({SOURCE, "current.json"})
_CASE = re.compile(r"[^0-9a-z.+-]")


class Current(Struct, frozen=True, kw_only=True):
    running: Release
    previous: Release | None = None


class Releases:
    def __init__(self, state: State) -> None:
        self._state = state
        self.folder = state.folder / "releases"

    def prepare(self) -> None:
        """StateError when the folder is not a folder of ours: a link there would have us write somewhere else."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.lstat()
            foreign = hasattr(os, "getuid") and found.st_uid != os.getuid()
            if not stat.S_ISDIR(found.st_mode) or foreign:
                raise StateError(f"{self.folder} is a link, or not this user's: move it away; it is made again")
            self.folder.chmod(0o700)
        except OSError as error:
            raise StateError(f"{self.folder} can not be used: {error.strerror}") from error

    def place(self, version: str) -> Path:
        """Where this version is made. ValueError for what is no version: nothing else may become a path."""
        name = _CASE.sub("_", convert(version, Version).lower())  # systems differ in whether A and a are one name
        return self.folder / name

    def clear(self, path: Path) -> None:
        """Takes away a folder of ours, or a link in its place; never what a link leads to. OSError when it stays."""
        if path.parent != self.folder:
            raise ValueError(f"{path} is not in {self.folder}")
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            _removed(path)

    def sweep(self, *kept: Release | None) -> list[str]:
        """Takes away everything but these releases; names of what went. What can not go stays for the next time."""
        names = {one.folder for one in kept if one is not None}
        gone = []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() and not self.folder.is_symlink() else []:
            if path.name in names or path.name in KEPT or path.name.startswith(".current.json."):
                continue
            with contextlib.suppress(OSError):
                self.clear(path)
                gone.append(path.name)
        return gone

    def current(self) -> Current | None:
        return self._state.read(CURRENT, Current)

    def set_current(self, running: Release, previous: Release | None) -> None:
        self.prepare()
        self._state.write(CURRENT, Current(running=running, previous=previous))

    def there(self, release: Release) -> bool:
        """Can it be started, as far as its folder shows?"""
        return not release.folder or (self.folder / release.folder).is_dir()


def size_of(folder: Path) -> int:
    """Bytes that it takes on the disk; links count as themselves. What goes away meanwhile does not count."""
    return sum(_bytes(found) for found in _below(folder))


def links_out(folder: Path) -> Iterator[Path]:
    """Links in it that lead out of it: whoever writes through one writes somewhere else. OSError: not all was seen."""
    top, waiting = Path(os.path.realpath(folder)), [folder]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for one in found:
                if one.is_dir(follow_symlinks=False):
                    waiting.append(Path(one.path))
                elif one.is_symlink() and not Path(os.path.realpath(one.path)).is_relative_to(top):
                    yield Path(one.path).relative_to(folder)


def _removed(top: Path) -> None:
    """Folders go up to the top before they are emptied: so deep a tree may be that no path, and no stack, reaches down.

    A build may leave folders that nobody may write to.
    """
    mark, number, waiting = secrets.token_hex(8), 0, [top]
    while waiting:
        folder = waiting.pop()
        folder.chmod(0o700)
        with os.scandir(folder) as found:
            entries = [(Path(one.path), one.is_dir(follow_symlinks=False)) for one in found]
        for path, is_folder in entries:
            if not is_folder:
                path.unlink()
            elif folder == top:
                waiting.append(path)
            else:
                number += 1
                waiting.append(_up(path, top / f"{mark}-{number}"))
        if folder != top:
            folder.rmdir()
    top.rmdir()


def _up(path: Path, place: Path) -> Path:
    path.chmod(0o700)  # to move a folder, its own entry `..` is written
    return path.rename(place)


def _below(folder: Path) -> Iterator[os.stat_result]:
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as found:
            for one in found:
                if one.is_dir(follow_symlinks=False):
                    waiting.append(Path(one.path))
                with contextlib.suppress(OSError):
                    yield one.stat(follow_symlinks=False)


def _bytes(found: os.stat_result) -> int:
    blocks = getattr(found, "st_blocks", None)
    return found.st_size if blocks is None else int(blocks) * 512
