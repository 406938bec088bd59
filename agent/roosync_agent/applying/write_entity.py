"""One entity in one document: its value as this machine spells it, written in the hand of the file.

    public form -> this machine's paths -> this machine's secrets -> the smallest edit

What does not change keeps its spelling and its place; what is new stands next to the neighbour that its source has.
"""

from msgspec import structs

from roosync_agent.collecting.collection import Collection
from roosync_agent.targets.base import TargetSpec
from roosync_protocol.diff import changes, equal
from roosync_protocol.digest import same
from roosync_protocol.documents import (
    FIRST,
    Delete,
    Document,
    Edit,
    EditRefused,
    Set,
    edit,
)
from roosync_protocol.entity import Entity
from roosync_protocol.hand import NEIGHBOURS, in_hand, in_place
from roosync_protocol.names import Value
from roosync_protocol.placing import Placing
from roosync_protocol.portable import settled, to_local, to_portable
from roosync_protocol.secrets import hide, reveal, scrub
from roosync_protocol.shapes import root


def local_value(collection: Collection, key: str, entity: Entity | None) -> Value:
    """The value as this machine spells it, its own secrets in place. What does not change keeps its spelling."""
    if entity is None:
        raise EditRefused("nothing to write")
    local = reveal(to_local(entity, collection.layout.places), collection.secrets).value
    now = collection.entities.get(key)
    if now is not None and key in collection.local:
        local = _graft(collection.local[key], now.value, entity.value, local)
    _require_same_back(collection, entity, local)
    return local


def _require_same_back(collection: Collection, entity: Entity, local: Value) -> None:
    """A secret may stand only where this machine has it: put into a URL, say, it would be sent to that address.

    Asked before anything is written: what is put back after a moment was read by its assistant meanwhile.
    """
    places = collection.layout.places
    hidden, _ = hide(structs.replace(entity, value=local), collection.public_names)
    back, wanted = to_portable(hidden, places), settled(entity, places)
    if not equal(back, wanted):
        where = ", ".join(".".join(map(str, change.path)) for change in changes(wanted.value, back.value)[:3])
        raise EditRefused(f"this machine would hide or spell it in another way at {scrub(where) or 'its top'}")


def _graft(raw: Value, public: Value, wanted: Value, local: Value) -> Value:
    """`local`, with the spelling of `raw` wherever `public` and `wanted` are the same."""
    if same(public, wanted):
        return raw
    if not all(isinstance(one, dict) for one in (raw, public, wanted, local)):
        return local
    assert isinstance(raw, dict)
    assert isinstance(public, dict)
    assert isinstance(wanted, dict)
    assert isinstance(local, dict)
    line = ("command", "args")  # `cmd /c npx` is one spelling of the two together
    whole = all(same(public.get(part), wanted.get(part)) for part in line)
    merged: dict[str, Value] = {}
    for name, value in local.items():
        known = name in raw and name in public and name in wanted
        if name in line and whole:
            merged |= {name: raw[name]} if name in raw else {}
        elif name in line:
            merged[name] = value
        elif known:
            merged[name] = _graft(raw[name], public[name], wanted[name], value)
        else:
            merged[name] = value
    return merged


def with_text(document: Document, value: Value) -> Document:
    if not isinstance(value, str):
        raise EditRefused("a text is expected here")
    return edit(document, [Set((), value)])


def with_entity(
    document: Document, spec: TargetSpec, collection: Collection, key: str, entity: Entity | None, placing: Placing
) -> Document:
    name = key.split("/", 1)[1]
    held, names = _held(document.value, spec)
    step: str | int = names.index(name) if spec.identity and name in names else name
    if entity is None:
        there = name in names if spec.identity else key in collection.entities
        return edit(document, [Delete((*spec.container, step))]) if there else document
    value = local_value(collection, key, entity)
    if spec.identity and isinstance(value, dict) and value.get(spec.identity) != name:
        raise EditRefused(f"its {spec.identity!r} is not {name!r}")
    if name in names:
        now = held[names.index(name)]
        value = in_hand(in_place(root(spec.kind, key), now, value), [now, *held[:NEIGHBOURS]])
        return edit(document, [Set((*spec.container, step), value)])
    value = in_hand(value, held[:NEIGHBOURS], spec.kind)
    return edit(document, [_new(spec, name, value, names, placing.index(key, names), placing.comments.get(key, ()))])


def _new(
    spec: TargetSpec, name: str, value: Value, names: list[str], index: int | None, comments: tuple[str, ...]
) -> Edit:
    """A new member or element, next to the neighbour that its source has; at the end when that says nothing."""
    at = len(names) if index is None else index
    if spec.identity:
        return Set((*spec.container, at), value, after=at - 1, comments=comments)
    return Set((*spec.container, name), value, after=names[at - 1] if at else FIRST, comments=comments)


def _held(value: Value, spec: TargetSpec) -> tuple[list[Value], list[str]]:
    """The members of a map, or the elements of a list, in their order; and their names."""
    for step in spec.container:
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return list(value.values()), list(value)
    if not isinstance(value, list):
        return [], []
    return value, [str(one.get(spec.identity, "")) if isinstance(one, dict) else "" for one in value]
