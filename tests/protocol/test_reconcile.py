"""From divergences to decisions: asked twice it says nothing new, and it takes nobody's word for what it can see."""

import itertools

import msgspec
import pytest
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import reconcile
from roosync_protocol.decision import decision_id, fold
from roosync_protocol.diff import ABSENT, DIVERGENT, Divergence, Verdict
from roosync_protocol.digest import digest
from roosync_protocol.entity import Kind
from roosync_protocol.messages import decode, encode
from roosync_protocol.proof import RISKS
from roosync_protocol.reconcile import Asked, accepted, category, decide, side
from roosync_protocol.risk import Risk

OLD, NEW, OTHER = {"command": "npx", "args": ["a@1"]}, {"command": "npx", "args": ["a@2"]}, {"command": "uvx"}
AUTOMATIC = dict.fromkeys(("none", "low", "medium", "high", "critical"), "automatic")


def take(local=OLD, wanted=NEW, verdict=Verdict.TAKE, key="roo.mcp/a", **more):
    return Divergence(key=key, kind=Kind.MCP_SERVER, verdict=verdict, local=local, wanted=wanted, **more)


class Desk:
    """One machine that looks, and posts what `settle` says."""

    def __init__(self, world, machine="pc-a", reference="baseline"):
        self.world, self.machine, self.reference = world, machine, reference

    revision = 1

    def asked(self):
        return Asked(
            machine=self.machine, reference=self.reference, reference_revision=self.revision, now=self.world.now
        )

    def known(self):
        """All decisions, from everything that was ever said."""
        records = {}
        for heard in self.world.records:
            records.setdefault(heard.message.id, []).append(heard)
        folded = {id_: fold(heard, self.world.law, verify) for id_, heard in records.items()}
        assert not [f.refused for f in folded.values() if f.refused], "what settle says always counts"
        return {id_: f.state for id_, f in folded.items()}

    def look(self, *divergences, **more):
        """What is posted now; asked again there is nothing more to say."""
        posted = [s for steps in self.settle(*divergences, **more) for s in steps]
        self.world.records += [self.world.say(state) for state in posted]
        operations = [heard.operation for heard in self.world.records]
        assert len(set(operations)) == len(operations), "the server forgets a second post with one id"
        assert list(self.settle(*divergences, **more)) == []
        return [state.status for state in posted]

    def settle(self, *divergences, **more):
        return reconcile.settle(
            list(divergences), self.known(), self.asked(), self.world.law, self.world.new_operation, **more
        )

    def one(self):
        (state,) = self.known().values()
        return state

    def say(self, who, status, **changes):
        self.world.records.append(self.world.say(self.world.step(self.one(), who, status, **changes)))

    def approve(self, who="op-ann"):
        self.world.records.append(self.world.say(self.world.approved(self.one(), who)))

    def run(self, *statuses):
        for status in statuses:
            self.say(self.machine, status)


@pytest.fixture
def desk(world):
    world.enact(world.policy(answers={}))
    return Desk(world)


# -- one decision


@pytest.mark.parametrize("verdict", sorted(DIVERGENT))
def test_every_divergence_becomes_a_decision_that_travels(world, verdict):
    made = decide(take(verdict=verdict), Desk(world).asked(), "o-1")
    assert made.status == "pending"
    assert made.justification
    assert decode(encode(made)) == made


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - DIVERGENT))
def test_what_is_no_divergence_is_not_asked(desk, verdict):
    assert desk.look(take(verdict=verdict)) == []


def test_what_is_absent_is_not_null():
    assert side(ABSENT).digest is None
    assert side(None).digest == digest(None)
    assert side(None).value is None


def test_a_large_value_stays_at_home():
    large = side("x" * (reconcile.SHOWN + 1))
    assert large.value is msgspec.UNSET
    assert large.size == reconcile.SHOWN + 3
    assert side("x" * (reconcile.SHOWN - 2)).value is not msgspec.UNSET


def test_a_merge_is_offered_when_both_changes_fit(world):
    merged = {"command": "uvx", "args": ["a@2"]}
    made = decide(take(verdict=Verdict.CONFLICT, merged=merged), Desk(world).asked(), "o-1")
    assert (made.action, made.wanted.value, made.remote.value) == ("merge", merged, NEW)
    joined = decide(take(verdict=Verdict.JOIN_DIFFERS, merged=merged), Desk(world).asked(), "o-1")
    assert (joined.action, joined.wanted.value) == ("override_local", NEW), "without a base nothing is merged unasked"


