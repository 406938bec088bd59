"""Roo Code and its successor Zoo Code: modes and MCP servers in the editor's storage, rules in the home folder.

Zoo Code reads ~/.zoo when that folder is there and ~/.roo otherwise (its `roo-config`); so `zoo.rules` is there
only with ~/.zoo, and creating it is left to the person: it would hide the rules in ~/.roo from Zoo Code.
"""

from roosync_agent.targets.base import Group, TargetSpec
from roosync_agent.targets.roo_profiles import profiles
from roosync_protocol.entity import Kind

_TREE = ("rules*/**", "commands/**", "skills*/**")


def _assistant(short: str, title: str, storage: str, setting: str, rules: TargetSpec) -> tuple[TargetSpec, ...]:
    folder = "{vscode_user}/globalStorage/" + storage
    modes = TargetSpec(
        name=f"{short}.modes",
        assistant=title,
        group=Group.MODES,
        kind=Kind.MODE,
        folder=folder,
        file="settings/custom_modes.yaml",
        format="sniff",  # older versions kept JSON in it
        container=("customModes",),
        identity="slug",
        locks=True,
    )
    mcp = TargetSpec(
        name=f"{short}.mcp",
        assistant=title,
        group=Group.MCP,
        kind=Kind.MCP_SERVER,
        folder=folder,
        file="settings/mcp_settings.json",
        format="jsonc",
        container=("mcpServers",),
        private=True,
        locks=True,
    )
    return modes, mcp, rules, profiles(short, title, storage, setting)


ROO = _assistant(
    "roo",
    "Roo Code",
    "rooveterinaryinc.roo-cline",
    "roo-cline.autoImportSettingsPath",
    TargetSpec(
        name="roo.rules",
        assistant="Roo Code",
        group=Group.RULES,
        kind=Kind.TEXT,
        folder="{home}/.roo",
        tree=_TREE,
        signs=("{home}/.roo", "{vscode_user}/globalStorage/rooveterinaryinc.roo-cline"),
    ),
)
ZOO = _assistant(
    "zoo",
    "Zoo Code",
    "zoocodeorganization.zoo-code",
    "zoo-code.autoImportSettingsPath",
    TargetSpec(
        name="zoo.rules",
        assistant="Zoo Code",
        group=Group.RULES,
        kind=Kind.TEXT,
        folder="{home}/.zoo",
        tree=_TREE,
    ),
)
