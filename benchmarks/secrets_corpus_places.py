"""Where people put secrets in the files of coding assistants, as functions from a drawn secret to an entity's value.

Each place says which forms of `secrets_corpus_shapes` are seen there: a password of several words stands in no URL,
and what has no mark stands in prose only where a name is beside it.
"""
# ruff: noqa: E501, SIM905 - tables that a person reads and extends, a line each

import json
import re
import shlex
from collections.abc import Callable
from random import Random
from typing import NamedTuple
from urllib.parse import quote

from secrets_corpus_shapes import Drawn

from roosync_protocol.entity import Kind
from roosync_protocol.names import Value

KEYS = frozenset({"marked", "plain"})
WORDLIKE = KEYS | {"weak"}
ANY = WORDLIKE | {"phrase", "web", "url", "pairs", "block"}
MARKED = frozenset({"marked"})
ADDRESSES = frozenset({"web", "url"})
NAMED = WORDLIKE | {"phrase"}


class Place(NamedTuple):
    name: str
    kind: Kind
    key: str  # of the entity
    forms: frozenset[str]
    make: Callable[[Drawn, Random], Value]


def server(**fields: Value) -> Value:
    common: dict[str, Value] = {
        "command": "npx",
        "args": ["-y", "demo-server@1.2.0"],
        "type": "stdio",
        "disabled": False,
    }
    return common | fields


def remote(**fields: Value) -> Value:
    common: dict[str, Value] = {"type": "streamable-http", "url": "https://mcp.example.com/mcp", "disabled": False}
    return common | fields


def switch(drawn: Drawn, chance: Random) -> str:
    """The switch that a server would have for it: --github-token, --api-key."""
    own = "--" + drawn.shape.variable.lower().replace("_", "-")
    usual = {"marked": ["--api-key", "--token"], "plain": ["--api-key", "--access-token", "--apikey"]}
    return chance.choice([own, *usual.get(drawn.shape.form, ["--password"])])


def header(drawn: Drawn, chance: Random) -> tuple[str, str]:
    """A header's name and its whole value."""
    own = "X-" + drawn.shape.variable.title().replace("_", "-")
    name = chance.choice(["Authorization", "Authorization", "X-Api-Key", "x-api-key", "api-key", "Private-Token", own])
    scheme = chance.choice(["Bearer ", "Bearer ", "Token ", "token ", ""]) if name == "Authorization" else ""
    return name, scheme + drawn.text


def called(drawn: Drawn, chance: Random) -> str:
    """How prose calls it: 'Datadog API key'."""
    vendor = drawn.shape.vendor.replace("none, ", "").split(" ")[0]
    label = drawn.shape.label
    return chance.choice([f"{vendor} {label}", f"The {label}", label, label.capitalize(), f"our {vendor} {label}"])


def line(drawn: Drawn, chance: Random) -> str:
    """A line of prose with a name beside the secret, in a few people's hands."""
    name, text = called(drawn, chance), drawn.text
    return chance.choice(
        [
            f"- {name}: {text}",
            f"- **{name}**: `{text}`",
            f"* **{name}:** {text}",
            f"{name} = {text}",
            f"{name} is `{text}`, do not share it.",
            f"| {name} | `{text}` |",
            f"| {name} | {text} | rotated in May |",
            f"Use the {drawn.shape.label} `{text}` for every call.",
            f"Utilise {name} : « {text} » pour les tests." if " " not in text else f"{name} : « {text} »",
            f"{name} -> {text}",
            f"<!-- {name}: {text} -->",
        ]
    )


def prose(drawn: Drawn, chance: Random) -> Value:
    return (
        f"# Memory\n\nThe service answers in French.\n\n{line(drawn, chance)}\n\n## Build\n\nRun `make test` first.\n"
    )


def bare(drawn: Drawn, chance: Random) -> Value:
    sentence = chance.choice(
        ["If a call fails, try {} instead.", "- {}", "Ana gave me {} yesterday.", "(old one: {})", "> {}", '"{}"']
    )
    return f"# Notes\n\n{sentence.format(drawn.text)}\n\nNothing else.\n"


def block(drawn: Drawn, chance: Random) -> Value:
    return f"# Keys\n\nFor the deployment:\n\n```\n{drawn.text}\n```\n\nDone.\n"


