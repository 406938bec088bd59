"""A package: what a machine publishes of its configuration, as a manifest and the contents it lists.

The manifest has the founding protocol's fields, with the SHA-256 of the published bytes of each file. A
content is one JSON object: the entities that a file holds, public form, and their order in it. The
receiver believes nothing: hashes, sizes, names, counts and kinds are checked before an entity is used.
"""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any

from msgspec import DecodeError, Meta, Struct, json

from roosync_protocol.depth import too_deep
from roosync_protocol.digest import canonical, digest_bytes
from roosync_protocol.entity import Entities, Entity, Kind
from roosync_protocol.messages.base import Count, Line, Moment, Prose, Sha256
from roosync_protocol.placing import NOWHERE, Comments, Order, Placing, readable_ones

MAX_CONTENT = 16 * 1024 * 1024  # bytes of one content
MAX_FILES = 5_000
MAX_PACKAGE = 256 * 1024 * 1024  # bytes of all contents of one package
_DIGITS = "0123456789\u00b9\u00b2\u00b3"  # Windows takes superscripts for digits here
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$", *(f"{d}{n}" for d in ("com", "lpt") for n in _DIGITS)}
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}\Z")  # no slash: the first one in a key ends the target
# Line and paragraph separators, halves of surrogate pairs, and what turns the direction of text: one name shown,
# another one meant.
_DECEIVING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class HostilePackageError(ValueError):
    """A package that is not what its manifest says, or that names what it may not; its sender is to blame."""


class ManifestFile(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(min_length=1, max_length=1_000)]  # relative, for people: <target>/<file>
    hash: Sha256
    type: Line  # the target
    size: Count


class Manifest(Struct, frozen=True, kw_only=True):
    version: Line
    timestamp: Moment
    author: Line  # the machine
    description: Prose = ""
    files: Annotated[tuple[ManifestFile, ...], Meta(max_length=MAX_FILES)]


class FileContent(Struct, frozen=True, kw_only=True):
    """What one managed file holds: entities by name (public form), in the order of the file."""

    target: Line
    path: Annotated[str, Meta(min_length=1, max_length=1_000)]  # portable, for people
    format: Line
    kind: Kind
    entities: Annotated[dict[str, Any], Meta(max_length=20_000)]
    order: Order = ()
    comments: Annotated[dict[str, Comments], Meta(max_length=20_000)] = {}  # by name: the lines above, without marks

    @property
    def placing(self) -> Placing:
        """Comments that may not be written are left out, whoever sent them."""
        comments = {f"{self.target}/{name}": lines for name, lines in readable_ones(self.comments).items()}
        return Placing(order={self.target: self.order} if self.order else {}, comments=comments)


class Contents(Struct, frozen=True, kw_only=True):
    """What a package's file gave, checked."""

    entities: Entities
    placing: Placing


class Package(Struct, frozen=True, kw_only=True):
    manifest: Manifest
    contents: dict[str, bytes]  # by SHA-256; the manifest's own bytes are among them
    manifest_hash: str


_manifest = json.Decoder(Manifest)
_content = json.Decoder(FileContent)


def build(machine: str, version: str, now: datetime, files: list[FileContent], description: str = "") -> Package:
    """Packs the files; the same files give the same contents, so what did not change is not sent again."""
    contents: dict[str, bytes] = {}
    listed: list[ManifestFile] = []
    for file in sorted(files, key=lambda f: (f.target, f.path)):
        data = canonical(_plain(file))
        sha = digest_bytes(data)
        contents[sha] = data
        listed.append(ManifestFile(path=f"{file.target}/{file.path}", hash=sha, type=file.target, size=len(data)))
    manifest = Manifest(version=version, timestamp=now, author=machine, description=description, files=tuple(listed))
    data = json.encode(manifest)
    contents[digest_bytes(data)] = data
    return Package(manifest=manifest, contents=contents, manifest_hash=digest_bytes(data))


