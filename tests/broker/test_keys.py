"""Keys: signatures, seeds on disk, seeds under a passphrase. Garbage is told from keys, and never raises."""

import os

import nkeys
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_broker import keys
from roosync_broker.errors import KeyFileError, WrongPassphraseError
from roosync_broker.keys import KeyPair, fingerprint, is_public, verify

PAIR = KeyPair(b"\7" * 32)  # the same in every process: the names of the cases below hold it


@given(st.binary(max_size=200))
@settings(max_examples=30)
def test_a_signature_is_by_one_key_over_these_bytes(data):
    signature = PAIR.sign(data)
    assert len(signature) == 64
    assert verify(PAIR.public, data, signature)
    assert not verify(PAIR.public, data + b"x", signature)
    assert not verify(KeyPair.generate().public, data, signature)


def test_keys_are_those_of_nats():
    theirs = nkeys.from_seed(bytearray(PAIR.seed.encode()))
    assert theirs.public_key.decode() == PAIR.public
    assert theirs.sign(b"x") == PAIR.sign(b"x")
    assert PAIR.public.startswith("U")
    assert KeyPair.from_seed(f" {PAIR.seed}\n").public == PAIR.public
    assert PAIR.seed not in repr(PAIR)


@given(st.text(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
@settings(max_examples=100)
def test_garbage_is_no_signature(public, data, signature):
    assert verify(public, data, signature) is False
    assert verify(PAIR.public, data, signature) is False


ODD = [
    "",
    "U",
    PAIR.public.lower(),
    PAIR.public[:-1] + "=",
    PAIR.public + "A",
    "U" + "A" * 55,
    PAIR.seed,
    "\u2603" * 56,
]


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_public_key(text):
    assert not is_public(text)
    assert not verify(text, b"", b"\0" * 64)
    assert is_public(PAIR.public)
    assert verify(PAIR.public, b"x", None) is False


def account_seed():
    return nkeys.encode_seed(b"\1" * 32, nkeys.PREFIX_BYTE_ACCOUNT).decode()


@pytest.mark.parametrize(
    "seed",
    ["", "x", "SU", PAIR.public, PAIR.seed[:-2] + "AA", PAIR.seed[:-8], account_seed(), "é"],
    ids=["empty", "x", "SU", "public", "changed", "cut", "account", "not ascii"],
)
def test_what_is_no_seed_is_not_repeated(seed):
    with pytest.raises(KeyFileError) as caught:
        KeyPair.from_seed(seed)
    assert not seed or len(seed) < 3 or seed not in str(caught.value)


def test_fingerprints_are_for_two_people():
    text = fingerprint(PAIR.public)
    assert [len(group) for group in text.split("-")] == [4] * 5
    assert text == fingerprint(PAIR.public) != fingerprint(KeyPair.generate().public)


@pytest.fixture
def cheap(monkeypatch):
    monkeypatch.setattr(keys, "_OPS", 1)
    monkeypatch.setattr(keys, "_MEMORY", 8192)


def test_a_sealed_seed_opens_with_its_passphrase_only(cheap):
    text = keys.seal(PAIR.seed, "correct horse é")
    assert PAIR.seed not in text
    assert keys.sealed_public(text) == PAIR.public
    assert keys.unseal(text, "correct horse é") == PAIR.seed
    for wrong in ("", "correct horse", "correct horse e"):
        with pytest.raises(WrongPassphraseError):
            keys.unseal(text, wrong)
    with pytest.raises(KeyFileError):
        keys.seal(PAIR.seed, "")


def test_a_damaged_sealed_seed(cheap):
    text = keys.seal(PAIR.seed, "p")
    other = KeyPair.generate().public
    damaged = [
        "",
        "{}",
        "[]",
        "\ud800",
        text[:50],
        text.replace('"box": "', '"box": "AAAA'),
        text.replace("-v1", "-v9"),
    ]
    damaged += [text.replace('"memory": 8192', '"memory": 99999999999'), text.replace('"salt": "', '"salt": "!')]
    damaged += [text.replace(PAIR.public, other)]
    for one in damaged:
        with pytest.raises(KeyFileError) as caught:
            keys.unseal(one, "p")
        assert not isinstance(caught.value, WrongPassphraseError) or '": "AAAA' in one, "no other passphrase would help"
    assert keys.sealed_public("{}") is None
    assert keys.sealed_public(PAIR.seed) is None


def test_files_are_for_the_owner(tmp_path):
    path = tmp_path / "new" / "machine.nk"
    keys.save(path, PAIR.seed)
    keys.save(path, PAIR.seed)
    assert keys.load(path) == PAIR.seed
    assert [entry.name for entry in path.parent.iterdir()] == ["machine.nk"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * 20_000])
def test_a_key_file_that_is_none(tmp_path, content):
    path = tmp_path / "machine.nk"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"machine\.nk"):
        keys.load(path)
