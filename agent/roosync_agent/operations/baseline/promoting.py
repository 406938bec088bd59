"""What an operator signs about the baseline: arbitrate, validate, publish, restore; and promote one machine's value.

Each function needs a session opened with the operator's key. Whatever is signed was made again from the
packages here first, so the person signs what they were shown and not what somebody claims.
"""

from collections.abc import Mapping
from difflib import get_close_matches

from msgspec.structs import replace

from roosync_agent.characters import shell_word
from roosync_agent.collecting.reference import BASELINE, Library
from roosync_agent.operations.baseline.baselines import find_proposal, version_of
from roosync_agent.operations.baseline.proposing import Proposed, believed, gather, read_report
from roosync_agent.operations.decisions.deciding import conclude, reopen
from roosync_agent.operations.decisions.seen import require_seen
from roosync_agent.operations.membership.lawmaking import RefusedRequestError, enact
from roosync_agent.operations.stepping import moved_on, post_step, stands
from roosync_agent.session import Session
from roosync_broker.errors import SenderError, UnavailableError
from roosync_protocol import approval
from roosync_protocol import proposal as proposals
from roosync_protocol.baseline import (
    Commons,
    MalformedContent,
    Overlay,
    Problem,
    decode_commons,
    decode_overlay,
    encode,
    next_version,
    problems,
    validate,
)
from roosync_protocol.baseline_file import BaselineFile
from roosync_protocol.decision import AGAIN
from roosync_protocol.digest import canonical, digest_bytes
from roosync_protocol.entity import Entity
from roosync_protocol.messages import Baseline, Choice, Decision, Proposal
from roosync_protocol.package import MAX_CONTENT


async def arbitrate(session: Session, answers: Mapping[str, Choice], id_: str | None = None) -> Proposal:
    """Answers questions of a proposal; what is answered already stays answered."""
    proposal = find_proposal(session.fleet, id_)
    made = await arbitrated(session, Library(session), proposal, answers)
    await session.contents.put(made.report)
    return await _advance(session, proposal, **_content(made))


async def arbitrated(session: Session, library: Library, proposal: Proposal, answers: Mapping[str, Choice]) -> Proposed:
    """What these answers would make of the proposal. RefusedRequestError when they can not be given."""
    if proposal.status not in ("open", "arbitrated"):
        raise RefusedRequestError(f"{proposal.id} is {proposal.status} and can not be arbitrated now")
    made = await gather(session, library, {**believed(session, proposal), **answers}, proposal.packages)
    _require_answered(made, answers, proposal)
    return made


async def in_the_way(session: Session, proposal: Proposal) -> list[Problem]:
    """What stands against validating it, as its report is now."""
    return problems(*(await read_report(Library(session), proposal)).baseline())


async def validate_proposal(session: Session, id_: str | None = None) -> Proposal:
    """Signs that the proposal is right: no open question, no secret, no path of one machine in the commons."""
    proposal = find_proposal(session.fleet, id_)
    await validatable(session, Library(session), proposal)
    text = proposals.validation_text(proposal)
    signed = approval.sign_text(approval.VALIDATION, text, session.keys.public, session.keys.sign)
    return await _advance(session, proposal, status="validated", validated=signed)


async def validatable(session: Session, library: Library, proposal: Proposal) -> Proposed:
    """The proposal, made again from its packages. RefusedRequestError when nobody should sign that it is right."""
    if proposal.status == "open":
        raise RefusedRequestError(
            f"{proposal.id} has {proposal.arbitrations} open questions; `roosync baseline show` lists them, "
            "`roosync baseline choose` answers them"
        )
    if proposal.status != "arbitrated":
        raise RefusedRequestError(f"{proposal.id} is {proposal.status} and can not be validated now")
    if forged := sorted(proposal.choices.keys() - believed(session, proposal).keys()):
        raise RefusedRequestError(
            f"{proposal.id} has answers that no operator gave, from {proposal.agent}: {', '.join(forged[:5])}. "
            "`roosync baseline choose FIELD ...` answers them"
        )
    made = await gather(session, library, proposal.choices, proposal.packages)
    if digest_bytes(made.report) != proposal.report:
        raise RefusedRequestError(
            f"{proposal.id} does not follow from its packages: whoever opened it is of another version, or not honest. "
            "`roosync baseline propose` makes it again"
        )
    if in_way := problems(*made.consolidation.baseline()):
        texts = "; ".join(one.text for one in in_way[:10])
        first = next((one for one in in_way if one.answer), None)
        field, answer = (shell_word(first.key), first.answer) if first else ("FIELD", "omit")
        raise RefusedRequestError(
            f"the proposal can not be validated: {texts}. Next: roosync baseline choose {field} --{answer}    "
            "(--special keeps each machine's own, --omit leaves it out)"
        )
    return made


async def publishable(session: Session, library: Library, proposal: Proposal) -> Proposed:
    """What publishing it would make law. RefusedRequestError when it can not become that."""
    if proposal.status in ("open", "arbitrated"):
        return await validatable(session, library, proposal)
    if proposal.status != "validated":
        raise RefusedRequestError(f"{proposal.id} is {proposal.status} and can not be published now")
    return await gather(session, library, proposal.choices, proposal.packages)


