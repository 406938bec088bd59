"""A folder of exports: whole files, only what changed, nothing outside the folder, and only our own taken away.

They are views for people and older tools, and are never read back. Names come from the bus and the folder may be
shared, so both are checked here: a name that leaves the folder, or a link that does, is skipped with its reason.
`.roosync-export.json` says which files were written here, with their hashes: of a mirrored folder what is gone from
the bus is removed, unless somebody changed it since. Everything else in the folder is left alone.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from roosync_agent.files.door import Door, RealDoor, make_parents, temporary_for
from roosync_agent.files.file_state import FileRefusedError, in_words
from roosync_agent.files.safe_names import safe_relative
from roosync_protocol.digest import digest_bytes
from roosync_protocol.entity import Skipped

MODE = 0o644  # no secret is in them, and others may read the folder
INDEX = ".roosync-export.json"
INDEX_FORMAT = "roosync.export.v1"
INDEX_LIMIT = 8 * 1024 * 1024  # bytes

Ignoring = Literal["", "lastUpdate", "timestamp", "heading"]  # a top-level key, or the first line, that is no change


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be there. `data` None: it is there already and stays as it is."""

    name: str  # relative, with `/`
    data: bytes | None
    ignoring: Ignoring = ""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What one export did; names are relative to the folder."""

    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


class Folder:
    """An export folder as it stands: what was written here before, and what is there now."""

    def __init__(self, path: Path, door: Door | None = None) -> None:
        self.path = path
        self._door = door or RealDoor()
        self._known = _index(self._door, path / INDEX)
        self._before = dict(self._known)

    def has(self, name: str, sha256: str | None = None, size: int | None = None) -> bool:
        """Is a file of ours there, with this content as far as its size tells? No byte of it is read."""
        if name not in self._known or (sha256 is not None and self._known[name] != sha256):
            return False
        try:
            state = self._door.stat(self._inside(name))
        except (FileRefusedError, ValueError):
            return False
        return state.kind == "file" and size in (None, state.size)

    def write(self, files: Iterable[File], *, mirrors: Iterable[str] = (), spared: Iterable[str] = ()) -> Exported:
        """Writes what is given; one file that can not be written is skipped with its reason, the others are written.

        `mirrors`: folders (`a/b/`) that hold exactly what is given, but for what is below one of the folders `spared`.
        """
        written: list[str] = []
        unchanged: list[str] = []
        skipped: list[Skipped] = []
        given: set[str] = set()
        for file in files:
            given.add(file.name)
            try:
                (written if self._write(file) else unchanged).append(file.name)
            except FileRefusedError as error:
                skipped.append(Skipped(path=file.name, reason=error.reason))
            except ValueError as error:
                skipped.append(Skipped(path=file.name, reason=str(error)))
        mirrored, kept = tuple(mirrors), frozenset(spared)
        removed = []
        for name in sorted(self._known.keys() - given):
            if name.startswith(mirrored) and kept.isdisjoint(_folders(name)):
                try:
                    reason = self._remove(name)
                except (FileRefusedError, ValueError) as error:
                    reason = str(error)
                if reason:
                    skipped.append(Skipped(path=name, reason=reason))
                else:
                    removed.append(name)
        self._save()
        return Exported(
            written=tuple(written), unchanged=tuple(unchanged), removed=tuple(removed), skipped=tuple(skipped)
        )

    def _inside(self, name: str) -> Path:
        """Where `name` is; ValueError when that is not in this folder, by its name or by a link."""
        path = self.path.joinpath(*safe_relative(name).split("/"))
        if not self._door.stat(path).real_path.is_relative_to(self._door.stat(self.path).real_path):
            raise ValueError("it is a link out of the folder")
        return path

    def _write(self, file: File) -> bool:
        path = self._inside(file.name)
        if file.data is None:
            return False
        known = self._door.read(path)
        if known.data is not None and _same(known.data, file.data, file.ignoring):
            self._known[file.name] = digest_bytes(known.data)
            return False
        make_parents(self._door, path)
        if self._door.stat(path.parent).kind != "folder":
            raise FileRefusedError(path, f"{path.parent.name!r} is no folder")
        self._put(path, file.data)
        self._known[file.name] = digest_bytes(file.data)
        return True

    def _put(self, path: Path, data: bytes) -> None:
        """Whole or not at all, and not forced onto the disk: a view can be made again, and there may be thousands."""
        temporary = temporary_for(path, "own")
        with in_words(path):
            temporary.unlink(missing_ok=True)  # of a process that was killed here
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                temporary.chmod(MODE)
                self._door.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _remove(self, name: str) -> str:
        """Why a file that is no longer wanted stays; nothing when it is gone."""
        path = self._inside(name)
        known = self._door.read(path)
        expected = self._known.pop(name)
        if known.data is not None and digest_bytes(known.data) != expected:
            return "it is no longer exported, and stays: somebody changed it"
        self._door.remove(path)
        folder = path.parent
        while folder != self.path and self._door.remove_folder(folder):
            folder = folder.parent
        return ""

    def _save(self) -> None:
        if self._known == self._before:
            return
        try:
            if self._door.stat(self.path).kind == "folder":
                data = json_bytes({"format": INDEX_FORMAT, "files": dict(sorted(self._known.items()))})
                self._put(self.path / INDEX, data)
                self._before = dict(self._known)
        except FileRefusedError:
            return  # the next export finds its files unchanged, and removes nothing that it does not know


def _folders(name: str) -> list[str]:
    """Each folder that `name` is below: `a/`, `a/b/`."""
    return [name[: at + 1] for at, letter in enumerate(name) if letter == "/"]


def json_bytes(value: Any) -> bytes:
    return (json.dumps(msgspec.to_builtins(value, str_keys=True), ensure_ascii=False, indent=2) + "\n").encode()


class _Index(msgspec.Struct):
    format: str
    files: dict[str, str]


def _index(door: Door, path: Path) -> dict[str, str]:
    """What was written here before; nothing when that can not be read: then nothing is removed either."""
    try:
        found = msgspec.json.decode(door.read(path, INDEX_LIMIT).data or b"", type=_Index)
    except (FileRefusedError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found.files if found.format == INDEX_FORMAT else {}


def _same(old: bytes, new: bytes, ignoring: Ignoring) -> bool:
    if old == new or not ignoring:
        return old == new
    if ignoring == "heading":
        return old.partition(b"\n")[2] == new.partition(b"\n")[2]
    try:
        before, after = json.loads(old), json.loads(new)
    except (ValueError, RecursionError):
        return False
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return False
    return {**before, ignoring: None} == {**after, ignoring: None}
