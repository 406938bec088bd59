"""The bus in memory, with a network between it and everybody: what is lost, doubled, late, repeated or forged.

Within one stream a listener hears the facts in their order, as over one connection; between streams it need not.
A post can be stored although its sender was told that nobody answered, at once or much later.
"""

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from msgspec.structs import replace

from roosync_broker.errors import BusError, UnavailableError
from roosync_broker.link import MESSAGE_ID, POST_TIMEOUT, Expect, Receipt, Stored
from roosync_broker.memory import MemoryBus, MemoryLink

STEP = 0.002  # seconds that a step on the network takes at least; more by chance


@dataclass
class Weather:
    """How likely each trouble is for one message; all of it zero when the faults have stopped."""

    lose: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    receipt: float = 0.0  # stored, and the sender is told that nobody answered
    late: float = 0.0  # the same, and it is stored seconds later only
    slow: float = 0.0  # a step on the network takes long


class Network(MemoryBus):
    """`watch` is told of each message that was stored, in order, with the stream's name."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: Random, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.loop, self.rng = loop, rng
        self.weather = Weather()
        self.faults: Counter[str] = Counter()
        self.watch: Callable[[str, Stored, Expect | None], None] = lambda stream, stored, expect: None
        self._backup: dict[str, Any] = {}
        self._heard: dict[tuple[str, str], float] = {}  # when a link hears the last of a stream

    def link(self, name: str, rights: object = None, report: object = None) -> "FaultyLink":
        made = FaultyLink(self, name, None, None)
        self.links.append(made)
        return made

    def store(self, subject: str, data: bytes, headers: Mapping[str, str], expect: Expect | None) -> Receipt:
        for stream in self.streams.values():
            if stream.takes(subject):
                receipt, message = stream.store(subject, data, headers, expect, self.clock())
                if message is not None:
                    self.watch(stream.name, message, expect)
                    if stream.republished:
                        self.spread(stream.name, "roosync." + subject.removeprefix("post."), message)
                return receipt
        raise UnavailableError(f"no stream stores {subject!r}")

    def spread(self, stream: str, subject: str, message: Stored) -> None:
        links: list[Any] = list(self.links)
        for link in links:
            if not link.connected:
                continue
            if self._falls(self.weather.lose, "fact lost"):
                continue
            times = 2 if self._falls(self.weather.double, "fact doubled") else 1
            for _ in range(times):
                wait = self.rng.uniform(0.1, 20.0) if self._falls(self.weather.delay, "fact delayed") else STEP
                due = max(self.loop.time() + wait, self._heard.get((link.name, stream), 0.0) + 1e-6)
                self._heard[link.name, stream] = due
                self.loop.call_at(
                    due, self._hear, link, link.times_dropped, subject, message, context=Context()
                )  # outlives the poster

    def repeat(self, message: Stored) -> None:
        """Somebody who holds the broker posts an old message once more, as it was signed."""
        for stream in self.streams.values():
            if stream.takes(message.subject):
                stream._ids.pop(message.headers.get(MESSAGE_ID, ""), None)
        self.force(message.subject, message.data, message.headers)

    def backup(self) -> None:
        """What the broker's disk holds now."""
        self._backup = {
            name: (OrderedDict(s.messages), s.last_sequence, {k: [*v] for k, v in s._subjects.items()}, s._bytes)
            for name, s in self.streams.items()
            if name.endswith(("-WORK", "-REPORTS", "-LAW"))
        }

    def put_back(self, *, law: bool = False) -> None:
        """The broker comes up with its backup: what was said since is gone, and the streams are made anew."""
        for name, (messages, last, subjects, size) in self._backup.items():
            if name.endswith("-LAW") and not law:
                continue
            stream = self.streams[name]
            stream.messages, stream.last_sequence, stream._subjects, stream._bytes = messages, last, subjects, size
            stream._ids = OrderedDict()
            stream.created = datetime.fromtimestamp(self.clock(), UTC)

    def force(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        try:
            self.store(subject, data, headers, None)
        except BusError:
            self.faults["refused by the stream"] += 1

    def _falls(self, likely: float, what: str) -> bool:
        if likely and self.rng.random() < likely:
            self.faults[what] += 1
            return True
        return False

    def _hear(self, link: Any, times_dropped: int, subject: str, message: Stored) -> None:
        if link.connected and link.times_dropped == times_dropped:  # what was under way is gone with the connection
            link.hear(subject, message)


class FaultyLink(MemoryLink):
    """A link whose every step takes time, and whose receipts may get lost."""

    _bus: Network
    times_dropped = 0

    def drop(self) -> None:
        self.times_dropped += 1
        super().drop()

    async def post(
        self,
        subject: str,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        expect: Expect | None = None,
        timeout: float = POST_TIMEOUT,
    ) -> Receipt:
        net = self._bus
        await self._pass("post on", subject)
        if net._falls(net.weather.late, "post stored late"):
            wait = net.rng.uniform(0.1, 25.0)
            net.loop.call_later(wait, self._later, subject, data, dict(headers or {}), expect, context=Context())
            await asyncio.sleep(timeout)
            raise UnavailableError(f"no answer about {subject!r} within {timeout:g} s")
        receipt = net.store(subject, data, headers or {}, expect)
        await self._takes_time()
        if net._falls(net.weather.receipt, "receipt lost") or not self._up:
            await asyncio.sleep(timeout)
            raise UnavailableError(f"no answer about {subject!r} within {timeout:g} s")
        return receipt

    async def last(self, stream: str, subjects: object) -> list[Stored]:
        found = await super().last(stream, subjects)  # type: ignore[arg-type]
        await self._takes_time()
        return found

    def _later(self, subject: str, data: bytes, headers: dict[str, str], expect: Expect | None) -> None:
        with contextlib.suppress(BusError):  # it lost its place meanwhile
            self._bus.store(subject, data, headers, expect)

    async def _pass(self, verb: str, subject: str) -> None:
        await self._takes_time()
        await super()._pass(verb, subject)

    async def _takes_time(self) -> None:
        net = self._bus
        long = net._falls(net.weather.slow, "slow step")
        await asyncio.sleep(net.rng.uniform(0.5, 20.0) if long else STEP)


def tampered(message: Stored, rng: Random) -> Stored:
    """The same with one byte changed."""
    at = rng.randrange(len(message.data))
    data = bytearray(message.data)
    data[at] ^= 1 << rng.randrange(7)
    return replace(message, data=bytes(data))
