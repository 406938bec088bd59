"""MCP servers and modes: their fields are the same in every assistant, whatever it calls them.

Sources: the Model Context Protocol pages of Roo Code, Cline, Claude Code, Cursor, VS Code, Codex, Gemini CLI, opencode,
Windsurf, Zed and Continue; modes: Roo Code's `packages/types/src/mode.ts`.
"""

from roosync_protocol.risk.rules.base import (
    ALLOW,
    CHANGE,
    CHOICE,
    CRITICAL,
    DENY,
    GROUPS,
    HIGH,
    LOW,
    MEDIUM,
    OFF,
    ON,
    VARIABLES,
    table,
)

SERVERS = table(
    "mcp_server",
    (CHANGE, HIGH, "what is started", "command args command.path command.args"),
    (CHANGE, CRITICAL, "a command that is started by itself", "headersHelper headers_helper *Helper"),
    (CHANGE, HIGH, "where it is started", "cwd workingDirectory working_directory envFile env_file"),
    (CHANGE, HIGH, "the server that answers", "url serverUrl httpUrl endpoint tcp uri"),
    (CHANGE, HIGH, "how it is reached", "type transport transportType source remote experimental_environment"),
    (VARIABLES, HIGH, "the environment of what is started", "env environment command.env"),
    (VARIABLES, HIGH, "what is sent along", "headers http_headers env_http_headers requestHeaders *.headers"),
    (CHANGE, CRITICAL, "who reads what is sent", "requestOptions.proxy requestOptions.caBundlePath"),
    (OFF, CRITICAL, "the server's certificate is checked", "requestOptions.verifySsl", True),
    (CHANGE, HIGH, "how it signs in",
     ("bearer_token_env_var env_vars oauth auth authProviderType targetAudience targetServiceAccount scopes "
     "oauth_resource")),
    (CHANGE, HIGH, "what the extension that starts it is told", "settings settings.*"),
    (OFF, HIGH, "the server is enabled", "disabled"),
    (ON, HIGH, "the server is enabled", "enabled", True),
    (ON, HIGH, "it is started by itself", "autoStart"),
    (OFF, HIGH, "the server leaves its sandbox", "sandboxEnabled"),
    (CHANGE, HIGH, "what the sandbox lets through", "sandbox*"),
    (ON, CRITICAL, "its tools run without asking", "trust"),
    (CHOICE, HIGH, "when its tools ask", "default_tools_approval_mode tools.*.approval_mode"),
    (ALLOW, HIGH, "a tool runs without asking", "alwaysAllow autoApprove alwaysAllowTools"),
    (ALLOW, HIGH, "a tool can be used", "allowedTools allowed_tools includeTools enabled_tools tools", True),
    (DENY, HIGH, "a tool is no longer forbidden", "disabledTools disabled_tools excludeTools"),
    (CHANGE, LOW, "how it is shown or timed",
     ("timeout *_timeout *_timeout_sec *_timeout_ms *Timeout *TimeoutMs requestOptions.timeout description title icon "
     "faviconUrl gallery version note notes comment watchPaths $schema homepage")),
)  # fmt: skip

MODES = table(
    "mode",
    (GROUPS, MEDIUM, "the tools of the mode", "groups"),
    (CHANGE, MEDIUM, "instructions", "roleDefinition customInstructions whenToUse"),
    (CHANGE, MEDIUM, "what the mode is", "slug rulesFiles apiConfiguration* model defaultModel*"),
    (CHANGE, LOW, "how it is shown", "name description iconName icon color colour source version order"),
)  # fmt: skip
