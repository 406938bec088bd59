"""A package of RooSync 2 into ours: each file is collected as if it lay in the home of its machine.

So secrets are hidden, paths made portable and entities named by the same code as everywhere. The home is never made:
the files lie in memory (`DryDoor`), one at a time. What comes out is the word of whoever wrote the folder, never of the
machine it names.
"""

import hashlib
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.places import System, layout
from roosync_agent.files.door import RealDoor
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.operations.sharing_in.folder import Share, shown
from roosync_agent.targets import TABLE
from roosync_agent.targets.base import locate
from roosync_protocol import old_share
from roosync_protocol.names import propose
from roosync_protocol.package import FileContent, HostilePackageError, ManifestFile, path_fault, read_contents
from roosync_protocol.secrets import addresses, find_secrets, scrub

FILES = 1_000  # of one package
SPECS = {spec.name: spec for spec in TABLE}
ROOT = "roo-extensions"  # the project that RooSync 2 called %ROO_ROOT%
_TAKEN_OUT = re.compile(rb"\{\{SECRET:[^{}\"\n]{1,100}\}\}")
_HOMES = re.compile(r"(?:[A-Za-z]:[\\/]{1,4}Users|/home|/Users)[\\/]{1,4}[\w. -]{1,60}?(?=[\\/\"'])")


class Foreign(Struct, frozen=True, kw_only=True):
    """A package that somebody else speaks for."""

    machine: str
    path: str  # in the shared folder
    version: str
    timestamp: datetime
    description: str
    files: tuple[FileContent, ...]
    secrets: tuple[str, ...]  # addresses of what was hidden


class _Entry(Struct):
    path: str
    hash: str = ""
    type: str = ""
    size: int = 0


class _Manifest(Struct):
    files: list[_Entry]
    version: str = ""
    timestamp: str = ""
    author: str = ""
    description: str = ""


def read(share: Share, folder: str, machine: str, home: Path) -> Foreign | None:
    """The package in `folder`; None when its manifest can not be believed (told)."""
    value = share.json(f"{folder}/manifest.json")
    if value is None:
        return None
    try:
        manifest = msgspec.convert(value, _Manifest)
    except msgspec.ValidationError as error:
        share.skip(f"{folder}/manifest.json", f"no manifest: {error}")
        return None
    if len(manifest.files) > FILES:
        share.skip(folder, f"it lists {len(manifest.files)} files; at most {FILES} are read")
        return None
    found: list[FileContent] = []
    taken: set[str] = set()
    listed: set[str] = set()
    for entry in manifest.files:
        path = _spelled(entry.path)
        if path in listed:  # to read one file a thousand times takes as long as a thousand files
            share.skip(f"{folder}/{entry.path}", "the manifest lists it twice")
            continue
        listed.add(path)
        for content in _file(share, folder, entry, home):
            if twice := sorted(taken & _keys(content)):
                share.skip(f"{folder}/{entry.path}", f"{twice[0]} is in another file of the package, which is taken")
            content = _without(content, taken)
            taken |= _keys(content)
            if content.entities:
                found.append(content)
    return Foreign(
        machine=machine,
        path=folder,
        version=shown(manifest.version)[:100] or "0.0.0",
        timestamp=moment(manifest.timestamp),
        description=scrub(manifest.description)[:2_000],
        files=tuple(found),
        secrets=tuple(
            sorted({a for content in found for value in content.entities.values() for a in addresses(value)})
        ),
    )


def from_values(share: Share, files: list[tuple[str, Any]], home: Path) -> list[FileContent]:
    """The same for configuration that stood inside an old baseline."""
    found = []
    for path, value in files:
        target, name, _ = old_share.target_for(path, "")
        found += _collected(share, path, msgspec.json.encode(value), target, name, home)
    return found


