"""One entity in one document: its value as this machine spells it, written in the hand of the file.

    public form -> this machine's paths -> this machine's secrets -> the smallest edit

What does not change keeps its spelling and its place; what is new stands next to the neighbour that its source has.
"""

from msgspec import structs

from roosync_agent.applying.known_secrets import secrets_for
from roosync_agent.collecting.collection import Collection
from roosync_agent.targets import marks
from roosync_agent.targets.base import TargetSpec
from roosync_agent.targets.parts import Spot, spot
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
from roosync_protocol.portable import to_local
from roosync_protocol.secrets import reveal, scrub
from roosync_protocol.shapes import root


def local_value(collection: Collection, key: str, entity: Entity | None) -> Value:
    """The value as this machine spells it, its own secrets in place. What does not change keeps its spelling."""
    if entity is None:
        raise EditRefused("nothing to write")
    local = reveal(to_local(entity, collection.layout.places), secrets_for(collection, entity)).value
    now = collection.entities.get(key)
    if now is not None and key in collection.local:
        local = _graft(collection.local[key], now.value, entity.value, local)
    _require_same_back(collection, entity, local)
    return local


def _require_same_back(collection: Collection, entity: Entity, local: Value) -> None:
    """A secret may stand only where this machine has it: put into a URL, say, it would be sent to that address.

    Asked before anything is written: what is put back after a moment was read by its assistant meanwhile.
    """
    places, own = collection.layout.places, collection.marks(entity.key)
    hidden, _ = marks.hidden(own, structs.replace(entity, value=local), collection.public_names)
    back, wanted = marks.portable(own, hidden, places), marks.settled(own, entity, places)
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
    at = spot(spec, document.value, key.split("/", 1)[1])
    there = at.inner in at.names
    if entity is None:
        return edit(document, [Delete((*at.part.container, at.step))]) if there else document
    now = at.held[at.names.index(at.inner)] if there else None
    local = local_value(collection, key, entity)
    value = spec.form.spelled(entity.name, local, now, document.value) if spec.form else local
    identity = at.part.identity
    if identity and isinstance(value, dict) and value.get(identity) != at.inner:
        raise EditRefused(f"its {identity!r} is not {at.inner!r}")
    if there:
        value = in_hand(in_place(root(spec.kind, key), now, value), [now, *at.held[:NEIGHBOURS]])
        written = edit(document, [Set((*at.part.container, at.step), value)])
    else:
        value = in_hand(value, at.held[:NEIGHBOURS], spec.kind)
        index = placing.index(key, [at.part.prefix + name for name in at.names])
        written = edit(document, [_new(at, value, index, placing.comments.get(key, ()))])
    _require_said(written, spec, entity.name, local)
    return written


def _require_said(written: Document, spec: TargetSpec, name: str, value: Value) -> None:
    """In its assistant's own spelling the entity means what it should, as the whole file is now."""
    if spec.form is None:
        return
    at = spot(spec, written.value, name)
    back = spec.form.common(name, at.held[at.names.index(at.inner)], written.value)
    if not equal(Entity(key=name, kind=spec.kind, value=back), Entity(key=name, kind=spec.kind, value=value)):
        raise EditRefused(f"{spec.assistant} has no words for it")


def _new(at: Spot, value: Value, index: int | None, comments: tuple[str, ...]) -> Edit:
    """A new member or element, next to the neighbour that its source has; at the end when that says nothing."""
    end = len(at.names) if index is None else index
    if at.part.identity:
        return Set((*at.part.container, end), value, after=end - 1, comments=comments)
    after = at.names[end - 1] if end else FIRST
    return Set((*at.part.container, at.inner), value, after=after, comments=comments)
