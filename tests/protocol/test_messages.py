"""Every message survives the bus; whatever else arrives is refused with one kind of error."""

import contextlib
import json
from typing import get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from roosync_protocol import messages as m
from roosync_protocol.depth import MAX_DEPTH, too_deep
from roosync_protocol.messages import MalformedError, decode, encode
from roosync_protocol.messages.base import signed_bytes

HASH = "0" * 64
KEY = "U" + "A" * 55
WHEN = "2026-01-16T12:00:00Z"
EACH = {"agent": "pc-a", "timestamp": WHEN}
RECORD = EACH | {"id": "d-1", "revision": 1, "operation_id": "o-1"}
LAW = EACH | {"agent": "op-ann", "revision": 1}
SIDE = {"digest": HASH, "value": {"a": [1, 2.5, None, True, "x"]}, "size": 3}
SAMPLES = {
    m.InventoryReport: EACH | {"inventory": {"os": "linux", "tools": ["uv"]}},
    m.PackageReport: EACH | {"version": "1", "manifest": HASH, "files": 1, "entities": 2, "complete": True},
    m.StatusReport: EACH | {"machines_detected": 2, "status": "synced", "divergences_count": 0},
    m.DivergenceReport: EACH | {"divergences": [], "total": 0},
    m.MetricReport: EACH
    | {
        "test_session": "s",
        "duration_minutes": 1.5,
        "checkpoints_reached": ["INIT"],
        "sync_latency_avg_seconds": 0.1,
        "decisions_total": 1,
        "decisions_success": 1,
        "decisions_rollback": 0,
        "divergences_detected": 1,
        "divergences_resolved": 1,
    },
    m.Alarm: EACH | {"id": "a-1", "level": 2, "reason": "it failed"},
    m.Audit: EACH | {"action": "apply", "phase": "before"},
    m.Decision: RECORD
    | {
        "machine": "pc-a",
        "entity": "roo.mcp/github",
        "kind": "mcp_server",
        "category": "config",
        "reference": "baseline",
        "verdict": "take",
        "local": SIDE,
        "remote": SIDE,
        "wanted": {"digest": None},
        "action": "override_local",
        "justification": "",
        "risk": "high",
        "surface": HASH,
        "status": "pending",
        "created": WHEN,
        "expires": WHEN,
    },
    m.Proposal: RECORD
    | {
        "status": "open",
        "after_revision": 0,
        "packages": [{"machine": "pc-a", "manifest": HASH, "version": "1"}],
        "report": HASH,
        "commons": 1,
        "overlays": 0,
        "arbitrations": 1,
        "choices": {"roo.mcp/github": {"take": "machine", "machine": "pc-a"}},
    },
    m.Cycle: RECORD
    | {
        "route": "coordination",
        "status": "running",
        "participants": ["pc-a", "pc-b"],
        "checkpoint": "init",
        "timeout_minutes": 60,
        "started": WHEN,
        "entered": WHEN,
    },
    m.Arrival: EACH | {"cycle": "c-1", "checkpoint": "init", "round": 0},
    m.Request: RECORD
    | {
        "to": "pc-b",
        "kind": "execution",
        "target": "pc-b",
        "action": "publish",
        "status": "requested",
        "asker": "pc-a",
        "asked": WHEN,
        "timeout_minutes": 60,
    },
    m.UpdateReport: EACH | {"campaign": "u-1", "phase": "updating", "version": "0.1.0", "began": WHEN},
    m.Rollout: RECORD
    | {
        "purpose": "decisions",
        "status": "prepared",
        "waves": [["pc-a"], ["pc-b"]],
        "items": {"pc-a": ["d-1"], "pc-b": ["d-2"]},
        "timeout_minutes": 60,
        "started": WHEN,
        "opened": WHEN,
    },
    m.Mail: EACH | {"to": "pc-b", "id": "m-1", "box": "QUJD", "contents": [HASH]},
    m.Roster: LAW | {"operators": {"op-ann": {"key": KEY}}},
    m.Member: LAW | {"machine": "pc-a", "key": KEY},
    m.Invitation: LAW | {"id": "i-1", "key": KEY},
    m.Policy: LAW | {"paused_machines": ["pc-b", "pc-a"], "resumed": {"pc-a": WHEN}},
    m.Baseline: LAW | {"version": "1.0.0", "commons": HASH, "overlays": {"pc-a": HASH}},
    m.Campaign: LAW | {"id": "u-1", "version": "0.2.0", "tag": "v0.2.0", "machines": ["pc-a"]},
    m.Enrolment: EACH | {"code": "i-1", "key": KEY},
}
TAG = {kind: kind.__struct_config__.tag for kind in get_args(m.AnyMessage)}


