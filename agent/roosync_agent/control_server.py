"""The agent's side of the control socket (`control`): one request and one answer, each a line of JSON."""

import asyncio
import contextlib
import json
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from roosync_agent.control import endpoint, require_private
from roosync_broker.private_files import write_private

LIMIT = 64 * 1024 * 1024  # bytes of one line

Answer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class ControlServer:
    """The agent's side. One agent for each state folder: a second one is refused."""

    def __init__(self, state: Path, answer: Answer) -> None:
        self._state = state
        self._answer = answer
        self._token = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        if hasattr(socket, "AF_UNIX"):
            path = endpoint(self._state)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            require_private(path.parent)
            path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, str(path), limit=LIMIT)
            path.chmod(0o600)
            return
        self._token = secrets.token_hex(32)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT)
        port = self._server.sockets[0].getsockname()[1]
        write_private(self._state / "run" / "control.token", self._token.encode())
        write_private(self._state / "run" / "control.port", str(port).encode())

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        endpoint(self._state).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 10)
            answer = await self._handle(line)
            writer.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, OSError, ValueError, asyncio.LimitOverrunError):
            pass  # a caller that went away, or said too much; the next one is served
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _handle(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            verb, args, token = str(request["verb"]), dict(request.get("args") or {}), str(request.get("token", ""))
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": {"kind": "request", "message": "the request is not understood"}}
        if not secrets.compare_digest(token, self._token):
            return {"error": {"kind": "request", "message": "the token of the control socket is wrong"}}
        return await self._answer(verb, args)
