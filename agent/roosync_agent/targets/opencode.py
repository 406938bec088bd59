"""opencode: chosen settings, MCP servers, memory and commands. Its sign-in is elsewhere, and never looked at.

The file is opencode.json or opencode.jsonc (which counts more, when both are there), in ~/.config on every system.
OPENCODE_CONFIG and OPENCODE_CONFIG_DIR add files to it and move nothing. Version 2 keeps servers below `mcp.servers`
and reads `mcp` too; so a new file has the spelling that both read, and a file of version 2 stays one.
"""

from typing import Any

from roosync_agent.targets.base import Group
from roosync_agent.targets.declare import servers, settings, texts
from roosync_agent.targets.parts import Part
from roosync_protocol.servers.dialects import OPENCODE as DIALECT

KEYS = frozenset(
    {
        "agent",
        "autoshare",
        "autoupdate",
        "command",
        "compaction",
        "default_agent",
        "disabled_providers",
        "enabled_providers",
        "experimental",
        "fallbacks",
        "formatter",
        "instructions",
        "lsp",
        "mode",
        "model",
        "permission",
        "plugin",
        "provider",
        "server",
        "share",
        "small_model",
        "snapshot",
        "tool_output",
        "tools",
        "watcher",
        # version 2
        "agents",
        "commands",
        "permissions",
        "plugins",
        "providers",
        "skills",
    }
)
_SERVERS = Part(container=("mcp",), never=frozenset({"servers", "timeout"}))
_SERVERS_2 = Part(container=("mcp", "servers"))
_FILE: dict[str, Any] = {"other_names": ("opencode.jsonc",)}
_PARTS: dict[str, Any] = {"parts": (_SERVERS, _SERVERS_2)}
_FOLDER = "{xdg}/opencode"

OPENCODE = (
    settings("opencode.config", "opencode", _FOLDER, "opencode.json", KEYS, **_FILE),
    servers("opencode.mcp", "opencode", _FOLDER, "opencode.json", DIALECT, **_FILE, **_PARTS),
    texts(
        "opencode.memory", "opencode", _FOLDER, "AGENTS.md", "agent*/**", "command*/**", group=Group.MEMORY
    ),
)  # fmt: skip
