"""What removing or sharing an MCP server would do, worked out before anything is signed.

A plan is what a person is shown and says yes to. `seen` is a digest of it: the signing command makes the plan again
from the bus, and refuses when it has become another one.
"""

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.operations.answers import Mark, Missing
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.servers.known import HOLDERS, Known, holder, means, of_a_person
from roosync_agent.targets import TargetSpec
from roosync_protocol.baseline import Commons, Overlay, validate
from roosync_protocol.digest import digest, same
from roosync_protocol.entity import Entity, Kind, target_of
from roosync_protocol.forms import FormError
from roosync_protocol.proof import RISKS
from roosync_protocol.risk import assess
from roosync_protocol.secrets import addresses
from roosync_protocol.servers.identity import logical
from roosync_protocol.servers.sharing import require_words, shared, with_on, with_server, without_on, without_servers
from roosync_protocol.servers.table import command_line, is_off, own_fields

Contents = tuple[Commons, dict[str, Overlay]]


class Place(Struct, frozen=True, kw_only=True):
    """One server in one assistant on one machine, and what stands there now."""

    machine: str
    target: str
    key: str
    runs: str = ""  # command line or address, with secrets by name; "" when nothing is there
    off: bool = False
    digest: str | None = None  # of what stands there
    answers: bool = True  # is the machine there now?


class Removal(Struct, frozen=True, kw_only=True):
    name: str
    keys: list[str]  # that the baseline will take away, also where nobody has them now
    places: list[Place]
    machines: list[str]  # only from these; empty: from every machine
    unknown: dict[str, str]  # machines of which nothing is known
    unread: dict[str, str]  # "<target> on <machine>" -> why nobody can see whether it stands there
    version: str  # of the baseline in force
    changes_baseline: bool  # False: it says so already, and only the machines are asked again
    seen: str = ""


class Share(Struct, frozen=True, kw_only=True):
    name: str
    source: str  # the target it comes from
    runs: str
    off: bool
    secrets: list[str]  # by their place: env/TOKEN
    risk: str  # of a machine where it is new
    reasons: list[str]
    left_behind: list[str]  # the source assistant's own fields
    targets: list[str]
    places: list[Place]  # where it would be written, over what stands there
    has_it: list[Place]  # where it stands already; an assistant's own fields stay as they are there
    untouched: dict[str, str]  # "<target> on <machine>" -> why it is left alone
    machines: list[str]  # only there; empty: wherever the assistant is
    unknown: dict[str, str]
    version: str
    entities: dict[str, object] = {}  # by key: exactly what would stand, in public form
    seen: str = ""
    missing: Missing = Missing()  # asked of the machines that would get it
    marks: list[Mark] = []  # texts in it with characters that nobody sees


def plan_removal(
    known: Known, name: str, assistants: list[str], machines: list[str], everywhere: bool
) -> Removal:  # fmt: skip
    """RefusedRequestError when there is nothing to remove, or when it is not said from where."""
    if everywhere == bool(assistants or machines):
        raise RefusedRequestError("say from where: --everywhere, or --from ASSISTANT, --machine MACHINE, or both")
    known.require_baseline("removing")
    known.require_machines(machines)
    known.row(name)

    def meant(target: str) -> bool:
        return not assistants or any(means(one, target) for one in assistants)

    for one in assistants:
        _require_holder(known, name, one)
    found = [(m, e) for m, e in known.servers(name) if meant(e.target) and (not machines or m in machines)]
    agreed = [
        e.key for owner, e in known.agreed(name) if meant(e.target) and (not machines or owner in ("", *machines))
    ]
    keys = {entity.key for _, entity in found} | set(agreed)
    if not machines:  # also for a machine that joins later, or that nobody has heard of for long
        keys |= {f"{t}/{name}" for t, spec in HOLDERS.items() if meant(t) and of_a_person(spec) and spec.owns(name)}
    if not found and not agreed:
        told = f"{name!r} does not stand in {', '.join(assistants)}" if assistants else f"{name!r} is not there"
        told = f"{told} on {', '.join(machines)}" if machines else told
        raise RefusedRequestError(f"{told}; `roosync mcp-servers show` says where it is")
    plan = Removal(
        name=name,
        keys=sorted(keys),
        places=[_place(known, machine, entity) for machine, entity in found],
        machines=machines,
        unknown=known.unknown,
        unread={
            f"{target} on {machine}": why
            for machine, targets in sorted(known.unread.items())
            for target, why in sorted(targets.items())
            if meant(target) and (not machines or machine in machines)
        },
        version=known.version,
        changes_baseline=True,
    )
    changes = removed_baseline(known, plan) != (known.commons, known.overlays)
    return replace(plan, changes_baseline=changes, seen=_seen(plan))


