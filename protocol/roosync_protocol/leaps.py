"""Between two states of a record that is led, others may be gone: since when, and how many at most.

The broker keeps a few messages of each speaker, and what a machine said does not count any more once it was revoked.
Others went on from there all the same, and above all an operator who ended the record and then revoked who led it.
"""

from collections.abc import Iterable

from roosync_protocol.decision import Place, whole_from
from roosync_protocol.envelope import Heard
from roosync_protocol.law import Law
from roosync_protocol.names import is_operator


def led_from(heard: Iterable[Heard], law: Law, unread: Iterable[Place] = ()) -> int:
    """The sequence from which on nothing is missing that counted in its time. As `decision.whole_from`."""
    known = list(heard)
    parted = [one.sequence for one in known if not is_operator(one.speaker) and not _leads(one, law)]
    return max(whole_from(known, unread), *parted, 0)


def too_far(before: int, new: int, since: int, sequence: int) -> str | None:
    """Why there can not have been so many states in between: each was one message of the stream.

    Else whoever leaps to the highest revision there is makes a record that nobody can move, or end, any more.
    """
    room = sequence - since
    return f"revision {new} is {new - before} after {before}, with {room} messages" if new - before > room else None


def _leads(one: Heard, law: Law) -> bool:
    return law.genuine(one) and law.may_orchestrate(one.speaker)
