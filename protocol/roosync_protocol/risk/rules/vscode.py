"""VS Code: what of its settings.json concerns assistants (its own, Copilot, Roo, Cline), and what it shares with them.

Source: code.visualstudio.com/docs/copilot/reference/copilot-settings; the extensions' `package.json`.
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

VSCODE = table(
    "vscode.*settings",
    (ON, CRITICAL, "all tools run without asking",
     "chat.tools.global.autoApprove chat.tools.autoApprove *.allowDangerouslySkipPermissions"),
    (GRANTS, HIGH, "it runs without asking",
     "chat.tools.*.autoApprove chat.tools.eligibleForAutoApproval chat.agent.autoApprove*"),
    (ON, HIGH, "commands run without asking", "chat.tools.terminal.enableAutoApprove", True),
    (ON, HIGH, "commands run without asking",
     "chat.tools.terminal.autoApprove* chat.tools.terminal.ignoreDefaultAutoApproveRules "
     "chat.tools.terminal.autoReplyToPrompts"),
    (CHANGE, CRITICAL, "tools run without asking", "chat.tools.*pprove*"),
    (CHOICE, HIGH, "when it asks", "chat.permissions.default"),
    (ON, HIGH, "it may go on without asking", "chat.autopilot.enabled", True),
    (CHANGE, HIGH, "what a command may write", "chat.tools.terminal.blockDetectedFileWrites"),
    (CHANGE, HIGH, "the sandbox of commands", "chat.agent.sandbox* chat.tools.terminal.sandbox*"),
    (OFF, HIGH, "the network is filtered", "chat.agent.networkFilter"),
    (ALLOW, HIGH, "an address can be reached", "chat.agent.allowedNetworkDomains"),
    (DENY, HIGH, "an address is no longer held back", "chat.agent.deniedNetworkDomains"),
    (ALLOW, HIGH, "a folder is opened to it", "github.copilot.chat.additionalReadAccessFolders"),
    (CHANGE, HIGH, "commands that are started by themselves",
     "chat.hookFilesLocations* chat.useCustomAgentHooks chat.useHooks chat.useClaudeHooks"),
    (GRANTS, HIGH, "code of others is loaded", "chat.plugins.enabled chat.pluginLocations"),
    (ALLOW, HIGH, "code of others is loaded", "chat.plugins.marketplaces"),
    (GRANTS, HIGH, "servers of other programs are started", "chat.mcp.discovery.enabled chat.mcp.discovery.enabled.*"),
    (CHANGE, HIGH, "which servers may run, and when",
     "chat.mcp.access chat.mcp.autoStart chat.mcp.autostart chat.mcp.serverSampling* chat.mcp.gallery*"),
    (CHANGE, CRITICAL, "a command that is started by itself", "task.allowAutomaticTasks"),
    (ALLOW, HIGH, "a command runs without asking", "*.allowedCommands"),
    (DENY, HIGH, "a command is no longer forbidden", "*.deniedCommands"),
    (CHANGE, HIGH, "settings are loaded from another file", "*.autoImportSettingsPath *.customStoragePath"),
    (CHANGE, HIGH, "the environment of what is started", "claudeCode.environmentVariables*"),
    (VARIABLES, HIGH, "the environment of terminals", "terminal.integrated.env.*"),
    (CHANGE, CRITICAL, "a shell",
     ("terminal.integrated.profiles.* terminal.integrated.defaultProfile.* terminal.integrated.automationProfile.* "
     "terminal.integrated.shell* terminal.external.* chat.tools.terminal.terminalProfile.*")),
    (OFF, CRITICAL, "a protection", "security.workspace.trust.enabled http.proxyStrictSSL", True),
    (CHANGE, HIGH, "what is trusted", "security.workspace.trust.* security.*"),
    (CHANGE, CRITICAL, "where data is sent",
     ("*[bB]aseUrl *[bB]ase_url *BaseURL *.endpoint *otlpEndpoint http.proxy *.debugProxy* *.serverUrl "
     "github.copilot.advanced* github.copilot.chat.customOAIModels* github-enterprise.uri *.proxyUrl")),
    (ON, HIGH, "prompts are sent elsewhere",
     "github.copilot.chat.otel.enabled github.copilot.chat.otel.captureContent github.copilot.chat.cli.remote.enabled"),
    (CHANGE, HIGH, "changes are kept without being looked at", "chat.editing.autoAcceptDelay"),
    (CHANGE, MEDIUM, "instructions",
     ("*.customInstructions *nstructions *.rules chat.instructionsFilesLocations* chat.promptFilesLocations* "
     "chat.modeFilesLocations* chat.agentFilesLocations* chat.agentSkillsLocations* chat.promptFilesRecommendations* "
     "chat.useAgentsMdFile chat.useNestedAgentsMdFiles chat.useClaudeMdFile chat.useAgentSkills "
     "chat.includeApplyingInstructions chat.includeReferencedInstructions chat.useCustomizationsInParentRepositories "
     "github.copilot.chat.*.useInstructionFiles github.copilot.chat.*nstructions.enabled "
     "github.copilot.chat.*.instructions* roo-cline.useAgentRules zoo-code.useAgentRules")),
    (CHANGE, MEDIUM, "which model answers",
     ("github.copilot.enable github.copilot.enable.* *.model *.modelId *.defaultModel chat.utilityModel "
     "chat.utilitySmallModel *.selectedModel github.copilot.inlineSuggest.enable "
     "github.copilot.editor.enableAutoCompletions *.vsCodeLmModelSelector* chat.agent.enabled chat.agent.maxRequests "
     "github.copilot.nextEditSuggestions.* github.copilot.chat.agent.* github.copilot.chat.codesearch.enabled "
     "github.copilot.chat.summarizeAgentConversationHistory.* github.copilot.chat.virtualTools.* "
     "chat.checkpoints.enabled chat.disableAIFeatures *.commandTimeoutAllowlist")),
    (CHANGE, LOW, "how it is shown or timed",
     ("workbench.color* workbench.icon* workbench.tree* workbench.startup* peacock.color "
     "editor.font* editor.tab* editor.word* editor.minimap* editor.ruler* editor.render* editor.cursor* "
     "editor.line* editor.bracket* editor.insertSpaces editor.inlineSuggest.* files.autoSave* files.eol "
     "files.trim* files.insertFinalNewline window.zoom* window.title* explorer.* breadcrumbs.* telemetry.* "
     "chat.commandCenter.enabled chat.editor.* chat.fontFamily chat.fontSize chat.notifyWindowOn* "
     "chat.viewTitle.enabled chat.viewSessions.* chat.emptyState.* chat.math.enabled chat.detectParticipant.enabled "
     "chat.checkpoints.showFileChanges chat.editRequests chat.agent.thinkingStyle chat.agent.thinking.* "
     "chat.editing.confirmEditRequest* chat.requestQueuing.* chat.tools.terminal.outputLocation "
     "github.copilot.chat.localeOverride github.copilot.chat.scopeSelection github.copilot.editor.enableCodeActions "
     "inlineChat.renderMode inlineChat.finishOnType inlineChat.holdToSpeech inlineChat.affordance "
     "*.enableCodeActions *.apiRequestTimeout *.commandExecutionTimeout *.maximumIndexedFilesForFileSearch "
     "claudeCode.preferredLocation claudeCode.useTerminal claudeCode.disableLoginPrompt chatgpt.localeOverride "
     "*.preferredLanguage cursor.cpp.enablePartialAccepts cursor.diffs.* cursor.windowSwitcher.* "
     "*.preventCompletionWithOpenTodos *.newTaskRequireTodos *.codeIndex.embeddingBatchSize")),
)  # fmt: skip

INPUTS = table(
    "vscode.*mcp-inputs",
    (CHANGE, HIGH, "a command of the editor gives the value", "*.command *.args*"),
    (OFF, HIGH, "what is typed is hidden", "*.password"),
    (CHANGE, MEDIUM, "what a server is given", "*.type *.default *.options*"),
    (CHANGE, LOW, "what a person is asked", "*.description *.id"),
)  # fmt: skip
