"""What is told once and can not be worked out again: that something was done, and that something went wrong.

A report needs none of this, the next one replaces it. What is told here waits on the disk while the broker is away, and
is posted once and in order when it is back. When it can not be kept either, that is loud: in the log, in the status and
its exit code, and as an alarm as soon as there is a bus to say it on.
"""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from roosync_broker.errors import BusError, FullError, OursError, UnavailableError
from roosync_broker.spool import Lost, Spool
from roosync_protocol import envelope
from roosync_protocol.messages import Alarm, Message
from roosync_protocol.subjects import BY_NAME

if TYPE_CHECKING:
    from roosync_agent.session import Session

log = logging.getLogger("roosync.telling")

LEVEL = 2  # of the alarm about what was not kept: a person must act


class Telling:
    """One speaker's. Without a spool, as in a simulation, it is no more than saying."""

    def __init__(self, session: "Session", spool: Spool | None) -> None:
        self._session, self._spool = session, spool
        self._one = asyncio.Lock()
        self._keeping = asyncio.Lock()

    async def tell(self, message: Message, operation: str) -> None:
        """No error when the broker is away: then it is kept, or counted as lost."""
        session, spool = self._session, self._spool
        if spool is None:
            await session.say(message, operation=operation)
            return
        posting = envelope.seal(session.subjects, message, operation, session.keys.public, session.keys.sign)
        if session.link.connected and not spool:
            with contextlib.suppress(UnavailableError, FullError):
                await session.link.post(posting.subject, posting.data, posting.headers)
                return
        try:
            spool.add(posting.subject, posting.data, posting.headers)
        except FullError as error:
            log.error("not told to the fleet, and not kept: %s", error)  # noqa: TRY400 (a person reads it)
        await self.catch_up()

    async def hand_over(self, message: Message, operation: str) -> bool:
        """What somebody asked to be sent: True when the bus has it now, False when it waits on the disk for the bus.

        Nothing waits for what was handed over before. RefusedError, FullError and OursError: it is neither.
        """
        session, spool = self._session, self._spool
        posting = envelope.seal(session.subjects, message, operation, session.keys.public, session.keys.sign)
        if session.link.connected or spool is None:
            try:
                await session.link.post(posting.subject, posting.data, posting.headers)
            except UnavailableError:
                if spool is None:
                    raise
            else:
                return True
        async with self._keeping:  # one after the other, or more would be kept than the spool may hold
            await asyncio.to_thread(spool.add, posting.subject, posting.data, posting.headers, told=True)
        return False

    def handed_over(self) -> dict[str, str]:
        """Of what was handed over and not stored at once: operation -> "waiting", or "aside" if it never can be."""
        return self._spool.where() if self._spool is not None else {}

    async def catch_up(self) -> None:
        """Posts what waits, in its order, then how much was not kept. What the bus does not take now waits on."""
        session, spool = self._session, self._spool
        if spool is None or not session.link.connected:
            return
        async with self._one:
            try:
                if posted := await spool.drain(session.link, self._stream_of):
                    log.info("%d messages that waited for the broker are told", posted)
                if (lost := spool.lost) is not None:
                    await session.say(self._alarm(lost), operation="o-" + lost.id, attempts=1)
                    spool.told(lost)
            except BusError as error:
                log.info("what waits for the broker waits on: %s", error)

    @property
    def untold(self) -> list[str]:
        """What the fleet does not know yet, or never will, in words for a person; [] when there is nothing."""
        spool = self._spool
        if spool is None:
            return []
        waiting, lost = len(spool), spool.lost
        told = [f"{waiting} messages wait for the broker, to be told when it is back"] if waiting else []
        return told + ([_not_kept(lost)] if lost else [])

    @property
    def not_kept(self) -> int:
        """Messages that are lost, and of which no alarm told yet."""
        lost = self._spool.lost if self._spool is not None else None
        return lost.count if lost else 0

    def _alarm(self, lost: Lost) -> Alarm:
        name, now = self._session.name, self._session.now()
        reason = f"{name}: {_not_kept(lost)}"
        return Alarm(agent=name, timestamp=now, id="a-" + lost.id, level=LEVEL, reason=reason, about=name)

    def _stream_of(self, subject: str) -> str:
        """ "" for mail: who sends it may not read it again, and its recipient knows what came twice."""
        kind = BY_NAME.get((subject.split(".") + [""] * 3)[2])
        if kind is None:  # kept by a newer version: it is moved aside, and keeps nothing else from being told
            raise OursError(f"this version knows no message as {subject!r}")
        return "" if kind.stream == "MAIL" else self._session.subjects.stream(kind.stream)


def _not_kept(lost: Lost) -> str:
    which = ", ".join(f"{count} of {kind}" for kind, count in sorted(lost.kinds.items()))
    return (
        f"{lost.count} messages could neither be told nor kept while the broker was away ({which}): "
        "the fleet's history has a gap here"
    )
