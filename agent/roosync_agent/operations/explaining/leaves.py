"""`roosync explain`, field by field: secret or not, path or not, as agreed or not, how dangerous a change would be.

All of it is asked from the code that decides it when files are compared and written, with nothing told twice.
"""

from collections.abc import Iterator
from typing import Any

from roosync_agent.operations.explaining.answers import Leaf
from roosync_agent.targets.marks import NONE, Marks, dotted_path
from roosync_protocol.consolidation.provenance import LeafSource
from roosync_protocol.digest import same
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.portable import Places, UnknownTokenError, to_local
from roosync_protocol.risk.rules import UNKNOWN, Risk, find
from roosync_protocol.secrets import addresses
from roosync_protocol.shapes import Shape, parts, root, rule

LIMIT = 500  # fields that one answer tells of
Path = tuple[str, ...]
_HOW = {Shape.SET: "a set: order and doubles mean nothing", Shape.FIRST: "a set, each element by its name"}


class View:
    """What the fields are looked at with."""

    def __init__(
        self,
        *,
        places: Places | None,
        known_secrets: frozenset[str] | None,
        marks: Marks,
        sources: tuple[LeafSource, ...],
    ) -> None:
        self.places = places  # None: another machine's
        self.secrets = known_secrets  # addresses that are set here; None: not known
        self.marks = marks
        self.sources = {tuple(map(str, one.path)): list(one.machines) for one in sources}


def leaves(here: Entity | None, agreed: Entity | None, view: View, *, compared: bool, field: str = "") -> list[Leaf]:
    """The fields of both sides, in the order of this machine's; those at or below `field` when it is given."""
    some = here or agreed
    if some is None:
        return []
    mine = dict(_fields(here)) if here else {}
    theirs = dict(_fields(agreed)) if agreed else {}
    wanted = [path for path in {**mine, **theirs} if not field or _below(dotted_path(some, path), _full(some, field))]
    return [_leaf(some, path, mine, theirs, view, compared=compared) for path in wanted[:LIMIT]]


def _leaf(
    entity: Entity, path: Path, mine: dict[Path, Value], theirs: dict[Path, Value], view: View, *, compared: bool
) -> Leaf:
    value = mine.get(path, theirs.get(path))
    risk, why = _rule(entity, path, view.marks)
    baseline = ""
    if compared and theirs:
        sides = (path in mine, path in theirs)
        alike = all(sides) and same(mine[path], theirs[path])
        baseline = {(True, False): "only here", (False, True): "only there"}.get(sides, "same" if alike else "differs")
    return Leaf(
        field=dotted_path(entity, path),
        here=mine.get(path),
        absent_here=path not in mine,
        baseline=baseline,
        agreed=theirs.get(path) if baseline in ("differs", "only there") else None,
        secrets={address: _presence(address, view) for address in addresses(value)},
        means=_means(value, view.places),
        list_rule=_list_rule(entity, path, value),
        risk=risk,
        rule=why,
        brought=view.sources.get(path, []),
    )


def _fields(entity: Entity) -> Iterator[tuple[Path, Value]]:
    def walk(value: Value, path: Path) -> Iterator[tuple[Path, Value]]:
        if isinstance(value, dict) and value and not addresses_whole(value):
            for name, inner in value.items():
                yield from walk(inner, (*path, name))
            return
        named = parts((*root(entity.kind, entity.key), *path), value) if isinstance(value, list) else None
        if named and all(isinstance(element, dict) for element in named.values()):
            for name, inner in named.items():
                yield from walk(inner, (*path, name))
            return
        yield path, value

    yield from walk(entity.value, ())


def addresses_whole(value: dict[str, Any]) -> bool:
    """Is it a reference to a secret, or a string with one in it, and no map of the person's?"""
    return len(value) == 1 and ("$secret" in value or "$parts" in value)


def _full(entity: Entity, field: str) -> str:
    """A field as a person types it: with or without the setting's own name, with dots or slashes."""
    dotted = field.replace("/", ".")
    if entity.kind is not Kind.SETTING or dotted == entity.name or dotted.startswith(f"{entity.name}."):
        return dotted
    return f"{entity.name}.{dotted}"


def _below(dotted: str, field: str) -> bool:
    return dotted == field or dotted.startswith(f"{field}.")


def _presence(address: str, view: View) -> str:
    if view.secrets is None:
        return "not known from here"
    return "set here" if address in view.secrets else "not set here"


def _means(value: Value, places: Places | None) -> str:
    if isinstance(value, list):
        return "; ".join(dict.fromkeys(told for inner in value if (told := _means(inner, places))))
    if places is None or not isinstance(value, str) or "${" not in value:
        return ""
    try:
        meant = to_local(Entity(key="x/x", kind=Kind.SETTING, value=value), places).value
    except UnknownTokenError as error:
        return str(error)
    return "" if meant == value else f"here that is {meant}"


def _list_rule(entity: Entity, path: Path, value: Value) -> str:
    if not isinstance(value, list):
        return ""
    found = rule((*root(entity.kind, entity.key), *path))
    if found is None or parts((*root(entity.kind, entity.key), *path), value) is None:
        return "a list whose order counts"
    return _HOW.get(found.shape, f"elements by their {found.field}")


def _rule(entity: Entity, path: Path, marks: Marks) -> tuple[str, str]:
    """The class of a change here by the rule of the field or what it is in, or by the target's own word."""
    if entity.kind is Kind.TEXT:
        return "medium", "instructions: what in a text is dangerous is looked for in its words"
    names = (entity.name, *path) if entity.kind is Kind.SETTING else path
    dotted = [".".join(names[:length]) for length in range(1, len(names) + 1)]
    found = next((one for place in dotted if (one := find(entity.kind, entity.target, place))), UNKNOWN)
    own = marks.least(entity, path) if marks != NONE else None
    if own is not None and own[0] > found.risk:
        return own[0].name.lower(), f"{own[1]}, in the target's own file"
    return Risk(found.risk).name.lower(), found.why