def test_categories_and_risks_have_the_founding_names():
    assert {category(kind) for kind in Kind} == {"config", "files", "settings"}
    assert {RISKS[risk] for risk in Risk} == {"none", "low", "medium", "high", "critical"}


# -- level-triggered

# what happens to the record before the next look -> what is posted then, when the same divergence still stands
STANDING = {
    "nothing happened": ((), []),
    "approved": (("approve",), []),
    "applying": (("approve", "applying"), []),
    "failed": (("approve", "applying", "failed"), []),
    "rolled back": (("approve", "applying", "failed", "rolled_back"), []),
    "rollback failed": (("approve", "applying", "failed", "rollback_failed"), []),
    "rejected": (("op:rejected",), []),
    "promoted": (("op:promoted",), []),
    "kept special": (("op:kept_special",), []),
    "overwritten": (("approve", "applying", "applied", "overwritten"), []),
    "applied, and there it is again": (("approve", "applying", "applied"), ["pending"]),
    "superseded, and there it is again": (("superseded",), ["pending"]),
    "expired": (("expired",), ["pending"]),
}


def bring(desk, steps):
    for step in steps:
        if step == "approve":
            desk.approve()
        elif step.startswith("op:"):
            desk.say("op-ann", step[3:])
        else:
            desk.run(step)


@pytest.mark.parametrize(("steps", "posted"), STANDING.values(), ids=STANDING)
def test_while_it_stands(desk, steps, posted):
    assert desk.look(take()) == ["pending"]
    bring(desk, steps)
    assert desk.look(take()) == posted


@pytest.mark.parametrize(
    ("status", "posted"), [("promoted", ["pending"]), ("kept_special", ["pending"]), ("rejected", [])]
)
def test_a_later_baseline_that_says_the_same_again(desk, status, posted):
    """An answer that became law holds for that law; a no holds for the difference, whoever asks."""
    desk.look(take())
    desk.say("op-ann", status, reference_revision=2)
    assert desk.look(take()) == [], "the answer is known, its law is not yet"
    desk.revision = 2
    assert desk.look(take()) == []
    desk.revision = 3  # a version from before was restored
    assert desk.look(take()) == posted


MOVED_ON = {
    "nothing happened": ((), ["superseded", "pending"]),
    "approved": (("approve",), ["superseded", "pending"]),
    "applying": (("approve", "applying"), []),
    "rolled back": (("approve", "applying", "failed", "rolled_back"), ["pending"]),
    "rejected": (("op:rejected",), ["pending"]),
    "applied": (("approve", "applying", "applied"), ["pending"]),
    "expired": (("expired",), ["pending", "superseded", "pending"]),
}


@pytest.mark.parametrize(("steps", "posted"), MOVED_ON.values(), ids=MOVED_ON)
@pytest.mark.parametrize("other", [take(wanted=OTHER), take(local=OTHER)], ids=["the baseline", "the machine"])
def test_when_it_moved_on(desk, steps, posted, other):
    desk.look(take())
    bring(desk, steps)
    before = desk.one()
    assert desk.look(other) == posted
    if before.status != "applying":
        assert desk.one().status == "pending"
        assert not desk.one().approvals
        assert desk.one().attempt == before.attempt + 1


GONE = {
    "pending": ((), ["superseded"]),
    "approved": (("approve",), ["superseded"]),
    "expired": (("expired",), ["pending", "superseded"]),
    "applying": (("approve", "applying"), []),
    "applied": (("approve", "applying", "applied"), []),
    "rejected": (("op:rejected",), []),
}


@pytest.mark.parametrize(("steps", "posted"), GONE.values(), ids=GONE)
def test_when_it_is_gone(desk, steps, posted):
    desk.look(take())
    bring(desk, steps)
    assert desk.look() == posted


def test_what_was_not_looked_at_stays_as_it_is(desk):
    """A target in quarantine has no divergences, and that is no answer to its decisions."""
    desk.look(take())
    desk.approve()
    assert desk.look(unseen=frozenset({"roo.mcp"})) == []
    assert desk.look(unseen=frozenset({"roo.modes"})) == ["superseded"]


def test_another_reference_has_decisions_of_its_own(world, desk):
    desk.look(take())
    other = Desk(world, reference="machine:pc-b")
    assert other.look(take()) == ["pending"]
    assert len(desk.known()) == 2
    assert other.look() == ["superseded"]
    assert {d.status for d in desk.known().values()} == {"pending", "superseded"}


