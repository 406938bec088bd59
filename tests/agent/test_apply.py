"""Safe apply on untidy files and unlucky days: what is kept, what is refused, what is put back, and in which words."""

import os
import stat
import subprocess
import time
from contextlib import contextmanager

import pytest

from roosync_agent.applying import check as own_check
from roosync_agent.applying import journal, tool_locks
from roosync_agent.files.door import RealDoor
from roosync_agent.files.dry_door import DryDoor
from roosync_agent.files.file_state import FileRefusedError

MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
SERVERS = """{
  // mine
  "mcpServers": {
    "a": {"command": "a", "args": []}, // keep
    "b": {"command": "b"}
  }
}
"""
WANTED = ("roo.mcp/a", {"command": "a", "args": ["--new"]})
TOKEN = "ghp_FAKEfakeFAKEfakeFAKEfakeFAKEfake1234"
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def leftovers(home):
    """Whatever is not a file of the person's: temporaries, locks, records."""
    found = [p for p in (*home.base.rglob("*"), *home.state.rglob("*")) if ".roosync-" in p.name or p.suffix == ".lock"]
    return [p.name for p in found if p.name != "apply.lock"] + ["journal"] * journal.open_(home.door, home.state)


def test_only_what_changes_is_written(home):
    home.write(MCP, SERVERS)
    done = home.apply(WANTED)
    assert done.status == "applied"
    assert done.log == ["backup made", "wrote ${vscode_user}/" + MCP.split("/User/")[1], "read back and verified"]
    assert home.read(MCP) == SERVERS.replace("[]", '["--new"]')
    assert leftovers(home) == []


def test_what_is_there_already_is_not_written(home):
    path = home.write(MCP, SERVERS)
    before = path.stat()
    done = home.apply(("roo.mcp/a", {"command": "a", "args": []}), ("roo.mcp/none", None))
    assert (done.status, done.touched, done.snapshot) == ("applied", False, "")
    assert path.stat() == before
    assert not home.state.exists()


KEPT = {
    "CRLF": b'{\r\n  "mcpServers": {\r\n    "a": {"args": []}\r\n  }\r\n}\r\n',
    "a byte order mark": b'\xef\xbb\xbf{"mcpServers": {"a": {"args": []}}}\n',
    "no final newline": b'{"mcpServers": {"a": {"args": []}}}',
    "tabs and comments": b'{\n\t// why\n\t"mcpServers": {\n\t\t"a": {"args": [],}, // here\n\t},\n}\n',
    "other keys": b'{"x": 1, "mcpServers": {"a": {"args": []}}, "y": "\xc3\xa9\xf0\x9f\x99\x82"}\n',
}


@pytest.mark.parametrize("data", KEPT.values(), ids=KEPT)
def test_every_other_byte_stays(home, data):
    home.write(MCP, data)
    assert home.apply(("roo.mcp/a", {"args": ["x"]})).status == "applied"
    assert (home.base / MCP).read_bytes() == data.replace(b"[]", b'["x"]')


def test_line_ends_and_marks_of_a_text_stay(home):
    home.write(".roo/rules/a.md", b"\xef\xbb\xbfone\r\ntwo\r\nthree")
    assert home.apply(("roo.rules/rules/a.md", "one\nTWO\nthree")).status == "applied"
    assert (home.base / ".roo/rules/a.md").read_bytes() == b"\xef\xbb\xbfone\r\nTWO\r\nthree"


def test_links_and_mode_stay(home):
    real = home.write("dotfiles/deep/servers.json", SERVERS)
    real.chmod(0o640)
    (home.base / "dotfiles/hop.json").symlink_to("deep/servers.json")
    (home.base / MCP).symlink_to(home.base / "dotfiles/hop.json")
    assert home.apply(WANTED).status == "applied"
    assert (home.base / MCP).is_symlink()
    assert (home.base / "dotfiles/hop.json").is_symlink()
    assert "--new" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_new_file_is_private_where_it_holds_secrets(home):
    (home.base / ".roo").mkdir()
    done = home.apply(("roo.mcp/a", {"command": "a"}), ("roo.rules/rules/new/a.md", "x\n"))
    assert done.status == "applied"
    assert stat.S_IMODE((home.base / MCP).stat().st_mode) == 0o600
    assert stat.S_IMODE((home.base / ".roo/rules/new/a.md").stat().st_mode) == 0o644


