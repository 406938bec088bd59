"""Backups: private, bounded, never the last one thrown away; and the two ways back to them."""

import json
import stat
from datetime import timedelta

import msgspec
import pytest

from roosync_agent.applying import snapshots
from roosync_agent.applying.snapshots import (
    KEEP_AGE,
    KEEP_COUNT,
    NoSnapshotError,
    Saved,
    Snapshot,
    every,
    load,
    new_id,
    prune,
)

TOKEN = "ghp_" + "FAKEfake" * 4 + "1234"
SERVERS = """\
{
  // mine
  "mcpServers": {
    "a": { "command": "a", "env": { "API_TOKEN": "%s" } },
    "b": { "command": "b" }
  }
}
"""
A = {"command": "a", "env": {"API_TOKEN": {"$secret": "roo.mcp/a/env/API_TOKEN"}}}


@pytest.fixture
def servers(home):
    home.write(home.MCP, SERVERS % TOKEN)
    return home


def edited(home, old, new):
    text = home.read(home.MCP)
    assert old in text
    home.write(home.MCP, text.replace(old, new))


def test_a_snapshot_is_private_and_whole(servers):
    outcome = servers.apply(("roo.mcp/a", A | {"args": ["x"]}), ("roo.rules/rules/new.md", "new"))
    folder = servers.state / "snapshots" / outcome.snapshot
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    snapshot = load(servers.door, servers.state, outcome.snapshot)
    assert (snapshot.label, snapshot.time) == ("d-1", servers.NOW)
    assert {saved.label: saved.existed for saved in snapshot.files} == {
        "${vscode_user}/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json": True,
        "${home}/.roo/rules/new.md": False,
    }
    assert TOKEN not in (folder / "index.json").read_text()


ROUNDS = {
    "a changed server": (("roo.mcp/a", A | {"args": ["x"]}),),
    "a server that went, with its secret": (("roo.mcp/a", None),),
    "a new server": (("roo.mcp/c", {"command": "c"}),),
    "several files": (
        ("roo.mcp/b", None),
        ("roo.rules/rules/old.md", None),
        ("roo.rules/rules/new/n.md", "new\n"),
        ("roo.modes/m", {"slug": "m", "name": "M"}),
    ),
}


@pytest.mark.parametrize("changes", ROUNDS.values(), ids=ROUNDS)
def test_there_and_back_is_byte_for_byte(servers, changes):
    servers.write(".roo/rules/old.md", "old\r\n")
    (servers.base / servers.MCP).chmod(0o600)
    before = servers.files()
    outcome = servers.apply(*changes)
    assert servers.files() != before
    back = servers.roll_back(outcome.snapshot)
    assert back.status == "applied", back.log
    assert servers.files() == before
    assert stat.S_IMODE((servers.base / servers.MCP).stat().st_mode) == 0o600


def test_a_rollback_can_be_rolled_back(servers):
    outcome = servers.apply(("roo.mcp/b", None))
    after = servers.files()
    back = servers.roll_back(outcome.snapshot)
    assert servers.roll_back(back.snapshot).status == "applied"
    assert servers.files() == after


def test_later_edits_of_other_things_are_kept(servers):
    outcome = servers.apply(("roo.mcp/a", None))
    edited(servers, '"b": { "command": "b" }', '"b": { "command": "mine" } // better')
    assert servers.roll_back(outcome.snapshot).status == "applied"
    text = servers.read(servers.MCP)
    assert '"b": { "command": "mine" } // better' in text
    assert text.index('"a"') < text.index('"b"')  # where it was
    assert json.dumps(TOKEN) in text
    assert servers.collect().entities["roo.mcp/a"].value == A


def test_a_secret_that_was_renewed_stays_renewed(servers):
    outcome = servers.apply(("roo.mcp/a", A | {"args": ["x"]}))
    renewed = "ghp_" + "NEWFAKE9" * 4 + "5678"
    edited(servers, TOKEN, renewed)
    assert servers.roll_back(outcome.snapshot).status == "applied"
    assert json.dumps(renewed) in servers.read(servers.MCP)
    assert "args" not in servers.collect().entities["roo.mcp/a"].value


def test_exactly_means_the_bytes_whatever_came_later(servers):
    before = servers.files()
    outcome = servers.apply(("roo.mcp/a", None))
    edited(servers, '"b"', '"renamed"')
    assert servers.roll_back(outcome.snapshot, exact=True).status == "applied"
    assert servers.files() == before


def test_a_later_edit_of_the_same_thing_is_set_back_and_can_be_had_again(servers):
    outcome = servers.apply(("roo.mcp/b", {"command": "b2"}))
    edited(servers, "b2", "b3")
    back = servers.roll_back(outcome.snapshot)
    assert servers.collect().entities["roo.mcp/b"].value == {"command": "b"}
    assert servers.roll_back(back.snapshot).status == "applied"
    assert servers.collect().entities["roo.mcp/b"].value == {"command": "b3"}


