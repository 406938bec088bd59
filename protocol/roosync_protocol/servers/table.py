"""MCP servers as a fleet has them: server x assistant x machine, and which of them are the same one.

Servers of one name are *variants* A, B, ... by what is started or called (`identity`): an assistant's own
fields, and whether the server is on, make no other variant. Everything here is in public form. The same packages in
any order give the same letters: the variant on most places is A.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, json

from roosync_protocol.baseline import Commons, Overlay
from roosync_protocol.digest import canonical
from roosync_protocol.entity import Entities, Entity, Kind, declared, target_of
from roosync_protocol.names import Value
from roosync_protocol.secrets import addresses
from roosync_protocol.servers.identity import LOGICAL, logical

COMMON = ""  # in place of a machine: the baseline's commons
BARE = frozenset("+-=:,./@%_~^#?&$\\")  # may stand in a word of a command line without quotes


class Held(Struct, frozen=True, kw_only=True):
    """What is known of one machine."""

    machine: str
    entities: Entities
    targets: frozenset[str]  # that are there, also without a server
    as_of: str = ""  # why this may not be how it is now; "" when it is


class Cell(Struct, frozen=True, kw_only=True):
    """One server in one assistant on one machine."""

    machine: str
    target: str
    variant: str
    off: bool = False
    own: tuple[str, ...] = ()  # names of the assistant's own fields


class Variant(Struct, frozen=True, kw_only=True):
    letter: str
    runs: str  # the command line or address, with secrets by their name
    server: dict[str, object]  # all that makes it this variant
    secrets: tuple[str, ...]  # by their place in it: env/TOKEN
    baseline: tuple[str, ...]  # where the baseline in force has it: targets, and "<target> of <machine>"


class ServerRow(Struct, frozen=True, kw_only=True):
    name: str
    cells: tuple[Cell, ...]  # by target, then machine
    variants: tuple[Variant, ...]  # A first
    removed: tuple[str, ...]  # targets from which the baseline in force takes it away


class ServerTable(Struct, frozen=True, kw_only=True):
    machines: tuple[str, ...]
    targets: dict[str, tuple[str, ...]]  # those that can hold servers -> the machines that have them
    servers: tuple[ServerRow, ...]
    baseline_version: str  # "" without one
    unknown: dict[str, str]  # machines of which nothing is known, with the reason
    as_of: dict[str, str]  # machines that may have changed since
    unread: dict[str, dict[str, str]] = {}  # by machine: targets whose servers nobody could see, with the reason


def server_table(
    held: list[Held],
    commons: Commons,
    overlays: Mapping[str, Overlay],
    *,
    version: str = "",
    holders: frozenset[str] = frozenset(),
    unknown: Mapping[str, str] | None = None,
    unread: Mapping[str, dict[str, str]] | None = None,
) -> ServerTable:
    """`holders`: names of targets that can hold servers, for machines where such a target is there and empty."""
    held = sorted(held, key=lambda one: one.machine)
    agreed = [(COMMON, entity) for entity in commons.entities.values()]
    agreed += [(machine, e) for machine in sorted(overlays) for e in overlays[machine].entities.values()]
    wanted = _by_name((owner, entity) for owner, entity in agreed if entity.kind is Kind.MCP_SERVER)
    there = _by_name((one.machine, entity) for one in held for entity in _servers(one.entities))
    gone: dict[str, list[str]] = {}
    for key in sorted(commons.removed):
        if _holds(target_of(key), holders):
            gone.setdefault(key.split("/", 1)[1], []).append(target_of(key))
    rows = [
        _row(name, there.get(name, []), wanted.get(name, []), tuple(gone.get(name, ())))
        for name in sorted({*there, *wanted})
    ]
    targets: dict[str, list[str]] = {}
    for one in held:
        full = {entity.target for entity in _servers(one.entities)}
        for target in sorted(full | {target for target in one.targets if _holds(target, holders)}):
            targets.setdefault(target, []).append(one.machine)
    return ServerTable(
        machines=tuple(sorted([one.machine for one in held] + list(unknown or {}))),
        targets={target: tuple(targets[target]) for target in sorted(targets)},
        servers=tuple(rows),
        baseline_version=version,
        unknown=dict(unknown or {}),
        as_of={one.machine: one.as_of for one in held if one.as_of},
        unread=dict(unread or {}),
    )


def command_line(server: Value) -> str:
    """What a server starts or calls, on one line; a secret is shown as `<secret env/TOKEN>`, by its place."""
    if not isinstance(server, dict):
        return "?"
    arguments = server.get("args", [])
    words = [server["command"]] if "command" in server else []
    words += arguments if isinstance(arguments, list) else [arguments]
    line = " ".join(_word(word) for word in words)
    return " ".join(part for part in (line, _word(server["url"]) if "url" in server else "") if part) or "?"


def own_fields(entity: Entity) -> tuple[str, ...]:
    """Names of the fields that are the assistant's own matter."""
    fields = entity.value if isinstance(entity.value, dict) else {}
    return tuple(sorted(fields.keys() - {*LOGICAL, "disabled"}))


