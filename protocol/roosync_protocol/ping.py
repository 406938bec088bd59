"""A ping and its answer: what proves that a machine is there now, and not that somebody says so in its name.

The answer is signed with the machine's own key over the nonce of the question, so neither the broker nor another
member can give it, or give it again.
"""

from typing import Annotated

from msgspec import DecodeError, Meta, Struct, json

from roosync_protocol import approval
from roosync_protocol.envelope import Sign, Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Signed
from roosync_protocol.names import Token

PURPOSE = "roosync.v1.pong"
VERB = "ping"
MOST = 16_384  # bytes of an answer that are read


class Ping(Struct, frozen=True, kw_only=True):
    nonce: Annotated[str, Meta(min_length=16, max_length=64, pattern=r"^[0-9a-f]+\Z")]


class Pong(Struct, frozen=True, kw_only=True):
    fleet: Token
    machine: Token
    nonce: str
    version: Annotated[str, Meta(max_length=100)]
    revision: int = 0  # of the baseline it is in step with


_ping = json.Decoder(Ping)
_pong = json.Decoder(Pong)
_signed = json.Decoder(Signed)


class NotAnsweredError(ValueError):
    """What came back proves nothing; says why."""


def question(nonce: str) -> bytes:
    return json.encode(Ping(nonce=nonce))


def read_question(data: bytes) -> Ping:
    """ValueError on what is no question."""
    if len(data) > MOST:
        raise ValueError("a ping is small")
    try:
        return _ping.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no ping: {error}") from error


def reply(pong: Pong, signer: str, sign: Sign) -> bytes:
    return json.encode(approval.sign_text(PURPOSE, json.encode(pong).decode(), signer, sign))


def read_reply(data: bytes, machine: str, nonce: str, law: Law, verify: Verify) -> Pong:
    """The answer of `machine` to the question with `nonce`; NotAnsweredError when it is not that."""
    if len(data) > MOST:
        raise NotAnsweredError(f"an answer of {len(data)} bytes")
    try:
        signed = _signed.decode(data)
        pong = _pong.decode(signed.payload)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnsweredError(f"an answer that can not be read: {error}") from error
    if signed.signer != law.speaker_key(machine) or not approval.genuine(PURPOSE, signed, verify):
        raise NotAnsweredError(f"an answer that is not signed with the key of {machine}")
    if (pong.fleet, pong.machine, pong.nonce) != (law.fleet, machine, nonce):
        raise NotAnsweredError("an answer to another question")
    return pong