def moment(text: str) -> datetime:
    """A moment with a zone; the epoch when it is none, so that anything else is newer."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def machine_name(text: str) -> str:
    return propose(shown(text))


def _spelled(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")  # written on Windows


def _file(share: Share, folder: str, entry: _Entry, home: Path) -> list[FileContent]:
    path = _spelled(entry.path)
    place = f"{folder}/{entry.path}"
    if fault := path_fault(path):
        share.skip(place, f"the manifest names {path!r}: {fault}")
        return []
    if entry.type in SPECS and path.startswith(f"{entry.type}/"):
        return _ours(share, folder, path, entry)
    target, name, reason = old_share.target_for(path, entry.type)
    if not target:
        share.skip(place, reason)
        return []
    data = share.data(f"{folder}/{path}")
    if data is None:
        if not share.has(f"{folder}/{path}"):
            share.skip(place, "the manifest lists it, and it is not there")
        return []
    if entry.hash and hashlib.sha256(data).hexdigest() != entry.hash.lower():
        share.skip(place, "its bytes are not those of the manifest: it was changed, or is not whole")
        return []
    text = share.decoded(place, data)
    return [] if text is None else _collected(share, path, text.encode("utf-8", "replace"), target, name, home)


def _ours(share: Share, folder: str, path: str, entry: _Entry) -> list[FileContent]:
    """A file that `roosync export` wrote: the published form itself, looked at again for secrets."""
    data = share.data(f"{folder}/{path}")
    if data is None:
        return []
    try:
        read_contents(ManifestFile(path=path, hash=entry.hash, type=entry.type, size=entry.size), data)
        content = msgspec.json.decode(data, type=FileContent)
    except (HostilePackageError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        share.skip(f"{folder}/{path}", str(error))
        return []
    return [_public(share, f"{folder}/{path}", content)]


def _collected(share: Share, path: str, data: bytes, target: str, name: str, home: Path) -> list[FileContent]:
    spec = SPECS[target]
    spelled, system = _home_in(data)
    door = DryDoor(RealDoor())
    root = "C:\\roo-extensions" if system == "windows" else "/roo-extensions"
    where = layout(door, home, {}, system, spelled_home=spelled, workspaces={ROOT: root})
    data = data if spec.tree else _spelled_out(data, spelled, root)
    found = locate(spec, where, door)[0]
    file = found.folder.joinpath(*name.split("/")) if name else found.file
    door.files[door.stat(file).real_path] = data
    door.folders |= {found.folder, *(one for one in file.parents if one.is_relative_to(home))}
    made = collect(door, where, [spec])
    for one in made.skipped:
        share.skip(f"{path} ({one.path})" if one.path else path, one.reason)
    contents = [replace(one, path=path) if not spec.tree else one for one in made.contents()]
    if not contents and not made.skipped:
        share.skip(path, f"nothing of {target} is in it")
    return [_public(share, path, one) for one in contents]


def _public(share: Share, path: str, content: FileContent) -> FileContent:
    """Once more the gate of everything that is published; comments of others are left behind."""
    bad = {name for name, value in content.entities.items() if find_secrets([name, value])}
    for name in sorted(bad):
        share.skip(f"{path} ({name})", "something in it still looks secret")
    content = replace(content, comments={})
    return _without(content, {f"{content.target}/{name}" for name in bad})


def _keys(content: FileContent) -> set[str]:
    return {f"{content.target}/{name}" for name in content.entities}


def _without(content: FileContent, keys: set[str]) -> FileContent:
    kept = {name: value for name, value in content.entities.items() if f"{content.target}/{name}" not in keys}
    return replace(content, entities=kept, order=tuple(name for name in content.order if name in kept))


def _spelled_out(data: bytes, home: str, root: str) -> bytes:
    """With RooSync 2's own placeholders in words that collecting understands: two places, and what was a secret.

    It wrote `{{SECRET:name}}` where it took one out. Something that looks like one stands there for a moment, so that
    hiding gives it the address that the machine's own secret has.
    """
    for placeholder, path in ((b"%USERPROFILE%", home), (b"%ROO_ROOT%", root)):
        data = data.replace(placeholder, path.replace("\\", "/").encode())
    return _TAKEN_OUT.sub(lambda found: b"ghp_" + hashlib.sha256(found[0]).hexdigest()[:36].encode(), data)


def _home_in(data: bytes) -> tuple[str, System]:
    """The home folder that most of the file's paths lie in, as it is spelled there: they become `${home}`."""
    text = data.decode("utf-8", "replace")[:1_000_000].replace("\\\\", "\\")
    homes = Counter(match.replace("/", "\\") if match[1:2] == ":" else match for match in _HOMES.findall(text))
    if not homes:
        return "/home/unknown", "posix"
    home = homes.most_common(1)[0][0]
    return home, "windows" if home[1:2] == ":" else "macos" if home.startswith("/Users") else "posix"
