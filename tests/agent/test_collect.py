"""What a look at the files says: entities in public form, each bad thing by itself and by name, nothing read twice."""

import json
import os
import statistics
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from roosync_agent.collecting.collection import Cache
from roosync_agent.files.door import RealDoor
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.targets import TABLE, plain, select
from roosync_protocol import package
from roosync_protocol.digest import canonical
from roosync_protocol.package import read_contents, read_manifest

MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
MODES = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/custom_modes.yaml"
NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
TOKEN = "ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234"


class CountingDoor(RealDoor):
    def __init__(self):
        self.reads = []

    def read(self, path, limit=16 * 1024 * 1024):
        self.reads.append(path)
        return super().read(path, limit)


def test_entities_leave_without_secrets_and_without_this_machines_paths(home):
    home.write(
        MCP,
        f'{{"mcpServers": {{"git": {{"command": "npx", "args": ["--root", "{home.base}/src", "--token", "{TOKEN}"], '
        f'"env": {{"GITHUB_TOKEN": "{TOKEN}", "LOG_LEVEL": "debug"}}}}}}}}',
    )
    found = home.collect()
    value = found.entities["roo.mcp/git"].value
    assert value["args"][1] == "${home}/src"
    assert value["env"]["LOG_LEVEL"] == "debug"
    assert TOKEN not in str(found.entities)
    assert TOKEN not in repr(found)
    assert set(found.secrets.values()) == {TOKEN}


def test_a_file_that_is_not_there_yet_is_no_fault(home):
    (home.base / ".claude").mkdir()
    found = home.collect()
    assert found.present >= {"roo.modes", "roo.mcp", "claude.settings", "claude.mcp", "claude.memory"}
    assert found.readable == found.present
    assert (found.entities, found.skipped, found.files) == ({}, (), ())


EMPTY = {"no bytes": "", "blanks": " \n", "an empty object": "{}", "null": '{"mcpServers": null}', "no key": '{"x": 1}'}


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY)
def test_an_empty_file_has_no_entities_and_is_read(home, text):
    home.write(MCP, text)
    found = home.collect()
    assert (found.entities, found.skipped) == ({}, ())
    assert "roo.mcp" in found.readable


BAD_FILES = {
    "invalid": (MCP, "{", "roo.mcp"),
    "a list": (MCP, "[]", "roo.mcp"),
    "servers that are a list": (MCP, '{"mcpServers": []}', "roo.mcp"),
    "deep": (MCP, '{"mcpServers": ' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}", "roo.mcp"),
    "one server twice": (MCP, '{"mcpServers": {"a": {}, "a": {}}}', "roo.mcp"),
    "UTF-16": (MCP, '{"mcpServers": {}}'.encode("utf-16"), "roo.mcp"),
    "two modes with one slug": (MODES, "customModes:\n- slug: a\n- slug: a\n", "roo.modes"),
    "a mode without a slug": (MODES, "customModes:\n- name: a\n", "roo.modes"),
    "modes that are no list": (MODES, "customModes: yes\n", "roo.modes"),
    "a bomb of aliases": (
        MODES,
        "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghijklmnopqrstuvwx")),
        "roo.modes",
    ),
}


@pytest.mark.parametrize(("name", "data", "target"), BAD_FILES.values(), ids=BAD_FILES)
def test_one_bad_file_is_skipped_with_its_reason_and_stops_nothing_else(home, name, data, target):
    home.write(name, data)
    home.write(".claude.json", '{"mcpServers": {"b": {"command": "b"}}}')
    found = home.collect()
    assert list(found.entities) == ["claude.mcp/b"]
    assert found.skipped_targets.keys() == {target}
    assert target not in found.readable
    [skipped] = found.skipped
    assert skipped.path.endswith(name.rsplit("/", 1)[1])
    assert skipped.reason
    assert len(skipped.reason) < 300


