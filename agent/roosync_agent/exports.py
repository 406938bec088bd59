"""The founding documents' files, kept fresh in a folder: dashboard, roadmap, baseline, what came in.

    sync-dashboard.json   sync-roadmap.md   configs/baseline.json   configs/<version>/baseline.json
    configs/incoming/<machine>/manifest.json

They are views for people and older tools: written whole or not at all, only when their content changed (a shared
folder or a git checkout should stay quiet), and never read back. Names come from the bus, so they are checked here.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from roosync_agent.files.door import Door, RealDoor
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.files.safe_names import safe_relative
from roosync_protocol.entity import Skipped
from roosync_protocol.package import Manifest

MODE = 0o644  # no secret is in them, and others may read the folder


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What one export did; names are relative to the folder."""

    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def export(
    folder: Path,
    *,
    dashboard: Mapping[str, Any] | None = None,
    roadmap: str | None = None,
    baseline: Mapping[str, Any] | None = None,
    manifests: Mapping[str, Manifest] | None = None,
    door: Door | None = None,
) -> Exported:
    """Writes what is given. One file that can not be written is skipped with its reason; the others are written.

    `baseline` is the value of `baseline_file.to_value`; `manifests` are the latest ones, by machine.
    """
    door = door or RealDoor()
    written: list[str] = []
    unchanged: list[str] = []
    skipped: list[Skipped] = []
    for parts, text, ignored in _files(dashboard, roadmap, baseline, manifests or {}):
        name = "/".join(parts)
        try:
            fresh = _write(door, folder.joinpath(*map(_part, parts)), text, ignored)
            (written if fresh else unchanged).append(name)
        except FileRefusedError as error:
            skipped.append(Skipped(path=name, reason=error.reason))
        except ValueError as error:
            skipped.append(Skipped(path=name, reason=str(error)))
    return Exported(written=tuple(written), unchanged=tuple(unchanged), skipped=tuple(skipped))


def _files(
    dashboard: Mapping[str, Any] | None,
    roadmap: str | None,
    baseline: Mapping[str, Any] | None,
    manifests: Mapping[str, Manifest],
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Folders and name, text, and the top-level key that alone is no change."""
    if dashboard is not None:
        yield ("sync-dashboard.json",), _json(dashboard), "lastUpdate"
    if roadmap is not None:
        yield ("sync-roadmap.md",), roadmap, ""
    if baseline is not None:
        text = _json(baseline)
        yield ("configs", "baseline.json"), text, ""
        yield ("configs", str(baseline["version"]), "baseline.json"), text, ""
    for machine, manifest in sorted(manifests.items()):
        yield ("configs", "incoming", machine, "manifest.json"), _json(msgspec.to_builtins(manifest)), ""


def _part(name: str) -> str:
    if "/" in name:
        raise ValueError(f"{name!r} can not be used here: it is to be one folder")
    return safe_relative(name)


def _write(door: Door, path: Path, text: str, ignored: str) -> bool:
    data = text.encode()
    known = door.read(path)
    if known.data is not None and (known.data == data or (ignored and _same_but(ignored, known.data, data))):
        return False
    _make_folders(door, path.parent)
    door.write(path, data, mode=MODE)
    return True


def _same_but(key: str, old: bytes, new: bytes) -> bool:
    try:
        before, after = json.loads(old), json.loads(new)
    except (ValueError, RecursionError):
        return False
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    return {**before, key: None} == {**after, key: None}


def _make_folders(door: Door, folder: Path) -> None:
    missing = []
    while not door.stat(folder).exists and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    if door.stat(folder).kind != "folder":
        raise FileRefusedError(folder, f"{folder.name!r} is no folder")
    for one in reversed(missing):
        door.make_folder(one)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
