"""Codex: chosen settings and the MCP servers of config.toml, and its memory files. auth.json is never looked at.

Not ours in config.toml: which projects are trusted (`projects`), how sign-in is kept, what this machine has been shown
(`notice`, `tui`), its sound and its log folders. Of the hooks only the events: `state` says which of them were trusted.
"""

from typing import Any

from roosync_agent.targets.base import Group
from roosync_agent.targets.declare import servers, settings, texts
from roosync_agent.targets.marks import Marks
from roosync_agent.targets.parts import Part
from roosync_protocol.servers.dialects import CODEX as DIALECT

KEYS = frozenset(
    {
        "agents",
        "allow_login_shell",
        "approval_policy",
        "approvals_reviewer",
        "auto_review",
        "background_terminal_max_timeout",
        "chatgpt_base_url",
        "compact_prompt",
        "default_permissions",
        "developer_instructions",
        "disable_paste_burst",
        "features",
        "file_opener",
        "hide_agent_reasoning",
        "history",
        "instructions",
        "model",
        "model_auto_compact_token_limit",
        "model_catalog_json",
        "model_context_window",
        "model_instructions_file",
        "model_provider",
        "model_providers",
        "model_reasoning_effort",
        "model_reasoning_summary",
        "model_supports_reasoning_summaries",
        "model_verbosity",
        "notify",
        "openai_base_url",
        "oss_provider",
        "otel",
        "permissions",
        "personality",
        "plan_mode_reasoning_effort",
        "plugins",
        "profile",
        "profiles",
        "project_doc_fallback_filenames",
        "project_doc_max_bytes",
        "project_root_markers",
        "review_model",
        "sandbox_mode",
        "sandbox_workspace_write",
        "service_tier",
        "shell_environment_policy",
        "show_raw_agent_reasoning",
        "tool_output_token_limit",
        "tools",
        "web_search",
        "windows",
    }
)
_HOOKS = Part(container=("hooks",), prefix="hooks.", never=frozenset({"state"}))
_MARKS = Marks(secret=("shell_environment_policy.set.*",))  # variables of commands, whatever they are called
_TOML: dict[str, Any] = {"format": "toml", "container": ("mcp_servers",)}

CODEX = (
    settings("codex.config", "Codex", "{codex}", "config.toml", KEYS, format="toml", further=(_HOOKS,), marks=_MARKS),
    servers("codex.mcp", "Codex", "{codex}", "config.toml", DIALECT, **_TOML),
    texts("codex.memory", "Codex", "{codex}", "AGENTS.md", "AGENTS.override.md", "prompts/**", group=Group.MEMORY),
    servers("codex.project-mcp", "Codex", "{workspace}/.codex", "config.toml", DIALECT, private=False, **_TOML),
    texts("codex.project-memory", "Codex", "{workspace}", "AGENTS.md", group=Group.MEMORY),
)
