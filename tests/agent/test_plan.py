"""From wanted entities to exact bytes: this machine's own spelling and secrets, and refusals by name."""

import json

import pytest

from roosync_agent.applying.plan import plan
from roosync_agent.files.door import RealDoor
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.targets import TABLE, plain
from roosync_protocol.entity import Entity, Kind

MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
MODES = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/custom_modes.yaml"
WINDOWS = "AppData/Roaming/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
TOKEN = "ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234"
SERVERS = f"""{{
  "mcpServers": {{
    "git": {{"command": "npx", "args": ["-y", "git"], "env": {{"GITHUB_TOKEN": "{TOKEN}"}}}}, // mine
    "b": {{"command": "b"}}
  }}
}}
"""


def after(made):
    [change] = made.changes
    return change.after.decode()


def test_the_local_secret_stays_in_place(home):
    home.write(MCP, SERVERS)
    value = home.collect().entities["roo.mcp/git"].value
    made = home.plan(("roo.mcp/git", {**value, "args": ["-y", "git@2"]}))
    assert after(made) == SERVERS.replace('"git"]', '"git@2"]')


def test_a_secret_this_machine_does_not_have_is_refused_by_its_name_and_nothing_is_written(home):
    home.write(MCP, SERVERS)
    wanted = {"command": "x", "env": {"A_TOKEN": {"$secret": "roo.mcp/new/env/A_TOKEN"}}}
    made = home.plan(("roo.mcp/new", wanted))
    assert made.changes == ()
    assert "roo.mcp/new/env/A_TOKEN" in made.refusals["roo.mcp/new"]
    assert home.read(MCP) == SERVERS


@pytest.mark.parametrize(
    "address", ["roo.mcp/git/env/GITHUB_TOKEN", "claude.mcp/x/env/T"], ids=["of a neighbour", "of another target"]
)
def test_one_entity_never_gets_the_secret_of_another(home, address):
    home.write(MCP, SERVERS)
    made = home.plan(("roo.mcp/b", {"command": "b", "env": {"T": {"$secret": address}}}))
    assert made.changes == ()
    assert "another entity" in made.refusals["roo.mcp/b"]


def test_a_place_this_machine_does_not_know_is_refused_by_its_name(home):
    home.write(MCP, SERVERS)
    made = home.plan(("roo.mcp/b", {"command": "${workspace:acme}/run"}))
    assert "${workspace:acme}" in made.refusals["roo.mcp/b"]
    assert made.changes == ()


REFUSED = {
    "an absent assistant": ("zoo.mcp/a", {"command": "x"}, "zoo.mcp is not on this machine"),
    "a target nobody knows": ("other.thing/a", 1, "is not on this machine"),
    "a key that is not ours": ("claude.settings/oauthAccount", {}, "not among what roosync manages"),
    "no name": ("roo.mcp/", {}, "not among what roosync manages"),
    "no key at all": ("roo.mcp", {}, "not among what roosync manages"),
    "a name that leads out": ("roo.rules/rules/../../x.md", "x", "leaves its folder"),
    "an absolute name": ("claude.memory/agents//etc/passwd", "x", "leaves its folder"),
    "a device": ("roo.rules/rules/NUL.md", "x", "device on Windows"),
    "a text that is none": ("roo.rules/rules/a.md", {"x": 1}, "a text is expected"),
    "a mode of another name": ("roo.modes/a", {"slug": "b"}, "is not 'a'"),
    "a mode without one": ("roo.modes/a", {"name": "b"}, "is not 'a'"),
    "a mode that is none": ("roo.modes/a", "text", "object"),
    "a server that is none": ("roo.mcp/a", ["x"], "object"),
    "a zero byte": ("roo.rules/rules/a.md", "a\0b", "zero byte"),
    "half a character": ("roo.rules/rules/a.md", "\ud800", "surrogate"),
}


