"""A rollout whose leader or broker is killed in the middle: it goes on from its record, and nobody is called gone.

Also how soon a machine is named whose agent hangs: within two seconds of the opening of its wave.
"""

import signal
from datetime import UTC, datetime, timedelta

import pytest

WORDS = iter(("German", "Spanish", "Dutch", "Latin"))


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    host = homes.lay(made.site("host"))
    others = [homes.lay(made.site(name)) for name in ("one", "two", "three")]
    made.in_step(host, *others)
    return host, others


def diverge(host, others, waiting):
    waiting("everybody is in step", lambda: set(host.states()) == {"synced"})
    word = next(WORDS)
    for site in others:
        site.write(".claude/CLAUDE.md", f"# Memory\n\nAnswer in {word}.\n")
    waiting("a decision of each", lambda: len(host.decisions(status="pending")) == len(others))


def start(host, *words):
    every = ("--all", "--risk", "critical", "--canary", "1", "--waves", "1", "--yes", "--no-watch")
    host.roosync("rollout", "start", *every, *words, codes=None)


def shown(site):
    return site.json("rollout", "show")


def states(site):
    return {row["machine"]: row["state"] for row in shown(site)["machines"]}


def part(host, *words):
    """One process of `up` there."""
    found = [p for p in host.tree() if all(any(word in piece for piece in p.cmdline()) for word in words)]
    return found[0]


KILLED = {"the leader": ("agent", "--part-of-up"), "the broker": ("nats-server", "-c")}


@pytest.mark.parametrize("words", KILLED.values(), ids=KILLED)
def test_it_goes_on_when_one_is_killed_between_two_waves(fleet, waiting, words):
    host, others = fleet
    diverge(host, others, waiting)
    start(host, "--pause", "2")
    waiting("the canary ended", lambda: "changed" in states(host).values())
    part(host, *words).kill()
    waiting("it is done", lambda: host.status() is not None and shown(host)["status"] == "done")
    assert set(states(host).values()) == {"changed"}
    assert all(b"French" in site.read(".claude/CLAUDE.md") for site in others)


def test_a_machine_that_hangs_is_named_within_two_seconds(fleet, waiting):
    host, others = fleet
    diverge(host, others, waiting)
    hangs = others[-1].process
    hangs.send_signal(signal.SIGSTOP)
    try:
        start(host)
        waiting("it is named", lambda: "unreachable" in states(host).values())
        seen = shown(host)
        opened = datetime.fromisoformat(seen["opened"])
        halted = next(line for line in host.told().split("\n") if "alarm 2" in line and seen["id"] in line)
        named = datetime.fromisoformat(halted.split('"time": "')[1].split('"')[0]).astimezone(UTC)
        assert named - opened < timedelta(seconds=2.5), "two, and half a second for a busy computer"
        assert seen["status"] == "waiting"
    finally:
        hangs.send_signal(signal.SIGCONT)
    host.roosync("rollout", "resume", "--yes")
    assert set(states(host).values()) == {"changed"}
