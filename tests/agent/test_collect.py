"""One look at a machine: public entities, secrets that stay, and a reason for whatever was left out."""

import json
import os
import time

import pytest

from roosync_agent.collect import Cache, collect
from roosync_agent.files import RealDoor
from roosync_agent.places import layout
from roosync_agent.targets import TABLE, plain
from roosync_protocol.digest import same

TOKEN = "ghp_" + "FAKEfake" * 4 + "1234"


def mcp(**servers):
    return json.dumps({"mcpServers": servers})


def test_what_leaves_is_public_and_the_secret_stays(home):
    server = {"command": "npx", "args": ["-y", "x", "--root", f"{home.base}/work"], "env": {"GITHUB_TOKEN": TOKEN}}
    home.write(home.MCP, mcp(github=server))
    found = home.collect()
    assert found.entities["roo.mcp/github"].value == {
        "command": "npx",
        "args": ["-y", "x", "--root", "${home}/work"],
        "env": {"GITHUB_TOKEN": {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}},
    }
    assert found.secrets == {"roo.mcp/github/env/GITHUB_TOKEN": TOKEN}
    assert found.local["roo.mcp/github"] == server
    assert TOKEN not in repr(found)
    assert TOKEN not in repr([content.entities for content in found.contents()])


def test_each_form_of_target(home):
    home.write(home.MODES, "customModes:\n- slug: a\n  name: A\n- slug: b/c\n  name: é\n")
    home.write(".roo/rules/00-a.md", "Be kind.\r\nAlways.\r\n")
    home.write(".roo/rules-code/x.txt", "\ufeffx")
    home.write(".roo/other/x.md", "not ours")
    home.write(".claude.json", json.dumps({"oauthAccount": {"id": 1}, "mcpServers": {"m": {"command": "uvx"}}}))
    home.write(".claude/settings.json", json.dumps({"model": "opus", "feedback": 3, "hooks": {}}))
    home.write(".claude/CLAUDE.md", "Remember.\n")
    found = home.collect()
    assert found.skipped == ()
    assert {key: entity.value for key, entity in found.entities.items()} == {
        "roo.modes/a": {"slug": "a", "name": "A"},
        "roo.modes/b/c": {"slug": "b/c", "name": "é"},
        "roo.rules/rules/00-a.md": "Be kind.\nAlways.\n",
        "roo.rules/rules-code/x.txt": "x",
        "claude.mcp/m": {"command": "uvx"},
        "claude.settings/model": "opus",
        "claude.settings/hooks": {},
        "claude.memory/CLAUDE.md": "Remember.\n",
    }
    assert found.present == {f"roo.{n}" for n in ("modes", "mcp", "rules")} | {
        f"claude.{n}" for n in ("settings", "mcp", "memory")
    }
    assert {skipped.path for skipped in found.not_yet} == {"roo.profiles", "zoo.profiles"}


def test_modes_are_read_from_json_as_well_as_yaml(home):
    home.write(home.MODES, json.dumps({"customModes": [{"slug": "a", "name": "A"}]}))
    [file] = home.collect().files
    assert file.keys == ("roo.modes/a",)


def test_the_order_of_the_file_is_published(home):
    home.write(home.MCP, mcp(b={"command": "b"}, a={"command": "a"}))
    [content] = home.collect().contents()
    assert content.order == ("b", "a")
    assert (content.target, content.path) == ("roo.mcp", "settings/mcp_settings.json")


def folder(path):
    path.mkdir(parents=True)


def pipe(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path)


