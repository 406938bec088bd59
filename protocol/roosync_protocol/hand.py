"""The order in which a value is written: the one that the file's owner uses.

Values travel with sorted names, because order carries no meaning (RFC 8785); a person writes `command` before `args`
and `slug` before `name`. So what is written takes the order of what stands there, then that of its neighbours in the
file, then the usual one of its kind. Sets and keyed lists keep the order that they have in the file, so that what is
added to one is one line more.
"""

from collections.abc import Iterable, Iterator

from roosync_protocol.entity import Kind
from roosync_protocol.names import Value
from roosync_protocol.placing import joined
from roosync_protocol.shapes import Path, Shape, alike, parts, rule

NEIGHBOURS = 20  # of a new entity that are asked how they are written
_USUAL = {
    Kind.MODE: (
        "slug name roleDefinition description whenToUse groups customInstructions source iconName "
        "fileRegex relativePath content"
    ),
    Kind.MCP_SERVER: (
        "type transport command args transportType url serverUrl httpUrl headers env envFile cwd alwaysAllow "
        "autoApprove disabled enabled timeout disabledTools watchPaths description"
    ),
}


def in_hand(value: Value, models: Iterable[Value], kind: Kind | None = None) -> Value:
    """`value` with its members in the order of the `models`, the first of which counts most; an equal value.

    `kind`: of a new entity, so that names which no model has go where they usually stand; otherwise they come last.
    """
    orders = dict.fromkeys(names for model in models for names in _orders(model))
    usual = tuple(_USUAL.get(kind, "").split()) if kind else ()
    place = {name: at for at, name in enumerate(_joined([*orders, usual]))}
    return _ordered(value, place)


def in_place(path: Path, now: Value, value: Value) -> Value:
    """`value` with its sets and keyed lists in the order of `now`; alike `value`.

    What is new in a set comes last; in a keyed list it goes next to its neighbours. `path` begins with `shapes.root`.
    """
    if isinstance(value, dict) and isinstance(now, dict):
        return {name: in_place((*path, name), now.get(name), one) for name, one in value.items()}
    if not (isinstance(value, list) and isinstance(now, list)):
        return value
    old, new = parts(path, now), parts(path, value)
    if old is None or new is None:
        return value
    if alike(path, now, value):
        return now  # with its doubles
    kept = tuple(name for name in old if name in new)
    keyed = (found := rule(path)) is not None and found.shape is Shape.KEYED
    names = joined([kept, tuple(new)]) if keyed else dict.fromkeys([*kept, *new])
    return [in_place((*path, name), old.get(name), new[name]) for name in names]


def _joined(orders: Iterable[tuple[str, ...]]) -> list[str]:
    """One order of all names: what an earlier order says stays, and a name goes behind all that it follows.

    Not `placing.joined`, which puts a name behind the last one alone: where a file writes `name` before `slug`, the
    usual `roleDefinition` comes behind both and not between them. The steps grow with the square of the names, so it
    is for the members of one kind of entity in files of this machine, not for orders of entities from elsewhere.
    """
    result: list[str] = []
    for order in orders:
        past = 0  # behind the names of this order that were met
        for name in order:
            if name not in result:
                result.insert(past or _before(result, order), name)
            past = max(past, result.index(name) + 1)
    return result


def _before(result: list[str], order: tuple[str, ...]) -> int:
    """None of the names before it is there: it goes before those that are."""
    return min((result.index(name) for name in order if name in result), default=len(result))


def _orders(value: Value) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        yield tuple(value)
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _orders(one)


def _ordered(value: Value, place: dict[str, int]) -> Value:
    if isinstance(value, list):
        return [_ordered(one, place) for one in value]
    if not isinstance(value, dict):
        return value
    names = sorted(value, key=lambda name: place.get(name, len(place)))  # stable: strangers stay as they came, last
    return {name: _ordered(value[name], place) for name in names}
