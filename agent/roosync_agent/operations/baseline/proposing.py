"""From packages to a proposal, the same way for whoever opens it and for whoever checks it.

The report of a proposal is one content: commons, overlays, open questions, provenance. It is a pure
function of the packages and the choices, so an operator's command makes it again and compares hashes
before it signs: no orchestrator has to be trusted.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import msgspec
from msgspec import Struct

from roosync_agent.collecting.reference import Library
from roosync_agent.operations.audited import audited
from roosync_agent.operations.membership.lawmaking import NotYetError, RefusedRequestError
from roosync_agent.operations.stepping import moved_on, post_step
from roosync_agent.session import Session, new_operation
from roosync_broker.errors import StaleError
from roosync_protocol.consolidation import Consolidation, consolidate
from roosync_protocol.consolidation.votes import Collected, NotEnoughError
from roosync_protocol.digest import digest_bytes
from roosync_protocol.messages import Choice, PackageRef, Proposal
from roosync_protocol.package import HostilePackageError
from roosync_protocol.proposal import proposal_id

AHEAD = timedelta(minutes=10)  # that a clock may go before ours


class Proposed(Struct, frozen=True, kw_only=True):
    """A consolidation and what it rests on."""

    packages: tuple[PackageRef, ...]
    consolidation: Consolidation
    choices: dict[str, Choice]
    report: bytes


async def gather(
    session: Session,
    library: Library,
    choices: Mapping[str, Choice] | None = None,
    packages: tuple[PackageRef, ...] | None = None,
) -> Proposed:
    """Consolidates the latest complete packages, or exactly the given ones; RefusedRequestError: what is missing."""
    complete = [name for name, report in session.fleet.packages().items() if report.complete]
    received, faults = await library.packages(complete)
    for name, one in list(received.items()):
        if one.manifest.timestamp > session.now() + AHEAD:  # "the newest" would be whoever lies most
            faults[name] = f"it says {one.manifest.timestamp:%Y-%m-%d %H:%M}"
            del received[name]
    # One machine that sends rubbish, or nothing, does not stop the others.
    bad = [f"the package of {name} does not count: {fault}" for name, fault in sorted(faults.items())]
    refs = tuple(
        PackageRef(machine=name, manifest=one.report.manifest, version=one.report.version)
        for name, one in sorted(received.items())
    )
    if packages is not None and packages != refs:
        raise RefusedRequestError(
            "a machine has published since this was proposed; `roosync baseline propose` makes a new proposal"
        )
    if len(refs) < 2:
        have = f"there are those of {', '.join(received)}" if received else "there are none yet"
        machines = session.fleet.law.machines()
        missing = [m for m in machines if m not in received]
        what = (
            f"still missing: {', '.join(missing)} (run `roosync publish` there)"
            if missing and len(machines) > 1
            else "this fleet has one machine; `roosync invite` lets a second one join"
        )
        what = "; ".join([what, *bad])
        raise NotYetError(f"a baseline needs complete packages of two machines; {have}; {what}")
    collected = [
        Collected(
            machine=name,
            collected_at=one.manifest.timestamp,
            targets=frozenset(one.report.targets),
            entities=one.entities,
            placing=one.placing,
        )
        for name, one in sorted(received.items())
    ]
    law = session.fleet.law.baseline
    previous = await library.whole(law) if law is not None else None
    try:
        made = consolidate(collected, dict(choices or {}), previous=previous)
    except NotEnoughError as error:
        raise NotYetError(str(error)) from error
    return Proposed(packages=refs, consolidation=made, choices=dict(choices or {}), report=made.report())


def answered(session: Session) -> dict[str, Choice]:
    """What a person answered in the proposal that waits: not asked again when a machine publishes in between."""
    waiting = session.fleet.open_proposal()
    return believed(session, waiting) if waiting else {}


def believed(session: Session, proposal: Proposal) -> dict[str, Choice]:
    """The answers in a proposal that an operator really gave: whoever opened it can not answer in a person's place."""
    given = session.fleet.answers()
    return {key: choice for key, choice in proposal.choices.items() if (key, choice) in given}


async def open_proposal(session: Session, proposed: Proposed) -> Proposal:
    """Puts the report on the bus and opens its record; the same packages lead to the same proposal."""
    law = session.fleet.law.baseline
    after = law.revision if law else 0
    id_ = proposal_id(proposed.packages, after)
    known = session.fleet.proposal(id_)
    if known.state is not None:
        return known.state
    await session.contents.put(proposed.report)
    open_questions = len(proposed.consolidation.arbitrations)
    proposal = Proposal(
        agent=session.name,
        timestamp=session.now(),
        id=id_,
        revision=1,
        operation_id=new_operation(),
        status="open" if open_questions else "arbitrated",
        after_revision=after,
        packages=proposed.packages,
        report=digest_bytes(proposed.report),
        choices=proposed.choices,
        commons=len(proposed.consolidation.commons),
        overlays=len(proposed.consolidation.overlays),
        arbitrations=open_questions,
    )
    try:
        async with audited(session, "propose baseline", proposal.id):
            await session.advance(proposal, known.sequence)
    except StaleError:
        await session.refresh(reports=False)  # another orchestrator was faster; its proposal is the same one
    for older in session.fleet.proposals():
        if older.id != id_ and older.status in ("open", "arbitrated"):
            await _supersede(session, older)
    return session.fleet.proposal(id_).state or proposal


async def _supersede(session: Session, proposal: Proposal) -> None:
    with suppress(RefusedRequestError):  # somebody moved it; it is looked at again at the next proposal
        await post_step(session, moved_on(session, proposal, status="superseded"))


async def read_report(library: Library, proposal: Proposal) -> Consolidation:
    """The content of a proposal; HostilePackageError when it is none."""
    try:
        return _decoder.decode(await library.bytes_of(proposal.report))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HostilePackageError(f"the report of {proposal.id} can not be read: {error}") from error


_decoder = msgspec.json.Decoder(Consolidation)
