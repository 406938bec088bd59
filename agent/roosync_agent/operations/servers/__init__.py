"""`roosync mcp-servers`: what the fleet has, from the machines' packages, and what sharing or removing one would do.

Reads only, with this machine's key. What is signed afterwards is made again from the same packages (`signing`).
"""

from msgspec.structs import replace

from roosync_agent.operations.servers.known import gather
from roosync_agent.operations.servers.plans import Removal, Share, plan_removal, plan_share
from roosync_agent.running.machine import Machine
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
    """What would come, and to where. Nothing is signed."""
    known = await gather(machine.session, machine.library, await machine.present())
    return plan_share(known, name, source, to, machines, variant)


async def _here(machine: Machine) -> Held:
    looked = await machine.look()
    return Held(machine=machine.name, entities=looked.entities, targets=looked.collection.present)
