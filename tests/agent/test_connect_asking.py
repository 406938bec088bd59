"""Questions inside async work, in a process with a terminal of its own: one Ctrl-C ends them, as anywhere."""

import os
import select
import subprocess
import sys
import time

import pytest

ASKS = """
import asyncio
from roosync_agent.connect import ask_on_terminal
from roosync_agent.yes_no import asked

async def signs():
    {question}

try:
    asyncio.run(signs())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
QUESTIONS = {  # the code that asks -> what is seen of it
    "a passphrase": ('ask_on_terminal("Passphrase: ")', "Passphrase: "),
    "yes or no": ('await asked("Sign it")', "Sign it [y/N]: "),
}


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(("question", "seen"), QUESTIONS.values(), ids=QUESTIONS)
def test_one_ctrl_c_ends_the_question_inside_an_event_loop(question, seen):
    ours, theirs = os.openpty()
    # A session of its own, whose terminal this becomes: only then Ctrl-C is a signal.
    script = f"import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{ASKS.format(question=question)}"
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        assert seen in _until(ours, seen)
        os.write(ours, b"\x03")
        assert "interrupted" in _until(ours, "interrupted")
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def _until(terminal: int, wanted: str) -> str:
    """What it showed until `wanted` stands there, or for 10 s."""
    said, end = "", time.monotonic() + 10
    while wanted not in said and select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
        try:
            said += os.read(terminal, 4096).decode()
        except OSError:  # Linux, when the other side is closed
            break
    return said
