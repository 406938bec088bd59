"""The policy's face: what can be asked for, what is refused with which reason, and what is told before it is signed."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from roosync_agent.cli.policy import _consequences
from roosync_agent.cli.policy import policy as command
from roosync_agent.operations.decisions import seen
from roosync_agent.operations.membership import policy
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_protocol.law import Law
from roosync_protocol.messages import Operator, Policy, Roster
from roosync_protocol.messages.law import DEFAULT_ANSWERS

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEY = "U" + "A" * 55
FRAME = {"agent": "op-ana", "timestamp": NOW, "revision": 1}

WISHES = {
    # wish, operators, what the refusal says (None: it may be signed)
    "the default": ({}, 1, None),
    "medium by itself": ({"medium": "automatic"}, 1, None),
    "nothing by itself": ({"none": "one", "low": "one"}, 1, None),
    "high by itself": ({"medium": "automatic", "high": "automatic"}, 1, "high changes never apply by themselves"),
    "critical by itself": ({"critical": "automatic"}, 2, "critical changes never apply by themselves"),
    "low asked, medium not": ({"low": "one", "medium": "automatic"}, 1, "medium=automatic would be easier"),
    "two for low alone": ({"low": "two"}, 2, "medium=one would be easier than low=two"),
    "two of two": ({"high": "two", "critical": "two"}, 2, None),
    "two of one": ({"high": "two", "critical": "two"}, 1, "two approvals need two operators"),
    "two for high alone": ({"high": "two"}, 2, "critical=one would be easier than high=two"),
}


@pytest.mark.parametrize(("wish", "people", "why"), WISHES.values(), ids=WISHES)
def test_what_may_be_signed(wish, people, why):
    answers = DEFAULT_ANSWERS | wish
    if why is None:
        policy.check(answers, people)
        return
    with pytest.raises(RefusedRequestError, match=why):
        policy.check(answers, people)


NAMES = {
    "one more": ({"PATH_PREFIX"}, set(), {"LEVEL", "PATH_PREFIX"}, None),
    "one that is there, spelled otherwise": ({"level"}, set(), {"LEVEL"}, None),
    "one less": (set(), {"level"}, set(), None),
    "a secret's name": ({"GITHUB_TOKEN"}, set(), None, "names a secret"),
    "one that is none": (set(), {"OTHER"}, None, "no public name; they are LEVEL"),
}


@pytest.mark.parametrize(("add", "remove", "left", "why"), NAMES.values(), ids=NAMES)
def test_public_names(add, remove, left, why):
    if why is None:
        assert policy._names(frozenset({"LEVEL"}), frozenset(add), frozenset(remove)) == left
        return
    with pytest.raises(RefusedRequestError, match=why):
        policy._names(frozenset({"LEVEL"}), frozenset(add), frozenset(remove))


def law(**more):
    people = {"op-ana": Operator(key=KEY), "op-gone": Operator(key=KEY, revoked=True)}
    made = Law(fleet="home", root=KEY, roster=Roster(**FRAME, operators=people))
    return replace(made, policy=Policy(**FRAME, **more), policy_known=True) if more else made


def test_what_is_shown():
    default = policy.shown(law())
    assert (default.revision, default.signed_by, default.signed_at) == (0, "", None)
    assert default.operators == ["op-ana"]
    assert default.answers == DEFAULT_ANSWERS
    signed = policy.shown(law(answers={"low": "one"}, paused_machines=frozenset({"b", "a"})), here=True)
    assert (signed.revision, signed.signed_by, signed.signed_at) == (1, "op-ana", NOW)
    assert signed.paused_machines == ["a", "b"]
    assert signed.paused_here
    assert signed.answers == dict.fromkeys(DEFAULT_ANSWERS, "one")  # what a policy leaves out waits for a person


def test_only_what_gets_easier_is_asked_about():
    before = policy.shown(law(answers=DEFAULT_ANSWERS | {"high": "two", "critical": "two"}))
    assert policy.loosened(before, {"low": "one", "critical": "two"}, frozenset()) == []
    assert policy.loosened(before, {"high": "one", "medium": "automatic"}, frozenset({"A"})) == [
        "high: two becomes one",
        "medium: one becomes automatic",
        "values of A are published by every machine",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing to change"),
        (["medium"], "is no RISK=ANSWER"),
        (["medium=sometimes"], "is no RISK=ANSWER"),
        (["grave=one"], "classes are none, low, medium"),
        (["low=three"], "answers are automatic, one, two"),
        (["low=one", "low=two"], "named twice"),
    ],
)
def test_a_wish_that_is_none_is_told_before_a_key_is_asked_for(words, says):
    ran = CliRunner().invoke(command, ["set", *words])
    assert ran.exit_code == 2
    assert says in ran.output


@pytest.mark.parametrize("words", [["medium=automatic", "high=automatic"], ["--public-name", "GITHUB_TOKEN"]])
def test_nobody_is_asked_about_what_can_not_be(monkeypatch, words):
    session = SimpleNamespace(fleet=SimpleNamespace(law=law()), name="op-ana", now=lambda: NOW)
    monkeypatch.setattr("roosync_agent.cli.policy.signed", lambda work, *_: asyncio.run(work(session)))
    ran = CliRunner().invoke(command, ["set", *words], input="y\n")
    assert isinstance(ran.exception, RefusedRequestError)
    assert "Sign it" not in ran.output


def test_what_waits_and_would_not_any_more_is_told_with_the_way_back(monkeypatch):
    def waiting(risk, status="pending"):
        return SimpleNamespace(risk=risk, status=status)

    monkeypatch.setattr(seen, "judged", lambda one: (one.risk, []))
    found = [waiting("medium"), waiting("medium"), waiting("medium", "rejected"), waiting("high")]
    session = SimpleNamespace(fleet=SimpleNamespace(decisions=lambda: found))
    before = {"medium": "one", "high": "one"}
    assert list(_consequences(session, before, {"medium": "automatic", "high": "two"})) == [
        "! 2 decisions of risk medium that wait now may then be applied without another question",
        "Undo: roosync policy set medium=one high=one",
    ]
    assert list(_consequences(session, before, {})) == []