@pytest.mark.parametrize(("key", "value", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_is_refused_with_the_reason(home, key, value, reason):
    home.write(MCP, SERVERS)
    (home.base / ".claude").mkdir()
    kind = {"rules": Kind.TEXT, "memory": Kind.TEXT, "mcp": Kind.MCP_SERVER, "modes": Kind.MODE}
    known = kind.get(key.split("/")[0].split(".")[1], Kind.SETTING)
    made = plan(home.door, home.collect(), {key: Entity(key=key, kind=known, value=value)})
    assert reason in made.refusals[key]
    assert made.changes == ()


def test_an_entity_of_another_kind_is_refused(home):
    home.write(MCP, SERVERS)
    wanted = {"roo.mcp/b": Entity(key="roo.mcp/b", kind=Kind.SETTING, value={"command": "sh"})}
    made = plan(home.door, home.collect(), wanted)
    assert "holds no setting" in made.refusals["roo.mcp/b"]


def test_one_refusal_does_not_stop_the_others(home):
    home.write(MCP, SERVERS)
    made = home.plan(("roo.mcp/b", {"command": "${workspace:x}"}), ("roo.mcp/c", {"command": "c"}))
    assert list(made.refusals) == ["roo.mcp/b"]
    [change] = made.changes
    assert change.keys == ("roo.mcp/c",)


def test_a_file_that_came_since_the_look_is_not_written_over(home):
    (home.base / ".roo").mkdir()
    before = home.collect()
    home.write(".roo/rules/a.md", "theirs\n")
    wanted = {"roo.rules/rules/a.md": Entity(key="roo.rules/rules/a.md", kind=Kind.TEXT, value="ours\n")}
    assert "a file now where none was" in plan(home.door, before, wanted).refusals["roo.rules/rules/a.md"]


def test_to_remove_what_is_nowhere_makes_no_file(home):
    (home.base / ".roo").mkdir()
    for key in ("roo.mcp/a", "roo.modes/a", "roo.rules/rules/a.md"):
        assert home.plan((key, None)).changes == ()


def test_a_new_file_is_written_as_a_person_would(home):
    (home.base / ".roo").mkdir()
    made = home.plan(("roo.mcp/a", {"command": "a"}), ("roo.modes/m", {"slug": "m"}), ("roo.rules/rules/a.md", "x\n"))
    new = {change.path.name: change.after.decode() for change in made.changes}
    assert new == {
        "mcp_settings.json": '{\n  "mcpServers": {\n    "a": {\n      "command": "a"\n    }\n  }\n}\n',
        "custom_modes.yaml": "customModes:\n  - slug: m\n",
        "a.md": "x\n",
    }


def test_two_targets_may_live_in_one_file(home):
    home.specs = (
        *TABLE,
        plain("one.settings", ".x/s.json", container=("one",)),
        plain("two.settings", ".x/s.json", container=("two",)),
    )
    home.write(".x/s.json", '{"one": {"a": 1}, "two": {"a": 1}}')
    made = home.plan(("one.settings/a", 2), ("two.settings/a", 3))
    assert after(made) == '{"one": {"a": 2}, "two": {"a": 3}}'
    assert home.apply(("one.settings/a", 2), ("two.settings/a", 3)).status == "applied"


# -- Windows

ON_WINDOWS = """{
  "mcpServers": {
    "files": {
      "command": "cmd",
      "args": ["/c", "npx", "-y", "files", "C:\\\\Users\\\\ben\\\\x"]
    },
    "plain": {"command": "npx", "args": ["y"]}
  }
}
"""


@pytest.fixture
def ben(new_home):
    made = new_home("ben", system="windows", spelled="C:\\Users\\ben")
    made.write(WINDOWS, ON_WINDOWS.replace("\n", "\r\n"))
    return made


def test_a_path_of_another_system_is_written_as_this_one_writes(ben):
    made = ben.plan(("roo.mcp/files", {"command": "npx", "args": ["-y", "files", "${home}/y/z"]}))
    assert after(made) == ben.read(WINDOWS).replace("ben\\\\x", "ben\\\\y\\\\z")
    done = ben.apply(("roo.mcp/files", {"command": "npx", "args": ["-y", "files", "${home}/y/z"]}))
    assert done.status == "applied"
    assert ben.collect().entities["roo.mcp/files"].value == {"command": "npx", "args": ["-y", "files", "${home}/y/z"]}


def test_a_new_server_is_started_as_this_system_starts_it(ben):
    assert ben.apply(("roo.mcp/new", {"command": "npx", "args": ["-y", "n", "${appdata}/n"]})).status == "applied"
    assert json.loads(ben.read(WINDOWS))["mcpServers"]["new"] == {
        "command": "cmd",
        "args": ["/c", "npx", "-y", "n", "C:\\Users\\ben\\AppData\\Roaming\\n"],
    }
    assert ben.read(WINDOWS).count("\n") == ben.read(WINDOWS).count("\r\n")


def test_a_command_that_does_not_change_keeps_its_spelling(ben):
    value = {"command": "npx", "args": ["y"], "env": {"LOG_LEVEL": "debug"}}
    assert ben.apply(("roo.mcp/plain", value)).status == "applied"
    assert json.loads(ben.read(WINDOWS))["mcpServers"]["plain"] == value
    files = ben.collect().entities["roo.mcp/files"].value
    assert ben.apply(("roo.mcp/files", {**files, "disabled": True})).status == "applied"
    assert '"args": ["/c", "npx", "-y", "files", "C:\\\\Users\\\\ben\\\\x"]' in ben.read(WINDOWS)


def test_nothing_to_change_changes_nothing(ben):
    wanted = [(key, entity.value) for key, entity in ben.collect().entities.items()]
    assert ben.plan(*wanted).changes == ()


def test_a_place_that_lies_in_another_one_here_is_verified_by_its_own_name(home):
    home.write(MCP, SERVERS)
    done = home.apply(("roo.mcp/b", {"command": "${home}/.config/Code/User/run"}))  # a place of its own here
    assert done.status == "applied"
    assert home.collect().entities["roo.mcp/b"].value == {"command": "${vscode_user}/run"}
    home.write(MCP, '{"mcpServers": {"b": {"command": "~/.config/Code/User/run", "args": ["~/.config/x"]}}}')
    own = home.collect().entities["roo.mcp/b"].value
    assert own == {"command": "${vscode_user}/run", "args": ["${home}/.config/x"]}
    made = home.plan(("roo.mcp/b", own))
    assert (made.changes, made.refusals) == ((), {})  # written from `~`, it is the same place


# -- shown


def test_a_plan_is_shown_without_any_secret(home):
    hidden = ["hunter2-hunter2", "ab", 'quo"ted-pass']
    home.write(
        MCP,
        json.dumps(
            {"mcpServers": {"a": {"command": "a", "env": {f"P{n}_PASSWORD": one for n, one in enumerate(hidden)}}}},
            indent=1,
        ),
    )
    value = home.collect().entities["roo.mcp/a"].value
    made = home.plan(("roo.mcp/a", {**value, "command": "z", "disabled": True}))
    [(label, text)] = made.shown()
    assert label.endswith("mcp_settings.json")
    assert '+   "command": "z"' in text
    for one in hidden:
        assert json.dumps(one)[1:-1] not in text.replace("disabled", "").replace("a (afterwards)", "")
    assert "hunter2" not in repr(made)


def test_a_dry_plan_is_the_plan(home):
    home.write(MCP, SERVERS)
    wanted = ("roo.mcp/b", {"command": "c"})
    real = home.plan(wanted)
    home.door = DryDoor(RealDoor())
    assert after(home.plan(wanted)) == after(real)
