"""Claude Code: settings.json of the user and of projects.

Source: code.claude.com/docs/en/settings and the published JSON schema of its settings.
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

CLAUDE = table(
    "claude.*settings",
    (ALLOW, HIGH, "a tool runs without asking", "permissions.allow autoMode.allow"),
    (DENY, HIGH, "a tool is no longer held back",
     "permissions.deny permissions.ask autoMode.soft_deny autoMode.hard_deny"),
    (CHOICE, HIGH, "when it asks", "permissions.defaultMode"),
    (ALLOW, HIGH, "a folder is opened to it", "permissions.additionalDirectories"),
    (CHANGE, HIGH, "a protection of the permissions", "permissions.disable* disableAutoMode"),
    (CHANGE, HIGH, "what the classifier that approves is told", "autoMode.environment"),
    (ON, HIGH, "tools run without asking", "useAutoModeDuringPlan"),
    (ON, CRITICAL, "permissions are bypassed", "skip*PermissionPrompt"),
    (CHANGE, CRITICAL, "a command that is started by itself",
     ("hooks apiKeyHelper awsCredentialExport awsAuthRefresh gcpAuthRefresh otelHeadersHelper statusLine "
     "subagentStatusLine fileSuggestion proxyAuthHelper policyHelper processWrapper sandbox.ripgrep* "
     "sandbox.bwrapPath sandbox.socatPath")),
    (CHANGE, HIGH, "hooks can be guards too", "disableAllHooks"),
    (ALLOW, HIGH, "where hooks may send data", "allowedHttpHookUrls httpHookAllowedEnvVars"),
    (OFF, HIGH, "commands in skills and slash commands are held back", "disableSkillShellExecution"),
    (CHANGE, HIGH, "the shell of ! commands", "defaultShell"),
    (VARIABLES, HIGH, "the environment of all that is started", "env"),
    (ON, CRITICAL, "any project's servers are started", "enableAllProjectMcpServers"),
    (ALLOW, HIGH, "a project's server is started", "enabledMcpjsonServers allowedMcpServers"),
    (DENY, HIGH, "a project's server is started", "disabledMcpjsonServers deniedMcpServers"),
    (OFF, CRITICAL, "commands leave the sandbox", "sandbox.enabled"),
    (ON, CRITICAL, "files are open to what is in the sandbox", "sandbox.filesystem.disabled"),
    (ON, HIGH, "commands run without asking", "sandbox.autoAllowBashIfSandboxed", True),
    (ON, HIGH, "commands may leave the sandbox", "sandbox.allowUnsandboxedCommands", True),
    (ON, HIGH, "a weaker sandbox", "sandbox.enableWeaker* sandbox.allowAppleEvents sandbox.network.allowAll*"),
    (ON, HIGH, "a way out of the sandbox", "sandbox.network.allowLocalBinding sandbox.credentials.allow*"),
    (OFF, HIGH, "the sandbox has to work", "sandbox.failIfUnavailable sandbox.network.strictAllowlist"),
    (ALLOW, HIGH, "a way out of the sandbox",
     ("sandbox.excludedCommands sandbox.network.allowUnixSockets sandbox.network.allowedDomains "
     "sandbox.network.allowMachLookup sandbox.filesystem.allowWrite sandbox.filesystem.allowRead")),
    (DENY, HIGH, "the sandbox holds it back no longer",
     ("sandbox.network.deniedDomains sandbox.filesystem.denyWrite sandbox.filesystem.denyRead "
     "sandbox.credentials.files sandbox.credentials.envVars")),
    (GRANTS, HIGH, "code of others is loaded", "enabledPlugins"),
    (CHANGE, HIGH, "code of others is loaded", "extraKnownMarketplaces pluginConfigs"),
    (ON, HIGH, "it is steered from elsewhere", "remoteControlAtStartup"),
    (ON, HIGH, "a check is skipped", "skipWebFetchPreflight"),
    (CHANGE, HIGH, "how one signs in", "forceLogin*"),
    (CHANGE, HIGH, "which agent, with which tools, answers", "agent"),
    (CHANGE, MEDIUM, "the model and its manner",
     ("model availableModels modelOverrides* fallbackModel advisorModel teammateDefaultModel teammateMode outputStyle "
     "effortLevel alwaysThinkingEnabled fastMode fastModePerSessionOptIn companyAnnouncements includeGitInstructions "
     "skillOverrides* claudeMdExcludes autoMemoryEnabled autoMemoryDirectory askUserQuestionTimeout "
     "cleanupPeriodDays fileCheckpointingEnabled worktree* minimumVersion plansDirectory autoCompactEnabled")),
    (CHANGE, LOW, "how it is shown",
     ("includeCoAuthoredBy attribution attribution.commit attribution.pr attribution.sessionUrl "
     "language spinnerTipsEnabled spinnerVerbs spinnerVerbs.mode spinnerVerbs.verbs spinnerTipsOverride "
     "spinnerTipsOverride.excludeDefault spinnerTipsOverride.tips showTurnDuration showThinkingSummaries "
     "showClearContextOnPlanAccept terminalProgressBarEnabled respectGitignore theme autoUpdatesChannel "
     "prefersReducedMotion syntaxHighlightingDisabled editorMode vimInsertModeRemaps* verbose viewMode tui "
     "preferredNotifChannel feedbackSurveyRate awaySummaryEnabled autoScrollEnabled axScreenReader "
     "emojiCompletionEnabled wheelScrollAccelerationEnabled permissionExplainerEnabled diffTool "
     "skillListingMaxDescChars skillListingBudgetFraction $schema")),
)  # fmt: skip
