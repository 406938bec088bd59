"""Files of any size on the bus: stored by their SHA-256, in parts under the payload limit (3-bus, "CONTENTS").

A content is posted only when it is not there yet, so an unchanged file costs nothing. Any member may store
something under any hash, so each reader checks, and somebody else's bad parts are in nobody's way: the parts
of one speaker are put together, and when they do not make up the hash, those of the next one are tried.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from roosync_broker.errors import ContentError, UnavailableError
from roosync_broker.link import MESSAGE_ID, Link, Stored, post_until_stored
from roosync_broker.topology import MIB, stream_name
from roosync_protocol.names import token
from roosync_protocol.subjects import Subjects, speaker_of

PART = 512 * 1024  # bytes
LIMIT = 16 * MIB  # bytes of one content, unless the reader says otherwise
PARTS = "Roosync-Parts"  # header: how many parts the content has
GRACE = timedelta(hours=48)  # a content that nothing mentions is swept away after this time (see `sweeper`)
FRESH = timedelta(hours=12)  # who puts a content that was stored longer ago stores it again: it may soon be mentioned
TRIES = 16  # speakers whose parts are tried; more than that is somebody's attempt to keep us busy
FEW = 2  # speakers whose parts are asked for before those of all
_GROUP = 16  # parts asked for in one request


class Contents:
    """The contents of a fleet, as one speaker puts and any member gets them."""

    def __init__(
        self,
        link: Link,
        subjects: Subjects,
        speaker: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._link, self._now = link, now
        self._subjects = subjects
        self._speaker = token(speaker)
        self._stream = stream_name(subjects.fleet, "CONTENTS")
        self._known: dict[str, datetime] = {}  # hash -> when we last saw that it was stored recently

    async def put(self, data: bytes) -> str:
        """Store `data` unless somebody has; its SHA-256. FullError, RefusedError, UnavailableError."""
        sha256 = hashlib.sha256(data).hexdigest()
        known = self._known.get(sha256)
        if (known is not None and known > self._now() - FRESH) or await self._stored(sha256, len(data)):
            return sha256
        count = max(1, -(-len(data) // PART))
        for part in range(count):
            # A new id each time: a content that was swept away must be storable again at once.
            headers = {MESSAGE_ID: f"c-{secrets.token_hex(10)}", PARTS: str(count)}
            body = data[part * PART : (part + 1) * PART]
            await post_until_stored(self._link, self._subjects.content(sha256, str(part), self._speaker), body, headers)
        self._known[sha256] = self._now()
        return sha256

    async def get(self, sha256: str, limit: int = LIMIT) -> bytes:
        """The bytes with this hash, at most `limit` of them.

        ContentError: what is stored under it is something else, or larger. UnavailableError: nothing is stored.
        """
        found = await self._find(sha256, limit)
        if found is None:
            raise UnavailableError(f"the content {sha256[:12]}... is not on the bus; its sender has to publish again")
        return found[0]

    async def _stored(self, sha256: str, size: int) -> bool:
        """Whether somebody stored it, whole, and so recently that it will not be swept away in a moment."""
        try:
            found = await self._find(sha256, size, self._now() - FRESH)
        except ContentError:  # somebody's bad parts
            return False
        if found is None or found[1] is None or found[1] < self._now() - FRESH:
            return False
        self._known[sha256] = found[1]
        return True

    async def _find(
        self, sha256: str, limit: int, since: datetime | None = None
    ) -> tuple[bytes, datetime | None] | None:
        """The bytes and when they were stored; None when nobody stored anything under this hash.

        `since`: one that was stored after this is preferred. A thousand machines may each have stored the same content,
        so the first copies are asked for before all of them are.
        """
        wrong: dict[str, str] = {}
        old: tuple[bytes, datetime | None] | None = None
        for look in (self._oldest, self._firsts):
            found = await look(sha256)
            for first in found:
                speaker = speaker_of(first.subject)
                if speaker in wrong:
                    continue
                count = _count(first, limit)
                if count is None:
                    wrong[speaker] = f"more than {limit} bytes, or no count of parts"
                    continue
                data = await self._assemble(sha256, speaker, first, count, limit)
                if data is None:
                    wrong[speaker] = "parts are missing, or are not what the hash says"
                elif since is None or (first.time is not None and first.time >= since):
                    return data, first.time
                else:
                    old = data, first.time
            if len(found) < FEW:
                break  # there are no others
        if wrong and old is None:
            told = "; ".join(f"{speaker}: {why}" for speaker, why in wrong.items())
            raise ContentError(f"what is stored as {sha256[:12]}... can not be used ({told})")
        return old

    async def _oldest(self, sha256: str) -> list[Stored]:
        """The first part of the speakers who stored it first."""
        subject = self._subjects.content(sha256, "0", "*")
        return [message async for message in self._link.read(self._stream, subject, most=FEW)]

    async def _firsts(self, sha256: str) -> list[Stored]:
        """The first part of each speaker; the newest first, but the last tries are for the oldest."""
        found = await self._link.last(self._stream, [self._subjects.content(sha256, "0", "*")])
        found.reverse()
        return found if len(found) <= TRIES else found[: TRIES // 2] + found[-TRIES // 2 :]

    async def _assemble(self, sha256: str, speaker: str, first: Stored, count: int, limit: int) -> bytes | None:
        parts = [first.data]
        size = len(first.data)
        for start in range(1, count, _GROUP):
            wanted = [
                self._subjects.content(sha256, str(part), speaker) for part in range(start, min(start + _GROUP, count))
            ]
            found = {message.subject: message.data for message in await self._link.last(self._stream, wanted)}
            parts += [found[subject] for subject in wanted if subject in found]
            size += sum(map(len, found.values()))
            if len(found) < len(wanted) or size > limit:
                return None
        data = b"".join(parts)
        return data if len(data) <= limit and hashlib.sha256(data).hexdigest() == sha256 else None


def _count(first: Stored, limit: int) -> int | None:
    text = first.headers.get(PARTS, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        return None
    return int(text) if 1 <= int(text) <= max(1, -(-limit // PART)) else None
