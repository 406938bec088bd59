"""Where each value of a baseline comes from, so that a person who reads it can ask the right machine.

Most entities are one machine's value as a whole. What was put together from several has its leaves listed.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from roosync_protocol.diff import changes
from roosync_protocol.entity import Entity
from roosync_protocol.shapes import Path

Source: TypeAlias = Literal["common", "settled", "special", "chosen", "question", "omitted", "removed", "kept"]


class LeafSource(Struct, frozen=True, kw_only=True):
    """Who has a leaf as it is in the common value."""

    path: Path
    machines: tuple[str, ...]  # sorted


class Provenance(Struct, frozen=True, kw_only=True):
    """Where an entity comes from, and each of its leaves with it, unless `leaves` says otherwise."""

    source: Source
    machines: tuple[str, ...]  # who has the value that became common, or who keeps its own
    of: int  # machines that had a say
    why: str = ""
    leaves: tuple[LeafSource, ...] = ()  # of a value that was put together: those that not everybody has


def leaf_sources(common: Entity, held: Mapping[str, Entity]) -> tuple[LeafSource, ...]:
    """The leaves of `common` that some of the holders have not, with those who have them."""
    lacking: dict[Path, set[str]] = {}
    for machine, entity in held.items():
        for change in changes(entity.value, common.value, common.kind, common.key):
            lacking.setdefault(change.path, set()).add(machine)
    return tuple(
        LeafSource(path=path, machines=tuple(machine for machine in sorted(held) if machine not in without))
        for path, without in sorted(lacking.items(), key=lambda item: list(map(str, item[0])))
    )
