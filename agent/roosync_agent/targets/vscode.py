"""VS Code and its family: what of the settings concerns assistants, the MCP servers, and what these ask a person for.

The editor's own taste stays where it is. `vscode.settings` is looked for in the whole family, because the extensions
of assistants are there; Cursor and Windsurf have servers in files of their own. An input (`${input:id}`) is asked for
at the start of a server: without it the server that names it does not start.
"""

from roosync_agent.targets.base import Group, TargetSpec
from roosync_agent.targets.declare import servers, settings
from roosync_agent.targets.marks import Marks
from roosync_agent.targets.parts import Part
from roosync_protocol.entity import Kind
from roosync_protocol.servers.dialects import VSCODE as DIALECT
from roosync_protocol.servers.inputs import Inputs

_NAME = "VS Code"
KEYS = frozenset(
    {
        "chat.*",
        "chatgpt.*",
        "claude-code*",
        "claudeCode.*",
        "cline.*",
        "codeium.*",
        "continue.*",
        "cursor.*",
        "geminicodeassist.*",
        "github.copilot.*",
        "inlineChat.*",
        "mcp.*",  # not `mcp` itself: servers of old versions, which VS Code moves to mcp.json
        "roo-cline.*",
        "windsurf.*",
        "zoo-code.*",
    }
)
_DESKTOP = ("code", "insiders", "vscodium", "cursor", "windsurf")  # a remote server has no settings of a user
_WITH_SERVERS = ("code", "insiders", "vscodium", "server")


def _inputs(name: str, folder: str, file: str) -> TargetSpec:
    return TargetSpec(
        name=name,
        assistant=_NAME,
        group=Group.MCP,
        kind=Kind.SETTING,
        folder=folder,
        file=file,
        format="jsonc",
        parts=(Part(container=("inputs",), identity="id"),),
        form=Inputs(),
        editors=() if "{workspace}" in folder else _WITH_SERVERS,
    )


_MARKS = Marks(secret=("claudeCode.environmentVariables.*.value",))  # whatever the variable is called

VSCODE = (
    settings("vscode.settings", _NAME, "{vscode_user}", "settings.json", KEYS, editors=_DESKTOP, marks=_MARKS),
    servers(
        "vscode.mcp",
        _NAME,
        "{vscode_user}",
        "mcp.json",
        DIALECT,
        container=("servers",),
        editors=_WITH_SERVERS,
    ),
    _inputs("vscode.mcp-inputs", "{vscode_user}", "mcp.json"),
    servers(
        "vscode.project-mcp",
        _NAME,
        "{workspace}/.vscode",
        "mcp.json",
        DIALECT,
        container=("servers",),
        private=False,
    ),
    _inputs("vscode.project-mcp-inputs", "{workspace}/.vscode", "mcp.json"),
)
