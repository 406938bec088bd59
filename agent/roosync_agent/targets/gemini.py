"""Gemini CLI: chosen settings, MCP servers, memory and commands.

Not ours: how one signs in (`security.auth`), what was accepted or shown (`ide`, `billing`, nudges in `extensions`), the
theme. Keys that hold both are taken apart, so that `security.folderTrust` is ours without `security.auth`.
"""

from typing import Any

from roosync_agent.targets.base import Group
from roosync_agent.targets.declare import servers, settings, texts
from roosync_agent.targets.parts import Part
from roosync_protocol.servers.dialects import GEMINI as DIALECT

KEYS = frozenset(
    {
        "advanced",
        "agents",
        "context",
        "contextManagement",
        "experimental",
        "hooks",
        "hooksConfig",
        "mcp",
        "model",
        "modelConfigs",
        "output",
        "policyPaths",
        "privacy",
        "skills",
        "telemetry",
        "tools",
        "useWriteTodos",
    }
)
_GENERAL = Part(
    container=("general",),
    prefix="general.",
    keys=frozenset(
        {
            "checkpointing",
            "defaultApprovalMode",
            "enableAutoUpdate",
            "maxAttempts",
            "plan",
            "previewFeatures",
            "retryFetchErrors",
            "sessionRetention",
        }
    ),
)
_SECURITY = Part(container=("security",), prefix="security.", never=frozenset({"auth"}))
_SPLIT: dict[str, Any] = {"further": (_GENERAL, _SECURITY)}
_MEMORY = ("GEMINI.md", "commands/**")

GEMINI = (
    settings("gemini.settings", "Gemini CLI", "{gemini}", "settings.json", KEYS, **_SPLIT),
    servers("gemini.mcp", "Gemini CLI", "{gemini}", "settings.json", DIALECT),
    texts("gemini.memory", "Gemini CLI", "{gemini}", *_MEMORY, group=Group.MEMORY),
    servers("gemini.project-mcp", "Gemini CLI", "{workspace}/.gemini", "settings.json", DIALECT, private=False),
    texts("gemini.project-memory", "Gemini CLI", "{workspace}", "GEMINI.md", group=Group.MEMORY),
)
