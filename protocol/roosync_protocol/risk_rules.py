"""What each field of a configuration can do to a machine, as tables. The judge over them is `risk`.

A rule is found by where the field is: first the target, then the dotted path below the entity (a setting's own name
first), both with `*` for anything. The first line that fits counts; a field that no line knows is high. A new
assistant adds lines here, not code. Source: 4-configuration, "Risk".
"""

import re
from enum import Enum, IntEnum
from functools import lru_cache
from typing import NamedTuple

from roosync_protocol.entity import Kind


class Risk(IntEnum):
    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class How(Enum):
    """What about a field is dangerous."""

    CHANGE = "change"  # that it changes at all
    ALLOW = "allow"  # a list of what is allowed: additions; everything at once is critical
    DENY = "deny"  # a list of what is forbidden: removals
    ON = "on"  # a switch that opens something: turning it on
    OFF = "off"  # a switch that protects: turning it off
    VARIABLES = "variables"  # a map of environment variables or headers
    GROUPS = "groups"  # the tool groups of a mode
    CHOICE = "choice"  # a word out of a few: DANGEROUS_CHOICES and HARMLESS_CHOICES
    INSIDE = "inside"  # look at its parts


class Rule(NamedTuple):
    where: str  # "<target> <dotted path>", or "<kind> <dotted path>"
    how: How
    risk: Risk
    why: str
    default: bool = False  # of a switch that is not there


CHANGE, ALLOW, DENY, ON, OFF = How.CHANGE, How.ALLOW, How.DENY, How.ON, How.OFF
VARIABLES, GROUPS, CHOICE, INSIDE = How.VARIABLES, How.GROUPS, How.CHOICE, How.INSIDE
LOW, MEDIUM, HIGH, CRITICAL = Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL

UNKNOWN = Rule("", CHANGE, HIGH, "no rule knows what it does")


def _rules(where: str, *lines: tuple[How, Risk, str, str] | tuple[How, Risk, str, str, bool]) -> list[Rule]:
    """Each line: how, how much, why, the paths it is for, and what a switch is when it is not there."""
    return [
        Rule(f"{where} {path}", how, risk, why, *default)
        for how, risk, why, paths, *default in lines
        for path in paths.split()
    ]


SERVER = [
    *_rules(
        "mcp_server",
        (CHANGE, HIGH, "what is started", "command args"),
        (CHANGE, HIGH, "where it is started", "cwd workingDirectory envFile env_file"),
        (CHANGE, HIGH, "the server that answers", "url serverUrl httpUrl endpoint"),
        (CHANGE, HIGH, "how it is reached", "type transport transportType"),
        (VARIABLES, HIGH, "the environment of what is started", "env environment"),
        (VARIABLES, HIGH, "what is sent along", "headers http_headers env_http_headers requestHeaders"),
        (CHANGE, HIGH, "how it signs in", "bearer_token_env_var env_vars oauth auth"),
        (OFF, HIGH, "the server is enabled", "disabled"),
        (ON, HIGH, "the server is enabled", "enabled", True),
        (ON, HIGH, "it is started by itself", "autoStart"),
        (ON, CRITICAL, "its tools run without asking", "trust"),
        (ALLOW, HIGH, "a tool runs without asking",
         "alwaysAllow autoApprove alwaysAllowTools allowedTools allowed_tools includeTools enabled_tools tools"),
        (DENY, HIGH, "a tool is no longer forbidden", "disabledTools disabled_tools excludeTools"),
        (CHANGE, LOW, "how it is shown or timed",
         ("timeout *_timeout *_timeout_sec *_timeout_ms *Timeout *TimeoutMs description title icon version note "
         "notes comment watchPaths $schema homepage")),
    ),
]  # fmt: skip

MODE = [
    *_rules(
        "mode",
        (GROUPS, MEDIUM, "the tools of the mode", "groups"),
        (CHANGE, MEDIUM, "instructions", "roleDefinition customInstructions whenToUse"),
        (CHANGE, MEDIUM, "what the mode is", "slug rulesFiles apiConfiguration* model defaultModel*"),
        (CHANGE, LOW, "how it is shown", "name description iconName icon color colour source version order"),
    ),
]  # fmt: skip

