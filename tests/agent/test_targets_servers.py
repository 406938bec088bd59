"""One MCP server in the file of each assistant: one value when it is collected, its own words when it is written."""

import json
import tomllib

import pytest
import yaml

from roosync_agent.collecting.places import layout
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE, locate
from roosync_protocol.documents import parse
from roosync_protocol.entity import Kind

GITHUB = {
    "command": "npx",
    "args": ["-y", "@modelcontextprotocol/server-github@2025.4.8"],
    "env": {"LOG_LEVEL": "info"},
}
NEW = {"command": "uvx", "args": ["mcp-server-time@2025.9.25"]}


def docs(target):
    """What is sent along is taken for a secret, and has its place in the target for its name."""
    header = {"$secret": f"{target}/docs/headers/X-Client"}
    return {"url": "https://docs.example/mcp", "type": "http", "headers": {"X-Client": header}}


ROO = """{
  "mcpServers": {
    // from the team
    "github": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github@2025.4.8"],
      "env": { "LOG_LEVEL": "info" },
      "disabled": false
    },
    "docs": {
      "type": "%s",
      "url": "https://docs.example/mcp",
      "headers": { "X-Client": "roosync" },
    },
  },
}
"""
CLAUDE = """{
  "numStartups": 12,
  "oauthAccount": {"emailAddress": "ana@example.org"},
  "mcpServers": {
    "github": {
      "type": "stdio",
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github@2025.4.8"],
      "env": {"LOG_LEVEL": "info"}
    },
    "docs": {
      "type": "http",
      "url": "https://docs.example/mcp",
      "headers": {"X-Client": "roosync"}
    }
  },
  "projects": {"/home/ana/x": {"mcpServers": {}}}
}
"""
VSCODE = """{
	// asked for at the start
	"inputs": [{ "type": "promptString", "id": "token", "description": "GitHub token", "password": true }],
	"servers": {
		"github": {
			"type": "stdio",
			"command": "npx",
			"args": ["-y", "@modelcontextprotocol/server-github@2025.4.8"],
			"env": { "LOG_LEVEL": "info" },
		},
		"docs": {
			"type": "http",
			"url": "https://docs.example/mcp",
			"headers": { "X-Client": "roosync" },
		},
	},
}
"""
PLAIN_URL = """{
  "mcpServers": {
    "github": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github@2025.4.8"],
      "env": {
        "LOG_LEVEL": "info"
      }
    },
    "docs": {
      "%s": "https://docs.example/mcp",
      "headers": {
        "X-Client": "roosync"
      }
    }
  }
}
"""
GEMINI = '{\n  "general": {"vimMode": true},\n  // servers' + PLAIN_URL[1:] % "httpUrl"
CODEX = """model = "gpt-5"

[projects."/home/ana/x"]
trust_level = "trusted"

# from the team
[mcp_servers.github]
command = "npx"
args = ["-y", "@modelcontextprotocol/server-github@2025.4.8"]
startup_timeout_sec = 20 # slow at first

[mcp_servers.github.env]
LOG_LEVEL = "info"

[mcp_servers.docs]
url = "https://docs.example/mcp"
http_headers = { "X-Client" = "roosync" }
enabled = true

[tui]
theme = "dark"
"""
OPENCODE = """{
  "$schema": "https://opencode.ai/config.json",
  "theme": "opencode",
  "mcp": {%s
    "github": {
      "type": "local",
      "command": ["npx", "-y", "@modelcontextprotocol/server-github@2025.4.8"],
      "environment": { "LOG_LEVEL": "info" }, // quiet
    },
    "docs": {
      "type": "remote",
      "url": "https://docs.example/mcp",
      "headers": { "X-Client": "roosync" },
    },
  },%s
}
"""
ZED = """// Zed settings
{
  "vim_mode": true,
  "context_servers": {
    "github": {
      "source": "custom",
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github@2025.4.8"],
      "env": { "LOG_LEVEL": "info" },
    },
    "docs": {
      "enabled": true,
      "url": "https://docs.example/mcp",
      "headers": { "X-Client": "roosync" },
    },
    "from-an-extension": { "source": "extension", "settings": {} },
  },
}
"""
CONTINUE = """name: Ana
version: 1.0.0
models:
  - uses: anthropic/claude-sonnet # a block of the hub has no name
mcpServers:
  - uses: owner/block
  # from the team
  - name: github
    command: npx
    args: [-y, "@modelcontextprotocol/server-github@2025.4.8"]
    env:
      LOG_LEVEL: info
  - name: docs
    type: streamable-http
    url: https://docs.example/mcp
    requestOptions:
      headers:
        X-Client: roosync
"""
FILES = {
    "roo.mcp": ROO % "streamable-http",
    "zoo.mcp": ROO % "streamable-http",
    "roo.project-mcp": ROO % "streamable-http",
    "cline.mcp": ROO % "streamableHttp",
    "cline.mcp-shared": ROO % "streamableHttp",
    "claude.mcp": CLAUDE,
    "claude.project-mcp": CLAUDE,
    "vscode.mcp": VSCODE,
    "vscode.project-mcp": VSCODE,
    "cursor.mcp": PLAIN_URL % "url",
    "cursor.project-mcp": PLAIN_URL % "url",
    "windsurf.mcp": PLAIN_URL % "serverUrl",
    "gemini.mcp": GEMINI,
    "gemini.project-mcp": GEMINI,
    "codex.mcp": CODEX,
    "codex.project-mcp": CODEX,
    "opencode.mcp": OPENCODE % ("", ""),
    "zed.mcp": ZED,
    "zed.project-mcp": ZED,
    "continue.mcp": CONTINUE,
}
STDIO = {"command": "uvx", "args": ["mcp-server-time@2025.9.25"]}
WRITTEN = {  # a new server, in the words of its assistant; others write it as it is
    "vscode": {"type": "stdio"} | STDIO,
    "zed": {"source": "custom"} | STDIO,
    "continue": {"name": "time"} | STDIO,
    "opencode": {"type": "local", "command": ["uvx", "mcp-server-time@2025.9.25"]},
}


