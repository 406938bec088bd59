"""Who is there: heartbeats that the broker forgets by itself (3-bus, "Leases and presence").

A machine that is not in the answer is not known to be away: the asker shows it as silent, and itself as present.
"""

import asyncio
from datetime import datetime

from roosync_broker.errors import UnavailableError
from roosync_broker.link import Link
from roosync_broker.topology import PRESENCE_TTL, bucket_stream, bucket_subject, keys
from roosync_protocol.names import token

BEAT = PRESENCE_TTL / 3  # seconds between two heartbeats: two may get lost
LOOK = 2.0  # seconds; whoever asks for the status wants to hear soon that nothing is known


class Presence:
    """The heartbeats of a fleet, in a bucket in the broker's memory."""

    def __init__(self, link: Link, fleet: str) -> None:
        self._link, self._fleet = link, fleet

    async def beat(self, machine: str) -> None:
        """Tell that this machine is there. One attempt: the next heartbeat replaces a lost one."""
        await self._link.post(self._subject(machine), b"here", timeout=BEAT)

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
