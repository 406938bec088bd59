"""The link over a real NATS server with JetStream (3-bus): the words of `link.Link` in the server's language.

Reading is by direct get, in batches, so agents need no consumer on the server, and none is permitted to them: only mail
is fetched out of a mailbox, a consumer that the keeper made.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import json
from nats import errors as nats_errors
from nats.aio.msg import Msg

from roosync_broker import replies
from roosync_broker.connection import ASK_TIMEOUT, Asking, Connection, Listening
from roosync_broker.errors import BusError, NoResponderError, OursError, SenderError, UnavailableError
from roosync_broker.keys import KeyPair
from roosync_broker.link import (
    POST_TIMEOUT,
    Answerer,
    Delivered,
    Delivery,
    ErrorReport,
    Expect,
    Handler,
    Receipt,
    Stored,
)
from roosync_broker.tasks import end

PAGE, PAGE_BYTES = 512, 8 * 1024 * 1024  # messages and bytes of one answer of a direct get
FILTERS = 256  # subjects in one multi_last request; the server takes 1,024 and refuses more with 413
SERVED_AT_ONCE = 64
GLANCES, GLANCE = 4, 0.1  # so often, and so many seconds apart, nobody may answer for a stream that was there
NEXT_LETTER = 2.0  # seconds: those of one batch come together
FETCH_TIMEOUT = 10.0  # seconds: what is not acknowledged is given out again, so a lost answer costs only time


async def connect(
    url: str | Callable[[], str],
    keys: KeyPair,
    *,
    name: str,
    certificate: str | None = None,
    plain: bool = False,
    keyless: bool = False,
    timeout: float | None = 10.0,
    patient: bool = True,
    on_error: ErrorReport | None = None,
) -> "JetStreamLink":
    """A link to the broker at `url` ("nats://host:port", several separated by commas) as the member `name`.

    A function in the place of `url` is asked before each attempt to connect. `certificate` is the pinned PEM, used
    when the server asks for TLS; `plain` permits clear text to another host, `keyless` a broker that asks nobody for
    a key (then nothing is enforced there, and only signatures protect).
    Waits `timeout` seconds for the first connection, then raises why there is none (RefusedError at once when the
    key is not accepted); with None it returns at once and goes on trying, for ever, as it does after every loss.
    Not `patient`: a port of this computer on which nothing listens (NobodyListensError) is told at once too.
    """
    connection = Connection(
        url, keys, name=name, certificate=certificate, plain=plain, keyless=keyless, report=on_error
    )
    connection.start()
    if timeout is not None:
        try:
            await connection.ready(timeout, patient=patient)
        except BaseException:
            await connection.close()
            raise
    return JetStreamLink(connection)


class JetStreamLink:
    """See `link.Link`. Made by `connect`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: set[str] = set()  # streams that answered a read

    @property
    def name(self) -> str:
        return self._connection.name

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def problem(self) -> BusError | None:
        """Why there is no connection; None while there is one."""
        return self._connection.problem

    @property
    def keyless(self) -> bool:
        wire = self._connection.wire
        return wire is not None and wire.keyless

    @property
    def server_id(self) -> str:
        """The id of the server this link is connected to, for requests to it under $SYS; "" while there is none."""
        wire = self._connection.wire
        return wire.server_id if wire is not None else ""

    async def wait_connected(self, timeout: float) -> None:
        """Returns when there is a connection. UnavailableError, or RefusedError at once, says why there is none."""
        await self._connection.ready(timeout)

    async def post(
        self,
        subject: str,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        expect: Expect | None = None,
        timeout: float = POST_TIMEOUT,
    ) -> Receipt:
        head = dict(headers or {})
        if expect is not None:
            head["Nats-Expected-Last-Subject-Sequence"] = str(expect.sequence)
            if expect.subject and expect.subject != subject:
                head["Nats-Expected-Last-Subject-Sequence-Subject"] = expect.subject
        try:
            reply = await self._ask(subject, data, head or None, timeout)
        except NoResponderError:
            raise NoResponderError(
                f"no stream of the broker stores {subject!r} now: it was just started, its keeper is not running, or "
                "it is a cluster of which not more than half of the nodes run"
            ) from None
        return replies.receipt(reply.data, subject)

    async def read(self, stream: str, subject: str, after: int = 0, most: int | None = None) -> AsyncIterator[Stored]:
        more, left = True, most
        while more and left != 0:
            batch = PAGE if left is None else min(PAGE, left)
            ask = {"seq": after + 1, "next_by_subj": subject, "batch": batch, "max_bytes": PAGE_BYTES}
            page = await self._page(stream, ask)
            for message in page.messages:
                yield message
                after = message.sequence
            left = None if left is None else left - len(page.messages)
            more = page.pending > 0 and bool(page.messages)

    async def last(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        found: dict[str, Stored] = {}
        for start in range(0, len(subjects), FILTERS):
            group = list(subjects[start : start + FILTERS])
            try:
                messages = await self._last_of(stream, group)
            except _TooManyError:  # wildcards that match more than 1,024 subjects: walk through all of it
                messages = [message for subject in group async for message in self.read(stream, subject)]
            for message in messages:
                if message.subject not in found or found[message.subject].sequence < message.sequence:
                    found[message.subject] = message
        return sorted(found.values(), key=lambda message: message.sequence)

    async def fetch(self, stream: str, box: str, limit: int) -> list[Delivered]:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{box}"
        found: list[Delivered] = []
        body = json.encode({"batch": limit, "no_wait": True})
        async with self._connection.ask(Asking(subject, pulls=True), body, None, FETCH_TIMEOUT) as reply:
            while len(found) < limit:
                try:
                    async with asyncio.timeout(NEXT_LETTER if found else None):
                        message = await reply()
                except TimeoutError:  # so many were given out that the others wait for acknowledgements
                    return found
                if (one := replies.delivered(message, stream, box)) is not None:
                    found.append(one)
                    continue
                status = (message.headers or {}).get("Status", "")
                if status == "503":
                    raise NoResponderError(f"{box} has no mailbox on the broker yet; its keeper makes it")
                if status:
                    return found
        return found

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        await asyncio.gather(*(self._ask(one.receipt, b"+ACK", None, FETCH_TIMEOUT) for one in delivered))

    async def follow(self, subjects: str | Sequence[str], handler: Handler) -> Listening:
        connection = self._connection
        names = (subjects,) if isinstance(subjects, str) else tuple(subjects)
        delivery = Delivery(handler, connection.report, connection.announcer.announce)
        facts_only = all(name.startswith("roosync.") for name in names)

        def take(message: Msg) -> None:
            # A member may have its own mail sent anywhere, and it arrives with the subject under which it is stored.
            if not message.subject.startswith("roosync.") and not facts_only:
                delivery.put(replies.core(message))
            elif (found := replies.fact(message)) is not None:
                delivery.put(found)
            else:
                connection.report(SenderError(f"what came on {message.subject!r} is no fact; somebody sent it there"))

        return await connection.listen(names, take, delivery.close)

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        return (await self._ask(subject, data, None, timeout)).data

    async def serve(self, subject: str, answer: Answerer) -> Listening:
        serving = _Serving(self._connection, answer)
        return await self._connection.listen((subject,), serving.take, serving.close)

    def on_connected(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        self._connection.announcer.add(callback, now=self.connected)

    async def close(self) -> None:
        await self._connection.close()

    async def _ask(self, subject: str, data: bytes, headers: dict[str, str] | None, timeout: float) -> Msg:
        asking = Asking(subject, by_member=subject.startswith("roosync-rpc."))
        async with self._connection.ask(asking, data, headers, timeout) as reply:
            message = await reply()
        if (message.headers or {}).get("Status") == "503":
            raise NoResponderError(f"nobody answers on {subject!r} at this moment")
        return message

    async def _page(self, stream: str, ask: dict[str, Any]) -> replies.Page:
        """A page of a stream. While the server reads its users anew, nobody answers for it for a moment."""
        for _ in range(GLANCES if stream in self._known else 0):
            with contextlib.suppress(NoResponderError):
                return await self._page_now(stream, ask)
            await asyncio.sleep(GLANCE)
        page = await self._page_now(stream, ask)
        self._known.add(stream)
        return page

    async def _page_now(self, stream: str, ask: dict[str, Any]) -> replies.Page:
        """One answer of a direct get: messages, then a status line that ends it."""
        messages: list[Stored] = []
        asking = Asking(f"$JS.API.DIRECT.GET.{stream}")
        async with self._connection.ask(asking, json.encode(ask), None, POST_TIMEOUT) as reply:
            while True:
                message = await reply()
                status = replies.status(message)
                if not status:
                    messages.append(replies.stored(message, stream))
                elif status in ("204", "404"):
                    return replies.end_of_page(messages, message)
                elif status == "413":
                    raise _TooManyError
                elif status == "503":
                    raise NoResponderError(
                        f"the broker has no stream {stream!r} yet; its keeper makes it. Or it is a cluster of which "
                        "not more than half of the nodes run"
                    )
                else:
                    told = (message.headers or {}).get("Description", "")
                    raise OursError(f"the broker did not understand a read of {stream}: {status} {told}")

    async def _last_of(self, stream: str, subjects: list[str]) -> list[Stored]:
        found: list[Stored] = []
        ask: dict[str, Any] = {"multi_last": subjects}
        while True:
            page = await self._page(stream, ask)
            found += page.messages
            if page.pending == 0 or not page.messages:
                return found
            ask |= {"seq": page.messages[-1].sequence + 1, "up_to_seq": page.up_to}


class _Serving:
    """Answers requests, several at once."""

    def __init__(self, connection: Connection, answer: Answerer) -> None:
        self._connection, self._answer = connection, answer
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, message: Msg) -> None:
        if len(self._tasks) >= SERVED_AT_ONCE:
            self._connection.report(UnavailableError(f"{SERVED_AT_ONCE} calls are being served; one was left out"))
            return
        task = asyncio.get_running_loop().create_task(self._run(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, message: Msg) -> None:
        try:
            reply = await self._answer(replies.core(message))
            if message.reply.startswith("_INBOX."):  # nowhere else: we could be made to speak in a wrong place
                wire = await self._connection.ready(ASK_TIMEOUT)
                await wire.publish(message.reply, reply)
        except nats_errors.Error as error:
            self._connection.report(UnavailableError(f"an answer was not sent: {error}"))
        except Exception as error:  # noqa: BLE001 (somebody else's code; the caller is left to its time-out)
            self._connection.report(error)

    async def close(self) -> None:
        await end(self._tasks)


class _TooManyError(BusError):
    """413: more subjects match than one answer may hold."""
