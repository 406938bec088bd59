"""What RooSync 2 kept in a shared folder, read as hostile text: decisions, and which of our targets a file is.

Shapes from the public repositories of RooSync 2 (`ConfigSharingService`, `roosync-parsers`) and from files it wrote:
packages with a manifest, `sync-roadmap.md` with decision blocks, `sync-config.ref.json`, messages as JSON files.
Nothing here believes what it reads: a status is what somebody wrote, a machine is a name in a file.
"""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from roosync_protocol.reports.views import BLOCK_END, BLOCK_START
from roosync_protocol.secrets import scrub

BLOCKS = 2_000  # of one roadmap
SHOWN = 300  # characters of one field
LINE = 2_000  # characters of a line that are looked at: a match must not take long, whatever stands there
_FIELD = re.compile(r"[ \t]*(?:- )?\*\*([^*:\n]{1,40}):\*\*(.*)")
STATUSES = frozenset({"pending", "approved", "rejected", "applied", "rolled_back"})

# Where RooSync 2 put a file into a package -> (our target, name within it; "" for the target's own file).
PLACES: tuple[tuple[str, str, str], ...] = (
    ("mcp-settings/mcp_user.json", "claude.mcp", ""),
    ("mcp-settings/mcp_project.json", "", "it belongs to one project, and the package does not say which"),
    ("mcp-settings/", "roo.mcp", ""),
    ("claude-config/", "claude.mcp", ""),
    ("modes-yaml/", "roo.modes", ""),
    ("roo-modes/", "roo.modes", ""),
    ("rules/", "roo.rules", "rules/"),
    ("roomodes/", "", "it belongs to one project, and the package does not say which"),
    ("profiles/", "", "RooSync 2's own profiles are not managed"),
    ("model-configs/", "", "RooSync 2's own model configurations are not managed"),
    ("roo-settings/", "", "Roo Code's whole settings are not managed; its profiles are, from its exported file"),
    ("services/", "", "Windows services are not managed"),
    ("schtasks/", "", "scheduled tasks are not managed"),
    ("schedules/", "", "schedules are not managed"),
)
NAMES = {"mcp_settings.json": "roo.mcp", "custom_modes.yaml": "roo.modes", "custom_modes.json": "roo.modes"}
TYPES = {
    "mcp_config": "roo.mcp",
    "mode_definition": "roo.modes",
    "modes_yaml": "roo.modes",
    "claude_config": "claude.mcp",
}
# How RooSync 2 named a place in its inventories -> our target.
FIELDS = (
    ("roo.mcp", "roo.mcp"),
    ("mcpservers", "roo.mcp"),
    ("mcp_settings", "roo.mcp"),
    ("mcpsettings", "roo.mcp"),
    ("roo.modes", "roo.modes"),
    ("custom_modes", "roo.modes"),
    ("roo-modes", "roo.modes"),
    ("roomodes", "roo.project-modes"),
    (".roo/rules", "roo.rules"),
    (".claude.json", "claude.mcp"),
)


class OldDecision(Struct, frozen=True, kw_only=True):
    """A decision block as it stands in the file, scrubbed."""

    id: str
    title: str
    status: str  # "unknown" for a word that RooSync 2 did not write
    type: str
    path: str
    source: str
    targets: tuple[str, ...]
    created: str
    entity: str  # our target that the path means; "" when nothing of ours is meant


def target_for(path: str, type_: str) -> tuple[str, str, str]:
    """(target, name within it, "") of a file in a package; ("", "", reason) when it is none of ours."""
    for start, target, rest in PLACES:
        if path.startswith(start):
            if not target:
                return "", "", rest
            return target, rest + path[len(start) :] if rest else "", ""
    target = NAMES.get(path.rpartition("/")[2], "") or TYPES.get(type_, "")
    return (target, "", "") if target else ("", "", "no target of ours is known for it")


