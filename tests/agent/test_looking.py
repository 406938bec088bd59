"""What commands that look say of a broker that is away, and of an agent that hangs."""

import asyncio

import pytest

from roosync_agent.cli.look import AWAY, BACK, _told_when_away
from roosync_agent.cli.text import shown_ping

LINKS = {  # whether there is a connection, each time it is looked at -> what is said
    "there": ([True, True], []),
    "away for a while": ([True, False, False, True], [AWAY, BACK]),
    "away from the beginning": ([False, False, True], [AWAY, BACK]),
    "away twice": ([False, True, False, True], [AWAY, BACK, AWAY, BACK]),
}


@pytest.mark.parametrize(("states", "told"), LINKS.values(), ids=LINKS)
async def test_who_follows_is_told_once_when_the_broker_goes_and_once_when_it_is_back(states, told, capsys):
    done = asyncio.Event()

    class Link:
        left = iter(states)

        @property
        def connected(self):
            state = next(self.left, None)
            if state is None:
                done.set()
            return states[-1] if state is None else state

    await asyncio.wait_for(_told_when_away(done, Link(), every=0.001), 5)
    said = capsys.readouterr()
    assert (said.err.splitlines(), said.out) == (told, "")


def silent(machine, *, hangs):
    reason = "no answer within 1.5 s" if hangs else "no agent of it is connected"
    return {
        "machine": machine, "answered": False, "milliseconds": None, "version": "", "reason": reason, "hangs": hangs,
    }  # fmt: skip


UP, RESTART = "Next: roosync up    (on pc-b)", "Next: restart the agent    (on pc-c: it is connected, and hangs)"
SILENT = {
    "away": ([silent("pc-b", hangs=False)], [UP]),
    "hangs": ([silent("pc-c", hangs=True)], [RESTART]),
    "both": ([silent("pc-b", hangs=False), silent("pc-c", hangs=True)], [UP, RESTART]),
}


@pytest.mark.parametrize(("rows", "following"), SILENT.values(), ids=SILENT)
def test_an_agent_that_hangs_is_restarted_and_one_that_is_away_is_started(rows, following):
    lines = shown_ping({"agent": "pc-a", "machines": rows, "silent": [row["machine"] for row in rows]}).split("\n")
    assert lines[-len(following) :] == following
    assert any("hangs: no answer within" in line for line in lines) is (RESTART in following)
