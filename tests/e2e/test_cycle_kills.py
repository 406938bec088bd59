"""Whoever leads a cycle, or only takes part, may die at any checkpoint: it is carried on, and nothing is done twice.

Each agent is a process of its own, beside the broker, so nobody starts it again but the test. What is killed is killed
on the fact that tells of the checkpoint, with SIGKILL, a millisecond after the broker stored it.
"""

import asyncio
import contextlib
import itertools
import json
import queue
import signal
import socket
import threading
import time
from collections import Counter

import pytest

from roosync_agent.connect import as_operator
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_protocol.cycle import ROUTES
from roosync_protocol.messages import Cycle, Decision, MetricReport, Request

SETTINGS = ".claude/settings.json"
TTL = 3.0  # seconds; a setting of the broker's machine, and 15 without it
BAR = TTL + 2


def settings(model):
    return json.dumps({"model": model, "cleanupPeriodDays": 30}, indent=2) + "\n"


MODELS = (f"sonnet-{number}" for number in itertools.count())


def differs(alpha, gamma):
    """The decision about a model that gamma has now. A new one each time: an old one is told as written back."""
    gamma.write(SETTINGS, settings(next(MODELS)))
    return alpha.decision("pending", machine="gamma", entity="claude.settings/model")


class Watch:
    """Every fact as an operator hears it, in a thread of its own; `trap` is called with each at once."""

    def __init__(self, site):
        self.settings = Settings(state=site.state, home=site.home, machine=site.name, config=site.state / "config.toml")
        self.facts = []  # (seconds, message), in the order of the stream
        self.trap = lambda message: None
        self._ready, self._thread = threading.Event(), threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(30)

    async def _run(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        session = await as_operator(self.settings, State(self.settings.state), lambda _: "")

        def heard(one):
            self.facts.append((time.monotonic(), one.message))
            self.trap(one.message)

        await session.refresh()
        await session.follow(heard)
        self._ready.set()
        await self._stop.wait()
        await session.close()

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def said(self, kind, **fields):
        """(seconds, message) of each of this kind with these fields."""
        facts = [(at, m) for at, m in list(self.facts) if isinstance(m, kind)]
        return [(at, m) for at, m in facts if all(getattr(m, name) == value for name, value in fields.items())]


class Cable:
    """Between one agent and the broker. Once `armed`, it stops what the agent says from its next step of a cycle on."""

    STEP = b"HPUB post.e2e.cycle."

    def __init__(self, port):
        self.armed, self.holds, self.open = (threading.Event() for _ in range(3))
        self.held = self.answers = b""
        self._to, self._listener = port, socket.create_server(("127.0.0.1", 0))
        self.url = f"nats://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads(self._accept)

    def _threads(self, *runs):
        for run in runs:
            threading.Thread(target=run, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                agent, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._to))
                self._threads(lambda a=agent, b=broker: self._up(a, b), lambda a=agent, b=broker: self._down(b, a))

    def _up(self, agent, broker):
        with contextlib.suppress(OSError):
            while data := agent.recv(65536):
                at = data.find(self.STEP) if self.armed.is_set() else -1
                if at >= 0 and not self.open.is_set():
                    broker.sendall(data[:at])
                    self.held, data = data[at:], b""
                    self.holds.set()
                    self.open.wait()
                    data = self.held
                broker.sendall(data)
        broker.close()

    def _down(self, broker, agent):
        with contextlib.suppress(OSError):
            while data := broker.recv(65536):
                self.answers += data if self.open.is_set() else b""
                agent.sendall(data)
        agent.close()

    def close(self):
        self.open.set()
        self._listener.close()


