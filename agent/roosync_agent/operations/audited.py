"""Every action is told before it is done and again after, by whoever does it, on a stream that only grows.

What can not be told beforehand is not done. What can not be told afterwards was done all the same, so that line waits
on the disk until the broker is back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

from msgspec import Struct

from roosync_agent.session import Session
from roosync_broker.errors import BusError
from roosync_protocol.messages import Audit

Phase = Literal["before", "after"]


class Told(Struct):
    """What will be told afterwards; who acts may say more precisely what came of it."""

    outcome: str = "done"
    details: str = ""


@asynccontextmanager
async def audited(session: Session, action: str, about: str, details: str = "") -> AsyncIterator[Told]:
    """Around one action. Whatever it raises is told as its outcome, and goes on."""
    told = Told()
    await session.say(entry(session, action, "before", about, details=details))
    try:
        yield told
    except BaseException as error:
        told.outcome, told.details = "not done", str(error) or type(error).__name__
        raise
    finally:
        with suppress(BusError):
            await session.tell(entry(session, action, "after", about, told.outcome, told.details))


def entry(session: Session, action: str, phase: Phase, about: str, outcome: str = "", details: str = "") -> Audit:
    """One line of the audit, cut to what a message holds and without what others may not read."""
    return Audit(
        agent=session.name,
        timestamp=session.now(),
        action=action[:500],
        phase=phase,
        about=about[:500],
        outcome=outcome[:500],
        details=session.public(details)[:8000],
    )
