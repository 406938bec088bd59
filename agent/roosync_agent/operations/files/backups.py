"""The snapshots of this machine, for people: listed, and put back. Contents stay where they are: they hold secrets.

`roosync snapshots restore` needs no fleet, as `roosync edit` needs none: what is prepared here is written by it.
"""

from pathlib import Path
from typing import Any

from roosync_agent.applying import snapshots
from roosync_agent.applying.rollback import plan_back
from roosync_agent.applying.snapshots import NoSnapshotError
from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.local import Local
from roosync_agent.files.door import Door, RealDoor
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.operations.files.editing import (
    EditingError,
    Prepared,
    nothing_managed,
    reader,
    require_one_name,
    unchanged,
)
from roosync_agent.settings import Settings
from roosync_agent.state import State


def list_snapshots(state: Path) -> list[dict[str, Any]]:
    """Newest last."""
    return [
        {
            "id": snapshot.id,
            "time": snapshot.time.isoformat(),
            "label": snapshot.label,
            "files": [saved.label for saved in snapshot.files],
            "entities": [key for saved in snapshot.files for key in saved.keys],
        }
        for snapshot in snapshots.every(RealDoor(), state)
    ]


def prepare_restore(settings: Settings, id_: str, *, exact: bool = False) -> Prepared:
    """What putting a snapshot's files back will do. The id may be shortened to its beginning."""
    door = RealDoor()

    def managed() -> Collection:
        return Local(settings, State(settings.state), door).look().collection

    try:
        snapshot = snapshots.load(door, settings.state, _whole_id(settings, door, id_))
        ours = any(saved.keys for saved in snapshot.files)
        collection = managed() if ours else nothing_managed(settings, door)
        plan = plan_back(snapshot, door, settings.state, collection, exact=exact)
    except (NoSnapshotError, FileRefusedError) as error:
        raise unchanged(error) from error
    if plan.refusals:
        told = "; ".join(f"{name}: {reason}" for name, reason in plan.refusals.items())
        raise EditingError(f"{told}. Nothing was changed")
    for change in plan.changes:
        require_one_name(change.before)
    again = reader(settings, door, plan, managed if ours else None)
    paths = tuple(saved.path for saved in snapshot.files)
    return Prepared(paths, plan, f"rollback of {snapshot.label}", again)


def _whole_id(settings: Settings, door: Door, beginning: str) -> str:
    found = [name for name in door.names(settings.state / "snapshots") if name.startswith(beginning)]
    if len(found) == 1 and beginning:
        return found[0]
    if len(found) > 1:
        raise NoSnapshotError(f"{len(found)} snapshots begin with {beginning!r}: write more of the id")
    raise NoSnapshotError(f"there is no snapshot {beginning!r}; `roosync snapshots` lists what there is")
