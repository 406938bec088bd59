"""What a machine answers by itself, with its own key: nothing here signs law or approves anything.

Each function takes the `Machine` (resident in the agent, or made for one command) and returns a typed
answer. They run one at a time with the agent's own turns, so a question never sees half a turn.
"""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import msgspec

from roosync_agent.applying.plan import plan
from roosync_agent.collecting.inventory import take_inventory
from roosync_agent.collecting.local import Looked
from roosync_agent.collecting.reference import BASELINE, NothingToCompareError, Reference
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.operations.answers import (
    AppliedRow,
    ApplyAnswer,
    Card,
    CollectAnswer,
    Comparison,
    DecisionList,
    DiffList,
    FileRow,
    NotRead,
)
from roosync_agent.operations.deciding import find
from roosync_agent.operations.lawmaking import RefusedRequestError
from roosync_agent.operations.seen import answered_with, step, whole
from roosync_agent.operations.showing import card, decision_row, diff_row
from roosync_agent.operations.views import write_views
from roosync_agent.running.machine import Machine
from roosync_broker.errors import BusError
from roosync_broker.private_files import write_private
from roosync_protocol import package
from roosync_protocol.decision import decision_id
from roosync_protocol.diff import DIVERGENT, Divergence, Verdict
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity, target_of
from roosync_protocol.messages import Decision
from roosync_protocol.messages.work import Action
from roosync_protocol.overview import Overview, exit_codes, overview
from roosync_protocol.reconcile import accepted
from roosync_protocol.secrets import addresses

WAITING = ("pending", "failed", "rolled_back", "overwritten", "rollback_failed")
UNDER_WAY = ("approved", "applying")


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    overview: Overview
    exit_codes: tuple[int, ...]


async def status(machine: Machine) -> StatusAnswer:
    """The fleet at one look; every expected machine by name."""
    seen = overview(machine.fleet, machine.name, await machine.present(), machine.session.now())
    return StatusAnswer(overview=seen, exit_codes=exit_codes(seen))


async def inventory(machine: Machine, name: str | None = None) -> dict[str, Any]:
    """This machine's inventory as it is now, or the one another machine published last."""
    if name in (None, machine.name):
        looked = await machine.look()
        taken = await asyncio.to_thread(take_inventory, machine.local.door, machine.local.layout(), looked.collection)
        return {"machine": machine.name, "timestamp": machine.session.now(), "inventory": taken}
    report = machine.fleet.inventory(name or "")
    if report is None:
        known = ", ".join(machine.fleet.law.machines())
        raise RefusedRequestError(f"{name!r} has published no inventory; machines of this fleet: {known}")
    return {"machine": name, "timestamp": report.timestamp, "inventory": report.inventory}


async def collect(machine: Machine, targets: list[str] | None = None, dry_run: bool = False) -> CollectAnswer:
    """The package of this machine as it would be published; written to the state folder unless `dry_run`."""
    machine.local.public_names = frozenset(machine.fleet.law.policy.public_names)
    looked = await asyncio.to_thread(machine.local.look, tuple(targets or ()))
    files = [file for file in looked.collection.contents() if file.target in looked.trusted]
    built = package.build(machine.name, "0.0.0", machine.session.now(), files)
    folder = machine.state.folder / "package"
    if not dry_run:
        await asyncio.to_thread(_write_package, machine, built)
    return _collected(machine, looked, built, written="" if dry_run else str(folder), dry_run=dry_run)


async def publish(machine: Machine, version: str | None = None, description: str = "") -> CollectAnswer:
    """Contents first, then the announcement. What the broker has already is not sent again."""
    looked = await machine.look()
    done = await machine.publisher.publish(looked, version, description)
    machine.local.believe(looked)
    files = [file for file in looked.collection.contents() if file.target in looked.trusted]
    built = package.build(machine.name, done.version, machine.session.now(), files)
    return msgspec.structs.replace(_collected(machine, looked, built), published=True, manifest=done.manifest)


async def compare(machine: Machine, other: str | None = None) -> Comparison:
    """With the baseline, or with another machine's package. `Synced`, or pending decisions."""
    looked = await machine.look()
    reference = await reference_of(machine, other)
    divergences = await machine.settle(reference)
    return _comparison(machine, looked, reference, divergences)


async def diffs(machine: Machine, kind: str = "all") -> DiffList:
    """Every open divergence of the fleet, the same list in the same order on every machine."""
    rows = [
        diff_row(decision)
        for decision in machine.fleet.decisions()
        if decision.status in (*WAITING, *UNDER_WAY) and kind in ("all", decision.category)
    ]
    return DiffList(agent=machine.name, timestamp=machine.session.now(), divergences_count=len(rows), divergences=rows)


async def decisions(machine: Machine, everything: bool = False) -> DecisionList:
    found = list(machine.fleet.decisions())
    rows = [decision_row(d) for d in found if everything or d.status in (*WAITING, *UNDER_WAY)]
    return DecisionList(decisions=rows, pending=sum(d.status == "pending" for d in found))