# -- time


def test_a_decision_is_renewed_when_its_time_is_over(world, desk):
    desk.look(take())
    desk.approve()
    world.wait(days=30)
    assert desk.look(take()) == ["expired", "pending"]
    assert (desk.one().approvals, desk.one().attempt) == ((), 1)
    assert desk.one().expires == world.now + reconcile.LIFETIME


LOST_YES = {
    "the approval expired": lambda w: w.wait(days=8),
    "its operator was revoked": lambda w: w.enact(w.roster(agent="op-bob", revoked=["op-ann"])),
    "two are needed now": lambda w: w.enact(w.policy(answers=dict.fromkeys(AUTOMATIC, "two"))),
}


@pytest.mark.parametrize("happens", LOST_YES.values(), ids=LOST_YES)
def test_a_yes_that_no_longer_counts_is_asked_for_again(world, desk, happens):
    """Otherwise it would stay approved, never be applied, and nobody could approve it again."""
    desk.look(take())
    desk.approve()
    assert desk.look(take(), verify=verify) == []
    world.wait(seconds=1)
    happens(world)
    assert desk.look(take(), verify=verify) == ["expired", "pending"]
    assert desk.one().approvals == ()


def test_a_policy_that_no_longer_says_yes_leaves_it_to_a_person(world, desk):
    world.enact(world.policy(answers=AUTOMATIC))
    assert desk.look(take()) == ["pending", "approved"]
    world.enact(world.policy(answers={}))
    assert desk.look(take(), verify=verify) == ["expired", "pending"]
    assert desk.one().policy_proof is None
    desk.approve()
    assert world.applicable(desk.one()) is None


# -- policy

POLICY = {
    "the baseline moved": (take(), True),
    "it is new": (take(local=ABSENT, verdict=Verdict.JOIN_ADD), True),
    "both moved and fit together": (take(verdict=Verdict.CONFLICT, merged=OTHER), True),
    "both moved and do not": (take(verdict=Verdict.CONFLICT), False),
    "the machine moved": (take(verdict=Verdict.DRIFT), False),
    "it was removed here": (take(local=ABSENT, verdict=Verdict.LOCAL_DELETION), False),
    "it is to be removed": (take(wanted=ABSENT, verdict=Verdict.BASELINE_DELETION), False),
    "removed and changed": (take(wanted=ABSENT, verdict=Verdict.DELETE_MODIFY), False),
    "it differed when the machine joined": (take(verdict=Verdict.JOIN_DIFFERS), False),
    "too large to be judged again": (take(wanted={"command": "x" * 70_000}), False),
}


@pytest.mark.parametrize(("divergence", "automatic"), POLICY.values(), ids=POLICY)
def test_what_a_policy_answers(world, desk, divergence, automatic):
    world.enact(world.policy(answers=AUTOMATIC))
    assert desk.look(divergence) == ["pending", "approved"][: 1 + automatic]
    if automatic:
        assert world.applicable(desk.one()) is None


NOT_AUTOMATIC = {
    "the policy says one": ({"answers": dict.fromkeys(AUTOMATIC, "one")}, {}),
    "the fleet is paused": ({"answers": AUTOMATIC, "paused": True}, {}),
    "the machine is paused by law": ({"answers": AUTOMATIC, "paused_machines": frozenset({"pc-a"})}, {}),
    "the machine paused itself": ({"answers": AUTOMATIC}, {"paused": True}),
}


@pytest.mark.parametrize(("policy", "more"), NOT_AUTOMATIC.values(), ids=NOT_AUTOMATIC)
def test_when_no_policy_answers(world, desk, policy, more):
    world.enact(world.policy(**policy))
    assert desk.look(take(), **more) == ["pending"]


def test_another_machines_values_are_never_automatic(world):
    world.enact(world.policy(answers=AUTOMATIC))
    assert Desk(world, reference="machine:pc-b").look(take()) == ["pending"]


def test_a_policy_answers_another_question_and_never_one_that_failed(world, desk):
    world.enact(world.policy(answers=AUTOMATIC))
    desk.look(take())
    desk.run("applying", "failed", "rolled_back")
    assert desk.look(take()) == []
    assert desk.look(take(wanted=OTHER)) == ["pending", "approved"], "another value is another question"
    assert desk.look() == ["superseded"]
    assert desk.look(take()) == ["pending"], "the one that failed comes back, and a person is asked"
    assert desk.one().declined
    assert desk.look(take(wanted=OTHER)) == ["superseded", "pending", "approved"]


