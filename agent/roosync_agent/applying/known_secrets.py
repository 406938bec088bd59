"""Which secrets this machine can put into an entity that comes from elsewhere.

Its own, first: what the file has under the same address. Then those of the same server in another assistant of this
machine: a program that is started with a token there may be started with it here, when it is the same program, with
the same arguments, names and values, and nothing beside them that could turn it elsewhere (a file of variables, a
proxy). Never between a person's own servers and those of a project, whose files others read and write. And what a
person keeps in the keyring for this address. Nothing else: a baseline could otherwise ask for one server's token to
be sent to another one.
"""

from collections.abc import Iterator, Mapping

from roosync_agent.collecting.collection import Collection
from roosync_protocol.digest import same
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.portable import UnknownTokenError, settled
from roosync_protocol.secrets import addresses
from roosync_protocol.servers.identity import is_plain, logical


def secrets_for(collection: Collection, entity: Entity) -> Mapping[str, str]:
    """The values by address, as far as this machine has them. `entity` is in public form."""
    missing = [address for address in addresses(entity.value) if address not in collection.secrets]
    if not missing:
        return collection.secrets
    found = dict(collection.secrets)
    siblings = list(_siblings(collection, entity))
    for address in missing:
        if not address.startswith(f"{entity.key}/"):
            continue  # of another entity: `reveal` says so
        place = address[len(entity.key) :]
        held = (collection.secrets.get(sibling + place) for sibling in siblings)
        value = next((one for one in held if one is not None), None) or collection.stored(address)
        if value is not None:
            found[address] = value
    return found


def _siblings(collection: Collection, entity: Entity) -> Iterator[str]:
    """Keys of the same server in other assistants of this machine."""
    if entity.kind is not Kind.MCP_SERVER or not is_plain(entity.value) or _in_project(collection, entity):
        return
    try:
        wanted = logical(settled(entity, collection.layout.places))
    except (UnknownTokenError, ValueError):
        return
    named = (e for e in collection.entities.values() if e.kind is Kind.MCP_SERVER and e.name == entity.name)
    yield from sorted(
        other.key
        for other in named
        if other.key != entity.key and same(logical(other), wanted) and not _in_project(collection, other)
    )


def _in_project(collection: Collection, entity: Entity) -> bool:
    target = collection.targets.get(entity.target)
    return target is None or target.project is not None
