"""Are two MCP servers one and the same, in whichever assistant they stand?

What counts is what is started or called: the program with all that it is given, or the address with all that is
sent there. An assistant's own fields (what runs without asking, time-outs, whether it is on) are its own matter.
"""

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.risk.rules import How, Risk, find

LOGICAL = ("command", "args", "env", "cwd", "url", "headers", "type")
_STEERS_NOTHING = frozenset({"disabled", "trust"})  # as to where the server's secrets go


def logical(entity: Entity) -> Value:
    """What the server is, with its secrets by their place in it: equal for the same server in two assistants.

    `entity` is in public form. A reference to a secret of another entity stays as it is, and is equal to nothing else.
    """
    if not isinstance(entity.value, dict):
        return entity.value
    return {name: readdressed(entity.value[name], entity.key, "") for name in LOGICAL if name in entity.value}


def is_plain(value: Value) -> bool:
    """Has the server nothing else that could decide what is started, where, or who reads what is sent?

    Which tools run without asking, and how it is shown or timed, does not.
    """
    return isinstance(value, dict) and all(
        name in LOGICAL or name in _STEERS_NOTHING or _harmless(name, inner) for name, inner in value.items()
    )


def _harmless(name: str, value: Value) -> bool:
    rule = find(Kind.MCP_SERVER, "", name)
    if rule is None or isinstance(value, dict):
        return False
    return rule.how in (How.ALLOW, How.DENY) or (rule.how is How.CHANGE and rule.risk is Risk.LOW)


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
