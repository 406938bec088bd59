"""The door: what it refuses, what it keeps, and that a dry run answers like the disk."""

import os
import stat
from pathlib import Path

import pytest

from roosync_agent.files.door import TREE_DEPTH, RealDoor, make_parents, missing_parents, temporary_for
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.files.file_state import FileBusyError, FileRefusedError
from roosync_agent.files.safe_names import safe_relative

DOOR = RealDoor()


def loop(folder: Path) -> Path:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def huge(folder: Path) -> Path:
    with (folder / "huge").open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    return folder / "huge"


UNREADABLE = {
    "a loop of links": (loop, "loop"),
    "a pipe, without waiting for its other end": (fifo, "not a regular file"),
    "a folder": (lambda folder: folder, "folder"),
    "too large": (huge, "more than the limit"),
    "a name with a NUL": (lambda folder: folder / "a\0b", "no valid file name"),
    "a name that is too long": (lambda folder: folder / ("x" * 400), "too long"),
}


@pytest.mark.parametrize("door", [DOOR, DryDoor(DOOR)], ids=["real", "dry"])
@pytest.mark.parametrize(("make", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_readable_file_is_refused_with_the_reason(tmp_path, make, reason, door):
    with pytest.raises(FileRefusedError, match=reason):
        door.read(make(tmp_path))


def test_missing_is_a_state_and_a_link_to_nowhere_says_so(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert not DOOR.read(tmp_path / "none").exists
    assert not DOOR.read(tmp_path / "none" / "below").exists
    state = DOOR.read(tmp_path / "link")
    assert (state.kind, state.dangling, state.real_path) == ("missing", True, tmp_path.resolve() / "nowhere")


def test_a_state_does_not_show_the_bytes(tmp_path):
    (tmp_path / "f").write_text("hunter2")
    assert "hunter2" not in repr(DOOR.read(tmp_path / "f"))


def test_writing_keeps_links_and_mode(tmp_path):
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_bytes(b"old")
    real.chmod(0o640)
    (tmp_path / "hop").symlink_to(real)
    (tmp_path / "config.json").symlink_to("hop")
    state = DOOR.read(tmp_path / "config.json")
    temporary = temporary_for(state.real_path, "t1")
    DOOR.prepare(temporary, b"new", mode=state.mode, like=state)
    assert real.read_bytes() == b"old"
    DOOR.replace(temporary, state.real_path)
    assert (tmp_path / "config.json").is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert DOOR.names(real.parent) == ["mcp.json"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may give a file away")
def test_writing_keeps_the_owner(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    os.chown(tmp_path / "f", 1234, 4321)
    state = DOOR.read(tmp_path / "f")
    DOOR.prepare(temporary_for(state.real_path, "t"), b"new", mode=state.mode, like=state)
    assert DOOR.stat(temporary_for(state.real_path, "t")).owner == (1234, 4321)


def test_a_temporary_that_can_not_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileRefusedError, match="disk is full"):
        DOOR.prepare(tmp_path / "t", b"data", mode=0o600)
    assert DOOR.names(tmp_path) == []


def test_nobody_writes_through_a_link_planted_at_the_temporary(tmp_path):
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "t").symlink_to(tmp_path / "victim")
    with pytest.raises(FileRefusedError):
        DOOR.prepare(tmp_path / "t", b"data", mode=0o600)
    assert (tmp_path / "victim").read_bytes() == b"mine"


def test_one_process_at_a_time(tmp_path):
    with (
        DOOR.lock(tmp_path / "lock"),
        pytest.raises(FileBusyError, match="another roosync"),
        DOOR.lock(tmp_path / "lock"),
    ):
        pass
    with DOOR.lock(tmp_path / "lock"):
        pass


def test_a_tree_is_listed_once_whatever_its_links(tmp_path):
    (tmp_path / "rules" / "deep").mkdir(parents=True)
    (tmp_path / "rules" / "a.md").touch()
    (tmp_path / "rules" / "deep" / "b.md").touch()
    (tmp_path / "rules" / "deep" / "up").symlink_to(tmp_path / "rules")
    (tmp_path / "rules" / "also-deep").symlink_to("deep")  # sorts before the folder it points to
    loop(tmp_path / "rules")
    tree = DOOR.tree(tmp_path / "rules")
    assert tree.names == ("a", "a.md", "b", "deep/b.md")
    assert tree.faults == ()
    assert DOOR.tree(tmp_path / "none").names == ()


def test_a_tree_without_end_is_cut_and_says_so(tmp_path):
    (tmp_path / "/".join("d" * (TREE_DEPTH + 2))).mkdir(parents=True)
    [(_, reason)] = DOOR.tree(tmp_path).faults
    assert "nested deeper" in reason


def test_parents_are_made_outermost_first(tmp_path):
    target = tmp_path / "a" / "b" / "c.md"
    assert missing_parents(DOOR, target) == [tmp_path / "a", tmp_path / "a" / "b"]
    assert make_parents(DOOR, target) == [tmp_path / "a", tmp_path / "a" / "b"]
    assert make_parents(DOOR, target) == []


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
def test_both_doors_answer_the_same(tmp_path, dry):
    (tmp_path / "old.md").write_bytes(b"old")
    (tmp_path / "gone.md").write_bytes(b"gone")
    before = snapshot(tmp_path)
    door = DryDoor(DOOR) if dry else DOOR
    assert door.make_folder(tmp_path / "new")
    assert not door.make_folder(tmp_path / "new")
    temporary = temporary_for(tmp_path / "new" / "x.md", "t")
    door.prepare(temporary, b"x", mode=0o600)
    assert door.names(tmp_path / "new") == [temporary.name]
    door.replace(temporary, tmp_path / "new" / "x.md")
    door.write(tmp_path / "old.md", b"changed")
    door.remove(tmp_path / "gone.md")
    assert door.read(tmp_path / "old.md").data == b"changed"
    assert door.read(tmp_path / "new" / "x.md").data == b"x"
    assert not door.stat(tmp_path / "gone.md").exists
    assert door.stat(tmp_path / "new").kind == "folder"
    assert door.tree(tmp_path).names == ("new/x.md", "old.md")
    assert door.names(tmp_path) == ["new", "old.md"]
    assert (snapshot(tmp_path) == before) is dry


NAMES = {
    "rules/00-security.md": True,
    "commands/deploy/run.md": True,
    "règles/été.md": True,
    "a..b.md": True,
    "console.md": True,
    ".hidden.md": True,
    "": False,
    "../x.md": False,
    "a/../../x.md": False,
    "a//b.md": False,
    "./x.md": False,
    "/etc/passwd": False,
    "C:/x.md": False,
    "C:x.md": False,
    "a\\..\\x.md": False,
    "x.md:stream": False,
    "con": False,
    "rules/NUL.md": False,
    "com1.txt": False,
    "x.md.": False,
    "x.md ": False,
    "a\0b": False,
    "a\nb": False,
    "evil\u202edm.exe": False,
    "zero\u200bwidth.md": False,
    "x" * 130: False,
    "/".join("d" * 20): False,
}


@pytest.mark.parametrize(("name", "harmless"), NAMES.items(), ids=[ascii(name)[:40] for name in NAMES])
def test_names_from_others_stay_in_their_folder(name, harmless):
    if harmless:
        assert safe_relative(name) == name
    else:
        with pytest.raises(ValueError):
            safe_relative(name)


def test_one_name_has_one_spelling():
    assert safe_relative("e\u0301te\u0301.md") == "\u00e9t\u00e9.md"
