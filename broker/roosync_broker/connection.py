"""One member's connection, for as long as it takes: a new wire whenever the old one is gone.

Requests of every kind find their replies by the reply's subject, so a lost connection or a refused permission
ends exactly the calls it concerns, at once, with a clear error. Subscriptions outlive wires.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any

from nats import errors as nats_errors
from nats.aio.msg import Msg

from roosync_broker import replies
from roosync_broker.errors import (
    BusError,
    ClosedError,
    NobodyListensError,
    OursError,
    RefusedError,
    UnavailableError,
)
from roosync_broker.keys import KeyPair
from roosync_broker.link import AWAY, Announcer, ErrorReport
from roosync_broker.permissions import REPLIES, inbox
from roosync_broker.tasks import end
from roosync_broker.wire import Take, Wire, dial, discard

log = logging.getLogger("roosync.bus")

# Seconds between two attempts to connect: they double, up to a bound, and each is shortened by chance. To knock where
# nobody is costs the broker nothing, and it is found soon when it is back; one that is there and does not take us, or
# does not keep us, has its reasons, and perhaps too much to do.
FIRST_DELAY = 0.5
LONGEST_DELAYS: tuple[tuple[type[BusError], float], ...] = (
    (NobodyListensError, 1.0),  # on this computer
    (UnavailableError, 3.0),
    (BusError, 20.0),
)
STARTING = 5.0  # seconds in which a broker of this computer that is not there yet, or again, is no trouble
STEADY = 5.0  # seconds a connection has to last before the next attempt may be quick again
ASK_EVERY, ASK_TIMEOUT = 15.0, 10.0  # seconds: how a socket is found dead that nobody closed
GONE = (nats_errors.Error, OSError, TimeoutError)  # what a wire raises when it is no longer one


class Connection:
    def __init__(
        self,
        url: str | Callable[[], str],
        keys: KeyPair,
        *,
        name: str,
        certificate: str | None,
        plain: bool,
        keyless: bool = False,
        report: ErrorReport | None,
    ) -> None:
        self.name = name
        self.wire: Wire | None = None
        self.closed = False
        self.report: ErrorReport = report or (lambda error: log.warning("%s: %s", name, error))
        self.announcer = Announcer(self.report)
        self._url, self._keys, self._certificate, self._plain = url, keys, certificate, plain
        self._keyless = keyless
        self._inbox = ""
        self._numbers = count(1)
        self._asking: dict[str, Asking] = {}
        self._listening: set[Listening] = set()
        self._refused: set[str] = set()  # subjects, in lower case, that we may not listen to
        self._changed = asyncio.Condition()
        self._problem: BusError | None = None
        self._failures = 0  # attempts to connect, one after the other, that failed
        self._task: asyncio.Task[None] | None = None
        self._since = 0.0  # the loop's time at which there was no connection any more

    @property
    def connected(self) -> bool:
        return self.wire is not None and self.wire.is_connected

    @property
    def problem(self) -> BusError | None:
        """Why there is no connection; None while there is one."""
        return None if self.connected else self._problem

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._task = loop.create_task(self._stay_connected(), name=f"link of {self.name}")

    async def ready(self, timeout: float, *, patient: bool = True) -> Wire:
        """The wire, when there is one within `timeout` seconds; a refused key is told at once.

        Not `patient`: so is that nothing listens. Of several addresses all have to have been tried: one node of a
        cluster may be down, or behind with the law.
        """
        hopeless: tuple[type[BusError], ...] = (RefusedError, OursError, ClosedError)
        if not patient:
            hopeless = (*hopeless, NobodyListensError)
        if self.closed:
            raise ClosedError("this link is closed")
        if self.wire is not None and self.wire.is_connected:
            return self.wire
        try:
            async with asyncio.timeout(timeout), self._changed:
                while self.wire is None or not self.wire.is_connected:
                    if isinstance(self._problem, hopeless) and self._failures >= len(self._urls()):
                        raise type(self._problem)(str(self._problem))
                    await self._changed.wait()
                return self.wire
        except TimeoutError:
            if self._problem is not None:
                raise UnavailableError(str(self._problem)) from None
            where = ", ".join(self._urls())
            silent = f"the broker at {where} did not answer in time: it hangs, or the way to it is cut"
            raise UnavailableError(f"{silent}; `roosync doctor` tells more") from None

    async def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self._task is not None:
            await end([self._task])
        await self.announcer.close()
        for listening in list(self._listening):
            await listening.close()
        wire = self.wire
        self._end_asking(ClosedError("this link is closed"))
        if wire is not None:
            with contextlib.suppress(*GONE):  # drain() can hang; this is all that what was sent needs
                await wire.settle(2)
            await discard(wire)
        await self._tell(None, ClosedError("this link is closed"))

    # -- asking

    @contextlib.asynccontextmanager
    async def ask(
        self, asking: "Asking", data: bytes, headers: dict[str, str] | None, timeout: float
    ) -> AsyncIterator[Callable[[], Awaitable[Msg]]]:
        """Publish with a reply address; gives a function that waits for the next reply. `timeout` is for all of it.

        An outage is waited for once, not by each call anew: UnavailableError when it lasts longer than `AWAY`.
        """
        address, unlisten = "", None
        try:
            async with asyncio.timeout(timeout):
                left = self._since + AWAY - asyncio.get_running_loop().time()
                wire = await self.ready(min(timeout, max(left, 0.0)))
                address = self._reply_address(asking)
                self._asking[address] = asking
                if asking.pulls:
                    sid = await wire.listen(address, asking.queue.put_nowait)
                    unlisten = partial(wire.unlisten, sid)
                await wire.publish(asking.subject, data, reply=address, headers=headers)
                yield asking.next
        except TimeoutError:
            several = len(self._urls()) > 1
            hint = "do more than half of the cluster's nodes run?" if several else "is `roosync up` running there?"
            raise UnavailableError(
                f"the broker gave no answer within {timeout:g} s about {asking.subject}; {hint}"
            ) from None
        except (nats_errors.MaxPayloadError, nats_errors.BadSubjectError, nats_errors.BadHeaderError) as error:
            raise OursError(f"{asking.subject!r} with {len(data)} bytes can not be posted: {error!r}") from None
        except (nats_errors.Error, OSError) as error:
            raise UnavailableError(f"the connection was lost while asking about {asking.subject!r}: {error}") from None
        finally:
            self._asking.pop(address, None)
            if unlisten is not None:
                with contextlib.suppress(*GONE):
                    await unlisten()

    def _reply_address(self, asking: "Asking") -> str:
        if asking.by_member:  # who answers learns the address, and could answer for the server if it were the same
            return f"{inbox(self.name)}.{REPLIES}.{secrets.token_hex(12)}"
        if asking.pulls:
            return f"{inbox(self.name)}.pull.{secrets.token_hex(12)}"
        return f"{self._inbox}.{next(self._numbers)}"

    def _replied(self, message: Msg) -> None:
        asking = self._asking.get(message.subject)
        if asking is not None:
            asking.queue.put_nowait(message)

    def _end_asking(self, error: BusError, subject: str | None = None) -> None:
        for asking in list(self._asking.values()):
            if subject is None or asking.subject.lower() == subject:
                asking.queue.put_nowait(error)

    # -- listening

    async def listen(self, subjects: tuple[str, ...], take: Take, end: Callable[[], Awaitable[None]]) -> "Listening":
        """Hear `subjects` on this wire and every later one. RefusedError when one of them is not permitted."""
        if self.closed:
            raise ClosedError("this link is closed")
        listening = Listening(self, subjects, take, end)
        self._listening.add(listening)
        wire = self.wire
        if wire is None or not wire.is_connected:
            return listening  # the next wire takes it along
        lowered = {subject.lower() for subject in subjects}
        self._refused -= lowered
        try:
            await listening.attach(wire)
            await wire.settle(ASK_TIMEOUT)
        except GONE:
            return listening
        if refused := [subject for subject in subjects if subject.lower() in self._refused]:
            await listening.close()
            told = f"the broker does not permit {self.name} to listen to {', '.join(sorted(refused))}"
            raise RefusedError(told, refused)
        return listening

    def forget(self, listening: "Listening") -> None:
        self._listening.discard(listening)

    # -- staying connected

    async def _stay_connected(self) -> None:
        rounds = short = 0  # `short`: connections one after the other that did not last
        attempts = random.randrange(len(self._urls()))  # noqa: S311 (the members of a fleet spread over a cluster)
        loop, told = asyncio.get_running_loop(), dict[str, str]()
        while True:
            urls = self._urls()
            url, lost = urls[attempts % len(urls)], asyncio.Event()
            try:
                wire = await self._dial(url, lost)
            except Exception as raised:  # noqa: BLE001 (nats-py raises several kinds, and a link never gives up)
                unexpected = f"the broker at {url} could not be reached ({type(raised).__name__}: {raised})"
                error = raised if isinstance(raised, BusError) else UnavailableError(unexpected)
                if str(error) != told.get(url) and not self._may_be_starting(error):
                    self.report(error)  # once, not with each attempt
                    told[url] = str(error)
                self._failures += 1
                await self._tell(None, error)
                rounds = self._failures // len(urls)
                longest = next(seconds for kind, seconds in LONGEST_DELAYS if isinstance(error, kind))
            else:
                began, self._failures = loop.time(), 0
                told.clear()
                await self._tell(wire, None)
                self.announcer.announce()
                await self._until_lost(wire, lost)
                await self._lose(wire)
                steady, longest = loop.time() - began > STEADY, LONGEST_DELAYS[-1][1]
                short = 0 if steady else short + 1
                rounds = short
            attempts += 1
            longest = min(longest, FIRST_DELAY * 2 ** min(rounds, 10))
            await asyncio.sleep(random.uniform(0.1, 1) * longest)  # noqa: S311 (a fleet must not knock all at once)

    def _may_be_starting(self, error: BusError) -> bool:
        """`up` starts the broker of this computer and who speaks to it at once: that one is later is no trouble yet."""
        return isinstance(error, NobodyListensError) and asyncio.get_running_loop().time() - self._since < STARTING

    def _urls(self) -> list[str]:
        text = self._url if isinstance(self._url, str) else self._url()
        return [part.strip() for part in text.split(",") if part.strip()] or ["nats://127.0.0.1:4222"]

    async def _dial(self, url: str, lost: asyncio.Event) -> Wire:
        async def closed() -> None:
            lost.set()

        wire = await dial(
            url,
            self._keys,
            name=self.name,
            certificate=self._certificate,
            plain=self._plain,
            keyless=self._keyless,
            on_error=self._on_error,
            on_closed=closed,
        )
        try:
            own = f"{inbox(self.name)}.{secrets.token_hex(16)}"
            await wire.listen(f"{own}.*", self._replied)
            await wire.listen(f"{inbox(self.name)}.{REPLIES}.*", self._replied)
            for listening in self._listening:
                await listening.attach(wire)
            await wire.settle(ASK_TIMEOUT)
        except BaseException as error:
            await discard(wire)
            if isinstance(error, GONE):
                raise UnavailableError(f"the broker at {url} went away while we said hello: {error}") from None
            raise
        self._inbox = own
        return wire

    async def _until_lost(self, wire: Wire, lost: asyncio.Event) -> None:
        """nats-py may stop reading without a word, and then answers a flush without asking: both are looked at."""
        waiting = asyncio.ensure_future(lost.wait())
        ends: list[asyncio.Future[Any]] = [task for task in (waiting, wire.reading) if task is not None]
        try:
            while True:
                done, _ = await asyncio.wait(ends, timeout=ASK_EVERY, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    return
                try:
                    await wire.settle(ASK_TIMEOUT)
                except GONE:
                    return
        finally:
            waiting.cancel()

    async def _lose(self, wire: Wire) -> None:
        error = UnavailableError("the connection to the broker was lost; it is being made again")
        await self._tell(None, error)
        self._end_asking(error)
        await discard(wire)

    async def _tell(self, wire: Wire | None, problem: BusError | None) -> None:
        async with self._changed:
            if wire is None and self.wire is not None:
                self._since = asyncio.get_running_loop().time()
            self.wire, self._problem = wire, problem
            self._changed.notify_all()

    async def _on_error(self, error: Exception) -> None:
        """What nats-py tells asynchronously. A permission violation is handed to whoever waits for it."""
        refusal = replies.refusal(str(error))
        if refusal is not None:
            verb, subject = refusal
            told = RefusedError(f"the broker does not permit {self.name} to {verb} {subject!r}; nothing was done")
            if verb == "listen to":
                self._refused.add(subject)
            self._end_asking(told, subject)
            self.report(told)
        elif not isinstance(error, GONE):
            self.report(error)


class Asking:
    """One call that waits for its reply, or for several; what ends it is put into the same queue."""

    def __init__(self, subject: str, *, by_member: bool = False, pulls: bool = False) -> None:
        self.subject = subject
        self.by_member = by_member
        self.pulls = pulls  # answers arrive with the subjects they were stored under: they need ears of their own
        self.queue: asyncio.Queue[Msg | BusError] = asyncio.Queue()

    async def next(self) -> Msg:
        reply = await self.queue.get()
        if isinstance(reply, BusError):
            raise reply
        return reply


class Listening:
    """A subscription that outlives wires. `end` stops what its messages are given to."""

    def __init__(
        self, connection: Connection, subjects: tuple[str, ...], take: Take, end: Callable[[], Awaitable[None]]
    ) -> None:
        self._connection, self._subjects, self._take, self._end = connection, subjects, take, end
        self._sids: list[int] = []

    async def attach(self, wire: Wire) -> None:
        self._sids = [await wire.listen(subject, self._take) for subject in self._subjects]

    async def close(self) -> None:
        self._connection.forget(self)
        sids, self._sids = self._sids, []
        wire = self._connection.wire
        if wire is not None and wire.is_connected and sids:
            with contextlib.suppress(*GONE):
                for sid in sids:
                    await wire.unlisten(sid)
                await wire.settle(2)  # the server knows it too when this returns
        await self._end()
