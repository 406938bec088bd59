"""The broker's housekeeper: makes the streams, and turns signed law into permissions (3-bus, "The keeper").

    keeper = Keeper(server, "home", root_key)      # server: EmbeddedServer, or ExternalBroker
    await keeper.start()                           # streams are there, permissions are those of the law
    await keeper.settled()                         # ... of the law as it stands on the bus now

It acts on the law it reads, never on the event that woke it; facts, reconnections and a slow clock only make
it look. The law it believed is kept beside the users file, so a broker restored from a backup does not bring
back a machine that was revoked.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker import mailboxes, topology
from roosync_broker.clearing import clear_records
from roosync_broker.errors import BusError, OursError, UnavailableError
from roosync_broker.jetstream import JetStreamLink, connect
from roosync_broker.keys import KeyPair, verify
from roosync_broker.link import Stored
from roosync_broker.permissions import rights, users_text
from roosync_broker.private_files import read_private, write_private
from roosync_broker.sweeper import sweep
from roosync_broker.tasks import end
from roosync_protocol import envelope
from roosync_protocol.law import Law, LawRefusedError, OlderLawError
from roosync_protocol.mail.addressing import members
from roosync_protocol.messages import MalformedError
from roosync_protocol.subjects import KINDS, Subjects

log = logging.getLogger("roosync.keeper")

SWEEP_EVERY = 6 * 3600.0  # seconds; the first time after as long
LOOK_EVERY = 60.0  # seconds; codes expire, and a look costs little
RELOAD_TIMEOUT = 10.0
BEHIND = 0.2  # seconds until a law that was heard of, and could not be read yet, is read again
MAX_LAW = 512 * 1024 * 1024  # bytes of the file in which the believed law is kept


class Broker(Protocol):
    """What the keeper needs to know of a broker."""

    @property
    def url(self) -> str: ...
    @property
    def certificate(self) -> str: ...
    @property
    def keeper_keys(self) -> KeyPair: ...
    @property
    def system_keys(self) -> KeyPair: ...
    @property
    def users_file(self) -> Path: ...


class ExternalBroker(Struct, frozen=True, kw_only=True):
    """A broker that somebody else runs with our configuration text; its users file lies where we can write it."""

    url: str
    certificate: str
    keeper_keys: KeyPair
    system_keys: KeyPair
    users_file: Path


class Keeper:
    def __init__(
        self,
        broker: Broker,
        fleet: str,
        root: str,
        *,
        replicas: int = 1,
        lease_ttl: float = topology.LEASE_TTL,
        sweeps: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._broker, self._now, self._replicas, self._lease_ttl = broker, now, replicas, lease_ttl
        self._does_sweep = sweeps  # of several keepers of one fleet, one is enough
        self._subjects = Subjects(fleet)
        self._kept = broker.users_file.with_name("law.json")
        self.law = self._remembered(Law(fleet=fleet, root=root))
        self.refused: dict[str, str] = {}  # subject -> why the law on it does not count
        self._after = 0  # sequence in LAW up to which the law was read
        self._newest = 0  # the highest sequence in LAW that was heard of
        self._stale = True  # the permissions may not be those of `law`
        self._boxes: set[str] = set()  # owners whose mailboxes are there
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._admin: JetStreamLink | None = None
        self._system: JetStreamLink | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect, make the streams, set the permissions, and go on in the background."""
        broker = self._broker
        try:
            self._admin = await connect(
                lambda: broker.url, broker.keeper_keys, name="keeper", certificate=broker.certificate
            )
            self._system = await connect(
                lambda: broker.url, broker.system_keys, name="keeper-system", certificate=broker.certificate
            )
            await self.settled()
            law = [self._subjects.fact(kind.name) for kind in KINDS if kind.stream == "LAW"]
            await self._admin.follow(law, self._heard)
        except BaseException:
            await self.stop()
            raise
        self._admin.on_connected(self._from_the_beginning)
        self._system.on_connected(self._from_the_beginning)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(), name="keeper")]
        if self._does_sweep:
            self._tasks.append(loop.create_task(self._sweeps(), name="sweeper"))

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        await end(tasks)
        for link in (self._admin, self._system):
            if link is not None:
                await link.close()
        self._admin = self._system = None

    async def settled(self) -> None:
        """Look now: when this returns, the broker's permissions are those of the law on the bus."""
        async with self._turn:
            await self._look()

    # -- inside

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.settled()
            except (BusError, OSError) as error:
                log.warning("the permissions could not be brought up to date: %s", error)
                await asyncio.sleep(1)
                if self._reachable:  # else the next connection wakes it
                    self._wake.set()
            except Exception:
                log.exception("the keeper's look failed in an unexpected way; it goes on")
                await asyncio.sleep(5)

    async def _sweeps(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                if self._admin is not None:
                    await self._sweep(self._admin)
            except BusError as error:
                log.warning("records and contents were not swept: %s", error)
            except Exception:
                log.exception("the sweep failed in an unexpected way; nothing depends on it")

    async def _sweep(self, admin: JetStreamLink) -> None:
        """Records first: what only they mentioned is mentioned by nothing then."""
        if cleared := await clear_records(admin, self.law, self._now()):
            log.info("cleared away %d records that ended long ago", len(cleared))
        if count := await mailboxes.sweep(admin, self._subjects.fleet, self._now()):
            log.info("swept away %d letters that their recipients have", count)
        if count := await sweep(admin, self._subjects.fleet, self._now()):
            log.info("swept away %d contents that nothing mentions", count)

    def _from_the_beginning(self) -> None:
        self._after, self._newest, self._stale = 0, 0, True
        self._boxes.clear()
        self._wake.set()

    def _heard(self, fact: Stored) -> None:
        self._newest = max(self._newest, fact.sequence)
        self._wake.set()

    @property
    def _reachable(self) -> bool:
        return all(link is not None and link.connected for link in (self._admin, self._system))

    async def _look(self) -> None:
        if self._admin is None:
            raise UnavailableError("the keeper is not running")
        if self._after == 0:
            fleet, ttl = self._subjects.fleet, self._lease_ttl
            for line in await topology.ensure(self._admin, fleet, self._replicas, lease_ttl=ttl):
                log.info("%s", line)
        await self._read_law(self._admin)
        if self._after < self._newest:  # read from a node of a cluster that is some moments behind
            asyncio.get_running_loop().call_later(BEHIND, self._wake.set)
        text = users_text(self._broker.keeper_keys.public, rights(self.law, self._now())).encode()
        if self._stale or self._differs(text):
            self._stale = True
            write_private(self._broker.users_file, text)
            await self._reload()
            self._stale = False
        if missing := set(members(self.law)) - self._boxes:
            await mailboxes.ensure(self._admin, self._subjects.fleet, missing)
            self._boxes |= missing

    async def _read_law(self, link: JetStreamLink) -> None:
        before, after = self.law, self._after
        async for stored in link.read(self._subjects.stream("LAW"), f"post.{self._subjects.fleet}.>", after):
            after = stored.sequence
            try:
                heard = envelope.unseal(
                    self._subjects, stored.subject, stored.data, stored.headers, verify, stored.sequence
                )
                self.law = self.law.admit(heard)
                self.refused.pop(stored.subject, None)
            except OlderLawError:
                continue
            except (LawRefusedError, MalformedError) as error:
                if len(self.refused) < 1000 and self.refused.setdefault(stored.subject, str(error)) == str(error):
                    log.warning("a law that does not count on %s: %s", stored.subject, error)
        if self.law is not before:
            write_private(self._kept, json.encode(self.law))
        self._after = after

    def _differs(self, text: bytes) -> bool:
        try:
            return self._broker.users_file.read_bytes() != text
        except OSError:
            return True

    async def _reload(self) -> None:
        """The server reads its users again: who is no longer among them is cut off at once, others notice nothing."""
        if self._system is None:
            raise UnavailableError("the keeper is not running")
        await self._system.wait_connected(RELOAD_TIMEOUT)
        answer = await self._system.request(f"$SYS.REQ.SERVER.{self._system.server_id}.RELOAD", b"", RELOAD_TIMEOUT)
        try:
            told = json.decode(answer, type=_Reloaded)
        except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError):
            raise OursError("the broker answered the reload of its users with something unreadable") from None
        if told.error is not None:
            raise OursError(f"the broker does not accept its new users file: {told.error.description}")

    def _remembered(self, empty: Law) -> Law:
        try:
            kept = json.decode(read_private(self._kept, MAX_LAW), type=Law)
        except FileNotFoundError:
            return empty
        except (OSError, DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
            log.warning("%s can not be read (%s); the law is read from the bus alone", self._kept, error)
            return empty
        return kept if (kept.fleet, kept.root) == (empty.fleet, empty.root) else empty


class _Refusal(Struct):
    code: int = 0
    description: str = ""


class _Reloaded(Struct):
    error: _Refusal | None = None
