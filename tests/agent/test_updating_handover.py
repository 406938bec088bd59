"""The supervisor's part: whatever was killed at whatever moment, the journal leads to the new version, or the old.

The agents are small programs that answer over the control socket as agents do; all else is the real thing.
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from msgspec.structs import replace

from roosync_agent.running import agent_child, control, supervisor
from roosync_agent.running.agent_child import AgentChild
from roosync_agent.state import State, StateError
from roosync_agent.updating import handover, journal
from roosync_agent.updating.handover import HANDOVER, RETURN_FAILED, Handover
from roosync_agent.updating.journal import Journal, Release
from roosync_agent.updating.releases import Releases
from roosync_protocol import __version__

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Unix sockets, and signals")

NEW = "99.1.0"
NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
AGENT = """
import json, os, signal, socket, sys, time
path, version, life = sys.argv[1:4]
print(f"this is {version}", flush=True)
if life == "dies":
    print("token=ghp_0123456789abcdefghijABCDEFGHIJ456789\\n\\x1b[31mno flux capacitor", file=sys.stderr); sys.exit(3)
if life == "can not run": sys.exit(78)
if life == "ignores": signal.signal(signal.SIGTERM, signal.SIG_IGN)
if life in ("hangs", "ignores"): time.sleep(60)
if os.path.exists(path): os.unlink(path)
health = {"version": version, "campaign": "u-1", "connected": True, "turns": 1}
health |= {"lies": {"version": "1.0.0"}, "is alone": {"connected": False}, "knows nothing": {"campaign": ""},
           "takes no turn": {"turns": 0}}.get(life, {})
with socket.socket(socket.AF_UNIX) as server:
    server.bind(path); server.listen()
    if life == "lives a moment": server.settimeout(0.4)
    while True:
        client, _ = server.accept()
        if life == "answers nothing": continue
        with client:
            client.recv(65536)
            client.sendall((json.dumps({"result": health} if life != "nonsense" else [1]) + "\\n").encode())