class Kills:
    """Kills an agent at each checkpoint of the next cycle: the one that leads, or one that does not."""

    def __init__(self, fleet, watch, *, leading, done=False):
        self.fleet, self.watch, self.leading, self.done = fleet, watch, leading, done
        self.killed = queue.Queue()  # (site, message, seconds)
        self.known = {m.id for _, m in watch.said(Cycle)}
        self.at = set()
        self.leader = leader_of(fleet)
        self.left = list(fleet.sites)[1:] * 9  # who is killed when the leader is not
        watch.trap = self.heard

    def heard(self, message):
        if not isinstance(message, Cycle) or message.id in self.known:
            return
        self.leader = message.agent if message.token else self.leader
        place = "done" if message.status == "done" else message.checkpoint
        if place in self.at or (place == "done" and not self.done):
            return
        self.at.add(place)
        there = [name for name in self.left if self.fleet.sites[name].process.poll() is None]
        victim = self.leader if self.leading else next(name for name in there if name != self.leader)
        if not self.leading:
            self.left.remove(victim)
        site = self.fleet.sites[victim]
        site.process.kill()
        self.killed.put((site, message, time.monotonic()))

    def next(self):
        return self.killed.get(timeout=40)


def leader_of(fleet):
    """The machine that holds the role, when all are there."""
    end = time.monotonic() + 40
    while time.monotonic() < end:
        if all(site.process.poll() is None and site.status() is not None for site in fleet.sites.values()):
            answer = next(iter(fleet.sites.values())).ask("locks")
            if answer["leases"] and not answer["orphans"]:
                return answer["leases"][0]["owner"]
        time.sleep(0.1)
    raise AssertionError("nobody leads")


def back(site, *, wait=False):
    """The killed agent is started again; what comes next waits for it by itself."""
    site.process.wait(10)
    if wait:
        site.up("agent")
    else:
        site.process = site.begin("agent")


@pytest.fixture(scope="module")
def three(fleets, waiting):
    fleet = fleets()
    alpha, beta, gamma = (fleet.site(name) for name in ("alpha", "beta", "gamma"))
    for site in (alpha, beta, gamma):
        site.write(SETTINGS, settings("opus"))
        site.write(".claude/CLAUDE.md", "# Memory\n")
    alpha.settings(f"[broker]\nlease_seconds = {TTL}\n")
    fleet.found(alpha, start=False)
    alpha.begin("broker")
    alpha.up("agent")
    for site in (beta, gamma):
        fleet.join(alpha, site)
    fleet.agree(alpha)
    return fleet


@pytest.fixture
def watch(three):
    made = Watch(three.sites["alpha"])
    yield made
    made.close()


def started(three, kills, *words):
    """Asked of a machine that is not killed at once."""
    site = next(site for name, site in three.sites.items() if (name == kills.leader) != kills.leading)
    return site.json("cycle", "start", "--timeout", "5", *words)["id"]


def one_life(watch, id_):
    """The states of a cycle, each revision once and in order; told by whoever led then."""
    states = [m for _, m in watch.said(Cycle, id=id_)]
    assert [m.revision for m in states] == list(range(1, len(states) + 1))
    assert [m.token for m in states] == sorted(m.token for m in states)
    last = states[-1]
    assert last.status == "done"
    counted = Counter(one.checkpoint for one in last.reached)
    assert set(counted.values()) == {1}, "no checkpoint is passed twice"
    return last


def once_applied(watch, site, before):
    """Each apply was claimed once, asked for once, and made one snapshot."""
    claims = Counter((m.id, m.attempt) for _, m in watch.said(Decision, status="applying"))
    assert set(claims.values()) == {1}
    asked = Counter(m.id for _, m in watch.said(Request, status="requested"))
    assert set(asked.values()) == {1}
    assert len(site.json("snapshots")) == len(before) + len(claims)
    return len(claims)


def until_done(three, watch, waiting, id_):
    waiting(
        lambda: f"{id_} is done, as {three.sites['alpha'].ask('cycle_show', id_=id_)}",
        lambda: watch.said(Cycle, id=id_, status="done"),
    )


