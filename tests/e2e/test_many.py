"""A cycle of a fleet in which nobody follows everybody: agents in one process, each with its own key and connection.

There are a few more than follow each other (`following.SMALL`), so each answers for its own part. A thousand are for
`benchmarks/fleet_simulated.py`, which this runs in small.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roosync_agent.running.following import SMALL
from roosync_protocol.cycle import EACH

ROOT = Path(__file__).parents[2]
COUNT = max(SMALL, EACH) + 2
MESSAGES = 200  # in and out, for each agent in one cycle: it hears what concerns it, and not what each says to each


@pytest.mark.skipif(sys.platform != "linux", reason="the figures of other processes are read from /proc")
def test_each_answers_for_its_own_part():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "fleet_simulated.py", "--agents", str(COUNT), "--processes", "1"],
        capture_output=True,
        text=True,
        timeout=100,
        env={name: value for name, value in os.environ.items() if not name.startswith("ROOSYNC_")},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert int(told[f"agents_{COUNT}_machines_following_all"]) == 0
    assert float(told[f"agents_{COUNT}_each_messages"]) < MESSAGES
