"""What is sent to one recipient, fetched as soon as it is there: at its start, after an outage, and at each fact.

The fact only wakes; what counts is what the mailbox on the broker gives out. Each letter is opened, checked, laid down
to be read, and safe on the disk before it is acknowledged. What can not be a letter for us is counted with its reason
and acknowledged too, or it would come back for ever; what our own disk does not take is not, so it waits on the broker.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from roosync_agent.running.mailbox import Kept, Mailbox
from roosync_agent.session import Session
from roosync_agent.state import State
from roosync_broker import mailboxes
from roosync_broker.errors import BusError, ContentError, NoResponderError, RefusedError, SenderError
from roosync_broker.link import Delivered, Stored
from roosync_broker.private_files import write_private
from roosync_broker.sealing import OVERHEAD, open_file, open_own
from roosync_protocol.envelope import Heard
from roosync_protocol.mail import MAX_FILE, LetterError, opened
from roosync_protocol.messages import Mail
from roosync_protocol.secrets import scrub

log = logging.getLogger("roosync.mail")

BATCH = 64  # letters fetched at a time
EVERY = 30.0  # seconds between two looks when nothing wakes: what was given out and got lost comes again by then
RETRY = 2.0  # seconds after a look that failed


class Mailroom:
    """One recipient's: a machine's agent has one, and an operator's command makes one."""

    def __init__(self, session: Session, state: State) -> None:
        self.session = session
        self.box = Mailbox(state.folder / "mail" / session.name)
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()
        self.trouble = ""  # why mail is not fetched at this moment
        self.on_change: Callable[[], None] = lambda: None  # letters came
        self._again: asyncio.TimerHandle | None = None
        self._settling: dict[asyncio.Task[None], int] = {}  # with how many letters each acknowledges

    async def run(self) -> None:
        """Until cancelled: what arrives is fetched at once."""
        link, following = self.session.link, False
        link.on_connected(self._wake.set)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._wake.wait()
            self._wake.clear()
            if not link.connected:
                continue
            try:
                if not following:
                    await link.follow(self.session.subjects.fact("mail", self.session.name), lambda _: self._wake.set())
                    following = True
                await self._lay()
                self.trouble = ""
            except RefusedError as error:  # a broker kept by an older version gives nobody a mailbox
                self._troubled(str(error), EVERY)
            except (BusError, OSError) as error:
                self._troubled(str(error), RETRY)
            except Exception:
                log.exception("fetching mail failed in an unexpected way; it is tried again")
                self._look_again(RETRY)

    async def collect(self) -> int:
        """Fetches what waits; how many new letters there are. BusError, OSError: the rest waits on the broker."""
        count = await self._lay()
        await self._settled()
        return count

    async def _lay(self) -> int:
        """The same, before the letters are safe: what arrives meanwhile does not wait for the disk."""
        stream, name, count = self.session.subjects.stream("MAIL"), self.session.name, 0
        async with self._one:
            while True:
                if sum(self._settling.values()) + BATCH > mailboxes.UNACKNOWLEDGED:
                    await self._settled()  # the broker would give out no more before
                found = await self._fetch(stream, name)
                if found and not self.box.counted:
                    await asyncio.to_thread(self.box.index)
                laid: list[tuple[Delivered, Path | None]] = []
                try:
                    for one in found:
                        path, new = await self._take(one.stored)
                        laid.append((one, path))
                        count += new
                finally:
                    task = asyncio.create_task(self._settle(laid))
                    self._settling[task] = len(laid)
                    task.add_done_callback(self._settling.pop)
                if len(found) < BATCH:
                    if count:
                        self.on_change()
                    return count

    async def _settle(self, laid: list[tuple[Delivered, Path | None]]) -> None:
        """On the disk for good, then acknowledged; what is not comes again."""
        if not laid:
            return
        try:
            paths = [path for _, path in laid if path is not None]
            await asyncio.gather(*(asyncio.to_thread(self.box.settle, path) for path in paths))
            await self.session.link.acknowledge([one for one, _ in laid])
        except (BusError, OSError) as error:
            log.warning("letters are here and not acknowledged, and so they come again: %s", error)

    async def _settled(self) -> None:
        while self._settling:
            await asyncio.gather(*self._settling)

    async def fetch_file(self, kept: Kept, number: int) -> None:
        """The attached file of this number, onto our disk. ContentError, UnavailableError, OSError."""
        path, attached = self.box.attachment(kept, number), kept.letter.attachments[number]
        if path.exists():
            return
        closed = await self.session.contents.get(attached.content, MAX_FILE + OVERHEAD)
        data = open_file(attached.key, closed)
        if len(data) != attached.size:
            raise ContentError(f"{attached.name!r} has {len(data)} bytes, and its letter says {attached.size}")
        await asyncio.to_thread(write_private, path, data)
        self.box.laid_file(len(data))

    # -- inside

    async def _fetch(self, stream: str, name: str) -> list[Delivered]:
        link = self.session.link
        try:
            return await link.fetch(stream, name, BATCH)
        except NoResponderError:
            if not link.keyless:
                raise
            await mailboxes.ensure(link, self.session.subjects.fleet, [name])  # nobody keeps such a broker
            return await link.fetch(stream, name, BATCH)

    async def _take(self, stored: Stored) -> tuple[Path | None, bool]:
        """Where it lies on our disk, if it is a letter for us, and whether it is new."""
        heard = self.session.open(stored)
        if heard is None:
            return None, False
        try:
            kept = await self._opened(heard, stored)
        except (SenderError, LetterError) as error:
            reason = scrub(f"mail of {heard.speaker}: {error}")
            self.session.fleet.refuse(reason)
            log.warning("refused %s", reason)
            return None, False
        path, new = self.box.lay(kept)
        if new:
            log.info("mail from %s", heard.speaker)
        for number in range(len(kept.letter.attachments) if path else 0):
            try:
                await self.fetch_file(kept, number)
            except BusError as error:  # it is asked for again when somebody wants to have it
                log.warning("a file that %s attached is not here yet: %s", heard.speaker, error)
        return path, new

    async def _opened(self, heard: Heard, stored: Stored) -> Kept:
        mail = heard.message
        if not isinstance(mail, Mail) or mail.to != self.session.name:
            raise SenderError("it is not addressed to us")
        if self.session.fleet.law.speaker_key(heard.speaker) != heard.signer:
            await self.session.refresh_law()  # it may have joined just now
            if self.session.fleet.law.speaker_key(heard.speaker) != heard.signer:
                raise SenderError(f"{heard.speaker} is no member of this fleet with that key, or was revoked")
        data = open_own(self.session.keys, mail.box)
        received = stored.time or self.session.now()
        return Kept(letter=opened(data, mail), received=received, key=heard.signer)

    def _troubled(self, reason: str, seconds: float) -> None:
        if reason != self.trouble:
            log.warning("mail is not fetched, and it is tried again: %s", reason)
        self.trouble = reason
        self._look_again(seconds)

    def _look_again(self, seconds: float) -> None:
        """One timer, however many letters arrive meanwhile: each of them wakes, and would begin a series of its own."""
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(seconds, self._wake.set)


class WithMail(Protocol):
    """Where somebody reads and writes: a machine, or the `Desk` of an operator's command."""

    @property
    def mail(self) -> Mailroom: ...


class Desk:
    """An operator's place for one command."""

    def __init__(self, session: Session, state: State) -> None:
        self.mail = Mailroom(session, state)
