"""Subjects are permissions: what is granted here is all that a stolen key can say."""

import re
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from roosync_protocol import messages as m
from roosync_protocol.messages import MalformedError
from roosync_protocol.subjects import BY_NAME, KINDS, STREAMS, Subjects, Who, fact_to_post, speaker_of

FLEET = Subjects("home")
T0 = datetime(2026, 1, 16, tzinfo=UTC)


def report(agent):
    return m.StatusReport(agent=agent, timestamp=T0, machines_detected=1, status="synced", divergences_count=0)


def matches(pattern, subject):
    """As the server matches: `*` is one token, `>` is the rest."""
    wild = re.escape(pattern).replace(r"\*", "[^.]+").replace(">", ".+")
    return re.fullmatch(wild, subject) is not None


def may(speaker, subject, **rights):
    return any(matches(pattern, subject) for pattern in FLEET.granted(speaker, **rights))


def test_every_message_has_a_subject():
    assert {kind.message for kind in KINDS if kind.message} == set(m.AnyMessage.__args__)
    assert len(BY_NAME) == len(KINDS)
    assert set(STREAMS) == {"REPORTS", "AUDIT", "WORK", "LAW", "ENROL", "CONTENTS", "MAIL"}


# speaker, subject, with the orchestrator's right? -> may post it
GRANTS = {
    "mail to another": ("pc-a", "post.home.mail.pc-b.m-1.pc-a", False, True),
    "mail in another's name": ("pc-a", "post.home.mail.pc-b.m-1.pc-c", False, False),
    "its own report": ("pc-a", "post.home.status.pc-a", False, True),
    "a report of another": ("pc-a", "post.home.status.pc-b", False, False),
    "a report of another fleet": ("pc-a", "post.work.status.pc-a", False, False),
    "a fact": ("pc-a", "roosync.home.status.pc-a", False, False),
    "its own decision": ("pc-a", "post.home.decision.pc-a.d-1.pc-a", False, True),
    "a decision of another": ("pc-a", "post.home.decision.pc-b.d-1.pc-a", False, False),
    "a decision in the operator's name": ("pc-a", "post.home.decision.pc-a.d-1.op-ann", False, False),
    "an operator answers any decision": ("op-ann", "post.home.decision.pc-b.d-1.op-ann", False, True),
    "an operator in a machine's name": ("op-ann", "post.home.decision.pc-b.d-1.pc-b", False, False),
    "a proposal without the right": ("pc-a", "post.home.proposal.p-1.pc-a", False, False),
    "a proposal with the right": ("pc-a", "post.home.proposal.p-1.pc-a", True, True),
    "law by a machine": ("pc-a", "post.home.roster.main.pc-a", True, False),
    "law by an operator": ("op-ann", "post.home.roster.main.op-ann", False, True),
    "law in another operator's name": ("op-ann", "post.home.roster.main.op-bob", False, False),
    "a second roster beside the main one": ("op-ann", "post.home.roster.other.op-ann", False, False),
    "membership of any machine": ("op-ann", "post.home.member.pc-z.op-ann", False, True),
    "a request to join by a member": ("pc-a", "post.home.enrol.i-1.pc-a", True, False),
    "content": ("pc-a", f"post.home.content.{'0' * 64}.0.pc-a", False, True),
    "content in another's name": ("pc-a", f"post.home.content.{'0' * 64}.0.pc-b", False, False),
}


@pytest.mark.parametrize(("speaker", "subject", "orchestrates", "granted"), GRANTS.values(), ids=GRANTS)
def test_who_may_post_what(speaker, subject, orchestrates, granted):
    assert may(speaker, subject, orchestrates=orchestrates) is granted


@pytest.mark.parametrize("speaker", ["pc-a", "op-ann"])
def test_the_last_token_of_every_grant_is_the_speaker(speaker):
    assert {speaker_of(pattern) for pattern in FLEET.granted(speaker, orchestrates=True)} == {speaker}
    assert not any(">" in pattern for pattern in FLEET.granted(speaker, orchestrates=True))


@pytest.mark.parametrize("name", ["", "a.b", "*", ">", "A", "pc-a\n"])
def test_names_that_are_none_get_no_grant_and_no_fleet(name):
    with pytest.raises(ValueError, match="can not be a name"):
        FLEET.granted(name)
    with pytest.raises(ValueError, match="can not be a name"):
        Subjects(name)


