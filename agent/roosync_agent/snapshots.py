"""Backups made before each write: whole bytes, mode 0600, in the state folder, and never sent anywhere.

    snapshots/<id>/index.json      what was there, and what was written instead (by hash)
    snapshots/<id>/<n>.bin         the bytes of one file as they were

At least 30 snapshots or 30 days are kept, whichever is more, at most 200 MB, and never less than the last one.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from roosync_agent.file_state import FileRefusedError
from roosync_agent.files import Door, make_parents, temporary_for
from roosync_agent.plan import Plan

KEEP_COUNT = 30
KEEP_AGE = timedelta(days=30)
KEEP_BYTES = 200 * 1024 * 1024
_ID = re.compile(r"s-[0-9]{8}T[0-9]{12}-[0-9a-f]{8}\Z")


class Saved(Struct, frozen=True, kw_only=True):
    """One file of a snapshot."""

    path: str  # as managed; the real one is found again through its links
    label: str
    existed: bool
    mode: int
    before: str  # SHA-256 of the saved bytes; "" when there was no file
    after: str  # SHA-256 of what was written instead; "" when the file was to go
    keys: tuple[str, ...]
    size: int = 0


class Snapshot(Struct, frozen=True, kw_only=True):
    id: str
    time: datetime
    label: str  # the decision it was made for
    files: tuple[Saved, ...]


class NoSnapshotError(Exception):
    """There is no such snapshot (any more)."""


def take(door: Door, state: Path, plan: Plan, label: str, now: datetime, chance: str) -> Snapshot:
    """Saves every file of the plan as it is; on the disk when this returns. `chance`: 8 hex digits."""
    id_ = f"s-{now:%Y%m%dT%H%M%S%f}-{chance}"
    folder = state / "snapshots" / id_
    make_parents(door, folder / "index.json")
    saved = []
    for number, change in enumerate(plan.changes):
        data = change.before.data
        if data is not None:
            door.write(folder / f"{number}.bin", data)
        saved.append(
            Saved(
                path=str(change.path),
                label=change.label,
                existed=change.before.exists,
                mode=change.before.mode,
                before=change.before.sha256 or "",
                after=digest_of(change.after),
                keys=change.keys,
                size=len(data or b""),
            )
        )
    snapshot = Snapshot(id=id_, time=now, label=label, files=tuple(saved))
    door.write(folder / "index.json", msgspec.json.encode(snapshot))
    return snapshot


def load(door: Door, state: Path, id_: str) -> Snapshot:
    if not _ID.match(id_):
        raise NoSnapshotError(f"{id_!r} is no snapshot")
    data = door.read(state / "snapshots" / id_ / "index.json").data
    if data is None:
        raise NoSnapshotError(f"the snapshot {id_} is not kept any more; `roosync snapshots` lists what there is")
    try:
        return msgspec.json.decode(data, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoSnapshotError(f"the snapshot {id_} is damaged: {error}") from error


def bytes_of(door: Door, state: Path, snapshot: Snapshot, number: int) -> bytes | None:
    """The saved bytes of one file, checked against their hash; None when there was no file."""
    saved = snapshot.files[number]
    if not saved.existed:
        return None
    data = door.read(state / "snapshots" / snapshot.id / f"{number}.bin").data
    if data is None or digest_of(data) != saved.before:
        raise NoSnapshotError(f"the snapshot {snapshot.id} is damaged: {saved.label} is not what was saved")
    return data


def every(door: Door, state: Path) -> Iterator[Snapshot]:
    """All that can be read, oldest first."""
    for name in door.names(state / "snapshots"):
        try:
            yield load(door, state, name)
        except (NoSnapshotError, FileRefusedError):
            continue


def prune(door: Door, state: Path, now: datetime) -> list[str]:
    """Forgets what is beyond the bounds; returns the ids. The last one always stays."""
    known = list(every(door, state))
    total = sum(saved.size for snapshot in known for saved in snapshot.files)
    gone = []
    for rank, snapshot in enumerate(known[:-1]):
        left = len(known) - rank
        if (left > KEEP_COUNT and now - snapshot.time > KEEP_AGE) or total > KEEP_BYTES:
            total -= sum(saved.size for saved in snapshot.files)
            folder = state / "snapshots" / snapshot.id
            for name in door.names(folder):
                door.remove(folder / name)
            door.remove_folder(folder)
            gone.append(snapshot.id)
    return gone


def digest_of(data: bytes | None) -> str:
    from hashlib import sha256

    return "" if data is None else sha256(data).hexdigest()


def restore(door: Door, state: Path, snapshot_id: str) -> list[str]:
    """Puts back every file of a snapshot that is still as it was written. Returns what could not be put back."""
    snapshot = load(door, state, snapshot_id)
    left = []
    for number, saved in enumerate(snapshot.files):
        path = Path(saved.path)
        try:
            current = door.read(path)
            if digest_of(current.data) == saved.before:
                continue
            if digest_of(current.data) != saved.after:
                left.append(f"{saved.label} was changed by somebody else meanwhile and is left as it is")
                continue
            _put_back(door, path, bytes_of(door, state, snapshot, number), saved.mode)
        except (FileRefusedError, NoSnapshotError) as error:
            left.append(f"{saved.label} could not be put back: {error}")
    return left


def _put_back(door: Door, path: Path, data: bytes | None, mode: int) -> None:
    if data is None:
        door.remove(path)
        return
    state = door.stat(path)
    temporary = temporary_for(state.real_path, "restore")
    door.remove(temporary)
    make_parents(door, state.real_path)
    door.prepare(temporary, data, mode=mode, like=state if state.exists else None)
    door.replace(temporary, state.real_path)
    door.sync_folder(state.real_path.parent)
