"""`roosync broker`: the embedded server and its keeper in one process, until it is told to stop.

The keeper writes the broker's users from the signed memberships. Other processes of this user ask over
the broker's own control socket to listen elsewhere, which is how `invite` turns the listener to TLS.
"""

import asyncio
import logging
from typing import Any

from roosync_agent.running.control_server import ControlServer
from roosync_agent.running.signals import stop_event
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker.errors import BusError
from roosync_broker.keeper import Keeper
from roosync_broker.server import EmbeddedServer

log = logging.getLogger("roosync.broker")


class BrokerHost:
    """The broker's side of a fleet on this machine."""

    def __init__(self, settings: Settings, state: State, fleet: str, root: str, *, port: int | None = None) -> None:
        self.server = EmbeddedServer(
            state.broker, fleet=fleet, port=settings.port if port is None else port, report=log.warning
        )
        self.server.prepare()
        self.keeper = Keeper(self.server, fleet, root, lease_ttl=settings.lease_seconds)
        self._control = ControlServer(state.broker, self._answer)

    async def start(self) -> None:
        """Returns when the server runs, the streams are there, and the permissions are those of the law."""
        await self.server.start()
        try:
            await self.keeper.start()
            await self._control.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._control.stop()
        await self.keeper.stop()
        await self.server.stop()

    async def _answer(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        if verb != "listen":
            return {"error": {"kind": "request", "message": f"the broker knows no {verb!r}"}}
        listen = str(args.get("listen", ""))
        try:
            if listen and listen != self.server.listen:
                await self.server.restart(listen=listen)
        except BusError as error:
            return {"error": {"kind": "broker", "message": str(error)}}
        return {
            "result": {
                "url": self.server.url,
                "port": self.server.port,
                "listen": self.server.listen,
                "tls": self.server.tls,
                "fingerprint": self.server.certificate_fingerprint,
            }
        }


async def run(settings: Settings, state: State, fleet: str, root: str, *, port: int | None = None) -> None:
    """Until SIGTERM or Ctrl-C."""
    stop = stop_event()
    host = BrokerHost(settings, state, fleet, root, port=port)
    await host.start()
    log.info("broker ready at %s", host.server.url)
    try:
        await stop.wait()
    finally:
        await asyncio.shield(host.stop())