def code(drawn: Drawn, chance: Random) -> Value:
    """A fenced block, as copied from a terminal or a file."""
    name, text = drawn.shape.variable, drawn.text
    head, value = header(drawn, chance)
    quoted = json.dumps(text)
    lines = chance.choice(
        [
            ["```bash", f"export {name}={shlex.quote(text)}", "npm run deploy", "```"],
            ["```sh", f'export {name}="{text}"', "```"],
            ["```env", "PORT=3000", f"{name}={text}", "```"],
            ["```yaml", "service:", f"  {name.lower()}: {text}", "  port: 3000", "```"],
            ["```yaml", "env:", f"  - name: {name}", f'    value: "{text}"', "```"],
            ["```json", json.dumps({"mcpServers": {"demo": {"command": "npx", "env": {name: text}}}}, indent=2), "```"],
            ["```powershell", f"$env:{name} = '{text}'", "```"],
            ["```bat", f"set {dos(drawn)}", "```"],
            ["```powershell", f'setx {name} "{text}"', "```"],
            ["```python", f"{name.lower()} = {quoted}", "client = Client()", "```"],
            ["```ts", f"const {camel(name)} = {quoted};", "```"],
            ["```toml", f"{name.lower()} = {quoted}", "```"],
            ["```dockerfile", f"ENV {name}={text}", "```"],
            ["```bash", f"curl -s -H '{head}: {value}' https://api.example.com/v1/items", "```"],
            ["```bash", f"curl -u {shlex.quote('admin:' + text)} https://api.example.com/v1/items", "```"],
            ["```http", "GET /v1/items HTTP/1.1", f"{head}: {value}", "```"],
        ]
    )
    return "# How to\n\n" + "\n".join(lines) + "\n\nThen look at the log.\n"


def camel(name: str) -> str:
    first, *rest = name.lower().split("_")
    return first + "".join(word.title() for word in rest)


def environment(drawn: Drawn, chance: Random) -> Value:
    return server(env={"LOG_LEVEL": "info", drawn.shape.variable: drawn.text})


def arguments(*words: str, command: str = "npx") -> Value:
    return server(command=command, args=["-y", "demo-server@1.2.0", *words] if command == "npx" else list(words))


def header_argument(drawn: Drawn, chance: Random) -> Value:
    name, value = header(drawn, chance)
    word = chance.choice(["--header", "-H"])
    joined = chance.choice([f"{name}: {value}", f"{name}:{value}"])
    return server(args=["-y", "mcp-remote", "https://mcp.example.com/sse", word, joined])


def docker(drawn: Drawn, chance: Random) -> Value:
    name, text = drawn.shape.variable, drawn.text
    word = chance.choice(
        [["-e", f"{name}={text}"], [f"-e{name}={text}"], ["--env", f"{name}={text}"], [f"--env={name}={text}"]]
    )
    return arguments("run", "-i", "--rm", *word, "ghcr.io/example/server:1.4", command="docker")


def dos(drawn: Drawn) -> str:
    """As `set` of cmd.exe wants it: in quotes when it has signs of the shell."""
    pair = f"{drawn.shape.variable}={drawn.text}"
    return f'"{pair}"' if re.search(r"[&|<>^%!]", drawn.text) else pair


def query(drawn: Drawn, chance: Random) -> str:
    own = camel(drawn.shape.variable)
    name = chance.choice(["api_key", "apiKey", "token", "key", "access_token", "apikey", own])
    return f"https://mcp.example.com/mcp?{chance.choice(['', 'region=eu&', 'version=2&'])}{name}={quote(drawn.text, safe='')}"


def headers(field: str) -> Callable[[Drawn, Random], Value]:
    def made(drawn: Drawn, chance: Random) -> Value:
        sent: dict[str, Value] = {"Accept": "application/json", **dict([header(drawn, chance)])}
        return remote(**{field: sent})

    return made


def hook(command: str) -> Value:
    return {"PostToolUse": [{"matcher": "Edit|Write", "hooks": [{"type": "command", "command": command}]}]}


