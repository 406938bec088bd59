"""The broker's side of mail: where each recipient's reading stands, and what may go (3-bus, "MAIL").

A mailbox is a durable pull consumer on the stream of mail, called as its owner and made by the keeper: members may make
none, for a consumer could push into somebody else's subscriptions. What an owner has acknowledged lies on its own
disk; only that is swept away, and not at once. What was never fetched stays until the stream forgets it by age.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker.errors import OursError, UnavailableError
from roosync_broker.link import Link
from roosync_broker.topology import API_TIMEOUT, MIB, SECOND, STREAMS, stream_name
from roosync_protocol.subjects import Subjects

ACK_WAIT = 30.0  # seconds after which what was not acknowledged is given out again
UNACKNOWLEDGED = 256  # letters that may be given out and not acknowledged yet
KEPT = timedelta(days=7)  # for which a fetched letter stays, for whoever restores a machine from a backup
PRESSED = timedelta(hours=1)  # the same, while the stream is more than half full
_MISSING = 10014  # consumer not found


class _Position(Struct):
    stream_seq: int = 0


class _Error(Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answer(Struct):
    consumers: list[str] | None = None
    total: int = 0
    ack_floor: _Position | None = None
    error: _Error | None = None


async def ensure(link: Link, fleet: str, owners: Iterable[str]) -> list[str]:
    """Make the mailboxes that are missing; needs the keeper's rights, or a broker without any. Returns which."""
    there = await _names(link, fleet)
    made = sorted(set(owners) - there)
    for owner in made:
        stream, letters = stream_name(fleet, "MAIL"), _letters(fleet, owner)
        ask = {"stream_name": stream, "action": "create", "config": _configuration(owner, letters)}
        await _api(link, f"CONSUMER.CREATE.{stream}.{owner}.{letters}", ask)
    return made


async def sweep(link: Link, fleet: str, now: datetime, kept: timedelta = KEPT) -> int:
    """Purge what its owner has acknowledged and what is older than `kept`; returns how many letters went."""
    stream, old, count = stream_name(fleet, "MAIL"), defaultdict[str, list[int]](list), 0
    found: list[tuple[str, int, datetime]] = []
    size = 0
    async for message in link.read(stream, f"post.{fleet}.mail.>"):
        found.append((message.subject.split(".")[3], message.sequence, message.time or now))
        size += len(message.data)
    if size > STREAMS["MAIL"].mib * MIB / 2:
        kept = min(kept, PRESSED)
    for owner, sequence, time in found:
        if time < now - kept:
            old[owner].append(sequence)
    for owner, sequences in old.items():
        floor = await _acknowledged(link, fleet, owner)
        gone = [sequence for sequence in sequences if sequence <= floor]
        if gone:
            ask = {"filter": _letters(fleet, owner), "seq": gone[-1] + 1}
            await _api(link, f"STREAM.PURGE.{stream}", ask)
            count += len(gone)
    return count


# -- inside


def _letters(fleet: str, owner: str) -> str:
    return Subjects(fleet).post("mail", owner)


def _configuration(owner: str, letters: str) -> dict[str, Any]:
    return {
        "durable_name": owner,
        "name": owner,
        "filter_subject": letters,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": int(ACK_WAIT * SECOND),
        "max_deliver": -1,
        "max_ack_pending": UNACKNOWLEDGED,
    }


async def _acknowledged(link: Link, fleet: str, owner: str) -> int:
    """Sequence up to which everything of this owner is acknowledged; 0 when it has no mailbox."""
    ask = f"CONSUMER.INFO.{stream_name(fleet, 'MAIL')}.{owner}"
    answer = await _api(link, ask, None, missing=True)
    return answer.ack_floor.stream_seq if answer.ack_floor is not None else 0


async def _names(link: Link, fleet: str) -> set[str]:
    found: set[str] = set()
    while True:
        answer = await _api(link, f"CONSUMER.NAMES.{stream_name(fleet, 'MAIL')}", {"offset": len(found)})
        more = set(answer.consumers or ()) - found
        found |= more
        if not more or len(found) >= answer.total:
            return found


async def _api(link: Link, verb: str, body: dict[str, Any] | None, *, missing: bool = False) -> _Answer:
    data = await link.request(f"$JS.API.{verb}", json.encode(body) if body is not None else b"", API_TIMEOUT)
    try:
        answer = json.decode(data, type=_Answer)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"the broker answered {verb} with something that is not JetStream") from error
    if answer.error is None or (missing and answer.error.err_code == _MISSING):
        return answer
    if answer.error.code == 503:
        raise UnavailableError(f"the broker can not do {verb} at this moment: {answer.error.description}")
    raise OursError(f"the broker refused {verb}: {answer.error.description} ({answer.error.err_code})")
