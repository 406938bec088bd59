"""Under which token a leader writes, so that no older holder of the lease moves a record after it.

A state carries the token of the lease it was written under, and nobody believes one with a smaller token than was seen.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec.structs import replace

from roosync_protocol.messages import Cycle, Rollout

LedT = TypeVar("LedT", Cycle, Rollout)


async def under(record: Cycle | Rollout, held: int, newest: Callable[[], Awaitable[int]]) -> int:
    """The token to write under while the lease `held` is held; `newest`: the same, as the broker knows it.

    When ours is the newest lease there is, a greater number was made up, or is of before the broker was put back. The
    record goes on under it, or nobody could move it any more.
    """
    return record.token if 0 < held < record.token and await newest() == held else held


def taken_over(record: LedT, token: int, *, anew: bool = False) -> LedT | None:
    """The same state under our lease, said by who leads before anything else is to be said.

    Whatever an older holder still has on its way, worked out from what it saw then, fails from now on: by the sequence
    that it expects, and by the token that it carries.
    """
    return replace(record, revision=record.revision + 1, token=token) if anew or token > record.token else None
