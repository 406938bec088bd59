"""The in-memory twin of the bus, for simulations and fast tests: same words, same rules, no server.

    bus = MemoryBus(clock=world.now)
    await topology.ensure(bus.link("keeper"), "home")
    a = bus.link("a", rights=permissions.member("home", "a", key))   # without rights: everything is permitted
    a.drop(); a.restore()                                            # the network, as the test wants it

Held to the same contract tests as `jetstream` (tests/broker/test_link_contract.py).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import json

from roosync_broker.errors import ClosedError, NoResponderError, OursError, RefusedError, UnavailableError
from roosync_broker.link import (
    POST_TIMEOUT,
    Announcer,
    Answerer,
    Delivered,
    Delivery,
    ErrorReport,
    Expect,
    Handler,
    Receipt,
    Stored,
)
from roosync_broker.memory_boxes import MemoryBox, MemoryBoxes
from roosync_broker.memory_stream import MemoryStream
from roosync_broker.permissions import Rights, matches

MAX_PAYLOAD = 1024 * 1024


class MemoryBus:
    """The server's side. `clock` gives seconds since the epoch; streams are made through `topology.ensure`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.streams: dict[str, MemoryStream] = {}
        self.links: list[MemoryLink] = []
        self.mail = MemoryBoxes()

    def link(self, name: str, rights: Rights | None = None, report: ErrorReport | None = None) -> "MemoryLink":
        made = MemoryLink(self, name, rights, report)
        self.links.append(made)
        return made

    def store(self, subject: str, data: bytes, headers: Mapping[str, str], expect: Expect | None) -> Receipt:
        for stream in self.streams.values():
            if stream.takes(subject):
                receipt, message = stream.store(subject, data, headers, expect, self.clock())
                if message is not None and stream.republished:
                    self.deliver("roosync." + subject.removeprefix("post."), message)
                return receipt
        raise NoResponderError(f"no stream of the broker stores {subject!r} yet")

    def deliver(self, subject: str, message: Stored) -> None:
        for link in self.links:
            if link.connected:
                link.hear(subject, message)

    def administer(self, verb: str, name: str, data: bytes) -> dict[str, Any]:
        """The part of $JS.API.STREAM that `topology` uses."""
        if verb in ("CREATE", "UPDATE"):
            configuration = json.decode(data)
            if name in self.streams:
                self.streams[name].configure(configuration)
            else:
                self.streams[name] = MemoryStream(configuration, self.clock())
        if name not in self.streams:
            return {"error": {"code": 404, "err_code": 10059, "description": "stream not found"}}
        stream = self.streams[name]
        created, state = (
            stream.created.isoformat(),
            {"num_subjects": stream.count(self.clock()), "last_seq": stream.last_sequence},
        )
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat()
        return {"config": stream.configuration, "created": created, "state": state, "ts": now}


