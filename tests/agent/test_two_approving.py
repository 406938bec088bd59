"""Two people answer one decision at the same moment, or one person in two terminals: what counts, who is told what.

The sessions are the real ones; the bus is in memory.
"""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.decisions.seen import seen
from roosync_agent.operations.membership import lawmaking, policy
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.stepping import moved_on
from roosync_agent.session import Session, new_operation
from roosync_broker import topology
from roosync_broker.errors import StaleError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol import approval
from roosync_protocol.decision import decision_id
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Operator
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEY = "claude.settings/model"


@pytest.fixture
async def world():
    """ann and bob may sign, ann in two terminals; alpha asks one question."""
    bus, keys = MemoryBus(), {name: KeyPair.generate() for name in ("op-ann", "op-bob", "alpha")}
    await topology.ensure(bus.link("keeper"), "home")

    def session(name, link=""):
        law = Law(fleet="home", root=keys["op-ann"].public)
        made = Session(bus.link(link or name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: NOW
        return made

    found = SimpleNamespace(ann=session("op-ann"), again=session("op-ann"), bob=session("op-bob"))
    found.alpha = session("alpha")
    await lawmaking.found(found.ann, "alpha", keys["alpha"].public, None)
    roster = found.ann.fleet.law.roster
    both = roster.operators | {"op-bob": Operator(key=keys["op-bob"].public)}
    await lawmaking.enact(found.ann, lambda: replace(roster, operators=both))
    found.all = (found.ann, found.again, found.bob, found.alpha)
    await read(found)
    return found


async def read(world):
    for one in world.all:
        await one.refresh()


async def ask(world):
    found = Divergence(key=KEY, kind=Kind.SETTING, verdict=Verdict.TAKE, local="opus", wanted="sonnet")
    asked = Asked(machine="alpha", reference="baseline", reference_revision=1, now=NOW)
    await world.alpha.advance(decide(found, asked, new_operation()), 0)
    await read(world)
    return decision_id("alpha", KEY, "baseline")


async def need_two(world):
    answers = dict.fromkeys(("none", "low", "medium", "high", "critical"), "two")
    await policy.change(world.ann, answers)
    await read(world)


async def at_once(world, id_, *sessions):
    """What each was told: the status, or the error."""
    found = [deciding.find(one, id_) for one in sessions]
    work = (deciding.approve(one, decision) for one, decision in zip(sessions, found, strict=True))
    ended = await asyncio.gather(*work, return_exceptions=True)
    await read(world)
    return [one if isinstance(one, Exception) else one.status for one in ended]


PAIRS = {"two operators": ("ann", "bob"), "one person in two terminals": ("ann", "again")}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
async def test_one_yes_counts_where_one_is_needed_and_the_other_is_told_whose(world, pair):
    id_ = await ask(world)
    told = await at_once(world, id_, *(getattr(world, name) for name in pair))
    assert told.count("approved") == 1
    first = getattr(world, pair[told.index("approved")]).name
    (late,) = (one for one in told if one != "approved")
    assert isinstance(late, deciding.AnsweredError)
    assert f"{id_} is approved already, by {first} at 2026-11-21 09:00:00 UTC; alpha applies it" in str(late)
    decision = world.alpha.fleet.decision("alpha", id_).state
    assert decision.status == "approved"
    assert len(decision.approvals) == 1


async def test_both_count_where_two_are_needed(world):
    await need_two(world)
    id_ = await ask(world)
    told = await at_once(world, id_, world.ann, world.bob)
    assert sorted(told) == ["approved", "pending"]
    decision = world.alpha.fleet.decision("alpha", id_).state
    assert approval.approvers(decision, world.alpha.fleet.law, verify, NOW) == {"op-ann", "op-bob"}


async def test_one_person_is_one_where_two_are_needed(world):
    await need_two(world)
    id_ = await ask(world)
    assert await at_once(world, id_, world.ann, world.again) == ["pending", "pending"]
    decision = world.alpha.fleet.decision("alpha", id_).state
    assert decision.status == "pending"
    assert approval.approvers(decision, world.alpha.fleet.law, verify, NOW) == {"op-ann"}


async def test_yes_and_no_at_the_same_moment_are_one_answer(world):
    id_ = await ask(world)
    yes, no = (deciding.find(one, id_) for one in (world.ann, world.bob))
    work = (deciding.approve(world.ann, yes), deciding.reject(world.bob, no))
    ended = await asyncio.gather(*work, return_exceptions=True)
    errors = [one for one in ended if isinstance(one, Exception)]
    assert len(errors) == 1
    assert isinstance(errors[0], RefusedRequestError)
    await read(world)
    assert world.alpha.fleet.decision("alpha", id_).state.status in ("approved", "rejected")


async def rejected(world, id_):
    await deciding.reject(world.bob, deciding.find(world.bob, id_))


async def rolled_back(world, id_):
    await deciding.approve(world.bob, deciding.find(world.bob, id_))
    for status in ("applying", "applied", "rolled_back"):
        if status == "rolled_back":
            await world.bob.refresh()
            await deciding.request_rollback(world.bob, deciding.find(world.bob, id_))
        await world.alpha.refresh()
        folded = world.alpha.fleet.decision("alpha", id_)
        await world.alpha.advance(moved_on(world.alpha, folded.state, status=status, snapshot="s"), folded.sequence)


@pytest.mark.parametrize("meanwhile", [rejected, rolled_back])
async def test_a_yes_to_what_was_seen_waiting_does_not_overturn_what_somebody_else_decided_meanwhile(world, meanwhile):
    id_ = await ask(world)
    expected = seen(deciding.find(world.ann, id_))
    await meanwhile(world, id_)
    await read(world)
    with pytest.raises(deciding.AnsweredError, match=f"{id_} is .* since 2026.* UTC, by .*nothing was signed"):
        await deciding.approve(world.ann, deciding.find(world.ann, id_), expected=expected)
    stood = await deciding.approve_each(world.ann, {id_: expected})
    assert [one.status for one in stood] == [meanwhile.__name__]
    again = deciding.find(world.ann, id_)  # whoever saw how it ended may open it again
    assert (await deciding.approve(world.ann, again, expected=seen(again))).status == "approved"


async def test_the_same_no_twice_is_one_and_the_other_is_told_whose_and_when(world):
    id_ = await ask(world)
    found = [deciding.find(one, id_) for one in (world.ann, world.bob)]
    work = (deciding.reject(one, decision) for one, decision in zip((world.ann, world.bob), found, strict=True))
    (late,) = (one for one in await asyncio.gather(*work, return_exceptions=True) if isinstance(one, Exception))
    assert "(rejected since 2026-11-21 09:00:00 UTC, by op-" in str(late)


async def test_two_who_want_it_put_back_ask_once(world):
    id_ = await ask(world)
    await deciding.approve(world.bob, deciding.find(world.bob, id_))
    for status in ("applying", "applied"):
        await world.alpha.refresh()
        folded = world.alpha.fleet.decision("alpha", id_)
        await world.alpha.advance(moved_on(world.alpha, folded.state, status=status, snapshot="s"), folded.sequence)
    await read(world)
    found = [deciding.find(one, id_) for one in (world.ann, world.bob)]
    work = (deciding.request_rollback(*one) for one in zip((world.ann, world.bob), found, strict=True))
    first, second = await asyncio.gather(*work)
    assert first.rollback_requested
    assert first.revision == second.revision == found[0].revision + 1


async def test_who_comes_after_it_was_applied_is_told_who_approved(world):
    id_ = await ask(world)
    late = deciding.find(world.bob, id_)
    await deciding.approve(world.ann, deciding.find(world.ann, id_))
    for status in ("applying", "applied"):
        await world.alpha.refresh()
        folded = world.alpha.fleet.decision("alpha", id_)
        moved = replace(
            folded.state, agent="alpha", status=status, revision=folded.state.revision + 1,
            operation_id=new_operation(),
        )  # fmt: skip
        await world.alpha.advance(moved, folded.sequence)
    await world.bob.refresh()
    with pytest.raises(deciding.AnsweredError, match=f"{id_} is applied and can not .*; approved by op-ann at 2026"):
        await deciding.approve(world.bob, late)


async def test_who_loses_the_receipt_and_finds_their_own_yes_carried_out_is_told_so(world):
    """The broker stored it and fell; until it answered again, the machine had applied it."""
    id_ = await ask(world)
    post = world.ann.link.post

    async def receipt_lost(subject, data, headers=None, **more):
        await post(subject, data, headers, **more)
        if ".decision." in subject:
            for status in ("applying", "applied"):
                await world.alpha.refresh()
                folded = world.alpha.fleet.decision("alpha", id_)
                await world.alpha.advance(moved_on(world.alpha, folded.state, status=status), folded.sequence)
            raise StaleError("the broker forgot the id when it fell")

    world.ann.link.post = receipt_lost
    done = await deciding.approve(world.ann, deciding.find(world.ann, id_))
    assert (done.status, [one.signer for one in done.approvals]) == ("applied", [world.ann.keys.public])
