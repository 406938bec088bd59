"""The journal of safe apply: what a crash must not leave half done. One record, replaced atomically.

    prepared    temporaries may lie beside the targets; nothing was replaced   -> discard
    committed   every temporary is whole and on the disk; replacing goes on    -> roll forward
    restoring   what was written did not stand up to its check                 -> put everything back

A file that is then neither as it was nor as it shall be was touched by somebody else: it is left, and told.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from roosync_agent.file_state import FileRefusedError
from roosync_agent.files import Door, make_parents, temporary_for
from roosync_agent.plan import FileChange
from roosync_agent.snapshots import NoSnapshotError, digest_of, restore

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
    door.remove(state / "journal" / NAME)
    door.sync_folder(state / "journal")


def read(door: Door, state: Path) -> Record | None:
    """The transaction that was interrupted, if any. A record that is not whole was never written."""
    data = door.read(state / "journal" / NAME).data
    if data is None:
        return None
    return msgspec.json.decode(data, type=Record)


def recover(state: Path, door: Door) -> Iterator[str]:
    """Finishes or undoes what a crash interrupted; yields a line for a person for each thing done."""
    try:
        record = read(door, state)
    except (msgspec.DecodeError, UnicodeDecodeError, FileRefusedError) as error:
        yield f"the journal in {state / 'journal'} can not be read ({error}); look at it before applying anything"
        return
    if record is None:
        return
    if record.phase == "prepared":
        yield from _discard(door, record)
    elif record.phase == "committed":
        yield from _roll_forward(door, record)
    else:
        yield from _put_back(door, state, record)
    clear(door, state)


def _discard(door: Door, record: Record) -> Iterator[str]:
    for step in record.steps:
        door.remove(temporary_for(Path(step.real_path), record.transaction))
    for folder in reversed(record.folders):
        door.remove_folder(Path(folder))
    yield f"{record.label}: it was interrupted before anything was changed; nothing was changed"


def _put_back(door: Door, state: Path, record: Record) -> Iterator[str]:
    for step in record.steps:
        door.remove(temporary_for(Path(step.real_path), record.transaction))
    try:
        yield from restore(door, state, record.snapshot)
    except (NoSnapshotError, FileRefusedError) as error:
        yield f"{record.label}: it could not be put back: {error}"
    yield f"{record.label}: it had failed, and was put back as it was before (snapshot {record.snapshot})"


def _roll_forward(door: Door, record: Record) -> Iterator[str]:
    for step in record.steps:
        target = Path(step.real_path)
        temporary = temporary_for(target, record.transaction)
        try:
            now = digest_of(door.read(target).data)
            if now == step.after:
                door.remove(temporary)
            elif now != step.before:
                door.remove(temporary)
                yield f"{record.label}: {step.label} was changed by somebody else meanwhile and is left as it is"
            elif step.after == "":
                door.remove(target)
            elif digest_of(door.read(temporary).data) == step.after:
                door.replace(temporary, target)
            else:
                yield f"{record.label}: {step.label} could not be finished, its new content is gone; it is as it was"
            door.sync_folder(target.parent)
        except FileRefusedError as error:
            yield f"{record.label}: {step.label} could not be finished: {error.reason}"
    yield f"{record.label}: it was interrupted while it was written, and is finished now (snapshot {record.snapshot})"
