"""Cursor: MCP servers, and the rules and commands that are files. Rules written in its settings are in its database."""

from roosync_agent.targets.declare import servers, texts
from roosync_protocol.servers.dialects import CURSOR as DIALECT

_RULES = ("rules/**", "commands/**")

CURSOR = (
    servers("cursor.mcp", "Cursor", "{home}/.cursor", "mcp.json", DIALECT),
    texts("cursor.rules", "Cursor", "{home}/.cursor", *_RULES),
    servers("cursor.project-mcp", "Cursor", "{workspace}/.cursor", "mcp.json", DIALECT, private=False),
    texts("cursor.project-rules", "Cursor", "{workspace}/.cursor", *_RULES),
)