def test_what_may_not_be_read_is_skipped(home):
    home.write(MCP, "{}")
    (home.base / MCP).chmod(0)

    class Refusing(RealDoor):  # root may read everything
        def read(self, path, limit=0):
            raise FileRefusedError(path, "permission denied")

    home.door = Refusing()
    assert home.collect().skipped_targets == {"roo.mcp": "permission denied"}


def test_one_bad_entity_is_left_out_and_not_taken_for_gone(home):
    home.write(MCP, '{"mcpServers": {"a": "text", "b": {"command": "b"}, "": {}, "\\ud800": {}}}')
    found = home.collect()
    assert list(found.entities) == ["roo.mcp/b"]
    assert found.unreadable == {"roo.mcp/a", "roo.mcp/", "roo.mcp/\ud800"}
    assert "roo.mcp" in found.readable
    assert len(found.skipped) == 3
    for skipped in found.skipped:
        skipped.reason.encode()
        skipped.path.encode()


def test_a_secret_in_a_text_keeps_the_whole_text_here(home):
    home.write(".roo/rules/a.md", f"use {TOKEN}\n")
    home.write(".roo/rules/b.md", "fine\n")
    found = home.collect()
    assert list(found.entities) == ["roo.rules/rules/b.md"]
    assert found.unreadable == {"roo.rules/rules/a.md"}
    assert TOKEN not in str(found.skipped)


TREE = {
    ".roo/rules/a.md": True,
    ".roo/rules-code/deep/b.txt": True,
    ".roo/commands/c.md": True,
    ".roo/skills/s/SKILL.md": True,
    ".roo/rules/.DS_Store": False,
    ".roo/rules/a.md~": False,
    ".roo/rules/.git/HEAD": False,
    ".roo/skills/s/node_modules/x/y.js": False,
    ".roo/other/x.md": False,
    ".roo/x.md": False,
    ".claude/CLAUDE.md": True,
    ".claude/agents/x.md": True,
    ".claude/history.jsonl": False,
    ".claude/projects/x.md": False,
}


def test_of_a_tree_only_what_is_declared(home):
    for name in TREE:
        home.write(name, name)
    found = {key.split("/", 1)[1] for key in home.collect().entities}
    assert found == {name.split("/", 1)[1] for name, ours in TREE.items() if ours}


def test_a_big_folder_nobody_means_does_not_hide_the_tree(home):
    for number in range(2100):
        home.write(f".roo/skills/s/node_modules/{number}.js", "")
    home.write(".roo/skills/s/SKILL.md", "x\n")
    found = home.collect()
    assert list(found.entities) == ["roo.rules/skills/s/SKILL.md"]
    assert "roo.rules" in found.readable


def test_a_folder_that_can_not_be_listed_is_not_an_empty_one(home):
    home.write(".roo/rules/a.md", "x\n")
    home.write(".roo/rules-code/b.md", "x\n")

    class Refusing(RealDoor):
        def tree(self, folder):
            found = super().tree(folder)
            return type(found)((), ((".", "permission denied"),)) if folder.name == "rules" else found

        def names(self, folder):
            if folder.name == ".claude":
                raise FileRefusedError(folder, "permission denied")
            return super().names(folder)

    (home.base / ".claude").mkdir()
    home.door = Refusing()
    found = home.collect()
    assert found.skipped_targets == {
        "roo.rules": "${home}/.roo/rules: permission denied",
        "claude.memory": "${home}/.claude: permission denied",
    }
    assert "permission denied" in home.plan(("roo.rules/rules/a.md", None)).refusals["roo.rules/rules/a.md"]


