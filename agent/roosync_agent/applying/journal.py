"""The journal of safe apply: what a crash must not leave half done. One record, replaced atomically.

    prepared    temporaries may lie beside the targets; nothing was replaced   -> discard
    committed   every temporary is whole and on the disk; replacing goes on    -> roll forward
    restoring   what was written did not stand up to its check                 -> put everything back

A file that is then neither as it was nor as it shall be was touched by somebody else: it is left, and told. What the
disk refuses is told too, and the record stays: it is tried again at the next start, and before the next change.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from roosync_agent.applying import snapshots, tool_locks
from roosync_agent.applying.plan import FileChange
from roosync_agent.applying.snapshots import NoSnapshotError, digest_at, digest_of, temporary_of_restore
from roosync_agent.files.door import Door, make_parents, temporary_for
from roosync_agent.files.file_state import FileRefusedError

NAME = "journal.json"

Phase = Literal["prepared", "committed", "restoring"]


class Step(Struct, frozen=True, kw_only=True):
    """One file of a transaction."""

    real_path: str
    label: str
    before: str  # SHA-256, "" when there was no file
    after: str  # SHA-256, "" when the file goes


class Record(Struct, frozen=True, kw_only=True):
    transaction: str
    label: str
    snapshot: str
    phase: Phase
    steps: tuple[Step, ...]
    folders: tuple[str, ...] = ()  # made for new files, outermost first
    locks: tuple[str, ...] = ()  # folders by which assistants lock their files
    time_ns: int = 0  # when this phase was noted


def step_of(change: FileChange) -> Step:
    return Step(
        real_path=str(change.before.real_path),
        label=change.label,
        before=change.before.sha256 or "",
        after=digest_of(change.after),
    )


def write(door: Door, state: Path, record: Record) -> None:
    make_parents(door, state / "journal" / NAME)
    door.write(state / "journal" / NAME, msgspec.json.encode(record))


def clear(door: Door, state: Path) -> None:
    if not open_(door, state):
        return
    door.remove(state / "journal" / NAME)
    door.sync_folder(state / "journal")


def open_(door: Door, state: Path) -> bool:
    """Is there a transaction that is not finished?"""
    return door.stat(state / "journal" / NAME).exists


def read(door: Door, state: Path) -> Record | None:
    """The transaction that was interrupted, if any. A record that is not whole was never written."""
    data = door.read(state / "journal" / NAME).data
    if data is None:
        return None
    return msgspec.json.decode(data, type=Record)


def recover(state: Path, door: Door) -> Iterator[str]:
    """Finishes or undoes what a crash interrupted; yields a line for a person for each thing done.

    The caller holds the lock of applying. `open_` tells afterwards whether something is left to be tried again.
    """
    try:
        half = temporary_for(state / "journal" / NAME, "own")
        if door.stat(half).exists:  # of a record that was never written whole
            door.remove(half)
        record = read(door, state)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, FileRefusedError) as error:
        yield f"the journal {state / 'journal' / NAME} can not be read ({error}): look at it, then move it away"
        return
    if record is None:
        return
    tool_locks.leave(door, map(Path, record.locks), record.time_ns)
    undo = {"prepared": _discard, "committed": _roll_forward, "restoring": _put_back}[record.phase]
    try:
        yield from undo(door, state, record)
        clear(door, state)
    except FileRefusedError as error:
        yield f"{record.label}: recovery is not finished and is tried again: {error}"


def discard(door: Door, state: Path, record: Record) -> None:
    """Takes away all that a transaction made beside the files: temporaries, empty folders, the record."""
    for step in record.steps:
        real = Path(step.real_path)
        door.remove(temporary_for(real, record.transaction))
        door.remove(temporary_of_restore(real))
    for folder in reversed(record.folders):
        door.remove_folder(Path(folder))
    clear(door, state)


def _discard(door: Door, state: Path, record: Record) -> Iterator[str]:
    discard(door, state, record)
    snapshots.forget(door, state, record.snapshot)
    yield f"{record.label}: it was interrupted before anything was changed; nothing was changed"


def _put_back(door: Door, state: Path, record: Record) -> Iterator[str]:
    try:
        yield from (f"{record.label}: {line}" for line in snapshots.restore(door, state, record.snapshot))
    except NoSnapshotError as error:
        yield f"{record.label}: it could not be put back: {error}"
    discard(door, state, record)
    yield f"{record.label}: it had failed, and was put back as it was before (snapshot {record.snapshot})"


def _roll_forward(door: Door, state: Path, record: Record) -> Iterator[str]:
    faults: list[FileRefusedError] = []
    for step in record.steps:
        try:
            if told := _finish(door, record, step):
                yield f"{record.label}: {told}"
        except FileRefusedError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    for step in record.steps:
        door.remove(temporary_for(Path(step.real_path), record.transaction))
    yield f"{record.label}: it was interrupted while it was written, and is finished now (snapshot {record.snapshot})"


def _finish(door: Door, record: Record, step: Step) -> str:
    """Brings one file to its new state; what could not be done, in words."""
    target = Path(step.real_path)
    temporary = temporary_for(target, record.transaction)
    now = digest_at(door, target)
    if now not in (step.before, step.after):
        return f"{step.label} was changed by somebody else meanwhile and is left as it is"
    if now != step.after:
        if step.after == "":
            door.remove(target)
        elif digest_of(door.read(temporary).data) == step.after:
            door.replace(temporary, target)
        else:
            return f"{step.label} could not be finished, its new content is gone; it is as it was"
    if door.stat(target.parent).exists:
        door.sync_folder(target.parent)
    return ""
