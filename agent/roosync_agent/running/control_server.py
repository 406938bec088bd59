"""The agent's side of the control socket (`control`): one request and one answer, each a line of JSON."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from roosync_agent.running.control import endpoint, require_private
from roosync_broker.private_files import write_private

log = logging.getLogger("roosync.control")

LIMIT = 64 * 1024 * 1024  # bytes of one line
PATIENCE = 10.0  # seconds a caller has to say its line

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
            if path.is_relative_to(self._state) and path.parent.stat().st_uid == os.getuid():
                path.parent.chmod(0o700)  # made by hand, or unpacked from a backup
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
            answer = await self._answered(reader)
            writer.write(
                json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
            )
            await writer.drain()
        except (TimeoutError, OSError):
            pass  # a caller that went away; the next one is served
        except asyncio.CancelledError:
            return  # the agent ends while somebody waits, who sees the connection close; Python 3.11 calls it a fault
        except Exception:
            log.exception("a request could not be answered")
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _answered(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        try:
            line = await asyncio.wait_for(reader.readline(), PATIENCE)
        except ValueError:  # longer than the limit
            return {"error": {"kind": "request", "message": f"the request has more than {LIMIT} bytes"}}
        return await self._handle(line)

    async def _handle(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            verb, args, token = str(request["verb"]), dict(request.get("args") or {}), str(request.get("token", ""))
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": {"kind": "request", "message": "the request is not understood"}}
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            return {"error": {"kind": "request", "message": "the token of the control socket is wrong"}}
        return await self._answer(verb, args)
