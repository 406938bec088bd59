"""Claude Code: chosen settings, user-wide MCP servers, and the memory files.

Named keys only. ~/.claude.json is mostly state, identity and sign-in: of it, `mcpServers` alone is ours.
"""

from roosync_agent.targets.base import Group, TargetSpec
from roosync_protocol.entity import Kind

SETTINGS = frozenset(
    {
        "alwaysThinkingEnabled",
        "apiKeyHelper",
        "attribution",
        "autoUpdatesChannel",
        "availableModels",
        "cleanupPeriodDays",
        "companyAnnouncements",
        "disableAllHooks",
        "disabledMcpjsonServers",
        "effortLevel",
        "enableAllProjectMcpServers",
        "enabledMcpjsonServers",
        "enabledPlugins",
        "env",
        "extraKnownMarketplaces",
        "fileSuggestion",
        "hooks",
        "includeCoAuthoredBy",
        "language",
        "model",
        "outputStyle",
        "permissions",
        "plansDirectory",
        "respectGitignore",
        "sandbox",
        "showTurnDuration",
        "spinnerTipsEnabled",
        "statusLine",
        "terminalProgressBarEnabled",
    }
)

CLAUDE = (
    TargetSpec(
        name="claude.settings",
        assistant="Claude Code",
        group=Group.SETTINGS,
        kind=Kind.SETTING,
        folder="{home}/.claude",
        file="settings.json",
        keys=SETTINGS,
        private=True,
    ),
    TargetSpec(
        name="claude.mcp",
        assistant="Claude Code",
        group=Group.MCP,
        kind=Kind.MCP_SERVER,
        folder="{home}",
        file=".claude.json",
        container=("mcpServers",),
        signs=("{home}/.claude", "{home}/.claude.json"),
        private=True,
        locks=True,
    ),
    TargetSpec(
        name="claude.memory",
        assistant="Claude Code",
        group=Group.MEMORY,
        kind=Kind.TEXT,
        folder="{home}/.claude",
        tree=("CLAUDE.md", "agents/**", "commands/**", "skills/**"),
    ),
)
