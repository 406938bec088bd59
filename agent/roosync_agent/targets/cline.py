"""Cline: the MCP servers of each editor, and the file that newer versions and the command line share.

Newer versions take the servers of an editor over into the shared file once, and read only that one from then on.
"""

from roosync_agent.targets.declare import servers
from roosync_protocol.servers.dialects import CLINE as DIALECT

_FILE = "settings/cline_mcp_settings.json"

CLINE = (
    servers(
        "cline.mcp", "Cline", "{vscode_user}/globalStorage/saoudrizwan.claude-dev", _FILE, DIALECT, locks=True
    ),
    servers("cline.mcp-shared", "Cline", "{cline}/data", _FILE, DIALECT, locks=True),
)  # fmt: skip
