"""What every message says, and the small types that messages share.

Bodies are JSON with a versioned `type`. Fields are added with a default and never removed: an older
agent ignores what it does not know (3-bus). Limits stand in the types, so decoding enforces them.
"""

from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Annotated, ClassVar

from msgspec import Meta, Struct
from msgspec.structs import fields

from roosync_protocol.names import OneMachine, Sha256, Token, require_machines

Moment = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Line = Annotated[str, Meta(max_length=500)]  # one line for a person
Prose = Annotated[str, Meta(max_length=8_000)]
EntityKey = Annotated[str, Meta(pattern=r"^[^/]+/", min_length=3, max_length=600)]  # <target>/<name>
PublicKey = Annotated[str, Meta(pattern=r"^U[A-Z2-7]{55}\Z")]  # an nkey of type user (Ed25519)
Base64 = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{0,200}={0,2}\Z")]


# A clock may be wrong by any number of years; but a deadline is worked out from each moment, and shown in UTC, and
# at the two ends of the calendar neither can be done.
FIRST, LAST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class Dated(Struct, frozen=True, kw_only=True):
    """Something with moments, all of which can be reckoned with; ValueError when one can not."""

    MACHINES: ClassVar[tuple[str, ...]] = ()  # its fields of many `OneMachine`, in one container or in several

    def __post_init__(self) -> None:
        for name in _moments(type(self)):
            moment = getattr(self, name)
            if moment is not None and not FIRST <= moment < LAST:
                raise ValueError(f"{name} is no moment that can be reckoned with")
        for name in self.MACHINES:
            found = getattr(self, name)
            nested = isinstance(found, tuple) and found and isinstance(found[0], tuple)
            require_machines(tuple(chain.from_iterable(found)) if nested else found)


@cache
def _moments(kind: type[Dated]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.type in (Moment, Moment | None))


class Message(Dated, frozen=True, kw_only=True, tag_field="type"):
    """What every message says: who speaks (a machine or an operator), and when."""

    agent: Token
    timestamp: Moment


class Record(Message, frozen=True, kw_only=True):
    """A message that carries the whole new state of a record; `revision` grows by one with each."""

    id: Token
    revision: Annotated[int, Meta(ge=1, le=2**31)]
    operation_id: Token  # of the intent that led to this state: a retry can see that it won


class Law(Message, frozen=True, kw_only=True):
    """A message of an operator that machines obey. Its `revision` only grows (6-trust)."""

    revision: Annotated[int, Meta(ge=1, le=2**31)]
    expires: Moment | None = None


# What we sign begins with a byte that no text begins with: a broker chooses the nonce that our keys sign when we
# connect, a nonce is text, and so a hostile broker can never be given a signature that means something here.
NO_TEXT = b"\xff"


class Signed(Struct, frozen=True, kw_only=True):
    """A self-contained signed object, so that a state can carry its proof with it.

    The signature covers `NO_TEXT`, the purpose (a constant of the reader), a line feed, and `payload` as it stands.
    """

    payload: Annotated[str, Meta(max_length=200_000)]
    signer: PublicKey
    signature: Base64


def signed_bytes(purpose: str, payload: str) -> bytes:
    """The bytes an embedded signature covers; the purpose keeps one kind of proof from serving as another."""
    return b"%b%b\n%b" % (NO_TEXT, purpose.encode(), payload.encode())


__all__ = [
    "Base64",
    "Count",
    "Dated",
    "EntityKey",
    "Law",
    "Line",
    "Message",
    "Moment",
    "OneMachine",
    "Prose",
    "PublicKey",
    "Record",
    "Sha256",
    "Signed",
    "Token",
    "signed_bytes",
]
