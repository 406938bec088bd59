"""What commands would do that need no signature, or ask by a card of their own: nothing is posted, or written."""

import asyncio

from msgspec.structs import replace

from roosync_agent.applying.plan import plan
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.operations.baseline.promoting import require_promotable
from roosync_agent.operations.baseline.proposing import answered, gather
from roosync_agent.operations.decisions import facts
from roosync_agent.operations.decisions.applying import require_applicable
from roosync_agent.operations.decisions.deciding import find, require_approvable
from roosync_agent.operations.decisions.seen import whole
from roosync_agent.operations.machine_side import collect, decision_show, require_quarantined
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.previewing import values
from roosync_agent.operations.previewing.answers import Fact, Preview
from roosync_agent.operations.sharing_in.foreign import chosen
from roosync_agent.running.machine import Machine
from roosync_broker.errors import BusError
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entities
from roosync_protocol.messages.work import Action
from roosync_protocol.package import HostilePackageError

MANY = 30  # names of a kind


async def publish(machine: Machine, version: str | None = None, description: str = "") -> Preview:
    answer = await collect(machine, dry_run=True)
    known = machine.fleet.package(machine.name)
    before: Entities = {}
    if known is not None:
        try:
            before = (await machine.library.package(machine.name)).entities
        except (BusError, HostilePackageError):
            machine.session.require_bus()
    after = (await asyncio.to_thread(machine.local.look)).entities
    same = {key for key in before.keys() & after.keys() if digest(before[key].value) == digest(after[key].value)}
    rows = [
        ("Files", [f"{len(answer.files)}, with {answer.entities} things in them"]),
        ("New", _names(sorted(after.keys() - before.keys()))),
        ("Changed", _names(sorted((after.keys() & before.keys()) - same))),
        ("Gone", _names(sorted(before.keys() - after.keys()))),
        ("Stays here", _names([f"the value of {one}" for one in answer.secrets])),
        ("Left out", _names([f"{one['path']}: {one['reason']}" for one in answer.skipped])),
        ("Quarantined", _names([f"{name}: {why}" for name, why in answer.quarantine.items()])),
    ]
    then = "every machine of the fleet can read it; nobody applies it before it is in a baseline"
    return _unsigned(f"publish the package of {machine.name}", rows, [then])


async def propose(machine: Machine) -> Preview:
    if not machine.fleet.law.may_orchestrate(machine.name):
        raise RefusedRequestError(f"{machine.name} may not orchestrate in this fleet; propose from another machine")
    made = await gather(machine.session, machine.library, answered(machine.session))
    questions = len(made.consolidation.arbitrations)
    return Preview(
        deed="",
        what=f"propose a baseline out of the packages of {', '.join(one.machine for one in made.packages)}",
        signs=False,
        facts=[Fact(title="Questions", lines=[f"{questions} for a person to answer"])],
        values=await values.changes(machine, *made.consolidation.baseline()),
        then=["nothing is law before an operator signs it: `roosync baseline publish`"],
    )


async def approvable(machine: Machine, id_: str, action: Action | None = None) -> Preview:
    """Only that it can be approved at all: before the card is made, shown and asked about."""
    decision = find(machine.session, id_)
    if action in ("override_remote", "keep_special"):
        require_promotable(machine.session, decision)
    else:
        require_approvable(machine.session, decision)
    return Preview(deed="", what=f"approve {decision.id}")


async def approve(machine: Machine, id_: str, action: Action | None = None) -> Preview:
    made = await approvable(machine, id_, action)
    decision = find(machine.session, id_)
    everybody = action in ("override_remote", "keep_special")
    then = (
        f"{decision.machine} applies it by itself" if not everybody else "it becomes the next revision of the baseline"
    )
    card = await decision_show(machine, decision.id, action)
    return replace(made, card=card, then=[then])


async def apply(machine: Machine, id_: str) -> Preview:
    decision = await whole(machine.library, find(machine.session, id_))
    require_applicable(machine, decision)
    async with machine.turn:
        looked = await machine.look()
        wanted = {decision.entity: facts.Shown(decision=decision).result}
        made = await asyncio.to_thread(plan, DryDoor(machine.local.door), looked.collection, wanted)
    return Preview(
        deed="",
        what=f"apply {decision.id} on {machine.name} now",
        signs=False,
        facts=[Fact(title="In the way", lines=[f"{key}: {why}" for key, why in made.refusals.items()])]
        if made.refusals
        else [],
        files=[{"path": path, "diff": text} for path, text in made.shown()],
        then=["a backup is made before anything is written", f"undo: `roosync decision rollback {decision.id}`"],
    )


async def release(machine: Machine, target: str) -> Preview:
    async with machine.turn:
        looked = await machine.look()
    require_quarantined(machine, looked, target)
    rows = [("Why it is held", [looked.quarantine[target]])]
    then = ["what is gone from it becomes a decision, and the others are told", "undo: `roosync quarantine repair`"]
    return _unsigned(f"believe what {target} has on {machine.name} now", rows, then)


async def export(machine: Machine, folder: str | None = None, language: str = "en") -> Preview:
    into = folder or str(machine.settings.export_folder)
    law = machine.fleet.law.baseline
    rows = [
        ("Folder", [into]),
        ("Baseline", [law.version if law else "none yet"]),
        ("Packages", _names(sorted(machine.fleet.packages()))),
        ("Language", [language]),
    ]
    then = "files there that are as they would be stay untouched; what was exported before, and is no more, is removed"
    return _unsigned("write dashboard, roadmap, baseline, packages and reports", rows, [then])


async def imported_propose(machine: Machine, name: str, fields: list[str]) -> Preview:
    made = await chosen(machine, name, fields)
    left = [f"{key}: {why}" for key, why in made.left_out.items()]
    rows = [("Package", [name]), ("New", _names(made.told["added"])), ("Other values", _names(made.told["differs"]))]
    rows += [("The same", _names(made.told["same"])), ("Left out", _names(left))]
    then = "nothing is law before an operator signs it: `roosync baseline restore --file`"
    return _unsigned("write a baseline file with values that were taken in", rows, [then])


# -- inside


def _unsigned(what: str, rows: list[tuple[str, list[str]]], then: list[str]) -> Preview:
    found = [Fact(title=title, lines=lines) for title, lines in rows if lines]
    return Preview(deed="", what=what, signs=False, facts=found, then=then)


def _names(names: list[str]) -> list[str]:
    left = len(names) - MANY
    return [*names[:MANY], *([f"and {left} more"] if left > 0 else [])]
