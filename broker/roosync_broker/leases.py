"""Roles that one machine holds at a time, such as leading: a lease that must be renewed (3-bus, "Leases").

Each holder writes under its own name, as everywhere on the bus; the last message of the role tells who holds
it, and compare-and-swap over all of the role's names lets one win. The server forgets a lease that was not
renewed. The lease only spares work: what fences an old leader is the compare-and-swap of each record, and
`token`, which the next holder writes into every open record as its first act.
"""

import math
import secrets
import time
from collections.abc import Callable
from datetime import datetime

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker.errors import StaleError
from roosync_broker.link import MESSAGE_ID, Expect, Link, Stored
from roosync_broker.topology import LEASE_TTL, bucket_stream, bucket_subject, lifetime
from roosync_protocol.names import token as a_token
from roosync_protocol.subjects import speaker_of

CAUTION = 0.8  # of the time-to-live: our clock and the server's are not the same, and messages take time
RENEWALS = 3  # within a time-to-live
LOOKS = 20  # within a time-to-live, while the holder is overdue


class Holder(Struct, frozen=True, kw_only=True):
    role: str
    owner: str
    token: int  # the sequence at which it was acquired; a later holder's is higher
    renewed: datetime | None  # the broker's clock


def elapsed() -> float:
    """Seconds that also pass while the computer sleeps: a laptop that wakes up knows that its lease is over."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class _Value(Struct, frozen=True, kw_only=True):
    session: str = ""  # tells two processes of one owner apart
    token: int = 0  # 0: this very message acquired it


class Lease:
    """One candidate's hold on one role. Not shared between tasks."""

    def __init__(
        self,
        link: Link,
        fleet: str,
        role: str,
        owner: str,
        ttl: float = LEASE_TTL,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self.role, self.owner, self.ttl = a_token(role), a_token(owner), ttl
        self._link, self._fleet, self._clock = link, fleet, clock
        self._stream = bucket_stream(fleet, "leases")
        self._all = bucket_subject(fleet, "leases", role, "*")
        self._own = bucket_subject(fleet, "leases", role, owner)
        self._session = secrets.token_hex(8)
        self._sequence = 0
        self._until = -math.inf
        self._looked = self._free = -math.inf  # when the holder was looked at, and from when on it may be over
        self._seen = 0  # the holder's last renewal that was seen: its sequence
        self.token = 0

    @property
    def held(self) -> bool:
        """Whether we may act as the holder now. Becomes false by itself, before others can acquire it."""
        return self._clock() < self._until

    @property
    def pause(self) -> float:
        """Seconds until the next `renew`, or until an `acquire` may win.

        Who waits needs no clock of the server's: a renewal that it sees for the first time came after its look before.
        Once that is a time-to-live ago it looks often, so a dead holder is followed soon after its lease ended.
        """
        regular, left = self.ttl / RENEWALS, self._free - self._clock()
        return regular if self.held else min(regular, max(left, self.ttl / LOOKS))

    async def learn(self) -> None:
        """The time-to-live is what the broker does. Before the first `acquire`, and after a reconnection."""
        self.ttl = await lifetime(self._link, self._fleet, "leases")

    async def acquire(self) -> bool:
        """Take the role if it is free, or was ours; renews it when we hold it. False: somebody else has it.

        UnavailableError leaves open whether it was taken: calling again finds out.
        """
        for _ in range(2):
            newest = await self._newest()
            value = _value(newest)
            if newest is not None and value is not None:
                if speaker_of(newest.subject) != self.owner:
                    self._await(newest)
                    return False
                if value.session == self._session:  # also when the answer to our last write got lost
                    self._sequence, self.token = newest.sequence, value.token or newest.sequence
                    if await self._write(_Value(session=self._session, token=self.token)):
                        return True
                    continue
            self._sequence, self.token = (newest.sequence if newest else 0), 0
            if await self._write(_Value(session=self._session)):
                self.token = self._sequence
                return True
        self._lost()
        return False

    async def renew(self) -> bool:
        """Hold it for another time-to-live. False when it was lost; then `acquire` may win it again."""
        if self.token == 0:
            return False
        if await self._write(_Value(session=self._session, token=self.token)):
            return True
        newest = await self._newest()  # it may be our own write, whose answer got lost
        value = _value(newest)
        ours = newest is not None and value is not None and value.session == self._session
        if ours and newest is not None and speaker_of(newest.subject) == self.owner:
            self._sequence = newest.sequence
            if await self._write(_Value(session=self._session, token=self.token)):
                return True
        self._lost()
        return False

    async def release(self) -> None:
        """Give it back at once, if we hold it; nothing happens when somebody else does already."""
        if self.token == 0:
            return
        expect = Expect(self._sequence, self._all)
        self._lost()
        try:
            await self._link.post(self._own, b"", {"KV-Operation": "DEL"}, expect=expect, timeout=self.ttl / 2)
        except StaleError:
            return

    async def holder(self) -> Holder | None:
        """Who holds the role; None when it is free."""
        newest = await self._newest()
        value = _value(newest)
        if newest is None or value is None:
            return None
        owner = speaker_of(newest.subject)
        return Holder(role=self.role, owner=owner, token=value.token or newest.sequence, renewed=newest.time)

    async def _newest(self) -> Stored | None:
        found = await self._link.last(self._stream, [self._all])
        return found[-1] if found else None

    async def _write(self, value: _Value) -> bool:
        began = self._clock()
        headers = {MESSAGE_ID: f"l-{secrets.token_hex(10)}"}
        try:
            receipt = await self._link.post(
                self._own,
                json.encode(value),
                headers,
                expect=Expect(self._sequence, self._all),
                timeout=self.ttl / 2,
            )
        except StaleError:
            return False
        self._sequence = receipt.sequence
        self._until = began + self.ttl * CAUTION
        return True

    def _await(self, newest: Stored) -> None:
        if newest.sequence != self._seen:
            self._seen, self._free = newest.sequence, self._looked + self.ttl
        self._looked = self._clock()
        self._lost()

    def _lost(self) -> None:
        self._until, self.token = -math.inf, 0


async def holders(link: Link, fleet: str) -> list[Holder]:
    """Who holds which role now, by role. The server forgets a lease `LEASE_TTL` seconds after it was renewed."""
    newest: dict[str, Stored] = {}
    for message in await link.last(bucket_stream(fleet, "leases"), [bucket_subject(fleet, "leases", "*", "*")]):
        newest[message.subject.split(".")[-2]] = message  # in stream order, so the last one of a role counts
    found = []
    for role, message in sorted(newest.items()):
        if (value := _value(message)) is not None:
            owner, number = speaker_of(message.subject), value.token or message.sequence
            found.append(Holder(role=role, owner=owner, token=number, renewed=message.time))
    return found


def _value(message: Stored | None) -> _Value | None:
    """None when the role is free: never taken, or given back. Garbage counts as held until it expires."""
    if message is None or "KV-Operation" in message.headers:
        return None
    try:
        return json.decode(message.data, type=_Value)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError):
        return _Value(session="?")