def test_everybody_hears_facts_only():
    heard = FLEET.heard()
    assert all(pattern.startswith("roosync.home.") for pattern in heard)
    assert not any("mail" in pattern or "content" in pattern for pattern in heard)
    for followed in (FLEET.followed(), FLEET.concerning("pc-a")):  # the broker permits nothing else
        assert {pattern.split(".")[2] for pattern in followed} <= {pattern.split(".")[2] for pattern in heard}


def test_what_is_published_is_within_what_is_granted(world):
    member = world.member("pc-c")
    assert may("op-ann", world.subjects.of(member))
    assert may("pc-a", world.subjects.of(report("pc-a")))


def test_filters_have_wildcards_for_what_is_not_named():
    assert FLEET.post("decision", "pc-a") == "post.home.decision.pc-a.*.*"
    assert FLEET.fact("status") == "roosync.home.status.*"
    assert FLEET.record("roster") == "post.home.roster.main.*"
    assert FLEET.record("decision", "pc-a", "d-1") == "post.home.decision.pc-a.d-1.*"
    with pytest.raises(ValueError):
        FLEET.post("status", "pc-a", "pc-a")
    with pytest.raises(KeyError):
        FLEET.post("gossip")


def test_a_fact_tells_where_it_was_posted():
    assert fact_to_post("roosync.home.status.pc-a") == "post.home.status.pc-a"
    assert fact_to_post("post.home.status.pc-a") == "post.home.status.pc-a"
    assert fact_to_post("roosync-rpc.home.pc-a.ping.pc-b") == "roosync-rpc.home.pc-a.ping.pc-b"


# who says it, on which subject
MISPLACED = {
    "another's subject": ("pc-a", "post.home.status.pc-b"),
    "another kind": ("pc-a", "post.home.package.pc-a"),
    "another fleet": ("pc-a", "post.work.status.pc-a"),
    "a fact": ("pc-a", "roosync.home.status.pc-a"),
    "one token more": ("pc-a", "post.home.status.x.pc-a"),
    "an operator has no status": ("op-ann", "post.home.status.op-ann"),
}


@pytest.mark.parametrize(("agent", "subject"), MISPLACED.values(), ids=MISPLACED)
def test_a_message_agrees_with_its_subject(agent, subject):
    with pytest.raises(MalformedError):
        FLEET.verify(subject, report(agent))


def test_a_reader_does_not_rely_on_the_broker_for_who_may_speak(world):
    """With a broker that forgot its permissions, a machine still writes no law and no decision of another."""
    law = replace(world.member("pc-c"), agent="pc-a")
    with pytest.raises(MalformedError, match="may not post"):
        FLEET.verify(FLEET.of(law), law)


def test_each_kind_has_a_speaker():
    assert all(kind.who & (Who.MACHINE | Who.ORCHESTRATOR | Who.OPERATOR | Who.JOINER) for kind in KINDS)
    assert all(kind.who == Who.OPERATOR for kind in KINDS if kind.stream == "LAW")


def test_what_concerns_a_machine_is_part_of_what_it_may_hear(world):
    concerning, heard = world.subjects.concerning("pc-a"), world.subjects.heard()
    assert all(any(matches(wide, one) for wide in heard) for one in concerning)
    followed = world.subjects.followed()
    assert all(any(matches(wide, one) for wide in followed) for one in concerning)
    assert all(any(matches(wide, one) for wide in heard) for one in followed), "or the broker refuses all of it"
    facts = {
        "roosync.home.decision.pc-a.d-1.op-ann": True,
        "roosync.home.decision.pc-b.d-1.pc-b": False,
        "roosync.home.request.pc-a.r-1.pc-b": True,
        "roosync.home.request.pc-b.r-1.pc-a": False,
        "roosync.home.cycle.c-1.pc-b": True,
        "roosync.home.member.pc-b.op-ann": True,
        "roosync.home.policy.main.op-ann": True,
        "roosync.home.status.pc-a": True,
        "roosync.home.status.pc-b": False,
        "roosync.home.arrival.c-1.diffs.pc-a": True,
        "roosync.home.arrival.c-1.diffs.pc-b": False,
        "roosync.home.audit.pc-a": False,
    }
    assert {fact: sum(matches(one, fact) for one in concerning) for fact in facts} == {
        k: int(v) for k, v in facts.items()
    }
