"""Where the value of a baseline comes from: which version brought it, who signed it, which machines had it before.

A publication from a proposal keeps its provenance as a content; a promotion by decision and a restored version keep a
note instead. What brought or changed one entity is found by walking the versions backwards, as far as the bus has them.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from roosync_agent.collecting.reference import Library
from roosync_agent.operations.explaining.answers import Change
from roosync_broker.errors import BusError
from roosync_protocol.baseline import Commons, MalformedContent, Overlay
from roosync_protocol.consolidation.provenance import Provenance
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity
from roosync_protocol.messages import Baseline

CHANGES = 5  # that one answer tells of
VERSIONS = 200  # that are looked through for them
Place: TypeAlias = tuple[
    str, str | None
]  # where a version keeps an entity for one machine, and the digest of its value

_SOURCES = {
    "common": "the same on most of the machines that have its target",
    "settled": "its values fit together",
    "special": "it differs only by what belongs to each machine",
    "chosen": "a person chose it",
    "omitted": "a person left it out",
    "kept": "an earlier baseline had it, and no machine said otherwise",
    "removed": "an earlier baseline took it away",
}
_WHAT = {  # (where before, where now) -> what a version did
    ("", "common"): "brought",
    ("", "special"): "brought, special to this machine",
    ("common", "special"): "made special to this machine",
    ("special", "common"): "made common",
    ("common", "removed"): "taken away",
    ("special", "removed"): "taken away",
    ("removed", "common"): "brought back",
}


def place(key: str, commons: Commons, overlay: Overlay | None) -> tuple[str, Entity | None]:
    """("common" | "special" | "left out" | "removed" | "", the entity)."""
    if overlay is not None and (own := overlay.entities.get(key)) is not None:
        return "special", own
    if overlay is not None and key in overlay.excluded:
        return "left out", None
    if (entity := commons.entities.get(key)) is not None:
        return "common", entity
    return ("removed", None) if key in commons.removed else ("", None)


async def changes_of(library: Library, laws: Sequence[Baseline], key: str, machine: str) -> list[Change]:
    """The versions that did something to `key` for `machine`, newest first. `laws` are in their order."""
    found: list[Change] = []
    later: tuple[Baseline, Place] | None = None
    for law in [*reversed(laws[-VERSIONS:]), None]:
        now = await _place(library, law, key, machine) if law is not None else ("", None)
        if now is None:
            break  # the contents of what is older are not kept
        if later is not None and later[1] != now:
            found.append(_change(later[0], now[0], later[1][0]))
            if len(found) == CHANGES:
                break
        later = (law, now) if law is not None else None
    return found


async def provenance_of(library: Library, law: Baseline, key: str) -> Provenance | None:
    """What the publication of `law` wrote down about `key`; None when it wrote nothing, or nothing readable."""
    return (await provenances(library, law)).get(key)


async def provenances(library: Library, law: Baseline) -> dict[str, Provenance]:
    """The same of every entity, by its key."""
    if law.provenance is None:
        return {}
    try:
        return _decoder.decode(await library.bytes_of(law.provenance))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BusError):
        return {}


def told(provenance: Provenance) -> str:
    words = _SOURCES.get(provenance.source, provenance.source)
    return f"{words}; {provenance.why}" if provenance.why else words


async def _place(library: Library, law: Baseline, key: str, machine: str) -> Place | None:
    try:
        where, entity = place(key, *await library.parts(law, machine))
    except (BusError, MalformedContent):
        return None
    return where, digest(entity.value) if entity else None


def _change(law: Baseline, before: str, after: str) -> Change:
    what = "changed" if before == after else _WHAT.get((before, after)) or f"{after or 'not spoken of'} from then on"
    return Change(version=law.version, published=law.timestamp, signed_by=law.agent, what=what, note=law.note)


_decoder = msgspec.json.Decoder(dict[str, Provenance])
