"""The settings and API profiles of Roo and Zoo Code, in the file that they export and import.

The assistants keep them in the editor's own storage. What can be kept in step is their settings file: the one that
`autoImportSettingsPath` names and that is imported at every start, or the export in the documents folder. Profiles are
known by name: their ids are made on each machine (`roosync_protocol.profiles`).
"""

from roosync_agent.targets.base import Group, TargetSpec
from roosync_agent.targets.parts import Part
from roosync_protocol.entity import Kind
from roosync_protocol.profiles import ProfileForm

# What a person chooses. Not: tasks, what was shown or opened when, the mode in use; the modes are another target.
SETTINGS = frozenset(
    """
    allowedCommands deniedCommands allowedMax* alwaysAllow* alwaysApprove* autoApproval* followupAutoApprove*
    autoCondenseContext* condensingApiConfigId customCondensingPrompt profileThresholds
    apiProvider apiModelId openAi* openRouter* anthropic* ollama* lmStudio* gemini* mistral* bedrock* vertex* azure*
    modelTemperature modelMax* reasoningEffort enableReasoningEffort includeMaxTokens verbosity rateLimitSeconds
    requestDelaySeconds consecutiveMistakeLimit
    listApiConfigMeta modeApiConfigs pinnedApiConfigs enhancementApiConfigId includeTaskHistoryInEnhance
    browserToolEnabled browserViewportSize screenshotQuality remoteBrowserEnabled remoteBrowserHost
    checkpointTimeout enableCheckpoints codebaseIndexConfig codebaseIndexModels
    command* preventCompletion* newTaskRequireTodos todoListEnabled
    customInstructions customModePrompts customSupportPrompts
    diagnosticsEnabled includeDiagnosticMessages maxDiagnosticMessages
    diffEnabled fuzzyMatchThreshold enableMcpServerCreation mcpEnabled enableSubfolderRules experiments
    includeCurrent* max* showRooIgnoredFiles writeDelayMs terminal* imageGeneration*
    language telemetrySetting enterBehavior soundEnabled soundVolume ttsEnabled ttsSpeed
    """.split()  # noqa: SIM905 (a list that a person reads and extends)
)
_IN_USE = frozenset({"currentApiConfigName"})


def profiles(short: str, title: str, storage: str, setting: str) -> TargetSpec:
    return TargetSpec(
        name=f"{short}.profiles",
        assistant=title,
        group=Group.PROFILES,
        kind=Kind.SETTING,
        folder="{home}/Documents",
        file=f"{title.lower().replace(' ', '-')}-settings.json",
        setting=setting,
        signs=("{vscode_user}/globalStorage/" + storage,),
        parts=(
            Part(container=("globalSettings",), keys=SETTINGS),
            Part(container=("providerProfiles", "apiConfigs"), prefix="apiConfigs."),
            Part(container=("providerProfiles",), keys=_IN_USE),
            Part(container=("providerProfiles",), prefix="providerProfiles.", keys=frozenset({"modeApiConfigs"})),
            Part(container=("settings",), keys=SETTINGS | _IN_USE),  # as captured from the editor's storage
        ),
        form=ProfileForm(),
        private=True,
        how_to_set_up=(
            f"{title} keeps its profiles in the editor's storage; export its settings to a file in your home folder "
            f"and name it in the editor's setting {setting}: then they are kept in step"
        ),
    )