def plan_share(
    known: Known, name: str, source: str, to: list[str], machines: list[str], variant: str = ""
) -> Share:  # fmt: skip
    """RefusedRequestError when an assistant has no words for it, with the reason; and when there is nothing to do."""
    known.require_baseline("sharing")
    known.require_machines(machines)
    entity = _source(known, name, source, variant)
    targets = dict(holder(one) for one in to)
    if entity.target in targets and not machines:
        raise RefusedRequestError(f"{name!r} stands in {entity.target} already: name other assistants with --to")
    entities = {target: _translated(entity, target, spec) for target, spec in targets.items()}
    judged = assess(entity.key, entity.kind, None, shared(entity, entity.target).value)
    left = sorted({field for _, e in known.servers(name) if e.target == entity.target for field in own_fields(e)})
    made = Share(
        name=name,
        source=entity.target,
        runs=command_line(logical(entity)),
        off=is_off(entity),
        secrets=[address.removeprefix(f"{entity.key}/") for address in addresses(entity.value)],
        risk=RISKS[judged.risk],
        reasons=list(judged.reasons),
        left_behind=left,
        targets=list(targets),
        places=[],
        has_it=[],
        untouched={},
        machines=machines,
        unknown=known.unknown,
        version=known.version,
        entities={e.key: e.value for e in entities.values()},
    )
    for one in entities.values():
        _take_in(known, made, one)
    _require_something(known, made)
    made = replace(made, seen=_seen(made))
    commons, overlays = shared_baseline(known, made)
    if problems := validate(commons, overlays):
        raise RefusedRequestError("it can not become part of the baseline: " + "; ".join(problems[:10]))
    return made


def removed_baseline(known: Known, plan: Removal) -> Contents:
    """Commons and overlays of the revision that carries out `plan`."""
    keys = frozenset(plan.keys)
    if not plan.machines:
        return without_servers(known.commons, known.overlays, keys)
    return known.commons, {**known.overlays, **{m: without_on(known.overlays.get(m), keys) for m in plan.machines}}


def shared_baseline(known: Known, plan: Share) -> Contents:
    """The same for a server that is shared. Where it stands already with an assistant's own fields, they stay."""
    entities = [Entity(key=key, kind=Kind.MCP_SERVER, value=value) for key, value in plan.entities.items()]  # type: ignore[arg-type]
    commons, overlays = known.commons, dict(known.overlays)
    if plan.machines:
        for machine in plan.machines:
            wanted = {place.key for place in plan.places if place.machine == machine}
            overlays[machine] = with_on(overlays.get(machine), [e for e in entities if e.key in wanted])
        return commons, overlays
    for entity in entities:
        commons = with_server(commons, entity.key, entity)
    for place in plan.has_it:
        own = next(e for m, e in known.servers(plan.name) if (m, e.key) == (place.machine, place.key))
        if not same(own.value, plan.entities[place.key]):  # type: ignore[arg-type]
            overlays[place.machine] = with_on(overlays.get(place.machine), [own])
    return commons, overlays


def _require_holder(known: Known, name: str, assistant: str) -> None:
    """RefusedRequestError, with those that are known, for what is neither declared nor a target where it stands."""
    stands = {entity.target for _, entity in [*known.servers(name), *known.agreed(name)]}
    if not any(means(assistant, target) for target in (*HOLDERS, *stands)):
        holder(assistant)


