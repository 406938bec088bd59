"""Killed with SIGKILL before each single touch of the disk, and in the middle of writing: all old or all new.

The process is forked, applies seven files (one of them new in a new folder, one that goes), and kills itself at the
n-th touch; then an agent starts again and recovers. The same for a change that fails its check and is being put
back, and for a recovery that is itself killed.
"""

import os
import signal
import tempfile
from pathlib import Path

import msgspec
import pytest

from roosync_agent.applying import journal
from roosync_agent.files.door import RealDoor
from roosync_agent.files.file_state import FileRefusedError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")

MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
MODES = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/custom_modes.yaml"
OLD = {
    MCP: '{\n  // mine\n  "mcpServers": {\n    "a": {"command": "a"}\n  }\n}\n',
    MODES: "customModes:\n  - slug: code # mine\n    name: Code\n    groups: [read]\n",
    ".claude.json": '{"oauthAccount": {"x": 1}, "mcpServers": {"b": {"command": "b"}}}',
    ".claude/settings.json": '{"model": "opus"}\n',
    ".roo/rules/a.md": "one\ntwo\n",
    ".roo/rules/gone.md": "bye\n",
}
CHANGES = (
    ("roo.mcp/a", {"command": "a", "args": ["--new"]}),
    ("roo.modes/code", {"slug": "code", "name": "Coder", "groups": ["read"]}),
    ("claude.mcp/b", {"command": "b", "args": ["--new"]}),
    ("claude.settings/model", "sonnet"),
    ("roo.rules/rules/a.md", "one\nthree\n"),
    ("roo.rules/rules/gone.md", None),
    ("roo.rules/rules-new/deep/c.md", "hello\n"),
)


