"""One command of a recipe: whatever it does, it ends in time, takes bounded room, and leaves nobody behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from roosync_agent.state import State
from roosync_agent.updating import steps
from roosync_agent.updating.steps import Bounds, StepError, Steps, end_leftover, last_lines, telling

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals, and sleep as a program")

MB = 1_000_000
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path / "state")
    state.prepare()
    (state.folder / "releases" / "1.0").mkdir(parents=True)
    return state


@pytest.fixture
def make(state):
    def made(**bounds):
        given = {"timeout": 10.0, "reserve": 0, "limit": 100 * MB} | bounds
        return Steps(state, state.folder / "releases" / "1.0", {"PATH": os.environ["PATH"]}, Bounds(**given))

    return made


def python(text, *words):
    return [sys.executable, "-c", text, *words]


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_what_it_printed_is_returned(make):
    said = await make().run(python("import os; print('one'); os.write(2, b'two'); print(os.getcwd())"))
    assert {"one", "two"} <= set("\n".join(said).replace("twoone", "two\none").split("\n"))
    assert any(line.endswith("releases/1.0") for line in said)


FAULTS = {  # program, bounds, what is said
    "ends badly": ("print('because'); exit(3)", {}, "ended with exit code 3"),
    "hangs": ("import time; print('because', flush=True); time.sleep(60)", {"timeout": 0.5}, "did not end within"),
    "is killed": ("import os; print('because', flush=True); os.kill(os.getpid(), 9)", {}, "exit code -9"),
    "ignores the end": (
        "import signal, time; signal.signal(15, lambda *_: None); print('because', flush=True); time.sleep(60)",
        {"timeout": 0.5},
        "did not end within",
    ),
    "fills the release": (
        "import time; print('because', flush=True)\n"
        "with open('big', 'wb') as f:\n"
        " while True: f.write(bytes(1_000_000)); f.flush(); time.sleep(0.01)",
        {"limit": 5 * MB},
        "made a release of more than 5 MB",
    ),
    "fills it before anybody looks": (
        "print('because', flush=True); open('big', 'wb').write(bytes(6_000_000))",
        {"limit": 5 * MB},
        "made a release of more than 5 MB",
    ),
    "leaves no room": ("print('because')", {"reserve": 2**62}, "left only"),
}


@pytest.mark.parametrize(("program", "bounds", "reason"), FAULTS.values(), ids=FAULTS)
async def test_a_step_that_fails_says_why(make, program, bounds, reason):
    began = time.monotonic()
    with pytest.raises(StepError, match=reason) as error:
        await make(**bounds).run(python(program))
    assert time.monotonic() - began < 8
    assert error.value.log == (("because",) if "left only" not in reason else ())


async def test_output_without_end_is_ended(make, monkeypatch):
    monkeypatch.setattr(steps, "OUTPUT", MB)
    with pytest.raises(StepError, match="printed more than 1 MB") as error:
        await make().run(python("while True: print('x' * 10_000)"))
    assert all(len(line) <= steps.WIDTH for line in error.value.log)


@pytest.mark.parametrize(("seconds", "fails"), [("0", False), ("60", True)], ids=["ends well", "hangs"])
async def test_a_daemon_that_it_left_behind_is_ended(make, tmp_path, seconds, fails):
    note = tmp_path / "pid"
    try:
        await make(timeout=2.0).run(python(DAEMON, str(note), seconds))
    except StepError:
        assert fails
    assert gone(int(note.read_text()))


async def test_the_agent_is_not_stopped_by_what_is_ended(make):
    """Nor is whoever has nothing to do with it."""
    other = subprocess.Popen(["sleep", "30"])
    try:
        await make().run(python("pass"))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_a_step_that_is_given_up_is_ended(make, tmp_path):
    note = tmp_path / "pid"
    task = asyncio.create_task(make().run(python(DAEMON, str(note), "60")))
    while not note.exists():
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(int(note.read_text()))


ORPHAN = """
import asyncio, sys
from pathlib import Path
from roosync_agent.state import State
from roosync_agent.updating.steps import Bounds, Steps
state = State(Path(sys.argv[1]))
steps = Steps(state, state.folder / "releases" / "1.0", {}, Bounds(timeout=60, reserve=0, limit=10**9))
asyncio.run(steps.run([sys.executable, "-c", sys.argv[2], sys.argv[3], "60"]))
"""


def test_what_an_agent_that_was_killed_left_running_is_ended_by_the_next(state, tmp_path):
    note = tmp_path / "pid"
    agent = subprocess.Popen([sys.executable, "-c", ORPHAN, str(state.folder), DAEMON, str(note)])
    end = time.monotonic() + 10
    while not note.exists() or not note.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    agent.send_signal(signal.SIGKILL)
    agent.wait()
    daemon = int(note.read_text())
    assert not gone(daemon)
    assert end_leftover(state)
    assert gone(daemon)
    assert not end_leftover(state)


def test_a_note_of_before_ends_nobody_else(state):
    """The number of a step may be somebody else's by now: without its mark nobody is touched."""
    other = subprocess.Popen(["sleep", "30"], start_new_session=True)
    try:
        state.write(steps.NOTE, steps._Note(other.pid, "a" * 32))
        assert end_leftover(state)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("words", [["roosync-no-such-program"], ["./nothing"], ["/nothing/there"]])
