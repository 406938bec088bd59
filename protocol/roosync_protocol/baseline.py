"""What a golden baseline holds: the commons of all machines, and for each machine what is special to it.

These are the contents that the baseline's law names by hash, so their bytes are canonical: the same
configuration is the same content, and is stored and sent once. They are decoded from bytes that anybody
may have put there; limits and names are checked before an entity is believed.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from msgspec import DecodeError, Meta, Struct, json

from roosync_protocol import special
from roosync_protocol.depth import too_deep
from roosync_protocol.diff import equal
from roosync_protocol.digest import canonical
from roosync_protocol.entity import Entities, Entity, Kind, target_of
from roosync_protocol.names import Value
from roosync_protocol.package import path_fault
from roosync_protocol.placing import NOWHERE, Placing, readable_ones

MAX_BYTES = 32 * 1024 * 1024  # of one content
MAX_ENTITIES = 50_000
FIRST_VERSION = "1.0.0"
_SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\Z", re.ASCII)


class MalformedContent(ValueError):
    """Bytes that are no content of a baseline; whoever published them is to blame."""


class Commons(Struct, frozen=True, kw_only=True):
    """What every machine that has the target should have."""

    entities: Entities = {}
    removed: frozenset[str] = frozenset()  # keys that this version takes away where they still are
    placing: Placing = NOWHERE  # where a new one goes in its file, and its comments


class Overlay(Struct, frozen=True, kw_only=True):
    """What is special to one machine: entities of its own, and keys of the commons that it goes without."""

    entities: Entities = {}
    excluded: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()  # keys that this machine has to give up, whatever the commons say


class _WireEntity(Struct, frozen=True, kw_only=True):
    kind: Kind
    value: Any


_Key = Annotated[str, Meta(min_length=3, max_length=600)]
_Keys = Annotated[list[_Key], Meta(max_length=MAX_ENTITIES)]


class _Wire(Struct, frozen=True, kw_only=True):
    entities: Annotated[dict[_Key, _WireEntity], Meta(max_length=MAX_ENTITIES)]
    removed: _Keys = []
    placing: Placing = NOWHERE
    excluded: _Keys = []


_decoder = json.Decoder(_Wire)


def encode(content: Commons | Overlay) -> bytes:
    """Canonical bytes: equal contents give equal bytes, whatever the order they were made in."""
    entities: Value = {key: {"kind": e.kind.value, "value": e.value} for key, e in content.entities.items()}
    if isinstance(content, Commons):
        placing = {"placing": json.decode(json.encode(content.placing))} if content.placing != NOWHERE else {}
        return canonical({"entities": entities, "removed": [*sorted(content.removed)], **placing})
    removed: dict[str, Value] = {"removed": [*sorted(content.removed)]} if content.removed else {}
    return canonical({"entities": entities, "excluded": [*sorted(content.excluded)], **removed})


def decode_commons(data: bytes) -> Commons:
    wire = _decode(data)
    placing = Placing(order=wire.placing.order, comments=readable_ones(wire.placing.comments))
    return Commons(entities=_entities(wire), removed=frozenset(wire.removed), placing=placing)


def decode_overlay(data: bytes) -> Overlay:
    wire = _decode(data)
    return Overlay(entities=_entities(wire), excluded=frozenset(wire.excluded), removed=frozenset(wire.removed))


def effective(commons: Commons, overlay: Overlay | None, targets_present: Iterable[str] | None = None) -> Entities:
    """What one machine should have, by key: the commons but for what it excludes, its own on top, for its targets."""
    overlay = overlay or Overlay()
    without = overlay.excluded | overlay.removed
    merged = {key: e for key, e in commons.entities.items() if key not in without} | overlay.entities
    present = None if targets_present is None else frozenset(targets_present)
    return {key: merged[key] for key in sorted(merged) if present is None or target_of(key) in present}


def removed_for(commons: Commons, overlay: Overlay | None) -> frozenset[str]:
    """The keys that the approved version takes away from this machine; not what it keeps as its own."""
    overlay = overlay or Overlay()
    return ((commons.removed - overlay.excluded) | overlay.removed) - overlay.entities.keys()


def next_version(
    previous: str | None, given: str | None = None, before: Commons | None = None, after: Commons | None = None
) -> str:
    """The semantic version to publish (semver.org). ValueError when `given` is none, or not greater.

    By itself: 1.0.0 first; then the minor part grows when entities came or went, the patch part when only
    values changed or nothing is known about the change.
    """
    old = _numbers(previous) if previous is not None else None
    if given is not None:
        new = _numbers(given)
        if old is not None and new <= old:
            raise ValueError(f"version {given} is not after {previous}: give a greater one, or none")
        return given
    if old is None:
        return FIRST_VERSION
    major, minor, patch = old
    if before is not None and after is not None and before.entities.keys() != after.entities.keys():
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


class Problem(NamedTuple):
    """What stands against signing a baseline: a line for a person, the entity, and the answer that would end it."""

    text: str
    key: str
    answer: str  # special | omit, as in `Choice.take`; "" where none does


def validate(commons: Commons, overlays: Mapping[str, Overlay] | None = None) -> list[str]:
    """What a person must know before signing, one line each; empty when there is nothing."""
    return [problem.text for problem in problems(commons, overlays)]


def problems(commons: Commons, overlays: Mapping[str, Overlay] | None = None) -> list[Problem]:
    """The same with the entity of each.

    Secrets are looked for everywhere. Paths of one user or disk are a fault in the commons only: in an
    overlay they are what it is for.
    """
    from roosync_protocol.secrets import find_secrets

    found: list[Problem] = []
    for key in sorted(commons.entities):
        value = commons.entities[key].value
        secrets = [f"commons: {key} still has a secret at {place}" for place in find_secrets(value)]
        found += [Problem(text, key, "omit") for text in secrets]
        paths = [f"commons: {key} has a path of one machine: {path}" for path in _own_paths(value)]
        found += [Problem(text, key, "omit" if secrets else "special") for text in paths]
    for owner, overlay in sorted((overlays or {}).items()):
        for key in sorted(overlay.entities):
            secrets = [
                f"overlay of {owner}: {key} still has a secret at {place}"
                for place in find_secrets(overlay.entities[key].value)
            ]
            found += [Problem(text, key, "omit") for text in secrets]
    both = sorted(commons.removed & {*commons.entities})
    return found + [Problem(f"commons: {key} is both wanted and removed", key, "") for key in both]


def differences(before: Commons, after: Commons) -> tuple[list[str], list[str], list[str]]:
    """Keys that were (added, removed, changed) from one version to the next, each sorted."""
    old, new = before.entities, after.entities
    changed = [key for key in old.keys() & new.keys() if not equal(old[key], new[key])]
    return sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys()), sorted(changed)


def _decode(data: bytes) -> _Wire:
    if len(data) > MAX_BYTES:
        raise MalformedContent(f"a content of {len(data)} bytes; at most {MAX_BYTES} are read")
    if too_deep(data):
        raise MalformedContent("a content that is nested too deeply")
    try:
        return _decoder.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedContent(f"no content of a baseline: {error}") from error


def _entities(wire: _Wire) -> Entities:
    found: Entities = {}
    for key, entity in wire.entities.items():
        target, slash, name = key.partition("/")
        if not (target and slash and name):
            raise MalformedContent(f"{key!r} is no entity: it should be <target>/<name>")
        if entity.kind is Kind.TEXT and not isinstance(entity.value, str):
            raise MalformedContent(f"{key!r} should be a text")
        if entity.kind is Kind.TEXT and (fault := path_fault(name)):
            raise MalformedContent(f"{key!r} would be a file: {fault}")
        if entity.kind in (Kind.MCP_SERVER, Kind.MODE) and not isinstance(entity.value, dict):
            raise MalformedContent(f"{key!r} should be an object")
        found[key] = Entity(key=key, kind=entity.kind, value=entity.value)
    return found


def _own_paths(value: Value) -> list[str]:
    if isinstance(value, dict):
        return [path for inner in value.values() for path in _own_paths(inner)]
    if isinstance(value, list):
        return [path for inner in value for path in _own_paths(inner)]
    return [value[:120]] if isinstance(value, str) and special.own_path(value) else []


def _numbers(version: str) -> tuple[int, int, int]:
    found = _SEMVER.match(version)
    if not found:
        raise ValueError(f"{version!r} is no version: write three numbers, such as 1.4.0")
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch)
