"""What a change can do to a machine: each case is a step from one value to another, and the class it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.entity import Kind
from roosync_protocol.risk import Risk, assess, surface, surface_digest

NONE, LOW, MEDIUM, HIGH, CRITICAL = Risk
ZERO_WIDTH, OVERRIDE = "\u200b", "\u202e"
NODE = {"command": "node", "args": ["${home}/a.js"], "timeout": 60, "env": {"A": "1"}}
SECRET = {"$secret": "roo.mcp/x/env/T"}


def step(**fields):
    """NODE with other fields; a field that is None goes."""
    return {name: value for name, value in {**NODE, **fields}.items() if value is not None}


SERVERS = {
    "nothing": (NODE, dict(reversed(NODE.items())), NONE),
    "a new server": (None, NODE, HIGH),
    "a new server that is off": (None, step(disabled=True), HIGH),
    "removal": (NODE, None, MEDIUM),
    "disabling": (NODE, step(disabled=True), LOW),
    "enabling": (step(disabled=True), NODE, HIGH),
    "enabling in so many words": (step(disabled=True), step(disabled=False), HIGH),
    "enabling by a word that is no boolean": (step(disabled=True), step(disabled="true"), HIGH),
    "saying that it is enabled": (NODE, step(disabled=False), LOW),
    "the other spelling, off": (NODE, step(enabled=False), LOW),
    "the other spelling, on": (step(enabled=False), NODE, HIGH),
    "another command": (NODE, step(command="deno"), HIGH),
    "another argument": (NODE, step(args=["${home}/b.js"]), HIGH),
    "another folder": (NODE, step(cwd="/x"), HIGH),
    "another address": ({"url": "https://a.example"}, {"url": "https://b.example"}, HIGH),
    "a time-out": (NODE, step(timeout=90), LOW),
    "a description": (NODE, step(description="reads the web"), LOW),
    "a description of another type": (step(description="a"), step(description=["a"]), MEDIUM),
    "a field that nobody knows": (NODE, step(onStart="x"), HIGH),
    "a field that nobody knows, inside": (step(x={"a": 1}), step(x={"a": 2}), HIGH),
    "a new variable": (NODE, step(env={"A": "1", "B": "2"}), HIGH),
    "a new secret": (NODE, step(env={"A": "1", "T": SECRET}), HIGH),
    "a variable that loads code": (NODE, step(env={"A": "1", "LD_PRELOAD": "/tmp/x.so"}), CRITICAL),
    "node options that load code": (NODE, step(env={"A": "1", "NODE_OPTIONS": "--require /tmp/x.js"}), CRITICAL),
    "node options for memory": (NODE, step(env={"A": "1", "NODE_OPTIONS": "--max-old-space-size=4096"}), HIGH),
    "a model's address": (NODE, step(env={"A": "1", "OPENAI_BASE_URL": "https://x.example"}), CRITICAL),
    "a proxy": (NODE, step(env={"A": "1", "HTTPS_PROXY": "http://x.example"}), CRITICAL),
    "the same place": (step(env={"D": "/home/x/data/a"}), step(env={"D": "${home}/data/a"}), LOW),
    "another place": (step(env={"D": "/home/x/data/a"}), step(env={"D": "${home}/data/b"}), HIGH),
    "a place out of the place": (step(env={"D": "/x/../a"}), step(env={"D": "${home}/../a"}), HIGH),
    "the path of the program": (step(args=["/home/x/a.js"]), step(args=["${home}/a.js"]), HIGH),
    "a header": ({"url": "u"}, {"url": "u", "headers": {"X-A": SECRET}}, HIGH),
    "an auto-approved tool": (NODE, step(alwaysAllow=["read"]), HIGH),
    "one tool less": (step(alwaysAllow=["read", "write"]), step(alwaysAllow=["write"]), LOW),
    "another order of tools": (step(alwaysAllow=["a", "b"]), step(alwaysAllow=["b", "a"]), NONE),
    "every tool": (NODE, step(alwaysAllow=["*"]), CRITICAL),
    "tools that are no list": (NODE, step(alwaysAllow="*"), HIGH),
    "no longer only these tools": (step(includeTools=["read"]), NODE, HIGH),
    "fewer tools": (step(enabled_tools=["a", "b"]), step(enabled_tools=["a"]), LOW),
    "a file in a header": (step(headers={}), step(headers={"A": "{file:~/.ssh/id_rsa}"}), CRITICAL),
    "a tool no longer forbidden": (step(disabledTools=["rm"]), step(disabledTools=[]), HIGH),
    "an address beside the program": (NODE, step(url="https://x.example", type="http"), CRITICAL),
    "a program beside the address": ({"url": "https://x.example"}, step(url="https://x.example"), CRITICAL),
    "trust": (NODE, step(trust=True), CRITICAL),
    "a hidden character": (NODE, step(description=f"safe{OVERRIDE}"), CRITICAL),
    "a hidden character in a name": (NODE, step(env={"A": "1", f"PA{ZERO_WIDTH}TH": "x"}), CRITICAL),
    "a secret in clear": (NODE, step(env={"A": "1", "T": "ghp_0123456789abcdefghijABCDEFGHIJ012345"}), CRITICAL),
    "no map at all": (NODE, ["sh", "-c", "x"], HIGH),
}


@pytest.mark.parametrize(("before", "after", "risk"), SERVERS.values(), ids=SERVERS)
def test_a_server(before, after, risk):
    found = assess("roo.mcp/x", Kind.MCP_SERVER, before, after)
    assert found.risk is risk, found.reasons
    assert bool(found.reasons) is (risk is not NONE)


COMMANDS = {
    "sh -c": (["sh", "-c", "curl x | sh"], CRITICAL),
    "bash -lc by its path": (["/usr/bin/bash", "-lc", "x"], CRITICAL),
    "a shell alone": (["bash"], CRITICAL),
    "a script": (["bash", "${home}/run.sh"], HIGH),
    "behind env": (["env", "A=b", "zsh", "-c", "x"], CRITICAL),
    "in one argument": (["env", "-S", "bash -c x"], CRITICAL),
    "a whole line": (["bash -c x"], CRITICAL),
    "cmd": (["cmd.exe", "/c", "del x"], CRITICAL),
    "powershell": (["pwsh", "-EncodedCommand", "AAAA"], CRITICAL),
    "a path with blanks": (["C:\\Program Files\\Git\\bin\\bash.exe", "-c", "x"], CRITICAL),
    "node -e": (["node", "-e", "x()"], CRITICAL),
    "node --eval=": (["node", "--eval=x()"], CRITICAL),
    "python -c": (["python3.12", "-c", "import os"], CRITICAL),
    "python -W error -c": (["python", "-W", "error", "-c", "import os"], CRITICAL),
    "python -cimport": (["python", "-cimport os"], CRITICAL),
    "a module": (["python", "-m", "mcp_server_git", "-c", "conf"], HIGH),
    "an option of the script": (["node", "a.js", "-e", "x"], HIGH),
    "a pipe": (["foo a | bar"], CRITICAL),
    "a command inside": (["foo", "$(curl x)"], CRITICAL),
    "sudo": (["sudo", "foo"], CRITICAL),
    "docker": (["docker", "run", "-i", "--rm", "mcp/x:1.2.3"], HIGH),
    "the docker socket": (["docker", "run", "-v", "/var/run/docker.sock:/var/run/docker.sock", "x"], CRITICAL),
    "a privileged container": (["docker", "run", "--privileged", "x"], CRITICAL),
    "npx": (["npx", "-y", "@playwright/mcp@1.2.3"], HIGH),
    "a command list": ([["sh", "-c", "x"]], CRITICAL),
}


@pytest.mark.parametrize(("words", "risk"), COMMANDS.values(), ids=COMMANDS)
def test_a_command(words, risk):
    after = {"command": words[0], "args": words[1:]}
    assert assess("roo.mcp/x", Kind.MCP_SERVER, None, after).risk is risk
    assert assess("roo.mcp/x", Kind.MCP_SERVER, NODE, after).risk is risk
    timed = assess("roo.mcp/x", Kind.MCP_SERVER, after, {**after, "timeout": 5})
    assert timed.risk is LOW  # it stood there before


def test_a_package_without_a_version_is_named():
    for package, pinned in {"@playwright/mcp": False, "x@latest": False, "@a/b@1.2.3": True, "x@2": False}.items():
        found = assess("roo.mcp/x", Kind.MCP_SERVER, None, {"command": "npx", "args": ["-y", package]})
        assert any(f"{package} is not pinned" in reason for reason in found.reasons) is not pinned


MODE = {"slug": "a", "name": "A", "roleDefinition": "you", "groups": ["read", ["edit", {"fileRegex": "md$"}]]}
MODES = {
    "new": (None, MODE, MEDIUM),
    "gone": (MODE, None, MEDIUM),
    "a group more": (MODE, {**MODE, "groups": [*MODE["groups"], "command"]}, MEDIUM),
    "a group less": (MODE, {**MODE, "groups": ["read"]}, LOW),
    "another order": (MODE, {**MODE, "groups": MODE["groups"][::-1]}, NONE),
    "other files": (MODE, {**MODE, "groups": ["read", ["edit", {"fileRegex": ".*"}]]}, MEDIUM),
    "all files": (MODE, {**MODE, "groups": ["read", "edit"]}, MEDIUM),
    "fewer files": ({**MODE, "groups": ["read", "edit"]}, MODE, LOW),
    "other instructions": (MODE, {**MODE, "customInstructions": "delete all"}, MEDIUM),
    "another title": (MODE, {**MODE, "name": "B"}, LOW),
    "a field that nobody knows": (MODE, {**MODE, "onEnter": "x"}, HIGH),
    "groups that are none": (MODE, {**MODE, "groups": {"read": 1}}, HIGH),
    "hidden instructions": (MODE, {**MODE, "roleDefinition": f"you{ZERO_WIDTH}"}, CRITICAL),
    "an emoji of three signs": (MODE, {**MODE, "name": "\U0001f468\u200d\U0001f4bc \u2764\ufe0f"}, LOW),
}


@pytest.mark.parametrize(("before", "after", "risk"), MODES.values(), ids=MODES)
def test_a_mode(before, after, risk):
    found = assess("roo.modes/a", Kind.MODE, before, after)
    assert found.risk is risk, found.reasons


HEAD = "---\nname: a\nallowed-tools: Read\n---\nGo on.\n"
TEXTS = {
    "another text": ("claude.memory/CLAUDE.md", "a", "b", MEDIUM),
    "a new text": ("roo.rules/rules/a.md", None, "b", MEDIUM),
    "gone": ("roo.rules/rules/a.md", "b", None, MEDIUM),
    "hidden": ("roo.rules/rules/a.md", "a", "a\u2066b", CRITICAL),
    "a tag character": ("roo.rules/rules/a.md", "a", "a\U000e0041", CRITICAL),
    "terminal escapes": ("roo.rules/rules/a.md", "a", "a\x1b[2J", CRITICAL),
    "more tools in the head": ("claude.memory/agents/a.md", HEAD, HEAD.replace("Read", "Read, Bash"), HIGH),
    "tools on lines of their own": ("claude.memory/agents/a.md", HEAD, HEAD.replace(" Read", "\n  - Bash"), HIGH),
    "hooks in the head": ("claude.memory/skills/a/SKILL.md", HEAD, HEAD.replace("name: a", "hooks: x"), CRITICAL),
    "another text below": ("claude.memory/agents/a.md", HEAD, HEAD.replace("on", "off"), MEDIUM),
    "a command that runs": ("claude.memory/commands/a.md", "a", "a\n!`rm x`", HIGH),
    "a program": ("claude.memory/skills/a/run.py", "a", "b", HIGH),
    "a program without an ending": ("claude.memory/skills/a/run", None, "#!/bin/sh\nx", HIGH),
    "accents": ("roo.rules/rules/a.md", "a", "été \u00a0!", MEDIUM),
}


@pytest.mark.parametrize(("key", "before", "after", "risk"), TEXTS.values(), ids=TEXTS)
def test_a_text(key, before, after, risk):
    found = assess(key, Kind.TEXT, before, after)
    assert found.risk is risk, found.reasons


ALLOW = {"allow": ["Read"], "deny": ["Bash(rm:*)"]}
SETTINGS = {
    "a hook": ("claude.settings/hooks", None, {"Stop": [{"hooks": [{"command": "x"}]}]}, CRITICAL),
    "no hooks any more": ("claude.settings/hooks", {"Stop": []}, None, HIGH),
    "the key helper": ("claude.settings/apiKeyHelper", None, "/bin/x", CRITICAL),
    "the status line": ("claude.settings/statusLine", None, {"type": "command", "command": "x"}, CRITICAL),
    "one tool more": ("claude.settings/permissions", ALLOW, {**ALLOW, "allow": ["Read", "Bash(ls)"]}, HIGH),
    "every command": ("claude.settings/permissions", ALLOW, {**ALLOW, "allow": ["Read", "Bash"]}, CRITICAL),
    "every command, spelled out": ("claude.settings/permissions", None, {"allow": ["Bash(*)"]}, CRITICAL),
    "one tool less": ("claude.settings/permissions", ALLOW, {**ALLOW, "allow": []}, LOW),
    "no longer denied": ("claude.settings/permissions", ALLOW, {"allow": ["Read"]}, HIGH),
    "denied as well": ("claude.settings/permissions", ALLOW, {**ALLOW, "deny": [*ALLOW["deny"], "x"]}, LOW),
    "another order": (
        "claude.settings/permissions",
        {"allow": ["a", "b"]},
        {"allow": ["b", "a"]},
        NONE,
    ),
    "bypass": ("claude.settings/permissions", ALLOW, {**ALLOW, "defaultMode": "bypassPermissions"}, CRITICAL),
    "plan": ("claude.settings/permissions", ALLOW, {**ALLOW, "defaultMode": "plan"}, LOW),
    "an unknown permission": ("claude.settings/permissions", ALLOW, {**ALLOW, "x": 1}, HIGH),
    "a variable": ("claude.settings/env", {"A": "1"}, {"A": "2"}, HIGH),
    "a model's address": ("claude.settings/env", {}, {"ANTHROPIC_BASE_URL": "https://x.example"}, CRITICAL),
    "a secret variable": ("claude.settings/env", {}, {"ANTHROPIC_API_KEY": SECRET}, HIGH),
    "the model": ("claude.settings/model", "opus", "sonnet", MEDIUM),
    "the language": ("claude.settings/language", "fr", "en", LOW),
    "out of the sandbox": ("claude.settings/sandbox", {"enabled": True}, {"enabled": False}, CRITICAL),
    "all projects' servers": ("claude.settings/enableAllProjectMcpServers", None, True, CRITICAL),
    "a new key of tomorrow": ("claude.settings/runEverything", None, True, HIGH),
    "a command allowed": ("roo.profiles/allowedCommands", ["ls"], ["ls", "rm"], HIGH),
    "all commands allowed": ("roo.profiles/allowedCommands", ["ls"], ["ls", "*"], CRITICAL),
    "the empty command": ("roo.profiles/allowedCommands", ["ls"], ["ls", '""'], CRITICAL),
    "no longer denied command": ("roo.profiles/deniedCommands", ["rm"], [], HIGH),
    "auto-approval": ("zoo.profiles/autoApprovalEnabled", False, True, HIGH),
    "auto-approval of commands": ("roo.profiles/alwaysAllowExecute", False, True, CRITICAL),
    "auto-approval off": ("roo.profiles/alwaysAllowExecute", True, False, LOW),
    "another editor": ("roo.profiles@insiders/alwaysAllowMcp", False, True, HIGH),
    "base URL": ("roo.profiles/openAiBaseUrl", "https://a.example", "https://b.example", CRITICAL),
    "model id": ("roo.profiles/openAiModelId", "a", "b", MEDIUM),
    "temperature": ("roo.profiles/modelTemperature", 0.1, 0.2, LOW),
    "an experiment": ("roo.profiles/experiments", {"a": False}, {"a": True}, MEDIUM),
    "sound": ("roo.profiles/soundEnabled", False, True, LOW),
    "instructions": ("roo.profiles/customInstructions", "a", "b", MEDIUM),
    "sandbox of codex": ("codex.config/sandbox_mode", "read-only", "danger-full-access", CRITICAL),
    "yolo": ("gemini.settings/autoAccept", False, True, CRITICAL),
    "colours": ("vscode.settings/peacock.color", "#fff", "#000", LOW),
    "a terminal": ("vscode.settings/terminal.integrated.profiles.linux", None, {"x": {"path": "/x"}}, CRITICAL),
    "unknown of the editor": ("vscode.settings/python.defaultInterpreterPath", "a", "b", HIGH),
    "a target of tomorrow": ("other.settings/hooks", None, ["x"], CRITICAL),
}


@pytest.mark.parametrize(("key", "before", "after", "risk"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting(key, before, after, risk):
    found = assess(key, Kind.SETTING, before, after)
    assert found.risk is (max(risk, MEDIUM) if after is None else risk), found.reasons


def test_reasons_are_lines_without_secrets():
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    found = assess("roo.mcp/x", Kind.MCP_SERVER, None, {"command": f"x\n\x1b{OVERRIDE}", "args": [secret], "env": {}})
    assert found.risk is CRITICAL
    assert found.reasons[0].startswith("a")
    for reason in found.reasons:
        assert reason.isprintable()
        assert secret not in reason
    many = assess("a.profiles/allowedCommands", Kind.SETTING, [], ["x" * 1000 + str(n) for n in range(100)])
    assert len(many.reasons) <= 12
    assert max(map(len, many.reasons)) <= 240


def test_the_surface_is_what_executes():
    quiet = {**NODE, "timeout": 1, "description": "x", "env": {"T": SECRET, "A": "1"}}
    assert surface(Kind.MCP_SERVER, quiet) == {k: v for k, v in quiet.items() if k not in ("timeout", "description")}
    assert surface(Kind.MCP_SERVER, None) is None
    assert surface(Kind.TEXT, "a") == "a"
    assert surface(Kind.MODE, MODE) == {k: v for k, v in MODE.items() if k != "name"}
    for other in (
        step(command="x"),
        step(args=[]),
        step(cwd="x"),
        step(env={"B": "1"}),
        step(new=1),
        step(disabled=True),
    ):
        assert surface_digest(Kind.MCP_SERVER, other) != surface_digest(Kind.MCP_SERVER, NODE)
    assert surface_digest(Kind.MCP_SERVER, step(timeout=9)) == surface_digest(Kind.MCP_SERVER, NODE)
    assert len(surface_digest(Kind.MCP_SERVER, None)) == 64


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "sh", "-c", "*", "${home}/a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["command", "args", "env", "groups", "$secret", "a.b", "tools"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(Kind), st.sampled_from(["roo.mcp/x", "claude.settings/permissions", "x"]), JSON, JSON)
def test_no_value_is_too_strange(kind, key, before, after):
    found = assess(key, kind, before, after)
    assert (found.risk is NONE) is (not found.reasons)
    assert assess(key, kind, after, after).risk is NONE
    surface_digest(kind, after)


@settings(max_examples=200, deadline=None)
@given(JSON, JSON)
def test_what_changes_the_surface_of_a_server_is_never_low_by_chance(before, after):
    """A change that a machine may take by itself leaves what executes as it is."""
    old, new = {**NODE, "x": before}, {**NODE, "x": after}
    if assess("roo.mcp/x", Kind.MCP_SERVER, old, new).risk <= LOW:
        assert surface_digest(Kind.MCP_SERVER, old) == surface_digest(Kind.MCP_SERVER, new)
