"""Is an agent about to answer here? Where `up` runs it starts, is started again, or is replaced by another version.

A command that finds nobody would otherwise do the work itself, and hold the lock that the agent needs to start: a new
version on trial would be taken for one that does not start.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from roosync_agent.running.control import NobodyThereError
from roosync_agent.state import State
from roosync_agent.updating.journal import HANDED_OVER, read_or_none
from roosync_broker.children import OneAtATime

T = TypeVar("T")

STARTING = 10.0  # seconds that an agent may take until it answers
UPDATING = 300.0  # the same while another version is on trial, or the old one comes back
LOOK = 0.1  # seconds between two looks: only a person's command looks, and not for long


def asked_patiently(state: State, ask: Callable[[], T]) -> T | None:
    """The answer of `ask` as soon as somebody is there; None when nobody is to be expected, or did not come in time."""
    began = time.monotonic()
    while (patience := _patience(state)) and time.monotonic() - began < patience:
        time.sleep(LOOK)
        try:
            return ask()
        except NobodyThereError:
            continue
    return None


def _patience(state: State) -> float:
    """Seconds that the agent of this folder is waited for in all; 0 when nobody starts one."""
    path = state.run / "up.lock"
    if not path.exists():  # looking makes nothing: a folder of state would be there before anybody founds a fleet
        return 0.0
    lock = OneAtATime(path)
    if lock.acquire():
        lock.release()
        return 0.0
    journal = read_or_none(state)
    return UPDATING if journal is not None and journal.phase in HANDED_OVER else STARTING