def read_manifest(data: bytes, author: str) -> Manifest:
    """The manifest of `author`, or HostilePackageError."""
    manifest: Manifest = _decode(_manifest, data, "the manifest")
    if manifest.author != author:
        raise HostilePackageError(f"the manifest of {author!r} says it is by {manifest.author!r}")
    seen: set[str] = set()
    for file in manifest.files:
        if fault := path_fault(file.path):
            raise HostilePackageError(f"the manifest of {author!r} names {file.path!r}: {fault}")
        if not file.path.startswith(f"{file.type}/") or not _TARGET.match(file.type):
            raise HostilePackageError(f"the manifest of {author!r} lists {file.path!r} under {file.type!r}")
        name = unicodedata.normalize("NFC", file.path).casefold()  # one file on macOS and on Windows
        if name in seen:
            raise HostilePackageError(f"the manifest of {author!r} names {file.path!r} twice")
        if file.size > MAX_CONTENT:
            raise HostilePackageError(f"{file.path!r} of {author!r} has {file.size} bytes; {MAX_CONTENT} are allowed")
        seen.add(name)
    if sum(file.size for file in manifest.files) > MAX_PACKAGE:
        raise HostilePackageError(f"the package of {author!r} is larger than the {MAX_PACKAGE} bytes allowed")
    return manifest


def read_contents(file: ManifestFile, data: bytes) -> Contents:
    """The entities of one file and their places, after its hash, size, target and names were checked."""
    if len(data) != file.size or digest_bytes(data) != file.hash:
        raise HostilePackageError(f"{file.path!r}: the bytes received are not those of the manifest")
    content = _decode(_content, data, repr(file.path))
    if (content.target, f"{content.target}/{content.path}") != (file.type, file.path):
        raise HostilePackageError(
            f"{file.path!r} is listed under {file.type!r} and holds {content.path!r} of {content.target!r}"
        )
    entities: Entities = {}
    for name, value in content.entities.items():
        key = f"{content.target}/{name}"
        if not name or len(key) > 600:
            raise HostilePackageError(f"{file.path!r} has an entity without a usable name")
        if content.kind is Kind.TEXT and not isinstance(value, str):
            raise HostilePackageError(f"{key!r} should be a text")
        if content.kind is Kind.TEXT and (fault := path_fault(name)):
            raise HostilePackageError(f"{key!r} would be a file: {fault}")
        if content.kind in (Kind.MCP_SERVER, Kind.MODE) and not isinstance(value, dict):
            raise HostilePackageError(f"{key!r} should be an object")
        entities[key] = Entity(key=key, kind=content.kind, value=value)
    return Contents(entities=entities, placing=NOWHERE if content.kind is Kind.TEXT else content.placing.only(entities))


def path_fault(path: str) -> str | None:
    """Why a name that came from elsewhere may not become a path here; None when it may.

    Refused on every system, because a package made on one is applied on another: absolute names, `..`,
    drive letters, alternate streams, device names, back-slashes, control characters.
    """
    if path.startswith("/") or "\\" in path or ":" in path:
        return "it is absolute, or has a drive, a stream or a back-slash in it"
    if _DECEIVING.search(path):
        return "it has characters in it that can not be seen, or that turn the direction of the text"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "it has an empty or a dotted part"
        if part.split(".")[0].rstrip(" ").casefold() in _DEVICES:
            return f"{part!r} is a device on Windows"
        if part != part.rstrip(" ."):
            return f"{part!r} ends with a dot or a space"
        if len(part.encode("utf-8", "replace")) > 255:
            return "one of its parts is too long for a file name"
    return None


def _plain(file: FileContent) -> Any:
    return {
        "target": file.target,
        "path": file.path,
        "format": file.format,
        "kind": file.kind.value,
        "entities": file.entities,
        "order": list(file.order),
        **({"comments": {name: list(lines) for name, lines in file.comments.items()}} if file.comments else {}),
    }


def _decode(decoder: Any, data: bytes, what: str) -> Any:
    if len(data) > MAX_CONTENT:
        raise HostilePackageError(f"{what} has {len(data)} bytes; at most {MAX_CONTENT} are read")
    if too_deep(data):
        raise HostilePackageError(f"{what} is nested too deeply")
    try:
        return decoder.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HostilePackageError(f"{what} can not be read: {error}") from error
