"""Gemini CLI: settings.json of the user and of projects, the nested names and the flat ones before them.

Source: Gemini CLI's `schemas/settings.schema.json` and `docs/get-started/configuration.md`.
"""

from roosync_protocol.risk.rules.base import (
    ALLOW,
    CHANGE,
    CHOICE,
    CRITICAL,
    DENY,
    HIGH,
    LOW,
    MEDIUM,
    OFF,
    ON,
    table,
)

GEMINI = table(
    "gemini.*settings",
    (CHANGE, CRITICAL, "a command that is started by itself",
     ("tools.discoveryCommand tools.callCommand toolDiscoveryCommand toolCallCommand mcp.serverCommand "
     "mcpServerCommand hooks hooks.* tools.shell.pager advanced.bugCommand* bugCommand* "
     "experimental.gemmaModelRouter.binaryPath")),
    (ON, CRITICAL, "it never asks", "autoAccept tools.autoAccept *yolo*"),
    (CHOICE, HIGH, "when it asks", "general.defaultApprovalMode"),
    (ON, HIGH, "approvals are kept for ever", "security.enablePermanentToolApproval security.autoAddToPolicyByDefault"),
    (CHANGE, CRITICAL, "rules that approve tools come from another file", "policyPaths adminPolicyPaths admin*"),
    (OFF, HIGH, "a protection",
     ("security.disableYoloMode security.disableAlwaysAllow security.blockGitExtensions security.toolSandboxing "
     "security.enableConseca security.environmentVariableRedaction.enabled agents.browser.confirmSensitiveActions "
     "agents.browser.blockFileUploads")),
    (OFF, CRITICAL, "strange folders are trusted", "security.folderTrust.enabled folderTrust", True),
    (CHANGE, CRITICAL, "what holds commands back", "sandbox tools.sandbox"),
    (ON, HIGH, "commands reach the network", "tools.sandboxNetworkAccess"),
    (ALLOW, HIGH, "a folder is opened to it",
     "tools.sandboxAllowedPaths context.includeDirectories includeDirectories"),
    (ALLOW, HIGH, "a tool runs without asking", "allowedTools tools.allowed"),
    (ALLOW, HIGH, "a tool can be used",
     "coreTools tools.core mcp.allowed allowMCPServers security.allowedExtensions agents.browser.allowedDomains", True),
    (ALLOW, HIGH, "a variable is shown to it", "security.environmentVariableRedaction.allowed"),
    (DENY, HIGH, "a tool is no longer held back",
     ("excludeTools tools.exclude tools.confirmationRequired mcp.excluded excludeMCPServers extensions.disabled "
     "skills.disabled hooksConfig.disabled security.environmentVariableRedaction.blocked advanced.excludedEnvVars "
     "excludedProjectEnvVars")),
    (CHANGE, HIGH, "what hooks, skills and agents may do", "hooksConfig.enabled skills.enabled agents*"),
    (CHANGE, HIGH, "how one signs in", "security.auth* selectedAuthType"),
    (CHANGE, CRITICAL, "where data is sent", "telemetry.otlpEndpoint experimental.extensionRegistryURI"),
    (ON, HIGH, "prompts are logged", "telemetry.logPrompts telemetry.enabled general.logRagSnippets"),
    (CHANGE, HIGH, "where data is sent", "telemetry.target telemetry.outfile telemetry.otlpProtocol"),
    (ON, HIGH, "keystrokes are logged", "general.debugKeystrokeLogging"),
    (CHANGE, MEDIUM, "which model answers, with which context",
     ("model model.* modelConfigs* context.fileName contextFileName context.importFormat "
     "context.includeDirectoryTree context.discoveryMaxDirs context.loadMemoryFromIncludeDirectories "
     "context.memoryBoundaryMarkers context.fileFiltering.* fileFiltering* contextManagement* "
     "general.plan* general.previewFeatures experimental.modelSteering "
     "useWriteTodos general.checkpointing* checkpointing*")),
    (CHANGE, LOW, "how it is shown or timed",
     ("ui ui.* theme customThemes hideTips hideBanner hideWindowTitle preferredEditor vimMode "
     "general.preferredEditor general.openEditorInNewWindow general.vimMode general.enableAutoUpdate "
     "general.enableAutoUpdateNotification general.disableAutoUpdate general.disableUpdateNag "
     "general.enableNotifications general.notificationMethod general.retryFetchErrors general.maxAttempts "
     "general.sessionRetention general.sessionRetention.* general.enablePromptCompletion "
     "general.topicUpdateNarration output output.format ide ide.* privacy.usageStatisticsEnabled "
     "usageStatisticsEnabled tools.shell.showColor tools.shell.inactivityTimeout "
     "tools.shell.enableInteractiveShell tools.useRipgrep tools.truncateToolOutput* hooksConfig.notifications "
     "$schema")),
)  # fmt: skip
