"""An approval covers exactly one change of one thing on one machine, once."""

import base64
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import approval
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.messages import Signed
from roosync_protocol.reconcile import Asked, decide


@pytest.fixture
def pending(world):
    divergence = Divergence(
        key="roo.mcp/github",
        kind=Kind.MCP_SERVER,
        verdict=Verdict.TAKE,
        local={"command": "npx", "args": ["-y", "gh@1"]},
        wanted={"command": "npx", "args": ["-y", "gh@2"]},
    )
    return decide(divergence, Asked(machine="pc-a", reference="baseline", reference_revision=1, now=world.now), "o-x")


def fault(world, signed, decision, now=...):
    return approval.fault(signed, decision, world.law, verify, world.now if now is ... else now)


def test_an_approval_that_fits(world, pending):
    signed = world.sign(world.approval(pending))
    assert fault(world, signed, pending) is None
    assert approval.read(signed, verify) == world.approval(pending)
    assert approval.approvers(pending, world.law, verify, world.now) == set(), "it has to be in the state"
    carried = replace(pending, approvals=(signed, signed))
    assert approval.approvers(carried, world.law, verify, world.now) == {"op-ann"}, "twice is once"


# what the operator signed instead
OTHER = {
    "another fleet": ({"fleet": "work"}, "fleet 'work'"),
    "another machine": ({"machine": "pc-b"}, "another decision"),
    "another decision": ({"decision": "d-000000000000"}, "another decision"),
    "another entity whose id collides": ({"entity": "roo.mcp/gitlab"}, "roo.mcp/gitlab"),
    "an earlier attempt": ({"attempt": 2}, "attempt 2"),
    "another value": ({"wanted": "0" * 64}, "not what was approved"),
    "a removal": ({"wanted": None}, "not what was approved"),
    "another surface": ({"surface": "0" * 64}, "not what was approved"),
    "another action": ({"action": "merge"}, "not what was approved"),
    "an operator who is none": ({"operator": "op-eve"}, "no operator"),
    "another operator's name": ({"operator": "op-bob"}, "no operator"),
    "a machine's name": ({"operator": "pc-a"}, "no operator"),
}


@pytest.mark.parametrize(("changes", "why"), OTHER.values(), ids=OTHER)
def test_an_approval_of_something_else(world, pending, changes, why):
    signed = world.sign(world.approval(pending, **changes), operator="op-ann")
    assert why in fault(world, signed, pending)
    assert why in fault(world, signed, pending, now=None), "also as a story of the past"


@pytest.mark.parametrize("past", [False, True])
def test_a_machine_says_yes_to_nothing_also_with_its_own_key_and_name(world, pending, past):
    signed = world.sign(world.approval(pending, "pc-a"))
    assert signed.signer == world.law.members["pc-a"].key
    assert "no operator" in fault(world, signed, pending, now=None if past else world.now)


def other_wanted(world, d):
    return world.wanting(d, {"command": "sh"})


# what became of the decision after it was approved
MOVED = {
    "another machine": lambda w, d: replace(d, machine="pc-b"),
    "another entity": lambda w, d: replace(d, entity="roo.mcp/gitlab"),
    "the next attempt": lambda w, d: replace(d, attempt=2),
    "another value": other_wanted,
    "another action": lambda w, d: replace(d, action="merge"),
}


@pytest.mark.parametrize("move", MOVED.values(), ids=MOVED)
def test_a_decision_that_moved_on_leaves_its_approval_behind(world, pending, move):
    signed = world.sign(world.approval(pending))
    assert fault(world, signed, move(world, pending)) is not None


def test_an_approval_expires_and_stays_a_proof_of_the_past(world, pending):
    signed = world.sign(world.approval(pending))
    world.wait(days=7)
    assert "it expired" in fault(world, signed, pending)
    assert fault(world, signed, pending, now=None) is None