def hook_line(drawn: Drawn, chance: Random) -> Value:
    name, text = drawn.shape.variable, shlex.quote(drawn.text)
    head, value = header(drawn, chance)
    return hook(
        chance.choice(
            [
                f"{name}={text} node ~/.claude/hooks/report.js",
                f"export {name}='{drawn.text}' && ./notify.sh",
                f"curl -s -X POST -H '{head}: {value}' -d @- https://hooks.example.com/done",
                f'curl -H "{head}: {value}" https://hooks.example.com/done',
                f"python report.py {switch(drawn, chance)} {text} --quiet",
                f"python report.py {switch(drawn, chance)}={text}",
                f'bash -c "{name}={text} ./notify.sh"',
            ]
        )
    )


def profile(field: str) -> Callable[[Drawn, Random], Value]:
    return lambda drawn, chance: {
        "currentApiConfigName": "default",
        "apiConfigs": {
            "default": {"apiProvider": "openai", field: drawn.text, "openAiModelId": "gpt-4o", "id": "8ojmdnlcpmx"}
        },
    }


def one_of(*makers: Callable[[Drawn, Random], Value]) -> Callable[[Drawn, Random], Value]:
    return lambda drawn, chance: chance.choice(makers)(drawn, chance)


def mode(field: str, make: Callable[[Drawn, Random], Value]) -> Callable[[Drawn, Random], Value]:
    return lambda drawn, chance: {
        "slug": "ops",
        "name": "Ops",
        "roleDefinition": "You look after the servers.",
        "groups": ["read", "command"],
        field: make(drawn, chance),
    }


PROFILE_FIELDS = (
    "apiKey openAiApiKey openRouterApiKey geminiApiKey mistralApiKey deepSeekApiKey groqApiKey xaiApiKey openAiNativeApiKey "
    "codeIndexOpenAiKey codeIndexQdrantApiKey awsSecretKey awsAccessKey awsSessionToken litellmApiKey unboundApiKey"
).split()
MCP, SETTING, MODE, TEXT = Kind.MCP_SERVER, Kind.SETTING, Kind.MODE, Kind.TEXT
SERVER, RULE, OPS = "roo.mcp/demo", "roo.rules/rules/notes.md", "roo.modes/ops"