def is_off(entity: Entity) -> bool:
    return isinstance(entity.value, dict) and entity.value.get("disabled") is True


def letter(index: int) -> str:
    """A to Z, then AA, AB, ..."""
    text, index = "", index + 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _by_name(places: Iterable[tuple[str, Entity]]) -> dict[str, list[tuple[str, Entity]]]:
    found: dict[str, list[tuple[str, Entity]]] = {}
    for place in places:
        found.setdefault(place[1].name, []).append(place)
    return found


def _row(
    name: str, there: list[tuple[str, Entity]], agreed: list[tuple[str, Entity]], removed: tuple[str, ...]
) -> ServerRow:
    places: dict[bytes, list[tuple[str, Entity]]] = {}
    for machine, entity in there:
        places.setdefault(_identity(entity), []).append((machine, entity))
    wanted: dict[bytes, list[tuple[str, Entity]]] = {}
    for owner, entity in agreed:
        wanted.setdefault(_identity(entity), []).append((owner, entity))
    order = sorted({*places, *wanted}, key=lambda data: (-len(places.get(data, ())), data))
    letters = {data: letter(index) for index, data in enumerate(order)}
    cells = [
        Cell(
            machine=machine, target=entity.target, variant=letters[data], off=is_off(entity), own=own_fields(entity)
        )
        for data, found in places.items()
        for machine, entity in found
    ]  # fmt: skip
    return ServerRow(
        name=name,
        cells=tuple(sorted(cells, key=lambda cell: (cell.target, cell.machine))),
        variants=tuple(_variant(letters[data], data, wanted.get(data, [])) for data in order),
        removed=removed,
    )


def _variant(name: str, data: bytes, agreed: list[tuple[str, Entity]]) -> Variant:
    server = json.decode(data)
    return Variant(
        letter=name,
        runs=command_line(server),
        server=server if isinstance(server, dict) else {},
        secrets=tuple(address.removeprefix("/") for address in addresses(server)),
        baseline=tuple(e.target + (f" of {owner}" if owner else "") for owner, e in agreed),
    )


def _identity(entity: Entity) -> bytes:
    return canonical(logical(entity))


def _servers(entities: Entities) -> Iterator[Entity]:
    yield from (entity for entity in entities.values() if entity.kind is Kind.MCP_SERVER)


def _holds(target: str, holders: frozenset[str]) -> bool:
    return declared(target) in holders


def _word(value: Value) -> str:
    match value:
        case {"$secret": str() as address, **others} if not others:
            return f"<secret {address.removeprefix('/')}>"
        case {"$parts": list() as parts, **others} if not others:
            return "".join(part if isinstance(part, str) else _word(part) for part in parts)
        case str() if value and all(char.isalnum() or char in BARE for char in value):
            return value
    return json.encode(value).decode()
