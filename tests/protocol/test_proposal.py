"""The life of a baseline proposal, and what a machine without an operator can not make of it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import approval, proposal
from roosync_protocol.decision import RETAINED
from roosync_protocol.messages import PackageRef, Proposal
from roosync_protocol.messages.work import ProposalStatus

PACKAGES = (
    PackageRef(machine="pc-a", manifest="a" * 64, version="1"),
    PackageRef(machine="pc-b", manifest="b" * 64, version="1"),
)
WHO = {"a": "pc-a", "b": "pc-b", "ann": "op-ann", "bob": "op-bob"}


def begin(world, agent="pc-a", packages=PACKAGES, questions=1):
    return Proposal(
        agent=agent,
        timestamp=world.now,
        id=proposal.proposal_id(packages, 0),
        revision=1,
        operation_id=world.new_operation(),
        status="open" if questions else "arbitrated",
        after_revision=0,
        packages=packages,
        report="0" * 64,
        commons=3,
        overlays=1,
        arbitrations=questions,
    )


def validation(world, of, operator="op-ann"):
    pair = world.key(operator)
    return approval.sign_text(approval.VALIDATION, proposal.validation_text(of), pair.public, pair.sign)


def fold(world):
    return proposal.fold(world.records, world.law, verify)


def told(world, *messages):
    world.records += [world.say(message) for message in messages]
    return fold(world)


def step(world, state, word):
    name, _, status = word.partition(":")
    who, signs = WHO[name], status.endswith("+")
    status = status.rstrip("+")
    if state is None:
        return begin(world, who, questions=int(status == "open"))
    made = world.step(state, who, status, arbitrations=1 if status == "open" else 0)
    return replace(made, validated=validation(world, made, who)) if signs else made


# + signs a validation by the speaker
STORIES = {
    "the whole way": ("a:open ann:arbitrated ann:validated+ ann:published", "published", 0),
    "nothing to ask": ("a:arbitrated ann:validated+ ann:published", "published", 0),
    "another operator publishes": ("a:arbitrated ann:validated+ bob:published", "published", 0),
    "questions are answered one by one": ("a:open ann:open bob:arbitrated", "arbitrated", 0),
    "superseded by a machine": ("a:open b:superseded ann:arbitrated", "superseded", 1),
    "not after it was validated": ("a:arbitrated ann:validated+ a:superseded", "validated", 1),
    "a machine answers nothing": ("a:open a:arbitrated a:open", "open", 2),
    "a machine validates nothing": ("a:arbitrated a:validated+ a:validated", "arbitrated", 2),
    "a machine publishes nothing": ("a:arbitrated ann:validated+ a:published", "validated", 1),
    "questions stand in the way": ("a:open ann:validated+", "open", 1),
    "no signature, no validation": ("a:arbitrated ann:validated ann:published", "arbitrated", 2),
    "published is published": ("a:arbitrated ann:validated+ ann:published ann:superseded a:open", "published", 2),
}


@pytest.mark.parametrize(("script", "status", "refused"), STORIES.values(), ids=STORIES)
def test_story(world, script, status, refused):
    folded = proposal.FoldedProposal()
    for word in script.split():
        folded = told(world, step(world, folded.state, word))
    assert (folded.state.status, len(folded.refused)) == (status, refused), folded.refused


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.sampled_from(sorted(STORIES)), st.randoms(use_true_random=False))
def test_shuffled_and_doubled_deliveries_make_the_same_record(make_world, name, dice):
    world = make_world()
    for word in STORIES[name][0].split():
        told(world, step(world, fold(world).state, word))
    delivered = world.records * 2
    dice.shuffle(delivered)
    assert proposal.fold(delivered, world.law, verify) == fold(world)


def test_two_orchestrators_open_one_proposal():
    assert proposal.proposal_id(PACKAGES, 3) == proposal.proposal_id(reversed(PACKAGES), 3)
    assert proposal.proposal_id(PACKAGES, 3) != proposal.proposal_id(PACKAGES, 4)
    assert proposal.proposal_id(PACKAGES, 3) != proposal.proposal_id(PACKAGES[:1], 3)


BEGINNINGS = {
    "its packages": lambda w: replace(begin(w), packages=PACKAGES[:1]),
    "the baseline it follows": lambda w: replace(begin(w), after_revision=9),
    "one machine twice": lambda w: begin(w, packages=(*PACKAGES, replace(PACKAGES[0], manifest="c" * 64))),
    "open without a question": lambda w: replace(begin(w), arbitrations=0),
    "arbitrated with a question": lambda w: replace(begin(w), status="arbitrated"),
    "validated at once": lambda w: replace(begin(w, "op-ann"), status="validated", arbitrations=0),
    "a machine's word in the middle": lambda w: replace(begin(w), revision=5),
}


@pytest.mark.parametrize("make", BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_beginning_that_does_not_count(world, make):
    folded = told(world, make(world))
    assert folded.state is None
    assert len(folded.refused) == 1


def test_who_may_not_orchestrate_opens_nothing(world):
    world.enact(world.member("pc-b", may_orchestrate=False))
    assert told(world, begin(world, "pc-b")).state is None
    assert told(world, begin(world, "pc-a")).state is not None


# what the validation was really signed over, or by whom
FORGED = {
    "another report": lambda w, s: validation(w, replace(s, report="1" * 64)),
    "another proposal": lambda w, s: validation(w, replace(s, id="p-000000000000")),
    "a machine's key": lambda w, s: validation(w, s, "pc-a"),
    "a stranger's key": lambda w, s: validation(w, s, "op-eve"),
    "an approval": lambda w, s: approval.sign_text(
        approval.PURPOSE, proposal.validation_text(s), w.key("op-ann").public, w.key("op-ann").sign
    ),
    "another's name": lambda w, s: replace(validation(w, s, "op-eve"), signer=w.key("op-ann").public),
    "no base64": lambda w, s: replace(validation(w, s), signature="="),
    "nothing": lambda w, s: None,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("lost", [False, True], ids=["in the chain", "with its beginning lost"])
def test_a_forged_validation(world, forge, lost):
    state = told(world, begin(world, questions=0)).state
    made = world.step(state, "op-ann", "validated")
    message = world.say(replace(made, validated=forge(world, made)))
    heard = [message] if lost else [*world.records, message]
    folded = proposal.fold(heard, world.law, verify)
    assert folded.state == (None if lost else state)
    assert "valid" in folded.refused[0]


def test_what_is_published_is_what_was_validated(world):
    state = told(world, begin(world, questions=0)).state
    validated = told(world, step(world, state, "ann:validated+")).state
    swapped = world.step(validated, "op-bob", "published", report="1" * 64)
    assert told(world, swapped).state == validated


def test_an_operator_whose_word_comes_first_proves_itself(world):
    """Older messages are gone: an operator's later one stands, with all that it has to carry."""
    state = told(world, begin(world, questions=0)).state
    validated = step(world, state, "ann:validated+")
    alone = proposal.fold([world.say(validated)], world.law, verify)
    assert alone.state == validated


