"""`baseline.json`: a golden baseline as one file that people read, commit to git, and restore from.

It holds the same entities as the contents that the law names by hash, so what was restored has the same
hashes as what was exported. Sorted and indented, so that git shows what changed. No secret is in it: the
values are in public form.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import DecodeError, Meta, Raw, Struct, json

from roosync_protocol.baseline import (
    MAX_BYTES,
    Commons,
    MalformedContent,
    Overlay,
    decode_commons,
    decode_overlay,
    encode,
)
from roosync_protocol.names import MachineId

FORMAT = "roosync.baseline.v1"


class BaselineFile(Struct, frozen=True, kw_only=True):
    version: str
    revision: int  # of the law it was exported from; a restored baseline gets a new one
    commons: Commons
    overlays: dict[str, Overlay]


class _Wire(Struct, frozen=True, kw_only=True):
    format: str
    version: Annotated[str, Meta(max_length=500)]
    revision: Annotated[int, Meta(ge=0, le=2**31)] = 0
    commons: Raw
    overlays: Annotated[dict[MachineId, Raw], Meta(max_length=20_000)] = {}


_decoder = json.Decoder(_Wire)


def to_value(version: str, revision: int, commons: Commons, overlays: Mapping[str, Overlay]) -> dict[str, Any]:
    """The file's content as a JSON tree."""
    return {
        "format": FORMAT,
        "version": version,
        "revision": revision,
        "commons": json.decode(encode(commons)),
        "overlays": {machine: json.decode(encode(overlays[machine])) for machine in sorted(overlays)},
    }


def read(data: bytes) -> BaselineFile:
    """The baseline in the file; MalformedContent says why it is none."""
    if len(data) > MAX_BYTES:
        raise MalformedContent(f"a baseline file of {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        wire = _decoder.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedContent(f"no baseline file: {error}") from error
    if wire.format != FORMAT:
        raise MalformedContent(f"its format is {wire.format[:60]!r}; {FORMAT!r} is read here")
    return BaselineFile(
        version=wire.version,
        revision=wire.revision,
        commons=decode_commons(bytes(wire.commons)),
        overlays={machine: decode_overlay(bytes(raw)) for machine, raw in wire.overlays.items()},
    )
