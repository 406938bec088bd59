"""Who watches a resource is told when it changed: woken by the agent's own facts, and never twice for the same.

One question waits at the agent (`operations.waiting`) for as long as anybody is connected, so nothing is asked of the
broker, and nothing at all happens while nothing changes. After a change what may be read is read again and compared:
only what is really different is told, whatever woke us, and it is told as a level, so a burst is one notification.

Clients of both eras of the protocol are served: `resources/subscribe` on a connection of the handshake, which the SDK
leaves to its user, and the streams of `subscriptions/listen`, which the SDK serves from a bus.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp_types import INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from roosync_agent.mcp_server.desk import Office
from roosync_agent.mcp_server.resources import DECISION, FIXED, LETTER, Reader, known
from roosync_agent.running import control
from roosync_agent.running.reaching import Withdrawal
from roosync_protocol.digest import digest

log = logging.getLogger("roosync.mcp")

WAIT = 240.0  # seconds that a question waits at the agent
AGAIN = (2.0, 5.0, 15.0)  # seconds after which an agent that is not there is looked for; the last one repeats
REST = (0.2, 10.0)  # seconds between two looks, at least; and at most, where a look takes long
MOST = 500  # resources that one connection may subscribe to
SLOW = 5.0  # seconds for a client to take one notification
MOVING = frozenset({"timestamp", "lastUpdate", "last_seen"})  # fields that differ each time, and say nothing new


class Watchers(InMemorySubscriptionBus):
    """The connections of the handshake era, and beside them the streams that the SDK keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: dict[Connection, set[str]] = {}  # -> what it subscribed to
        self.somebody = anyio.Event()

    def subscribe(self, listener: Any) -> Any:
        self.somebody.set()
        return super().subscribe(listener)

    def joined(self, connection: Connection) -> None:
        if connection not in self.connections:
            self.connections[connection] = set()
            connection.exit_stack.callback(self.connections.pop, connection, None)
        self.somebody.set()

    @property
    def anybody(self) -> bool:
        return bool(self.connections or self._listeners)

    async def tell(self, updated: list[str], listed: bool) -> None:
        """Everybody what concerns them; a client that does not read is passed over."""
        async with anyio.create_task_group() as group:
            for connection, wanted in list(self.connections.items()):
                group.start_soon(self._tell, connection, [uri for uri in updated if uri in wanted], listed)
        for uri in updated:
            await self.publish(ResourceUpdated(uri))
        if listed:
            await self.publish(ResourcesListChanged())

    async def _tell(self, connection: Connection, uris: list[str], listed: bool) -> None:
        with anyio.move_on_after(SLOW):
            for uri in uris:
                await connection.send_resource_updated(uri)
            if listed:
                await connection.send_resource_list_changed()


class Notifying:
    """The middleware for subscriptions, and the task that follows the agent (`running`)."""

    def __init__(self, office: Office, watchers: Watchers) -> None:
        self._resident, self._watchers = Resident(office), watchers
        self._seen: dict[str, str] | None = None  # digest of each resource as it was told last

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return await call_next(ctx)
        if ctx.method in ("resources/subscribe", "resources/unsubscribe") and ctx.request_id is not None:
            return self._subscribe(ctx)
        answer = await call_next(ctx)
        if ctx.method == "notifications/initialized":
            self._watchers.joined(_connection(ctx))
        if ctx.method == "initialize" and isinstance(answer, dict):
            answer["capabilities"]["resources"] = {"subscribe": True, "listChanged": True}
        return answer

    def _subscribe(self, ctx: ServerRequestContext[Any, Any]) -> HandlerResult:
        uri = (ctx.params or {}).get("uri")
        if not isinstance(uri, str) or not known(uri):
            raise MCPError(
                code=INVALID_PARAMS, message="there is no such resource; resources/list gives those there are"
            )
        connection = _connection(ctx)
        if connection not in self._watchers.connections:
            raise MCPError(code=INVALID_PARAMS, message="the connection is not initialized")
        wanted = self._watchers.connections[connection]
        if ctx.method == "resources/unsubscribe":
            wanted.discard(uri)
        elif len(wanted) >= MOST:
            raise MCPError(code=INVALID_PARAMS, message=f"{MOST} subscriptions are all that one connection may have")
        else:
            wanted.add(uri)
        return {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the agent for as long as this is entered: the lifespan of the server."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._follow)
            try:
                yield
            finally:
                group.cancel_scope.cancel()

    # -- inside

    async def _follow(self) -> None:
        mark, away = "", 0
        while True:
            if not self._watchers.anybody:
                mark, self._seen = "", None
                self._watchers.somebody = anyio.Event()
                await self._watchers.somebody.wait()
            try:
                change = await self._resident.ask_for(
                    "wait_change", WAIT, since=mark, whole=False, wait=WAIT if mark else 0.0
                )
                if not mark or change["everything"] or change["kinds"]:
                    await self._rest_after(self._look, missed=away > 0 and self._seen is None)
                mark, away = str(change["mark"]), 0
            except Exception as error:  # noqa: BLE001 - no agent, an older one, a fault of ours: tools go on
                log.debug("changes are not told at this moment: %r", error)
                await anyio.sleep(AGAIN[min(away, len(AGAIN) - 1)])
                mark, away = "", away + 1

    async def _look(self, *, missed: bool) -> None:
        """Reads again what there is, and tells what is different; all of it when something was `missed` before."""
        reader = self._resident
        now = {one.uri: _digest(await reader.ask(one.verb, **one.args)) for one in FIXED}
        now |= {f"{DECISION}{row['id']}": _digest(row) for row in await reader.open_decisions()}
        now |= {f"{LETTER}{row['from']}/{row['id']}": _digest(row) for row in await reader.letters()}
        before, self._seen = {} if missed else self._seen, now
        if before is not None and before != now:
            changed = sorted(uri for uri in {*before, *now} if before.get(uri) != now.get(uri))
            await self._watchers.tell(changed, listed=before.keys() != now.keys())

    async def _rest_after(self, look: Callable[..., Awaitable[None]], **args: Any) -> None:
        """A look, and then none for four times as long as it took: what comes meanwhile is one change."""
        began = time.monotonic()
        await look(**args)
        await anyio.sleep(min(max(REST[0], 4 * (time.monotonic() - began)), REST[1]))


class Resident(Reader):
    """Asks the resident agent and nobody else: to look for changes, no process takes the place of one."""

    async def ask(self, verb: str, **args: Any) -> Any:
        return await self.ask_for(verb, 30.0, **args)

    async def ask_for(self, verb: str, seconds: float, **args: Any) -> Any:
        """The answer, from an agent that has `seconds` for it. OSError, ValueError, LookupError without one."""
        withdrawal = Withdrawal()
        state = self._office.settings().state
        ask = partial(control.ask, state, verb, args, seconds + 30.0, withdrawal.hold)
        try:
            answer = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
        except BaseException:
            withdrawal.withdraw()
            raise
        return answer["result"]


def _connection(ctx: ServerRequestContext[Any, Any]) -> Connection:
    """What outlives the request. The SDK hands out only a session for each request."""
    return ctx.session._connection


def _digest(value: Any) -> str:
    """Of what is said in it, and not of when."""
    if isinstance(value, dict) and isinstance(value.get("text"), str) and value["text"].startswith("{"):
        value = msgspec.json.decode(value["text"])
    return digest(_settled(value))


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _settled(one) for name, one in value.items() if name not in MOVING}
    return [_settled(one) for one in value] if isinstance(value, list) else value