async def publish(session: Session, id_: str | None = None, version: str | None = None, note: str = "") -> Baseline:
    """Makes a validated proposal law. Contents first, then the law, then the record of the proposal."""
    proposal = find_proposal(session.fleet, id_)
    if proposal.status in ("open", "arbitrated"):
        proposal = await validate_proposal(session, proposal.id)
    library, follows = Library(session), in_force(session)
    made = (await publishable(session, library, proposal)).consolidation
    commons, overlays = made.baseline()
    law = await revise(
        session, library, commons, overlays, version, note, proposal.id, made.provenance, follows=follows
    )
    await _advance(session, proposal, status="published", version=law.version)
    return law


async def restore(session: Session, version: str) -> Baseline:
    """Publishes an earlier version again, as a new revision; what came since is taken away with it."""
    library = Library(session)
    old = await version_of(session, version)
    commons, overlays = await library.whole(old)
    return await _restore(session, library, commons, overlays, f"restores {version}")


async def restore_file(session: Session, file: BaselineFile) -> Baseline:
    """The same from an exported `baseline.json`."""
    return await _restore(
        session, Library(session), file.commons, file.overlays, f"restores {file.version} from a file"
    )


async def promote(session: Session, decision: Decision, action: str, *, expected: str | None = None) -> Decision:
    """`override_remote`: this machine's value becomes the agreed one; `keep_special`: it stays, for it alone.

    `expected` is what the person was shown (`seen`); anything else is not signed.
    """
    require_seen(decision, expected)
    law = require_promotable(session, decision)
    library = Library(session)
    commons, overlays = await library.whole(law)
    local = await _local(library, decision)
    if action == "override_remote":
        commons = _in_commons(commons, decision.entity, local)
        overlays = _without(overlays, decision.machine, decision.entity)
    else:
        overlays = {**overlays, decision.machine: _special(overlays.get(decision.machine), decision.entity, local)}
    if faults := validate(commons, overlays):
        raise RefusedRequestError("it can not become part of the baseline: " + "; ".join(faults[:10]))
    if decision.status in AGAIN:
        decision = await reopen(session, decision)
    note = f"{action} of {decision.entity} by {decision.machine}"
    new = await revise(session, library, commons, overlays, None, note, follows=law.revision)
    status = "promoted" if action == "override_remote" else "kept_special"
    return await conclude(session, decision, status, new.revision)


def require_promotable(session: Session, decision: Decision) -> Baseline:
    """The baseline that the answer would change. RefusedRequestError when it can not be given now."""
    law = session.fleet.law.baseline
    if decision.reference != BASELINE or law is None:
        raise RefusedRequestError(
            f"{decision.id} compares {decision.machine} with {decision.reference.replace(':', ' ')}, and only a "
            "difference with the baseline can change the baseline: approve it without --action to take that machine's "
            "value, or share what is new here with `roosync baseline propose`"
        )
    if decision.status not in ("pending", "approved", *AGAIN):
        raise RefusedRequestError(
            f"{decision.id} is {decision.status} and can not be answered this way now; {stands(decision)}"
        )
    return law


async def _restore(
    session: Session, library: Library, commons: Commons, overlays: Mapping[str, Overlay], note: str
) -> Baseline:
    follows = in_force(session)
    commons = await restored(session, library, commons)
    return await revise(session, library, commons, overlays, None, note, follows=follows)


async def restored(session: Session, library: Library, commons: Commons) -> Commons:
    """Earlier commons as they would be law again: what came since is taken away."""
    removed = set(commons.removed)
    if (now := await commons_in_force(session, library)) is not None:
        removed |= now.entities.keys() | now.removed
    return replace(commons, removed=frozenset(removed - commons.entities.keys()))


def in_force(session: Session) -> int:
    """The revision of the baseline as this session knows it; 0 while there is none."""
    law = session.fleet.law.baseline
    return law.revision if law else 0


async def revise(
    session: Session,
    library: Library,
    commons: Commons,
    overlays: Mapping[str, Overlay],
    version: str | None,
    note: str,
    proposal: str | None = None,
    provenance: object = None,
    *,
    follows: int,
) -> Baseline:
    """Signs the next revision of the baseline: contents first, then the law. `version`: None for the next one.

    `follows` is the revision that the contents were made from (`in_force`): one that came since would be lost in them,
    so RefusedRequestError.
    """
    import msgspec

    _require_readable(commons, overlays)
    before = await commons_in_force(session, library)
    commons_hash = await session.contents.put(encode(commons))
    named = {
        machine: await session.contents.put(encode(overlay))
        for machine, overlay in sorted(overlays.items())
        if overlay.entities or overlay.excluded or overlay.removed
    }
    told = await session.contents.put(canonical(msgspec.to_builtins(provenance, str_keys=True))) if provenance else None

    def make() -> Baseline:
        known = session.fleet.law.baseline
        if known is not None and known.revision != follows:
            raise RefusedRequestError(
                f"{known.agent} published baseline {known.version} at the same moment, and nothing was signed: look at "
                "what it says, and ask again"
            )
        return Baseline(
            agent=session.name,
            timestamp=session.now(),
            revision=1,
            version=next_version(known.version if known else None, version, before, commons),
            commons=commons_hash,
            overlays=named,
            provenance=told,
            proposal=proposal,
            note=note[:500],
        )

    made = await enact(session, make)
    assert isinstance(made, Baseline)
    return made


