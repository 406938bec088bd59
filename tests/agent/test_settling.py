"""Whoever was asked for something ends by name: in its own words, unreachable within two seconds, or late."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.operations.coordination import pinging, settling
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import Session, new_operation
from roosync_broker import topology
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Request
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NAMES = ("alpha", "beta", "gamma")


@pytest.fixture
async def world():
    """alpha asks; beta answers pings; nobody is there for gamma."""
    bus, keys = MemoryBus(), {name: KeyPair.generate() for name in ("op-ann", *NAMES)}
    await topology.ensure(bus.link("keeper"), "home")

    def session(name):
        law = Law(fleet="home", root=keys["op-ann"].public)
        made = Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: NOW
        return made

    found = SimpleNamespace(ann=session("op-ann"), of={name: session(name) for name in NAMES})
    await lawmaking.found(found.ann, "alpha", keys["alpha"].public, None)
    for name in NAMES[1:]:
        await lawmaking.admit(found.ann, name, keys[name].public)
    found.machines = {name: SimpleNamespace(name=name, fleet=s.fleet, session=s) for name, s in found.of.items()}
    await read(found)
    await pinging.serve(found.machines["beta"])
    return found


async def read(world):
    for one in (world.ann, *world.of.values()):
        await one.refresh()


async def decision(world, name, *statuses, **changes):
    """A decision of this machine, moved through these statuses by itself."""
    asked = Asked(machine=name, reference="baseline", reference_revision=1, now=NOW)
    found = Divergence(key="claude.settings/x", kind=Kind.SETTING, verdict=Verdict.TAKE, local=1, wanted=2)
    made = decide(found, asked, new_operation())
    await world.of[name].advance(made, 0)
    for status in statuses:
        made = replace(made, status=status, revision=made.revision + 1, operation_id=new_operation(), **changes)
        await world.of[name].advance(made, world.of[name].fleet.decision(name, made.id).sequence)
    await read(world)
    return made


def states(account):
    return {row.machine: row.state for row in account.machines}


async def test_who_is_not_there_is_named_within_two_seconds_and_who_is_has_its_time(world):
    made = [await decision(world, name) for name in ("beta", "gamma")]
    asked = {one.id: one.revision + 1 for one in made}  # signed a moment ago, and not heard here yet
    began = time.monotonic()
    only = await settling.decisions(world.machines["alpha"], {made[1].id: asked[made[1].id]}, wait=60)
    assert time.monotonic() - began < 2
    assert states(only) == {"gamma": "unreachable"}
    both = await settling.decisions(world.machines["alpha"], asked, wait=1.2)
    assert states(both) == {"beta": "timed_out", "gamma": "unreachable"}
    assert "did not end within 1.2 s" in both.machines[0].reason


async def test_nobody_is_called_unreachable_when_it_is_we_who_are_away(world):
    made = await decision(world, "beta")
    world.of["alpha"].link.drop()
    account = await settling.decisions(world.machines["alpha"], {made.id: made.revision + 1}, wait=0.1)
    assert states(account) == {"beta": "timed_out"}
    assert "the broker does not answer here" in account.machines[0].reason


async def test_what_a_machine_says_is_its_end(world):
    gone = await decision(world, "beta", "superseded")
    account = await settling.decisions(world.machines["alpha"], {gone.id: gone.revision}, wait=60)
    assert states(account) == {"beta": "ok"}
    asked_again = await decision(world, "gamma")
    account = await settling.decisions(world.machines["alpha"], {asked_again.id: 1}, wait=60)
    assert states(account) == {"gamma": "refused"}
    assert "approve it again" in account.machines[0].reason


ANSWERS = {"done": ("accepted", "done"), "failed": ("accepted", "failed"), "refused": ("refused",)}  # by their end


@pytest.mark.parametrize(("state", "steps"), ANSWERS.items())
async def test_requests_end_in_the_same_words(world, state, steps):
    made = Request(agent="alpha", timestamp=NOW, id="r-1", revision=1, operation_id=new_operation(), to="beta",
                   kind="execution", target="beta", action="publish", status="requested", asker="alpha", asked=NOW,
                   timeout_minutes=5)  # fmt: skip
    await world.of["alpha"].advance(made, 0)
    await read(world)
    late = await settling.requests(world.machines["alpha"], ["r-1"], wait=0.2)
    assert states(late) == {"beta": "timed_out"}
    for step in steps:
        known = world.of["beta"].fleet.request("beta", "r-1")
        moved = {"agent": "beta", "status": step, "outcome": "so it was\nand more"}
        moved |= {"revision": known.state.revision + 1, "operation_id": new_operation()}
        await world.of["beta"].advance(replace(known.state, **moved), known.sequence)
    await read(world)
    account = await settling.requests(world.machines["alpha"], ["r-1"], wait=5)
    assert [(row.state, row.reason) for row in account.machines] == [(state, "so it was" * (state != "done"))]
    world.of["alpha"].now = lambda: NOW + timedelta(hours=1)
    assert (await settling.requests(world.machines["alpha"], ["r-1", "r-none"], wait=0)).machines == account.machines


async def test_who_does_not_follow_the_others_reads_what_they_said(world):
    made, alpha = await decision(world, "beta"), world.machines["alpha"]
    ended = replace(made, status="superseded", revision=2, operation_id=new_operation())
    await world.of["beta"].advance(ended, world.of["beta"].fleet.decision("beta", made.id).sequence)

    async def look_around():
        alpha.session.whole = True
        await alpha.session.refresh()

    alpha.following, alpha.session.whole = SimpleNamespace(look_around=look_around), False
    account = await settling.decisions(alpha, {made.id: 2}, wait=5)
    assert states(account) == {"beta": "ok"}


@pytest.mark.parametrize("wait", [-1, 251, float("nan")])
async def test_no_time_to_wait(world, wait):
    with pytest.raises(RefusedRequestError, match="no time to wait"):
        await settling.requests(world.machines["alpha"], [], wait=wait)
