"""What a proposal would bring to the machines: how dangerous each change is, what hides in it, who lacks what for it.

A baseline that is published asks every machine that has something else, and what is of little risk is applied without
another question. So the person who signs it reads the same facts as on the card of one decision.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from roosync_agent.collecting.reference import NothingToCompareError, Received
from roosync_agent.operations.answers import BaselineAnswer, Effect, Missing
from roosync_agent.operations.coordination.needing import Item
from roosync_agent.operations.decisions import facts
from roosync_agent.operations.decisions.showing import found_marks
from roosync_agent.running.machine import Machine
from roosync_broker.errors import BusError
from roosync_protocol.digest import digest, same
from roosync_protocol.entity import Entities, Entity
from roosync_protocol.needs import Asked, needs_of
from roosync_protocol.proof import RISKS
from roosync_protocol.risk import assess


async def with_effects(machine: Machine, answer: BaselineAnswer, common: Entities) -> BaselineAnswer:
    """The answer about a proposal, and what each of its common values that is not agreed yet would mean."""
    before = await _in_force(machine)
    fresh = {key: entity for key, entity in common.items() if not _agreed(before.get(key), entity)}
    items = await questions(machine, answer.pending, fresh)
    missing = await facts.lacking_each(machine, {key: (fresh[key], of) for key, of in items.items()})
    effects = {}
    for key, entity in sorted(fresh.items()):
        old = before.get(key)
        judged = assess(key, entity.kind, old.value if old else None, entity.value)
        effects[key] = Effect(
            new=old is None,
            risk=RISKS[judged.risk],
            reasons=list(judged.reasons),
            missing=missing.get(key, Missing()),
            marks=found_marks({key: entity.value}),
        )
    return replace(answer, effects=effects)


async def _in_force(machine: Machine) -> Entities:
    law = machine.fleet.law.baseline
    try:
        return (await machine.library.parts(law, machine.name))[0].entities if law is not None else {}
    except (BusError, NothingToCompareError, ValueError):
        return {}


def _agreed(old: Entity | None, new: Entity) -> bool:
    return old is not None and same(old.value, new.value)


async def questions(
    machine: Machine, pending: Mapping[str, list[str]], fresh: Entities
) -> dict[str, list[tuple[str, Item]]]:
    """For each value that needs something, the machines that would get it, and how they find it: in a package."""
    wanted = {key: names for key, names in pending.items() if key in fresh and needs_of(fresh[key])}
    if not wanted:
        return {}
    packages, _ = await machine.library.packages(machine.fleet.packages())
    return {key: list(_asked(packages, fresh[key], names)) for key, names in wanted.items()}


def _asked(packages: Mapping[str, Received], entity: Entity, names: list[str]) -> Iterator[tuple[str, Item]]:
    value = digest(entity.value)
    holders = (name for name, of in packages.items() if entity.key in of.entities)
    holder = next((name for name in holders if digest(packages[name].entities[entity.key].value) == value), None)
    if holder is not None:  # else it was put together, and nobody has it whole: each machine asks for itself later
        item = Item(asked=Asked(source=f"machine:{holder}", entity=entity.key), entity=entity, digest=value)
        yield from ((name, item) for name in names)
