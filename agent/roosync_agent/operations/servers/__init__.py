"""`roosync mcp-servers`: what the fleet has, from the machines' packages, and what sharing or removing one would do.

Reads only, with this machine's key. What is signed afterwards is made again from the same packages (`signing`).
"""

from msgspec.structs import replace

from roosync_agent.operations.coordination.needing import Item
from roosync_agent.operations.decisions import facts
from roosync_agent.operations.decisions.showing import found_marks
from roosync_agent.operations.servers.known import Known, gather
from roosync_agent.operations.servers.plans import Removal, Share, plan_removal, plan_share
from roosync_agent.running.machine import Machine
from roosync_protocol.digest import digest, same
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.needs import Asked
from roosync_protocol.servers.sharing import shared
from roosync_protocol.servers.table import Held, ServerTable


async def table(machine: Machine, name: str | None = None) -> ServerTable:
    """Every server of the fleet, or the one of a name; this machine as it is now, the others as they published."""
    known = await gather(machine.session, machine.library, await machine.present(), await _here(machine))
    found = known.table()
    return found if name is None else replace(found, servers=(known.row(name),))


async def removal(
    machine: Machine, name: str, assistants: list[str], machines: list[str], everywhere: bool = False
) -> Removal:
    """What would go, and from where. Nothing is signed."""
    known = await gather(machine.session, machine.library, await machine.present())
    return plan_removal(known, name, assistants, machines, everywhere)


async def share(
    machine: Machine, name: str, source: str, to: list[str], machines: list[str], variant: str = ""
) -> Share:
    """What would come, and to where; the machines that would get it are asked what they lack. Nothing is signed."""
    known = await gather(machine.session, machine.library, await machine.present())
    plan = plan_share(known, name, source, to, machines, variant)
    made = {key: Entity(key=key, kind=Kind.MCP_SERVER, value=value) for key, value in plan.entities.items()}  # type: ignore[arg-type]
    first = next(iter(made.values()))
    items = ((place.machine, _item(known, plan, made[place.key])) for place in plan.places)
    missing = await facts.lacking(machine, first, [(name, item) for name, item in items if item is not None])
    return replace(plan, missing=missing, marks=found_marks({first.name: first.value}))


def _item(known: Known, plan: Share, entity: Entity) -> Item | None:
    """How a machine that never heard of it finds it: by where it is published, and what is made of it."""
    for machine, one in [*known.servers(plan.name), *known.agreed(plan.name)]:
        if one.target == plan.source and same(shared(one, entity.target).value, entity.value):
            source = f"machine:{machine}" if (machine, one) in [*known.servers(plan.name)] else "baseline"
            asked = Asked(source=source, entity=one.key, target=entity.target)
            return Item(asked=asked, entity=entity, digest=digest(entity.value))
    return None


async def _here(machine: Machine) -> Held:
    looked = await machine.look()
    return Held(machine=machine.name, entities=looked.entities, targets=looked.collection.present)
