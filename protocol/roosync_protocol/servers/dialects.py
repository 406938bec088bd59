"""How each assistant spells an MCP server, as data; and what a dialect is made of.

`servers` reads and writes by it. Sources, read in November 2026: the MCP pages of each assistant's documentation, and
where it is public its source (Roo Code `McpHub.ts`, Cline `config-loader.ts`, Codex `mcp_types.rs`, Gemini CLI
`mcp-client.ts`, opencode `config.ts` of both versions, Zed `settings_content`, Continue `config-yaml`). Where versions
differ, what is written is what all of them read.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec import field as default

WORDS = {"http": "http", "sse": "sse"}
READS = {"streamable-http": "http", "streamableHttp": "http", "http-stream": "http", "streamable_http": "http"}


class Dialect(Struct, frozen=True, kw_only=True):
    """How one assistant spells a server."""

    env: str = "env"
    headers: str = "headers"  # "a.b": the field b of a map in the field a
    cwd: str = "cwd"
    urls: tuple[tuple[str, str], ...] = (("url", ""),)  # field of the address -> the transport that it means
    words: Mapping[str, str] = default(default_factory=WORDS.copy)  # transport -> what `type` says; empty: no type
    reads: Mapping[str, str] = default(default_factory=READS.copy)  # further words that it understands
    remote: str = ""  # the transport of an address without a type
    local: str = ""  # what `type` says of a program, where it has to be said
    line: bool = False  # `command` is a list with the arguments in it
    enabled: bool = False  # `enabled: false`, not `disabled: true`
    disables: bool = True  # can a server be off in this file? elsewhere it is kept off, and here it would run
    named: str = ""  # the field that repeats the server's name
    fixed: Mapping[str, str] = default(default_factory=dict)  # said of each server, and means nothing
    reference: str = "${env:%s}"  # to a variable of the environment; "" where there is none
    env_names: str = ""  # a list of variables that are handed on under their own name
    header_names: str = ""  # header -> the variable that has its value
    bearer: str = ""  # the variable whose value is sent as `Authorization: Bearer ...`


COMMON = Dialect()

ROO = Dialect(words={"http": "streamable-http", "sse": "sse"})  # an address without a type is an error to it
CLINE = Dialect(words={"http": "streamableHttp", "sse": "sse"}, remote="sse")
CLAUDE = Dialect(reference="${%s}", disables=False)
VSCODE = Dialect(local="stdio", remote="http", disables=False)
CURSOR = Dialect(remote="http", disables=False)
WINDSURF = Dialect(urls=(("serverUrl", ""), ("url", "")), remote="http")
GEMINI = Dialect(urls=(("httpUrl", "http"), ("url", "")), remote="http", reference="$%s", disables=False)
OPENCODE = Dialect(
    env="environment",
    words={"http": "remote"},
    remote="http",
    local="local",
    line=True,
    enabled=True,
    reference="{env:%s}",
)
CODEX = Dialect(
    headers="http_headers",
    words={},
    remote="http",
    enabled=True,
    reference="",
    env_names="env_vars",
    header_names="env_http_headers",
    bearer="bearer_token_env_var",
)
ZED = Dialect(words={}, remote="http", enabled=True, reference="", fixed={"source": "custom"})
CONTINUE = Dialect(
    headers="requestOptions.headers",
    words={"http": "streamable-http", "sse": "sse"},
    remote="http",
    named="name",
    reference="${{ secrets.%s }}",
    disables=False,
)