CLAUDE = [
    *_rules(
        "claude.settings",
        (ALLOW, HIGH, "a tool runs without asking", "permissions.allow"),
        (DENY, HIGH, "a tool is no longer held back", "permissions.deny permissions.ask"),
        (CHOICE, MEDIUM, "when it asks", "permissions.defaultMode"),
        (ALLOW, HIGH, "a folder is opened to it", "permissions.additionalDirectories"),
        (CHANGE, HIGH, "a protection of the permissions", "permissions.disable*"),
        (INSIDE, HIGH, "permissions", "permissions"),
        (CHANGE, CRITICAL, "a command that is started by itself",
         ("hooks apiKeyHelper awsCredentialExport awsAuthRefresh otelHeadersHelper statusLine fileSuggestion "
         "proxyAuthHelper")),
        (CHANGE, HIGH, "hooks can be guards too", "disableAllHooks"),
        (VARIABLES, HIGH, "the environment of all that is started", "env"),
        (ON, CRITICAL, "any project's servers are started", "enableAllProjectMcpServers"),
        (ALLOW, HIGH, "a project's server is started", "enabledMcpjsonServers allowedMcpServers"),
        (DENY, HIGH, "a project's server is started", "disabledMcpjsonServers deniedMcpServers"),
        (ON, CRITICAL, "permissions are bypassed", "skip*PermissionPrompt"),
        (OFF, CRITICAL, "commands leave the sandbox", "sandbox.enabled"),
        (ON, HIGH, "commands run without asking", "sandbox.autoAllowBashIfSandboxed"),
        (ALLOW, HIGH, "a way out of the sandbox", "sandbox.excludedCommands sandbox.network.allow*"),
        (CHANGE, HIGH, "code of others is loaded", "enabledPlugins extraKnownMarketplaces"),
        (CHANGE, MEDIUM, "the model and its manner",
         "model availableModels outputStyle effortLevel alwaysThinkingEnabled companyAnnouncements"),
        (CHANGE, LOW, "how it is shown",
         ("cleanupPeriodDays includeCoAuthoredBy attribution* language spinner* showTurnDuration "
         "terminalProgressBar* plansDirectory respectGitignore theme autoUpdatesChannel prefersReducedMotion "
         "$schema")),
    ),
]  # fmt: skip

ROO = [
    *_rules(
        "*.profiles",
        (ALLOW, HIGH, "a command runs without asking", "allowedCommands"),
        (DENY, HIGH, "a command is no longer forbidden", "deniedCommands"),
        (ON, CRITICAL, "it acts outside the project without asking",
         "alwaysAllowExecute alwaysAllow*OutsideWorkspace alwaysAllowWriteProtected yolo*"),
        (ON, HIGH, "it acts without asking",
         "alwaysAllow* alwaysApprove* autoApproval* mcpEnabled enableMcpServerCreation browserToolEnabled"),
        (ON, MEDIUM, "ignored files are read", "*showRooIgnoredFiles"),
        (OFF, HIGH, "protected files are opened", "rooIgnore* *rooProtected*"),
        (CHANGE, CRITICAL, "where prompts and code are sent", "*BaseUrl *baseUrl *base_url *QdrantUrl"),
        (VARIABLES, HIGH, "what is sent along", "*Headers"),
        (ON, HIGH, "code of the project is run", "experiments.customTools experiments.runSlashCommand"),
        (INSIDE, MEDIUM, "experiments", "experiments"),
        (CHANGE, MEDIUM, "an experiment", "experiments.*"),
        (CHANGE, MEDIUM, "instructions",
         ("customModes* customInstructions *Instructions *Prompt *Prompts customModePrompts* "
         "customSupportPrompts*")),
        (CHANGE, MEDIUM, "which model answers",
         ("apiProvider *ModelId *modelId *ModelInfo *ModelInfo.* *Model model mode currentApiConfigName "
         "listApiConfigMeta* *ApiConfigId profileThresholds* modeApiConfigs* codebaseIndexModels* "
         "codebaseIndexConfig.* profiles* *Provider *Region *Profile pinnedApiConfigs* apiConfigs.*.id "
         "modeOverrides* followupAutoApproveTimeoutMs *LegacyFormat *UseAzure *StreamingEnabled "
         "*ReasoningEffort reasoningEffort verbosity")),
        (INSIDE, MEDIUM, "profiles", "codebaseIndexConfig apiConfigs apiConfigs.* providerProfiles*"),
        (OFF, MEDIUM, "checkpoints to go back to", "enableCheckpoints"),
        (CHANGE, LOW, "limits", "allowedMax* *Limit"),
        (CHANGE, LOW, "how it is shown or timed",
         ("language telemetrySetting sound* tts* *Volume screenshotQuality browserViewportSize terminal* max* "
         "*DelayMs *DelaySeconds *Seconds *Timeout *Threshold* *Percent autoCondenseContext* diffEnabled "
         "todoListEnabled include* enterBehavior *Temperature *MaxTokens *MaxThinkingTokens *Enabled enable* "
         "*description *notes notes* history* lastShown* dismissed* showTimestamps requestDelay* "
         "imageGeneration* R1FormatEnabled")),
    ),
]  # fmt: skip