def wire(kind, **changes):
    return json.dumps({"type": TAG[kind]} | SAMPLES[kind] | changes).encode()


def test_there_is_a_sample_of_every_message():
    assert set(SAMPLES) == set(get_args(m.AnyMessage))


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_a_message_survives_the_bus(kind):
    message = decode(wire(kind))
    assert type(message) is kind
    assert decode(encode(message)) == message
    assert encode(decode(encode(message))) == encode(message), "one spelling, or signatures would not be stable"


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_a_message_of_a_newer_version_is_read(kind):
    assert decode(wire(kind, invented_later={"deep": [1]})) == decode(wire(kind))


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_every_tag_has_a_version_and_is_searchable(kind):
    assert TAG[kind].startswith("roosync.v1.")


FOREIGN = {
    "nothing": b"",
    "a blank": b" ",
    "an empty object": b"{}",
    "no object": b"[]",
    "a number": b"7",
    "null": b"null",
    "a type of the future": b'{"type":"roosync.v9.status"}',
    "an unknown type": b'{"type":"roosync.v1.mystery"}',
    "a type that is no text": b'{"type":7}',
    "two types": b'{"type":"roosync.v1.audit","type":"roosync.v1.roster"}',
    "no text": b'{"type":"\xff"}',
    "a deep nest": b'{"type":"roosync.v1.status","x":' + b"[" * 100_000,
    "a closed deep nest": wire(m.InventoryReport).replace(b'"linux"', b"[" * 400 + b"]" * 400),
    "a deep nest behind quotes": b'{"type":"roosync.v1.audit","x":"' + b'\\"[' * 50_000 + b'","y":' + b"[" * 999,
    "cut in the middle": wire(m.Decision)[:-40],
    "two messages": wire(m.Audit) + wire(m.Audit),
    "huge": b'{"type":"roosync.v1.audit","x":"' + b"x" * m.MAX_MESSAGE + b'"}',
    "half a surrogate pair": wire(m.Audit, action="?").replace(b"?", b"\\ud800"),
    "a number without end": wire(m.InventoryReport).replace(b'"linux"', b"1e999"),
    "an integer of 5,000 digits": wire(m.InventoryReport).replace(b'"linux"', b"1" * 5_000),
    "not a number": wire(m.InventoryReport).replace(b'"linux"', b"NaN"),
    "UTF-16": wire(m.Audit).decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + wire(m.Audit),
    "a name with wildcards": wire(m.Audit, agent="a.b*>"),
    "a name with a line feed": wire(m.Audit, agent="a\n"),
    "a time without zone": wire(m.Audit, timestamp="2026-01-16T12:00:00"),
    "no time": wire(m.Audit, timestamp="yesterday"),
    "a negative count": wire(m.StatusReport, divergences_count=-1),
    "a fraction of a count": wire(m.StatusReport, divergences_count=0.5),
    "true as a count": wire(m.StatusReport, divergences_count=True),
    "a text as a count": wire(m.StatusReport, divergences_count="0"),
    "a long line": wire(m.Audit, action="x" * 501),
    "revision nought": wire(m.Roster, revision=0),
    "revision without end": wire(m.Roster, revision=2**31 + 1),
    "a roster of nobody": wire(m.Roster, operators={}),
    "an operator without prefix": wire(m.Roster, operators={"ann": {"key": KEY}}),
    "a member named as an operator": wire(m.Member, machine="op-ann"),
    "a decision for an operator": wire(m.Decision, machine="op-ann"),
    "an overlay for an operator": wire(m.Baseline, overlays={"op-ann": HASH}),
    "a key that is none": wire(m.Member, key="S" + "A" * 55),
    "a key in lower case": wire(m.Member, key=KEY.lower()),
    "a risk of our own": wire(m.Decision, risk="harmless"),
    "a status of our own": wire(m.Decision, status="done"),
    "a reference of our own": wire(m.Decision, reference="the internet"),
    "a reference to wildcards": wire(m.Decision, reference="machine:*"),
    "attempt nought": wire(m.Decision, attempt=0),
    "an entity without target": wire(m.Decision, entity="github"),
    "an entity of no target": wire(m.Decision, entity="/github"),
    "six approvals": wire(m.Decision, approvals=[{"payload": "", "signer": KEY, "signature": ""}] * 6),
    "a side without digest": wire(m.Decision, wanted={"value": 1}),
    "an unknown answer": wire(m.Policy, answers={"low": "maybe"}),
    "an unknown risk class": wire(m.Policy, answers={"tiny": "automatic"}),
    "a level of our own": wire(m.Alarm, level=4),
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(MalformedError):
        decode(data)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data):
    with pytest.raises(MalformedError):
        decode(data)


trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(SAMPLES, key=lambda kind: kind.__name__)), st.data())
def test_a_message_with_anything_in_one_place_is_read_or_refused(kind, data):
    body = {"type": TAG[kind]} | SAMPLES[kind]
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(trees)
    try:
        message = decode(json.dumps(body, allow_nan=False).encode())
    except MalformedError:
        return
    assert decode(encode(message)) == message


@settings(max_examples=200)
@given(st.sampled_from(sorted(SAMPLES, key=lambda kind: kind.__name__)), st.data())
def test_a_damaged_message_is_read_or_refused(kind, data):
    body = bytearray(wire(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedError):
        decode(bytes(body))


def depth_of(tree):
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(trees, st.integers(0, 6))
@example([[["]]]", '["[', "\\"]]], 3)
def test_depth_is_measured_as_a_walk_would(tree, limit):
    assert too_deep(json.dumps(tree).encode(), limit) == (depth_of(tree) > limit)


@given(st.binary(max_size=60).map(lambda data: data.replace(b"x", b'"').replace(b"y", b"\\")))
def test_depth_can_be_asked_of_any_bytes(data):
    too_deep(data, 1)


def test_the_deepest_message_that_is_read_can_be_written_and_hashed():
    from roosync_protocol.digest import digest

    nest = b"[" * (MAX_DEPTH - 2) + b"1.5" + b"]" * (MAX_DEPTH - 2)
    message = decode(wire(m.InventoryReport).replace(b'"linux"', nest))
    assert decode(encode(message)) == message
    assert digest(message.inventory)


def test_a_value_that_is_null_is_not_an_absent_value():
    read = decode(wire(m.Decision, local={"digest": HASH, "value": None}, remote={"digest": HASH}))
    assert read.local.value is None
    assert read.remote.value is msgspec.UNSET
    assert b'"value":null' in encode(read)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_is_ever_what_we_sign(purpose, payload):
    """A broker chooses the nonce that a key signs when it connects, and a nonce is text: it may not mean anything."""
    with pytest.raises(UnicodeDecodeError):
        signed_bytes(purpose, payload).decode()


@pytest.mark.parametrize("kind", get_args(m.AnyMessage), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_moment_at_the_ends_of_the_calendar_is_refused(kind, moment):
    """A deadline after it, or its day in UTC, does not exist: whoever reckons with it would stumble at every turn."""
    said = json.loads(wire(kind))
    names = [name for name in kind.__struct_fields__ if name in ("timestamp", "asked", "started", "entered", "created")]
    assert "timestamp" in names
    for name in names:
        with pytest.raises(MalformedError, match=name):
            decode(json.dumps({**said, name: moment}).encode())


@pytest.mark.parametrize("name", ["reached", "escalations"])
def test_so_is_one_inside_a_cycle(name):
    place = {"checkpoint": "init", "round": 0, "level": 1, "reason": "x"}
    assert decode(wire(m.Cycle, **{name: [{**place, "at": "2026-01-01T00:00:00Z"}]}))
    with pytest.raises(MalformedError, match="at is no moment"):
        decode(wire(m.Cycle, **{name: [{**place, "at": "9999-12-31T23:59:59Z"}]}))


def test_policies_do_not_share_their_answers():
    one, two = decode(wire(m.Policy)), decode(wire(m.Policy))
    assert one.answers is not two.answers
    assert one.answers == m.law.DEFAULT_ANSWERS
    assert replace(one, paused=True) != two


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (m.Campaign, "machines", ["pc-a", "op-ann"]),
        (m.Rollout, "waves", [["pc-a"], ["pc b"]]),
        (m.Cycle, "participants", ["pc-a", "pc.b"]),
        (m.Cycle, "excused", {"op-ann": "ill"}),
        (m.Policy, "paused_machines", ["*"]),
        (m.Baseline, "overlays", {">": "0" * 64}),
    ],
)
def test_no_message_names_many_machines_unchecked(kind, field, value):
    with pytest.raises(MalformedError, match="can not"):
        decode(wire(kind, **{field: value}))