def test_a_policy_does_not_answer_what_an_operator_opened_again(world, desk):
    world.enact(world.policy(answers=AUTOMATIC))
    desk.look(take())
    desk.run("applying", "failed", "rolled_back")
    again = {"attempt": 2, "approvals": (), "policy_proof": None, "reopened": True}
    desk.say("op-ann", "pending", **again)
    assert desk.look(take()) == []
    desk.approve()
    assert world.applicable(desk.one()) is None


# -- somebody else with our key

FORGED = {
    "another value": lambda w, s: replace(w.wanting(s, {"command": "evil"}), remote=s.remote),
    "less risk": lambda w, s: replace(s, risk="none"),
    "another verdict": lambda w, s: replace(s, verdict="join_add"),
    "another value, as a merge": lambda w, s: replace(
        w.wanting(s, {"command": "evil"}), remote=s.remote, verdict="conflict", action="merge"
    ),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("answers", [AUTOMATIC, {}], ids=["automatic", "asked"])
def test_a_decision_posted_with_a_stolen_key_is_replaced(world, desk, forge, answers):
    """The question is right and what is wanted is not: the machine believes its eyes."""
    world.enact(world.policy(answers=answers))
    first = decide(take(), desk.asked(), "o-1")
    world.records.append(world.say(forge(world, first)))
    assert desk.look(take())[:2] == ["superseded", "pending"]
    assert desk.one().wanted == side(NEW)
    assert desk.one().risk == first.risk


def test_what_an_operator_narrowed_stands(world, desk):
    """He took the baseline's side of a merge: the next look does not take it back."""
    both = take(verdict=Verdict.CONFLICT, merged=OTHER)
    desk.look(both)
    first = desk.one()
    narrowed = replace(world.wanting(world.step(first, "op-ann", "approved"), NEW), action="override_local")
    narrowed = replace(narrowed, remote=first.remote, wanted=first.remote)
    narrowed = replace(narrowed, approvals=(world.sign(world.approval(narrowed)),))
    world.records.append(world.say(narrowed))
    assert desk.look(both, verify=verify) == []
    assert world.applicable(desk.one()) is None


# -- the journal outlives the record


def test_a_record_that_was_swept_does_not_begin_at_attempt_one(world, desk):
    desk.look(take())
    desk.approve()
    first = desk.one()
    world.records.clear()
    id_ = decision_id("pc-a", "roo.mcp/a", "baseline")
    assert desk.look(take(), ended_attempts={id_: 4}) == ["pending"]
    assert desk.one().attempt == 5
    replayed = world.step(desk.one(), "pc-a", "approved", approvals=first.approvals)
    assert fold([*world.records, world.say(replayed)], world.law, verify).state.status == "pending"


def test_a_record_that_a_restored_broker_forgot_goes_on_after_what_was_done(desk):
    desk.look(take())
    desk.approve()
    id_ = desk.one().id
    assert desk.look(take(), ended_attempts={id_: 3}) == ["superseded", "pending"] * 3
    assert desk.one().attempt == 4


def test_an_accepted_difference_is_exactly_the_one_that_was_refused(world, desk):
    desk.look(take())
    assert not accepted(take(), desk.known(), desk.asked())
    desk.say("op-ann", "rejected")
    assert accepted(take(), desk.known(), desk.asked())
    assert not accepted(take(wanted=OTHER), desk.known(), desk.asked())
    assert not accepted(take(local=OTHER), desk.known(), desk.asked())
    assert not accepted(take(), desk.known(), Desk(world, reference="machine:pc-b").asked())


def test_every_order_of_divergences_says_the_same(world, desk):
    found = [take(key=f"roo.mcp/{n}") for n in "cab"]
    said = [{s.id for steps in desk.settle(*order) for s in steps} for order in itertools.permutations(found)]
    assert all(one == said[0] for one in said)


def test_a_new_baseline_ends_what_was_asked_about_another_machine_before_it(world, desk):
    other = Desk(world, reference="machine:pc-b")
    other.look(take())
    assert desk.look() == [], "no baseline came since"
    world.wait(minutes=1)
    world.enact(world.baseline())
    assert desk.look(take()) == ["pending", "superseded"]
    assert other.look(take()) == ["pending"], "who asks again gets an answer"
    assert desk.look(take()) == []