OTHERS = [
    *_rules(
        "codex.config",
        (CHOICE, HIGH, "when it asks", "approval_policy sandbox_mode *.approval_policy *.sandbox_mode"),
        (CHANGE, CRITICAL, "a command that is started by itself", "notify"),
        (CHANGE, CRITICAL, "where prompts are sent", "*base_url model_providers* *chatgpt_base_url"),
        (CHANGE, HIGH, "limits", "projects* shell_environment_policy* sandbox_workspace_write* features*"),
        (CHANGE, MEDIUM, "which model answers", "model model_* profile personality"),
        (CHANGE, LOW, "how it is shown", "history* tui* hide_* show_* file_opener disable_paste_burst"),
    ),
    *_rules(
        "gemini.settings",
        (CHANGE, CRITICAL, "a command that is started by itself",
         "*toolDiscoveryCommand *toolCallCommand *discoveryCommand *callCommand hooks*"),
        (ON, CRITICAL, "it never asks", "autoAccept *.autoAccept *yolo* *enablePermanentToolApproval"),
        (OFF, HIGH, "a protection", "*disableYoloMode *folderTrust.enabled *sandbox"),
        (ALLOW, HIGH, "a tool runs", "allowedTools tools.allowed coreTools tools.core mcp.allowed"),
        (DENY, HIGH, "a tool is no longer forbidden", "excludeTools tools.exclude mcp.excluded"),
        (CHANGE, MEDIUM, "which model answers", "model* contextFileName context*"),
        (CHANGE, LOW, "how it is shown", "theme ui* hide* preferredEditor vimMode usageStatistics*"),
        (INSIDE, HIGH, "parts", "tools security mcp general"),
    ),
    *_rules(
        "opencode.config",
        (CHOICE, HIGH, "when it asks", "permission*"),
        (CHANGE, MEDIUM, "which model answers", "model small_model agent* mode* instructions*"),
        (CHANGE, LOW, "how it is shown", "theme keybinds* tui* $schema"),
    ),
    *_rules(
        "vscode.settings",
        (CHANGE, CRITICAL, "tools run without asking", "chat.tools.*autoApprove* chat.tools.*Approve*"),
        (ALLOW, HIGH, "a command runs without asking", "*.allowedCommands"),
        (DENY, HIGH, "a command is no longer forbidden", "*.deniedCommands"),
        (VARIABLES, HIGH, "the environment of terminals", "terminal.integrated.env.*"),
        (CHANGE, CRITICAL, "a shell", "terminal.integrated.*rofile* terminal.integrated.shell*"),
        (OFF, CRITICAL, "a protection", "security.workspace.trust.enabled http.proxyStrictSSL"),
        (CHANGE, HIGH, "what is trusted", "security.workspace.trust.*"),
        (CHANGE, CRITICAL, "where data is sent", "*[bB]aseUrl *[bB]ase_url *.endpoint http.proxy"),
        (CHANGE, MEDIUM, "instructions", "*.customInstructions *nstructions *.rules"),
        (CHANGE, MEDIUM, "which model answers", "github.copilot.enable* *.model *.modelId"),
        (CHANGE, LOW, "how it is shown",
         ("workbench.color* workbench.icon* workbench.tree* workbench.startup* *olorCustomizations* peacock.* "
         "editor.font* editor.tab* editor.word* editor.minimap* editor.ruler* editor.render* editor.cursor* "
         "editor.line* editor.bracket* editor.insertSpaces editor.formatOnSave files.autoSave* files.eol "
         "files.trim* files.insertFinalNewline window.zoom* window.title* explorer.* breadcrumbs.* telemetry.*")),
    ),
]  # fmt: skip

