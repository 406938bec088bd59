"""Connections that have not shown the token yet: few, and not for long.

Everybody on this computer reaches loopback. Whoever connects and says nothing would hold a place for as long as they
like, until none is left for the one who has the token. So strangers have places of their own: when those are taken
the one that said nothing for the longest goes, and each goes after a while.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 64  # at the same time; whoever has the token shows it with the first request
WITHIN = 10.0  # seconds to show it

Address = tuple[str, int]  # the other end, as ASGI's scope["client"] has it


class Strangers:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[Address, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}  # the oldest first

    def came(self, address: Address, transport: asyncio.Transport) -> None:
        while len(self._waiting) >= MOST:
            self._turn_out(next(iter(self._waiting)))
        late = asyncio.get_running_loop().call_later(WITHIN, self._turn_out, address)
        self._waiting[address] = transport, late

    def known(self, address: object) -> None:
        """It showed the token, or it is gone."""
        if isinstance(address, list | tuple) and (found := self._waiting.pop((address[0], address[1]), None)):
            found[1].cancel()

    def _turn_out(self, address: Address) -> None:
        transport, _ = self._waiting[address]
        self.known(address)
        transport.abort()

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's own, of which each connection begins as a stranger."""
        strangers = self

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is not None:
                    strangers.came(self.client, transport)

            def connection_lost(self, exc: Exception | None) -> None:
                strangers.known(self.client)
                super().connection_lost(exc)

        return Protocol