@pytest.mark.parametrize("route", list(ROUTES))
def test_the_leading_agent_dies_at_each_checkpoint(three, watch, waiting, route):
    alpha, gamma = three.sites["alpha"], three.sites["gamma"]
    diverges = route == "coordination"
    before = gamma.json("snapshots")
    if diverges:
        decision = differs(alpha, gamma)
    kills, took = Kills(three, watch, leading=True, done=True), []
    id_ = started(three, kills, "--route", route)
    for checkpoint in (*ROUTES[route], "done"):
        site, state, at = kills.next()
        assert checkpoint in (state.checkpoint, state.status)
        if state.status != "done":
            step = waiting(
                f"another one leads {id_} on after {site.name} died at {checkpoint}",
                lambda old=state: [(t, m) for t, m in watch.said(Cycle, id=id_) if m.revision == old.revision + 1],
            )
            assert step[0][1].agent != site.name
            assert step[0][1].token > state.token
            took.append(step[0][0] - at)
        back(site, wait=checkpoint == "resolution")
        if checkpoint == "resolution":
            alpha.roosync("decision", "approve", decision["id"], "--yes")
    until_done(three, watch, waiting, id_)
    last = one_life(watch, id_)
    assert [one.checkpoint for one in last.reached] == list(ROUTES[route])
    assert not last.escalations
    assert max(took) < BAR, took
    waiting("its figures are told", lambda: watch.said(MetricReport, test_session=id_))
    if diverges:
        assert once_applied(watch, gamma, before) == 1
        assert json.loads(gamma.read(SETTINGS))["model"] == "opus"
    alpha.until_synced()


@pytest.mark.parametrize("route", list(ROUTES))
def test_an_agent_that_only_takes_part_dies_at_each_checkpoint(three, watch, waiting, route):
    alpha, gamma = three.sites["alpha"], three.sites["gamma"]
    diverges = route == "coordination"
    before = gamma.json("snapshots")
    if diverges:
        decision = differs(alpha, gamma)
    kills = Kills(three, watch, leading=False)
    id_ = started(three, kills, "--route", route)
    for checkpoint in ROUTES[route]:
        site, state, _ = kills.next()
        assert checkpoint == state.checkpoint
        back(site, wait=checkpoint == "resolution")
        if checkpoint == "resolution":
            alpha.roosync("decision", "approve", decision["id"], "--yes")
    until_done(three, watch, waiting, id_)
    last = one_life(watch, id_)
    assert [one.checkpoint for one in last.reached] == list(ROUTES[route])
    if diverges:
        assert once_applied(watch, gamma, before) == 1
        assert json.loads(gamma.read(SETTINGS))["model"] == "opus"
    alpha.until_synced()


def test_an_agent_dies_while_it_applies_and_a_person_is_asked_again(three, watch, waiting):
    """Nothing is half written, its claim is given back with a word in the history, and the cycle goes on."""
    alpha, gamma = three.sites["alpha"], three.sites["gamma"]
    decision = differs(alpha, gamma)
    id_ = alpha.json("cycle", "start", "--timeout", "5")["id"]
    waiting("all compared", lambda: watch.said(Cycle, id=id_, checkpoint="resolution"))
    died = threading.Event()

    def trap(message):
        if isinstance(message, Decision) and message.status == "applying" and not died.is_set():
            gamma.process.kill()
            died.set()

    watch.trap = trap
    alpha.roosync("decision", "approve", decision["id"], "--yes")
    assert died.wait(20)
    assert json.loads(gamma.read(SETTINGS))["model"].split("-")[0] in ("sonnet", "opus"), "all old or all new"
    back(gamma, wait=True)
    applies = ("gamma", "apply override_local", "interrupted")

    def told():
        rows = alpha.ask("history", what=decision["id"])["rows"]
        return applies in [(row["who"], row["action"], row["outcome"]) for row in rows]

    waiting("its end is told", told)
    asked = waiting(
        "a person is asked again, unless it had written all of it",
        lambda: alpha.decisions(status="pending", machine="gamma") or watch.said(Cycle, id=id_, status="done"),
    )
    if isinstance(asked[0], dict):
        alpha.roosync("decision", "approve", decision["id"], "--yes")
    until_done(three, watch, waiting, id_)
    assert json.loads(gamma.read(SETTINGS))["model"] == "opus"
    assert [one.checkpoint for one in one_life(watch, id_).reached] == list(ROUTES["coordination"])
    alpha.until_synced()


