"""What may be done with a foreign package: compare with it, propose values of it. Nothing is signed here."""

from typing import Any

import msgspec
from msgspec import Struct

from roosync_agent.operations.decisions.showing import shown as changed
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.sharing_in import kept
from roosync_agent.running.machine import Machine
from roosync_broker.private_files import write_private
from roosync_protocol import baseline_file
from roosync_protocol.baseline import Commons, Overlay, validate
from roosync_protocol.diff import Verdict, compare, equal
from roosync_protocol.entity import Entities, Entity, target_of


async def imported(machine: Machine) -> list[dict[str, Any]]:
    """The foreign packages that are kept here."""
    rows = []
    for name in kept.names(machine.state):
        found = kept.find(machine.state, name)
        manifest = found.manifest
        rows.append(
            {
                "name": name,
                "version": manifest.version,
                "timestamp": manifest.timestamp,
                "entities": sorted(found.entities),
            }
        )
    return rows


async def imported_compare(machine: Machine, name: str) -> dict[str, Any]:
    """How this machine differs from a foreign package. Only told: no decision is made of it."""
    found = kept.find(machine.state, name)
    looked = await machine.look()
    here = {key for key in found.entities if target_of(key) in looked.trusted}
    there = {key: entity for key, entity in found.entities.items() if key in here}
    targets = {target_of(key) for key in there}
    local = {key: entity for key, entity in looked.entities.items() if target_of(key) in targets}
    rows, same, only_here = [], [], []
    for one in compare({}, local, there, first_join=True, machine=machine.name):
        if one.verdict is Verdict.ADOPT:
            same.append(one.key)
        elif one.verdict is Verdict.LOCAL_ONLY:
            only_here.append(one.key)
        else:
            rows.append(_row(one.key, local.get(one.key), there.get(one.key)))
    return {
        "agent": machine.name,
        "name": found.name,
        "differs": rows,
        "same": same,
        "only_here": only_here,
        "not_here": sorted(found.entities.keys() - here),
    }


async def imported_propose(machine: Machine, name: str, fields: list[str] | None = None) -> dict[str, Any]:
    """A baseline file for an operator: what is in force, with these values of a foreign package in it.

    `file` is empty, and none is written, when nothing of it is new.
    """
    found = kept.find(machine.state, name)
    made = await chosen(machine, name, fields)
    path = kept.folder_of(machine.state, found.name.split("/")[0]) / "baseline.json"
    if made.rows:
        write_private(path, made.data)
    file = str(path) if made.rows else ""
    return {"name": found.name, "file": file, "changes": made.rows, **made.told, "left_out": made.left_out}


async def chosen(machine: Machine, name: str, fields: list[str] | None = None) -> "Candidate":
    """That baseline, not written yet."""
    found = kept.find(machine.state, name)
    wanted = frozenset(fields or found.entities)
    if unknown := sorted(wanted - found.entities.keys()):
        raise RefusedRequestError(f"{found.name} has no {unknown[0]!r}; `roosync imported compare {name}` lists it")
    return await candidate(machine, {key: found.entities[key] for key in sorted(wanted)}, wanted)


# -- inside, and for the import


class Candidate(Struct, frozen=True, kw_only=True):
    data: bytes
    told: dict[str, list[str]]
    rows: list[dict[str, Any]]
    left_out: dict[str, str]


async def candidate(machine: Machine, entities: Entities, taking: frozenset[str]) -> Candidate:
    """What is in force and these entities; where they differ, those of `taking` win."""
    law = machine.fleet.law.baseline
    commons, overlays = Commons(), dict[str, Overlay]()
    if law is not None:
        commons, overlays = await machine.library.whole(law)
    new: Entities = dict(commons.entities)
    told: dict[str, list[str]] = {"added": [], "same": [], "differs": []}
    rows, left_out = [], {}
    for key, entity in sorted(entities.items()):
        before = commons.entities.get(key)
        if problems := validate(Commons(entities={key: entity})):
            left_out[key] = "; ".join(problems)[:500]
            continue
        kind = "added" if before is None else "same" if equal(before, entity) else "differs"
        told[kind].append(key)
        if kind == "added" or (kind == "differs" and key in taking):
            new[key] = entity
            rows.append(_row(key, before, entity))
    made = msgspec.structs.replace(commons, entities=new, removed=commons.removed - new.keys())
    value = baseline_file.to_value(law.version if law else "0.0.0", law.revision if law else 0, made, overlays)
    data = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    return Candidate(data=data, told=told, rows=rows, left_out=left_out)


def _row(key: str, before: Entity | None, after: Entity | None) -> dict[str, Any]:
    entity = after or before
    assert entity is not None
    if before is None or after is None:
        verdict = "only_there" if before is None else "only_here"
        return {"field": key, "verdict": verdict, "kind": entity.kind.value, "changes": [
            {"path": [], "before": before.value if before else None, "after": after.value if after else None,
             "absent": "before" if before is None else "after"}]}  # fmt: skip
    changes = [msgspec.to_builtins(one) for one in changed(before.value, after.value, entity.kind, key)]
    return {"field": key, "verdict": "differs", "kind": entity.kind.value, "changes": changes}