async def decision_show(machine: Machine, id_: str, action: Action | None = None) -> Card:
    """The card; with `action` as it is when answered so."""
    decision = await whole(machine.library, find(machine.session, id_))
    decision = answered_with(decision, action)
    return card(machine.fleet, decision, await _runs_on(machine, decision, action), action)


async def apply(
    machine: Machine, source: str | None = None, dry_run: bool = False, targets: list[str] | None = None
) -> ApplyAnswer:
    """Applies what is approved, or lies within the policy; says what waits for a person, and for what."""
    chosen = {spec.name for spec in machine.local.specs(tuple(targets or ()))} if targets else None
    looked = await machine.look()
    reference = await reference_of(machine, source)
    if dry_run:
        return await _dry_run(machine, looked, reference, chosen)
    divergences = await machine.settle(reference)
    baseline = await machine.baseline()
    await machine.applier.run(baseline)
    await machine.look()
    if baseline is not None:
        await machine.settle(baseline)
    await machine.report()
    rows = [
        _row(machine, decision)
        for divergence in divergences
        if chosen is None or divergence.key.split("/", 1)[0].split("@")[0] in chosen
        if (decision := _decision_of(machine, divergence, reference)) is not None
    ]
    return _applied(machine, reference, rows)


async def apply_decision(machine: Machine, id_: str) -> ApplyAnswer:
    """Applies one approved decision now, on the machine it is for."""
    decision = find(machine.session, id_)
    if decision.machine != machine.name:
        raise RefusedRequestError(
            f"{decision.id} is for {decision.machine}, and only that machine applies it: it does so by itself once "
            "the decision is approved"
        )
    if decision.status == "pending":
        raise RefusedRequestError(f"{decision.id} is not approved yet: `roosync decision approve {decision.id}`")
    await machine.look()
    await machine.applier.run(await machine.baseline())
    await machine.look()
    baseline = await machine.baseline()
    if baseline is not None:
        await machine.settle(baseline)
    await machine.report()
    fresh = find(machine.session, decision.id)
    name = fresh.reference
    return _applied(machine, Reference(name=name, revision=0, version="", entities={}), [_row(machine, fresh)])


async def reference_of(machine: Machine, other: str | None) -> Reference:
    if other is None:
        return machine.local.here(await machine.library.of_baseline(machine.name))
    if other == machine.name:
        raise RefusedRequestError(f"{other!r} is this machine; name another one, or none to compare with the baseline")
    if other not in (known := machine.fleet.law.machines()):
        raise RefusedRequestError(f"{other!r} is no machine of this fleet; its machines are {', '.join(known)}")
    return machine.local.here(await machine.library.of_machine(other))


async def quarantine_release(machine: Machine, target: str) -> dict[str, Any]:
    """A person looked: what this machine has now is what it should have."""
    looked = await machine.look()
    if target not in looked.quarantine:
        known = ", ".join(looked.quarantine) or "nothing"
        raise RefusedRequestError(f"{target!r} is not quarantined on {machine.name}; {known} is")
    machine.local.released.add(target)
    await machine.take_turn()  # what is gone is now a decision, and the others are told
    return {"machine": machine.name, "released": target, "quarantine": dict(machine.looked_now.quarantine)}


async def pause(machine: Machine) -> dict[str, Any]:
    """This machine applies nothing by itself any more, until an operator resumes it. Needs no key."""
    since = machine.session.now()
    write_private(machine.state.paused, since.isoformat().encode())
    await machine.look()
    await machine.report()
    return {"machine": machine.name, "paused": True, "since": since}


async def export(machine: Machine, folder: str | None = None) -> dict[str, Any]:
    into = Path(folder) if folder else machine.settings.export_folder
    present = await machine.present()
    done = await write_views(machine.fleet, machine.name, into, machine.library, machine.session.now(), present)
    return {"folder": str(into), **msgspec.to_builtins(done)}


# -- inside


def _write_package(machine: Machine, built: package.Package) -> None:
    folder = machine.state.folder / "package"
    write_private(folder / "manifest.json", built.contents[built.manifest_hash])
    for sha, data in built.contents.items():
        if sha != built.manifest_hash:
            write_private(folder / "contents" / sha, data)


def _collected(
    machine: Machine, looked: Looked, built: package.Package, *, written: str = "", dry_run: bool = False
) -> CollectAnswer:
    names = {f"{file.target}/{file.path}": sorted(file.entities) for file in looked.collection.contents()}
    return CollectAnswer(
        machine=machine.name,
        timestamp=machine.session.now(),
        version=built.manifest.version,
        dry_run=dry_run,
        complete=bool(built.manifest.files) and not looked.quarantine,
        files=[
            FileRow(path=f.path, type=f.type, hash=f.hash, size=f.size, entities=names.get(f.path, []))
            for f in built.manifest.files
        ],
        entities=len(looked.entities),
        skipped=[
            {"path": s.path, "reason": s.reason} for s in (*looked.collection.skipped, *looked.collection.not_yet)
        ],
        quarantine=dict(looked.quarantine),
        secrets=sorted({address for e in looked.entities.values() for address in addresses(e.value)}),
        written=written,
    )


