"""A member's place on the bus: its connection, its voice (it signs), its ears (they verify), its view.

Agent and commands hold one. What arrives is opened (`envelope`), folded (`fleet`) and never believed
before; what is said is signed, carries one id per intent, and is posted until it is stored.
"""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

from roosync_agent.state import LawRead
from roosync_agent.telling import Telling
from roosync_broker import topology
from roosync_broker.contents import Contents
from roosync_broker.errors import RefusedError, StaleError, UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.link import (
    ATTEMPTS,
    MESSAGE_ID,
    Expect,
    Handler,
    Link,
    Receipt,
    Stored,
    Subscription,
    post_until_stored,
)
from roosync_broker.spool import Spool
from roosync_protocol import envelope
from roosync_protocol.envelope import Heard
from roosync_protocol.fleet import REPORTS, Fleet
from roosync_protocol.messages import Decision, MalformedError, Message
from roosync_protocol.record_kinds import KINDS, RecordMessage
from roosync_protocol.secrets import scrub
from roosync_protocol.subjects import BY_MESSAGE, BY_NAME, OWN, Subjects

log = logging.getLogger("roosync.session")

REMEMBERED = 1_000  # ids of messages of a stream, by which it is known again
Listener = Callable[[Heard], Awaitable[None] | None]


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_operation() -> str:
    """The id of one intent, made before the first try and kept through every retry."""
    return "o-" + secrets.token_hex(10)


