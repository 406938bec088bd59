"""What can be explained without a fleet, field by field; and what brought a value, by versions that are made up."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import pytest

from roosync_agent.cli.explained_text import explained_text
from roosync_agent.cli.targets import targets_text
from roosync_agent.operations.explaining import explain_alone
from roosync_agent.operations.explaining.origins import changes_of
from roosync_agent.operations.targets_list import list_targets
from roosync_agent.settings import load
from roosync_broker.errors import UnavailableError
from roosync_protocol.baseline import Commons, Overlay
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.messages import Baseline

ROO = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings"
MCP = f"{ROO}/mcp_settings.json"
SERVERS = {
    "db": {"command": "npx", "args": ["HOME/a.js", "x"], "env": {"URL": "postgres://u:p4ss-W0rd@h/d"}, "timeout": 5},
    "a/b.c": {"command": "uvx"},
    "bad": 7,
}


@pytest.fixture
def machine(tmp_path):
    """A machine without a fleet: its files, and what it says."""
    for name in ("home", "state/targets"):
        (tmp_path / name).mkdir(parents=True)

    class Machine:
        home, state = tmp_path / "home", tmp_path / "state"
        env = {"ROOSYNC_STATE": str(state), "ROOSYNC_HOME": str(home)}

        def write(self, name, text):
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return path

        async def explain(self, what, field="", path=""):
            answer = await explain_alone(load(self.env), "no fleet", what, field, path)
            text = explained_text(msgspec.to_builtins(answer, str_keys=True))
            assert "p4ss" not in text
            assert "p4ss" not in json.dumps(msgspec.to_builtins(answer, str_keys=True))
            return answer, text

        def targets(self, *names):
            return list_targets(load(self.env), names)

    made = Machine()
    made.write(MCP, json.dumps({"mcpServers": SERVERS, "other": 1}).replace("HOME", str(made.home)))
    return made


async def test_a_command_that_is_proposed_runs_nothing_of_a_name(machine):
    evil = "x; touch /tmp/pwned #$(id)"
    path = machine.write(MCP, json.dumps({"mcpServers": {evil: {"command": "uvx"}}}))
    _, text = await machine.explain(str(path), path=str(path))
    assert f"Next: roosync explain 'roo.mcp/{evil}'" in text
    _, text = await machine.explain(f"roo.mcp/{evil[:-1]}")
    assert f"  roosync explain 'roo.mcp/{evil}'" in text


async def test_a_target_is_explained_by_what_is_in_it(machine):
    machine.write(".codex/config.toml", 'model = "o"\n[mcp_servers.x]\ncommand = "y"\n[projects.z]\na = 1\n')
    machine.write(".roo/rules/a.md", "short")
    for target, holds, passes in (
        ("roo.mcp", ["roo.mcp/db", "roo.mcp/a/b.c"], ["other"]),
        ("codex.mcp", ["codex.mcp/x"], ["projects"]),  # its file is of `codex.config` too
        ("roo.rules", ["roo.rules/rules/a.md"], []),
    ):
        answer, _ = await machine.explain(target)
        [file] = answer.files
        assert (file.target, file.state) == (target, "managed")
        assert (sorted(file.entities), file.unmanaged) == (sorted(holds), passes)
    answer, text = await machine.explain("roo.mcp")
    assert "(bad) is not read" in text
    assert (await machine.explain("roo.mpc"))[0].kind == "unknown"


async def test_a_file_that_a_setting_names_is_told_as_such_and_what_of_it_is_managed(machine):
    inner = {"currentApiConfigName": "a", "apiConfigs": {"a": {"apiProvider": "ollama"}}, "own": 1}
    machine.write("roo.json", json.dumps({"providerProfiles": inner, "globalSettings": {"language": "en"}}))
    machine.write(".config/Code/User/settings.json", '{"roo-cline.autoImportSettingsPath": "~/roo.json"}')
    [file] = (await machine.explain("roo.profiles"))[0].files
    assert file.rule == "the file that the editor's setting roo-cline.autoImportSettingsPath names"
    assert "roo.profiles/apiConfigs.a" in file.entities
    assert file.unmanaged == ["providerProfiles.own"]


def test_a_table_of_targets_has_what_is_there_and_says_where_the_rest_is(machine):
    text = targets_text(msgspec.to_builtins(machine.targets()), everything=False)
    assert [line.split()[0] for line in text.splitlines() if line.startswith(("roo.", "vscode."))] == [
        "roo.mcp",
        "roo.profiles",  # not set up, and the table says how
    ]
    assert "! of roo.mcp, 1 not read: roosync explain roo.mcp" in text
    assert "with nothing in them yet" in text


async def test_a_thing_that_is_compared_with_nothing(machine):
    answer, text = await machine.explain("roo.mcp/db")
    fields = {leaf.field: leaf for leaf in answer.entity.leaves}
    assert answer.entity.state == "not compared"
    assert fields["args"].means == f"here that is {machine.home}/a.js"
    assert fields["env.URL"].secrets == {"roo.mcp/db/env/URL/password": "set here"}
    assert (fields["timeout"].risk, fields["command"].risk) == ("low", "high")
    assert "postgres://u:(secret)@h/d" in text
    assert "! What the fleet says is not known: no fleet" in text


@pytest.mark.parametrize(
    ("asked", "key", "fields"),
    [
        ("roo.mcp/db/env", "roo.mcp/db", ["env.URL"]),
        ("roo.mcp/db.env.URL", "roo.mcp/db", ["env.URL"]),
        ("roo.mcp/a/b.c", "roo.mcp/a/b.c", ["command"]),
        ("roo.mcp/a/b.c/command", "roo.mcp/a/b.c", ["command"]),
        ("db", "roo.mcp/db", ["command", "args", "env.URL", "timeout"]),
    ],
)
async def test_names_with_dots_and_slashes_are_names(machine, asked, key, fields):
    answer, _ = await machine.explain(asked)
    assert (answer.entity.key, [leaf.field for leaf in answer.entity.leaves]) == (key, fields)


async def test_what_can_not_be_read_says_why(machine):
    answer, text = await machine.explain("roo.mcp/bad")
    assert (answer.entity.state, answer.entity.skipped) == ("not read", "it should be an object")
    assert "it should be an object" in text
    answer, text = await machine.explain("x", path=str(machine.home / MCP))
    [file] = answer.files
    assert list(file.unread.values()) == ["it should be an object"]
    assert (file.unmanaged, file.entities) == (["other"], ["roo.mcp/db", "roo.mcp/a/b.c"])


async def test_a_link_to_a_managed_file_is_that_file(machine):
    link = machine.home / "link.json"
    link.symlink_to(machine.home / MCP)
    answer, _ = await machine.explain("link.json", path=str(link))
    assert [file.target for file in answer.files] == ["roo.mcp"]


async def test_a_file_of_a_target_that_the_settings_leave_out(machine):
    (machine.state / "config.toml").write_text('targets = ["claude"]\n')
    answer, text = await machine.explain("x", path=str(machine.home / MCP))
    assert (answer.files[0].state, answer.files[0].entities) == ("left out", [])
    assert "`targets` in the settings file" in text
    states = {row.target: row.state for row in machine.targets().targets}
    assert (states["roo.mcp"], states["claude.mcp"]) == ("left out", "not here")


async def test_a_file_stands_as_its_target_does(machine):
    answer, text = await machine.explain("x", path=str(machine.home / "Documents/roo-code-settings.json"))
    [row] = machine.targets("roo.profiles").targets
    assert (answer.files[0].state, answer.files[0].note) == (row.state, row.note)
    assert row.state == "not set up"
    assert "autoImportSettingsPath" in text


async def test_editors_leavings_are_no_rule(machine):
    machine.write(".roo/rules/a.md~", "x")
    answer, _ = await machine.explain("x", path=str(machine.home / ".roo/rules/a.md~"))
    assert (answer.kind, "leavings" in answer.reason) == ("unknown", True)


# -- targets


def test_each_target_has_one_state(machine):
    machine.write(".claude/settings.json", '{"model": ')
    (machine.state / "targets" / "own.toml").write_text('name = "my.own"\nfile = "{home}/own.json"\nkeys = ["*"]\n')
    (machine.state / "targets" / "broken.toml").write_text("name = 1\n")
    (machine.state / "targets" / "far.toml").write_text(
        'name = "my.far"\nfile = { windows = "{home}/far.json" }\nkeys = ["*"]\n'
    )
    machine.write("own.json", '{"a": 1, "b": 2}')
    answer = machine.targets()
    rows = {row.target: row for row in answer.targets}
    assert (rows["roo.mcp"].state, rows["roo.mcp"].things, rows["roo.mcp"].not_read) == ("managed", 2, 1)
    assert rows["claude.settings"].state == "not read"
    assert rows["zoo.mcp"].state == "not here"
    assert (rows["my.own"].state, rows["my.own"].things, rows["my.own"].declared) == ("managed", 2, "targets/own.toml")
    assert (rows["my.far"].state, "no file for this system" in rows["my.far"].note) == ("not here", True)
    assert list(answer.broken) == ["targets/broken.toml"]
    text = targets_text(msgspec.to_builtins(answer), everything=False)
    assert "zoo.mcp" not in text
    assert "! targets/broken.toml declares nothing: line 1: name: " in text
    assert [row.target for row in machine.targets("my.own").targets] == ["my.own"]
    with pytest.raises(ValueError, match=r"did you mean roo\.mcp"):
        machine.targets("roo.mpc")


# -- what brought a value

KEY = "roo.mcp/db"
ONE = Entity(key=KEY, kind=Kind.MCP_SERVER, value={"command": "a"})
TWO = Entity(key=KEY, kind=Kind.MCP_SERVER, value={"command": "b"})
NONE = (Commons(), None)
COMMON = (Commons(entities={KEY: ONE}), None)
OTHER = (Commons(entities={KEY: TWO}), None)
SPECIAL = (Commons(entities={KEY: ONE}), Overlay(entities={KEY: TWO}))
LEFT = (Commons(entities={KEY: ONE}), Overlay(excluded=frozenset({KEY})))
GONE = (Commons(removed=frozenset({KEY})), None)
LOST = None  # the bus has its contents no more
HISTORY = {
    "there from the start": ([COMMON, COMMON], ["1 brought"]),
    "later": ([NONE, COMMON, COMMON], ["2 brought"]),
    "never": ([NONE, NONE], []),
    "changed": ([COMMON, OTHER], ["2 changed", "1 brought"]),
    "special": ([COMMON, SPECIAL], ["2 made special to this machine", "1 brought"]),
    "special from the start": ([SPECIAL], ["1 brought, special to this machine"]),
    "common again": ([SPECIAL, COMMON], ["2 made common", "1 brought, special to this machine"]),
    "left out": ([COMMON, LEFT], ["2 left out from then on", "1 brought"]),
    "gone and back": ([COMMON, GONE, COMMON], ["3 brought back", "2 taken away", "1 brought"]),
    "older ones are lost": ([LOST, COMMON, OTHER], ["3 changed"]),
    "no more than a person reads": ([COMMON, OTHER] * 4, [f"{n} changed" for n in (8, 7, 6, 5, 4)]),
}


@pytest.mark.parametrize(("versions", "told"), HISTORY.values(), ids=HISTORY)
async def test_the_versions_that_did_something_to_a_thing(versions, told):
    laws = [
        Baseline(
            agent="op-ana", timestamp=datetime(2026, 1, 1, tzinfo=UTC), revision=n, version=str(n), commons="0" * 64
        )
        for n in range(1, len(versions) + 1)
    ]

    async def parts(law, machine):
        found = versions[law.revision - 1]
        if found is None:
            raise UnavailableError("it is not kept")
        return found

    changes = await changes_of(SimpleNamespace(parts=parts), laws, KEY, "m")
    assert [f"{change.version} {change.what}" for change in changes] == told
