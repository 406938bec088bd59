"""Continue: config.yaml, with lists whose elements have names; and its rules and prompts that are files.

`name` and `version` are the file's own. A block of the hub (`uses: owner/block`) has no name, and is left alone.
"""

from roosync_agent.targets.declare import servers, settings, texts
from roosync_agent.targets.parts import Part
from roosync_protocol.servers.dialects import CONTINUE as DIALECT

KEYS = frozenset({"context", "data", "docs", "env", "prompts", "requestOptions", "rules"})
_MODELS = Part(container=("models",), prefix="models.", identity="name", may_be_nameless=True)
_SERVERS = Part(container=("mcpServers",), identity="name", may_be_nameless=True)

CONTINUE = (
    settings("continue.config", "Continue", "{continue}", "config.yaml", KEYS, format="yaml", further=(_MODELS,)),
    servers("continue.mcp", "Continue", "{continue}", "config.yaml", DIALECT, format="yaml", parts=(_SERVERS,)),
    texts("continue.rules", "Continue", "{continue}", "rules/**", "prompts/**"),
)
