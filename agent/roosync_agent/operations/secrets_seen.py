"""Which secrets the fleet's configuration needs, by name, and which machine has them. Never a value, or its trace.

A machine *has* a secret when its published package shows a reference in its place: the value stands in its own file.
It *lacks* one when the baseline wants something with that secret there and its file does not have it.
"""

import asyncio
from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from roosync_agent.collecting.local import Looked
from roosync_agent.collecting.reference import Library, NothingToCompareError
from roosync_agent.keyring_store import KeyringError, KeyringStore
from roosync_agent.running.machine import Machine
from roosync_protocol.entity import Entities, Entity, target_of
from roosync_protocol.package import HostilePackageError
from roosync_protocol.secrets import addresses

Presence: TypeAlias = Literal["set", "missing", "keyring"]


class SecretRow(Struct, frozen=True, kw_only=True):
    address: str
    entity: str
    machines: dict[str, Presence]  # those where it matters; a machine that is not here has nothing to do with it


class SecretsAnswer(Struct, frozen=True, kw_only=True):
    machine: str
    machines: list[str]
    rows: list[SecretRow]
    unknown: dict[str, str]  # machines whose secrets are not known, with the reason
    keyring: str = ""  # why the keyring's references on this machine can not be used


async def secrets(machine: Machine) -> SecretsAnswer:
    """Names and presence by machine: of this one as its files are now, of the others as they published last."""
    return await of_look(machine, await machine.look())


async def of_look(machine: Machine, looked: Looked) -> SecretsAnswer:
    """The same by a look that was taken already."""
    found: dict[str, dict[str, Presence]] = {}
    entity_of: dict[str, str] = {}
    machines = list(machine.fleet.law.machines())
    packages, unknown = await machine.library.packages(name for name in machines if name != machine.name)
    for name in machines:
        if name == machine.name:
            held, present = looked.entities, looked.trusted
        elif name in packages:
            held, present = packages[name].entities, frozenset(packages[name].report.targets)
        else:
            continue
        wanted = await _wanted(machine.library, name)
        mine = _addresses(held.values())
        lacking = _addresses(e for key, e in wanted.items() if target_of(key) in present)
        entity_of |= lacking | mine
        for address in mine:
            found.setdefault(address, {})[name] = "set"
        for address in lacking:
            found.setdefault(address, {}).setdefault(name, "missing")
    trouble = await asyncio.to_thread(_from_keyring, machine, found)
    rows = [SecretRow(address=a, entity=entity_of[a], machines=found[a]) for a in sorted(found)]
    return SecretsAnswer(machine=machine.name, machines=machines, rows=rows, unknown=unknown, keyring=trouble)


async def _wanted(library: Library, machine: str) -> Entities:
    try:
        return (await library.of_baseline(machine)).entities
    except (NothingToCompareError, HostilePackageError, ValueError):
        return {}


def _from_keyring(machine: Machine, found: dict[str, dict[str, Presence]]) -> str:
    """Marks what this machine lacks in its files and a person keeps in the keyring; says what is wrong with that."""
    store = KeyringStore(machine.settings.state)
    try:
        for address in store.references():
            if found.get(address, {}).get(machine.name) == "missing" and store.has(address):
                found[address][machine.name] = "keyring"
    except KeyringError as error:
        return str(error)
    return ""


def _addresses(entities: Iterable[Entity]) -> dict[str, str]:
    """Address -> the entity that has it."""
    return {address: entity.key for entity in entities for address in addresses(entity.value)}
