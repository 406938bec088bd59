"""Windsurf: MCP servers, and the one file of rules for every project."""

from roosync_agent.targets.base import Group
from roosync_agent.targets.declare import servers, texts
from roosync_protocol.servers.dialects import WINDSURF as DIALECT

_FOLDER = "{home}/.codeium/windsurf"

WINDSURF = (
    servers("windsurf.mcp", "Windsurf", _FOLDER, "mcp_config.json", DIALECT),
    texts(
        "windsurf.memory", "Windsurf", f"{_FOLDER}/memories", "global_rules.md", group=Group.MEMORY, signs=(_FOLDER,)
    ),
    texts("windsurf.project-rules", "Windsurf", "{workspace}/.windsurf", "rules/**", "workflows/**"),
)