PLACES = (
    Place("env", MCP, SERVER, ANY, environment),
    Place("env, environment", MCP, SERVER, ANY, lambda d, _: server(environment={d.shape.variable: d.text})),
    Place("env, list", MCP, SERVER, NAMED, lambda d, _: server(env=[f"{d.shape.variable}={d.text}", "PORT=3000"])),
    Place("env, unknown name", MCP, SERVER, ANY, lambda d, c: server(env={c.choice(["FOO", "X1", "CONFIG_A"]): d.text})),
    Place("env, JSON", MCP, SERVER, WORDLIKE, lambda d, c: server(env={"EXTRA_HEADERS": json.dumps(dict([header(d, c)]))})),
    Place("headers", MCP, SERVER, KEYS, headers("headers")),
    Place("headers, http_headers", MCP, SERVER, KEYS, headers("http_headers")),
    Place("headers, requestInit", MCP, SERVER, KEYS,
          lambda d, c: remote(requestInit={"headers": dict([header(d, c)])})),
    Place("headers, own name", MCP, SERVER, KEYS, lambda d, c: remote(headers={"X-Tenant-Access": d.text})),
    Place("args, switch", MCP, SERVER, NAMED, lambda d, c: arguments(switch(d, c), d.text)),
    Place("args, switch=", MCP, SERVER, NAMED, lambda d, c: arguments(f"{switch(d, c)}={d.text}")),
    Place("args, KEY=", MCP, SERVER, NAMED | {"pairs"}, lambda d, c: arguments(f"{d.shape.variable}={d.text}")),
    Place("args, docker -e", MCP, SERVER, NAMED | ADDRESSES, docker),
    Place("args, header", MCP, SERVER, KEYS, header_argument),
    Place("args, bare", MCP, SERVER, KEYS | ADDRESSES | {"pairs"}, lambda d, c: arguments(d.text)),
    Place("args, JSON", MCP, SERVER, WORDLIKE,
          lambda d, c: arguments("--config", json.dumps({camel(d.shape.variable): d.text, "debug": False}))),
    Place("args, cmd /c", MCP, SERVER, WORDLIKE,
          lambda d, c: arguments("/c", f"set {dos(d)}&& npx -y demo-server", command="cmd")),
    Place("args, sh -c", MCP, SERVER, WORDLIKE,
          lambda d, c: arguments("-c", f"{d.shape.variable}='{d.text}' exec demo-server --stdio", command="sh")),
    Place("command line", MCP, SERVER, WORDLIKE,
          lambda d, c: {"command": f"npx -y demo-server {switch(d, c)} {shlex.quote(d.text)} --verbose"}),
    Place("url, query", MCP, SERVER, KEYS, lambda d, c: remote(url=query(d, c))),
    Place("url, query in args", MCP, SERVER, KEYS, lambda d, c: arguments("mcp-remote", query(d, c))),
    Place("url, userinfo", MCP, SERVER, KEYS, lambda d, c: remote(url=f"https://me:{quote(d.text, safe='')}@mcp.example.com/mcp")),
    Place("url, path", MCP, SERVER, KEYS, lambda d, c: remote(url=f"https://mcp.example.com/s/{quote(d.text, safe='')}/mcp")),
    Place("url, itself", MCP, SERVER, frozenset({"web"}), lambda d, c: remote(url=d.text)),
    Place("setting, profile", SETTING, "roo.profiles/providerProfiles", WORDLIKE,
          lambda d, c: profile(c.choice(PROFILE_FIELDS))(d, c)),
    Place("setting, one field", SETTING, "vscode.settings/github.copilot.advanced", ANY,
          lambda d, c: {"authToken" if d.shape.form != "url" else "connectionString": d.text, "debug": True}),
    Place("setting, headers", SETTING, "roo.profiles/providerProfiles", KEYS,
          lambda d, c: {"apiConfigs": {"default": {"apiProvider": "openai", "openAiHeaders": dict([header(d, c)])}}}),
    Place("setting, base URL", SETTING, "roo.profiles/openAiBaseUrl", KEYS,
          lambda d, c: query(d, c).replace("mcp.example.com/mcp", "llm.example.com/v1")),
    Place("setting, env", SETTING, "claude.settings/env", ANY, lambda d, _: {d.shape.variable: d.text, "DEBUG": "1"}),
    Place("setting, terminal env", SETTING, "vscode.settings/terminal.integrated.env.linux", ANY,
          lambda d, _: {d.shape.variable: d.text}),
    Place("setting, allowed command", SETTING, "claude.settings/permissions", WORDLIKE,
          lambda d, _: {"allow": ["Read", f"Bash({d.shape.variable}={shlex.quote(d.text)} psql:*)"]}),
    Place("setting, list", SETTING, "roo.settings/allowedCommands", WORDLIKE,
          lambda d, c: ["npm test", f"git push {switch(d, c)}={shlex.quote(d.text)}"]),
    Place("hook", SETTING, "claude.settings/hooks", WORDLIKE, hook_line),
    Place("hook, URL", SETTING, "claude.settings/hooks", ADDRESSES,
          lambda d, c: hook(f"curl -s -X POST {d.text} -d @-")),
    Place("helper command", SETTING, "claude.settings/apiKeyHelper", MARKED, lambda d, c: f"echo {d.text}"),
    Place("status line", SETTING, "claude.settings/statusLine", WORDLIKE,
          lambda d, c: {"type": "command", "command": f"{d.shape.variable}={shlex.quote(d.text)} ~/.claude/status.sh"}),
    Place("mode, instructions", MODE, OPS, NAMED, mode("customInstructions", prose)),
    Place("mode, code in instructions", MODE, OPS, NAMED, mode("customInstructions", code)),
    Place("mode, role", MODE, OPS, MARKED, mode("roleDefinition", bare)),
    Place("mode, block", MODE, OPS, frozenset({"block"}), mode("customInstructions", block)),
    Place("mode, URL", MODE, OPS, ADDRESSES, mode("whenToUse", bare)),
    Place("text, named", TEXT, RULE, NAMED, prose),
    Place("text, code", TEXT, RULE, NAMED, code),
    Place("text, bare", TEXT, RULE, MARKED | ADDRESSES | {"pairs"}, bare),
    Place("text, block", TEXT, RULE, frozenset({"block", "pairs", "url"}), block),
)  # fmt: skip