@pytest.fixture
def lay(new_home):
    def make(name, text):
        home = new_home(name.replace(".", "-"))
        place = layout(RealDoor(), home.base, {}, "posix", workspaces={"shop": str(home.base / "shop")})
        home.layout = lambda: place
        [spec] = [one for one in TABLE if one.name == name]
        [target] = locate(spec, place, RealDoor())
        file = target.file.relative_to(home.base).as_posix()
        home.write(file, text)
        return home, target.name, file

    return make


def members(text, file):
    """The servers of a file by name, read by somebody else's parser where there is one."""
    whole = (
        tomllib.loads(text) if file.endswith(".toml")
        else yaml.safe_load(text) if file.endswith(".yaml")
        else parse(text.encode(), "jsonc").value
    )  # fmt: skip
    held = next(
        whole[one] for one in ("mcpServers", "servers", "mcp", "mcp_servers", "context_servers") if one in whole
    )
    return held.get("servers", held) if isinstance(held, dict) else {one.get("name"): one for one in held}


def lost(before, after):
    """Lines that are no longer there, but for a comma at the end: a new member may need one before it."""
    kept = {line.rstrip(",") for line in after.splitlines()}
    return [line for line in before.splitlines() if line.rstrip(",") not in kept]


def test_every_target_of_servers_is_tried():
    assert set(FILES) == {one.name for one in TABLE if one.kind is Kind.MCP_SERVER}


@pytest.mark.parametrize("name", FILES)
def test_a_server_is_one_value_and_is_changed_in_its_files_own_words(lay, name):
    home, target, file = lay(name, FILES[name])
    seen = home.collect()
    ours = {key.split("/", 1)[1]: one.value for key, one in seen.entities.items() if key.startswith(f"{target}/")}
    extra = {"startup_timeout_sec": 20} if name.startswith("codex") else {}
    assert ours.pop("github") == GITHUB | extra
    assert ours.pop("docs") == docs(target)
    assert set(ours) <= {"from-an-extension"}
    assert not seen.skipped

    changed = GITHUB | extra | {"args": ["-y", "@modelcontextprotocol/server-github@2026.1.1"]}
    done = home.apply((f"{target}/github", changed), (f"{target}/time", NEW))
    assert (done.status, done.log[-1]) == ("applied", "read back and verified")
    text = home.read(file)
    assert lost(FILES[name].replace("2025.4.8", "2026.1.1"), text) == []
    assert members(text, file)["time"] == WRITTEN.get(name.split(".")[0], STDIO)
    assert members(text, file)["docs"] == members(FILES[name], file)["docs"]
    old = members(FILES[name].replace("2025.4.8", "2026.1.1"), file)["github"]
    assert members(text, file)["github"] == old

    assert home.roll_back(done.snapshot).status == "applied"
    assert home.read(file) == FILES[name]


