"""The seam between the product and the bus: everything above speaks to a `Link`, never to NATS.

Two implementations are held to one contract (tests/broker/test_link_contract.py): `jetstream` for a
real server and `memory` for simulations. The words are few on purpose: post, read, last, follow, and
request/serve for calls that are not stored.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from roosync_broker.errors import OursError, UnavailableError
from roosync_broker.tasks import end

MESSAGE_ID = "Nats-Msg-Id"  # the server forgets a second post with the same id within the stream's window
POST_TIMEOUT = 12.0  # seconds: longer than a change of leader in a cluster takes (3-bus, "Durability")
# Seconds for one try, and after the first in which there is another. What the leader of a cluster took with it when it
# died is never answered; the next leads after some 5 s, and the message id tells it what is stored already.
TRY_TIMEOUT, TRY_FOR = 5.0, 12.0
ATTEMPTS = 10
AWAY = 3.0  # seconds of an outage for which calls wait; after them each call says at once that the broker is away
# What the server adds to a message when it gives it out; it travels in the fields of Stored.
SERVERS_HEADERS = frozenset(
    {"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Last-Sequence", "Nats-Num-Pending"}
)
BACKLOG = 65_536  # facts that may wait for a handler before some are lost, and everything is read again


class Stored(Struct, frozen=True, kw_only=True):
    """One message as the stream holds it. A fact and the same message read later are equal."""

    subject: str  # of the post, also when it came as a fact; of the delivery when no stream was involved
    sequence: int  # in the stream, from 1; 0 for what is not stored
    data: bytes
    headers: dict[str, str] = {}  # the poster's headers; what the server added is in the fields
    time: datetime | None = None  # when the server stored it (UTC)
    stream: str = ""


class Receipt(Struct, frozen=True):
    sequence: int
    duplicate: bool = False  # the same message id had been stored before: that one counts


class Expect(Struct, frozen=True):
    """Compare-and-swap: store only if the last message on `subject` (may hold wildcards) has this sequence.

    0 means that there is none. `subject` "" is the posted subject itself.
    """

    sequence: int
    subject: str = ""


class Delivered(Struct, frozen=True):
    """A message out of one's own mailbox, given out again until it is acknowledged."""

    stored: Stored
    receipt: str  # what `acknowledge` needs


Handler = Callable[[Stored], Awaitable[None] | None]
Answerer = Callable[[Stored], Awaitable[bytes]]
ErrorReport = Callable[[Exception], None]


class Subscription(Protocol):
    async def close(self) -> None:
        """No handler runs when this returns. Idempotent."""


