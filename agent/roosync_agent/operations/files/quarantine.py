"""What the wipe guard holds back on this machine, told whole; and its files put back: `roosync quarantine`.

No fleet has to be reached for that: the files, what was last believed (`base.json`) and the copies kept of it
(`last_good`) are here. Releasing is another matter: it is told to the others, by the agent (`machine_side`).
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from roosync_agent.applying.plan import FileChange
from roosync_agent.applying.repair import Copies, copies_of, plan_repair
from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.local import Local, Looked
from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.operations.files.editing import EditingError, Prepared, reader, require_one_name
from roosync_agent.settings import Settings
from roosync_protocol.documents import DocumentError, parse
from roosync_protocol.entity import declared, target_of
from roosync_protocol.secrets.values import HIDDEN

COMMAND = "roosync quarantine"


class HeldFile(Struct, frozen=True, kw_only=True):
    """One file of a target, and the copy of it."""

    path: str  # portable
    now: str  # "as it was", "gone", "empty", "changed", or why it can not be read
    bytes: int  # now
    bytes_kept: int
    kept: datetime  # when it was first believed as the copy is


class Offer(Struct, frozen=True, kw_only=True):
    """A command that helps, and when."""

    command: str
    when: str


class HeldBack(Struct, frozen=True, kw_only=True):
    """One target that is held back, or could never be read here (`believed` is 0)."""

    target: str
    why: str
    since: datetime | None  # when the agent saw it; None: it did not yet
    believed: int  # entities that were last believed
    gone: list[str]  # the names of those that are not there now
    unreadable: list[str]  # and of those of which that is not known
    files: list[HeldFile]
    repairable: bool
    missing_copies: list[str]  # why there is no copy
    next: list[Offer]


def held(settings: Settings) -> dict[str, HeldBack]:
    """What is quarantined, by target; and behind that the targets that are here and were never read."""
    local = Local.by_last_law(settings)
    looked = local.look()
    return {target: _held(local, looked, target) for target in (*sorted(looked.quarantine), *sorted(looked.unread))}


def prepare_repair(settings: Settings, target: str, *, exact: bool = False) -> Prepared:
    """What putting back the last believed files of a target will do. EditingError when there is nothing to put back."""
    local = Local.by_last_law(settings)
    looked = local.look()
    spoilt = {*looked.quarantine, *looked.unread, *map(target_of, looked.collection.unreadable)}
    if target not in spoilt:
        others = f"what is: {', '.join(sorted(spoilt))}" if spoilt else "nothing is"
        raise EditingError(f"{target!r} is not quarantined on this machine; {others}. Nothing was changed")
    copies = _copies(local, looked.collection, target)
    if not copies.files:
        raise EditingError(f"{_no_copy(local, target, copies)}. Nothing was changed")
    made = plan_repair(copies, local.door, looked.collection, exact=exact)
    if made.refusals:
        told = "; ".join(f"{name}: {reason}" for name, reason in made.refusals.items())
        raise EditingError(f"{told}. Nothing was changed")
    if not made.changes:
        why = "; ".join(copies.lost) or f"`{COMMAND} release {target}` if what is there is right"
        raise EditingError(f"all that is kept of {target} is in its place: {why}. Nothing was changed")
    for change in made.changes:
        require_one_name(change.before)
    again = reader(settings, local.door, made, lambda: local.look().collection)
    paths = tuple(str(change.path) for change in made.changes)
    notes = tuple(_notes(copies, looked, exact=exact))
    shown = {change.path: _shown(change) for change in made.changes if change.before.exists and not _readable(change)}
    return Prepared(paths, made, f"repair of {target}", again, notes=notes, shown=shown)


# -- inside


def _copies(local: Local, collection: Collection, target: str) -> Copies:
    specs = [spec for spec in local.specs() if spec.name == declared(target)]
    return copies_of(target, local.last_good, local.door, collection, specs)


def _held(local: Local, looked: Looked, target: str) -> HeldBack:
    copies = _copies(local, looked.collection, target)
    believed = sorted(key for key in local.base.believed if target_of(key) == target)
    unread = looked.collection.unreadable
    whole = target in looked.collection.skipped_targets
    lost = [key.split("/", 1)[1] for key in believed if key not in looked.collection.entities]
    unknown = [name for name in lost if whole or f"{target}/{name}" in unread]
    return HeldBack(
        target=target,
        why=looked.quarantine.get(target) or looked.unread[target],
        since=local.base.held.get(target),
        believed=len(believed),
        gone=[name for name in lost if name not in unknown],
        unreadable=unknown,
        files=[_file(local.door, looked.collection, kept.path, data, kept.time) for kept, data in copies.files],
        repairable=bool(copies.files),
        missing_copies=list(copies.lost),
        next=list(_next(target, repairable=bool(copies.files), releasable=target in looked.quarantine and not whole)),
    )


def _file(door: Door, collection: Collection, path: str, data: bytes, kept: datetime) -> HeldFile:
    try:
        now = door.read(Path(path))
        size, state = now.size, "gone" if not now.exists else "as it was" if now.data == data else ""
        state = state or ("empty" if not (now.data or b"").strip() else "changed")
    except FileRefusedError as error:
        size, state = 0, error.reason
    return HeldFile(path=collection.layout.name_of(Path(path)), now=state, bytes=size, bytes_kept=len(data), kept=kept)


def _next(target: str, *, repairable: bool, releasable: bool) -> Iterator[Offer]:
    if repairable:
        yield Offer(command=f"{COMMAND} repair {target} --dry-run", when="a mistake: shows what would be put back")
    else:
        yield Offer(command="roosync snapshots", when="a mistake: the backups made before each write")
        yield Offer(command="roosync compare --other MACHINE", when="or what another machine published")
    if releasable:
        yield Offer(
            command=f"{COMMAND} release {target}", when="meant: it is believed as it is, and told to the others"
        )


def _no_copy(local: Local, target: str, copies: Copies) -> str:
    if copies.lost:
        why = "; ".join(copies.lost)
    elif any(target_of(key) == target for key in local.base.believed):
        why = "it was last believed before this version kept copies"
    else:
        why = "it could not be read since roosync manages it here, so nothing of it was ever believed"
    return (
        f"there is nothing to repair {target} from: {why}. `roosync snapshots` lists the backups made before each "
        "write, `roosync compare --other MACHINE` what another machine published. Once the file is moved away or can "
        "be read, what the baseline has of it is put back by ordinary decisions"
    )


def _readable(change: FileChange) -> bool:
    try:
        parse(change.before.data or b"", change.format)
    except DocumentError:
        return False
    return True


def _shown(change: FileChange) -> bytes:
    """What is there, as far as it is in the copy: in a text that can not be read nobody knows what is secret."""
    known = set((change.after or b"").split(b"\n"))
    lines = (change.before.data or b"").split(b"\n")
    return b"\n".join(line if line in known or not line.strip() else HIDDEN.encode() for line in lines)


def _notes(copies: Copies, looked: Looked, *, exact: bool) -> Iterator[str]:
    yield from copies.lost
    left = [key for key in copies.entities if key in looked.collection.unreadable]
    if left and not exact:
        names = ", ".join(key.split("/", 1)[1] for key in left[:5])
        yield f"{names}: what is there can not be read, and is left as it is; --exact puts the whole file back"
