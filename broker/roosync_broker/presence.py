"""Who is there: heartbeats that the broker forgets by itself (3-bus, "Leases and presence").

A machine that is not in the answer is not known to be away: the asker shows it as silent, and itself as present.
A heartbeat says which process it is of. Each follows the one before by compare-and-swap, so two agents that speak as
one machine, such as those of a copied state folder, meet at the first beat of either.
"""

import asyncio
import secrets
import time
from datetime import datetime

from roosync_broker.errors import StaleError, UnavailableError
from roosync_broker.link import Expect, Link
from roosync_broker.topology import PRESENCE_TTL, bucket_stream, bucket_subject, keys
from roosync_protocol.names import token

BEAT = PRESENCE_TTL / 3  # seconds between two heartbeats: two may get lost
TWIN_SHOWN = 2 * PRESENCE_TTL  # seconds for which two agents of one machine are told after they met
LOOK = 2.0  # seconds; whoever asks for the status wants to hear soon that nothing is known


class Presence:
    """The heartbeats of a fleet, in a bucket in the broker's memory."""

    def __init__(self, link: Link, fleet: str) -> None:
        self._link, self._fleet = link, fleet
        self._beat = f"here {secrets.token_hex(8)}".encode()  # of this process
        self._last = 0  # the sequence of its last heartbeat
        self._twin_met: float | None = None  # on the steady clock

    async def beat(self, machine: str) -> None:
        """Tell that this machine is there. One attempt: the next heartbeat replaces a lost one."""
        subject = self._subject(machine)
        expect = Expect(self._last, subject) if self._last else None
        try:
            receipt = await self._link.post(subject, self._beat, expect=expect, timeout=BEAT)
        except StaleError:  # the broker forgot the last one, or it was not the last
            found = await self._link.last(bucket_stream(self._fleet, "presence"), [subject])
            if found and found[-1].data not in (self._beat, b"") and found[-1].sequence > self._last:
                self._twin_met = time.monotonic()
            receipt = await self._link.post(subject, self._beat, timeout=BEAT)
        self._last = receipt.sequence

    @property
    def twin(self) -> bool:
        """Did another process beat as the same machine within the last minute?"""
        return self._twin_met is not None and time.monotonic() - self._twin_met < TWIN_SHOWN

    async def leave(self, machine: str) -> None:
        """Tell that this machine goes, so that nobody waits for its heartbeat to be forgotten."""
        await self._link.post(self._subject(machine), b"", {"KV-Operation": "DEL"}, timeout=BEAT)

    async def present(self) -> dict[str, datetime]:
        """Machine -> its last heartbeat, as the broker's clock saw it. UnavailableError within `LOOK` seconds."""
        if not self._link.connected:
            raise UnavailableError("the broker does not answer, so who is there is not known")
        try:
            async with asyncio.timeout(LOOK):
                found = await self._link.last(bucket_stream(self._fleet, "presence"), [self._subject("*")])
        except TimeoutError:
            raise UnavailableError(f"the broker did not say within {LOOK:g} s who is there") from None
        return {
            message.subject.rsplit(".", 1)[-1]: message.time
            for message in found
            if message.time is not None and "KV-Operation" not in message.headers
        }

    async def count(self) -> int:
        """About how many machines are there, without a look at each: who left counts until its heartbeat would end."""
        return await keys(self._link, self._fleet, "presence")

    def _subject(self, machine: str) -> str:
        return bucket_subject(self._fleet, "presence", machine if machine == "*" else token(machine))