class Link(Protocol):
    """A connection of one member. Every method raises BusError only (see `errors`)."""

    @property
    def name(self) -> str: ...

    @property
    def connected(self) -> bool: ...

    @property
    def keyless(self) -> bool:
        """The broker asks nobody for a key, so nobody is kept from reading or posting anything."""

    async def post(
        self,
        subject: str,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        expect: Expect | None = None,
        timeout: float = POST_TIMEOUT,
    ) -> Receipt:
        """Store a message; returns when it is on the server's disk.

        While there is no connection it waits for one, all calls together not beyond `AWAY` seconds of the outage.
        StaleError, RefusedError, FullError, UnavailableError (then the message may still be stored: retry with
        the same `Nats-Msg-Id` header, and after a StaleError on a retry read again, it may be one's own).
        """

    def read(self, stream: str, subject: str, after: int = 0, most: int | None = None) -> AsyncIterator[Stored]:
        """Every stored message on `subject` (wildcards allowed) beyond sequence `after`, in stream order.

        `most`: no more of them than this.
        """

    async def last(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        """The last message of each subject that matches, in stream order. What was never posted is missing."""

    async def fetch(self, stream: str, box: str, limit: int) -> list[Delivered]:
        """The next messages of a mailbox (see `mailboxes`), at most `limit`, without waiting for new ones.

        NoResponderError when there is no such mailbox yet: the keeper makes it.
        """

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        """They are safe with us: the broker gives them out no more. When this fails it does, so know them again."""

    async def follow(self, subjects: str | Sequence[str], handler: Handler) -> Subscription:
        """Call `handler` with each fact from now on, one at a time, in the order of arrival.

        An exception in it is reported and the next fact is handled. Facts that pass while the link is away are
        missed: read again in an `on_connected` callback. RefusedError names the subjects that are not permitted;
        then nothing is followed.
        """

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        """Ask whoever serves `subject` now. NoResponderError when nobody does."""

    async def serve(self, subject: str, answer: Answerer) -> Subscription:
        """Answer requests. When `answer` raises, the caller is left to its time-out and the error is reported."""

    def on_connected(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        """Call after each reconnection, and after facts were lost: what was known must be read again.

        When the link is connected at this moment the callback is also called once, soon.
        """

    async def close(self) -> None:
        """Leave within a few seconds, whatever the state of the bus. Idempotent."""


class Delivery:
    """One subscriber's queue and its task: handlers run in order, outside the connection's own tasks.

    A connection that goes away cancels its tasks; a handler that is applying something must not be among them.
    """

    def __init__(self, handler: Handler, report: ErrorReport, overflow: Callable[[], None]) -> None:
        self._handler = handler
        self._report = report
        self._overflow = overflow
        self._queue: asyncio.Queue[Stored] = asyncio.Queue(BACKLOG)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def put(self, message: Stored) -> None:
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            while not self._queue.empty():  # all of it will be read again
                self._queue.get_nowait()
            self._report(UnavailableError(f"more than {BACKLOG} facts waited; they are dropped and read again"))
            self._overflow()

    async def close(self) -> None:
        if self._task is asyncio.current_task():
            self._task.cancel()
        await end([self._task])

    async def _run(self) -> None:
        while True:
            await guarded(self._handler, await self._queue.get(), self._report)


async def guarded(handler: Handler, message: Stored, report: ErrorReport) -> None:
    """Run a handler so that nothing but a cancellation gets out of it."""
    try:
        result = handler(message)
        if result is not None:
            await result
    except Exception as error:  # noqa: BLE001 (somebody else's code; it is reported and the loop goes on)
        report(error)


async def post_until_stored(
    link: Link,
    subject: str,
    data: bytes,
    headers: Mapping[str, str],
    *,
    expect: Expect | None = None,
    attempts: int = ATTEMPTS,
) -> Receipt:
    """Post, and post again with the same message id while the bus is unavailable.

    UnavailableError after so many attempts, or TRY_FOR seconds, and before that when there was no connection for all of
    one attempt: what waits for the broker waits without a lock in its hand, until `on_connected`.
    """
    if MESSAGE_ID not in headers:
        raise OursError("a message without Nats-Msg-Id can not be retried: give it one id per intent")
    loop = asyncio.get_running_loop()
    until = loop.time() + TRY_FOR
    for attempt in range(1, attempts + 1):
        away = not link.connected
        try:
            return await link.post(subject, data, headers, expect=expect, timeout=TRY_TIMEOUT)
        except UnavailableError:
            if attempt == attempts or loop.time() > until or (away and not link.connected):
                raise
            await asyncio.sleep(min(0.5 * 2**attempt, 2))
    raise AssertionError("unreachable")


class Announcer:
    """Runs the `on_connected` callbacks, in their order, one round at a time."""

    def __init__(self, report: ErrorReport) -> None:
        self._report = report
        self._callbacks: list[Callable[[], Awaitable[None] | None]] = []
        self._due: list[Callable[[], Awaitable[None] | None]] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, callback: Callable[[], Awaitable[None] | None], now: bool) -> None:
        self._callbacks.append(callback)
        if now:
            self._wake([callback])

    def announce(self) -> None:
        self._wake(self._callbacks)

    def _wake(self, callbacks: list[Callable[[], Awaitable[None] | None]]) -> None:
        self._due += [callback for callback in callbacks if callback not in self._due]
        if self._due and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._due:
            callback = self._due.pop(0)
            try:
                result = callback()
                if result is not None:
                    await result
            except Exception as error:  # noqa: BLE001 (somebody else's code; it is reported)
                self._report(error)

    async def close(self) -> None:
        self._callbacks.clear()
        self._due.clear()
        if self._task is not None:
            await end([self._task])
