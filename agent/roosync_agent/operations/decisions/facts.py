"""What a card says beyond the decision itself: who agreed on the value, where it stands, what machines lack for it.

Gathered once for all cards that are shown together: packages are read once, and each machine is asked one question.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET, Struct

from roosync_agent.collecting.reference import BASELINE, Received
from roosync_agent.operations.answers import Agreed, Lack, Missing, Origin
from roosync_agent.operations.coordination import needing
from roosync_agent.operations.coordination.needing import Item, Said
from roosync_agent.operations.decisions.seen import PROMOTES, step
from roosync_agent.operations.explaining import origins
from roosync_agent.running.machine import Machine
from roosync_broker.errors import BusError
from roosync_protocol.decision import AGAIN
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity
from roosync_protocol.messages import Decision
from roosync_protocol.needs import Asked, needs_of

ANSWERABLE = {"pending", "approved", *AGAIN}  # of these a person wants to know what is lacking


class Shown(Struct, frozen=True, kw_only=True):
    """A decision as it is answered with `action`, and its values as far as anybody has them."""

    decision: Decision
    action: str | None = None

    @property
    def result(self) -> Entity | None:
        """What would stand; None when it goes, or nobody has it."""
        side = step(self.decision, self.action)[1]
        if side.digest is None or side.value is UNSET:
            return None
        return Entity(key=self.decision.entity, kind=self.decision.kind, value=side.value)


class Facts:
    """Made by `gather`."""

    def __init__(
        self,
        places: Mapping[tuple[str, str], list[Origin]],
        agreed: Mapping[str, Agreed],
        missing: Sequence[Missing],
    ) -> None:
        self._places = places
        self._agreed = agreed
        self.missing = missing  # one for each that was asked for, in their order

    def origins(self, shown: Shown) -> list[Origin]:
        """Who published exactly what would stand."""
        wanted = step(shown.decision, shown.action)[1].digest
        return self._places.get((shown.decision.entity, wanted or ""), [])

    def agreed(self, shown: Shown) -> Agreed | None:
        """Of the baseline that the decision compares with; None when it compares with a machine."""
        return self._agreed.get(shown.decision.entity) if shown.decision.reference == BASELINE else None


async def gather(machine: Machine, groups: Sequence[Sequence[Shown]], *, ask: bool = True) -> Facts:
    """The facts for these cards; each group is the same change on several machines, of which all are asked.

    Without `ask` nobody is: for who reads no card.
    """
    packages = await _packages(machine)
    keys = {one.decision.entity for group in groups for one in group}
    places = _places(packages, keys)
    items, whose = _questions(machine, packages, groups)
    asked = bool(items) and ask and machine.session.reachable
    said = await needing.ask_each(machine, items) if asked else {}
    agreed = await _agreed(machine, keys)
    missing = [_missing(group, whose[at], items, said) for at, group in enumerate(groups)]
    return Facts(places, agreed, missing)


async def _packages(machine: Machine) -> Mapping[str, Received]:
    try:
        return (await machine.library.packages(machine.fleet.packages()))[0]
    except BusError:  # a card is of use without it
        return {}


def _places(packages: Mapping[str, Received], keys: Iterable[str]) -> dict[tuple[str, str], list[Origin]]:
    """(key, digest of a value) -> who published it."""
    found: dict[tuple[str, str], list[Origin]] = {}
    for key in keys:
        for name, received in packages.items():
            if (entity := received.entities.get(key)) is not None:
                report = received.report
                origin = Origin(
                    machine=name,
                    file=received.files.get(key, ""),
                    version=report.version,
                    published=report.timestamp,
                )
                found.setdefault((key, digest(entity.value)), []).append(origin)
    return {place: sorted(of, key=lambda one: (one.published, one.machine)) for place, of in found.items()}


async def _agreed(machine: Machine, keys: Iterable[str]) -> dict[str, Agreed]:
    """By entity, what is known of how the baseline in force came to its value."""
    law = machine.fleet.law.baseline
    if law is None:
        return {}
    known = await origins.provenances(machine.library, law)
    made = {}
    for key in keys:
        told = known.get(key)
        made[key] = Agreed(
            version=law.version,
            revision=law.revision,
            signed_by=law.agent,
            published=law.timestamp,
            why=origins.told(told) if told else law.note,
            had_by=list(told.machines) if told else [],
        )
    return made


# -- what is lacking, asked of the machines

Questions = dict[str, list[Item]]
Place = tuple[str, int]  # a machine, and which of its questions


def _questions(
    machine: Machine, packages: Mapping[str, Received], groups: Sequence[Sequence[Shown]]
) -> tuple[Questions, list[list[Place]]]:
    """What to ask each machine; and for each group, which questions are about it."""
    items: Questions = {}
    whose: list[list[Place]] = []
    for group in groups:
        places = []
        for shown in group:
            for name, item in _asked(machine, packages, shown):
                places.append((name, len(items.setdefault(name, []))))
                items[name].append(item)
        whose.append(places)
    return items, whose


def _asked(machine: Machine, packages: Mapping[str, Received], shown: Shown) -> Iterable[tuple[str, Item]]:
    """Who would get it: its own machine; of a value that is promoted, everybody who has its target and not the value.

    A machine looks up what a decision of its own wants. What it wants otherwise is named by where it is published.
    """
    decision, result = shown.decision, shown.result
    if result is None or decision.status not in ANSWERABLE or shown.action == "keep_special":
        return
    value = digest(result.value)
    if shown.action not in PROMOTES:
        known = machine.fleet.decision(decision.machine, decision.id).state
        own = known is not None and known.wanted.digest == value
        source = "" if own else decision.reference
        asked = Asked(decision=decision.id) if own else Asked(source=source, entity=result.key)
        yield decision.machine, Item(asked=asked, entity=result, digest=value)
        return
    asked = Asked(source=f"machine:{decision.machine}", entity=result.key)
    members = set(machine.fleet.law.machines())
    for name, received in packages.items():
        has = received.entities.get(result.key)
        same = has is not None and digest(has.value) == value
        if name in members and name != decision.machine and result.target in received.report.targets and not same:
            yield name, Item(asked=asked, entity=result, digest=value)


def _missing(
    group: Sequence[Shown], places: Sequence[Place], items: Questions, said: Mapping[str, list[Said]]
) -> Missing:
    result = group[0].result
    told = [(name, said[name][at] if name in said else Said(why=needing.AWAY)) for name, at in places]
    return _told(result, told) if result is not None else Missing()


def _told(entity: Entity, told: Iterable[tuple[str, Said]]) -> Missing:
    """What machines said of one value, put together; the same thing of one machine once."""
    needed = needs_of(entity)
    found = Missing(needs=[f"{need.kind} {need.name}" for need in needed])
    for name, one in told if needed else ():
        if name not in found.asked:
            found.asked.append(name)
        for list_, needs in ((found.lacks, one.lacks), (found.unsure, one.unsure)):
            lacks = (Lack(machine=name, kind=need.kind, name=need.name) for need in needs)
            list_.extend(lack for lack in lacks if lack not in list_)
        if one.why:
            found.not_said[name] = one.why
    return found


async def lacking(machine: Machine, entity: Entity, wanted: Iterable[tuple[str, Item]]) -> Missing:
    """What machines lack for `entity`, each asked about its items: the same thing in the words of its assistants."""
    return (await lacking_each(machine, {entity.key: (entity, list(wanted))}))[entity.key]


async def lacking_each(
    machine: Machine, wanted: Mapping[str, tuple[Entity, list[tuple[str, Item]]]]
) -> dict[str, Missing]:
    """The same of several entities by their keys; each machine is asked once about all of them."""
    items: Questions = {}
    places: dict[str, list[Place]] = {}
    for key, (entity, of) in wanted.items():
        places[key] = []
        for name, item in of if needs_of(entity) else ():
            places[key].append((name, len(items.setdefault(name, []))))
            items[name].append(item)
    said = await needing.ask_each(machine, items) if items and machine.session.reachable else {}
    away = Said(why=needing.AWAY)
    return {
        key: _told(wanted[key][0], [(name, said[name][at] if name in said else away) for name, at in of])
        for key, of in places.items()
    }
