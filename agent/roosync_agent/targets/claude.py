"""Claude Code: chosen settings, MCP servers, and the memory files, of the person and of projects.

Named keys only. ~/.claude.json is mostly state, identity and sign-in: of it, `mcpServers` alone is ours. Of a project
never settings.local.json: it is what one person decided for one machine.
"""

from roosync_agent.targets.base import Group
from roosync_agent.targets.declare import servers, settings, texts
from roosync_protocol.servers.dialects import CLAUDE as DIALECT

SETTINGS = frozenset(
    {
        "advisorModel",
        "agent",
        "alwaysThinkingEnabled",
        "apiKeyHelper",
        "askUserQuestionTimeout",
        "attribution",
        "autoCompactEnabled",
        "autoMemoryEnabled",
        "autoMode",
        "autoUpdatesChannel",
        "availableModels",
        "awsAuthRefresh",
        "awsCredentialExport",
        "claudeMdExcludes",
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
        "fallbackModel",
        "fileCheckpointingEnabled",
        "fileSuggestion",
        "gcpAuthRefresh",
        "hooks",
        "includeCoAuthoredBy",
        "includeGitInstructions",
        "language",
        "model",
        "modelOverrides",
        "outputStyle",
        "permissions",
        "plansDirectory",
        "respectGitignore",
        "sandbox",
        "showTurnDuration",
        "skillOverrides",
        "spinnerTipsEnabled",
        "statusLine",
        "subagentStatusLine",
        "teammateMode",
        "terminalProgressBarEnabled",
        "useAutoModeDuringPlan",
        "worktree",
    }
)

_TREES = ("agents/**", "commands/**", "skills/**")

CLAUDE = (
    settings("claude.settings", "Claude Code", "{claude}", "settings.json", SETTINGS, format="json"),
    servers(
        "claude.mcp",
        "Claude Code",
        "{claude_json}",
        ".claude.json",
        DIALECT,
        format="json",
        signs=("{claude}", "{claude_json}/.claude.json"),
        locks=True,
    ),
    texts("claude.memory", "Claude Code", "{claude}", "CLAUDE.md", *_TREES, group=Group.MEMORY),
    settings("claude.project-settings", "Claude Code", "{workspace}/.claude", "settings.json", SETTINGS, format="json"),
    servers(
        "claude.project-mcp", "Claude Code", "{workspace}", ".mcp.json", DIALECT, format="json", private=False
    ),
    texts("claude.project-memory", "Claude Code", "{workspace}", "CLAUDE.md", group=Group.MEMORY),
    texts("claude.project-agents", "Claude Code", "{workspace}/.claude", "CLAUDE.md", *_TREES, group=Group.MEMORY),
)  # fmt: skip
