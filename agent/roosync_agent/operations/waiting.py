"""The verb `wait_change`: an answer when something changed, for whoever shows the fleet live over the control socket.

One verb for every face (`roosync watch`, the MCP server's notifications, a page): ask with the mark of the last answer,
read again what the kinds concern, ask again. The broker is not asked anything here; the agent follows the facts anyway.
In a large fleet it follows only what concerns its machine, and everything for as long as somebody waits here.
"""

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.changes import HERE

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

LONGEST = 250.0  # seconds; as `settling.LONGEST`: an answer comes before a command gives up
SLICE = 0.5  # seconds between two looks whether the connection is still there: nobody announces that it went
BURST = 0.05  # seconds in which further changes belong to the same answer


class Change(Struct, frozen=True, kw_only=True):
    """What may be different now; nothing when the time was over before."""

    mark: str  # for `since` of the next question
    kinds: list[str]  # of `subjects.KINDS`, and "here"
    everything: bool = False  # the mark was not of this agent's life: all of it may be different


async def wait_change(
    machine: "Machine", since: str = "", wait: float = 25.0, kinds: list[str] | None = None, whole: bool = True
) -> Change:
    """The next change after `since`, or none after `wait` seconds. Without `since` at once, with the mark of now.

    `kinds`: only these end the waiting; all without it. Not `whole`: a large fleet is not followed further for it, so
    what others say among themselves there is not told; for who waits day and night, as an assistant does.
    """
    if not 0 <= wait <= LONGEST:
        raise RefusedRequestError(f"{wait:g} seconds are no time to wait; give 0 to {LONGEST:g}")
    changes, loop = machine.changes, asyncio.get_running_loop()
    changes.waiting += whole
    try:
        if whole and not machine.session.whole and machine.session.reachable:
            await machine.following.widen()
        end, reachable = loop.time() + wait, machine.session.reachable
        while True:
            found = changes.since(since)
            if found is None:
                return Change(mark=changes.mark, kinds=[], everything=True)
            if any(kinds is None or kind in kinds for kind in found):
                await asyncio.sleep(BURST)
                return Change(mark=changes.mark, kinds=changes.since(since) or found)
            if (left := end - loop.time()) <= 0:
                return Change(mark=changes.mark, kinds=[])
            await changes.woken(min(SLICE, left))
            if machine.session.reachable is not reachable:
                reachable = machine.session.reachable
                changes.note(HERE)
    finally:
        changes.waiting -= whole
