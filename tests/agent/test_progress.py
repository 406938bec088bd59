"""A bar is drawn after a second, on a terminal alone; before that nothing of it is imported."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests' terminal is a pty")
PROGRAM = """
import sys, time
from roosync_agent.cli import progress
progress.PATIENCE = {patience}
with progress.Bar("Working [bold]on[/bold] it", 4) as bar:
    end = time.monotonic() + {lasts}
    while time.monotonic() < end:
        bar.at(2)
        with progress.Bar("within"):
            time.sleep(0.05)
    bar.say("a line of the answer")
print("rich" in sys.modules)
{after}
"""


def ran(patience, lasts, *words, after="", terminal=True, **env):
    """What was written to the terminal, and to standard output."""
    master, slave = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(patience=patience, lasts=lasts, after=after), *words],
        stdout=subprocess.PIPE, stderr=slave if terminal else subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "60", **env}, check=False,
    )  # fmt: skip
    os.close(slave)
    said = b""
    try:
        while part := os.read(master, 1 << 16):
            said += part
    except OSError:
        pass
    finally:
        os.close(master)
    return said.decode() + (done.stderr or b"").decode(), done.stdout.decode()


def test_what_lasts_is_shown_and_taken_away():
    said, out = ran(0.05, 1.5)
    assert "Working [bold]on[/bold] it" in said
    assert "within" not in said, "one bar at a time"
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") > 0, "the cursor is back"
    assert out.split("\n")[:2] == ["a line of the answer", "True"]


@pytest.mark.parametrize(
    "given",
    [
        {"patience": 1.0},
        {"terminal": False},
        {"words": ("--json",)},
        {"env": {"TERM": "dumb"}},
    ],
    ids=["short", "no terminal", "--json", "dumb"],
)
def test_where_nobody_looks_or_it_is_short_nothing_is_drawn_nor_imported(given):
    said, out = ran(
        given.get("patience", 0.01), 0.3, *given.get("words", ()), terminal=given.get("terminal", True),
        **given.get("env", {}),
    )  # fmt: skip
    assert said == ""
    assert out == "a line of the answer\nFalse\n"


@pytest.mark.parametrize("columns", ["1", "5", "10000"])
def test_no_width_breaks_it(columns):
    said, out = ran(0.01, 0.8, COLUMNS=columns)
    assert "Traceback" not in said
    assert "a line of the answer" in out


def test_an_error_leaves_the_terminal_whole():
    said, _ = ran(0.01, 0.8, after="with progress.Bar('more'):\n    time.sleep(0.5)\n    raise SystemExit(3)")
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h")
