"""The managed files as they were when they were last believed: what `roosync quarantine repair` puts back.

    last_good/index.json     what is kept of which file, and since when
    last_good/<sha256>.bin   the bytes, named by their content

Kept are files that hold entities of ours, at most 4 MB each and 64 MB together, the newest first. They hold secrets:
mode 0600 in a folder 0700, never sent. A look at files that did not change writes nothing. What can not be kept
stops nothing else: it is told where somebody asks for a repair.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.collecting.collection import CollectedFile
from roosync_agent.files.door import Door, missing_parents, temporary_for
from roosync_agent.files.file_state import FileRefusedError

log = logging.getLogger("roosync.last_good")

MAX_FILE = 4 * 1024 * 1024  # bytes
MAX_ALL = 64 * 1024 * 1024
INDEX_LIMIT = 16 * 1024 * 1024


class Kept(Struct, frozen=True, kw_only=True):
    """One file as it was believed. `stored` is False when the bounds left no room for its bytes."""

    target: str
    name: str  # within the target
    path: str  # as managed
    real_path: str  # after its links, then
    sha256: str
    size: int
    mode: int
    format: str
    time: datetime  # when it was first believed as it is
    stored: bool = True

    @property
    def label(self) -> str:
        return f"{self.target}/{self.name}"


class NotKeptError(Exception):
    """The bytes are not there, or are not what was kept."""


class LastGood:
    def __init__(self, door: Door, state: Path) -> None:
        self._door = door
        self.folder = state / "last_good"
        self._index: dict[str, Kept] | None = None
        self._trouble = ""

    @property
    def files(self) -> Mapping[str, Kept]:
        """By label, `<target>/<name>`. Empty when nothing was kept yet; what is lost of it is kept anew."""
        if self._index is None:
            there = set(self._names())
            found = self._read_index()
            self._index = {one.label: one for one in found if not one.stored or self._blob(one.sha256).name in there}
        return self._index

    def keep(self, files: Iterable[CollectedFile], also: frozenset[str], now: datetime) -> None:
        """From now on `files` are the last good ones; of the others only those named in `also` stay as they were."""
        known = self.files
        fresh = {file.label: file for file in files if file.keys}
        wanted = {label: kept for label, kept in known.items() if label in also and label not in fresh}
        changed = []
        for label, file in fresh.items():
            old = known.get(label)
            if old is not None and (old.sha256, old.path) == (file.sha256, str(file.path)):
                wanted[label] = old
            else:
                changed.append(file)
        if not changed and wanted.keys() == known.keys():
            return
        try:
            self._write(wanted, changed, now)
            self._trouble = ""
        except FileRefusedError as error:  # a full disk, say; tried again at the next look
            if str(error) != self._trouble:
                log.warning("what `roosync quarantine repair` would put back could not be kept: %s", error.reason)
            self._trouble = str(error)

    def bytes_of(self, kept: Kept) -> bytes:
        """NotKeptError, with the reason in words, when they are not there or not what was kept."""
        if not kept.stored:
            raise NotKeptError(
                f"no copy of {kept.label} is kept: it has {kept.size} bytes, and {MAX_FILE} of a file and {MAX_ALL} in "
                "all are kept"
            )
        try:
            data = self._door.read(self._blob(kept.sha256), MAX_FILE).data
        except FileRefusedError as error:
            raise NotKeptError(f"the copy of {kept.label} can not be read: {error.reason}") from error
        if data is None or sha256(data).hexdigest() != kept.sha256:
            raise NotKeptError(f"the copy of {kept.label} is damaged or gone")
        return data

    # -- inside

    def _write(self, wanted: dict[str, Kept], changed: list[CollectedFile], now: datetime) -> None:
        for folder in missing_parents(self._door, self.folder / "x"):
            self._door.make_folder(folder, mode=0o700)
        there = set(self._door.names(self.folder))
        data: dict[str, bytes] = {}
        for file in changed:
            state = self._door.read(file.path)
            if state.data is None or state.sha256 != file.sha256:
                continue  # it changed since it was collected; the next look takes it in
            kept = Kept(
                target=file.target,
                name=file.name,
                path=str(file.path),
                real_path=str(state.real_path),
                sha256=file.sha256,
                size=state.size,
                mode=state.mode,
                format=file.format,
                time=now,
            )
            wanted[kept.label] = kept
            if kept.size <= MAX_FILE:
                data[kept.sha256] = state.data
        index = _bounded(wanted.values())
        stored = {kept.sha256 for kept in index if kept.stored}
        for sha in sorted(data.keys() & stored):
            if self._blob(sha).name not in there:
                self._store(self._blob(sha), data[sha])
        self._door.sync_folder(self.folder)
        self._door.write(self.folder / "index.json", msgspec.json.encode(index))
        self._index = {kept.label: kept for kept in index}
        for name in there - {"index.json"} - {self._blob(sha).name for sha in stored}:
            self._door.remove(self.folder / name)

    def _store(self, path: Path, data: bytes) -> None:
        temporary = temporary_for(path, "own")
        self._door.remove(temporary)  # of a process that was killed here
        self._door.prepare(temporary, data, mode=0o600)
        self._door.replace(temporary, path)

    def _blob(self, sha: str) -> Path:
        return self.folder / f"{sha}.bin"

    def _names(self) -> list[str]:
        try:
            return self._door.names(self.folder)
        except FileRefusedError:
            return []

    def _read_index(self) -> list[Kept]:
        try:
            data = self._door.read(self.folder / "index.json", INDEX_LIMIT).data
            return msgspec.json.decode(data or b"[]", type=list[Kept])
        except (FileRefusedError, msgspec.DecodeError, UnicodeDecodeError):
            return []


def _bounded(files: Iterable[Kept]) -> list[Kept]:
    """In the order of their labels; of what is beyond the bounds only the entry is left, so that it is told."""
    total = 0
    index = []
    for kept in sorted(files, key=lambda one: (-one.time.timestamp(), one.label)):
        fits = kept.stored and kept.size <= MAX_FILE and total + kept.size <= MAX_ALL
        total += kept.size if fits else 0
        index.append(replace(kept, stored=fits))
    return sorted(index, key=lambda one: one.label)
