"""Frees the room of contents that nothing mentions any more (3-bus, "The keeper"). Mark, then sweep.

What counts as a mention is deliberately broad: any 64 hex digits in any message that is still stored, or in a
content that is itself mentioned. So a kind of message this version does not know protects its contents too, and
every baseline that ever was law stays restorable. Young contents are left alone: they are stored before the
message that mentions them, and `contents` stores again what is about to become old.
"""

import asyncio
import re
from datetime import datetime
from typing import Any

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker.contents import GRACE, LIMIT, Contents
from roosync_broker.errors import ContentError, OursError, UnavailableError
from roosync_broker.link import Link
from roosync_broker.topology import API_TIMEOUT, PAUSE, ApiError, stream_name
from roosync_protocol.subjects import STREAMS, Subjects

_HASH = re.compile(rb"[0-9a-f]{64}")
_AGES_AT_ONCE = 8  # parts looked at in one request


class _State(Struct):
    subjects: dict[str, int] | None = None


class _Listing(Struct):
    state: _State | None = None
    total: int = 0
    error: ApiError | None = None


async def sweep(link: Link, fleet: str, now: datetime) -> int:
    """Purge the contents that nothing mentions and whose parts are all older than `GRACE`; returns how many.

    Needs the keeper's rights. Whatever can not be read ends the sweep with an error before anything is purged.
    """
    stored = await _stored(link, fleet)
    unmentioned = stored.keys() - await _mentioned(link, fleet, set(stored))
    count = 0
    for sha256 in sorted(unmentioned):
        time, sequence = await _youngest(link, fleet, stored[sha256])
        if time < now - GRACE:
            await purge(link, stream_name(fleet, "CONTENTS"), Subjects(fleet).post("content", sha256), sequence)
            count += 1
    return count


async def _stored(link: Link, fleet: str) -> dict[str, list[str]]:
    """SHA-256 -> the subjects of its parts, by all speakers."""
    found: dict[str, list[str]] = {}
    for subject in await subjects_of(link, stream_name(fleet, "CONTENTS"), Subjects(fleet).post("content")):
        found.setdefault(subject.split(".")[3], []).append(subject)
    return found


async def subjects_of(link: Link, stream: str, pattern: str) -> list[str]:
    """Every subject of the stream that matches and has a message. Needs the keeper's rights."""
    found: list[str] = []
    while True:
        listing = await _api(link, f"STREAM.INFO.{stream}", {"subjects_filter": pattern, "offset": len(found)})
        subjects = (listing.state.subjects if listing.state else None) or {}
        found += subjects
        if not subjects or len(found) >= listing.total:
            return found


async def _mentioned(link: Link, fleet: str, stored: set[str]) -> set[str]:
    found: set[str] = set()
    for stream in STREAMS:
        if stream == "CONTENTS":
            continue
        async for message in link.read(stream_name(fleet, stream), f"post.{fleet}.>"):
            found |= _hashes(message.data) & stored
    reader, todo = Contents(link, Subjects(fleet), "keeper"), list(found)
    while todo:
        try:
            more = _hashes(await reader.get(todo.pop(), LIMIT)) & stored
        except ContentError:  # nobody can read it, so it mentions nothing
            continue
        todo += more - found
        found |= more
    return found


async def _youngest(link: Link, fleet: str, subjects: list[str]) -> tuple[datetime, int]:
    """When the last of these parts was stored, and its sequence."""
    times: list[tuple[datetime, int]] = []
    for start in range(0, len(subjects), _AGES_AT_ONCE):
        group = subjects[start : start + _AGES_AT_ONCE]
        found = await link.last(stream_name(fleet, "CONTENTS"), group)
        times += [(message.time, message.sequence) for message in found if message.time is not None]
    if not times:
        raise UnavailableError("a content went away while it was looked at; the sweep begins again later")
    return max(times)


async def purge(link: Link, stream: str, subject: str, sequence: int | None = None) -> None:
    """What was looked at goes, up to `sequence`; what somebody stored again in this very moment stays."""
    ask: dict[str, Any] = {"filter": subject}
    if sequence is not None:
        ask["seq"] = sequence + 1
    await _api(link, f"STREAM.PURGE.{stream}", ask)


async def _api(link: Link, verb: str, body: dict[str, Any]) -> _Listing:
    """To list and to purge does the same however often: it is asked again while a cluster has no leader."""
    loop = asyncio.get_running_loop()
    until = loop.time() + API_TIMEOUT
    while True:
        answer = await _asked(link, verb, body)
        if answer.error is None:
            return answer
        told = f"the broker refused {verb}: {answer.error.description}"
        if not answer.error.not_now:
            raise OursError(told)
        if loop.time() >= until:
            raise UnavailableError(told)
        await asyncio.sleep(PAUSE)


async def _asked(link: Link, verb: str, body: dict[str, Any]) -> _Listing:
    data = await link.request(f"$JS.API.{verb}", json.encode(body), API_TIMEOUT)
    try:
        return json.decode(data, type=_Listing)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"the broker answered {verb} with something that is not JetStream") from error


def _hashes(data: bytes) -> set[str]:
    return {match.decode() for match in _HASH.findall(data)}