def _source(known: Known, name: str, source: str, variant: str) -> Entity:
    """The one server that is meant: the baseline's, else the only one that machines have under this name."""
    row = known.row(name)
    _require_holder(known, name, source)
    agreed = [e for owner, e in known.agreed(name) if not owner and means(source, e.target)]
    there = [e for _, e in known.servers(name) if means(source, e.target)]
    found = sorted([*agreed, *there], key=lambda e: ("@" in e.target, e.target, is_off(e)))
    if agreed and not variant:
        return next(e for e in found if e in agreed)
    identities = {letter.letter: letter.server for letter in row.variants}
    letters = {letter: e for e in reversed(found) for letter, s in identities.items() if same(logical(e), s)}  # type: ignore[arg-type]
    if not letters:
        stands = sorted({e.target for _, e in known.servers(name)})
        raise RefusedRequestError(
            f"{source} has no {name!r} on any machine; it stands in {', '.join(stands) or 'none'}"
        )
    if variant and variant not in letters:
        raise RefusedRequestError(
            f"{source} has no variant {variant!r} of {name!r}; it has {', '.join(sorted(letters))}"
        )
    if len(letters) > 1 and not variant:
        told = "; ".join(f"{letter}: {command_line(logical(letters[letter]))}" for letter in sorted(letters))
        raise RefusedRequestError(f"{source} has {name!r} in several variants ({told}): choose with --variant LETTER")
    return letters[variant or next(iter(letters))]


def _translated(entity: Entity, target: str, spec: TargetSpec) -> Entity:
    made = shared(entity, target)
    way = f"leave {target} out of --to"
    if not spec.owns(entity.name):
        raise RefusedRequestError(f"{spec.assistant} takes no server of the name {entity.name!r}: {way}")
    try:
        require_words(spec.form if target != entity.target else None, made)
    except FormError as error:
        raise RefusedRequestError(
            f"{spec.assistant} can not have {entity.name!r}, and nothing was signed: {error}; {way}"
        ) from error
    return made


def _take_in(known: Known, plan: Share, entity: Entity) -> None:
    """On which machines it would be written, where it stands already, and where it is left alone."""
    for one in known.held:
        if entity.target not in one.targets or (plan.machines and one.machine not in plan.machines):
            continue
        now = one.entities.get(entity.key)
        overlay = known.overlays.get(one.machine)
        where = f"{entity.target} on {one.machine}"
        if now is not None and same(logical(now), logical(entity)):
            plan.has_it.append(_place(known, one.machine, now))
        elif overlay and not plan.machines and entity.key in overlay.entities:
            plan.untouched[where] = "it keeps a server of its own under this name"
        elif overlay and not plan.machines and entity.key in overlay.excluded:
            plan.untouched[where] = "it goes without, by an earlier answer; --machine gives it to it all the same"
        elif now is not None:
            plan.places.append(_place(known, one.machine, now))
        else:
            answers = known.answers(one.machine)
            plan.places.append(Place(machine=one.machine, target=entity.target, key=entity.key, answers=answers))


def _require_something(known: Known, plan: Share) -> None:
    missing = [
        f"{target} is not on {machine}"
        for machine in plan.machines
        for target in plan.targets
        if not any((p.machine, p.target) == (machine, target) for p in [*plan.places, *plan.has_it])
    ]
    if missing:
        raise RefusedRequestError(
            f"it can not be shared as asked: {'; '.join(missing)}; `roosync targets` there says why"
        )
    agreed = {e.key: e for owner, e in known.agreed(plan.name) if not owner}
    if not plan.places and all(k in agreed and same(agreed[k].value, v) for k, v in plan.entities.items()):  # type: ignore[arg-type]
        raise RefusedRequestError(f"{plan.name!r} is shared with {', '.join(plan.targets)} already; nothing was signed")
    if not plan.places and not plan.has_it:
        raise RefusedRequestError(
            f"no machine has {' or '.join(plan.targets)}" + (" that may take it" if plan.untouched else "")
        )


def _place(known: Known, machine: str, entity: Entity) -> Place:
    return Place(
        machine=machine,
        target=target_of(entity.key),
        key=entity.key,
        runs=command_line(logical(entity)),
        off=is_off(entity),
        digest=digest(entity.value),
        answers=known.answers(machine),
    )


def _seen(plan: Removal | Share) -> str:
    """Of all that is decided. Who is there at the moment, and what version is in force, is not."""
    places = [[place.machine, place.key, place.digest] for place in plan.places]
    if isinstance(plan, Removal):
        return digest([plan.name, *plan.keys, places, plan.machines])  # type: ignore[list-item]
    kept = [[place.machine, place.key, place.digest] for place in plan.has_it]  # it becomes special to that machine
    return digest([plan.name, plan.entities, places, kept, plan.machines])  # type: ignore[list-item]
