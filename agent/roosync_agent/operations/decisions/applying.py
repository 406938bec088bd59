"""What `apply` does when a person asks for it now, and what it would do: the same plan behind another door.

Nothing is approved here: what is approved, or lies within the policy, is applied by the same `Applier` as in a turn
of the agent; the rest is told with what it waits for. Writing itself is in `roosync_agent.applying`.
"""

import asyncio

from roosync_agent.applying.plan import plan
from roosync_agent.collecting.local import Looked
from roosync_agent.collecting.reference import Reference
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.operations.answers import AppliedRow, ApplyAnswer
from roosync_agent.operations.decisions.comparing import reference_of
from roosync_agent.operations.decisions.deciding import find
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.machine import Machine
from roosync_protocol.decision import decision_id
from roosync_protocol.diff import ABSENT, DIVERGENT, Divergence
from roosync_protocol.entity import Entity, declared, target_of
from roosync_protocol.messages import Decision
from roosync_protocol.proof import RISKS
from roosync_protocol.risk import assess
from roosync_protocol.risk_names import RiskName


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
    if baseline is not None:
        await machine.settle(baseline)
    await machine.report()
    rows = [
        _row(machine, decision)
        for divergence in divergences
        if chosen is None or declared(target_of(divergence.key)) in chosen
        if (decision := _decision_of(machine, divergence, reference)) is not None
    ]
    return _applied(machine, reference, rows)


async def apply_decision(machine: Machine, id_: str) -> ApplyAnswer:
    """Applies one approved decision now, on the machine it is for."""
    decision = find(machine.session, id_)
    require_applicable(machine, decision)
    await machine.look()
    baseline = await machine.baseline()
    await machine.applier.run(baseline)
    if baseline is not None:
        await machine.settle(baseline)
    await machine.report()
    fresh = find(machine.session, decision.id)
    name = fresh.reference
    return _applied(machine, Reference(name=name, revision=0, version="", entities={}), [_row(machine, fresh)])


def require_applicable(machine: Machine, decision: Decision) -> None:
    """RefusedRequestError when this machine can not apply it now."""
    if decision.machine != machine.name:
        raise RefusedRequestError(
            f"{decision.id} is for {decision.machine}, and only that machine applies it: it does so by itself once "
            "the decision is approved"
        )
    if decision.status == "pending":
        raise RefusedRequestError(f"{decision.id} is not approved yet: `roosync decision approve {decision.id}`")


# -- inside


async def _dry_run(machine: Machine, looked: Looked, reference: Reference, chosen: set[str] | None) -> ApplyAnswer:
    """The same plan through another door: what every file would become, nothing written, nothing posted."""
    divergences = [
        d
        for d in machine.local.differences(looked, reference)
        if d.verdict in DIVERGENT and (chosen is None or declared(target_of(d.key)) in chosen)
    ]
    wanted = {d.key: reference.entities.get(d.key) for d in divergences}
    made = await asyncio.to_thread(plan, DryDoor(machine.local.door), looked.collection, wanted, reference.placing)
    rows = [
        AppliedRow(
            field=d.key,
            decision_id=decision_id(machine.name, d.key, reference.name),
            status="refused" if d.key in made.refusals else "would change",
            risk=_risk(d, reference.entities.get(d.key)),
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


def _risk(divergence: Divergence, wanted: Entity | None) -> RiskName:
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
