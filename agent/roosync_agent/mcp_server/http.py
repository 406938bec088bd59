"""The server over HTTP, for assistants that call an address: on this computer alone, and with a token.

Whoever reaches the address may do what the tools do, so it is asked for a token that only its owner can read, on a
loopback address. A web page in the person's browser reaches loopback too, under its own name or under one that it
points here (DNS rebinding): requests with another `Host`, or with any `Origin`, are refused. Sessions, bodies and
connections are bounded.
"""

import asyncio
import contextlib
import hmac
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import anyio
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from roosync_agent.mcp_server.strangers import Strangers
from roosync_agent.running.signals import stop_event

# What an ASGI application is: asgi.readthedocs.io, "Applications".
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("roosync.mcp")

PORT = 7317
PATH = "/mcp"
MOST_SESSIONS = 64
IDLE = 1800.0  # seconds after which a session that nobody uses ends
BODY = 1 << 20  # bytes, as a line over stdio
CONNECTIONS = 256  # strangers among them (`strangers.MOST`)
GRACE = 3  # seconds that open answers have at the end


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


class Guarded:
    """The application for whoever has the token; nothing else is looked at before. `end` ends every open answer."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()
        self._open: set[anyio.CancelScope] = set()
        self.strangers = Strangers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope.get("headers", ()) if name == b"authorization"]
        if scope["type"] == "http" and len(given) == 1 and hmac.compare_digest(given[0], self._wanted):
            self.strangers.known(scope.get("client"))
            await self._served(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(send)

    def end(self) -> None:
        """Streams of notifications would go on for ever otherwise."""
        for one in list(self._open):
            one.cancel()

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        with anyio.CancelScope() as cut:
            self._open.add(cut)
            try:
                await self._app(scope, receive, answer)
            finally:
                self._open.discard(cut)
        if cut.cancelled_caught:
            await answer.finish()


class _Answer:
    """What is sent, so that an answer that was cut can be ended in order."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._over = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        self._over = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def finish(self) -> None:
        if not self._begun:
            await self._send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        if not self._over:
            await self._send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send) -> None:
    told = b'{"error": "the token of `roosync mcp --http` is missing or wrong"}\n'
    headers = [
        (b"content-type", b"application/json"),
        (b"www-authenticate", b"Bearer"),
        (b"content-length", b"%d" % len(told)),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": told})


def application(server: MCPServer, listening: socket.socket, token: str) -> Guarded:
    """What is served on `listening`."""
    host, port = listening.getsockname()[:2]
    names = {host, "localhost", "127.0.0.1"} if ":" not in host else {f"[{host}]", "localhost"}
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        host=host,
        max_sessions=MOST_SESSIONS,
        session_idle_timeout=IDLE,
        max_request_body_size=BODY,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[f"{name}:{port}" for name in sorted(names)],
            allowed_origins=[],  # no web page
        ),
    )
    return Guarded(app, token)


async def serve(server: MCPServer, listening: socket.socket, token: str) -> None:
    """Until the first signal, or until cancelled."""
    app = application(server, listening, token)
    config = uvicorn.Config(
        app,
        http=app.strangers.protocol(),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
        server_header=False,
    )
    serving = _Quiet(config)
    stop = stop_event()
    stopping = asyncio.create_task(stop.wait())
    running = asyncio.create_task(serving.serve(sockets=[listening]))
    try:
        await asyncio.wait([stopping, running], return_when=asyncio.FIRST_COMPLETED)
        serving.should_exit = True
        app.end()
        await running
    finally:
        stopping.cancel()
        listening.close()


class _Quiet(uvicorn.Server):
    """Leaves the signals to us: the first one is a clean end, and not an error to be raised again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
