"""How much of its fleet an agent follows: everything in a small one, in a large one what concerns its machine.

In a fleet of a thousand each machine would otherwise open and check what each of a thousand says, and the work of all
would grow with the square of their number. Whoever leads follows everything, and so does whoever takes part in a cycle
in which each compares itself with each. What a person asks about the others is read at that moment (`look_around`).
The records decide either way: what is followed changes when something is known, and never what counts.
"""

import asyncio
from typing import TYPE_CHECKING

from roosync_agent.session import Listener
from roosync_protocol.cycle import each_with_each

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

SMALL = 64  # machines of a fleet in which everybody follows everybody
AGAIN = 60.0  # seconds after which a broker is asked again for what it did not let us hear
TRIES = 3  # times that the others are read for one question, when what was read is forgotten meanwhile


class Following:
    """The ears of one agent. Nothing is heard before `start`."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._session = machine.session
        self._listener: Listener | None = None
        self._turn = asyncio.Lock()
        self._reading = False  # everything is followed, and what was said before is not known yet
        self._looked: dict[str, int] = {}  # how far streams were read beyond what concerns this machine
        self._again = 0.0  # when to ask again for what the broker did not let us hear, on the loop's clock
        self._forgot = 0  # the session's count as of then

    async def start(self, listener: Listener) -> None:
        """The law comes first: it says how large the fleet is."""
        await self._session.refresh_law()
        self._listener = listener
        self._session.link.on_connected(self._connected)
        await self._listen(whole=self.needed)

    @property
    def needed(self) -> bool:
        """Does this machine need to know what the others say?"""
        machine = self._machine
        if len(machine.fleet.law.members) <= SMALL or machine.changes.waiting:
            return True  # small, or somebody watches it here
        return any(each_with_each(cycle) and machine.name in cycle.participants for cycle in machine.cycles.running)

    async def adjust(self, leads: bool) -> None:
        """Follows everything, or no longer, as it is needed now; and what the broker did not let us hear before."""
        if self._session.unheard and asyncio.get_running_loop().time() >= self._again:
            async with self._turn:
                await self._listen(whole=self._session.whole)
        if leads or self.needed:
            await self.widen()
            return
        async with self._turn:
            if self._session.whole and self._listener is not None:
                await self._listen(whole=False)

    async def widen(self) -> None:
        """Follows everything from now on; what was said before is known when this returns."""
        async with self._turn:
            if self._session.whole or self._listener is None:
                return
            await self._listen(whole=True)
            self._reading = True
            try:
                await self._session.refresh()
            except BaseException:
                self._session.whole = False
                raise
            finally:
                self._reading = False

    @property
    def knows_all(self) -> bool:
        """Is everything known, and kept true?"""
        return self._session.whole and not self._reading

    async def look_around(self) -> None:
        """Before a question about the whole fleet is answered: what the others said since this was asked last."""
        session = self._session
        if session.whole or not session.reachable:
            return
        async with self._turn:
            for _ in range(TRIES):
                if session.stale or session.forgot != self._forgot:
                    self._looked.clear()  # the view was read again, and holds nothing more of the others
                self._forgot = session.forgot
                work, reports = self._looked.get("WORK", 0), self._looked.get("REPORTS", 0)
                self._looked = {"WORK": await self._read("WORK", work)}
                self._looked["REPORTS"] = await (
                    self._read("REPORTS", reports) if reports else session.read_reports("*")
                )
                if session.forgot == self._forgot:
                    return

    async def _read(self, stream: str, after: int) -> int:
        session = self._session
        async for stored in session.link.read(
            session.subjects.stream(stream), f"post.{session.subjects.fleet}.>", after
        ):
            session.take(stored)
            after = stored.sequence
        return after

    def _connected(self) -> None:
        self._again = 0.0  # to a broker of a newer version, perhaps

    async def _listen(self, whole: bool) -> None:
        assert self._listener is not None
        subjects, session = self._session.subjects, self._session
        await session.follow(self._listener, subjects.followed() if whole else subjects.concerning(session.name))
        session.whole, self._again = whole, asyncio.get_running_loop().time() + AGAIN
        self._looked.clear()