class KillingDoor(RealDoor):
    """Kills this process at the n-th touch of the disk; in the middle of it, when it is a writing one."""

    def __init__(self, at: int) -> None:
        self.left = at

    def touch(self) -> bool:
        self.left -= 1
        return self.left == 0

    def prepare(self, temporary, data, *, mode, like=None):
        if self.touch():
            temporary.write_bytes(data[: len(data) // 2])
            die()
        super().prepare(temporary, data, mode=mode, like=like)

    def replace(self, temporary, target):
        if self.touch():
            die()
        super().replace(temporary, target)

    def remove(self, path):
        if self.touch():
            die()
        super().remove(path)

    def make_folder(self, path, *, mode=0o755):
        if self.touch():
            die()
        return super().make_folder(path, mode=mode)

    def remove_folder(self, path):
        if self.touch():
            die()
        return super().remove_folder(path)

    def sync_folder(self, path):
        if self.touch():
            die()
        super().sync_folder(path)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killed(home, at, action):
    """Runs `action` in a process of its own that dies at the `at`-th touch. False when it ended before."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            home.door = KillingDoor(at)
            action(home)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def apply(home):
    assert home.execute(home.plan(*CHANGES)).status == "applied"


def committed(home):
    """Killed in the middle of the renames."""

    def at_the_fourth(home):
        home.execute(home.plan(*CHANGES), step=lambda name: name == "replace 3" and die())

    prepare(home)
    assert killed(home, 10_000, at_the_fourth)
    assert journal.open_(home.door, home.state)


def fail(home):
    """Applied, not what was wanted when it is read back, and put back."""
    made = home.plan(*CHANGES)
    before = home.collect()
    assert home.execute(made, collect_again=lambda: before).status == "rolled_back"


def prepare(home):
    for name, text in OLD.items():
        home.write(name, text)
    home.write(".roo/rules-code/other.md", "not ours to change now\n")


def everything(home):
    """All files with their bytes, all folders; the home alone must look as if nothing had happened."""
    folders = {path.relative_to(home.base).as_posix(): None for path in home.base.rglob("*") if path.is_dir()}
    return home.files() | folders


def left_in_state(home):
    names = [path.name for path in home.state.rglob("*") if path.is_file()]
    return [name for name in names if name == journal.NAME or ".roosync-" in name]


@pytest.fixture
def home(home):
    """Where writing is cheap, when there is such a place: each touch is followed to the disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield home
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        home.base, home.state = Path(folder) / "ana", Path(folder) / "state"
        yield home


@pytest.fixture
def states(home):
    """What the home looks like before, and after: by a run that nobody kills."""
    prepare(home)
    old = everything(home)
    apply(home)
    new = everything(home)
    assert old != new
    assert len(home.plan(*CHANGES).changes) == 0
    return old, new


def reset(home):
    for path in sorted(home.base.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    for path in sorted(home.state.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    prepare(home)


def test_an_apply_that_is_killed_leaves_all_old_or_all_new(home, states):
    old, new = states
    seen = []
    for at in range(1, 500):
        reset(home)
        if not killed(home, at, apply):
            break
        home.recover()
        found = everything(home)
        assert found in (old, new), f"killed at touch {at}"
        assert left_in_state(home) == [], f"killed at touch {at}"
        seen.append(found == new)
    else:
        pytest.fail("it never ended")
    assert len(seen) > 40
    assert seen == sorted(seen), "once new, always new"
    assert any(seen)
    assert not all(seen)


def test_a_restore_that_is_killed_ends_all_old_or_all_new(home, states):
    old, new = states
    seen = []
    for at in range(1, 500):
        reset(home)
        if not killed(home, at, fail):
            break
        home.recover()
        found = everything(home)
        assert found in (old, new), f"killed at touch {at}"
        assert left_in_state(home) == [], f"killed at touch {at}"
        seen.append(found == old)
    assert len(seen) > 60
    assert seen[-5:] == [True] * 5
    assert everything(home) == old


@pytest.mark.parametrize(("action", "at"), [(apply, 0.5), (apply, 0.75), (fail, 0.85)])
def test_a_recovery_that_is_killed_is_carried_on(home, states, action, at):
    old, new = states
    reset(home)
    home.door = counting = KillingDoor(10_000)
    action(home)
    total = 10_000 - counting.left
    home.door = RealDoor()
    for again in range(1, 200):
        reset(home)
        assert killed(home, int(total * at), action)
        done = not killed(home, again, lambda home: home.recover())
        home.recover()
        assert everything(home) in (old, new), again
        assert left_in_state(home) == []
        if done:
            break
    assert again > 3


def test_the_next_change_finishes_what_was_interrupted(home):
    committed(home)
    made = home.plan(("roo.rules/rules-code/other.md", "changed\n"))
    done = home.execute(made)
    assert done.status == "applied"
    assert any("interrupted" in line for line in done.log)
    assert home.read(".roo/rules-code/other.md") == "changed\n"
    assert not journal.open_(home.door, home.state)


def test_nothing_is_written_while_an_earlier_change_can_not_be_finished(home, monkeypatch):
    committed(home)
    made = home.plan(("roo.rules/rules-code/other.md", "changed\n"))

    def refuse(self, temporary, target):
        raise FileRefusedError(target, "permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(RealDoor, "replace", refuse)
        done = home.execute(made)
        assert done.status == "deferred"
        assert "permission denied" in " ".join(done.log)
    assert journal.open_(home.door, home.state)  # kept, and tried again
    home.recover()
    assert not journal.open_(home.door, home.state)


def test_what_somebody_else_changed_meanwhile_is_left_and_told(home):
    committed(home)
    theirs = '{"mcpServers": {"theirs": {"command": "t"}}}'
    home.write(MCP, theirs)
    told = home.recover()
    assert home.read(MCP) == theirs
    assert [line for line in told if "mcp_settings.json was changed by somebody else" in line]
    assert home.read(".roo/rules/a.md") == "one\nthree\n"
    assert left_in_state(home) == []
    assert not [name for name in home.files() if ".roosync-" in name]


def test_a_file_that_became_a_folder_meanwhile_is_left_and_told(home):
    committed(home)
    path = home.base / MCP
    path.unlink()
    path.mkdir()
    told = home.recover()
    assert path.is_dir()
    assert [line for line in told if "was changed by somebody else" in line]
    assert not journal.open_(home.door, home.state)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 5000, b"\xff", b'{"transaction": 1}'])
def test_a_journal_that_can_not_be_read_is_told_and_nothing_is_written(home, data):
    prepare(home)
    (home.state / "journal").mkdir(parents=True)
    (home.state / "journal" / journal.NAME).write_bytes(data)
    before = home.files()
    assert "can not be read" in home.recover()[0]
    done = home.execute(home.plan(*CHANGES))
    assert done.status == "deferred"
    assert "move it away" in " ".join(done.log)
    assert home.files() == before


def test_a_recovery_waits_for_a_change_that_is_under_way(home):
    (home.state / "run").mkdir(parents=True)
    with home.door.lock(home.state / "run" / "apply.lock"):
        assert "another roosync process is applying" in home.recover()[0]


def test_a_record_is_read_as_it_was_written(home):
    record = journal.Record(
        transaction="ab", label="d-1", snapshot="s", phase="restoring", steps=(), locks=("/x.lock",), time_ns=7
    )
    journal.write(home.door, home.state, record)
    assert journal.read(home.door, home.state) == record
    assert msgspec.json.decode((home.state / "journal" / journal.NAME).read_bytes())["phase"] == "restoring"
    assert Path(home.state / "journal" / journal.NAME).stat().st_mode & 0o777 == 0o600
