"""One step of a record: what is posted, what it says when somebody was faster, and when a step does not count.

The sessions are real ones, on a bus in memory.
"""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from roosync_agent.operations.coordination import cycling, requests
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.stepping import SHOWN, MovedError, moved_on, post_step
from roosync_agent.session import Session
from roosync_broker import topology
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Audit, Cycle, Request, Rollout
from roosync_protocol.record_kinds import KINDS
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEYS = {name: KeyPair.generate() for name in ("op-ann", "alpha", "beta")}
FRAME = {"timestamp": NOW, "revision": 1, "operation_id": "o-1"}


class World:
    def __init__(self):
        self.bus = MemoryBus()

    async def session(self, name):
        law = Law(fleet="home", root=KEYS["op-ann"].public)
        made = Session(self.bus.link(name), Subjects("home"), KEYS[name], name, Fleet(law, verify))
        made.now = lambda: NOW
        await made.refresh()
        return made

    async def told(self, reader):
        """The audit of steps, in its order: what, of whom, what came of it."""
        found = []
        async for stored in reader.link.read(reader.subjects.stream("AUDIT"), reader.subjects.post("audit")):
            message = reader.open(stored).message
            if isinstance(message, Audit) and message.about in ("c-1", "r-1", "u-1"):
                found.append((message.action, message.phase, message.outcome))
        return found


@pytest.fixture
async def world():
    made = World()
    await topology.ensure(made.bus.link("keeper"), "home")
    operator = await made.session("op-ann")
    await lawmaking.found(operator, "alpha", KEYS["alpha"].public, None)
    await lawmaking.admit(operator, "beta", KEYS["beta"].public)
    return made


def a_cycle():
    return Cycle(
        **FRAME, agent="op-ann", id="c-1", route="coordination", status="running", participants=("alpha", "beta"),
        checkpoint="init", timeout_minutes=1, started=NOW, entered=NOW,
    )  # fmt: skip


def a_request(to="op-any"):
    return Request(
        **FRAME, agent="alpha", id="r-1", to=to, kind="approval", target="d-1", action="look at it",
        status="requested", asker="alpha", asked=NOW, timeout_minutes=1,
    )  # fmt: skip


def a_rollout():
    return Rollout(
        **FRAME, agent="op-ann", id="u-1", purpose="update", status="running", waves=(("alpha",),),
        timeout_minutes=1, started=NOW, opened=NOW,
    )  # fmt: skip


def test_every_kind_of_record_has_a_command_that_shows_it():
    assert set(SHOWN) == set(KINDS)


async def test_the_next_state_is_said_by_who_makes_it(world):
    operator = await world.session("op-ann")
    moved = moved_on(operator, replace(a_cycle(), agent="alpha", timestamp=NOW.replace(year=2020)), status="aborted")
    assert (moved.agent, moved.timestamp, moved.revision, moved.status) == ("op-ann", NOW, 2, "aborted")
    assert moved.operation_id not in ("o-1", moved_on(operator, a_cycle()).operation_id)
    assert moved_on(operator, a_cycle(), revision=7).revision == 7


STEPS = {  # record, how it begins, its next state, and the step that another speaker makes at the same moment
    "cycle": (
        a_cycle(),
        {"status": "aborted"},
        {"timeout_minutes": 1, "status": "running", "excused": {"beta": "off"}},
    ),
    "rollout": (a_rollout(), {"status": "stopped"}, {"accepted": frozenset({"alpha"})}),
}


@pytest.mark.parametrize(("record", "ours", "theirs"), STEPS.values(), ids=STEPS)
async def test_who_is_faster_wins_and_the_other_is_told_what_shows_it(world, record, ours, theirs):
    operator, other = await world.session("op-ann"), await world.session("op-ann")
    await operator.advance(record, 0)
    await other.refresh()
    await post_step(other, moved_on(other, record, **theirs), "theirs")
    show = SHOWN[type(record)].format(record.id)
    with pytest.raises(MovedError, match=f"{record.id} was moved by somebody else .* with `{show}`"):
        await post_step(operator, moved_on(operator, record, **ours), "ours")
    stands = operator.fleet.folded(record).state
    assert stands.revision == 2
    assert stands.status == "running"
    assert await world.told(operator) == [
        ("theirs", "before", ""), ("theirs", "after", "running"), ("ours", "before", ""), ("ours", "after", "not done"),
    ]  # fmt: skip


async def test_a_step_without_a_deed_is_left_to_whoever_calls_to_tell(world):
    operator = await world.session("op-ann")
    await operator.advance(a_cycle(), 0)
    assert (await post_step(operator, moved_on(operator, a_cycle(), status="aborted"))).status == "aborted"
    assert await world.told(operator) == []


async def test_a_step_that_does_not_count_says_why(world):
    beta, alpha = await world.session("beta"), await world.session("alpha")
    await alpha.advance(a_request("alpha"), 0)
    await beta.refresh()
    with pytest.raises(RefusedRequestError, match="the step does not count: beta: it may not move a request"):
        await post_step(beta, moved_on(beta, a_request("alpha"), status="done"))
    assert beta.fleet.request("alpha", "r-1").state.status == "requested"


def goes_on(session, step):
    """As soon as the step of `session` is stored, and before it is looked at, somebody makes the next one."""
    advance = session.advance

    async def meanwhile(message, after):
        receipt = await advance(message, after)
        await step()
        await session.refresh()
        return receipt

    session.advance = meanwhile


async def test_a_cycle_that_its_leader_moved_on_already_was_resumed_all_the_same(world):
    """Whoever leads answers at once: its step may be there before ours is looked at, and ours counts in it."""
    operator, alpha = await world.session("op-ann"), await world.session("alpha")
    await operator.advance(a_cycle(), 0)

    async def led():
        await alpha.refresh()
        state = alpha.fleet.cycle("c-1").state
        await post_step(alpha, moved_on(alpha, state, status="waiting", waiting_for="a person", token=1))

    goes_on(operator, led)
    found = await cycling.excuse(operator, "c-1", "beta", "off")
    assert (found.revision, found.agent, dict(found.excused)) == (3, "alpha", {"beta": "off"})


async def test_a_request_that_its_addressee_answered_already_was_made_ready_all_the_same(world):
    alpha, beta = await world.session("alpha"), await world.session("beta")
    request = replace(a_request("beta"), kind="execution", action="publish", dependencies="waiting")
    await alpha.advance(request, 0)

    async def answered():
        await beta.refresh()
        await requests.advance(beta, beta.fleet.request("beta", "r-1").state, status="done", outcome="so it was")

    goes_on(alpha, answered)
    found = await requests.advance(alpha, request, status="requested", dependencies="ready")
    assert (found.revision, found.status, found.outcome) == (3, "done", "so it was")
