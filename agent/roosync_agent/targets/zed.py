"""Zed: what of its settings concerns assistants, and its context servers. Its rules are in a database."""

from roosync_agent.targets.declare import servers, settings
from roosync_protocol.servers.dialects import ZED as DIALECT

KEYS = frozenset(
    {
        "agent",
        "agent_servers",
        "assistant",  # of old versions
        "context_server_timeout",
        "disable_ai",
        "edit_predictions",
        "features",
        "language_models",
        "show_edit_predictions",
    }
)
_AT = {"container": ("context_servers",)}

ZED = (
    settings("zed.settings", "Zed", "{zed}", "settings.json", KEYS),
    servers("zed.mcp", "Zed", "{zed}", "settings.json", DIALECT, **_AT),
    servers("zed.project-mcp", "Zed", "{workspace}/.zed", "settings.json", DIALECT, private=False, **_AT),
)
