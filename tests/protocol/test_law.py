"""The chain of law as scripts: one line is one message, and what a machine then believes."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from roosync_protocol.law import DEFAULT_POLICY, LIFETIME, ForkedLawError, Law, LawRefusedError, OlderLawError
from roosync_protocol.messages import Invitation, Operator, StatusReport
from roosync_protocol.messages.base import LAST

REFUSED, OLDER, FORKED = LawRefusedError, OlderLawError, ForkedLawError


def admit(world, message, signer=None):
    world.law = world.law.admit(world.say(message, signer=signer))
    return world.law


def empty(world):
    return Law(fleet="home", root=world.key("op-ann").public)


# -- the first roster

FIRST = {
    "signed by the root": (("op-ann", "op-bob"), "op-ann", "op-ann", None),
    "signed by another key": (("op-ann", "op-mallory"), "op-ann", "op-mallory", "not signed by the root"),
    "by an operator who is not in it": (("op-bob",), "op-ann", "op-ann", "leaves out"),
    "with the root's name for another key": (("op-bob",), "op-bob", "op-ann", "leaves out"),
}


@pytest.mark.parametrize(("operators", "agent", "signer", "why"), FIRST.values(), ids=FIRST)
def test_the_first_roster(world, operators, agent, signer, why):
    roster = replace(world.roster(operators, agent=agent), revision=1)
    heard = world.say(roster, signer=signer)
    if why is None:
        assert empty(world).admit(heard).roster == roster
    else:
        with pytest.raises(LawRefusedError, match=why):
            empty(world).admit(heard)


def test_nothing_is_law_before_the_first_roster(world):
    for message in (world.member("pc-c"), world.policy(), world.baseline()):
        with pytest.raises(LawRefusedError, match="before the first roster"):
            empty(world).admit(world.say(message))


def test_what_is_no_law_is_not_admitted(world):
    report = StatusReport(agent="pc-a", timestamp=world.now, machines_detected=1, status="synced", divergences_count=0)
    with pytest.raises(LawRefusedError, match="is not law"):
        admit(world, report)


# -- the chain

# each line: what is said (by whom it is signed): what happens
CHAINS = {
    "an operator adds another, who then acts": """
        op-ann roster op-ann,op-bob,op-cat    admitted
        op-cat member pc-c                    admitted
    """,
    "who is not yet an operator does not act": """
        op-cat member pc-c                    refused
        op-ann roster op-ann,op-bob,op-cat    admitted
        op-cat member pc-c                    admitted
    """,
    "nobody makes himself an operator": """
        op-eve roster op-ann,op-bob,op-eve    refused
    """,
    "who is revoked does not come back by himself": """
        op-ann roster op-ann,op-bob!          admitted
        op-bob roster op-ann,op-bob           refused
        op-bob policy                         refused
        op-ann roster op-ann,op-bob           admitted
        op-bob policy                         admitted
    """,
    "the first operator may be revoked by the second": """
        op-bob roster op-ann!,op-bob          admitted
        op-ann policy                         refused
    """,
    "operators are revoked, never dropped": """
        op-ann roster op-ann                  refused
        op-ann roster op-bob                  refused
    """,
    "somebody has to be left": """
        op-ann roster op-ann!,op-bob!         refused
        op-ann roster op-ann!,op-bob          admitted
        op-bob roster op-ann!,op-bob!         refused
    """,
    "a machine writes no law, also when its key is asked to": """
        op-ann/pc-a policy                    refused
        op-ann/pc-a member pc-c               refused
        op-ann/pc-a roster op-ann,op-bob      refused
    """,
    "one operator does not sign for another": """
        op-ann/op-bob policy                  refused
    """,
}


def say_line(world, line):
    *words, result = line.split()
    who, _, signer = words[0].partition("/")
    if words[1] == "roster":
        names = words[2].split(",")
        message = world.roster(
            [name.rstrip("!") for name in names],
            revoked=[name[:-1] for name in names if name.endswith("!")],
            agent=who,
        )
    elif words[1] == "member":
        message = world.member(words[2], signed_by=who)
    else:
        message = world.policy(agent=who)
    before = world.law
    if result == "admitted":
        assert admit(world, message, signer or None) != before, line
    else:
        with pytest.raises(LawRefusedError):
            admit(world, message, signer or None)
        assert world.law == before, line


@pytest.mark.parametrize("script", CHAINS.values(), ids=CHAINS)
def test_chain(world, script):
    for line in script.strip().splitlines():
        say_line(world, line)


def test_law_outlives_who_signed_it(world):
    """What an operator signed before he was revoked stays, and can be read again without being refused."""
    heard = world.say(world.member("pc-c", signed_by="op-bob"))
    world.law = world.law.admit(heard)
    world.enact(world.roster(revoked=["op-bob"]))
    assert world.law.speaker_key("pc-c")
    with pytest.raises(OlderLawError):
        world.law.admit(heard)


# -- revisions

REVISIONS = {
    "the next": (3, None),
    "a gap, when this machine was off": (9, None),
    "the same again": (2, OLDER),
    "the one before": (1, OLDER),
}


@pytest.mark.parametrize("make", ["policy", "baseline", "roster", "member"])
@pytest.mark.parametrize(("revision", "error"), REVISIONS.values(), ids=REVISIONS)
def test_revisions_only_grow(world, make, revision, error):
    build = {"member": lambda: world.member("pc-c")}.get(make, getattr(world, make))
    first = world.enact(replace(build(), revision=1 if make != "roster" else 2))
    second = world.enact(replace(first, revision=2 if make != "roster" else 3, timestamp=world.wait(minutes=1)))
    offset = make == "roster"
    message = second if revision == 2 else replace(second, revision=revision + offset)
    if error is None:
        admit(world, message)
    else:
        before = world.law
        with pytest.raises(error):
            admit(world, message)
        assert world.law == before


def test_a_whole_replay_changes_nothing(world):
    heard = [world.say(world.policy(paused=True)), world.say(world.member("pc-c"))]
    for one in heard:
        world.law = world.law.admit(one)
    known = world.law
    for one in heard:
        with pytest.raises(OlderLawError):
            world.law.admit(one)
    assert world.law == known


@pytest.mark.parametrize("make", ["policy", "baseline", "roster"])
def test_two_laws_of_one_revision_are_told_apart_from_old_law(world, make):
    """A broker that shows each machine another law is noticed by whoever hears both."""
    law = world.enact(getattr(world, make)())
    other = replace(law, agent="op-bob", timestamp=world.wait(minutes=1))
    with pytest.raises(ForkedLawError, match="two different revisions"):
        admit(world, other)
    with pytest.raises(LawRefusedError) as error:
        admit(world, other, signer="op-mallory")
    assert not isinstance(error.value, ForkedLawError), "anybody can write a second revision; it has to be genuine"


def test_each_machine_has_revisions_of_its_own(world):
    world.enact(replace(world.member("pc-a"), revision=8))
    assert world.law.next_revision(world.member("pc-a")) == 9
    assert world.law.next_revision(world.member("pc-b")) == 2
    assert world.law.next_revision(world.member("pc-z")) == 1


# -- rosters


def test_one_person_with_two_names_is_not_two_operators(world):
    twice = world.roster(("op-ann", "op-bob", "op-cat"))
    twice = replace(twice, operators={**twice.operators, "op-cat": Operator(key=world.key("op-bob").public)})
    with pytest.raises(LawRefusedError, match="one key"):
        admit(world, twice)


def test_a_machine_is_never_called_as_an_operator_is(world):
    member = msgspec.structs.replace(world.member("pc-c"), machine="op-x")
    heard = world.say(world.member("pc-c"))
    with pytest.raises(LawRefusedError, match="name of an operator"):
        world.law.admit(msgspec.structs.replace(heard, message=member))


# -- keys and speakers


def test_who_may_speak(world):
    assert world.law.speaker_key("pc-a") == world.key("pc-a").public
    assert world.law.speaker_key("op-ann") == world.key("op-ann").public
    for nobody in ("pc-z", "op-z", "", "op-"):
        assert world.law.speaker_key(nobody) is None
        assert world.law.ever_key(nobody) is None
    assert world.law.machines() == ["pc-a", "pc-b"]


def test_a_revoked_machine_and_its_past(world):
    world.enact(world.member("pc-b", revoked=True))
    assert world.law.speaker_key("pc-b") is None
    assert world.law.ever_key("pc-b") == world.key("pc-b").public
    assert world.law.machines() == ["pc-a"]
    assert not world.law.may_orchestrate("pc-b")


def test_the_right_to_orchestrate_is_given(world):
    world.enact(world.member("pc-b", may_orchestrate=False))
    assert (world.law.may_orchestrate("pc-a"), world.law.may_orchestrate("pc-b")) == (True, False)
    assert not world.law.may_orchestrate("pc-z")


# -- time


def test_law_expires_unless_it_is_renewed(world):
    assert world.law.expiry("pc-a") == world.now + LIFETIME
    world.wait(days=60)
    world.enact(world.member("pc-a"))
    assert world.law.expiry("pc-a") == world.now - timedelta(days=60) + LIFETIME, "the roster ends first"
    world.enact(world.roster())
    assert world.law.expiry("pc-a") == world.now + LIFETIME


def test_law_without_an_end_ends_all_the_same(world):
    """Otherwise one forgotten field would make a revocation that the broker hides last for ever."""
    world.enact(world.roster(expires=None))
    world.enact(world.member("pc-a", expires=None))
    assert world.law.expiry("pc-a") == world.now + LIFETIME
    world.enact(world.roster(expires=None, timestamp=LAST - timedelta(days=1)))
    assert world.law.expiry("pc-a") == world.now + LIFETIME


# -- policies, as they were


def test_what_a_policy_said_is_remembered(world):
    assert (world.law.policy_revision, world.law.answers_of(0)) == (0, DEFAULT_POLICY.answers)
    first = world.enact(world.policy(answers={"low": "one"}))
    world.wait(days=1)
    second = world.enact(world.policy(answers={"low": "two"}))
    assert world.law.policy_revision == second.revision == 2
    assert [world.law.answers_of(n) for n in (1, 2, 3)] == [first.answers, second.answers, None]
    assert world.law.answers_at(world.now - timedelta(hours=1)) == first.answers
    assert world.law.answers_at(world.now) == second.answers
    assert world.law.answers_at(world.now - timedelta(days=9)) == DEFAULT_POLICY.answers
    assert not world.law.forgot(0)


def test_what_is_remembered_has_a_bound(world):
    for _ in range(110):
        world.law = replace(world.law, policies=world.law.policies)
        world.enact(world.policy(answers={"low": "one"}))
    assert len(world.law.policies) == 100
    assert world.law.forgot(1)
    assert not world.law.forgot(99)
    assert not world.law.forgot(111)
    assert world.law.answers_of(110) is not None


def test_the_law_can_be_kept_in_a_file(world):
    world.enact(world.policy(answers={"low": "one"}))
    world.enact(world.baseline())
    assert msgspec.json.decode(msgspec.json.encode(world.law), type=Law) == world.law


# -- invitations


def test_a_code_admits_one_machine_until_it_expires(world):
    code = world.enact(
        Invitation(id="i-1", key=world.key("code").public, **world.frame(expires=world.now + timedelta(minutes=15)))
    )
    assert [one.id for one in world.law.open_invitations(world.now)] == ["i-1"]
    assert world.law.open_invitations(world.now + timedelta(minutes=15)) == []
    joined = world.law.admit(world.say(world.member("pc-c", invitation="i-1")))
    assert joined.open_invitations(world.now) == []
    withdrawn = world.law.admit(world.say(replace(code, revision=2, withdrawn=True)))
    assert withdrawn.open_invitations(world.now) == []


def test_pause_is_for_the_fleet_or_one_machine(world):
    world.enact(world.policy(paused_machines=frozenset({"pc-a"})))
    assert (world.law.paused("pc-a"), world.law.paused("pc-b")) == (True, False)
    world.enact(world.policy(paused=True))
    assert world.law.paused("pc-b")


def test_who_comes_back_with_a_second_code_does_not_open_the_first_one(world):
    for id_ in ("i-1", "i-2"):
        expires = world.now + timedelta(minutes=15)
        key = world.key(f"code-{id_}").public
        invitation = Invitation(agent="op-ann", timestamp=world.now, revision=1, expires=expires, id=id_, key=key)
        admit(world, invitation)
    for revision, change in enumerate(({}, {"revoked": True}), start=1):
        admit(world, replace(world.member("pc-c", invitation="i-1"), revision=revision, **change))
    assert [one.id for one in world.law.open_invitations(world.now)] == ["i-2"]
    admit(world, replace(world.member("pc-c", invitation="i-2"), revision=3))
    assert world.law.open_invitations(world.now) == []
    assert world.law.used_codes() == {"i-1", "i-2"}


def test_a_policy_that_was_missed_in_its_time_is_remembered_when_it_is_read(world):
    """Whoever hears the third before the second must read records as those who heard both (tests/simulation)."""
    start, said = world.law, []
    for answers in ({"low": "automatic"}, {"low": "one"}, {}):
        world.enact(world.policy(answers=answers))
        said.append(world.say(world.law.policy))
    late = start.admit(said[0]).admit(said[2]).admit(said[1])
    assert (late.policy, late.policies) == (world.law.policy, world.law.policies)
    assert late.answers_of(said[1].message.revision) == {"low": "one"}
    with pytest.raises(OlderLawError):
        late.admit(said[1])
    forged = world.say(replace(said[1].message, agent="op-bob"), signer="pc-a")
    with pytest.raises(OlderLawError):
        start.admit(said[0]).admit(said[2]).admit(forged)


KEPT_BY_ANOTHER = {
    "what it did not know is added": (True, {"labels": {"role": "dev"}}, None),
    "the same, kept by this version: two laws of one revision": (False, {"labels": {"role": "dev"}}, FORKED),
    "something else than what it knew": (True, {"labels": {"role": "dev"}, "expires": None}, FORKED),
    "nothing else": (True, {}, OLDER),
}


@pytest.mark.parametrize(("partial", "changes", "error"), KEPT_BY_ANOTHER.values(), ids=KEPT_BY_ANOTHER)
def test_a_law_that_another_version_kept_is_completed_and_not_taken_for_a_fork(world, partial, changes, error):
    member = world.member("pc-c")
    admit(world, member)
    world.law = replace(world.law, partial=partial)
    if error is not None:
        with pytest.raises(error):
            admit(world, replace(member, **changes))
    else:
        assert admit(world, replace(member, **changes)).members["pc-c"].labels == {"role": "dev"}
