"""A person's own targets: what a file may declare, what is said when it is wrong, and what its marks do."""

import json
import re
from pathlib import Path

import pytest

from roosync_agent.collecting.local import Local
from roosync_agent.collecting.places import layout
from roosync_agent.files.door import RealDoor
from roosync_agent.settings import SettingsError, load
from roosync_agent.state import State
from roosync_agent.targets import TABLE, locate
from roosync_agent.targets.marks import Marks, raised
from roosync_agent.targets.user import MAX_FILES, OwnTargets
from roosync_agent.targets.user_file import MAX_BYTES, OwnTarget
from roosync_protocol.diff import compare
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.risk import Risk

DOOR = RealDoor()
AIDER = 'name = "aider.config"\nfile = "{home}/.aider.conf.yml"\nkeys = ["*"]\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "targets").mkdir()
    return tmp_path / "targets"


def own(folder, *texts, system="posix"):
    for at, text in enumerate(texts):
        (folder / f"{at}.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    here = layout(DOOR, folder.parent / "ana", {}, system)
    return OwnTargets(folder).read(system, TABLE, lambda spec: locate(spec, here, DOOR))


def the(found):
    assert not found.faults, found.faults
    [spec] = found.specs
    return spec


# -- what a file may say


def test_the_shortest_one(folder):
    spec = the(own(folder, AIDER))
    assert (spec.name, spec.assistant, spec.group, spec.kind) == ("aider.config", "aider", "settings", Kind.SETTING)
    assert (spec.folder, spec.file, spec.format) == ("{home}", ".aider.conf.yml", "yaml")
    assert spec.private
    assert spec.own
    assert spec.owns("model")


def test_a_whole_one(folder):
    spec = the(
        own(
            folder,
            """\ufeff# mine
name = "shop.plugins"
assistant = "The shop"
group = "profiles"
kind = "mode"
file = "{settings}/shop/rc"
format = "toml"
container = "tools.plugins"
identity = "id"
keys = ["a-*"]
private = false
locks = true
signs = ["{home}/.shop"]
secret = ["auth.*"]
public = ["env.REGION"]
path = ["description"]
not_path = ["pattern"]
risk = { "groups" = "high" }
""",
        )
    )
    assert (spec.assistant, spec.group, spec.kind) == ("The shop", "profiles", Kind.MODE)
    [part] = spec.parts
    assert (part.container, part.identity, spec.format) == (("tools", "plugins"), "id", "toml")
    assert (spec.private, spec.locks, spec.signs) == (False, True, ("{home}/.shop",))
    assert spec.owns("a-1")
    assert not spec.owns("b-1")
    assert spec.marks == Marks(
        secret=("auth.*",),
        public=("env.REGION",),
        path=("description",),
        not_path=("pattern",),
        risk=(("groups", Risk.HIGH),),
    )


PER_SYSTEM = """name = "aider.config"
keys = ["model"]
[file]
windows = "{settings}/aider/conf.json"
linux = "{home}/.config/aider/conf.json"
"""


@pytest.mark.parametrize(
    ("system", "place"), [("windows", "{settings}/aider"), ("posix", "{home}/.config/aider"), ("macos", None)]
)
def test_a_file_of_its_own_on_each_system(folder, system, place):
    found = own(folder, PER_SYSTEM, system=system)
    assert [spec.folder for spec in found.specs] == ([place] if place else [])
    assert found.elsewhere == (() if place else ("aider.config",))
    assert not found.faults


def test_servers_of_an_assistant_that_spells_them_in_its_own_way(folder):
    spec = the(
        own(
            folder,
            """name = "shop.mcp"
kind = "mcp"
file = "{home}/.shop/mcp.json"
container = ["tools", "servers"]
[dialect]
env = "environment"
enabled = true
line = true
urls = { endpoint = "" }
""",
        )
    )
    common = spec.form.common("x", {"command": ["npx", "-y"], "environment": {"A": "b"}, "enabled": False}, None)
    assert common == {"command": "npx", "args": ["-y"], "env": {"A": "b"}, "disabled": True}
    assert spec.form.common("x", {"endpoint": "http://a"}, None)["url"] == "http://a"


def test_servers_in_a_list_are_known_by_their_names(folder):
    text = 'name = "shop.mcp"\nkind = "mcp"\nfile = "{home}/s.yaml"\ncontainer = "servers"\nidentity = "name"\n'
    spec = the(own(folder, text))
    assert spec.form.common("x", {"name": "x", "command": "y"}, None) == {"command": "y"}


def test_a_tree_of_texts(folder):
    text = 'name = "shop.rules"\nkind = "text"\nfolder = "{home}/.shop"\ntree = ["RULES.md", "prompts*/**"]\n'
    spec = the(own(folder, text))
    assert [spec.owns(name) for name in ("RULES.md", "prompts-a/b/c.md", "other.md")] == [True, True, False]


def test_the_examples_of_the_document_are_right(folder):
    text = (Path(__file__).parents[2] / "docs" / "own-targets.md").read_text("utf-8")
    whole, servers, fields = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    found = own(folder, whole, servers, whole.replace("aider", "other") + fields)
    assert not found.faults
    assert len(found.specs) == 3
    known = set(re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \|", text, re.MULTILINE))
    documented = {name for pair in known for name in pair if name}
    assert documented | {"secret", "public", "path", "not_path", "risk", "dialect"} == set(OwnTarget.model_fields)


# -- what is wrong, and where

WRONG = {
    "no TOML": ("name = \n", "line 1"),
    "not text": (b"\xff\xfe", "TOML"),
    "an unknown key": (AIDER + "colour = 1\n", "line 4: colour: "),
    "an unknown key in a table": (AIDER + "\n[dialect]\nenvy = 1\n", "line 6: dialect.envy"),
    "a type": (AIDER.replace('["*"]', '"*"'), "line 3: keys: "),
    "no name": ('file = "{home}/x.json"\nkeys = ["*"]\n', "name: "),
    "a name of one word": (
        AIDER.replace("aider.config", "aider"),
        "line 1: name: 'aider' should be two words with a dot",
    ),
    "a shipped name": (AIDER.replace("aider.config", "roo.mcp"), "'roo.mcp' is a target already"),
    "the name of a group": (AIDER.replace("aider.config", "mcp.mine"), "'mcp' is the name of a group"),
    "no keys": (AIDER.replace('keys = ["*"]\n', ""), "keys is missing"),
    "no file": ('name = "a.b"\nkeys = ["*"]\n', "every other kind has file"),
    "a kind": (AIDER + 'kind = "thing"\n', "line 4: kind: "),
    "a class that lowers": (AIDER + '[risk]\nmodel = "low"\n', "line 5: risk.model: "),
    "a class of none": (AIDER + 'risk = { "model" = "none" }\n', "line 4: risk.model: "),
    "a dialect of settings": (AIDER + "[dialect]\nline = true\n", 'dialect is for kind = "mcp"'),
    "secrets in a text": (
        'name = "a.b"\nkind = "text"\nfolder = "{home}/.a"\ntree = ["x/**"]\nsecret = ["a"]\n',
        "secret is for files with fields",
    ),
    "a tree that climbs": ('name = "a.b"\nkind = "text"\nfolder = "{home}/.a"\ntree = ["../**"]\n', "tree: "),
    "a tree of everything": ('name = "a.b"\nkind = "text"\nfolder = "{home}/.a"\ntree = ["*.md"]\n', "tree: "),
    "a file of no known kind": (AIDER.replace(".aider.conf.yml", ".aiderrc"), "format is missing"),
    "a part of what is managed": (
        'name = "my.claude"\nfile = "{home}/.claude/settings.json"\nkeys = ["mod*"]\n',
        "claude.settings manages 'mod*' of this file already",
    ),
    "the same file by another way": (
        'name = "my.code"\nfile = "{settings}/Code/User/mcp.json"\nkeys = ["servers"]\n',
        "vscode.mcp manages 'servers'",
    ),
    "the container of what is managed": (
        'name = "my.claude"\nfile = "{home}/.claude.json"\nkeys = ["mcpServers"]\n',
        "claude.mcp manages 'mcpServers'",
    ),
    "a file of a managed tree": (
        'name = "my.rule"\nfile = "{home}/.roo/rules/x.json"\nkeys = ["a"]\n',
        "roo.rules manages",
    ),
    "a tree in a managed tree": (
        'name = "my.rules"\nkind = "text"\nfolder = "{home}/.roo"\ntree = ["rules/**"]\n',
        "roo.rules manages",
    ),
    "too large": (AIDER + "#" * MAX_BYTES, "bytes"),
    "too many patterns": (AIDER + f"secret = {json.dumps(['a'] * 201)}\n", "secret: "),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_file_and_place(folder, text, says):
    found = own(folder, text)
    [fault] = found.faults
    assert says in fault.reason
    assert str(fault).startswith("targets/0.toml: ")
    assert not found.specs


@pytest.mark.parametrize(
    "place",
    [
        "/etc/passwd",
        "C:/Windows/x.json",
        "~/x.json",
        "{root}/x.json",
        "{home}/../x.json",
        "{home}/a/../../x.json",
        "{home}//x.json",
        "{home}/a\\\\x.json",
        "{home}/con.json",
        "{home}/a:b.json",
        "{home}/x.json.",
        "{home}/\\u202ex.json",
        "{home}",
        "{workspace}/nul/x.json",
        "x.json",
    ],
)
@pytest.mark.parametrize("how", ['file = "%s"\n', "file = {{ linux = '''{home}/x.json''', windows = \"%s\" }}\n"])
def test_a_file_is_in_the_managed_folders_on_every_system(folder, place, how):
    text = 'name = "a.b"\nkeys = ["*"]\nformat = "json"\n' + how.replace("{{", "{").replace("}}", "}") % place
    found = own(folder, text)
    assert not found.specs, text
    assert len(found.faults) == 1


def test_one_broken_file_stops_no_other(folder):
    found = own(folder, AIDER, "name = ", AIDER, AIDER.replace("aider.config", "b.c").replace(".aider", ".b"))
    assert [spec.name for spec in found.specs] == ["aider.config", "b.c"]
    assert [fault.file for fault in found.faults] == ["targets/1.toml", "targets/2.toml"]
    assert "is a target already" in found.faults[1].reason


def test_no_more_files_than_a_person_would_write(folder):
    texts = [AIDER.replace("aider", f"a{at}") for at in range(MAX_FILES + 1)]
    found = own(folder, *texts)
    assert len(found.specs) == MAX_FILES
    assert len(found.faults) == 1


def test_it_is_read_again_when_it_changed(folder):
    targets = OwnTargets(folder)
    assert not targets.read("posix", TABLE).specs
    (folder / "a.toml").write_text(AIDER)
    assert targets.read("posix", TABLE).specs
    (folder / "a.toml").write_text(AIDER + "x")
    assert targets.read("posix", TABLE).faults
    (folder / "a.toml").unlink()
    assert targets.read("posix", TABLE) == OwnTargets(Path("nowhere")).read("posix", TABLE)


# -- on a machine


@pytest.fixture
def machine(tmp_path):
    """A machine with its own targets; `machine(text, ...)` gives what it has."""
    for name in ("home", "state/targets"):
        (tmp_path / name).mkdir(parents=True)
    env = {"ROOSYNC_STATE": str(tmp_path / "state"), "ROOSYNC_HOME": str(tmp_path / "home")}

    class Machine:
        home, state = tmp_path / "home", tmp_path / "state"

        def declare(self, *texts):
            for at, text in enumerate(texts):
                (self.state / "targets" / f"{at}.toml").write_text(text)

        def settings(self):
            return load(env)

        @property
        def local(self):
            return Local(self.settings(), State(self.state))

        def entities(self):
            return {key: entity.value for key, entity in self.local.look().entities.items()}

    return Machine()


def test_its_keys_are_collected_like_those_of_a_shipped_one(machine):
    machine.declare(AIDER)
    machine.home.joinpath(".aider.conf.yml").write_text(f"model: opus\nread: {machine.home}/x.md\nopenai-api-key: k1\n")
    assert machine.entities() == {
        "aider.config/model": "opus",
        "aider.config/read": "${home}/x.md",
        "aider.config/openai-api-key": {"$secret": "aider.config/openai-api-key"},
    }


def test_a_broken_one_is_told_and_the_others_go_on(machine):
    machine.declare("name = \n", AIDER)
    machine.home.joinpath(".aider.conf.yml").write_text("model: opus\n")
    looked = machine.local.look()
    assert set(looked.entities) == {"aider.config/model"}
    assert [(one.path, "line 1" in one.reason) for one in looked.skipped] == [("targets/0.toml", True)]


def test_settings_may_name_them(machine):
    (machine.state / "config.toml").write_text('targets = ["aider"]\n')
    with pytest.raises(SettingsError, match="'aider' is no target"):
        machine.settings()
    machine.declare(AIDER)
    assert [spec.name for spec in machine.local.specs()] == ["aider.config"]
    machine.declare(AIDER + "x = 1\n")
    assert machine.local.specs() == ()  # what is wrong with it is told, and nothing else is managed instead
    assert machine.local.own_targets().faults


MARKED = """name = "shop.config"
file = "{home}/shop.json"
keys = ["*"]
secret = ["room", "deep.*.pin", "list.1"]
public = ["env.REGION", "env.API_TOKEN", "env.API_SECRET", "env.GITHUB"]
path = ["description"]
not_path = ["regex", "deep.two"]
"""
SHOP = {
    "room": "blue",
    "deep": {"one": {"pin": 1234, "name": "a"}, "two": {"pin": "", "at": "HOME/b"}},
    "list": ["a", "b"],
    "env": {
        "REGION": "q7-Xk29",
        "OTHER": "q7-Xk29",
        "API_TOKEN": "q7-Xk29",
        "API_SECRET": 4711,
        "GITHUB": "ghp_" + "a1B2" * 9,
    },
    "description": "HOME/c",
    "regex": "HOME/.*",
    "file": "HOME/d",
}


def lay(machine, text=MARKED):
    machine.declare(text)
    data = json.dumps(SHOP).replace("HOME", str(machine.home))
    machine.home.joinpath("shop.json").write_text(data)


def test_marks_say_what_is_secret_and_what_is_a_path(machine):
    lay(machine)
    secret = "shop.config/"
    assert machine.entities() == {
        "shop.config/room": {"$secret": secret + "room"},
        "shop.config/deep": {
            "one": {"pin": {"$secret": secret + "deep/one/pin"}, "name": "a"},
            "two": {"pin": "", "at": f"{machine.home}/b"},
        },
        "shop.config/list": ["a", {"$secret": secret + "list/1"}],
        "shop.config/env": {
            "REGION": "q7-Xk29",
            "OTHER": {"$secret": secret + "env/OTHER"},
            "API_TOKEN": {"$secret": secret + "env/API_TOKEN"},  # a name that says secret wins over a person's list
            "API_SECRET": {"$secret": secret + "env/API_SECRET"},
            "GITHUB": {"$secret": secret + "env/GITHUB"},  # and so does a vendor's mark
        },
        "shop.config/description": "${home}/c",
        "shop.config/regex": f"{machine.home}/.*",
        "shop.config/file": "${home}/d",
    }


def test_what_is_marked_is_written_as_it_is_read(machine):
    """The public form of each goes back into the file, and comes out of it as the same."""
    from roosync_agent.applying.write_entity import local_value

    lay(machine)
    collection = machine.local.look().collection
    raw = json.loads(machine.home.joinpath("shop.json").read_text())
    for key, entity in collection.entities.items():
        assert local_value(collection, key, entity) == raw[entity.name]
    value = json.loads(json.dumps(collection.entities["shop.config/deep"].value))
    value["one"]["name"] = "b"
    changed = Entity(key="shop.config/deep", kind=Kind.SETTING, value=value)
    assert local_value(collection, changed.key, changed)["one"] == {"pin": 1234, "name": "b"}


def test_a_reference_is_taken_in_the_form_of_the_marks(machine):
    from roosync_agent.collecting.reference import Reference

    lay(machine)
    local = machine.local
    entities = local.look().entities
    reference = Reference(name="baseline", revision=1, version="1.0.0", entities=entities)
    assert local.here(reference).entities == entities


# -- risk


def decision(before, after, *risk, kind=Kind.SETTING, key="shop.config/x"):
    base = {} if before is None else {key: Entity(key=key, kind=kind, value=before)}
    wanted = {} if after is None else {key: Entity(key=key, kind=kind, value=after)}
    [one] = compare(base, base, wanted, removed=frozenset(base.keys() - wanted.keys()), first_join=False, machine="m")
    from datetime import UTC, datetime

    asked = Asked(machine="m", reference="baseline", reference_revision=1, now=datetime(2026, 1, 1, tzinfo=UTC))
    return decide(one, asked, "o-1", raised(lambda _: Marks(risk=risk)))


SERVER = {"command": "npx", "timeout": 1}
RAISED = {
    "a setting of its own is high without a word": ((1, 2), "high"),
    "it can be made critical": ((1, 2, ("x", Risk.CRITICAL)), "critical"),
    "never lower": ((1, 2, ("x", Risk.MEDIUM)), "high"),
    "another field says nothing": ((1, 2, ("y", Risk.CRITICAL)), "high"),
    "a field inside": (({"a": {"b": 1}}, {"a": {"b": 2}}, ("x.a.*", Risk.CRITICAL)), "critical"),
    "its neighbour changes": (({"a": 1, "b": 1}, {"a": 2, "b": 1}, ("x.b", Risk.CRITICAL)), "high"),
    "what comes as a whole": ((None, {"a": {"b": 2}}, ("x.a.b", Risk.CRITICAL)), "critical"),
    "what goes": (({"a": {"b": 2}}, None, ("x.a.b", Risk.CRITICAL)), "critical"),
}


@pytest.mark.parametrize(("case", "risk"), RAISED.values(), ids=RAISED)
def test_a_target_may_raise_the_class_of_a_change(case, risk):
    assert decision(*case).risk == risk


def test_the_reason_says_whose_rule_it_is():
    made = decision(SERVER, SERVER | {"timeout": 2}, ("timeout", Risk.HIGH), kind=Kind.MCP_SERVER)
    assert made.risk == "high"
    assert "this machine's own target" in made.reasons[0]
    assert decision(SERVER, SERVER | {"timeout": 2}, kind=Kind.MCP_SERVER).risk == "low"
