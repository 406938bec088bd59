"""An envelope proves who said these bytes on this subject; everything else about it is refused by one error."""

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roosync_broker.keys import verify
from roosync_protocol import envelope
from roosync_protocol.envelope import ID, SIGNATURE, SIGNER, seal, unseal
from roosync_protocol.messages import Audit, MalformedError, StatusReport, encode
from roosync_protocol.subjects import Subjects


@pytest.fixture
def posting(world):
    pair = world.key("pc-a")
    return seal(world.subjects, status(world), "o-1", pair.public, pair.sign)


def status(world, agent="pc-a"):
    return StatusReport(agent=agent, timestamp=world.now, machines_detected=1, status="synced", divergences_count=0)


def opened(world, posting, subject=None, data=None, **headers):
    return unseal(
        world.subjects, subject or posting.subject, data or posting.data, posting.headers | headers, verify, 7
    )


def test_a_message_is_opened_from_its_post_and_from_its_fact(world, posting):
    fact = posting.subject.replace("post.", "roosync.", 1)
    post = opened(world, posting)
    assert post == opened(world, posting, fact)
    assert (post.message, post.speaker, post.operation, post.sequence) == (status(world), "pc-a", "o-1", 7)
    assert post.signer == world.key("pc-a").public


def test_who_it_was_is_a_question_of_law(world):
    """Anybody's genuine signature opens; whether the key is the speaker's is asked by the law."""
    stranger = world.key("stranger")
    heard = opened(world, seal(world.subjects, status(world), "o-1", stranger.public, stranger.sign))
    assert not world.law.genuine(heard)


def b64(data):
    return base64.b64encode(data).decode()


HEADERS = {
    "no id": {ID: ""},
    "no signer": {SIGNER: ""},
    "no signature": {SIGNATURE: ""},
    "another id": {ID: "o-2"},
    "an id with a line feed": {ID: "o-1\n{}"},
    "an id that is no text for UTF-8": {ID: "o-\udcff"},
    "a long id": {ID: "o" * 1_000},
    "a signer that is none": {SIGNER: "U"},
    "a signer without ASCII": {SIGNER: "Ü" * 56},
    "half a surrogate as signer": {SIGNER: "\udcff" * 56},
    "a signature that is no base64": {SIGNATURE: "*"},
    "a signature without ASCII": {SIGNATURE: "é"},
    "a short signature": {SIGNATURE: b64(b"x")},
    "a long signature": {SIGNATURE: b64(b"x" * 100_000)},
    "a signature of nothing": {SIGNATURE: b64(bytes(64))},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_headers_that_prove_nothing(world, posting, headers):
    with pytest.raises(MalformedError):
        opened(world, posting, **headers)


def test_another_signer_has_not_signed_it(world, posting):
    with pytest.raises(MalformedError, match="does not fit"):
        opened(world, posting, **{SIGNER: world.key("pc-b").public})


def test_other_bytes_on_the_same_subject(world, posting):
    other = encode(StatusReport(**{f: getattr(status(world), f) for f in ("agent", "timestamp")}, machines_detected=9,
                                status="synced", divergences_count=0))  # fmt: skip
    with pytest.raises(MalformedError, match="does not fit"):
        opened(world, posting, data=other)


def test_the_same_bytes_in_another_fleet(world, posting):
    with pytest.raises(MalformedError):
        unseal(Subjects("work"), "post.work.status.pc-a", posting.data, posting.headers, verify)


def test_bytes_can_not_be_moved_between_id_and_body(world):
    """`subject LF id LF body` is read one way only: an id has no line feed."""
    pair = world.key("pc-a")
    audit = Audit(agent="pc-a", timestamp=world.now, action="x", phase="before")
    with pytest.raises(MalformedError, match="no id"):
        seal(world.subjects, audit, "o-1\nx", pair.public, pair.sign)


def test_nothing_is_sealed_that_nobody_could_read(world):
    pair = world.key("pc-a")
    audit = Audit(agent="pc-a", timestamp=world.now, action="x" * 501, phase="before")
    with pytest.raises(MalformedError):
        seal(world.subjects, audit, "o-1", pair.public, pair.sign)


def test_a_hostile_broker_gets_no_signature_out_of_a_nonce(world):
    """When a key signs in it signs a text that the broker chose. No text is what an envelope signs."""
    signed = []
    pair = world.key("op-ann")
    seal(world.subjects, status(world, "pc-a"), "o-1", pair.public, lambda data: signed.append(data) or bytes(64))
    with pytest.raises(UnicodeDecodeError):
        signed[0].decode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.text(max_size=30) | st.sampled_from(["post.home.status.pc-a", "roosync.home.status.pc-a"]),
    st.binary(max_size=40) | st.just(b"good"),
    st.dictionaries(st.sampled_from([ID, SIGNER, SIGNATURE, "X"]), st.text(max_size=60), max_size=4),
)
def test_whatever_is_stored_one_error_is_raised(world, posting, subject, data, headers):
    data = posting.data if data == b"good" else data
    with pytest.raises(MalformedError):
        unseal(world.subjects, subject, data, headers, verify)


def test_the_bytes_that_are_signed_are_written_down(world, posting):
    """Another implementation reads this test: 0xFF subject LF id LF body."""
    expected = b"\xffpost.home.status.pc-a\no-1\n" + posting.data
    assert verify(world.key("pc-a").public, expected, base64.b64decode(posting.headers[SIGNATURE]))
    assert envelope.ID == "Nats-Msg-Id"
