"""Roo Code and Zoo Code: global settings and API profiles, as their export and their auto-import file have them.

Source: Roo Code's `packages/types/src/global-settings.ts` and `provider-settings.ts`.
"""

from roosync_protocol.risk.rules.base import (
    ALLOW,
    CHANGE,
    CRITICAL,
    DENY,
    HIGH,
    LOW,
    MEDIUM,
    OFF,
    ON,
    VARIABLES,
    table,
)

ROO = table(
    "*profiles",
    (ALLOW, HIGH, "a command runs without asking", "*allowedCommands"),
    (DENY, HIGH, "a command is no longer forbidden", "*deniedCommands"),
    (ON, CRITICAL, "it acts outside the project without asking",
     "*alwaysAllowExecute *alwaysAllow*OutsideWorkspace *alwaysAllowWriteProtected *yolo*"),
    (CHANGE, MEDIUM, "how long a question waits before it is answered by itself", "*followupAutoApproveTimeoutMs"),
    (CHANGE, LOW, "how long it waits", "*requestDelaySeconds *writeDelayMs *rateLimitSeconds"),
    (ON, HIGH, "it acts without asking",
     "*alwaysAllow* *alwaysApprove* *autoApproval* *enableMcpServerCreation *browserToolEnabled"),
    (ON, HIGH, "it acts without asking", "*mcpEnabled", True),
    (ON, HIGH, "it is steered from elsewhere", "*remoteControlEnabled *remoteBrowserEnabled"),
    (CHANGE, HIGH, "the browser that it steers", "*remoteBrowserHost *cachedChromeHostUrl"),
    (ON, MEDIUM, "ignored files are read", "*showRooIgnoredFiles"),
    (OFF, HIGH, "protected files are opened", "*rooIgnore* *rooProtected*", True),
    (CHANGE, CRITICAL, "a program that is started by itself", "*claudeCodePath *CliPath *ExecutablePath"),
    (CHANGE, CRITICAL, "where prompts and code are sent",
     "*BaseUrl *baseUrl *base_url *QdrantUrl *BedrockEndpoint *vpcEndpoint *Endpoint *ServerUrl *ProxyUrl"),
    (VARIABLES, HIGH, "what is sent along", "*Headers"),
    (ON, HIGH, "code of the project is run", "experiments.customTools experiments.runSlashCommand"),
    (CHANGE, MEDIUM, "an experiment", "experiments.*"),
    (CHANGE, MEDIUM, "instructions",
     ("customModes* *customInstructions *Instructions *Prompt *Prompts customModePrompts* customSupportPrompts* "
     "*modeOverrides* enableSubfolderRules")),
    (CHANGE, MEDIUM, "which model answers",
     ("*apiProvider *ModelId *modelId *ModelInfo *ModelInfo.* *Model *model *mode *currentApiConfigName "
     "*listApiConfigMeta* *ApiConfigId *profileThresholds* *modeApiConfigs* *codebaseIndexModels* profiles "
     "*EmbedderProvider *EmbedderModelDimension *SpecificProvider *SpecificRegion *ServiceTier *Region *Profile "
     "*pinnedApiConfigs* *apiConfigs.*.id *codebaseIndexEnabled *LegacyFormat *UseAzure *StreamingEnabled "
     "*ReasoningEffort *reasoningEffort *verbosity *UsePromptCache *CrossRegionInference *VertexProjectId "
     "*azureApiVersion *R1FormatEnabled *MiddleOutTransform *fuzzyMatchThreshold *openRouterImageGeneration*")),
    (CHANGE, HIGH, "which key is used", "*ApiKey *apiKey *AccessKey *SecretKey *SessionToken"),
    (ON, MEDIUM, "the model looks into the web", "*enableGrounding *enableUrlContext"),
    (CHANGE, MEDIUM, "which model answers", "*vsCodeLmModelSelector*"),
    (OFF, MEDIUM, "checkpoints to go back to", "*enableCheckpoints", True),
    (CHANGE, MEDIUM, "which commands may run long", "*commandTimeoutAllowlist"),
    (CHANGE, LOW, "limits", "*allowedMaxRequests *allowedMaxCost *OutputLineLimit *OutputCharacterLimit"),
    (CHANGE, LOW, "how it is shown or timed",
     ("language telemetrySetting soundEnabled soundVolume ttsEnabled ttsSpeed screenshotQuality browserViewportSize "
     "terminalShellIntegrationTimeout terminalShellIntegrationDisabled terminalCommandDelay terminalPowershellCounter "
     "terminalZshClearEolMark terminalZdotdir terminalZshOhMy terminalZshP10k terminalCompressProgressBar "
     "terminalOutputPreviewSize commandExecutionTimeout maxConcurrentFileReads maxDiagnosticMessages "
     "maxOpenTabsContext maxWorkspaceFiles checkpointTimeout maxReadFileLine maxImageFileSize maxTotalImageSize "
     "maxGitStatusFiles autoCondenseContext autoCondenseContextPercent *diffEnabled diagnosticsEnabled "
     "includeDiagnosticMessages includeTaskHistoryInEnhance includeCurrentTime includeCurrentCost *includeMaxTokens "
     "enterBehavior preventCompletionWithOpenTodos historyPreviewCollapsed reasoningBlockCollapsed "
     "lastShownAnnouncementId hasOpenedModeSelector dismissedUpsells showTimestamps *todoListEnabled *modelTemperature "
     "*modelMaxTokens *modelMaxThinkingTokens *consecutiveMistakeLimit *SearchMaxResults *SearchMinScore "
     "*enableReasoningEffort *description *notes version")),
)  # fmt: skip
