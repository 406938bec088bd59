"""What a machine is and has, for the fleet to see: names and versions, never a value and never a secret."""

import json
import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any

from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.places import Layout
from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileRefusedError
from roosync_protocol import __version__
from roosync_protocol.entity import Kind

TOOLS = ("node", "npm", "npx", "python3", "uv", "uvx", "git", "docker", "pnpm", "bun", "deno")
ASSISTANTS = {
    "rooveterinaryinc.roo-cline": "Roo Code",
    "zoocodeorganization.zoo-code": "Zoo Code",
    "saoudrizwan.claude-dev": "Cline",
    "anthropic.claude-code": "Claude Code for VS Code",
}
MANIFEST_LIMIT = 1024 * 1024
LIST_LIMIT = 200_000  # bytes of one of the four long lists; a message has at most 1 MiB


def take_inventory(door: Door, layout: Layout, collection: Collection) -> dict[str, Any]:
    """A JSON object; lists are sorted, so that nothing is new when nothing changed."""
    return {
        "os": layout.places.os,
        "system": platform.system().lower() if layout.places.os == "posix" else layout.places.os,
        "arch": platform.machine().lower(),
        "roosync_version": __version__,
        "assistants": _assistants(door, layout, collection),
        "targets": sorted(collection.readable),
        "mcp_servers": _names(collection, Kind.MCP_SERVER),
        "modes": _names(collection, Kind.MODE),
        "rules": _names(collection, Kind.TEXT),
        "tools": sorted(tool for tool in TOOLS if shutil.which(tool, path=os.environ.get("PATH"))),
        "paths": {name: layout.name_of(target.folder) for name, target in sorted(collection.targets.items())},
        "skipped": _bounded([f"{skipped.path}: {skipped.reason}" for skipped in collection.skipped]),
    }


def _names(collection: Collection, kind: Kind) -> list[str]:
    return _bounded(sorted(key for key, entity in collection.entities.items() if entity.kind is kind))


def _bounded(lines: list[str]) -> list[str]:
    """As much of a list as fits: an inventory is one message, and whoever fills a folder must not silence a machine."""
    left = LIST_LIMIT
    for at, line in enumerate(lines):
        left -= len(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace")) + 1
        if left < 0:
            return [*lines[:at], f"... and {len(lines) - at} more"]
    return lines


def _assistants(door: Door, layout: Layout, collection: Collection) -> list[dict[str, str]]:
    """Those whose targets are here, with the version of their editor extension where one is installed."""
    found = {target.spec.assistant: "" for target in collection.targets.values()}
    for flavour in layout.flavours:
        for folder in _listed(door, flavour.extensions):
            publisher = next((known for known in ASSISTANTS if folder.lower().startswith(f"{known}-")), None)
            if publisher:
                version = _version(door, flavour.extensions / folder) or folder[len(publisher) + 1 :]
                found[ASSISTANTS[publisher]] = max(found.get(ASSISTANTS[publisher], ""), version, key=_order)
    return [{"name": name, "version": version or "unknown"} for name, version in sorted(found.items())]


def _order(version: str) -> list[int]:
    """Old versions stay on the disk for a while; 3.10 is newer than 3.9."""
    return [int(part) for part in re.findall(r"[0-9]{1,9}", version)]


def _listed(door: Door, folder: Path) -> list[str]:
    try:
        return door.names(folder)
    except FileRefusedError:
        return []


def _version(door: Door, folder: Path) -> str:
    try:
        data = door.read(folder / "package.json", MANIFEST_LIMIT).data or b"{}"
        version = json.loads(data).get("version", "")
    except (FileRefusedError, ValueError, AttributeError, RecursionError):
        return ""
    return str(version)[:40]