SEVERAL = {
    "gemini.settings": ("gemini.mcp", GEMINI.replace('"vimMode": true', '"defaultApprovalMode": "default"'),
                        "general.defaultApprovalMode", "plan", "auto_edit"),
    "codex.config": ("codex.mcp", CODEX, "model", "gpt-5-codex", "gpt-6"),
    "opencode.config": ("opencode.mcp", OPENCODE % ("", '\n  "model": "a/b",'), "model", "a/c", "a/d"),
    "zed.settings": ("zed.mcp", ZED.replace('"vim_mode": true', '"agent": {"enabled": true}'), "agent",
                     {"enabled": False}, {"enabled": False, "button": True}),
    "continue.config": ("continue.mcp", CONTINUE + "rules:\n  - Be brief.\n", "rules", ["Be short."], ["Be long."]),
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_settings_and_servers_of_one_file_are_changed_and_taken_back_together(lay, name):
    mcp, text, setting, value, later = SEVERAL[name]
    home, target, _ = lay(mcp, text)
    before = home.collect().entities
    assert f"{name}/{setting}" in before
    made = home.plan((f"{target}/docs", None), (f"{name}/{setting}", value), (f"{target}/time", NEW))
    assert len(made.changes) == 1
    done = home.execute(made)
    assert done.status == "applied"
    seen = home.collect().entities
    assert (seen[f"{name}/{setting}"].value, f"{target}/docs" in seen) == (value, False)
    home.apply((f"{target}/time", NEW | {"args": ["x"]}))  # a later edit of another entity stays
    after = home.apply((f"{name}/{setting}", later))
    assert home.roll_back(after.snapshot).status == "applied"
    assert home.collect().entities[f"{name}/{setting}"].value == value
    assert home.roll_back(done.snapshot).status == "applied"
    assert home.collect().entities == before


def test_a_file_of_opencodes_version_two_stays_one(lay):
    text = OPENCODE % ('\n    "timeout": { "startup": 9000 },\n    "servers": {', "\n  },")
    home, target, file = lay("opencode.mcp", text)
    assert {key for key in home.collect().entities if key.startswith(target)} == {f"{target}/docs", f"{target}/github"}
    home.apply((f"{target}/time", NEW), (f"{target}/docs", docs(target) | {"disabled": True}))
    whole = parse(home.read(file).encode(), "jsonc").value
    assert set(whole["mcp"]) == {"timeout", "servers"}
    assert whole["mcp"]["servers"]["time"] == WRITTEN["opencode"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("there", ["no file", "an empty one", "one without servers"])
def test_a_first_server_is_written_in_its_assistants_words(lay, name, there):
    home, target, file = lay(name, {"one without servers": "a = 1\n" if "codex" in name else "a: 1\n"}.get(there, ""))
    if there == "one without servers" and not file.endswith((".toml", ".yaml")):
        home.write(file, '{"a": 1}')
    if there == "no file":
        (home.base / file).unlink()
        (home.base / ".claude").mkdir()  # the sign of Claude Code, when it has no .claude.json yet
    assert home.apply((f"{target}/time", NEW)).status == "applied"
    assert members(home.read(file), file) == {"time": WRITTEN.get(name.split(".")[0], STDIO)}
    assert home.collect().entities[f"{target}/time"].value == NEW


def test_the_inputs_that_servers_name_travel_with_them(lay):
    home, _, file = lay("vscode.mcp", VSCODE)
    seen = home.collect().entities["vscode.mcp-inputs/token"].value
    assert seen == {"type": "promptString", "description": "GitHub token", "password": True}
    more = {"type": "promptString", "description": "Key"}
    server = {"command": "x", "env": {"KEY": "${input:api-key}"}}
    done = home.apply(
        ("vscode.mcp-inputs/token", seen | {"description": "Token"}),
        ("vscode.mcp-inputs/api-key", more),
        ("vscode.mcp/keyed", server),
    )
    assert done.status == "applied"
    whole = parse(home.read(file).encode(), "jsonc").value
    assert whole["inputs"] == [
        {"type": "promptString", "id": "token", "description": "Token", "password": True},
        more | {"id": "api-key"},
    ]
    assert whole["servers"]["keyed"] == {"type": "stdio"} | server
    assert "// asked for at the start" in home.read(file)


SECRETS = [
    ("continue.config", "models:\n  - name: fast\n    provider: openai\n    apiKey: sk-FAKEabc123d\n", "models.fast"),
    ("codex.config", '[model_providers.a]\nhttp_headers = { "X-Key" = "FAKEabc123def456ghi" }\n', "model_providers"),
    ("codex.config", '[shell_environment_policy]\nset = { MY_SETTING = "FAKE1" }\n', "shell_environment_policy"),
    ("vscode.settings", '{"claudeCode.environmentVariables": [{"name": "MY_SETTING", "value": "FAKE1"}]}',
     "claudeCode.environmentVariables"),
    ("opencode.config", '{"provider": {"x": {"options": {"apiKey": "FAKEabc123def456"}}}}', "provider"),
    ("zed.settings", '{"agent_servers": {"x": {"command": "y", "env": {"A": "FAKEabc123def456"}}}}', "agent_servers"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "entity"), SECRETS)
def test_the_secrets_of_settings_stay(lay, name, text, entity):
    home, target, _ = lay(name, text)
    assert "FAKE" not in json.dumps(home.collect().entities[f"{target}/{entity}"].value)