ANYWHERE = [
    *_rules(
        "*",
        (CHANGE, CRITICAL, "a command that is started by itself", "*hooks hooks.*"),
        (CHANGE, CRITICAL, "where prompts and code are sent", "*[bB]aseUrl *[bB]ase_url *BASE_URL"),
        (ALLOW, HIGH, "it acts without asking", "*alwaysAllow *autoApprove *allowedCommands"),
        (DENY, HIGH, "a command is no longer forbidden", "*deniedCommands"),
        (VARIABLES, HIGH, "what is passed on", "env *.env environment *.environment headers *.headers"),
        (CHANGE, MEDIUM, "which model answers", "model *.model"),
        (CHANGE, MEDIUM, "instructions", "customInstructions instructions *.instructions"),
        (CHANGE, LOW, "how it is shown",
         "description *.description color *.color colour *.colour theme language $schema title *.title"),
        (CHANGE, LOW, "how long it waits", "timeout *.timeout *Timeout *_timeout *TimeoutMs"),
    ),
]  # fmt: skip

RULES: tuple[Rule, ...] = (*SERVER, *MODE, *CLAUDE, *ROO, *OTHERS, *ANYWHERE)

DANGEROUS_CHOICES = frozenset(
    {
        "bypassPermissions",
        "acceptEdits",
        "dontAsk",
        "never",
        "danger-full-access",
        "yolo",
        "auto_edit",
        "allow",
        "always",
    }
)
HARMLESS_CHOICES = frozenset({"default", "plan", "untrusted", "read-only", "ask", "deny", "on-request", "prompt"})
EVERYTHING = re.compile(
    r"""["'\s]*(?:\*|\.\*|Bash|Bash\(\s*(?:\*|:\*|\*:\*)?\s*\)|mcp__\*|mcp__\w+__\*|/|~/?|[A-Za-z]:[\\/])?["'\s]*\Z"""
)

