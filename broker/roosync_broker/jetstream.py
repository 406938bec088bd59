"""The link over a real NATS server with JetStream (3-bus). One connection at a time, for as long as it takes.

Requests of every kind share one inbox: a reply finds its asker by its subject, so a lost
connection or a refused permission ends exactly the calls it concerns, at once, with a clear error.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any

from msgspec import json
from nats import errors as nats_errors
from nats.aio.msg import Msg

from roosync_broker import replies
from roosync_broker.errors import (
    BusError,
    NoResponderError,
    OursError,
    RefusedError,
    SenderError,
    UnavailableError,
)
from roosync_broker.keys import KeyPair
from roosync_broker.link import (
    POST_TIMEOUT,
    Announcer,
    Answerer,
    Delivery,
    ErrorReport,
    Expect,
    Handler,
    Receipt,
    Stored,
)
from roosync_broker.permissions import REPLIES, inbox
from roosync_broker.wire import Wire, dial, discard

log = logging.getLogger("roosync.bus")

FIRST_DELAY, LONGEST_DELAY = 0.5, 20.0  # seconds between two attempts to connect
ASK_EVERY, ASK_TIMEOUT = 15.0, 10.0  # seconds: how a socket is found dead that nobody closed
PAGE, PAGE_BYTES = 512, 8 * 1024 * 1024  # messages and bytes of one answer of a direct get
FILTERS = 256  # subjects in one multi_last request; the server takes 1,024 and refuses more with 413
SERVED_AT_ONCE = 64


async def connect(
    url: str | Callable[[], str],
    keys: KeyPair,
    *,
    name: str,
    certificate: str | None = None,
    inbox_prefix: str | None = None,
    plain: bool = False,
    timeout: float | None = 10.0,
    on_error: ErrorReport | None = None,
) -> "JetStreamLink":
    """A link to the broker at `url` ("nats://host:port", several separated by commas) as the member `name`.

    A function in the place of `url` is asked before each attempt to connect.
    `certificate` is the pinned PEM, used when the server asks for TLS; `plain` permits clear text to another host.
    Waits `timeout` seconds for the first connection, then raises why there is none (RefusedError at once when the
    key is not accepted); with None it returns at once and goes on trying, for ever, as it does after every loss.
    """
    link = JetStreamLink(url, keys, name=name, certificate=certificate, inbox_prefix=inbox_prefix, plain=plain)
    if on_error:
        link.report = on_error
    link.start()
    if timeout is not None:
        try:
            await link.wait_connected(timeout)
        except BaseException:
            await link.close()
            raise
    return link


class JetStreamLink:
    """See `link.Link`. Made by `connect`."""

    def __init__(
        self,
        url: str | Callable[[], str],
        keys: KeyPair,
        *,
        name: str,
        certificate: str | None,
        inbox_prefix: str | None,
        plain: bool,
    ) -> None:
        self._url = url
        self._keys, self._name, self._certificate, self._plain = keys, name, certificate, plain
        self._inbox_prefix = inbox_prefix or inbox(name)
        self._wire: Wire | None = None
        self._inbox = ""
        self._tokens = count(1)
        self._asking: dict[str, _Asking] = {}
        self._follows: set[_Follow] = set()
        self._refused: set[str] = set()  # subjects, in lower case, refused while a subscription was being made
        self._changed = asyncio.Condition()
        self._problem: BusError | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.report: ErrorReport = lambda error: log.warning("%s: %s", name, error)
        self._announcer = Announcer(lambda error: self.report(error))

    @property
    def name(self) -> str:
        return self._name

    @property
    def connected(self) -> bool:
        return self._wire is not None and self._wire.is_connected

    @property
    def problem(self) -> BusError | None:
        """Why there is no connection; None while there is one."""
        return None if self.connected else self._problem

    @property
    def _urls(self) -> list[str]:
        text = self._url if isinstance(self._url, str) else self._url()
        return [part.strip() for part in text.split(",") if part.strip()]

    @property
    def server_id(self) -> str:
        """The id of the server this link is connected to, for requests to it under $SYS; "" while there is none."""
        return str(self._wire._server_info.get("server_id", "")) if self._wire is not None else ""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._stay_connected(), name=f"link of {self._name}")

    async def wait_connected(self, timeout: float) -> Wire:
        """The connection, when there is one within `timeout` seconds; a refused key is told at once."""
        wire = self._wire
        if wire is not None and wire.is_connected:
            return wire
        if self._closed:
            raise OursError("this link is closed")
        try:
            async with asyncio.timeout(timeout), self._changed:
                while self._wire is None:
                    if isinstance(self._problem, RefusedError | OursError):
                        raise self._problem.__class__(str(self._problem))
                    await self._changed.wait()
                return self._wire
        except TimeoutError:
            told = str(self._problem) if self._problem else f"no connection to {', '.join(self._urls)}"
            raise UnavailableError(told) from None

    # -- what the link is for

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
                f"no stream of the broker stores {subject!r} yet: it was just started, or its keeper is not running"
            ) from None
        return replies.receipt(reply.data, subject)

    async def read(self, stream: str, subject: str, after: int = 0) -> AsyncIterator[Stored]:
        more = True
        while more:
            ask = {"seq": after + 1, "next_by_subj": subject, "batch": PAGE, "max_bytes": PAGE_BYTES}
            page = await self._page(stream, ask)
            for message in page.messages:
                yield message
                after = message.sequence
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

    async def follow(self, subjects: str | Sequence[str], handler: Handler) -> "_Follow":
        names = (subjects,) if isinstance(subjects, str) else tuple(subjects)
        delivery = Delivery(handler, lambda error: self.report(error), self._announcer.announce)

        def take(message: Msg) -> None:
            if not message.subject.startswith("roosync."):
                delivery.put(replies.core(message))
            elif (found := replies.fact(message)) is not None:
                delivery.put(found)
            else:
                self.report(SenderError(f"what came on {message.subject!r} is no fact; somebody sent it there"))

        return await self._begin(_Follow(self, names, take, delivery.close))

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        return (await self._ask(subject, data, None, timeout)).data

    async def serve(self, subject: str, answer: Answerer) -> "_Follow":
        serving = _Serving(self, answer)
        return await self._begin(_Follow(self, (subject,), serving.take, serving.close))

    def on_connected(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        self._announcer.add(callback, now=self.connected)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._announcer.close()
        for follow in list(self._follows):
            await follow.close()
        wire, self._wire = self._wire, None
        self._end_asking(UnavailableError("the link was closed"))
        if wire is not None:
            with contextlib.suppress(Exception):  # drain() can hang; a flush is all that posts and replies need
                async with asyncio.timeout(2):
                    await wire.flush()
            await discard(wire)
        async with self._changed:
            self._problem = OursError("this link is closed")
            self._changed.notify_all()

    # -- asking

    async def _ask(self, subject: str, data: bytes, headers: dict[str, str] | None, timeout: float) -> Msg:
        asking = _Asking(subject, by_member=subject.startswith("roosync-rpc."))
        async with self._asked(asking, data, headers, timeout) as reply:
            message = await reply()
        if (message.headers or {}).get("Status") == "503":
            raise NoResponderError(f"nobody answers on {subject!r} at this moment")
        return message

    async def _page(self, stream: str, ask: dict[str, Any]) -> replies.Page:
        asking = _Asking(f"$JS.API.DIRECT.GET.{stream}")
        messages: list[Stored] = []
        async with self._asked(asking, json.encode(ask), None, POST_TIMEOUT) as reply:
            while True:
                message = await reply()
                status = (message.headers or {}).get("Status", "")
                if not status:
                    messages.append(replies.stored(message))
                elif status in ("204", "404"):
                    return replies.end_of_page(messages, message)
                elif status == "413":
                    raise _TooManyError
                elif status == "503":
                    raise NoResponderError(f"the broker has no stream {stream!r} yet; its keeper makes it")
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

    @contextlib.asynccontextmanager
    async def _asked(
        self, asking: "_Asking", data: bytes, headers: dict[str, str] | None, timeout: float
    ) -> AsyncIterator[Callable[[], Awaitable[Msg]]]:
        """Publish with a reply address; gives a function that waits for the next reply. `timeout` is for all of it."""
        address = ""
        try:
            async with asyncio.timeout(timeout):
                wire = await self.wait_connected(timeout)
                address = self._reply_address(asking)
                self._asking[address] = asking
                await wire.publish(asking.subject, data, reply=address, headers=headers)
                yield asking.next
        except TimeoutError:
            raise UnavailableError(f"no answer about {asking.subject!r} within {timeout:g} s") from None
        except (nats_errors.MaxPayloadError, nats_errors.BadSubjectError, nats_errors.BadHeaderError) as error:
            raise OursError(f"{asking.subject!r} with {len(data)} bytes can not be posted: {error!r}") from None
        except (nats_errors.Error, OSError) as error:
            raise UnavailableError(f"the connection was lost while asking about {asking.subject!r}: {error}") from None
        finally:
            self._asking.pop(address, None)

    def _reply_address(self, asking: "_Asking") -> str:
        if asking.by_member:  # who answers learns the address, and could answer for the server if it were the same
            return f"{self._inbox_prefix}.{REPLIES}.{secrets.token_hex(12)}"
        return f"{self._inbox}.{next(self._tokens)}"

    async def _replied(self, message: Msg) -> None:
        asking = self._asking.get(message.subject)
        if asking is not None:
            asking.queue.put_nowait(message)

    def _end_asking(self, error: BusError, subject: str | None = None) -> None:
        for asking in list(self._asking.values()):
            if subject is None or asking.subject.lower() == subject:
                asking.queue.put_nowait(error)

    # -- staying connected

    async def _stay_connected(self) -> None:
        failures, attempts = 0, 0
        while True:
            lost = asyncio.Event()
            urls = self._urls
            url = urls[attempts % len(urls)] if urls else ""
            attempts += 1
            try:
                wire = await self._dial(url, lost)
            except BusError as error:
                if str(error) != str(self._problem):
                    self.report(error)  # once, not with each attempt
                await self._tell(None, error)
                failures += 1
            else:
                began = asyncio.get_running_loop().time()
                await self._tell(wire, None)
                self._announcer.announce()
                try:
                    await self._until_lost(wire, lost)
                finally:
                    if not self._closed:  # close() takes leave in its own way
                        await self._lose(wire)
                failures = 0 if asyncio.get_running_loop().time() - began > 5 else failures + 1
            longest = min(LONGEST_DELAY, FIRST_DELAY * 2**failures)
            await asyncio.sleep(random.uniform(0.1, 1) * longest)  # noqa: S311 (jitter, so that a fleet does not knock at once)

    async def _dial(self, url: str, lost: asyncio.Event) -> Wire:
        async def closed() -> None:
            lost.set()

        wire = await dial(
            url,
            self._keys,
            name=self._name,
            inbox_prefix=self._inbox_prefix,
            certificate=self._certificate,
            plain=self._plain,
            on_error=self._on_error,
            on_closed=closed,
        )
        try:
            own = f"{self._inbox_prefix}.{secrets.token_hex(16)}"
            await wire.subscribe(f"{own}.*", cb=self._replied)
            await wire.subscribe(f"{self._inbox_prefix}.{REPLIES}.*", cb=self._replied)
            for follow in self._follows:
                await follow.attach(wire)
            await wire.flush(int(ASK_TIMEOUT))
        except (nats_errors.Error, OSError, TimeoutError) as error:
            await discard(wire)
            raise UnavailableError(f"the broker at {url} went away while we said hello: {error}") from None
        except BaseException:
            await discard(wire)
            raise
        self._inbox = own
        return wire

    async def _until_lost(self, wire: Wire, lost: asyncio.Event) -> None:
        while not lost.is_set():
            try:
                async with asyncio.timeout(ASK_EVERY):
                    await lost.wait()
            except TimeoutError:
                try:
                    await wire.flush(int(ASK_TIMEOUT))
                except (nats_errors.Error, OSError, TimeoutError):
                    return

    async def _lose(self, wire: Wire) -> None:
        error = UnavailableError("the connection to the broker was lost; it is being made again")
        await self._tell(None, error)
        self._end_asking(error)
        await discard(wire)

    async def _tell(self, wire: Wire | None, problem: BusError | None) -> None:
        async with self._changed:
            self._wire, self._problem = wire, problem
            self._changed.notify_all()

    async def _on_error(self, error: Exception) -> None:
        """What nats-py tells asynchronously. A permission violation is handed to whoever waits for it."""
        refusal = replies.refusal(str(error))
        if refusal is not None:
            verb, subject = refusal
            told = RefusedError(f"the broker does not permit {self._name} to {verb} {subject!r}; nothing was done")
            if verb == "listen to":
                self._refused.add(subject)
            self._end_asking(told, subject)
            self.report(told)
        elif isinstance(error, nats_errors.SlowConsumerError):
            self.report(UnavailableError("facts came faster than they were read; they are read again"))
            self._announcer.announce()

    async def _begin(self, follow: "_Follow") -> "_Follow":
        self._follows.add(follow)
        wire = self._wire
        if wire is None or not wire.is_connected:
            return follow  # it is attached with the next connection
        self._refused -= follow.lowered
        try:
            await follow.attach(wire)
            await wire.flush(int(ASK_TIMEOUT))  # the server has it, and a refusal has come, when this returns
        except (nats_errors.Error, OSError, TimeoutError):
            return follow
        if refused := sorted(self._refused & follow.lowered):
            await follow.close()
            raise RefusedError(f"the broker does not permit {self._name} to listen to {', '.join(refused)}")
        return follow

    def _forget(self, follow: "_Follow") -> Wire | None:
        self._follows.discard(follow)
        return self._wire


class _Asking:
    """One call that waits for its reply, or for several; what ends it is put into the same queue."""

    def __init__(self, subject: str, by_member: bool = False) -> None:
        self.subject = subject
        self.by_member = by_member
        self.queue: asyncio.Queue[Msg | BusError] = asyncio.Queue()

    async def next(self) -> Msg:
        reply = await self.queue.get()
        if isinstance(reply, BusError):
            raise reply
        return reply


class _Follow:
    """A subscription that outlives connections."""

    def __init__(
        self,
        link: JetStreamLink,
        subjects: tuple[str, ...],
        take: Callable[[Msg], None],
        end: Callable[[], Awaitable[None]],
    ) -> None:
        self._link, self._subjects, self._take, self._end = link, subjects, take, end
        self._sids: list[Any] = []

    @property
    def lowered(self) -> set[str]:
        return {subject.lower() for subject in self._subjects}

    async def attach(self, wire: Wire) -> None:
        async def take(message: Msg) -> None:
            self._take(message)

        self._sids = [await wire.subscribe(subject, cb=take) for subject in self._subjects]

    async def close(self) -> None:
        wire = self._link._forget(self)
        sids, self._sids = self._sids, []
        if wire is not None and wire.is_connected and sids:
            with contextlib.suppress(nats_errors.Error, OSError, TimeoutError):
                for sid in sids:
                    await sid.unsubscribe()
                await wire.flush(2)  # the server knows it too when this returns
        await self._end()


class _Serving:
    """Answers requests, several at once."""

    def __init__(self, link: JetStreamLink, answer: Answerer) -> None:
        self._link, self._answer = link, answer
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, message: Msg) -> None:
        if len(self._tasks) >= SERVED_AT_ONCE:
            self._link.report(UnavailableError(f"{SERVED_AT_ONCE} calls are being served; one more was left out"))
            return
        task = asyncio.get_running_loop().create_task(self._run(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, message: Msg) -> None:
        try:
            reply = await self._answer(replies.core(message))
            if message.reply.startswith("_INBOX."):  # nowhere else: we could be made to speak in a wrong place
                wire = await self._link.wait_connected(ASK_TIMEOUT)
                await wire.publish(message.reply, reply)
        except Exception as error:  # noqa: BLE001 (somebody else's code; the caller is left to its time-out)
            self._link.report(error)

    async def close(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class _TooManyError(BusError):
    """413: more subjects match than one answer may hold."""