def test_names_that_are_one_on_other_systems_are_told_apart_by_the_person(home):
    home.write(".roo/rules/Style.md", "1\n")
    home.write(".roo/rules/style.md", "2\n")
    home.write(".roo/rules/e\u0301te\u0301.md", "3\n")  # as macOS writes it
    home.write(".roo/rules/con.md", "4\n")
    home.write(".roo/rules/a:b.md", "5\n")
    found = home.collect()
    assert set(found.entities) == {"roo.rules/rules/Style.md", "roo.rules/rules/\u00e9t\u00e9.md"}
    assert found.unreadable == {"roo.rules/rules/style.md", "roo.rules/rules/con.md", "roo.rules/rules/a:b.md"}
    assert home.apply(("roo.rules/rules/\u00e9t\u00e9.md", "new\n")).status == "applied"
    assert home.read(".roo/rules/e\u0301te\u0301.md") == "new\n"
    assert len(list((home.base / ".roo/rules").iterdir())) == 5


def test_a_name_that_is_no_text_is_skipped(home):
    folder = home.base / ".roo" / "rules"
    folder.mkdir(parents=True)
    try:
        (folder / os.fsdecode(b"\xff.md")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system knows text only")
    found = home.collect()
    assert found.entities == {}
    [skipped] = found.skipped
    assert skipped.path.encode().endswith(b"\\udcff.md")


def test_what_has_nothing_to_read_yet_says_what_to_do(home):
    said = {skipped.path: skipped.reason for skipped in home.collect().not_set_up}
    assert list(said) == ["roo.profiles"], "of an assistant that is not here nothing is said"
    assert "roo-cline.autoImportSettingsPath" in said["roo.profiles"]


def test_what_is_collected_is_a_package_that_others_accept(home):
    home.write(MCP, '{"mcpServers": {"a/b c": {"command": "x"}}}')
    home.write(MODES, "customModes:\n- slug: a\n  name: A\n")
    home.write(".roo/rules/a.md", "x\n")
    found = home.collect()
    built = package.build("ana", "1.0.0", NOW, found.contents())
    manifest = read_manifest(built.contents[built.manifest_hash], "ana")
    received = {}
    for file in manifest.files:
        received |= read_contents(file, built.contents[file.hash]).entities
    assert received == found.entities


def test_an_order_of_a_file_is_kept(home):
    home.write(MODES, "customModes:\n- slug: z\n- slug: a\n- slug: m\n")
    [content] = home.collect().contents()
    assert content.order == ("z", "a", "m")


def test_a_plain_settings_file_is_a_target_too(home):
    home.specs = (*TABLE, plain("settings.roo", ".x/settings.json", container=("settings",)))
    home.write(".x/settings.json", '{"settings": {"a": 1, "b": [2]}}')
    assert home.collect().entities["settings.roo/b"].value == [2]


# -- nothing is read twice


def test_what_did_not_change_is_not_read_again(home):
    for number in range(100):
        home.write(f".roo/rules/{number}.md", f"{number}\n")
    time.sleep(0.1)  # files that were written this very moment are not trusted yet
    home.door, cache = CountingDoor(), Cache()
    first = home.collect(cache)
    assert len(home.door.reads) == 100
    home.door.reads.clear()
    took = []
    for _ in range(5):
        began = time.perf_counter()
        again = home.collect(cache)
        took.append(time.perf_counter() - began)
    assert home.door.reads == []
    assert again.entities == first.entities
    assert statistics.median(took) < 0.5  # the figure itself is a benchmark's


def replaced(path):
    path.with_name("new").write_text("TWO\n")
    path.with_name("new").replace(path)


def same_length_and_time(path):
    before = path.stat()
    path.write_text("TWO\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "written": lambda path: path.write_text("TWO\n"),
    "replaced": replaced,
    "written, and its time put back": same_length_and_time,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_is_read_again_and_nothing_else(home, change):
    path = home.write(".roo/rules/a.md", "one\n")
    home.write(".roo/rules/b.md", "b\n")
    time.sleep(0.1)
    home.door, cache = CountingDoor(), Cache()
    home.collect(cache)
    home.door.reads.clear()
    change(path)
    assert home.collect(cache).entities["roo.rules/rules/a.md"].value == "TWO\n"
    assert home.door.reads == [path]


def test_two_writes_within_one_tick_of_the_clock_are_both_seen(home):
    cache = Cache()
    for number in range(300):
        home.write(".roo/rules/a.md", f"{number % 10}\n")
        assert home.collect(cache).entities["roo.rules/rules/a.md"].value == f"{number % 10}\n"


def test_other_public_names_are_another_form(home):
    home.write(MCP, '{"mcpServers": {"a": {"command": "x", "env": {"HOUSE": "hunter2-word"}}}}')
    time.sleep(0.1)
    cache = Cache()
    hidden = home.collect(cache).entities["roo.mcp/a"].value
    shown = home.collect(cache, public_names=frozenset({"HOUSE"})).entities["roo.mcp/a"].value
    assert "hunter2" not in str(hidden)
    assert shown["env"]["HOUSE"] == "hunter2-word"


def test_a_file_that_goes_between_the_look_and_the_opening_is_gone_and_not_empty(home):
    path = home.write(MCP, '{"mcpServers": {"a": {}}}')

    class Vanishing(RealDoor):
        def read(self, wanted, limit=16 * 1024 * 1024):
            path.unlink(missing_ok=True)
            return super().read(wanted, limit)

    home.door = Vanishing()
    found = home.collect()
    assert (found.entities, found.files) == ({}, ())


def test_only_what_was_asked_for_is_read(home):
    home.write(MCP, "{}")
    home.write(MODES, "customModes: []\n")
    home.specs = select(["mcp"])
    home.door = CountingDoor()
    assert {path.name for path in (home.collect(), home.door.reads)[1]} == {"mcp_settings.json"}


EDITS = {
    "a renewed secret": ('"hunter2-old"', '"hunter2-new"'),
    "true for 1": ('"timeout": 1', '"timeout": true'),
    "1.0 for 1": ('"timeout": 1', '"timeout": 1.0'),
    "another name": ('"b": {', '"c": {'),
    "a member that goes": (', "disabled": false', ""),
    "what has no public form": ('"timeout": 1', '"timeout": "\\ud800"'),
    "what is no server": ('"b": {"command": "b", "timeout": 1}', '"b": 7'),
}


@pytest.mark.parametrize(("old", "new"), EDITS.values(), ids=EDITS)
def test_what_is_remembered_of_a_file_never_differs_from_what_it_holds(home, old, new):
    text = (
        '{"mcpServers": {"a": {"command": "a", "env": {"A_PASSWORD": "hunter2-old"}, "disabled": false},'
        ' "b": {"command": "b", "timeout": 1}}}'
    )
    home.write(MCP, text)
    time.sleep(0.1)
    cache = Cache()
    home.collect(cache)
    assert old in text
    home.write(MCP, text.replace(old, new))
    remembered, fresh = home.collect(cache), home.collect()
    assert remembered.entities == fresh.entities
    for key, entity in fresh.entities.items():
        assert canonical(remembered.entities[key].value) == canonical(entity.value)  # in Python True is 1
    assert (remembered.secrets, remembered.local) == (fresh.secrets, fresh.local)
    assert (remembered.unreadable, remembered.skipped) == (fresh.unreadable, fresh.skipped)


def test_a_name_that_looks_secret_is_published_nowhere(home):
    """Names are addresses, paths and subjects: nothing hides them later, so such a thing stays here as a whole."""
    token = "ghp_" + "aB3dE6gH9k" * 3
    home.write(MCP, json.dumps({"mcpServers": {token: {"command": "a"}, "fine": {"command": "a"}}}))
    home.write(f".roo/rules/{token}.md", "# Named badly\n")
    found = home.collect()
    assert list(found.entities) == ["roo.mcp/fine"]
    assert len([one for one in found.skipped if "its name looks secret" in one.reason]) == 2
    assert token not in repr([found.contents(), found.skipped])