async def commons_in_force(session: Session, library: Library) -> Commons | None:
    """The commons in force; None when there are none, or when nobody can read them: another baseline is the way out."""
    law = session.fleet.law.baseline
    try:
        return (await library.whole(law))[0] if law is not None else None
    except (MalformedContent, SenderError, UnavailableError):
        session.require_bus()
        return None


def _require_readable(commons: Commons, overlays: Mapping[str, Overlay]) -> None:
    """A baseline that machines can not read would stop the fleet, and could not even be replaced by another one."""
    contents: list[Commons | Overlay] = [commons, *overlays.values()]
    for content in contents:
        data = encode(content)
        if len(data) > MAX_CONTENT:
            raise RefusedRequestError(f"a part of the baseline has {len(data)} bytes; at most {MAX_CONTENT} are read")
        try:
            decode_commons(data) if isinstance(content, Commons) else decode_overlay(data)
        except MalformedContent as error:
            raise RefusedRequestError(f"it can not become part of the baseline: {error}") from error


async def _local(library: Library, decision: Decision) -> Entity | None:
    """The machine's value, from the decision or (when it is large) from its package; checked by its digest."""
    from msgspec import UNSET

    from roosync_protocol.digest import digest

    if decision.local.digest is None:
        return None
    if decision.local.value is not UNSET:
        return Entity(key=decision.entity, kind=decision.kind, value=decision.local.value)
    entity = (await library.package(decision.machine)).entities.get(decision.entity)
    if entity is None or digest(entity.value) != decision.local.digest:
        raise RefusedRequestError(
            f"{decision.machine} has not published the value in question; `roosync publish` there"
        )
    return entity


def _in_commons(commons: Commons, key: str, local: Entity | None) -> Commons:
    commons = replace(commons, placing=commons.placing.without_comment(key))  # it was about another value
    if local is None:
        entities = {k: e for k, e in commons.entities.items() if k != key}
        return replace(commons, entities=entities, removed=commons.removed | {key})
    return replace(commons, entities={**commons.entities, key: local}, removed=commons.removed - {key})


def _special(overlay: Overlay | None, key: str, local: Entity | None) -> Overlay:
    overlay = overlay or Overlay()
    if local is None:
        entities = {k: e for k, e in overlay.entities.items() if k != key}
        return replace(overlay, entities=entities, excluded=overlay.excluded | {key})
    return replace(
        overlay,
        entities={**overlay.entities, key: local},
        excluded=overlay.excluded - {key},
        removed=overlay.removed - {key},
    )


def _without(overlays: Mapping[str, Overlay], machine: str, key: str) -> dict[str, Overlay]:
    """The overlays, where `machine` says nothing special about `key` any more."""
    found = dict(overlays)
    if (own := found.get(machine)) is not None:
        entities = {k: e for k, e in own.entities.items() if k != key}
        found[machine] = Overlay(entities=entities, excluded=own.excluded - {key}, removed=own.removed - {key})
    return found


def _require_answered(made: Proposed, answers: Mapping[str, Choice], proposal: Proposal) -> None:
    """An answer that changes nothing is a slip of the hand: a field nobody has, a machine that has no say."""
    machines = [package.machine for package in proposal.packages]
    for key, choice in answers.items():
        if key not in made.consolidation.provenance:
            near = get_close_matches(key, made.consolidation.provenance, 3)
            hint = f"did you mean {', '.join(near)}?" if near else "`roosync baseline show` lists the fields"
            raise RefusedRequestError(f"no machine has {key!r}; {hint}")
        if choice.take == "machine" and choice.machine not in machines:
            raise RefusedRequestError(
                f"{choice.machine!r} is not in {proposal.id}; its machines: {', '.join(machines)}"
            )
        if any(question.key == key for question in made.consolidation.arbitrations):
            raise RefusedRequestError(f"{choice.machine!r} has no say about {key!r}: it has no such target")


def _content(made: Proposed) -> dict[str, object]:
    left = len(made.consolidation.arbitrations)
    return {
        "status": "open" if left else "arbitrated",
        "choices": made.choices,
        "report": digest_bytes(made.report),
        "commons": len(made.consolidation.commons),
        "overlays": len(made.consolidation.overlays),
        "arbitrations": left,
    }


async def _advance(session: Session, proposal: Proposal, **changes: object) -> Proposal:
    moved = moved_on(session, proposal, **changes)
    return await post_step(session, moved, f"proposal {moved.status}", f"report {moved.report}")
