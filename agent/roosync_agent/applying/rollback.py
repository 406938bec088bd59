"""Taking an applied change back: a new change forward, with its own backup, that keeps later unrelated edits.

A file that still is as it was written gets its old bytes back, exactly. One that was edited since keeps those
edits: only the entities of the change are set to what they were. `exact` restores the bytes in any case.
A file that `roosync edit` wrote has no entities here: once edited since, it goes back exactly or not at all.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from roosync_agent.applying import snapshots
from roosync_agent.applying.apply import Outcome, execute
from roosync_agent.applying.plan import FileChange, Plan, plan
from roosync_agent.applying.snapshots import NoSnapshotError, Snapshot, digest_of
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.collection import CollectedFile, Collection
from roosync_agent.files.door import Door
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.files.file_state import FileRefusedError, FileState
from roosync_agent.targets import locked_by_name
from roosync_protocol.documents import DocumentError, parse
from roosync_protocol.entity import Entity


def roll_back(
    snapshot_id: str,
    door: Door,
    state: Path,
    collection: Collection,
    *,
    now: datetime,
    collect_again: Callable[[], Collection],
    exact: bool = False,
) -> Outcome:
    """`applied`: the change was taken back. `deferred`: nothing was written, and it may be tried again.
    `rollback_failed` says what stands in the way."""
    try:
        snapshot = snapshots.load(door, state, snapshot_id)
        made = plan_back(snapshot, door, state, collection, exact=exact)
    except (NoSnapshotError, FileRefusedError) as error:
        return Outcome("rollback_failed", [str(error)])
    if made.refusals:
        return Outcome("rollback_failed", [f"{key}: {reason}" for key, reason in made.refusals.items()])
    outcome = execute(made, door, state, label=f"rollback of {snapshot.label}", now=now, collect_again=collect_again)
    if outcome.status in ("applied", "deferred"):
        return outcome
    return Outcome("rollback_failed", outcome.log, outcome.snapshot, outcome.touched)


def plan_back(snapshot: Snapshot, door: Door, state: Path, collection: Collection, *, exact: bool) -> Plan:
    """What taking it back will do, and by key or file what stands in the way. NoSnapshotError, FileRefusedError."""
    before = _as_it_was(snapshot, door, state, collection)
    keys = [key for saved in snapshot.files for key in saved.keys]
    wanted: dict[str, Entity | None] = {key: before.entities.get(key) for key in keys}
    whole: list[FileChange] = []
    parts: dict[str, Entity | None] = {}
    refusals: dict[str, str] = {}
    for number, saved in enumerate(snapshot.files):
        current = door.read(Path(saved.path))
        if exact or digest_of(current.data) == saved.after:
            whole += _bytes_back(snapshot, number, current, door, state, collection)
        elif not saved.keys and digest_of(current.data) != saved.before:
            refusals[saved.label] = "it was changed since, and that would be lost; --exact puts the whole file back"
        else:
            parts |= {key: wanted[key] for key in saved.keys}
    with_secrets = replace(collection, secrets={**before.secrets, **collection.secrets})  # a renewed one stays
    made = plan(door, with_secrets, parts, before.placing)
    return replace(made, changes=(*whole, *made.changes), wanted=wanted, refusals={**refusals, **made.refusals})


def _bytes_back(
    snapshot: Snapshot, number: int, current: FileState, door: Door, state: Path, collection: Collection
) -> list[FileChange]:
    saved = snapshot.files[number]
    data = snapshots.bytes_of(door, state, snapshot, number)
    if current.data == data:
        return []
    known = next((file for file in collection.files if str(file.path) == saved.path), None)
    return [
        FileChange(
            path=Path(saved.path),
            label=saved.label,
            before=current,
            after=data,
            mode=saved.mode if saved.existed else current.mode,
            format=_format(known, data),
            keys=saved.keys,
            locks=locked_by_name(current.path) or locked_by_name(current.real_path),
        )
    ]


def _format(known: CollectedFile | None, data: bytes | None) -> str:
    """As what the bytes are checked; "" when they were no document before either."""
    format_ = known.format if known else "text"
    try:
        parse(data or b"", format_)
    except DocumentError:
        return ""
    return format_


def _as_it_was(snapshot: Snapshot, door: Door, state: Path, collection: Collection) -> Collection:
    """The machine collected through a door that shows the saved bytes."""
    past = DryDoor(door)
    for number, saved in enumerate(snapshot.files):
        past.files[door.stat(Path(saved.path)).real_path] = snapshots.bytes_of(door, state, snapshot, number)
    specs = {target.spec.name: target.spec for target in collection.targets.values()}
    return collect(past, collection.layout, list(specs.values()), public_names=collection.public_names)