@pytest.fixture
def cable(three):
    """beta leads, and speaks with the broker over it."""
    alpha, beta, gamma = three.sites.values()
    made = Cable(int(State(alpha.state).identity().url.rsplit(":", 1)[1]))
    beta.stop()
    beta.up("agent", env={"ROOSYNC_NATS": made.url})
    for site in (alpha, gamma):
        site.stop()
    until_leads(beta)
    for site in (alpha, gamma):
        site.up("agent")
    yield made
    made.close()
    beta.stop(signal.SIGKILL)
    beta.up("agent")


def until_leads(site):
    end = time.monotonic() + 20
    while [row["owner"] for row in site.ask("locks")["leases"]] != [site.name]:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_an_old_leader_had_in_its_socket_changes_nothing(three, watch, waiting, cable):
    """It says that gamma is in step; while that is on its way gamma differs again, and another one leads."""
    alpha, beta, gamma = three.sites.values()
    differs(alpha, gamma)
    id_ = alpha.json("cycle", "start", "--timeout", "5")["id"]
    waiting("all compared", lambda: watch.said(Cycle, id=id_, checkpoint="resolution"))
    old = watch.said(Cycle, id=id_)[-1][1]
    assert old.agent == "beta"

    cable.armed.set()
    gamma.write(SETTINGS, settings("opus"))
    assert cable.holds.wait(20), "beta passes the checkpoint"
    beta.process.send_signal(signal.SIGSTOP)
    gamma.write(SETTINGS, settings("haiku"))
    fence = waiting("another one leads", lambda: watch.said(Cycle, id=id_, revision=old.revision + 1))[0][1]
    assert fence.agent != "beta"
    assert (fence.checkpoint, fence.reached) == ("resolution", old.reached), "nothing else was to be done"
    assert fence.token > old.token
    wanted = alpha.decision("pending", machine="gamma", entity="claude.settings/model")

    assert b'"reached":[' in cable.held
    assert b'"checkpoint":"final"' in cable.held, "what it wanted to say"
    cable.open.set()
    waiting("the broker answers it", lambda: b"wrong last sequence" in cable.answers)
    beta.process.send_signal(signal.SIGCONT)
    waiting("the old leader knows it", lambda: beta.ask("cycle_show", id_=id_)["checkpoint"] == "resolution")
    assert watch.said(Cycle, id=id_)[-1][1].checkpoint == "resolution"

    alpha.roosync("decision", "approve", wanted["id"], "--yes")
    until_done(three, watch, waiting, id_)
    assert [one.checkpoint for one in one_life(watch, id_).reached] == list(ROUTES["coordination"])
    alpha.until_synced()


def test_what_a_dead_holder_held_is_named_and_ends_by_itself(three, waiting):
    lead = three.sites[leader_of(three)]
    other = next(site for site in three.sites.values() if site is not lead)
    held = other.json("locks", codes=(0,))["leases"][0]
    assert (held["owner"], held["orphan"], held["role"]) == (lead.name, False, "orchestrator")
    assert 0 <= held["age_seconds"] < TTL
    lead.process.kill()
    ran = other.roosync("locks", codes=(5,))
    assert f"lease orchestrator of {lead.name}" in ran.out
    assert "silent" in ran.out

    def followed():
        now = other.json("locks")
        return now["leases"] and now["leases"][0]["owner"] != lead.name and now

    after = waiting("another one holds it", followed)
    assert after["orphans"] == []
    assert after["leases"][0]["token"] > held["token"]
    back(lead, wait=True)
