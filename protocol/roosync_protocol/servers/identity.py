"""Are two MCP servers one and the same, in whichever assistant they stand?

What counts is what is started or called: the program with all that it is given, or the address with all that is
sent there. An assistant's own fields (what runs without asking, time-outs, whether it is on) are its own matter.
"""

from roosync_protocol.entity import Entity
from roosync_protocol.names import Value

LOGICAL = ("command", "args", "env", "cwd", "url", "headers", "type")


def logical(entity: Entity) -> Value:
    """What the server is, with its secrets by their place in it: equal for the same server in two assistants.

    `entity` is in public form. A reference to a secret of another entity stays as it is, and is equal to nothing else.
    """
    if not isinstance(entity.value, dict):
        return entity.value
    return {name: readdressed(entity.value[name], entity.key, "") for name in LOGICAL if name in entity.value}


def readdressed(value: Value, old: str, new: str) -> Value:
    """`value` with the addresses of the secrets of entity `old` as they are in entity `new`."""
    match value:
        case {"$secret": str() as address, **others} if not others and address.startswith(f"{old}/"):
            return {"$secret": new + address[len(old) :]}
        case dict():
            return {name: readdressed(inner, old, new) for name, inner in value.items()}
        case list():
            return [readdressed(inner, old, new) for inner in value]
    return value
