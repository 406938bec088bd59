"""The locks of assistants: one order, one owner, given back, and those of the dead told from those of the living."""

import os
import threading
import time

import pytest

from roosync_agent.applying import tool_locks
from roosync_agent.files.door import RealDoor
from roosync_agent.files.file_state import FileBusyError

DOOR = RealDoor()


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(tool_locks, "PATIENCE", 0.15)


def test_a_lock_is_beside_each_name_of_the_file(tmp_path):
    (tmp_path / "real").mkdir()
    path, real = tmp_path / "link.json", tmp_path / "real" / "file.json"
    assert tool_locks.folders_of(DOOR, path, real) == [
        tmp_path / "link.json.lock",
        tmp_path / "real" / "file.json.lock",
    ]
    assert tool_locks.folders_of(DOOR, real, real) == [tmp_path / "real" / "file.json.lock"]
    assert tool_locks.folders_of(DOOR, tmp_path / "no" / "x.json", tmp_path / "no" / "x.json") == []


def test_all_are_held_and_all_are_given_back(tmp_path):
    locks = [tmp_path / "b.lock", tmp_path / "a.lock", tmp_path / "a.lock"]
    with tool_locks.held(DOOR, locks):
        assert DOOR.names(tmp_path) == ["a.lock", "b.lock"]
    assert DOOR.names(tmp_path) == []


def test_when_one_is_taken_none_is_kept(tmp_path):
    (tmp_path / "b.lock").mkdir()
    with (
        pytest.raises(FileBusyError, match="its assistant"),
        tool_locks.held(DOOR, [tmp_path / "a.lock", tmp_path / "b.lock"]),
    ):
        pass
    assert DOOR.names(tmp_path) == ["b.lock"]


def test_a_lock_that_is_given_back_in_time_is_waited_for(tmp_path):
    (tmp_path / "a.lock").mkdir()
    threading.Timer(0.05, (tmp_path / "a.lock").rmdir).start()
    with tool_locks.held(DOOR, [tmp_path / "a.lock"]):
        pass


TAKEN = {
    "fresh": (lambda path: path.mkdir(), 0),
    "of the future": (lambda path: path.mkdir(), -500),
    "nearly stale": (lambda path: path.mkdir(), 25),
    "a file": (lambda path: path.touch(), 100),
    "a folder with something in it": (lambda path: (path / "x").mkdir(parents=True), 100),
}


@pytest.mark.parametrize(("make", "age"), TAKEN.values(), ids=TAKEN)
def test_what_is_somebodys_is_never_taken_and_never_waited_for_long(tmp_path, make, age):
    lock = tmp_path / "a.lock"
    make(lock)
    os.utime(lock, (time.time() - age,) * 2)
    began = time.monotonic()
    with pytest.raises(FileBusyError), tool_locks.held(DOOR, [lock]):
        pass
    assert time.monotonic() - began < 1
    assert lock.exists()


def test_a_stale_one_is_taken(tmp_path):
    lock = tmp_path / "a.lock"
    lock.mkdir()
    os.utime(lock, (time.time() - 32,) * 2)
    with tool_locks.held(DOOR, [lock]):
        assert time.time() - lock.stat().st_mtime < 5


LEFT = {"ours": (0.01, False), "made before our transaction": (-5, True), "made long after": (60, True)}


@pytest.mark.parametrize(("after", "stays"), LEFT.values(), ids=LEFT)
def test_after_a_crash_only_our_own_locks_go(tmp_path, after, stays):
    lock = tmp_path / "a.lock"
    lock.mkdir()
    since = time.time_ns()
    os.utime(lock, ns=(since + int(after * 1e9),) * 2)
    tool_locks.leave(DOOR, [lock, tmp_path / "none.lock"], since)
    assert lock.exists() is stays
