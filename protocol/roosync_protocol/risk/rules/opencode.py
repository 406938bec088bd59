"""opencode: opencode.json of the user and of projects.

Source: opencode's `packages/opencode/src/config/config.ts`.
"""

from roosync_protocol.risk.rules.base import (
    ALLOW,
    CHANGE,
    CHOICE,
    CRITICAL,
    DENY,
    GRANTS,
    HIGH,
    LOW,
    MEDIUM,
    OFF,
    ON,
    VARIABLES,
    table,
)

OPENCODE = table(
    "opencode.*config",
    (GRANTS, HIGH, "a tool runs without asking",
     "permission agent.*.permission mode.*.permission tools agent.*.tools mode.*.tools"),
    (CHANGE, CRITICAL, "a command that is started by itself",
     "formatter.*.command lsp.*.command experimental.hook experimental.hook.*"),
    (VARIABLES, HIGH, "the environment of what is started", "formatter.*.environment lsp.*.env"),
    (CHANGE, HIGH, "what a program is told at its start", "lsp.*.initialization*"),
    (CHANGE, CRITICAL, "where prompts and code are sent",
     "provider.*.options.baseURL provider.*.api provider.*.options.*Url *baseURL enterprise enterprise.url"),
    (CHANGE, HIGH, "code of others is loaded", "provider.*.npm skills*"),
    (ALLOW, HIGH, "code of others is loaded", "plugin"),
    (VARIABLES, HIGH, "what is sent along", "provider.*.options.headers"),
    (CHANGE, HIGH, "how a provider is reached", "provider.*.env provider.*.options.apiKey"),
    (CHANGE, LOW, "how long it waits", "provider.*.options.timeout provider.*.options.setCacheKey"),
    (CHOICE, HIGH, "conversations are published", "share"),
    (ON, HIGH, "conversations are published", "autoshare"),
    (CHANGE, HIGH, "who may reach it over the network", "server*"),
    (ON, HIGH, "it goes on where it was refused", "experimental.continue_loop_on_deny"),
    (ON, HIGH, "data is sent elsewhere", "experimental.openTelemetry"),
    (DENY, MEDIUM, "a provider can be used", "disabled_providers"),
    (ALLOW, MEDIUM, "a provider can be used", "enabled_providers", True),
    (CHANGE, MEDIUM, "instructions",
     ("instructions agent.*.prompt mode.*.prompt command.*.template command.*.agent command.*.model "
     "command.*.subtask")),
    (CHANGE, MEDIUM, "which model answers",
     ("model small_model default_agent agent.*.model mode.*.model agent.*.mode agent.*.temperature agent.*.top_p "
     "agent.*.steps agent.*.maxSteps agent.*.disable agent.*.hidden mode.*.temperature fallbacks* "
     "provider.*.models* provider.*.whitelist provider.*.blacklist compaction* experimental.primary_tools "
     "experimental.batch_tool")),
    (CHANGE, MEDIUM, "how much of an answer is read", "tool_output*"),
    (OFF, MEDIUM, "snapshots to go back to", "snapshot", True),
    (CHANGE, LOW, "how it is shown or timed",
     ("theme keybinds keybinds.* tui tui.* layout logLevel username autoupdate watcher* $schema "
     "formatter.*.disabled formatter.*.extensions lsp.*.disabled lsp.*.extensions provider.*.name "
     "command.*.description agent.*.description agent.*.color mode.*.description experimental.mcp_timeout "
     "experimental.chatMaxRetries experimental.disable_paste_summary")),
)  # fmt: skip