async def test_a_program_that_is_not_there_is_told(make, words):
    with pytest.raises(StepError, match=r"there is no|could not be started|ended with exit code"):
        await make().run(words)


async def test_a_program_is_not_taken_from_the_folder_of_the_release(make, state):
    """PATH may name the folder that a process is in; a stranger's repository is no place to find programs."""
    evil = state.folder / "releases" / "1.0" / "make-it"
    evil.write_text("#!/bin/sh\nexit 0\n")
    evil.chmod(0o700)
    made = make()
    made.environment["PATH"] = f".{os.pathsep}{os.pathsep}/nothing"
    with pytest.raises(StepError, match="there is no make-it"):
        await made.run(["make-it"])


SAID = {  # what is printed -> what is kept
    "colours": (b"\x1b[31mred\x1b[0m \x1b]0;title\x07text\n", ("red text",)),
    "a bar that moves": (b"10%\r20%\r100%\n", ("10%", "20%", "100%")),
    "what is no text": (b"a\xff\x00b\n", None),
    "a secret": (b"token=ghp_0123456789abcdefghijABCDEFGHIJ456789\n", None),
    "a long line": (b"x" * 5_000, ("x" * steps.WIDTH,)),
    "empty lines": (b"\n\n \na\n\n", ("a",)),
}


@pytest.mark.parametrize(("data", "kept"), SAID.values(), ids=SAID)
def test_output_is_harmless(data, kept):
    lines = last_lines(data)
    assert kept is None or lines == kept
    assert all(line.isprintable() for line in lines)
    assert "ghp_0123" not in "".join(lines)


async def test_a_command_that_fails_shows_no_secret(make):
    with pytest.raises(StepError) as error:
        await make().run(["false", "--token", "ghp_0123456789abcdefghijABCDEFGHIJ456789"])
    assert "ghp_0123" not in str(error.value)


WHY = {  # the last lines of a command that failed -> the one that tells why
    "git gives advice": (
        ("fatal: no repository", "Please make sure", "and the repository exists."),
        "fatal: no repository",
    ),
    "pip tells of itself": (("ERROR: one", "ERROR: no such version", "[notice] a newer pip"), "ERROR: no such version"),
    "a traceback": (("Traceback", "  x()", "OSError: full"), "OSError: full"),
}


@pytest.mark.parametrize(("lines", "told"), WHY.values(), ids=WHY)
def test_the_line_that_tells_why(lines, told):
    assert telling(lines) == told
