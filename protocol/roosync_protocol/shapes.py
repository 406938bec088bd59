"""Which lists have an order that matters, and which only look as if they had: data, no reasoning.

JSON has one kind of list, configurations have three. A *keyed* list is a map in disguise (modes by
`slug`), a *set* has no order (allowed commands), everything undeclared is an *atom*: `args` in another
order is another command. A rule is found by the last names of the path; a list whose elements do not
fit its rule (no name, two of one name) is an atom too. Diff, merge and consolidation read the same table.
"""

from enum import StrEnum
from typing import NamedTuple

from roosync_protocol.digest import canonical, same
from roosync_protocol.entity import Kind
from roosync_protocol.names import Value

Path = tuple[str | int, ...]  # names of keys, identities of list elements, indices


class Shape(StrEnum):
    SET = "set"  # strings, mostly; order and doubles mean nothing
    FIRST = "first"  # a set of strings or [name, options] pairs: one element for each name
    KEYED = "keyed"  # maps, each with a name of its own


class ListRule(NamedTuple):
    shape: Shape
    field: str = ""  # of a keyed list: where an element keeps its name


_SET = ListRule(Shape.SET)

LISTS: dict[tuple[str, ...], ListRule] = {  # the last names of the path -> rule
    ("customModes",): ListRule(Shape.KEYED, "slug"),
    ("cloudProfileIds",): _SET,
    ("listApiConfigMeta",): ListRule(Shape.KEYED, "name"),
    ("mcpServers",): ListRule(Shape.KEYED, "name"),  # continue.config keeps servers in a list
    ("groups",): ListRule(Shape.FIRST),  # "read", or ["edit", {"fileRegex": ...}]
    ("alwaysAllow",): _SET,
    ("autoApprove",): _SET,
    ("disabledTools",): _SET,
    ("allowedCommands",): _SET,
    ("deniedCommands",): _SET,
    ("permissions", "allow"): _SET,
    ("permissions", "deny"): _SET,
    ("permissions", "ask"): _SET,
    ("permissions", "additionalDirectories"): _SET,
    ("enabledMcpjsonServers",): _SET,
    ("disabledMcpjsonServers",): _SET,
    ("sandbox", "excludedCommands"): _SET,
    ("network", "allowedDomains"): _SET,
    ("network", "deniedDomains"): _SET,
    ("network", "allowUnixSockets"): _SET,
    ("filesystem", "allowRead"): _SET,
    ("filesystem", "allowWrite"): _SET,
    ("filesystem", "denyRead"): _SET,
    ("filesystem", "denyWrite"): _SET,
    ("writable_roots",): _SET,  # codex
    ("enabled_tools",): _SET,
    ("disabled_tools",): _SET,
    ("includeTools",): _SET,  # gemini
    ("excludeTools",): _SET,
    ("tools", "core"): _SET,
    ("tools", "allowed"): _SET,
    ("tools", "exclude"): _SET,
    ("mcp", "allowed"): _SET,
    ("mcp", "excluded"): _SET,
    ("enabled_providers",): _SET,  # opencode
    ("disabled_providers",): _SET,
}

# Strings that are prose although they stand in a map: they merge line by line.
PROSE = frozenset({"roleDefinition", "customInstructions", "whenToUse", "description"})


# Members of these maps are one piece each: the address of one with the key or the program of another is what nobody
# wrote, and sends a secret to a stranger.
WHOLE = frozenset({"mcpServers", "mcp_servers", "context_servers", "apiConfigs"})


def whole(kind: Kind | None, key: str) -> bool:
    """Is the entity one piece, whose parts never come from two sides?"""
    head, dot, _ = key.split("/", 1)[-1].partition(".")
    return kind is Kind.MCP_SERVER or (kind is Kind.SETTING and dot == "." and head in WHOLE)


def whole_at(path: Path) -> bool:
    """The same for a map inside a setting; `path` begins with `root`."""
    return len(path) > 1 and path[-2] in WHOLE


def root(kind: Kind | None, key: str) -> Path:
    """The names by which the top of an entity is found in the tables: of a setting, its own name."""
    return tuple(key.split("/", 1)[-1].split(".")) if kind is Kind.SETTING else ()


def rule(path: Path) -> ListRule | None:
    """The rule for the list at `path` (which begins with `root`); None for an atom."""
    found = LISTS.get(path[-1:])  # type: ignore[arg-type]
    return found or LISTS.get(path[-2:])  # type: ignore[arg-type]


def parts(path: Path, value: list[Value]) -> dict[str, Value] | None:
    """The elements by identity, in their order; None when the list is an atom."""
    by = rule(path)
    if by is None:
        return None
    found: dict[str, Value] = {}
    for element in value:
        name = _identity(by, element)
        if name is None or (name in found and by.shape is not Shape.SET):
            return None
        found.setdefault(name, element)
    return found


def normal(path: Path, value: Value) -> Value:
    """`value` with everything that is no difference taken out: the order of sets and keyed lists, doubles in sets."""
    if isinstance(value, dict):
        return {key: normal((*path, key), inner) for key, inner in value.items()}
    if isinstance(value, list) and (elements := parts(path, value)) is not None:
        return [normal((*path, name), elements[name]) for name in sorted(elements)]
    return value


def alike(path: Path, a: Value, b: Value) -> bool:
    """Are the two equal but for what `normal` takes out? Found by looking, not by writing both down: the first
    difference ends it, which makes comparing large trees cheap."""
    if a is b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(
            x == y if (x := a[key]).__class__ is (y := b[key]).__class__ is str else alike((*path, key), x, y)
            for key in a
        )
    if isinstance(a, list) and isinstance(b, list):
        mine, theirs = parts(path, a), parts(path, b)
        return same(a, b) if mine is None or theirs is None else alike(path, mine, theirs)
    return same(a, b)


def _identity(by: ListRule, element: Value) -> str | None:
    match by.shape, element:
        case Shape.SET, str():
            return element
        case Shape.SET, _:
            return canonical(element).decode()
        case Shape.FIRST, str():
            return element
        case Shape.FIRST, [str() as name, *_]:
            return name
        case Shape.KEYED, dict():
            named = element.get(by.field)
            return named if isinstance(named, str) else None
    return None
