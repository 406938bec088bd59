"""The policy as people use it: machines obey a new one at once, and one that is older is believed by nobody."""

import asyncio
import os
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from roosync_agent.connect import _session, as_operator
from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.membership.lawmaking import enact
from roosync_agent.settings import load
from roosync_agent.state import State
from roosync_broker.keys import KeyPair
from roosync_protocol.messages import Operator
from roosync_protocol.messages.law import DEFAULT_ANSWERS

MEMORY = "claude.memory/CLAUDE.md"


@pytest.fixture(scope="module")
def fleet(pair):
    """The policy is as it was when the last of these tests ended."""
    yield pair
    usual = [f"{risk}={answer}" for risk, answer in DEFAULT_ANSWERS.items()]
    pair.sites["alpha"].roosync("policy", "set", *usual, "--yes")


@pytest.fixture
def two(fleet):
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    alpha.until_synced()
    yield alpha, beta
    alpha.until_synced()


def answers(site):
    return site.json("policy", "show")["answers"]


def change_memory(alpha, homes, line):
    """alpha's person writes a line into the memory of Claude Code, and makes it everybody's."""
    alpha.write(homes.memory, alpha.read(homes.memory) + line)
    own = alpha.decision("pending", machine="alpha", entity=MEMORY)
    alpha.roosync("decision", "approve", own["id"], "--action", "override_remote", "--yes")


def signed(site, work, *, by=None):
    """Runs `work(session)` as the operator of this machine, or as another one: (name, keys)."""

    async def run():
        settings, state = load(os.environ | site.env), State(site.state)
        if by is None:
            session = await as_operator(settings, state, lambda _: "")
        else:
            session = await _session(settings, state, state.identity(), by[1], by[0], 5.0)
        try:
            await session.refresh()
            return await work(session)
        finally:
            await session.close()

    return asyncio.run(run())


def test_medium_applies_by_itself_when_the_policy_says_so_and_not_before(two, homes, waiting):
    alpha, beta = two
    shown = beta.roosync("policy", "show").out
    assert "medium    waits for an operator" in shown
    assert "signed by op-ana" in shown

    change_memory(alpha, homes, b"Be short.\n")
    held = alpha.decision("pending", machine="beta", entity=MEMORY)
    assert held["risk"] == "medium"
    beta.roosync("apply", codes=None)
    assert b"Be short." not in beta.read(homes.memory)

    ran = alpha.roosync("policy", "set", "medium=automatic", "--yes")
    assert "medium    applies by itself" in ran.out
    waiting("beta takes what waited", lambda: b"Be short." in beta.read(homes.memory))
    alpha.until_synced()
    assert answers(beta)["medium"] == "automatic"
    change_memory(alpha, homes, b"Be kind.\n")
    waiting("beta takes it by itself", lambda: b"Be kind." in beta.read(homes.memory))
    alpha.until_synced()

    alpha.roosync("policy", "set", "medium=one")
    waiting("beta knows", lambda: answers(beta)["medium"] == "one")
    change_memory(alpha, homes, b"Be brief.\n")
    held = alpha.decision("pending", machine="beta", entity=MEMORY)
    beta.roosync("apply", codes=None)
    assert b"Be brief." not in beta.read(homes.memory)
    alpha.roosync("decision", "approve", held["id"], "--yes")


def test_what_nobody_should_sign_is_refused_and_changes_nothing(two):
    alpha, beta = two
    before = alpha.json("policy", "show")
    alpha.fails("policy", "set", "high=automatic", "medium=automatic", "--yes", says="never apply by themselves")
    alpha.fails("policy", "set", "high=two", "critical=two", says="two approvals need two operators")
    beta.fails("policy", "set", "medium=one", says="no operator's key lies on this machine")
    ran = alpha.roosync("policy", "set", "medium=automatic", codes=None)
    assert ran.code != 0, "something gets easier, and nobody there to say yes"
    assert alpha.json("policy", "show") == before


def test_a_public_name_comes_and_goes(two, waiting):
    alpha, beta = two
    alpha.roosync("policy", "set", "--public-name", "PROJECT_STAGE", "--yes")
    waiting("beta knows", lambda: beta.json("policy", "show")["public_names"] == ["PROJECT_STAGE"])
    alpha.roosync("policy", "set", "--remove-public-name", "project_stage")
    waiting("beta knows", lambda: beta.json("policy", "show")["public_names"] == [])


def test_an_older_policy_said_again_is_believed_by_nobody(two, waiting):
    """An operator's key that was copied can sign revision 1 again: machines keep the highest that they saw."""
    alpha, beta = two
    law = State(beta.state).law()
    assert law.policy.revision > 1
    old = replace(law.policy, revision=1, answers=dict(law.policy.answers, medium="automatic", critical="automatic"))

    async def replay(session):
        await session.say(old)
        record = session.subjects.of(old)
        return (await session.link.last(session.subjects.stream("LAW"), [record]))[-1].data

    assert b'"revision":1,' in signed(alpha, replay), "the bus has the old one now"
    beta.stop()
    beta.up("agent")
    assert answers(beta)["medium"] == "one"
    assert State(beta.state).law().policy.revision == law.policy.revision
    alpha.roosync("policy", "set", "low=automatic")
    waiting("the fleet goes on", lambda: beta.json("policy", "show")["revision"] > law.policy.revision)


def test_two_operators_have_to_say_yes(two, homes, waiting):
    alpha, beta = two
    bob = KeyPair.generate()

    def with_bob(session):
        roster = session.fleet.law.roster
        people = {**roster.operators, "op-bob": Operator(key=bob.public)}
        return replace(roster, agent=session.name, timestamp=datetime.now(UTC), operators=people)

    async def approved_by_bob(session):
        return await deciding.approve(session, deciding.find(session, held["id"]))

    signed(alpha, lambda session: enact(session, lambda: with_bob(session)))
    alpha.roosync("policy", "set", "medium=two", "high=two", "critical=two")
    waiting("beta knows", lambda: answers(beta)["medium"] == "two")
    change_memory(alpha, homes, b"Be wise.\n")
    held = alpha.decision("pending", machine="beta", entity=MEMORY)
    alpha.roosync("decision", "approve", held["id"], "--yes")
    beta.roosync("apply", codes=None)
    assert alpha.decision("pending", machine="beta", entity=MEMORY)["id"] == held["id"], "one yes of two"
    assert b"Be wise." not in beta.read(homes.memory)
    assert signed(alpha, approved_by_bob, by=("op-bob", bob)).status == "approved"
    waiting("beta takes it with two", lambda: b"Be wise." in beta.read(homes.memory))
