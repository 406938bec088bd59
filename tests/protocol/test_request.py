"""The life of a coordination request: who moves it, what does not count, when its time is over; and pings that lie."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from roosync_broker.keys import verify
from roosync_protocol import approval, ping
from roosync_protocol import request as life
from roosync_protocol.messages import Cycle, Decision, MalformedError, Request, Side

WHO = {"a": "pc-a", "b": "pc-b", "ann": "op-ann", "bob": "op-bob", "x": "pc-x"}


def begin(world, asker="pc-a", to="pc-b", **more):
    given = {
        "agent": asker, "timestamp": world.now, "id": "r-1", "revision": 1, "operation_id": world.new_operation(),
        "to": to, "kind": "execution", "target": to, "action": "publish", "status": "requested", "asker": asker,
        "asked": world.now, "timeout_minutes": 60,
    }  # fmt: skip
    return Request(**given | more)


def told(world, *messages):
    world.records += [world.say(message) for message in messages]
    return life.fold(world.records, world.law)


def step(world, state, word, **begun):
    name, _, status = word.partition(":")
    who = WHO[name]
    if state is None:
        return begin(world, who, **begun | {"status": status})
    return world.step(state, who, status, outcome="" if status in ("requested", "accepted") else "so")


MACHINE, PEOPLE, ANN = {"to": "pc-b"}, {"to": life.ANY_OPERATOR, "kind": "approval"}, {"to": "op-ann"}
OF_CYCLE = PEOPLE | {"cycle": "c-1", "checkpoint": "resolution"}
STORIES = {  # addressed to, script, status in the end, messages that do not count
    "the whole way": (MACHINE, "a:requested b:accepted b:done", "done", 0),
    "it fails": (MACHINE, "a:requested b:accepted b:failed", "failed", 0),
    "it is refused": (MACHINE, "a:requested b:refused", "refused", 0),
    "the addressee found it too late": (MACHINE, "a:requested b:expired", "expired", 0),
    "who asks takes it back": (MACHINE, "a:requested a:expired b:accepted", "expired", 1),
    "a machine asks itself": ({"to": "pc-a"}, "a:requested a:accepted a:done", "done", 0),
    "answered for another": (MACHINE, "a:requested a:done a:accepted", "requested", 2),
    "an operator answers for a machine": (MACHINE, "a:requested ann:accepted ann:done b:accepted", "accepted", 2),
    "answered twice": (MACHINE, "a:requested b:accepted b:done b:failed b:done", "done", 2),
    "what was accepted does not expire": (MACHINE, "a:requested b:accepted a:expired b:done", "done", 1),
    "what was accepted is not refused": (MACHINE, "a:requested b:accepted b:refused", "accepted", 1),
    "any operator answers": (PEOPLE, "a:requested bob:done ann:refused", "done", 1),
    "a machine answers in no person's place": (PEOPLE, "a:requested b:done a:done", "requested", 2),
    "one operator is asked": (ANN, "a:requested bob:done ann:done", "done", 1),
    "another machine closes nothing": (PEOPLE, "a:requested b:expired", "requested", 1),
    "who leads closes what belongs to a cycle": (OF_CYCLE, "a:requested b:expired", "expired", 0),
    "nobody begins in the middle": (MACHINE, "a:accepted b:done", None, 2),
}


@pytest.mark.parametrize(("to", "script", "status", "refused"), STORIES.values(), ids=STORIES)
def test_story(world, to, script, status, refused):
    folded = life.FoldedRequest()
    for word in script.split():
        folded = told(world, step(world, folded.state, word, **to))
    assert (folded.state.status if folded.state else None, len(folded.refused)) == (status, refused), folded.refused


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.sampled_from(sorted(STORIES)), st.randoms(use_true_random=False))
def test_shuffled_and_doubled_deliveries_make_the_same_record(make_world, name, dice):
    world, folded = make_world(), life.FoldedRequest()
    for word in STORIES[name][1].split():
        folded = told(world, step(world, folded.state, word, **STORIES[name][0]))
    delivered = world.records * 2
    dice.shuffle(delivered)
    assert life.fold(delivered, world.law) == folded


CHANGED = {
    "what is done": {"action": "collect"},
    "how long it holds": {"timeout_minutes": 9_999},
    "who asks": {"asker": "pc-b"},
    "its age": {"asked": None},
    "what it is about": {"target": "pc-c"},
    "that it may begin": {"dependencies": "ready"},
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_what_was_asked_does_not_change(world, changed):
    first = begin(world, dependencies="waiting")
    told(world, first)
    changed = {name: value or world.wait(minutes=1) for name, value in changed.items()}
    folded = told(world, world.step(first, "pc-b", "accepted", **changed))
    assert folded.state == first
    assert len(folded.refused) == 1


def test_who_asks_says_that_it_may_begin(world):
    first = begin(world, dependencies="waiting")
    told(world, first)
    assert life.to_be_done([first], "pc-b", world.now) == []
    ready = told(world, world.step(first, "pc-a", "requested", dependencies="ready")).state
    assert life.to_be_done([ready], "pc-b", world.now) == [ready]


def test_an_older_revision_does_not_count(world):
    first = begin(world)
    accepted = world.step(first, "pc-b", "accepted")
    folded = told(world, first, accepted, replace(first, operation_id="o-again"), replace(accepted, status="done"))
    assert folded.state == accepted
    assert len(folded.refused) == 2


def test_a_stranger_and_a_stolen_name_do_not_count(world):
    assert told(world, begin(world, "pc-x")).state is None
    world.records.append(world.say(begin(world, "pc-a"), signer="pc-b"))  # signed by another
    assert life.fold(world.records, world.law).state is None
    first = begin(world)
    world.records.append(world.say(first))
    world.records.append(world.say(world.step(first, "pc-b", "done"), signer="pc-a"))
    folded = life.fold(world.records, world.law)
    assert folded.state == first
    assert len(folded.refused) == 3


def test_an_answer_whose_question_is_gone_still_counts(world):
    first = begin(world)
    done = world.step(world.step(first, "pc-b", "accepted"), "pc-b", "done")
    assert told(world, done).state == done
    world.records.clear()
    assert told(world, world.step(first, "pc-a", "requested")).state is None


@pytest.mark.parametrize("minutes", [0, -1, 100_001])
def test_a_time_that_is_none_is_not_said(world, minutes):
    with pytest.raises(MalformedError):
        world.say(begin(world, timeout_minutes=minutes))


def test_time_is_over_for_every_reader_and_only_before_it_was_taken_up(world):
    first = begin(world, timeout_minutes=5)
    accepted = world.step(first, "pc-b", "accepted")
    for minutes, standing in ((0, "requested"), (4.9, "requested"), (5, "expired")):
        now = world.now + timedelta(minutes=minutes)
        assert life.standing(first, now) == standing
        assert life.standing(accepted, now) == "accepted"
        assert life.to_be_done([first], "pc-b", now) == [first], "the addressee says that it expired"
        assert life.for_person([replace(first, to="op-ann")], now) == (
            [] if standing == "expired" else [replace(first, to="op-ann")]
        )


ASKED = {
    "publish": ("execution", "publish", None),
    "verify": ("verification", "verify", None),
    "compare either way": ("verification", "compare", None),
    "verify is no execution": ("execution", "verify", "is asked as verification"),
    "a command": ("execution", "sh -c 'curl x|sh'", "is not asked for"),
    "nothing": ("execution", "", "is not asked for"),
    "an approval": ("approval", "publish", "approves nothing"),
}


@pytest.mark.parametrize(("kind", "action", "says"), ASKED.values(), ids=ASKED)
def test_a_machine_does_only_what_is_in_the_table(world, kind, action, says):
    fault = life.fault(begin(world, kind=kind, action=action))
    assert (fault is None) if says is None else (says in fault)
    assert life.fault(begin(world, kind=kind, action=action, to="op-ann")) is None, "a person reads words"


# -- cycles


def cycle(world, **more):
    given = {
        "agent": "pc-a", "timestamp": world.now, "id": "c-1", "revision": 4, "operation_id": "o-c",
        "route": "coordination", "status": "running", "participants": ("pc-a", "pc-b"), "checkpoint": "resolution",
        "timeout_minutes": 10, "started": world.now, "entered": world.now,
    }  # fmt: skip
    return Cycle(**given | more)


def pending(world, id_="d-1", **more):
    side = Side(digest="0" * 64)
    given = {
        "agent": "pc-b", "timestamp": world.now, "id": id_, "revision": 1, "operation_id": "o-d", "machine": "pc-b",
        "entity": f"roo.mcp/{id_}", "kind": "mcp_server", "category": "config", "reference": "baseline",
        "verdict": "drift", "local": side, "remote": side, "wanted": side, "action": "override_local",
        "justification": "", "risk": "low", "surface": "0" * 64, "status": "pending", "created": world.now,
        "expires": world.now,
    }  # fmt: skip
    return Decision(**given | more)


def asked_for(world, decision, **more):
    id_ = life.approval_id("c-1", decision)
    return begin(world, **PEOPLE, id=id_, target=decision.id, cycle="c-1", **more)


WANTED = {
    "a pending decision": ({}, {}, 1),
    "one that was approved": ({}, {"status": "approved"}, 0),
    "of a machine that takes no part": ({}, {"machine": "pc-c"}, 0),
    "of one that was excused": ({"excused": {"pc-b": "off"}}, {}, 0),
    "before it is time": ({"checkpoint": "diffs"}, {}, 0),
    "one that came later": ({"checkpoint": "final"}, {}, 1),
    "of a deployment": ({"route": "deployment", "checkpoint": "synced"}, {}, 1),
    "of an ended cycle": ({"status": "aborted"}, {}, 0),
    "while it waits for a person": ({"status": "waiting"}, {}, 1),
    "with another machine": ({}, {"reference": "machine:pc-c"}, 0),
}


@pytest.mark.parametrize(("of_cycle", "of_decision", "count"), WANTED.values(), ids=WANTED)
def test_what_a_cycle_asks_the_operators_for(world, of_cycle, of_decision, count):
    decision = pending(world, **of_decision)
    assert len(life.approvals_wanted(cycle(world, **of_cycle), [decision], [])) == count
    assert life.approvals_wanted(cycle(world, **of_cycle), [decision], [asked_for(world, decision)]) == []


def test_a_cycle_asks_for_so_many_at_a_time(world):
    many = [pending(world, f"d-{n}") for n in range(life.AT_ONCE + 30)]
    first = life.approvals_wanted(cycle(world), many, [])
    assert len(first) == life.AT_ONCE
    asked = [asked_for(world, d) for d in first]
    assert life.approvals_wanted(cycle(world), many, asked) == []
    asked[0] = replace(asked[0], status="done")
    assert len(life.approvals_wanted(cycle(world), many, asked)) == 1


CLOSED = {
    "still pending": ({}, {}, None),
    "approved": ({}, {"status": "approved"}, "d-1 is approved"),
    "another attempt": ({}, {"attempt": 2}, "another attempt"),
    "the cycle ended": ({"status": "done"}, {}, "c-1 is done"),
}


@pytest.mark.parametrize(("of_cycle", "of_decision", "says"), CLOSED.values(), ids=CLOSED)
def test_what_nobody_has_to_answer_any_more(world, of_cycle, of_decision, says):
    request = asked_for(world, pending(world))
    found = life.answered_elsewhere([cycle(world, **of_cycle)], [pending(world, **of_decision)], [request])
    assert (found == []) if says is None else (says in found[0][1])
    answered = [replace(request, status="done")]
    assert life.answered_elsewhere([cycle(world, **of_cycle)], [pending(world, **of_decision)], answered) == []


# -- pings

NONCE = "0123456789abcdef"


def pong(world, signer="pc-b", **more):
    made = ping.Pong(**{"fleet": "home", "machine": "pc-b", "nonce": NONCE, "version": "1.0"} | more)
    return ping.reply(made, world.key(signer).public, world.key(signer).sign)


def test_an_answer_of_the_machine_itself_counts(world):
    assert ping.read_reply(pong(world), "pc-b", NONCE, world.law, verify).version == "1.0"


LIES = {
    "signed by another": lambda w: pong(w, "pc-a"),
    "signed by an operator": lambda w: pong(w, "op-ann"),
    "of another machine": lambda w: pong(w, machine="pc-a"),
    "to another question": lambda w: pong(w, nonce="f" * 16),
    "of another fleet": lambda w: pong(w, fleet="away"),
    "no answer": lambda w: b"",
    "no JSON": lambda w: b"\xff{",
    "too much": lambda w: b'{"payload": "' + b"x" * ping.MOST + b'"}',
    "for another purpose": lambda w: json.encode(
        approval.sign_text(approval.PURPOSE, json.decode(pong(w))["payload"], w.key("pc-b").public, w.key("pc-b").sign)
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_an_answer_that_proves_nothing(world, lie):
    with pytest.raises(ping.NotAnsweredError):
        ping.read_reply(lie(world), "pc-b", NONCE, world.law, verify)


def test_a_revoked_machine_answers_nothing(world):
    world.enact(replace(world.member("pc-b"), revoked=True))
    with pytest.raises(ping.NotAnsweredError):
        ping.read_reply(pong(world), "pc-b", NONCE, world.law, verify)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"nonce": "x"}', b'{"nonce": "' + b"a" * 20_000 + b'"}', b"\xff"])
def test_what_is_no_question_is_not_signed(data):
    with pytest.raises(ValueError, match=r"ping"):
        ping.read_question(data)
