"""`up` as a process tree: whoever dies is started again, nobody is left behind, and who can not live is told."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roosync_agent.running import supervisor
from roosync_agent.running.supervisor import Child

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")

# A program in place of the agent and the broker: it notes its starts and its clean ends.
PART = """
import pathlib, signal, sys, time
folder, name, life = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def end(*_):
    with (folder / "ends").open("a") as file: file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with (folder / "starts").open("a") as file: file.write(f"{name} {__import__('os').getpid()}\\n")
if life == "hopeless":  # when everybody has begun
    while len((folder / "starts").read_text().splitlines()) < 2: time.sleep(0.01)
    sys.exit(78)
time.sleep(float(life))
sys.exit(7)
"""
TREE = """
import asyncio, logging, pathlib, sys
from roosync_agent.running import supervisor
from roosync_broker.children import start_child
logging.basicConfig(format="%(message)s")
supervisor.GIVE_UP = 3
class Part(supervisor.Child):
    async def start(self):
        self.process = await start_child(pathlib.Path(sys.executable), ["-c", *self.arguments], None)
parts = [Part(name, [sys.argv[1], sys.argv[2], name, life]) for name, life in zip(sys.argv[3::2], sys.argv[4::2])]
sys.exit(asyncio.run(supervisor.supervise(parts)))
"""


class Tree:
    def __init__(self, folder, *parts):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", TREE, PART, str(folder), *parts], stderr=subprocess.PIPE, text=True
        )

    def lines(self, name):
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def starts(self, count, within=10.0):
        """Waits until so many starts are noted; pairs of name and process id."""
        give_up = time.monotonic() + within
        while len(self.lines("starts")) < count:
            assert time.monotonic() < give_up, self.lines("starts")
            time.sleep(0.02)
        return [(line.split()[0], int(line.split()[1])) for line in self.lines("starts")]

    def end(self, within=10.0):
        code = self.process.wait(within)
        return code, self.process.stderr.read()


@pytest.fixture
def grow(tmp_path):
    grown = []

    def make(*parts):
        grown.append(Tree(tmp_path, *parts))
        return grown[-1]

    yield make
    for tree in grown:
        if tree.process.poll() is None:
            tree.process.kill()
        tree.process.wait()
        tree.process.stderr.close()


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_all_cleanly_the_last_one_first(grow, number):
    tree = grow("broker", "60", "agent", "60")
    started = tree.starts(2)
    tree.process.send_signal(number)
    assert tree.end()[0] == 0
    assert tree.lines("ends") == ["agent", "broker"]
    assert all(gone(pid) for _, pid in started)


def test_who_dies_is_started_again_and_the_other_is_left_alone(grow):
    tree = grow("broker", "60", "agent", "60")
    started = dict(tree.starts(2))
    os.kill(started["agent"], signal.SIGKILL)
    assert [name for name, _ in tree.starts(3)][2] == "agent"
    assert not gone(started["broker"])
    tree.process.terminate()
    code, said = tree.end()
    assert code == 0
    assert "agent ended with exit code -9 and is started again" in said


def test_who_can_not_live_is_told_and_ends_all(grow, monkeypatch):
    tree = grow("broker", "60", "agent", "0")
    code, said = tree.end(30)
    assert code == 1
    assert "agent ended 3 times at once (last exit code 7); giving up" in said
    assert tree.lines("ends") == ["broker"]


def test_who_says_that_only_a_person_can_help_is_not_started_again(grow):
    tree = grow("broker", "60", "agent", "hopeless")
    code, said = tree.end(10)
    assert code == 1
    assert [name for name, _ in tree.starts(2)].count("agent") == 1
    assert "the agent can not run: change what its error says, then `roosync up` again" in said
    assert tree.lines("ends") == ["broker"]


async def test_who_ran_well_before_is_tried_again_all_the_same(monkeypatch):
    """A port that somebody took in the moment between may be free again soon."""
    starts = []

    class Taken(Child):
        async def start(self):
            starts.append(self.name)
            self.process = await asyncio.create_subprocess_exec(sys.executable, "-c", f"exit({supervisor.HOPELESS})")

    monkeypatch.setattr(supervisor, "GIVE_UP", 2)
    assert await supervisor.supervise([Taken("broker", [], steady=True)]) == 1
    assert len(starts) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the children on Linux")
def test_when_the_tree_is_killed_nobody_is_left_behind(grow):
    tree = grow("broker", "60", "agent", "60")
    started = tree.starts(2)
    tree.process.kill()
    give_up = time.monotonic() + 5
    while not all(gone(pid) for _, pid in started):
        assert time.monotonic() < give_up
        time.sleep(0.02)


async def test_a_part_that_can_not_be_started_is_a_failure(monkeypatch):
    class Impossible(Child):
        async def start(self):
            raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(supervisor, "GIVE_UP", 2)
    assert await supervisor.supervise([Impossible("agent", [])]) == 1
