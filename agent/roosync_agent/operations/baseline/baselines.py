"""The golden baseline, read and proposed: what a machine can do about it without signing anything."""

from pathlib import Path
from typing import Any

import msgspec

from roosync_agent.collecting.reference import Library
from roosync_agent.operations.answers import BaselineAnswer
from roosync_agent.operations.baseline.proposing import answered, gather, open_proposal, read_report
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_broker.private_files import write_private
from roosync_protocol.baseline import Overlay, problems
from roosync_protocol.baseline_file import to_value
from roosync_protocol.entity import Entities
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Baseline, Proposal


async def propose(machine: Machine) -> BaselineAnswer:
    """Consolidates the latest complete packages into a proposal, or shows the one they have led to already."""
    if not machine.fleet.law.may_orchestrate(machine.name):
        raise RefusedRequestError(f"{machine.name} may not orchestrate in this fleet; propose from another machine")
    proposed = await gather(machine.session, machine.library, answered(machine.session))
    proposal = await open_proposal(machine.session, proposed)
    return await _answer(machine.library, proposal, machine.fleet)


async def show(machine: Machine, id_: str | None = None, ask: bool = False) -> BaselineAnswer:
    """A proposal by its id, a published baseline by its version; without a name, what waits, else what is in force.

    `ask`: of a proposal also what it would mean, each machine asked what it lacks for what it would get.
    """
    fleet, library = machine.fleet, machine.library
    proposal = fleet.open_proposal() if id_ is None else find_proposal(fleet, id_) if id_.startswith("p-") else None
    if proposal is not None:
        answer = await _answer(library, proposal, fleet)
        if not ask:
            return answer
        from roosync_agent.operations.baseline.effects import with_effects  # which reads earlier baselines as well

        return await with_effects(machine, answer, (await read_report(library, proposal)).baseline()[0].entities)
    if id_ is not None:
        return await _published(library, await version_of(machine.session, id_))
    if fleet.law.baseline is None:
        await library.of_baseline(machine.name)  # says what is missing
    return await _published(library, fleet.law.baseline)  # type: ignore[arg-type]


async def versions(machine: Machine) -> list[dict[str, Any]]:
    """Every baseline that was published, oldest first."""
    found = await history(machine.session)
    return [
        {
            "version": law.version,
            "revision": law.revision,
            "published": law.timestamp,
            "by": law.agent,
            "overlays": len(law.overlays),
            "note": law.note,
            "in_force": law == machine.fleet.law.baseline,
        }
        for law in found
    ]


async def export_file(machine: Machine, path: str, version: str | None = None) -> dict[str, Any]:
    """Writes `baseline.json`: the whole baseline as one file, to read, commit, and restore from."""
    law = await version_of(machine.session, version) if version else machine.fleet.law.baseline
    if law is None:
        await machine.library.of_baseline(machine.name)
    assert law is not None
    commons, overlays = await machine.library.whole(law)
    value = to_value(law.version, law.revision, commons, overlays)
    data = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    write_private(Path(path), data)
    told = {"version": law.version, "revision": law.revision, "signer": law.agent, "note": law.note}
    return {"path": str(Path(path)), **told, "bytes": len(data)}


async def history(session: Session) -> list[Baseline]:
    """The baselines in the order of the law, as far as the law proves them."""
    found: dict[int, Baseline] = {}
    stream = session.subjects.stream("LAW")
    async for stored in session.link.read(stream, session.subjects.post("baseline")):
        heard = session.open(stored)
        if heard and isinstance(heard.message, Baseline) and session.fleet.law.genuine(heard):
            found.setdefault(heard.message.revision, heard.message)
    return [found[revision] for revision in sorted(found)]


async def version_of(session: Session, version: str) -> Baseline:
    found = await history(session)
    for law in reversed(found):
        if law.version == version:
            return law
    known = ", ".join(law.version for law in found) or "none yet"
    raise RefusedRequestError(f"no baseline {version!r} was published; versions are {known}")


def find_proposal(fleet: Fleet, id_: str | None) -> Proposal:
    """By id or its beginning; without one, the newest that waits."""
    if id_ is None:
        if (waiting := fleet.open_proposal()) is not None:
            return waiting
        raise RefusedRequestError("no proposal waits; `roosync baseline propose` makes one")
    found = [p for p in fleet.proposals() if p.id == id_] or [p for p in fleet.proposals() if p.id.startswith(id_)]
    if len(found) != 1:
        raise RefusedRequestError(
            f"{id_!r} names {len(found)} proposals; `roosync baseline show` shows the one that waits"
        )
    return found[0]


async def _answer(library: Library, proposal: Proposal, fleet: Fleet) -> BaselineAnswer:
    report = await read_report(library, proposal)
    commons, overlays = report.baseline()
    stands = problems(commons, overlays)
    return BaselineAnswer(
        kind="proposal",
        id=proposal.id,
        status=proposal.status,
        version=proposal.version,
        revision=proposal.revision,
        machines=[package.machine for package in proposal.packages],
        commons=values(commons.entities),
        overlays=shown_overlays(overlays),
        comments={key: list(lines) for key, lines in sorted(commons.placing.comments.items())},
        removed=sorted(commons.removed),
        arbitrations=[msgspec.to_builtins(one) for one in report.arbitrations],
        pending={key: list(names) for key, names in report.missing.items()},
        excluded=_left_out(proposal, fleet) | {f"{one.machine} {one.target}": one.reason for one in report.excluded},
        provenance=msgspec.to_builtins(report.provenance),
        problems=[one.text for one in stands],
        mends={one.key: one.answer for one in stands if one.answer},
        report=proposal.report,
        signed_by=proposal.validated.signer if proposal.validated else "",
    )


async def _published(library: Library, law: Baseline) -> BaselineAnswer:
    commons, overlays = await library.whole(law)
    provenance = msgspec.json.decode(await library.bytes_of(law.provenance)) if law.provenance else {}
    return BaselineAnswer(
        kind="baseline",
        id=law.proposal or "",
        status="published",
        version=law.version,
        revision=law.revision,
        machines=sorted(law.overlays),
        commons=values(commons.entities),
        overlays=shown_overlays(overlays),
        comments={key: list(lines) for key, lines in sorted(commons.placing.comments.items())},
        removed=sorted(commons.removed),
        provenance=provenance if isinstance(provenance, dict) else {},
        report=law.commons,
        signed_by=law.agent,
        published=law.timestamp,
    )


def values(entities: Entities) -> dict[str, Any]:
    return {key: entities[key].value for key in sorted(entities)}


def _left_out(proposal: Proposal, fleet: Fleet) -> dict[str, str]:
    """Machines of which nothing is in a proposal, so that their silence is seen."""
    there = {package.machine for package in proposal.packages}
    why = "no package of it counts here: none came yet, or it can not be believed (its clock, its contents)"
    return {machine: why for machine in fleet.law.machines() if machine not in there}


def shown_overlays(overlays: dict[str, Overlay]) -> dict[str, dict[str, Any]]:
    return {
        machine: {"entities": values(overlay.entities), "excluded": sorted(overlay.excluded)}
        for machine, overlay in sorted(overlays.items())
    }
