"""Backups made before each write: whole bytes, mode 0600, in the state folder, and never sent anywhere.

    snapshots/<id>/index.json      what was there, and what was written instead (by hash)
    snapshots/<id>/<n>.bin         the bytes of one file as they were

At least 30 snapshots or 30 days are kept, whichever is more, at most 200 MB, and never less than the last one.
"""

import re
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from roosync_agent.applying.plan import Plan
from roosync_agent.files.door import LIMIT, Door, make_parents, temporary_for
from roosync_agent.files.file_state import FileRefusedError

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


def new_id(now: datetime, chance: str) -> str:
    """Sorted by name is sorted by time. `chance`: 8 hex digits."""
    return f"s-{now:%Y%m%dT%H%M%S%f}-{chance}"


def take(door: Door, state: Path, plan: Plan, label: str, now: datetime, id_: str) -> Snapshot:
    """Saves every file of the plan as it is; on the disk when this returns. On failure nothing of it is left."""
    try:
        return _take(door, state, plan, label, now, id_)
    except BaseException:
        forget(door, state, id_)
        raise


def _take(door: Door, state: Path, plan: Plan, label: str, now: datetime, id_: str) -> Snapshot:
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
    """Forgets what is beyond the bounds, and what was never finished; returns the ids. The last one always stays.

    Called under the lock of applying: nobody is making one meanwhile.
    """
    gone = []
    for name in door.names(state / "snapshots"):
        if _ID.match(name) and not door.stat(state / "snapshots" / name / "index.json").exists:
            forget(door, state, name)
            gone.append(name)
    known = list(every(door, state))
    total = sum(saved.size for snapshot in known for saved in snapshot.files)
    for rank, snapshot in enumerate(known[:-1]):
        left = len(known) - rank
        if (left > KEEP_COUNT and now - snapshot.time > KEEP_AGE) or total > KEEP_BYTES:
            total -= sum(saved.size for saved in snapshot.files)
            forget(door, state, snapshot.id)
            gone.append(snapshot.id)
    return gone


def forget(door: Door, state: Path, id_: str) -> None:
    """Takes one away, the index first: what is left of it after a crash is known as unfinished."""
    if not _ID.match(id_):
        return
    folder = state / "snapshots" / id_
    with suppress(FileRefusedError):
        for name in sorted(door.names(folder), key=lambda name: name != "index.json"):
            door.remove(folder / name)
        door.remove_folder(folder)


def digest_of(data: bytes | None) -> str:
    """SHA-256 of a file's bytes; "" of no file."""
    return "" if data is None else sha256(data).hexdigest()


def digest_at(door: Door, path: Path) -> str:
    """`digest_of` what is at a path; a word that is no digest when that is a folder, say."""
    state = door.stat(path)
    if state.exists and (state.kind != "file" or state.size > LIMIT):
        return "no file of ours"
    return digest_of(door.read(path).data)


def restore(
    door: Door,
    state: Path,
    snapshot_id: str,
    *,
    written: Container[int] | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> list[str]:
    """Puts back every file of a snapshot that is still as it was written. Returns what was left, and why.

    `written`: only these were touched, by number; None when that is not known. FileRefusedError, after the
    others were put back, when the disk refuses one.
    """
    snapshot = load(door, state, snapshot_id)
    left: list[str] = []
    faults: list[FileRefusedError] = []
    for number, saved in enumerate(snapshot.files):
        if written is not None and number not in written:
            continue
        step(f"restore {number}")
        try:
            if told := _restored(door, state, snapshot, number):
                left.append(f"{saved.label} {told}")
        except FileRefusedError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return left


def _restored(door: Door, state: Path, snapshot: Snapshot, number: int) -> str:
    """Puts one file back; why it was left, or nothing."""
    saved = snapshot.files[number]
    real = door.stat(Path(saved.path)).real_path
    now = digest_at(door, real)
    if now == saved.before:
        return ""
    if now != saved.after:
        return "was changed by somebody else meanwhile and is left as it is"
    try:
        data = bytes_of(door, state, snapshot, number)
    except NoSnapshotError as error:
        return f"could not be put back: {error}"
    if data is None:
        door.remove(real)
    else:
        _put_back(door, real, data, saved.mode)
    door.sync_folder(real.parent)
    return ""


def temporary_of_restore(real: Path) -> Path:
    return temporary_for(real, "restore")


def _put_back(door: Door, real: Path, data: bytes, mode: int) -> None:
    now = door.stat(real)
    temporary = temporary_of_restore(real)
    door.remove(temporary)  # of a process that was killed here
    make_parents(door, real)
    door.prepare(temporary, data, mode=mode, like=now if now.exists else None)
    door.replace(temporary, real)