def test_a_revoked_operator_has_validated_nothing_and_published_all_the_same(world):
    state = told(world, begin(world, questions=0)).state
    validated = told(world, step(world, state, "bob:validated+")).state
    assert validated.status == "validated"
    now = world.law
    world.enact(world.roster(revoked=["op-bob"]))
    assert fold(world).state == state, "what only waits needs an operator of today"
    world.law = now
    told(world, step(world, validated, "ann:published"))
    world.enact(world.roster(revoked=["op-bob"]))
    alone = proposal.fold(world.records[-1:], world.law, verify)
    assert alone.state.status == "published", "what was published is the past"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_machines_alone_validate_nothing(make_world, data):
    world = make_world()
    signed = [None, validation(world, begin(world), "pc-a"), validation(world, replace(begin(world), id="p-1"))]
    for _ in range(data.draw(st.integers(1, 6))):
        state = fold(world).state or begin(world)
        made = world.step(
            state,
            data.draw(st.sampled_from(["pc-a", "pc-b"])),
            data.draw(st.sampled_from(ProposalStatus.__args__)),
            arbitrations=data.draw(st.integers(0, 1)),
            validated=data.draw(st.sampled_from(signed)),
        )
        state = told(world, replace(made, revision=data.draw(st.integers(1, 4)))).state
        assert state is None or state.status not in ("validated", "published")


def test_what_is_no_proposal_is_not_one(world):
    assert proposal.fold([world.say(world.policy())], world.law, verify).refused == ("op-ann: Policy is no proposal",)


def test_more_answers_than_the_broker_keeps(world):
    """Each answer is a message of its own; the machine's first word stays, the operator's older ones go."""
    state = begin(world, questions=20)
    world.records.append(world.say(state))
    for left in range(19, -1, -1):
        status = "open" if left else "arbitrated"
        state = world.step(state, "op-ann", status, arbitrations=left)
        world.records.append(world.say(state))
        kept = world.records[:1] + world.records[1:][-RETAINED:]
        assert proposal.fold(kept, world.law, verify).state == state
    forged = [world.say(replace(world.step(state, "pc-b", "superseded"), revision=40))]
    assert proposal.fold(kept + forged, world.law, verify).state == state
