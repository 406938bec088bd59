"""Backups: private, whole, checked when they are used, and kept as long as the design says."""

import stat
from datetime import UTC, datetime, timedelta

import pytest

from roosync_agent import snapshots
from roosync_agent.snapshots import NoSnapshotError

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
RULE = "roo.rules/rules/a.md"


@pytest.fixture
def taken(home):
    """A home with a change applied, and the snapshot made for it."""
    home.write(".roo/rules/a.md", "old\n")
    done = home.apply((RULE, "new\n"), ("roo.rules/rules/b.md", "b\n"))
    return home, snapshots.load(home.door, home.state, done.snapshot)


def test_a_snapshot_says_what_was_there_and_what_was_written(taken):
    home, snapshot = taken
    assert [(s.label, s.existed, s.keys) for s in snapshot.files] == [
        ("${home}/.roo/rules/a.md", True, (RULE,)),
        ("${home}/.roo/rules/b.md", False, ("roo.rules/rules/b.md",)),
    ]
    assert snapshots.bytes_of(home.door, home.state, snapshot, 0) == b"old\n"
    assert snapshots.bytes_of(home.door, home.state, snapshot, 1) is None
    assert snapshot.files[0].after == snapshots.digest_of(b"new\n")


def test_only_the_owner_may_read_it(taken):
    home, snapshot = taken
    for path in (home.state / "snapshots" / snapshot.id).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


BAD_NAMES = ["", "..", "../../etc", "s-1", "s-20260116T120000000000-abcdef01/..", "s-20260116T120000000000-abcdef0Z"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_from_elsewhere_is_no_path(home, name):
    with pytest.raises(NoSnapshotError, match="is no snapshot"):
        snapshots.load(home.door, home.state, name)
    snapshots.forget(home.door, home.state, name)


def test_one_that_is_not_kept_any_more_says_what_to_do(home):
    with pytest.raises(NoSnapshotError, match="roosync snapshots"):
        snapshots.load(home.door, home.state, snapshots.new_id(NOW, "abcdef01"))


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"id": 1}'])
def test_a_damaged_index_is_named_and_the_others_are_listed(taken, data):
    home, snapshot = taken
    home.apply((RULE, "newer\n"))
    (home.state / "snapshots" / snapshot.id / "index.json").write_bytes(data)
    with pytest.raises(NoSnapshotError, match="damaged"):
        snapshots.load(home.door, home.state, snapshot.id)
    assert len(list(snapshots.every(home.door, home.state))) == 1


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
    done = home.apply((RULE, None))
    assert not path.exists()
    assert snapshots.restore(home.door, home.state, done.snapshot) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def make(home, count, *, size=10, every=timedelta(hours=1), last=NOW):
    made = home.plan((RULE, "x" * size))
    for number in range(count):
        when = last - every * (count - 1 - number)
        snapshots.take(home.door, home.state, made, f"d-{number}", when, snapshots.new_id(when, f"{number:08x}"))


KEPT = {
    "many of today": (50, timedelta(minutes=1), 50),
    "many of a year": (50, timedelta(days=7), 30),
    "few of a year": (20, timedelta(days=18), 20),
    "one of long ago": (1, timedelta(days=400), 1),
}


@pytest.mark.parametrize(("count", "every", "left"), KEPT.values(), ids=KEPT)
def test_thirty_or_thirty_days_whichever_is_more(home, count, every, left):
    home.write(".roo/rules/a.md", "old\n")
    make(home, count, every=every)
    gone = snapshots.prune(home.door, home.state, NOW)
    known = list(snapshots.every(home.door, home.state))
    assert (len(known), len(gone)) == (left, count - left)
    assert known[-1].label == f"d-{count - 1}"
    assert len(list((home.state / "snapshots").iterdir())) == left


def test_too_large_are_the_oldest_and_never_the_last(home, monkeypatch):
    monkeypatch.setattr(snapshots, "KEEP_BYTES", 2500)
    home.write(".roo/rules/a.md", "x" * 1000)
    make(home, 5, size=3)
    snapshots.prune(home.door, home.state, NOW)
    assert [s.label for s in snapshots.every(home.door, home.state)] == ["d-3", "d-4"]
    monkeypatch.setattr(snapshots, "KEEP_BYTES", 1)
    snapshots.prune(home.door, home.state, NOW)
    assert [s.label for s in snapshots.every(home.door, home.state)] == ["d-4"]


def test_what_a_crash_left_unfinished_is_forgotten(taken):
    home, snapshot = taken
    half = home.state / "snapshots" / snapshots.new_id(NOW, "00000001")
    half.mkdir()
    (half / "0.bin").write_bytes(b"x")
    (home.state / "snapshots" / "mine").mkdir()
    assert snapshots.prune(home.door, home.state, NOW) == [half.name]
    assert sorted(p.name for p in (home.state / "snapshots").iterdir()) == ["mine", snapshot.id]
