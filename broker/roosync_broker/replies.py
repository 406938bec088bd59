"""What the server's answers mean: bytes and headers of NATS in, our values and errors out. No connection here.

Error numbers: github.com/nats-io/nats-server, server/errors.json. Direct get: ADR-31 of nats-architecture-and-design.
"""

import re
from datetime import UTC, datetime, timedelta

from msgspec import DecodeError, Struct, ValidationError, json
from nats.aio.msg import Msg

from roosync_broker.errors import BusError, FullError, OursError, StaleError, UnavailableError
from roosync_broker.link import SERVERS_HEADERS, Delivered, Receipt, Stored

_STALE = {10071, 10164}  # wrong last sequence: the record was advanced by somebody else
_FULL = {
    10023,  # insufficient resources
    10028,  # the account's memory is used up
    10047,  # the server's storage is used up
    10077,  # the stream can not store it: its bound is reached, or the disk is full
    10122,  # too many messages are on their way in
}
_TOO_LARGE = {10054}
_FIRST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), 2**63  # nanoseconds of the server's clock
_NOT_NOW = {
    10004,  # the cluster is not whole
    10008,  # nobody leads the cluster
    10009,  # this node does not lead it
    10118,  # the stream is offline
    10158,  # a message of this id is on its way: a try before this one, of which nobody knows yet whether it is stored
}
_REFUSAL = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')


class _Error(Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(Struct):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


class Page(Struct):
    messages: list[Stored]
    pending: int = 0  # how many more there are beyond this page
    up_to: int = 0  # the stream's last sequence when the answer began


def receipt(data: bytes, subject: str) -> Receipt:
    """The acknowledgement of a post, or the error it stands for."""
    try:
        ack = json.decode(data, type=_Ack)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError):
        raise UnavailableError(f"what answered the post on {subject!r} is not JetStream") from None
    if ack.error is not None:
        raise failure(ack.error.err_code, ack.error.code, ack.error.description, subject)
    if ack.seq < 1:
        raise UnavailableError(f"the post on {subject!r} was answered without a sequence")
    return Receipt(ack.seq, ack.duplicate)


def failure(number: int, code: int, description: str, subject: str) -> BusError:
    if number in _STALE:
        return StaleError(f"{subject!r} was advanced by somebody else first ({description}); read it again")
    if number in _FULL:
        return FullError(f"the broker can not store {subject!r}: {description}; make room or raise the bound")
    if number in _TOO_LARGE:
        return OursError(f"{subject!r}: {description}; large things travel as contents")
    if code == 503 or number in _NOT_NOW:
        hint = "if it is a cluster, it stores while more than half of its nodes run"
        return UnavailableError(f"the broker can not store {subject!r} at this moment ({description}); {hint}")
    return OursError(f"the broker refused {subject!r}: {description} ({number})")


def stored(message: Msg, stream: str) -> Stored:
    """An answer of a direct get from `stream`; never raises on odd headers.

    A poster may have set headers of the server's names: the server writes its own behind them, and the parser
    keeps the last of each name.
    """
    return _stored((message.headers or {}).get("Nats-Subject", ""), stream, message)


def fact(message: Msg) -> Stored | None:
    """A delivered fact, or None when it is not one, though it came on such a subject.

    Members can not publish under `roosync.`, but they can name such a subject as the reply of a request of theirs,
    and the server's answer then goes there. An acknowledgement has no sequence, and a stored message read back has
    the subject it was stored under.
    """
    subject = "post." + message.subject.removeprefix("roosync.")
    found = _stored(subject, (message.headers or {}).get("Nats-Stream", ""), message)
    genuine = found.sequence > 0 and (message.headers or {}).get("Nats-Subject") == subject
    return found if genuine else None


def delivered(message: Msg, stream: str, box: str) -> Delivered | None:
    """A message out of a mailbox; None when it is none. Where it was stored tells the address of its receipt (ADR-15):

    `$JS.ACK[.<domain>.<account>].<stream>.<box>.<deliveries>.<sequence>.<in box>.<nanoseconds>.<pending>[.<token>]`
    """
    parts = message.reply.split(".")
    at = {9: 2, 11: 4, 12: 4}.get(len(parts), 0)
    if parts[:2] != ["$JS", "ACK"] or not at or parts[at : at + 2] != [stream, box]:
        return None
    sequence, nanoseconds = _number(parts[at + 3]), _number(parts[at + 5])
    given = message.headers or {}
    stored = Stored(
        subject=message.subject,
        sequence=sequence,
        data=message.data,
        headers={name: value for name, value in given.items() if name not in SERVERS_HEADERS},
        time=_FIRST + timedelta(microseconds=min(nanoseconds, _LATEST) // 1000),
        stream=stream,
    )
    return Delivered(stored, message.reply)


def status(message: Msg) -> str:
    """The status line of an answer that is only that; "" for a message, whatever status its poster gave it."""
    given = message.headers or {}
    return "" if "Nats-Sequence" in given else given.get("Status", "")


def core(message: Msg) -> Stored:
    """A message that no stream was part of."""
    return Stored(subject=message.subject, sequence=0, data=message.data, headers=dict(message.headers or {}))


def _stored(subject: str, stream: str, message: Msg) -> Stored:
    given = message.headers or {}
    return Stored(
        subject=subject,
        sequence=_number(given.get("Nats-Sequence")),
        data=message.data,
        headers={name: value for name, value in given.items() if name not in SERVERS_HEADERS},
        time=_time(given.get("Nats-Time-Stamp")),
        stream=stream,
    )


def end_of_page(messages: list[Stored], message: Msg) -> Page:
    given = message.headers or {}
    return Page(messages, _number(given.get("Nats-Num-Pending")), _number(given.get("Nats-UpTo-Sequence")))


def refusal(text: str) -> tuple[str, str] | None:
    """("post on" or "listen to", subject in lower case) when the text is the server's refusal of a permission."""
    found = _REFUSAL.search(text.lower())
    if found is None:
        return None
    return ("post on" if found[1] == "publish" else "listen to"), found[2]


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0


def _time(text: str | None) -> datetime | None:
    """RFC 3339 with nanoseconds, which Python reads up to microseconds."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
