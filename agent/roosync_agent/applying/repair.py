"""Putting back what a damaged file lost, from the copy of when it was last believed: `roosync quarantine repair`.

A file gets its bytes back whole when it is gone, can not be read any more, or holds nothing that the copy does not
hold too. Else it was edited since: then only what is missing, or was cut short, is put back, and the rest stays.
`exact` puts the whole bytes back in any case.
"""

from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from roosync_agent.applying.plan import FileChange, Plan, plan
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.collection import CollectedFile, Collection
from roosync_agent.collecting.last_good import Kept, LastGood, NotKeptError
from roosync_agent.files.door import Door
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.files.file_state import FileRefusedError, FileState
from roosync_agent.targets import TargetSpec, locked_by_name
from roosync_protocol.diff import equal
from roosync_protocol.digest import canonical, same
from roosync_protocol.documents import DocumentError, parse
from roosync_protocol.entity import Entities, Entity
from roosync_protocol.names import Value
from roosync_protocol.wipe import SHRUNK, SMALL

COMMENTS = (b"#", b"//", b"/*")  # what may begin one, in any format; more than comments have them, and that is no harm


@dataclass(frozen=True)
class Copies:
    """The kept files of one target, and the machine collected as if they were in place. Holds secrets."""

    files: tuple[tuple[Kept, bytes], ...] = field(repr=False)
    before: Collection = field(repr=False)
    lost: tuple[str, ...] = ()  # why a copy is not there

    def keys(self, kept: Kept) -> tuple[str, ...]:
        """The entities in one copy."""
        return next((file.keys for file in self.before.files if file.label == kept.label), ())

    @property
    def entities(self) -> Entities:
        """All that the copies hold."""
        return {key: self.before.entities[key] for kept, _ in self.files for key in self.keys(kept)}


def copies_of(
    target: str, last_good: LastGood, door: Door, collection: Collection, specs: Sequence[TargetSpec]
) -> Copies:
    """What is kept of a target, also of one whose folders are not there any more."""
    files: list[tuple[Kept, bytes]] = []
    lost: list[str] = []
    past = DryDoor(door)
    for kept in last_good.files.values():
        if kept.target != target:
            continue
        try:
            data = last_good.bytes_of(kept)
        except NotKeptError as error:
            lost.append(str(error))
            continue
        files.append((kept, data))
        past.write(Path(kept.path), data)
        past.folders.update(Path(kept.path).parents)
    before = collect(past, collection.layout, specs, public_names=collection.public_names)
    return Copies(tuple(files), before, tuple(lost))


def plan_repair(copies: Copies, door: Door, collection: Collection, *, exact: bool = False) -> Plan:
    """What repairing will do, and by file or entity what stands in the way.

    It names no secrets to hide: what broke may hold others than this machine knows, so a difference hides by place.
    """
    whole: list[FileChange] = []
    wanted: dict[str, Entity | None] = {}
    refusals: dict[str, str] = {}
    readable: list[str] = []  # entities of files that are not put back whole
    here = {file.label: file for file in collection.files}
    for kept, data in copies.files:
        try:
            now = _now(door, kept, copies)
        except FileRefusedError as error:
            refusals[collection.layout.name_of(error.path)] = error.reason
            continue
        if now.data == data:
            continue
        keys, known = copies.keys(kept), here.get(kept.label)
        if exact or known is None or _nothing_new(known, now, data):
            new = tuple(key for key in (known.keys if known else ()) if key not in keys)
            whole.append(_bytes_back(kept, data, now, (*keys, *new), collection))
            wanted |= {key: copies.before.entities[key] for key in keys} | dict.fromkeys(new)
        else:
            readable += keys
    damaged = _damaged(readable, copies.before, collection)
    if not damaged and not whole:  # nothing is missing: then it is what is there that was damaged
        there = [key for key in readable if key in collection.entities]
        damaged = [key for key in there if not equal(copies.before.entities[key], collection.entities[key])]
    parts: dict[str, Entity | None] = {key: copies.before.entities[key] for key in damaged}
    with_secrets = replace(collection, secrets={**copies.before.secrets, **collection.secrets})  # a renewed one stays
    made = plan(door, with_secrets, parts, copies.before.placing)
    return Plan((*whole, *made.changes), wanted | parts, refusals | dict(made.refusals))


# -- inside


def _now(door: Door, kept: Kept, copies: Copies) -> FileState:
    """The file as it is. FileRefusedError when it is no file, or not the one that the copy was made of."""
    now = door.read(Path(kept.path))
    if str(now.real_path) != kept.real_path:
        raise FileRefusedError(now.path, f"it leads to {now.real_path} now, where it was {kept.real_path}")
    if not any(file.path == now.path for file in copies.before.files if file.label == kept.label):
        raise FileRefusedError(now.path, f"the files of {kept.target} are looked for in another place now")
    return now


def _nothing_new(known: CollectedFile, now: FileState, data: bytes) -> bool:
    """Is all that is left in the file in the copy too, comments as well? Then nothing of a person can be lost."""
    left = now.data or b""
    if _plain(data).startswith(_plain(left)):
        return True  # it was cut off
    try:
        if not _within(parse(left, known.format).value, parse(data, known.format).value):
            return False
    except DocumentError:  # the copy is in another format: the values are put into the file that is there
        return not left.strip()
    kept = {_bare(line) for line in data.split(b"\n")}
    return all(_bare(line) in kept for line in left.split(b"\n") if any(mark in line for mark in COMMENTS))


def _plain(data: bytes) -> bytes:
    while data.startswith(BOM_UTF8):
        data = data.removeprefix(BOM_UTF8)
    return data.rstrip()


def _bare(line: bytes) -> bytes:
    """A line without what changes when its neighbours go."""
    return _plain(line).strip().replace(b",", b"")


def _within(left: Value, whole: Value) -> bool:
    if left in (None, "") or left == [] or left == {}:
        return True
    if isinstance(left, dict) and isinstance(whole, dict):
        return all(name in whole and _within(value, whole[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(whole, list):
        return all(any(same(one, other) for other in whole) for one in left)
    return same(left, whole)


def _damaged(keys: Sequence[str], before: Collection, now: Collection) -> list[str]:
    """What is missing, or has not half of the bytes left. What can not be read is there, and is not written over."""
    gone = [key for key in keys if key not in now.entities and key not in now.unreadable]
    sizes = {
        key: tuple(len(canonical(e.entities[key].value)) for e in (before, now)) for key in keys if key in now.entities
    }
    cut = [key for key, (had, has) in sizes.items() if had > SMALL and has < had * SHRUNK]
    return gone + cut


def _bytes_back(kept: Kept, data: bytes, now: FileState, keys: tuple[str, ...], collection: Collection) -> FileChange:
    return FileChange(
        path=now.path,
        label=collection.layout.name_of(now.path),
        before=now,
        after=data,
        mode=now.mode if now.exists else kept.mode,
        format=kept.format,
        keys=keys,
        locks=locked_by_name(now.path) or locked_by_name(now.real_path),
    )
