"""A server of one assistant, as it would be in another one; and a baseline with it, or without it.

Only what the server *is* travels: what is started or called, with its environment, and whether it is off. What an
assistant may do with it unasked (`alwaysAllow`, `trust`) was decided by a person for that assistant, and stays there.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from roosync_protocol.baseline import Commons, Overlay
from roosync_protocol.digest import same
from roosync_protocol.entity import Entities, Entity, Kind
from roosync_protocol.forms import Form, FormError
from roosync_protocol.names import Value
from roosync_protocol.servers.identity import LOGICAL, readdressed

TRAVELS = (*LOGICAL, "disabled")


def shared(entity: Entity, target: str) -> Entity:
    """The server as an entity of `target`, in public form, asking for secrets of its own name only."""
    fields = entity.value if isinstance(entity.value, dict) else {}
    key = f"{target}/{entity.name}"
    value: dict[str, Value] = {n: readdressed(fields[n], entity.key, key) for n in TRAVELS if n in fields}
    return Entity(key=key, kind=Kind.MCP_SERVER, value=value)


def require_words(form: Form | None, entity: Entity) -> None:
    """FormError when an assistant of this form can not say what the entity is."""
    value = _written_out(entity.value)
    if form is None or not isinstance(value, dict):
        return
    if not value.keys() & {"command", "url"}:
        raise FormError("it says neither what to start nor where to call: its own assistant knows that by its name")
    if "url" in value and "type" not in value:
        raise FormError("it does not say its transport; write type, http or sse, beside its address there first")
    try:
        written = form.spelled(entity.name, value, None, None)
    except FormError as error:
        if value.get("disabled") is True and _says_without_switch(form, entity.name, value):
            raise FormError("it is off, and this assistant has no word for that: it would run") from error
        raise
    if not same(form.common(entity.name, written, None), value):
        raise FormError("this assistant would read it back as another server")


def _says_without_switch(form: Form, name: str, value: dict[str, Value]) -> bool:
    try:
        form.spelled(name, {field: inner for field, inner in value.items() if field != "disabled"}, None, None)
    except FormError:
        return False
    return True


def with_server(commons: Commons, key: str, entity: Entity) -> Commons:
    return replace(
        commons,
        entities={**commons.entities, key: entity},
        removed=commons.removed - {key},
        placing=commons.placing.without_comment(key),
    )


def without_servers(
    commons: Commons, overlays: Mapping[str, Overlay], keys: frozenset[str]
) -> tuple[Commons, dict[str, Overlay]]:
    """A baseline that takes `keys` away wherever they are, also from machines to which they were special."""
    placing = commons.placing
    for key in keys:
        placing = placing.without_comment(key)
    commons = Commons(entities=_less(commons.entities, keys), removed=commons.removed | keys, placing=placing)
    return commons, {machine: _forgotten(overlay, keys) for machine, overlay in overlays.items()}


def without_on(overlay: Overlay | None, keys: frozenset[str]) -> Overlay:
    """The overlay of a machine that has to give `keys` up, whatever the others have."""
    overlay = overlay or Overlay()
    return Overlay(
        entities=_less(overlay.entities, keys), excluded=overlay.excluded | keys, removed=overlay.removed | keys
    )


def with_on(overlay: Overlay | None, entities: Iterable[Entity]) -> Overlay:
    """The overlay of a machine that has these beside what it had."""
    found = {entity.key: entity for entity in entities}
    overlay = _forgotten(overlay or Overlay(), frozenset(found))
    return replace(overlay, entities={**overlay.entities, **found})


def _forgotten(overlay: Overlay, keys: frozenset[str]) -> Overlay:
    return Overlay(
        entities=_less(overlay.entities, keys), excluded=overlay.excluded - keys, removed=overlay.removed - keys
    )


def _less(entities: Entities, keys: frozenset[str]) -> Entities:
    return {key: entity for key, entity in entities.items() if key not in keys}


def _written_out(value: Value) -> Value:
    """As a file would have it: an assistant's form knows texts, not references to secrets."""
    match value:
        case {"$secret": str(), **others} if not others:
            return "secret"
        case {"$parts": list(), **others} if not others:
            return "secret"
        case dict():
            return {name: _written_out(inner) for name, inner in value.items()}
        case list():
            return [_written_out(inner) for inner in value]
    return value