class Session:
    """One speaker, connected. `fleet` is what it knows; `refresh` and `follow` keep that true.

    The view is of the whole fleet, or of what concerns this member (`following`).
    """

    def __init__(
        self, link: Link, subjects: Subjects, keys: KeyPair, name: str, fleet: Fleet, spool: Spool | None = None
    ) -> None:
        self.link = link
        self.subjects = subjects
        self.keys = keys
        self.name = name
        self.fleet = fleet
        self.now: Callable[[], datetime] = utc_now
        self.public: Callable[[str], str] = scrub  # a line for everybody; here also without the names of our folders
        self.contents = Contents(link, subjects, name)
        self.telling = Telling(self, spool)
        self.stale = False  # the connection came back, and what was missed is not read yet
        self.whole = True  # is `fleet` kept true of everything, or of what concerns this member?
        self.forgot = 0  # how often what was read of the others was forgotten, with a reading of what concerns us
        self.unheard: frozenset[str] = frozenset()  # facts that the broker does not let this member hear
        self._subscription: Subscription | None = None
        self.law_read: LawRead | None = None  # how far `fleet.law` was read from its stream
        self._incarnations: dict[str, str] = {}  # of the streams whose sequences this view compares
        self._newest: dict[str, int] = {}  # the highest sequence heard of each
        self._ids: dict[str, OrderedDict[int, str]] = {}  # of what was heard last of each, by sequence
        self._put_back: dict[str, int] = {}  # how often it was seen to have gone back
        self._last_records = 0  # the last sequence of their stream when they were read before

    async def say(
        self, message: Message, *, expect: Expect | None = None, operation: str | None = None, attempts: int = ATTEMPTS
    ) -> Receipt:
        """Signs and posts until stored. StaleError when `expect` was lost; UnavailableError when the bus stays away."""
        operation = operation or getattr(message, "operation_id", None) or new_operation()
        posting = envelope.seal(self.subjects, message, operation, self.keys.public, self.keys.sign)
        return await post_until_stored(
            self.link, posting.subject, posting.data, posting.headers, expect=expect, attempts=attempts
        )

    async def tell(self, message: Message) -> None:
        """Says what nobody can work out again later: now, or from the disk as soon as the broker is back."""
        await self.telling.tell(message, new_operation())

    async def advance(self, message: RecordMessage, after: int) -> Receipt:
        """Compare-and-swap on a record: its next state, when nothing was said of it after the sequence `after`.

        The own view has the new state when this returns.
        StaleError also when this view knows, or finds on the bus, that the record went on since it was read.

        A message was heard that does not count: either it is somebody's nonsense, or what came before it was missed, or
        the law that it rests on. Its sequence wins the compare-and-swap either way, so both are read again first. What
        is repeated wins it too, so whoever is about to write does not rest on what was heard: a "no" may be missing.
        """
        record = self.subjects.record_of(message)
        folded = self.fleet.folded(message)
        known = folded.state
        if self.stale:
            await self.refresh(reports=False)
            folded = self.fleet.folded(message)
        if folded.refused or (isinstance(message, Decision) and message.status == "applying"):
            await self._reread(record)
            folded = self.fleet.folded(message)
        if folded.state != known:
            raise StaleError(f"{message.id} stands otherwise than it was known here; look at it again")
        incarnation = self._incarnations.get("WORK")
        if folded.state is not None and folded.state.revision + 1 != message.revision:
            raise StaleError(f"{message.id} stands at revision {folded.state.revision} now; look at it again")
        try:
            receipt = await self.say(message, expect=Expect(after, record))
        except StaleError:
            found = await self.link.last(self.subjects.stream("WORK"), [record])
            if not found:  # it was cleared away, and begins anew
                self.fleet.forget(message)
            await self._reread(record)
            before, folded = folded.state, self.fleet.folded(message)
            went_on = folded.state is not None and folded.state.revision >= message.revision
            if went_on and (ours := await self._said(message, record)) is not None:
                return ours  # the answer to the first try got lost
            if folded.state != before or not found or found[-1].sequence <= after:
                raise  # with a lower sequence the bus was put back to a backup: `refresh` sees that
            # Nothing that counts came: what is in the way is something that nobody can open, and it may not block it.
            receipt = await self.say(message, expect=Expect(found[-1].sequence, record))
        if self.stale or self._incarnations.get("WORK") != incarnation:
            return await self._found(message, record)
        self.fleet.hear(
            Heard(
                message=message,
                subject=self.subjects.of(message),
                speaker=self.name,
                signer=self.keys.public,
                operation=message.operation_id,
                sequence=receipt.sequence,
            )
        )
        return receipt

    async def _found(self, message: RecordMessage, record: str) -> Receipt:
        """The connection was lost while it was said: only the bus tells whether it still has it.

        A receipt from before the bus was put back names a sequence that belongs to another message now.
        """
        await self.refresh(reports=False)
        if (ours := await self._said(message, record)) is not None:
            return ours
        raise StaleError(f"{message.id} was put back to a backup while it was said; look at it again")

    async def _said(self, message: RecordMessage, record: str) -> Receipt | None:
        """Where the bus has exactly this step of ours; None when it does not."""
        async for stored in self.link.read(self.subjects.stream("WORK"), record):
            heard = self.open(stored)
            if heard is not None and (heard.speaker, heard.operation) == (self.name, message.operation_id):
                return Receipt(stored.sequence, duplicate=True)
        return None

    async def _reread(self, record: str) -> None:
        """A record, and first the law that its steps rest on; everything when the bus was put back since."""
        if (await self._incarnation("WORK"))[0] != self._incarnations.get("WORK"):
            await self.refresh(reports=False)
            return
        await self.refresh_law()
        async for stored in self.link.read(self.subjects.stream("WORK"), record):
            self.take(stored)

    def open(self, stored: Stored) -> Heard | None:
        """The message inside, or None: what is malformed or wrongly signed is counted, named and left behind."""
        try:
            return envelope.unseal(self.subjects, stored.subject, stored.data, stored.headers, verify, stored.sequence)
        except MalformedError as error:
            reason = scrub(str(error))
            self.fleet.refuse(reason)
            log.warning("refused a message on %s: %s", stored.subject, reason)
            return None

    def take(self, stored: Stored) -> Heard | None:
        self._count(stored)
        heard = self.open(stored)
        if heard is not None:
            self.fleet.hear(heard)
        else:
            self.fleet.hear_unread(stored.subject, stored.sequence)
        return heard

    def _count(self, stored: Stored) -> None:
        kind = BY_NAME.get((stored.subject.split(".", 3) + [""] * 3)[2])
        if kind is None or not stored.sequence:
            return
        ids, id_ = self._ids.setdefault(kind.stream, OrderedDict()), stored.headers.get(MESSAGE_ID, "")
        if ids.setdefault(stored.sequence, id_) != id_:
            self._went_back(kind.stream, stored.sequence)
        while len(ids) > REMEMBERED:
            ids.popitem(last=False)
        self._newest[kind.stream] = max(self._newest.get(kind.stream, 0), stored.sequence)

    def _went_back(self, stream: str, last: int) -> None:
        """What was heard of this stream is not what it holds: it is read anew before anything rests on it."""
        self._put_back[stream] = self._put_back.get(stream, 0) + 1
        self._newest[stream], self.stale = last, True
        self._ids.pop(stream, None)

    async def refresh(self, *, reports: bool = True) -> None:
        """Reads the whole state again from the bus: law first, then records, then the last reports."""
        stale, self.stale = self.stale, False  # a connection that goes and comes meanwhile makes it stale again
        try:
            before = dict(self._put_back)
            await self._read_all(reports)
            if self._put_back != before:  # the reading itself showed that the bus was put back
                self.stale = False
                await self._read_all(reports)
        except BaseException:
            self.stale = self.stale or stale
            raise

    async def _read_all(self, reports: bool) -> None:
        await self.refresh_law()
        last = await self._forget_what_was_put_back("WORK", KINDS)
        # What was there a reading ago is shown now, or is gone. Of what came since, a copy of the stream on another
        # node may know less than the one that told `last`.
        there, self._last_records = min(self._last_records, last), last
        stream, everything = self.subjects.stream("WORK"), f"post.{self.subjects.fleet}.>"
        for subject in [everything] if self.whole else self.subjects.records_concerning(self.name):
            shown: list[int] = []
            async for stored in self.link.read(stream, subject):
                self.take(stored)
                shown.append(stored.sequence)
            if subject == everything:  # and not by `whole`, which changes while this is read
                self.fleet.forget_unshown(shown, last=there)
            else:
                kinds = [kind for kind in KINDS if BY_MESSAGE[kind].name == subject.split(".")[2]]
                self.fleet.forget_unshown(shown, kinds, self.name, last=there)
        if not self.whole:
            self.fleet.forget_others(self.name)
            self.forgot += 1
        if reports:
            await self._forget_what_was_put_back("REPORTS", REPORTS)
            await self.read_reports("*" if self.whole else self.name)

    async def read_reports(self, speaker: str) -> int:
        """The last of each kind, of one speaker or of all ("*"); the sequence of the newest, 0 when there is none."""
        subjects = [self.subjects.post(kind, speaker=speaker) for kind in OWN]
        found = await self.link.last(self.subjects.stream("REPORTS"), subjects)
        for stored in found:
            self.take(stored)
        return found[-1].sequence if found else 0

    async def _forget_what_was_put_back(self, stream: str, kinds: Iterable[type]) -> int:
        """A stream that was restored from a backup, or made anew, begins its sequences again at a lower one.

        What was heard before the first reading goes too: nobody knows of which stream it was. Returns the last one.
        """
        incarnation, last = await self._incarnation(stream)
        if self._incarnations.get(stream) != incarnation:
            self.fleet.forget_records(kinds)
        self._incarnations[stream] = incarnation
        return last

    async def _incarnation(self, stream: str) -> tuple[str, int]:
        """Another one when the stream was made anew, or ends before what was heard of it; and where it ends."""
        newest = self._newest.get(stream, 0)
        made, last = await topology.standing(self.link, self.subjects.stream(stream))
        if last < newest:
            self._went_back(stream, last)
        return f"{made} {self._put_back.get(stream, 0)}", last

    async def refresh_law(self) -> None:
        """What was signed since the law was read last; all of it when the stream does not go on from there.

        Nothing in that stream is ever deleted, so what was stored there and then has the same story before it.
        """
        if self.law_read is None or not await self._read_law(self.law_read):
            await self._read_law(None)

    async def _read_law(self, known: LawRead | None) -> bool:
        stream, found = self.subjects.stream("LAW"), known is None
        after = known.sequence - 1 if known else 0
        async for stored in self.link.read(stream, f"post.{self.subjects.fleet}.>", after):
            place = LawRead(stored.sequence, stored.headers.get(envelope.SIGNATURE, ""), stored.time)
            if not found and place != known:
                return False
            if found:
                self.take(stored)
            found, self.law_read = True, place
        return found

    async def refresh_enrolments(self) -> None:
        async for stored in self.link.read(self.subjects.stream("ENROL"), self.subjects.post("enrol")):
            self.take(stored)

    async def follow(self, listener: Listener, subjects: Sequence[str] | None = None) -> Subscription:
        """From now on the view follows the facts, and `listener` hears each one after the view has it.

        `subjects`: which facts; without them all that a member may hear.
        """

        async def on_fact(stored: Stored) -> None:
            heard = self.take(stored)
            if heard is not None:
                result = listener(heard)
                if result is not None:
                    await result

        before = self._subscription
        self._subscription = await self._permitted(subjects or self.subjects.heard(), on_fact)
        if before is not None:  # only now: what passes meanwhile is heard twice, and not missed
            await before.close()
        return self._subscription

    async def _permitted(self, subjects: Sequence[str], handler: Handler) -> Subscription:
        """Follows what the broker permits. Whoever keeps it may be of the release before, which knows fewer kinds."""
        try:
            found, self.unheard = await self.link.follow(subjects, handler), frozenset()
        except RefusedError as error:
            left = [subject for subject in subjects if subject not in error.subjects]
            if not error.subjects or not left:
                raise
            found, known = await self.link.follow(left, handler), self.unheard
            self.unheard = error.subjects
            if self.unheard != known:
                log.warning("%s; is roosync of an older version where it runs? The rest is followed", error)
        return found

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.close()
        await self.link.close()

    @property
    def reachable(self) -> bool:
        return self.link.connected

    def require_bus(self) -> None:
        if not self.link.connected:
            raise UnavailableError("the broker does not answer; is `roosync up` running there? Nothing was lost.")
