"""What saying no to a decision, or taking it back, would mean: its card, and the file as it would be put back."""

import asyncio
from collections.abc import Mapping
from typing import Any

from roosync_agent.applying import snapshots
from roosync_agent.applying.rollback import plan_back
from roosync_agent.applying.snapshots import NoSnapshotError
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.operations.decisions.deciding import require_applied, require_rejectable
from roosync_agent.operations.decisions.seen import seen
from roosync_agent.operations.machine_side import decision_show
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.previewing.answers import Fact, Preview
from roosync_agent.running.machine import Machine
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision


async def reject(machine: Machine, id_: str, reason: str = "") -> Preview:
    decision = _find(machine.fleet, id_)
    require_rejectable(decision)
    return Preview(
        deed="",
        what=f"say no to {decision.id}",
        facts=[Fact(title="Reason", lines=[reason])] if reason else [],
        card=await decision_show(machine, decision.id),
        then=[
            f"{decision.machine} keeps what it has, and is not asked about exactly this again",
            f"undo: `roosync decision approve {decision.id}`",
        ],
    )


async def rollback(machine: Machine, id_: str, exact: bool = False) -> Preview:
    decision = _find(machine.fleet, id_)
    require_applied(decision)
    files, stands = await _put_back(machine, decision, exact)
    edits = "edits made since are lost, but for the backup" if exact else "later edits of other things stay"
    return Preview(
        deed="",
        what=f"ask {decision.machine} to put back what was there before {decision.id}",
        card=await decision_show(machine, decision.id),
        files=files,
        facts=[Fact(title="In the way", lines=stands)] if stands else [],
        then=[edits, "a backup is made before anything is written: `roosync snapshots`"],
    )


def rests_on(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    decision = _find(fleet, given["id_"])
    return [decision.id, decision.status, seen(decision), decision.snapshot]


# -- inside


def _find(fleet: Fleet, id_: str) -> Decision:
    found = fleet.find(id_) if id_ else []
    if len(found) != 1:
        raise RefusedRequestError(f"{id_!r} means {len(found)} decisions; `roosync decisions` lists them")
    return found[0]


async def _put_back(machine: Machine, decision: Decision, exact: bool) -> tuple[list[dict[str, str]], list[str]]:
    """The files as they would be, and what stands in the way; nothing is written."""
    if decision.machine != machine.name:
        return [], [f"the files are on {decision.machine}, so the difference can not be shown here"]
    async with machine.turn:
        looked = await machine.look()
        door, state = DryDoor(machine.local.door), machine.state.folder
        try:
            snapshot = snapshots.load(door, state, decision.snapshot)
            made = await asyncio.to_thread(plan_back, snapshot, door, state, looked.collection, exact=exact)
        except (NoSnapshotError, FileRefusedError) as error:
            return [], [str(error)]
    files = [{"path": path, "diff": text} for path, text in made.shown()]
    return files, [f"{key}: {why}" for key, why in made.refusals.items()]