def hard_link(home):
    os.link(home.base / MCP, home.base / "second.json")


def link_out(home):
    outside = home.base.parent / "elsewhere.json"
    (home.base / MCP).rename(outside)
    (home.base / MCP).symlink_to(outside)


def loop(home):
    (home.base / MCP).unlink()
    (home.base / MCP).symlink_to(home.base / MCP)


def folder(home):
    (home.base / MCP).unlink()
    (home.base / MCP).mkdir()


def dangling(home):
    (home.base / MCP).unlink()
    (home.base / MCP).symlink_to(home.base / "nowhere.json")


def huge(home):
    with (home.base / MCP).open("ab") as file:
        file.truncate(50 * 1024 * 1024)


def deep(home):
    home.write(MCP, '{"mcpServers": {"a": ' + "[" * 10_000 + "]" * 10_000 + "}}")


def twice(home):
    home.write(MCP, '{"mcpServers": {\n"a": {"command": "x"},\n"a": {"command": "y"}}}')


def binary(home):
    home.write(MCP, bytes(range(256)))


REFUSED = {
    "a hard link": (hard_link, "second name"),
    "a link that leads out": (link_out, "outside the managed home"),
    "a loop of links": (loop, "loop"),
    "a folder": (folder, "it is a folder"),
    "a link to nothing": (dangling, "link to nothing"),
    "50 MB": (huge, "more than the limit"),
    "10,000 levels": (deep, "inside each other"),
    "one name twice": (twice, "line 3: the name 'a' is there twice"),
    "binary": (binary, "UTF-8"),
}