# Variables that make any program load code, trust a stranger, or talk to somebody else.
LOADS_CODE = re.compile(
    r"(?i)(?:LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT|DYLD_\w+|PYTHONPATH|PYTHONSTARTUP|PYTHONHOME|BASH_ENV|ENV|PATH"
    r"|PERL5\w+|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|GIT_SSH\w*|GIT_EXTERNAL_DIFF|GIT_CONFIG\w*"
    r"|NODE_PATH|COMSPEC|SHELL|PROMPT_COMMAND"
    r"|NODE_TLS_REJECT_UNAUTHORIZED|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|NPM_CONFIG_\w*REGISTRY|PIP_(?:EXTRA_)?INDEX_URL|UV_\w*INDEX\w*)\Z"
)
NODE_LOADS = re.compile(r"--(?:require|import|loader|experimental-loader|inspect)|(?:^|\s)-r\b")
REDIRECTS = re.compile(
    r"(?i)(?:(?:ANTHROPIC|OPENAI|AZURE|GEMINI|GOOGLE|MISTRAL|OPENROUTER|GROQ|DEEPSEEK|XAI|LITELLM|CLAUDE|OLLAMA|LLM|MODEL)\w*"
    r"(?:_BASE(?:_URL)?|_ENDPOINT|_API_BASE|_URL)|(?:HTTPS?|ALL)_PROXY)\Z"
)

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "fish", "ksh", "csh", "cmd", "powershell", "pwsh", "wsl", "busybox"})
SHELL_CODE = re.compile(r"(?i)-[a-z]*c|/[ckr]|-command|-enc(?:odedcommand)?|-e|--command")
INTERPRETERS = {  # program -> the switches behind which code stands
    "node": ("-e", "--eval", "-p", "--print", "-pe"),
    "bun": ("-e", "--eval", "-p", "--print"),
    "deno": ("eval", "-e"),
    "python": ("-c",),
    "python3": ("-c",),
    "py": ("-c",),
    "perl": ("-e", "-E"),
    "ruby": ("-e",),
    "php": ("-r",),
    "osascript": ("-e",),
    "npx": ("-c", "--call"),
    "npm": ("-c", "--call"),
    "tsx": ("-e", "--eval"),
}
SWITCHES_WITH_VALUE = frozenset({"-W", "-X", "-r", "--require", "--import", "--loader", "-I"})
MORE_RIGHTS = frozenset({"sudo", "doas", "runas", "gsudo", "pkexec"})
SHELL_SIGNS = re.compile(r"\$\(|`|(?:^|\s)(?:\|\|?|&&|;|>>?|<)(?:\s|\Z)")
CONTAINER_ESCAPE = re.compile(
    r"docker\.sock|docker_engine|podman\.sock|containerd\.sock|--privileged|--cap-add|--pid[= ]host|--device\b"
    r"|(?:^|[ =])/:/|--security-opt"
)
RUNNERS = frozenset({"npx", "bunx", "pnpx", "uvx", "pipx"})  # they fetch a package and run it

# Beside prose: what the head of an agent, command or skill file lets it do, and files that are programs.
HEAD_RULES: dict[str, Risk] = {
    "hooks": CRITICAL, "permissionmode": CRITICAL, "allowed-tools": HIGH, "tools": HIGH, "mcpservers": HIGH,
    "disallowedtools": HIGH, "disallowed-tools": HIGH, "groups": HIGH,
}  # fmt: skip
SCRIPTS = (
    ".sh",
    ".bash",
    ".zsh",
    ".fish",
    ".py",
    ".js",
    ".mjs",
    ".cjs",
    ".ts",
    ".ps1",
    ".bat",
    ".cmd",
    ".rb",
    ".pl",
    ".php",
)
INLINE_COMMAND = re.compile(r"!`[^`\n]+`|^```!$", re.MULTILINE)

INVISIBLE = re.compile(  # not the variation selector and the joiner that emoji are made with
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0e\ufeff"
    "\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    "|[\u200c\u200d\ufe0f]{2}|(?<=[A-Za-z ])\ufe0f|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)


@lru_cache(4096)
def find(kind: Kind, target: str, path: str) -> Rule | None:
    """The rule for a dotted path. Servers and modes have the same fields in every assistant, settings have not.

    The flavour of a target (`roo.profiles@insiders`) does not matter.
    """
    scope = target.split("@", 1)[0] if kind is Kind.SETTING else kind.value
    for rule, pattern in _COMPILED:
        if (rule.where.split(" ", 1)[0] in _KINDS) is (kind is not Kind.SETTING) and pattern.match(f"{scope} {path}"):
            return rule
    return None


def _compile(where: str) -> re.Pattern[str]:
    text = "".join(".*" if c == "*" else c if c in "[]" else re.escape(c) for c in where)
    return re.compile(text + r"\Z", re.DOTALL)


_KINDS = frozenset(kind.value for kind in Kind)
_COMPILED = [(rule, _compile(rule.where)) for rule in RULES]