def test_no_way_back_is_said(servers):
    outcome = servers.apply(("roo.mcp/b", None))
    folder = servers.state / "snapshots" / outcome.snapshot
    before = servers.files()
    for id_ in ("s-20260101T000000000000-00000000", "../../etc", ""):
        failed = servers.roll_back(id_)
        assert failed.status == "rollback_failed"
        assert "snapshot" in failed.log[0]
    (folder / "0.bin").write_bytes(b"damaged")
    failed = servers.roll_back(outcome.snapshot)
    assert failed.status == "rollback_failed"
    assert "damaged" in failed.log[0]
    assert servers.files() == before


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"id": 3}'])
def test_a_damaged_index_is_no_crash(servers, data):
    outcome = servers.apply(("roo.mcp/b", None))
    (servers.state / "snapshots" / outcome.snapshot / "index.json").write_bytes(data)
    with pytest.raises(NoSnapshotError):
        load(servers.door, servers.state, outcome.snapshot)
    assert list(every(servers.door, servers.state)) == []
    assert servers.roll_back(outcome.snapshot).status == "rollback_failed"
    assert servers.apply(("roo.mcp/b", {"command": "again"})).status == "applied"


# -- how many are kept


def kept(home, count, *, age=timedelta(0), apart=timedelta(minutes=1), size=10):
    """Lays `count` snapshots, the youngest `age` old; returns their ids, oldest first."""
    ids = []
    for number in range(count):
        time = home.NOW - age - apart * (count - 1 - number)
        id_ = new_id(time, f"{number:08x}")
        saved = Saved(path="/x", label="x", existed=True, mode=0o600, before="", after="", keys=(), size=size)
        snapshot = Snapshot(id=id_, time=time, label=f"d-{number}", files=(saved,))
        folder = home.state / "snapshots" / id_
        folder.mkdir(parents=True)
        (folder / "0.bin").write_bytes(b"x")
        (folder / "index.json").write_bytes(msgspec.json.encode(snapshot))
        ids.append(id_)
    return ids


MB = 1024 * 1024
BOUNDS = {
    "few and old": ({"count": 5, "age": 2 * KEEP_AGE}, 5),
    "many and young": ({"count": 45}, 45),
    "many and old": ({"count": 45, "age": 2 * KEEP_AGE}, KEEP_COUNT),
    "many, some old": ({"count": 60, "apart": timedelta(days=1)}, 31),
    "too large": ({"count": 10, "size": 50 * MB}, 4),
    "one alone is too large": ({"count": 3, "size": 300 * MB}, 1),
    "none": ({"count": 0}, 0),
}


@pytest.mark.parametrize(("laid", "left"), BOUNDS.values(), ids=BOUNDS)
def test_thirty_or_thirty_days_at_most_200_mb_and_never_the_last(home, laid, left):
    ids = kept(home, **laid)
    gone = prune(home.door, home.state, home.NOW)
    assert gone == ids[: len(ids) - left]
    assert [snapshot.id for snapshot in every(home.door, home.state)] == ids[len(ids) - left :]
    assert home.door.names(home.state / "snapshots") == ids[len(ids) - left :]


def test_what_was_never_finished_is_swept_and_what_is_not_ours_stays(home):
    [id_] = kept(home, 1)
    half = home.state / "snapshots" / new_id(home.NOW, "0badf00d")
    half.mkdir()
    (half / "0.bin").write_bytes(b"x")
    (home.state / "snapshots" / "notes").mkdir()
    prune(home.door, home.state, home.NOW)
    assert home.door.names(home.state / "snapshots") == ["notes", id_]


def test_ids_sort_by_time(home):
    ids = [new_id(home.NOW + timedelta(microseconds=number), "ffffffff") for number in (0, 1, 10, 100_000)]
    assert ids == sorted(ids)
    assert all(snapshots._ID.match(id_) for id_ in ids)


# -- putting back at once


@pytest.fixture
def taken(home):
    """A home with a change applied, and the snapshot made for it."""
    home.write(".roo/rules/a.md", "old\n")
    done = home.apply(("roo.rules/rules/a.md", "new\n"), ("roo.rules/rules/b.md", "b\n"))
    return home, load(home.door, home.state, done.snapshot)


BAD_NAMES = ["", "..", "../../etc", "s-1", "s-20260116T120000000000-abcdef01/..", "s-20260116T120000000000-abcdef0Z"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_from_elsewhere_is_no_path(home, name):
    with pytest.raises(NoSnapshotError, match="is no snapshot"):
        load(home.door, home.state, name)
    snapshots.forget(home.door, home.state, name)


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"other"), lambda p: p.unlink()], ids=["changed", "gone"])
def test_damaged_bytes_are_never_put_back(taken, spoil):
    home, snapshot = taken
    spoil(home.state / "snapshots" / snapshot.id / "0.bin")
    [told] = snapshots.restore(home.door, home.state, snapshot.id)
    assert "damaged" in told
    assert home.read(".roo/rules/a.md") == "new\n"
    assert not (home.base / ".roo/rules/b.md").exists()  # the others go back


def test_what_was_changed_since_is_left(taken):
    home, snapshot = taken
    home.write(".roo/rules/a.md", "later\n")
    [told] = snapshots.restore(home.door, home.state, snapshot.id)
    assert "changed by somebody else" in told
    assert home.read(".roo/rules/a.md") == "later\n"


def test_a_mode_comes_back_with_the_file(home):
    path = home.write(".roo/rules/a.md", "old\n")
    path.chmod(0o600)
    done = home.apply(("roo.rules/rules/a.md", None))
    assert not path.exists()
    assert snapshots.restore(home.door, home.state, done.snapshot) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
