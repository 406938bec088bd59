"""Taking back: exact bytes when nothing came since, later unrelated edits kept, a reason when it can not be."""

import json

import pytest

from roosync_agent.applying import tool_locks

MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
SERVERS = '{\n\t"mcpServers": {\n\t\t"a": {"command":   "a"}, // mine\n\t\t"b": {"command": "b"}\n\t}\n}\n'
NEW = ("roo.mcp/a", {"command": "new"})
LATER = ('"b": {"command": "b"}', '"b": {"command": "mine"}, // later\n\t\t"c": {}')
TOKEN = "ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234"
FRESH = "ghp_FAKEanewANEWanewANEWanewANEWanew5678"


def test_untouched_files_come_back_byte_for_byte(home):
    home.write(MCP, SERVERS)
    home.write(".roo/rules/a.md", b"\xef\xbb\xbfone\r\ntwo")
    home.write(".roo/rules/gone.md", "gone\n")
    before = home.files()
    done = home.apply(
        NEW, ("roo.rules/rules/a.md", "1\n2\n"), ("roo.rules/rules/gone.md", None), ("roo.rules/rules/n/new.md", "n\n")
    )
    assert home.files() != before
    back = home.roll_back(done.snapshot)
    assert back.status == "applied"
    assert home.files() == before
    again = home.roll_back(back.snapshot)  # a rollback is a change like any other
    assert again.status == "applied"
    assert json.loads(home.read(MCP).replace(" // mine", ""))["mcpServers"]["a"] == {"command": "new"}


def test_later_unrelated_edits_stay(home):
    home.write(MCP, SERVERS)
    done = home.apply(NEW)
    home.write(MCP, home.read(MCP).replace(*LATER))
    back = home.roll_back(done.snapshot)
    assert back.status == "applied"
    assert home.read(MCP) == SERVERS.replace(*LATER)
    assert home.collect().entities["roo.mcp/a"].value == {"command": "a"}


def test_exact_brings_the_bytes_back_whatever_came_since(home):
    home.write(MCP, SERVERS)
    done = home.apply(NEW)
    home.write(MCP, '{"mcpServers": {}}')
    assert home.roll_back(done.snapshot, exact=True).status == "applied"
    assert home.read(MCP) == SERVERS


def test_a_later_edit_of_the_same_thing_is_taken_back_too(home):
    home.write(MCP, SERVERS)
    done = home.apply(NEW)
    home.write(MCP, home.read(MCP).replace('"new"', '"later"'))
    assert home.roll_back(done.snapshot).status == "applied"
    assert home.collect().entities["roo.mcp/a"].value == {"command": "a"}


def test_what_was_added_goes_and_what_was_removed_comes_back(home):
    home.write(MCP, SERVERS)
    added = home.apply(("roo.mcp/n", {"command": "n"}))
    removed = home.apply(("roo.mcp/b", None))
    home.write(MCP, home.read(MCP).replace("mine", "still mine"))
    assert home.roll_back(removed.snapshot).status == "applied"
    assert home.roll_back(added.snapshot).status == "applied"
    assert set(home.collect().entities) == {"roo.mcp/a", "roo.mcp/b"}
    assert "// still mine" in home.read(MCP)


def server(token, command="x"):
    return json.dumps({"mcpServers": {"a": {"command": command, "env": {"A_TOKEN": token}}, "b": {"command": "b"}}})


def test_a_removed_server_comes_back_with_its_secret(home):
    home.write(MCP, server(TOKEN))
    done = home.apply(("roo.mcp/a", None))
    home.write(MCP, home.read(MCP).replace('"b"}', '"c"}'))
    assert home.roll_back(done.snapshot).status == "applied"
    assert json.loads(home.read(MCP))["mcpServers"]["a"]["env"]["A_TOKEN"] == TOKEN


def test_a_secret_that_was_renewed_since_stays(home):
    home.write(MCP, server(TOKEN))
    value = home.collect().entities["roo.mcp/a"].value
    done = home.apply(("roo.mcp/a", {**value, "command": "y"}))
    home.write(MCP, server(FRESH, "y"))
    assert home.roll_back(done.snapshot).status == "applied"
    assert json.loads(home.read(MCP))["mcpServers"]["a"] == {"command": "x", "env": {"A_TOKEN": FRESH}}


def test_the_fleets_public_names_hold_for_the_past_too(home):
    home.write(MCP, '{"mcpServers": {"a": {"command": "x", "env": {"HOUSE": "grey-house"}}}}')
    names = frozenset({"HOUSE"})
    home.collect, plainly = (lambda cache=None: plainly(cache, public_names=names)), home.collect
    assert home.collect().entities["roo.mcp/a"].value["env"] == {"HOUSE": "grey-house"}
    done = home.apply(("roo.mcp/a", {"command": "y", "env": {"HOUSE": "grey-house"}}))
    assert home.roll_back(done.snapshot).status == "applied"
    assert '"x"' in home.read(MCP)


def broken(home):
    home.write(MCP, "{")


def folder(home):
    (home.base / MCP).unlink()
    (home.base / MCP).mkdir()


def damaged(home):
    [path] = (home.state / "snapshots").rglob("0.bin")
    path.write_bytes(b"x")


def forgotten(home):
    [path] = (home.state / "snapshots").rglob("index.json")
    path.unlink()


STANDS = {
    "the file is broken now": (broken, "can not be read"),
    "it is a folder now": (folder, "it is a folder"),
    "the backup is damaged": (damaged, "is damaged"),
    "the backup is not kept any more": (forgotten, "is not kept any more"),
}


@pytest.mark.parametrize(("spoil", "reason"), STANDS.values(), ids=STANDS)
def test_what_stands_in_the_way_is_said(home, spoil, reason):
    home.write(MCP, SERVERS)
    done = home.apply(NEW)
    spoil(home)
    before = home.files()
    back = home.roll_back(done.snapshot)
    assert (back.status, back.touched) == ("rollback_failed", False)
    assert reason in back.log[-1]
    assert home.files() == before


def test_while_the_assistant_writes_it_is_put_off(home, monkeypatch):
    monkeypatch.setattr(tool_locks, "PATIENCE", 0.05)
    home.write(MCP, SERVERS)
    done = home.apply(NEW)
    (home.base / (MCP + ".lock")).mkdir()
    assert home.roll_back(done.snapshot).status == "deferred"
    (home.base / (MCP + ".lock")).rmdir()
    assert home.roll_back(done.snapshot).status == "applied"


def test_to_take_back_twice_changes_nothing_more(home):
    home.write(MCP, SERVERS)
    done = home.apply(NEW)
    home.roll_back(done.snapshot)
    back = home.roll_back(done.snapshot)
    assert (back.status, back.touched) == ("applied", False)
    assert home.read(MCP) == SERVERS