@pytest.mark.parametrize(("spoil", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_written_well_is_refused_with_the_reason_and_stays_whole(home, spoil, reason):
    home.write(MCP, SERVERS)
    spoil(home)
    before = home.files() if spoil is not huge else {}
    made = home.plan(WANTED)
    assert reason in made.refusals["roo.mcp/a"]
    assert made.changes == ()
    assert (home.files() if spoil is not huge else {}) == before


def test_a_link_is_not_deleted_through(home):
    home.write("dotfiles/a.md", "mine\n")
    (home.base / ".roo/rules").mkdir(parents=True)
    (home.base / ".roo/rules/a.md").symlink_to(home.base / "dotfiles/a.md")
    assert "symbolic link" in home.plan(("roo.rules/rules/a.md", None)).refusals["roo.rules/rules/a.md"]
    assert home.apply(("roo.rules/rules/a.md", "ours\n")).status == "applied"
    assert home.read("dotfiles/a.md") == "ours\n"


def test_two_names_of_one_file_are_not_written_at_once(home):
    home.write(".roo/rules/a.md", "x\n")
    (home.base / ".roo/rules/b.md").symlink_to("a.md")
    made = home.plan(("roo.rules/rules/a.md", "1\n"), ("roo.rules/rules/b.md", "2\n"))
    assert len(made.changes) == 1
    assert "links to one file" in made.refusals["roo.rules/rules/b.md"]


def test_a_folder_that_is_a_link_is_followed(home):
    outside = home.base.parent / "shared-roo"
    (outside / "rules").mkdir(parents=True)
    (home.base / ".roo").symlink_to(outside)
    assert home.apply(("roo.rules/rules/a.md", "x\n")).status == "applied"
    assert (outside / "rules/a.md").read_text() == "x\n"


# -- somebody else


THEIRS = SERVERS.replace('"b"', '"theirs"')


def test_a_file_that_changed_since_it_was_planned_is_left_for_the_next_look(home):
    home.write(MCP, SERVERS)
    made = home.plan(WANTED)
    home.write(MCP, THEIRS)
    done = home.execute(made)
    assert (done.status, done.touched) == ("deferred", False)
    assert home.read(MCP) == THEIRS
    assert home.apply(WANTED).status == "applied"
    assert home.read(MCP) == THEIRS.replace("[]", '["--new"]')


@pytest.mark.parametrize("at", ["journal", "snapshot", "temporary 0", "commit"])
def test_a_file_that_changes_while_everything_is_made_ready_loses_nothing(home, at):
    home.write(MCP, SERVERS)
    made = home.plan(WANTED)
    done = home.execute(made, step=lambda name: name == at and home.write(MCP, THEIRS))
    assert done.status in ("deferred", "rolled_back")
    assert home.read(MCP) == THEIRS
    assert leftovers(home) == []


def test_a_file_that_changes_between_the_renames_stops_them_and_the_first_goes_back(home):
    home.write(".roo/rules/a.md", "old\n")
    home.write(".roo/rules/b.md", "old\n")
    made = home.plan(("roo.rules/rules/a.md", "new\n"), ("roo.rules/rules/b.md", "new\n"))
    done = home.execute(made, step=lambda name: name == "replace 1" and home.write(".roo/rules/b.md", "theirs\n"))
    assert done.status == "rolled_back"
    assert "b.md was changed by somebody else" in done.log[1]
    assert (home.read(".roo/rules/a.md"), home.read(".roo/rules/b.md")) == ("old\n", "theirs\n")


def test_an_assistant_that_rewrites_the_file_at_once_is_seen(home):
    home.write(MCP, SERVERS)
    home.write(".roo/rules/a.md", "old\n")
    made = home.plan(WANTED, ("roo.rules/rules/a.md", "new\n"))
    done = home.execute(made, step=lambda name: name == "verify" and home.write(MCP, THEIRS))
    assert done.status == "rollback_failed"
    assert "roo.mcp/a was written and reads back as something else" in done.log
    assert "is left as it is" in done.log[-1]
    assert home.read(MCP) == THEIRS
    assert home.read(".roo/rules/a.md") == "old\n"
    assert leftovers(home) == []


def test_a_file_that_is_replaced_by_a_folder_meanwhile_is_deferred(home):
    path = home.write(MCP, SERVERS)
    made = home.plan(WANTED)
    path.unlink()
    path.mkdir()
    done = home.execute(made)
    assert (done.status, done.touched) == ("deferred", False)
    assert path.is_dir()


# -- the assistants' own locks


def lock_of(home):
    return (home.base / MCP).with_name("mcp_settings.json.lock")


def test_a_fresh_lock_is_waited_for_and_then_the_change_is_put_off(home, monkeypatch):
    monkeypatch.setattr(tool_locks, "PATIENCE", 0.1)
    home.write(MCP, SERVERS)
    lock_of(home).mkdir()
    done = home.apply(WANTED)
    assert done.status == "deferred"
    assert "its assistant is writing" in done.log[-1]
    assert home.read(MCP) == SERVERS
    assert lock_of(home).is_dir()  # theirs
    assert not list(home.state.rglob("s-*"))


@pytest.mark.parametrize("inside", [False, True], ids=["empty", "with something in it"])
def test_a_lock_nobody_touched_for_long_belongs_to_nobody(home, monkeypatch, inside):
    monkeypatch.setattr(tool_locks, "PATIENCE", 0.1)
    home.write(MCP, SERVERS)
    lock_of(home).mkdir()
    if inside:
        (lock_of(home) / "x").touch()
    os.utime(lock_of(home), (time.time() - 40,) * 2)
    began = time.monotonic()
    assert home.apply(WANTED).status == ("deferred" if inside else "applied")
    assert time.monotonic() - began < 2
    assert lock_of(home).exists() is inside


def test_the_lock_is_held_while_the_file_changes_and_no_longer(home):
    home.write(MCP, SERVERS)
    held = {}
    home.apply(WANTED, step=lambda name: held.setdefault(name, lock_of(home).exists()))
    assert {name for name, there in held.items() if there} == {
        "snapshot", "temporary 0", "commit", "replace 0", "sync", "replaced"
    }  # fmt: skip


def test_a_linked_file_is_locked_by_both_names(home):
    home.write("dotfiles/servers.json", SERVERS)
    (home.base / MCP).symlink_to(home.base / "dotfiles/servers.json")
    seen = []
    home.apply(WANTED, step=lambda name: name == "commit" and seen.extend(home.base.rglob("*.lock")))
    assert sorted(path.name for path in seen) == ["mcp_settings.json.lock", "servers.json.lock"]
    assert leftovers(home) == []


# -- the person's own check


CHECKS = {
    "yes": (["true"], "applied", "read back and verified"),
    "no": (["sh", "-c", "echo fine; echo not this model >&2; exit 3"], "rolled_back", "the check refuses it: not this"),
    "no, without a word": (["false"], "rolled_back", "it gave no reason"),
    "missing": (["/nowhere/check"], "rolled_back", "could not be run: No such file"),
    "too slow": (["sh", "-c", "sleep 60 & sleep 60"], "rolled_back", "did not end within 0.3 s"),
    "a NUL in it": (["a\0b"], "rolled_back", "could not be run"),
    "endless words": (["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; exit 1"], "rolled_back", "xxxx"),
    "a secret in its words": (["sh", "-c", f"echo {TOKEN}; exit 1"], "rolled_back", "refuses"),
}


@pytest.mark.parametrize(("command", "status", "said"), CHECKS.values(), ids=CHECKS)
def test_the_persons_own_check_has_the_last_word(home, command, status, said):
    home.write(MCP, SERVERS)
    began = time.monotonic()
    done = home.apply(WANTED, check=command, check_timeout=0.3 if "sleep" in str(command) else 20)
    assert done.status == status
    assert said in "\n".join(done.log)
    assert max(map(len, done.log)) < 600
    assert "FAKE" not in str(done.log)
    assert (home.read(MCP) == SERVERS) is (status == "rolled_back")
    assert time.monotonic() - began < 10
    assert leftovers(home) == []


def test_a_check_that_is_too_slow_leaves_no_process(tmp_path):
    with pytest.raises(own_check.CheckError):
        own_check.run_check(["sh", "-c", f"sleep 31.4159 & echo $! > {tmp_path}/pid; wait"], 0.4)
    pid = (tmp_path / "pid").read_text().strip()
    for _ in range(50):
        listed = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
        if not listed.strip() or listed.startswith("Z"):
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


def test_whatever_goes_wrong_while_it_is_verified_the_files_go_back(home):
    home.write(MCP, SERVERS)

    def broken():
        raise KeyError("a fault of ours")

    done = home.execute(home.plan(WANTED), collect_again=broken)
    assert done.status == "rolled_back"
    assert "could not be verified (KeyError)" in done.log[-1]
    assert home.read(MCP) == SERVERS


# -- the disk


class FailingDoor(RealDoor):
    def __init__(self, method: str, number: int) -> None:
        self.method, self.number = method, number

    def count(self, method: str, path) -> None:
        if method == self.method:
            self.number -= 1
            if self.number == 0:
                raise FileRefusedError(path, "the disk is full")

    def prepare(self, temporary, data, *, mode, like=None):
        self.count("prepare", temporary)
        super().prepare(temporary, data, mode=mode, like=like)

    def replace(self, temporary, target):
        self.count("replace", target)
        super().replace(temporary, target)

    def make_folder(self, path, *, mode=0o755):
        self.count("make_folder", path)
        return super().make_folder(path, mode=mode)

    def sync_folder(self, path):
        self.count("sync_folder", path)
        super().sync_folder(path)

    def remove(self, path):
        self.count("remove", path)
        super().remove(path)


@pytest.mark.parametrize("method", ["prepare", "replace", "make_folder", "sync_folder", "remove"])
def test_one_refusal_of_the_disk_anywhere_leaves_all_old_or_all_new(home, method):
    changes = (
        WANTED,
        ("roo.rules/rules/a.md", "new\n"),
        ("roo.rules/rules/b.md", None),
        ("roo.rules/rules/n/c.md", "c\n"),
    )
    for number in range(1, 60):
        home.door = RealDoor()
        home.write(MCP, SERVERS)
        home.write(".roo/rules/a.md", "old\n")
        home.write(".roo/rules/b.md", "old\n")
        before = home.files()
        made = home.plan(*changes)
        home.door = door = FailingDoor(method, number)
        done = home.execute(made)
        home.door = RealDoor()
        after = home.files()
        if done.status == "applied":
            assert home.read(MCP) == SERVERS.replace("[]", '["--new"]')
            assert (home.read(".roo/rules/a.md"), home.read(".roo/rules/n/c.md")) == ("new\n", "c\n")
        elif done.status != "rollback_failed":
            assert after == before, (number, done)
        home.recover()
        assert leftovers(home) == [], (number, done)
        for name in (".roo/rules/n/c.md", ".roo/rules/n"):
            path = home.base / name
            if path.exists():
                path.unlink() if path.is_file() else path.rmdir()
        if door.number > 0:
            break
    assert number > 2


@contextmanager
def tiny_disk(folder, size="64k"):
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no right to mount a tiny disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(not ROOT, reason="only root may mount a tiny disk")
def test_a_full_disk_leaves_the_file_whole(home):
    with tiny_disk(home.base / ".roo"):
        home.write(".roo/rules/a.md", "old\n")
        filler = home.base / ".roo" / "filler"
        filler.write_bytes(b"x" * 40_000)
        done = home.apply(("roo.rules/rules/a.md", "new\n" * 8_000))
        assert done.status == "rolled_back"
        assert "the disk is full" in done.log[-1]
        assert home.read(".roo/rules/a.md") == "old\n"
        assert leftovers(home) == []
        filler.unlink()
        assert home.apply(("roo.rules/rules/a.md", "new\n")).status == "applied"


@pytest.mark.skipif(not ROOT, reason="only root may mount a tiny disk")
def test_without_room_for_a_backup_nothing_is_written(home):
    home.write(".roo/rules/a.md", "old\n" * 20_000)
    with tiny_disk(home.state):
        done = home.apply(("roo.rules/rules/a.md", "new\n"))
        assert done.status == "deferred"
        assert "no backup could be made" in done.log[-1]
        assert home.read(".roo/rules/a.md") == "old\n" * 20_000
        assert not list(home.state.rglob("s-*"))


@contextmanager
def read_only(folder):
    """A bind mount that may only be read: root is not stopped by modes."""
    run = lambda *words: subprocess.run(words, capture_output=True, check=False).returncode
    if ROOT:
        if run("mount", "--bind", str(folder), str(folder)) or run("mount", "-o", "remount,ro,bind", str(folder)):
            pytest.skip("no right to mount")
        try:
            yield
        finally:
            run("umount", str(folder))
    else:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)


def test_a_folder_that_may_only_be_read_is_told(home):
    home.write(".roo/rules/a.md", "old\n")
    with read_only(home.base / ".roo" / "rules"):
        done = home.apply(("roo.rules/rules/a.md", "new\n"))
        assert done.status == "rolled_back"
        assert "read-only" in done.log[-1] or "permission denied" in done.log[-1]
        assert home.read(".roo/rules/a.md") == "old\n"
    assert leftovers(home) == []


# -- dry runs


def test_a_dry_run_says_what_a_run_does(home):
    home.write(MCP, SERVERS)
    home.write(".roo/rules/gone.md", "x\n")
    changes = (
        WANTED,
        ("roo.rules/rules/gone.md", None),
        ("roo.rules/rules-new/a.md", "a\n"),
        ("roo.mcp/c", {"command": "c"}),
    )
    before = home.files()
    home.door = dry = DryDoor(RealDoor())
    rehearsed = home.apply(*changes)
    assert rehearsed.status == "applied"
    assert home.files() == before
    assert not home.state.exists()
    home.door = RealDoor()
    real = home.apply(*changes)
    assert real.log == rehearsed.log
    said = {
        path.relative_to(home.base).as_posix(): data
        for path, data in dry.files.items()
        if path.is_relative_to(home.base)
    }
    said = {name: data for name, data in said.items() if ".roosync-" not in name}
    assert {name: data for name, data in (before | said).items() if data is not None} == home.files()


MODES = """customModes:
  # reads
  - slug: reader
    name: Reader

  # writes,
  # and that is all
  - slug: writer
    name: Writer

  - slug: last
    name: Last
"""
ENTRY = {"slug": "writer", "name": "Writer"}


def without_writer(text):
    return text.replace(text[text.index("  # writes") : text.index("  - slug: last")], "")


def test_what_is_new_stands_where_its_source_has_it_with_its_comments(new_home):
    source, home = new_home("source"), new_home("home")
    source.write(source.MODES, MODES)
    home.write(home.MODES, without_writer(MODES))
    placing = source.collect().placing
    outcome = home.execute(home.plan(("roo.modes/writer", ENTRY), placing=placing))
    assert outcome.status == "applied"
    assert home.read(home.MODES) == MODES


def test_what_is_new_in_a_map_stands_where_its_source_has_it_with_its_comments(new_home):
    source, home = new_home("source"), new_home("home")
    text = '{\n  "mcpServers": {\n    // one\n    "a": {"command": "a"},\n    "b": {"command": "b"}\n  }\n}\n'
    source.write(source.MCP, text)
    home.write(home.MCP, '{\n  "mcpServers": {\n    "b": {"command": "b"}\n  }\n}\n')
    home.execute(home.plan(("roo.mcp/a", {"command": "a"}), placing=source.collect().placing))
    assert home.read(home.MCP) == text


def test_a_comment_that_looks_secret_comes_back_and_never_leaves(home):
    text = SERVERS.replace('"a":', f'// token: {TOKEN}\n    "a":').replace(" // keep", "").replace("[]", '["x"]')
    home.write(home.MCP, text)
    collection = home.collect()
    assert TOKEN in str(collection.placing.comments)
    assert TOKEN not in str(collection.contents())
    gone = home.apply(("roo.mcp/a", None))
    home.write(home.MCP, home.read(home.MCP).replace('"command": "b"', '"command": "mine"'))
    assert home.roll_back(gone.snapshot).status == "applied"
    assert home.read(home.MCP) == text.replace('"command": "b"', '"command": "mine"')


def test_a_file_that_is_mounted_by_itself_is_in_use_and_the_others_go_back(home):
    path = home.write(MCP, SERVERS)
    home.write(".roo/rules/a.md", "old\n")
    if not ROOT or subprocess.run(["mount", "--bind", path, path], capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    try:
        done = home.apply(WANTED, ("roo.rules/rules/a.md", "new\n"))
        assert done.status == "rolled_back"
        assert "the file is in use" in done.log[1]
        assert (home.read(MCP), home.read(".roo/rules/a.md")) == (SERVERS, "old\n")
        assert leftovers(home) == []
    finally:
        subprocess.run(["umount", path], check=True)


LISTS = """{
  "mcpServers": {
    "a": {
      "command": "a",
      "alwaysAllow": [
        "write", // mine first
        "read"
      ]
    }
  }
}
"""


def test_what_is_added_to_a_set_is_one_line_more(home):
    home.write(MCP, LISTS)
    home.apply(("roo.mcp/a", {"alwaysAllow": ["delete", "read", "write"], "command": "a"}))
    assert home.read(MCP) == LISTS.replace('"read"\n', '"read",\n        "delete"\n')
    home.apply(("roo.mcp/a", {"alwaysAllow": ["read", "write"], "command": "a", "disabled": True}))
    assert home.read(MCP) == LISTS.replace("]\n", '],\n      "disabled": true\n')


def test_a_set_in_another_order_is_nothing_to_write(home):
    home.write(MCP, LISTS)
    assert home.plan(("roo.mcp/a", {"alwaysAllow": ["read", "write"], "command": "a"})).changes == ()