BROKEN = {
    "invalid": (b'{"mcpServers": {', ""),
    "two byte order marks, and invalid": (b"\xef\xbb\xbf\xef\xbb\xbf{]", ""),
    "binary": (b"\x00\xff\xfe\x80", ""),
    "UTF-16": ('{"mcpServers": {}}'.encode("utf-16"), "UTF-16"),
    "huge": (b" " * (17 * 1024 * 1024), "more than the limit"),
    "too deep": (b'{"mcpServers":' + b"[" * 100_000, ""),
    "another shape": (b'{"mcpServers": ["x"]}', "should be an object"),
    "no object at all": (b"[]", "no object"),
    "two entities of one name": (b'{"mcpServers": {"a": {}, "a": {}}}', ""),
    "a folder": (folder, "folder"),
    "a pipe": (pipe, "not a regular file"),
    "a loop of links": (loop, "loop"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "link to nothing"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_bad_file_is_skipped_with_its_reason_and_stops_nothing(home, content, reason):
    path = home.base / home.MCP
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    home.write(home.MODES, "customModes: [{slug: a, name: A}]")
    found = home.collect()
    assert list(found.entities) == ["roo.modes/a"]
    [skipped] = found.skipped
    assert skipped.path == "${vscode_user}/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
    assert skipped.reason
    assert reason in skipped.reason
    assert found.skipped_targets == {"roo.mcp": skipped.reason}
    assert found.readable == {"roo.modes", "roo.rules"}


@pytest.mark.parametrize("data", [b"", b"  \n", b"\xef\xbb\xbf", b"{}", b'{"mcpServers": {}}', b'{"mcpServers": null}'])
def test_an_empty_file_is_a_file_without_entities(home, data):
    home.write(home.MCP, data)
    found = home.collect()
    assert (dict(found.entities), found.skipped, len(found.files)) == ({}, (), 1)


@pytest.mark.parametrize(
    ("modes", "reason"),
    [
        ("- slug: a\n- slug: a\n", "two elements with the slug 'a'"),
        ("- name: A\n", "has no 'slug'"),
        ("- just text\n", "has no 'slug'"),
    ],
)
def test_two_elements_of_one_name_are_no_mode_at_all(home, modes, reason):
    home.write(home.MODES, "customModes:\n" + modes)
    [skipped] = home.collect().skipped
    assert reason in skipped.reason


def test_one_bad_entity_is_left_out_alone(home):
    home.write(
        home.MCP, mcp(good={"command": "x"}, bad="a text", forged={"command": "x", "env": {"$secret": "elsewhere"}})
    )
    found = home.collect()
    assert "roo.mcp/good" in found.entities
    assert "roo.mcp/bad" in found.unreadable
    assert all("elsewhere" not in str(e.value) or "$$secret" in str(e.value) for e in found.entities.values())


def test_a_text_with_a_secret_stays_here_whole(home):
    home.write(".claude/CLAUDE.md", f"Use the token {TOKEN} for deploys.\n")
    found = home.collect()
    assert found.entities == {}
    assert found.unreadable == {"claude.memory/CLAUDE.md"}
    [skipped] = found.skipped
    assert TOKEN not in f"{found} {skipped}"


def test_names_that_could_not_be_files_elsewhere_are_skipped(home):
    for name in ("ok.md", "what?.md", "con.md", "trailing .md", "x.md "):
        home.write(f".roo/rules/{name}", "x")
    found = home.collect()
    assert set(found.entities) == {"roo.rules/rules/ok.md", "roo.rules/rules/trailing .md"}
    assert len(found.skipped) == 3


def test_two_names_that_are_one_elsewhere_are_not_both_taken(home):
    for name in ("Readme.md", "README.md", "e\u0301.md", "\u00e9.md"):
        home.write(f".roo/rules/{name}", name)
    found = home.collect()
    assert len(found.entities) == 2
    assert len(found.skipped) == 2
    assert "rename" in found.skipped[0].reason


def test_one_bad_file_of_a_tree_is_no_bad_tree(home):
    home.write(".roo/rules/good.md", "x")
    home.write(".roo/skills/logo.png", b"\x89PNG\r\n\xff\xfe")
    os.mkfifo(home.base / ".roo/rules/pipe.md")
    found = home.collect()
    assert set(found.entities) == {"roo.rules/rules/good.md"}
    assert found.unreadable == {"roo.rules/skills/logo.png", "roo.rules/rules/pipe.md"}
    assert "roo.rules" in found.readable


def test_links_into_a_folder_of_dotfiles_are_read(home):
    home.write("dotfiles/rules/a.md", "a")
    home.write("dotfiles/mcp.json", mcp(a={"command": "a"}))
    (home.base / ".roo").mkdir()
    (home.base / ".roo/rules").symlink_to("../dotfiles/rules")
    (home.base / home.MCP).symlink_to(home.base / "dotfiles/mcp.json")
    assert set(home.collect().entities) == {"roo.rules/rules/a.md", "roo.mcp/a"}


def test_the_same_server_on_two_systems_is_one(new_home):
    posix, windows = new_home("ana"), new_home("bob", system="windows")
    for home, root, command, args in (
        (posix, str(posix.base), "npx", ["-y", "files"]),
        (windows, "C:\\Users\\bob", "cmd", ["/c", "npx", "-y", "files"]),
    ):
        place = home.layout().flavours[0].user.relative_to(home.base).as_posix()
        separator = "\\" if "\\" in root else "/"
        server = {"command": command, "args": args, "env": {"ROOT": separator.join([root, "work", "docs"])}}
        home.write(f"{place}/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", mcp(files=server))
    shared = [home.collect().entities["roo.mcp/files"].value for home in (posix, windows)]
    assert same(*shared)
    assert shared[0]["env"]["ROOT"] == "${home}/work/docs"


class Counting(RealDoor):
    def __init__(self):
        self.reads = 0

    def read(self, path, limit=16 * 1024 * 1024):
        self.reads += 1
        return super().read(path, limit)


def test_what_did_not_change_is_not_read_again(home):
    home.door = Counting()
    for number in range(100):
        home.write(f".roo/rules/{number:03}.md", f"rule {number}\n")
    home.write(home.MCP, mcp(a={"command": "a"}))
    cache = Cache()
    time.sleep(0.06)  # younger files might change again within one tick of the clock
    first = home.collect(cache)
    assert home.door.reads == 101
    started = time.perf_counter()
    second = home.collect(cache)
    assert home.door.reads == 101
    assert second.entities == first.entities
    assert time.perf_counter() - started < 1  # the bar is 50 ms, measured in benchmarks/
    home.write(".roo/rules/050.md", "rule fifty\n")
    assert home.collect(cache).entities["roo.rules/rules/050.md"].value == "rule fifty\n"
    assert home.door.reads == 102


def test_a_second_write_within_one_tick_of_the_clock_is_seen(home):
    cache = Cache()
    for number in range(50):  # same size, same inode, and perhaps the same time
        home.write(".roo/rules/a.md", f"{number:03}")
        assert home.collect(cache).entities["roo.rules/rules/a.md"].value == f"{number:03}"


def test_an_old_time_stamp_hides_no_change(home):
    path, cache = home.write(".roo/rules/a.md", "one"), Cache()
    os.utime(path, (1, 1))
    time.sleep(0.06)
    home.collect(cache)
    path.write_text("two")
    os.utime(path, (1, 1))
    assert home.collect(cache).entities["roo.rules/rules/a.md"].value == "two"


class Vanishing(RealDoor):
    """The file is there when it is looked at and gone when it is opened, as while an editor renames."""

    def read(self, path, limit=16 * 1024 * 1024):
        path.unlink(missing_ok=True)
        return super().read(path, limit)


def test_a_file_that_vanishes_between_two_looks_is_no_error(home):
    home.write(home.MCP, mcp(a={"command": "a"}))
    home.door = Vanishing()
    found = home.collect()
    assert (found.entities, found.skipped) == ({}, ())


def test_any_settings_file_can_be_a_target(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app/settings.json").write_text('{"settings": {"a": 1, "b": [true]}, "metadata": 3}')
    spec = plain("app.settings", "app/settings.json", container=("settings",))
    door = RealDoor()
    found = collect(door, layout(door, tmp_path, {}, "posix"), [spec])
    assert {key: entity.value for key, entity in found.entities.items()} == {
        "app.settings/a": 1,
        "app.settings/b": [True],
    }


def test_an_empty_home_has_nothing_and_says_nothing(new_home):
    found = new_home().collect()
    assert (found.present, found.entities, found.files, found.skipped) == (frozenset(), {}, (), ())
    assert len(TABLE) > 8