"""


class Machine:
    """A state folder, an old release and a new one, and `up` over them."""

    def __init__(self, folder):
        self.state = State(folder / "state")
        self.state.prepare()
        self.releases = Releases(self.state)
        self.releases.prepare()
        self.program = folder / "agent.py"
        self.program.write_text(AGENT)
        self.socket = control.endpoint(self.state.folder)
        self.child = AgentChild("agent", [], handover=Handover(self.state))
        self.old = self.release(__version__, "lives")
        self.releases.set_current(self.old, None)

    def release(self, version, life):
        (self.releases.folder / version).mkdir(exist_ok=True)
        start = (sys.executable, "-I", str(self.program), str(self.socket), version, life)
        return Release(version=version, folder=version, start=start)

    def write(self, phase, life="lives", *, old="lives", tries=1, timeout=3.0, current=False, handed=True):
        self.old, new = self.release(__version__, old), self.release(NEW, life)
        self.releases.set_current(*((new, self.old) if current else (self.old, None)))
        journal.write(
            self.state,
            Journal(
                campaign="u-1", revision=1, version=NEW, phase=phase, old=self.old, new=new, began=NOW, tries=tries,
                health_timeout=timeout, handed_over=handed,
            ),
        )  # fmt: skip

    @property
    def journal(self):
        return journal.read(self.state)

    async def up(self, *phases, seconds=10.0):
        """Runs `up` until the journal is in one of these phases and an agent answers, or until `up` ends: its code."""
        task = asyncio.create_task(supervisor.supervise([self.child]))
        end = time.monotonic() + seconds
        try:
            while not task.done() and (self.journal.phase not in phases or not self._running()):
                assert time.monotonic() < end, self.journal
                await asyncio.sleep(0.02)
            return await task if task.done() else None
        finally:
            self.running = self._running()
            if not task.done():
                os.kill(os.getpid(), 15)
                await task

    def _running(self):
        process = self.child.process
        if process is None or process.returncode is not None:
            return ""
        try:
            words = psutil.Process(process.pid).cmdline()
        except psutil.Error:
            return ""
        return words[-2] if words[2:3] == [str(self.program)] else ""  # or it is not our program yet


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "GRACE", 1.0)
    monkeypatch.setattr(agent_child, "GRACE", 1.0)
    monkeypatch.setattr(agent_child, "BACK_AGAIN", 0.05)
    monkeypatch.setattr(handover, "STEADY", 1.0)
    monkeypatch.setattr(handover, "ANSWERS", 0.3)
    return Machine(tmp_path)


async def test_a_new_version_that_is_well_is_confirmed(machine):
    machine.write("staged")
    await machine.up("confirmed")
    assert machine.running == NEW
    assert machine.releases.current().running.version == NEW
    assert machine.releases.current().previous == machine.old
    assert list(machine.journal.moments) == ["trying", "confirmed"]


NOT_WELL = {  # how it is -> why it goes back
    "dies": "it ended with exit code 3: .*no flux capacitor",
    "can not run": "it ended with exit code 78",
    "hangs": "it was not well within 1 s: it did not answer",
    "ignores": "it was not well within 1 s: it did not answer",
    "lies": r"it says that it is version 1\.0\.0",
    "is alone": "it was not well within 1 s: it does not reach the broker",
    "takes no turn": "it was not well within 1 s: it took no turn to its end",
    "knows nothing": "it was not well within 1 s: it knows nothing of this campaign",
    "answers nothing": "it was not well within 1 s: it hangs",
    "nonsense": "it was not well within 1 s",
}


@pytest.mark.parametrize(("life", "reason"), NOT_WELL.items(), ids=NOT_WELL)
async def test_one_that_is_not_goes_back(machine, life, reason):
    machine.write("staged", life, timeout=1.0)
    await machine.up("returned")
    assert machine.running == __version__
    assert pytest.importorskip("re").search(reason, machine.journal.reason), machine.journal.reason
    assert machine.releases.current().running == machine.old
    assert "ghp_0123" not in json.dumps(machine.journal.log)
    if life == "dies":
        assert machine.journal.log == (f"this is {NEW}", machine.journal.log[1], "no flux capacitor")


# What a crash, of the agent, of the supervisor or of both, left on the disk -> how it ends, and what runs then.
LEFT = {
    "staged": ({"phase": "staged"}, "confirmed", NEW),
    "staged, and it waits for its rollout": ({"phase": "staged", "handed": False}, "staged", __version__),
    "staged, the release is gone": ({"phase": "staged", "gone": True}, "returned", __version__),
    "on trial": ({"phase": "trying"}, "confirmed", NEW),
    "on trial for the second time": ({"phase": "trying", "tries": 2}, "confirmed", NEW),
    "on trial again and again": ({"phase": "trying", "tries": 3}, "returned", __version__),
    "on trial, the release is gone": ({"phase": "trying", "gone": True}, "returned", __version__),
    "on trial, in force already": ({"phase": "trying", "current": True}, "confirmed", NEW),
    "in force already, and not well": ({"phase": "trying", "current": True, "life": "dies"}, "returned", __version__),
    "in force already, again and again": ({"phase": "trying", "current": True, "tries": 3}, "returned", __version__),
    "on the way back": ({"phase": "returning"}, "returned", __version__),
    "on the way back, twice": ({"phase": "returning", "tries": 2}, "returned", __version__),
    "while the recipe ran": ({"phase": "preparing"}, "preparing", __version__),
    "after it was confirmed": ({"phase": "confirmed", "current": True}, "confirmed", NEW),
    "after it went back": ({"phase": "returned"}, "returned", __version__),
    "after it could not go back": ({"phase": "return_failed"}, "return_failed", __version__),
}


@pytest.mark.parametrize(("left", "end", "runs"), LEFT.values(), ids=LEFT)
async def test_after_a_crash_it_goes_on_or_back(machine, left, end, runs):
    given = dict(left)
    gone = given.pop("gone", False)
    machine.write(**given)
    if gone:
        (machine.releases.folder / NEW).rmdir()
    assert await machine.up(end) is None
    assert machine.running == runs
    assert machine.releases.current().running.version == runs


@pytest.mark.parametrize("old", ["dies", "can not run"])
async def test_when_the_old_one_does_not_start_either_it_is_told(machine, old, caplog):
    machine.write("staged", "dies", old=old)
    assert await machine.up() == RETURN_FAILED
    assert machine.journal.phase == "return_failed"
    assert "no flux capacitor" in machine.journal.reason
    assert f"version {NEW} was not well, and {__version__} does not start again" in caplog.text
    machine.releases.set_current(machine.release(__version__, "lives"), None)  # a person mended it
    machine.child = AgentChild("agent", [], handover=Handover(machine.state))
    await machine.up("return_failed")
    assert machine.running == __version__


@pytest.mark.parametrize(("hours", "end"), [(0, "returned"), (2, "confirmed")], ids=["at once", "much later"])
async def test_one_that_does_not_keep_running_goes_back_unless_it_worked_for_long(machine, monkeypatch, hours, end):
    monkeypatch.setattr(supervisor, "GIVE_UP", 2)
    machine.write("staged", "lives a moment")
    if hours:
        machine.write("confirmed", "lives a moment", current=True)
        moments = {"confirmed": datetime.now(UTC) - timedelta(hours=hours)}
        journal.write(machine.state, replace(machine.journal, moments=moments))
    code = await machine.up("returned")
    assert machine.journal.phase == end
    assert (machine.running, code) == ((__version__, None) if end == "returned" else ("", 1))
    if end == "returned":
        assert machine.journal.reason.startswith("it was well at first, and then did not keep running")
        assert machine.releases.current().running == machine.old
        assert not machine.journal.told


async def test_an_old_one_that_lives_without_a_broker_is_back(machine):
    machine.write("staged", "dies", old="is alone")
    await machine.up("returned")
    assert machine.running == __version__


async def test_a_new_version_that_can_not_be_started_goes_back(machine):
    machine.write("staged")
    journal.write(machine.state, replace(machine.journal, new=replace(machine.journal.new, start=("/nothing/there",))))
    await machine.up("returned")
    assert machine.running == __version__


async def test_an_agent_that_asks_for_a_hand_over_without_a_release_has_failed(machine, monkeypatch):
    monkeypatch.setattr(supervisor, "GIVE_UP", 2)
    machine.write("returned")
    asks = replace(machine.old, start=(sys.executable, "-I", "-c", f"exit({HANDOVER})"))
    machine.releases.set_current(asks, None)
    assert await machine.up() == 1


async def test_a_journal_that_can_not_be_read_keeps_no_agent_from_running(machine):
    machine.write("staged")
    (machine.state.folder / journal.JOURNAL).write_text("{")
    begin = Handover(machine.state).begin()
    assert (begin.mode, begin.release) == ("normal", machine.old)


INSTALLED = {  # what is in force by current.json -> does it run?
    "a newer one": ("99.0.0", True),
    "the same": (__version__, True),
    "an older one: a person installed a newer by hand": ("0.0.1", False),
}


@pytest.mark.parametrize(("version", "runs"), INSTALLED.values(), ids=INSTALLED)
def test_the_newer_of_what_is_in_force_and_what_is_installed_runs(machine, version, runs):
    release = machine.release(version, "lives")
    machine.releases.set_current(release, None)
    assert (machine.child.handover.running() == release) is runs


def test_a_release_that_is_gone_is_not_started(machine):
    (machine.releases.folder / __version__).rmdir()
    assert machine.child.handover.running() == handover.INSTALLED


def test_a_step_that_is_none_is_refused(machine):
    machine.write("confirmed")
    for phase in journal.STEPS.keys() - {"returning"}:
        with pytest.raises(ValueError, match="can not go"):
            machine.journal.to(phase, NOW)


HANGS = """
import asyncio, time
from roosync_agent.updating import handover
handover.LEAVE_WITHIN = 0.3
async def main():
    stop = asyncio.Event()
    handover.leave(stop)
    assert stop.is_set()
    await asyncio.to_thread(time.sleep, 60)
asyncio.run(main())
"""


async def test_an_agent_that_hangs_while_it_leaves_is_left_all_the_same():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HANGS)
    async with asyncio.timeout(20):
        assert await process.wait() == HANDOVER


@pytest.mark.parametrize("phase", ["staged", "trying", "returning"])
async def test_while_nothing_can_be_written_down_the_version_in_force_runs(machine, monkeypatch, phase):
    """A full disk takes no machine its agent: it tells the others what is in the way, and the update goes on after."""
    full, write = [True], State.write

    def writes(state, name, value):
        if full and (name.startswith("update.") or name.endswith("current.json")):
            raise StateError(f"{name} can not be written: No space left on device")
        write(state, name, value)

    async def frees():
        while machine._running() != __version__:
            await asyncio.sleep(0.02)
        assert machine.journal.phase == phase
        full.clear()

    machine.write(phase)
    monkeypatch.setattr(State, "write", writes)
    monkeypatch.setattr(agent_child, "AGAIN", 0.2)
    freeing = asyncio.create_task(frees())
    await machine.up("confirmed", "returned")
    await freeing
    assert machine.running == (__version__ if phase == "returning" else NEW)
    assert sorted(path.name for path in machine.state.folder.glob("update.*")) == ["update.json"]