def decisions(text: str) -> list[OldDecision]:
    """The blocks of a roadmap, each id once; what is inside a code fence is the example, not a decision."""
    found: dict[str, OldDecision] = {}
    for block in _blocks(text):
        fields: dict[str, str] = {}
        for line in block:
            if match := _FIELD.match(line[:LINE]):
                fields.setdefault(match[1].strip().lower(), match[2].strip())
        made = _decision(fields)
        if made is not None:
            found.setdefault(made.id, made)
        if len(found) >= BLOCKS:
            break
    return list(found.values())


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each block that is closed, outside of code fences."""
    fence = ""
    block: list[str] | None = None
    for line in text.splitlines():
        bare = line.strip()
        if fence or bare[:3] in ("```", "~~~"):
            fence = "" if fence and bare == fence else fence or bare[:3]
        elif bare == BLOCK_START:
            block = []
        elif bare == BLOCK_END:
            if block is not None:
                yield block
            block = None
        elif block is not None:
            block.append(line)


def entity_of(path: str) -> str:
    folded = path.replace("\\", "/").lower()
    return next((target for part, target in FIELDS if part in folded), "")


def _decision(fields: dict[str, str]) -> OldDecision | None:
    id_ = _text(fields.get("id", "")).strip("`")
    if not id_ or "titre" not in fields:
        return None
    path = _text(fields.get("chemin", "")).strip("`")
    status = _text(fields.get("statut", "")).lower()
    return OldDecision(
        id=id_,
        title=_text(fields["titre"]),
        status=status if status in STATUSES else "unknown",
        type=_text(fields.get("type", "")),
        path=path,
        source=_text(fields.get("machine source", "")),
        targets=tuple(filter(None, (_text(one) for one in fields.get("machines cibles", "").split(",")[:50]))),
        created=_text(fields.get("créé", "")),
        entity=entity_of(path),
    )


def _text(text: Any) -> str:
    return scrub(str(text)).strip()[:SHOWN]


def servers_and_modes(value: Any) -> tuple[list[tuple[str, Any]], list[str]]:
    """From an old baseline or `sync-config.ref.json`: (name in a package, its JSON) of what is configuration.

    The second list tells what is only an inventory: names without their definition can not be given to anybody.
    """
    files: list[tuple[str, Any]] = []
    told: list[str] = []
    for where, part in _places(value):
        servers = part.get("mcpServers") if isinstance(part, dict) else None
        nested = part.get("mcpSettings") if isinstance(part, dict) else None
        if isinstance(nested, dict):
            servers = nested.get("mcpServers", nested)
        if isinstance(servers, dict) and all(isinstance(one, dict) for one in servers.values()):
            files.append((f"mcp-settings/{where}.json", {"mcpServers": servers}))
        elif servers:
            told.append(f"{where}: MCP servers are listed without their whole definition")
        modes = part.get("customModes", part.get("modes")) if isinstance(part, dict) else None
        whole = (
            [m for m in modes if isinstance(m, dict) and "slug" in m and "roleDefinition" in m]
            if isinstance(modes, list)
            else []
        )
        if whole:
            files.append((f"roo-modes/{where}.json", {"customModes": whole}))
        if modes and (not isinstance(modes, list) or len(whole) < len(modes)):
            told.append(f"{where}: modes are listed without their whole definition")
    return files, told


def _places(value: Any) -> list[tuple[str, Any]]:
    """The parts that RooSync 2 kept configuration in: the whole, `config.roo`, and `roo` of each machine."""
    if not isinstance(value, dict):
        return []
    found = [("baseline", value)]
    config = value.get("config")
    if isinstance(config, dict) and isinstance(config.get("roo"), dict):
        found.append(("config", config["roo"]))
    machines = value.get("machines")
    for at, machine in enumerate(machines[:100] if isinstance(machines, list) else ()):
        if isinstance(machine, dict) and isinstance(machine.get("roo"), dict):
            found.append((f"machine-{at + 1}", machine["roo"]))
    return found
