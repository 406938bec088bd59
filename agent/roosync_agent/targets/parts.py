"""Where in a document the entities of a target are: read and written by one set of rules.

A target owns one part of its file, or a few: the settings, and beside them the profiles, each under a prefix of its
own.

    map of entities      container                 {"mcpServers": {name: entity}}
    list of entities     container + identity      {"customModes": [{"slug": name, ...}]}
    keys of a map        ... + keys                {"model": entity, ...}
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from roosync_protocol.names import Value

if TYPE_CHECKING:
    from roosync_agent.targets.base import TargetSpec


class PartError(ValueError):
    """The document does not have the shape that the declaration says; the text says where."""


@dataclass(frozen=True, kw_only=True)
class Part:
    container: tuple[str, ...] = ()  # where in the file the entities are
    prefix: str = ""  # before each name: "profile." of "profile.fast"
    identity: str = ""  # the field that names an element, when the container is a list
    keys: frozenset[str] | None = None  # only these are ours, `*` for anything; None = each one
    never: frozenset[str] = frozenset()  # none of these
    may_be_nameless: bool = False  # of a list: an element without a name is nobody's fault, and not ours

    def inner(self, name: str) -> str | None:
        """The name within this part, when an entity of this name may be in it."""
        if not name.startswith(self.prefix):
            return None
        inner = name[len(self.prefix) :]
        return inner if self.allows(inner) else None

    def allows(self, inner: str) -> bool:
        if inner in self.never:
            return False
        if self.keys is None or inner in self.keys:
            return True
        return any(fnmatchcase(inner, pattern) for pattern in self.keys if "*" in pattern)


class Found(NamedTuple):
    """One entity in a document."""

    name: str
    value: Value
    part: Part
    step: str | int  # below the part's container


class Spot(NamedTuple):
    """Where one entity stands in a document, or would: its part, and what else is in that."""

    part: Part
    inner: str
    names: list[str]
    held: list[Value]

    @property
    def step(self) -> str | int:
        """Of an entity that is there."""
        return self.names.index(self.inner) if self.part.identity else self.inner


def entities_in(spec: "TargetSpec", whole: Value) -> list[Found]:
    """The entities of a document, in its order. PartError when its shape is another one."""
    found: dict[str, Found] = {}
    for part in spec.parts:
        for one in _elements(part, _at(part, whole)):
            if one.name in found:
                raise PartError(f"{one.name!r} is in it twice")
            found[one.name] = one
    return list(found.values())


def spot(spec: "TargetSpec", whole: Value, name: str) -> Spot:
    """Where `name` is. What is new goes to the first part that may have it; to one that is in the document before
    others, and to the innermost of those."""
    able = [(part, inner) for part in spec.parts if (inner := part.inner(name)) is not None]
    if not able:
        raise PartError(f"{name!r} is not among what roosync manages in {spec.name}")
    spots = [Spot(part, inner, *_held(part, whole)) for part, inner in able]
    there = next((one for one in spots if one.inner in one.names), None)
    made = [one for one in spots if _exists(one.part, whole)]
    return there or max(made, key=lambda one: len(one.part.container), default=spots[0])


def _at(part: Part, whole: Value) -> Value:
    value = whole
    for step in part.container:
        if value in (None, ""):
            return None
        if not isinstance(value, dict):
            raise PartError(f"{'.'.join(part.container)} is looked for in it, and it is no object")
        value = value.get(step)
    return value


def _exists(part: Part, whole: Value) -> bool:
    try:
        return _at(part, whole) is not None
    except PartError:
        return False


def _elements(part: Part, value: Value) -> Iterator[Found]:
    where = ".".join(part.container) or "the whole"
    if value is None or (value == "" and not part.container):
        return
    if not part.identity:
        if not isinstance(value, dict):
            raise PartError(f"{where} should be an object")
        yield from (Found(part.prefix + n, inner, part, n) for n, inner in value.items() if part.allows(n))
        return
    if not isinstance(value, list):
        raise PartError(f"{where} should be a list")
    seen: set[str] = set()
    for index, element in enumerate(value):
        name = element.get(part.identity) if isinstance(element, dict) else None
        if not isinstance(name, str) or not name:
            if part.may_be_nameless:
                continue
            raise PartError(f"{where}[{index}] has no {part.identity!r} to know it by")
        if name in seen:
            raise PartError(f"{where} has two elements with the {part.identity} {name!r}")
        seen.add(name)
        yield Found(part.prefix + name, element, part, index)


def _held(part: Part, whole: Value) -> tuple[list[str], list[Value]]:
    """The names and values of what is in the part now, in their order."""
    value = _at(part, whole)
    if isinstance(value, dict):
        return list(value), list(value.values())
    if not isinstance(value, list):
        return [], []
    return [str(one.get(part.identity, "")) if isinstance(one, dict) else "" for one in value], value
