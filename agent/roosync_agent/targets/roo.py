"""Roo Code and its successor Zoo Code: modes and MCP servers in the editor's storage, rules in the home folder, and all
three in a project (`.roomodes`, `.roo`), where Zoo Code reads the same files.

Zoo Code reads ~/.zoo when that folder is there and ~/.roo otherwise (its `roo-config`); so `zoo.rules` is there
only with ~/.zoo, and creating it is left to the person: it would hide the rules in ~/.roo from Zoo Code.
"""

from roosync_agent.targets.base import Group, TargetSpec
from roosync_agent.targets.declare import servers, texts
from roosync_agent.targets.parts import Part
from roosync_agent.targets.roo_profiles import profiles
from roosync_protocol.entity import Kind
from roosync_protocol.servers.dialects import ROO as DIALECT

_MODES = Part(container=("customModes",), identity="slug")
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
        parts=(_MODES,),
        locks=True,
    )
    mcp = servers(f"{short}.mcp", title, folder, "settings/mcp_settings.json", DIALECT, locks=True)
    return modes, mcp, rules, profiles(short, title, storage, setting)


ROO = _assistant(
    "roo",
    "Roo Code",
    "rooveterinaryinc.roo-cline",
    "roo-cline.autoImportSettingsPath",
    texts(
        "roo.rules",
        "Roo Code",
        "{home}/.roo",
        *_TREE,
        signs=("{home}/.roo", "{vscode_user}/globalStorage/rooveterinaryinc.roo-cline"),
    ),
)
ROO_PROJECT = (
    TargetSpec(
        name="roo.project-modes",
        assistant="Roo Code",
        group=Group.MODES,
        kind=Kind.MODE,
        folder="{workspace}",
        file=".roomodes",
        format="sniff",
        parts=(_MODES,),
    ),
    servers("roo.project-mcp", "Roo Code", "{workspace}/.roo", "mcp.json", DIALECT, private=False),
    texts("roo.project-rules", "Roo Code", "{workspace}/.roo", *_TREE),
)
ZOO = _assistant(
    "zoo",
    "Zoo Code",
    "zoocodeorganization.zoo-code",
    "zoo-code.autoImportSettingsPath",
    texts("zoo.rules", "Zoo Code", "{home}/.zoo", *_TREE),
)