def _comparison(machine: Machine, looked: Looked, reference: Reference, divergences: list[Divergence]) -> Comparison:
    asked, known = machine.asked(reference), machine.own_decisions()
    real = [d for d in divergences if d.verdict in DIVERGENT]
    kept = [d.key for d in real if accepted(d, known, asked)]
    rows = []
    for divergence in real:
        decision = known.get(decision_id(machine.name, divergence.key, reference.name))
        if divergence.key not in kept and decision is not None:
            rows.append(diff_row(decision))
    return Comparison(
        agent=machine.name,
        timestamp=machine.session.now(),
        reference=reference.name,
        baseline_version=reference.version,
        status="Diverged" if rows else "Synced",
        divergences_count=len(rows),
        divergences=rows,
        accepted=kept,
        only_here=[d.key for d in divergences if d.verdict is Verdict.LOCAL_ONLY],
        quarantine=dict(looked.quarantine),
        not_read=[
            *(NotRead(target=target, path="", reason=reason) for target, reason in sorted(looked.unread.items())),
            *(NotRead(target=one.target, path=one.path, reason=one.reason) for one in looked.skipped),
        ],
        not_read_there=_not_read_there(machine, reference),
        not_here=_not_here(looked, reference),
        skipped=[f"{s.path}: {s.reason}" for s in looked.collection.skipped],
    )


def _not_here(looked: Looked, reference: Reference) -> dict[str, int]:
    """Targets of the reference that this machine has not, or does not manage: they were not compared."""
    absent = Counter(target for target in map(target_of, reference.entities) if target not in looked.collection.present)
    return dict(sorted(absent.items()))


def _not_read_there(machine: Machine, reference: Reference) -> list[str]:
    report = machine.fleet.package(reference.name.removeprefix("machine:")) if reference.name != BASELINE else None
    return list(report.skipped) if report else []


async def _dry_run(machine: Machine, looked: Looked, reference: Reference, chosen: set[str] | None) -> ApplyAnswer:
    """The same plan through another door: what every file would become, nothing written, nothing posted."""
    divergences = [
        d
        for d in machine.local.differences(looked, reference)
        if d.verdict in DIVERGENT and (chosen is None or d.key.split("/", 1)[0].split("@")[0] in chosen)
    ]
    wanted = {d.key: reference.entities.get(d.key) for d in divergences}
    made = await asyncio.to_thread(plan, DryDoor(machine.local.door), looked.collection, wanted, reference.placing)
    rows = [
        AppliedRow(
            field=d.key,
            decision_id=decision_id(machine.name, d.key, reference.name),
            status="refused" if d.key in made.refusals else "would change",
            risk=str(_risk(d, reference.entities.get(d.key))),
            detail=made.refusals.get(d.key, ""),
        )
        for d in divergences
    ]
    files = [{"path": str(path), "diff": text} for path, text in made.shown()]
    return ApplyAnswer(
        agent=machine.name,
        reference=reference.name,
        dry_run=True,
        applied=0,
        waiting=len(rows),
        failed=0,
        rows=rows,
        files=files,
    )


def _risk(divergence: Divergence, wanted: Entity | None) -> Literal["none", "low", "medium", "high", "critical"]:
    from roosync_protocol.diff import ABSENT
    from roosync_protocol.proof import RISKS
    from roosync_protocol.risk import assess

    before = None if divergence.local is ABSENT else divergence.local
    after = wanted.value if wanted else None
    return RISKS[assess(divergence.key, divergence.kind, before, after).risk]


def _decision_of(machine: Machine, divergence: Divergence, reference: Reference) -> Decision | None:
    return machine.own_decisions().get(decision_id(machine.name, divergence.key, reference.name))


def _row(machine: Machine, decision: Decision) -> AppliedRow:
    notes = [note for note in machine.notes if note.startswith(f"{decision.entity} waits")]
    detail = notes[-1] if notes and decision.status == "approved" else (decision.log[-1] if decision.log else "")
    return AppliedRow(
        field=decision.entity, decision_id=decision.id, status=decision.status, risk=decision.risk, detail=detail
    )


def _applied(machine: Machine, reference: Reference, rows: list[AppliedRow]) -> ApplyAnswer:
    return ApplyAnswer(
        agent=machine.name,
        reference=reference.name,
        dry_run=False,
        applied=sum(row.status == "applied" for row in rows),
        waiting=sum(row.status in ("pending", "approved") for row in rows),
        failed=sum(row.status in ("rolled_back", "rollback_failed", "failed", "overwritten") for row in rows),
        rows=rows,
    )


async def _runs_on(machine: Machine, decision: Decision, action: Action | None) -> list[str]:
    """Machines whose published package holds exactly what would stand."""
    found = []
    wanted = step(decision, action)[1].digest
    for name in machine.fleet.packages():
        try:
            entity = (await machine.library.package(name)).entities.get(decision.entity)
        except (BusError, NothingToCompareError, package.HostilePackageError):
            continue
        if entity is not None and digest(entity.value) == wanted:
            found.append(name)
    return found