class MemoryLink:
    """See `link.Link`."""

    def __init__(self, bus: MemoryBus, name: str, rights: Rights | None, report: ErrorReport | None) -> None:
        self._bus, self._name, self.rights = bus, name, rights
        self.errors: list[Exception] = []  # what was reported, for tests
        self._given_report = report
        self._up, self._closed = True, False
        self._hearing: list[_Hearing] = []
        self._serving: list[_Serving] = []
        self._announcer = Announcer(self.report)
        self.lose_receipts = 0  # so many of the next posts are stored, but their receipts get lost

    @property
    def name(self) -> str:
        return self._name

    @property
    def connected(self) -> bool:
        return self._up and not self._closed

    @property
    def keyless(self) -> bool:
        return False

    def drop(self) -> None:
        """The network goes away, for this link."""
        self._up = False

    def restore(self) -> None:
        if not self._up:
            self._up = True
            self._announcer.announce()

    def report(self, error: Exception) -> None:
        self.errors.append(error)
        if self._given_report:
            self._given_report(error)

    async def post(
        self,
        subject: str,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        expect: Expect | None = None,
        timeout: float = POST_TIMEOUT,
    ) -> Receipt:
        await self._pass("post on", subject)
        if len(data) > MAX_PAYLOAD:
            raise OursError(f"{subject!r} with {len(data)} bytes can not be posted: more than the broker takes")
        receipt = self._bus.store(subject, data, headers or {}, expect)
        await asyncio.sleep(0)
        if self.lose_receipts:
            self.lose_receipts -= 1
            raise UnavailableError(f"no answer about {subject!r} within {timeout:g} s")
        return receipt

    async def read(self, stream: str, subject: str, after: int = 0, most: int | None = None) -> AsyncIterator[Stored]:
        await self._pass("post on", f"$JS.API.DIRECT.GET.{stream}")
        for message in list(self._stream(stream).read(subject, after, self._now))[:most]:
            yield message

    async def last(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        await self._pass("post on", f"$JS.API.DIRECT.GET.{stream}")
        return self._stream(stream).last(list(subjects), self._now)

    async def fetch(self, stream: str, box: str, limit: int) -> list[Delivered]:
        await self._pass("post on", f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{box}")
        return self._box(stream, box).fetch(limit, self._now)

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        for one in delivered:
            stream, box = one.stored.stream, one.stored.subject.split(".")[3]
            await self._pass("post on", f"$JS.ACK.{stream}.{box}.{one.receipt}")
            self._box(stream, box).acknowledge(one.receipt)

    async def follow(self, subjects: str | Sequence[str], handler: Handler) -> "_Hearing":
        names = [subjects] if isinstance(subjects, str) else list(subjects)
        refused = [name for name in names if self._up and not await self._permitted(name)]
        if refused:
            told = f"the broker does not permit {self._name} to listen to {', '.join(sorted(refused))}"
            raise RefusedError(told, refused)
        hearing = _Hearing(self, names, Delivery(handler, self.report, self._announcer.announce))
        self._hearing.append(hearing)
        return hearing

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        await self._pass("post on", subject)
        if subject.startswith("$JS.API.STREAM."):
            _, _, _, verb, name = subject.split(".", 4)
            return json.encode(self._bus.administer(verb, name, data))
        if subject.startswith("$JS.API.CONSUMER."):
            _, _, _, verb, rest = subject.split(".", 4)
            return json.encode(self._bus.mail.administer(verb, rest, data, self._bus.streams))
        for link in self._bus.links:
            if link.connected and (serving := link.server_of(subject)) is not None:
                try:
                    async with asyncio.timeout(timeout):
                        return await serving.answer(Stored(subject=subject, sequence=0, data=data))
                except TimeoutError:
                    break
                except Exception as error:  # noqa: BLE001 (the other side's code, as over a real bus)
                    link.report(error)
                    raise UnavailableError(f"no answer about {subject!r} within {timeout:g} s") from None
        else:
            raise NoResponderError(f"nobody answers on {subject!r} at this moment")
        raise UnavailableError(f"no answer about {subject!r} within {timeout:g} s")

    async def serve(self, subject: str, answer: Answerer) -> "_Serving":
        if self._up:
            await self._pass("listen to", subject)
        serving = _Serving(self, subject, answer)
        self._serving.append(serving)
        return serving

    def on_connected(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        self._announcer.add(callback, now=self.connected)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._bus.links.remove(self)
        await self._announcer.close()
        for hearing in list(self._hearing):
            await hearing.close()
        self._serving.clear()

    # -- the bus calls these

    def hear(self, subject: str, message: Stored) -> None:
        if self.rights is not None and any(matches(pattern, subject) for pattern in self.rights.unheard):
            return
        for hearing in self._hearing:
            hearing.take(subject, message)

    def server_of(self, subject: str) -> "_Serving | None":
        return next((serving for serving in self._serving if matches(serving.subject, subject)), None)

    def forget(self, one: "_Hearing | _Serving") -> None:
        self._hearing = [hearing for hearing in self._hearing if hearing is not one]
        self._serving = [serving for serving in self._serving if serving is not one]

    @property
    def _now(self) -> float:
        return self._bus.clock()

    async def _pass(self, verb: str, subject: str) -> None:
        """A step on the network: others may run, the link may be down, the broker may refuse."""
        await asyncio.sleep(0)
        if self._closed:
            raise ClosedError("this link is closed")
        if not self._up:
            raise UnavailableError(f"{self._name} has no connection to the broker")
        if self.rights is None:
            return
        allowed = self.rights.publish if verb == "post on" else self.rights.subscribe
        denied = self.rights.unheard if verb == "listen to" else ()
        if not any(matches(p, subject) for p in allowed) or any(matches(p, subject) for p in denied):
            refusal = RefusedError(f"the broker does not permit {self._name} to {verb} {subject!r}; nothing was done")
            self.report(refusal)
            raise refusal

    async def _permitted(self, subject: str) -> bool:
        try:
            await self._pass("listen to", subject)
        except RefusedError:
            return False
        return True

    def _box(self, stream: str, box: str) -> MemoryBox:
        found = self._bus.mail.boxes.get((stream, box))
        if found is None:
            raise NoResponderError(f"{box} has no mailbox on the broker yet; its keeper makes it")
        return found

    def _stream(self, name: str) -> MemoryStream:
        if name not in self._bus.streams:
            raise NoResponderError(f"the broker has no stream {name!r} yet; its keeper makes it")
        return self._bus.streams[name]


class _Hearing:
    def __init__(self, link: MemoryLink, subjects: list[str], delivery: Delivery) -> None:
        self._link, self._subjects, self._delivery = link, subjects, delivery

    def take(self, subject: str, message: Stored) -> None:
        if any(matches(pattern, subject) for pattern in self._subjects):
            self._delivery.put(message)

    async def close(self) -> None:
        self._link.forget(self)
        await self._delivery.close()


class _Serving:
    def __init__(self, link: MemoryLink, subject: str, answer: Answerer) -> None:
        self._link, self.subject, self.answer = link, subject, answer

    async def close(self) -> None:
        self._link.forget(self)