def test_a_revoked_operator_approves_nothing_more_and_his_past_stands(world, pending):
    signed = world.sign(world.approval(pending, "op-bob"))
    world.enact(world.roster(revoked=["op-bob"]))
    assert "no operator" in fault(world, signed, pending)
    assert fault(world, signed, pending, now=None) is None


def test_a_key_that_was_replaced_proves_nothing(world, pending):
    signed = world.sign(world.approval(pending, "op-bob"))
    roster = world.roster()
    people = {**roster.operators, "op-bob": replace(roster.operators["op-bob"], key=world.key("bob-new").public)}
    world.enact(replace(roster, operators=people))
    assert "no operator" in fault(world, signed, pending, now=None)


def test_of_each_operator_the_newest_counts(world, pending):
    first = world.sign(world.approval(pending))
    world.wait(days=1)
    second = world.sign(world.approval(pending))
    for order in ((first, second), (second, first)):
        (one,) = approval.given(replace(pending, approvals=order), world.law, verify, world.now)
        assert one.issued == world.now


def broken(signed, **changes):
    return replace(signed, **changes)


BROKEN = {
    "no signature": lambda s: broken(s, signature=""),
    "another's signature": lambda s: broken(s, signature=base64.b64encode(bytes(64)).decode()),
    "no base64": lambda s: broken(s, signature="*"),
    "another signer": lambda s: broken(s, signer="U" + "A" * 55),
    "another payload": lambda s: broken(s, payload=s.payload.replace("gh", "xx") + " "),
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_broken_proof(world, pending, damage):
    signed = damage(world.sign(world.approval(pending)))
    assert fault(world, signed, pending) is not None


PAYLOADS = {
    "nothing": "",
    "no object": "[]",
    "no approval": "{}",
    "a deep nest": "[" * 100_000,
    "half a surrogate pair": '"\\ud800"',
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_genuine_signature_under_something_else(world, pending, payload):
    pair = world.key("op-ann")
    signed = approval.sign_text(approval.PURPOSE, payload, pair.public, pair.sign)
    assert "can not be read" in fault(world, signed, pending)


def test_one_kind_of_proof_is_not_another(world, pending):
    """What an operator signs to validate a baseline, or to speak, approves nothing."""
    payload = msgspec.json.encode(world.approval(pending)).decode()
    pair = world.key("op-ann")
    for purpose in (approval.VALIDATION, "", "roosync.v1.approval\n", "roosync.v1"):
        signed = approval.sign_text(purpose, payload, pair.public, pair.sign)
        assert fault(world, signed, pending) is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(payload=st.text(max_size=50), signer=st.text(max_size=60), signature=st.text(max_size=100))
def test_whatever_is_embedded_is_only_refused(world, pending, payload, signer, signature):
    assert fault(world, Signed(payload=payload, signer=signer, signature=signature), pending) is not None


def test_the_moment_it_expires_it_has_expired(world, pending):
    signed = world.sign(world.approval(pending, expires=world.now + timedelta(seconds=1)))
    assert fault(world, signed, pending) is None
    world.wait(seconds=1)
    assert fault(world, signed, pending) is not None


def test_nothing_wanted_is_something_that_can_be_approved(world, pending):
    gone = replace(pending, wanted=replace(pending.wanted, digest=None))
    signed = world.sign(world.approval(gone))
    assert fault(world, signed, gone) is None
    assert fault(world, signed, pending) is not None


def test_what_was_approved_for_a_machine_that_was_revoked_since_is_void_when_it_comes_back(world, pending):
    signed = world.sign(world.approval(pending))
    world.wait(minutes=5)
    world.enact(replace(world.member("pc-a"), revision=2, revoked=True))
    world.enact(replace(world.member("pc-a"), revision=3, returned=world.now))
    assert "came back" in fault(world, signed, pending)
    assert fault(world, signed, pending, now=None) is None, "that it was given once stays true"
    assert fault(world, world.sign(world.approval(pending)), pending) is None
