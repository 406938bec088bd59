"""The control socket: commands ask the resident agent, which already holds a connection and the live view.

One request and one answer, each a line of JSON, over a Unix socket in a 0700 folder; where there are
none (Windows), over loopback with a token that only the owner can read. The client side imports the
standard library only: `roosync status` must answer in a tenth of a second (7-faces).
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

LIMIT = 64 * 1024 * 1024  # bytes of one line
LONGEST_PATH = 100  # a Unix socket's path has at most 103 (macOS) to 107 bytes

Answer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class NobodyThereError(OSError):
    """No resident agent answers on this state folder."""


def endpoint(state: Path) -> Path:
    """Where the socket of this state folder is: in it, or in a private short-named folder when that is too long."""
    path = state / "run" / "control.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    owner = os.getuid() if hasattr(os, "getuid") else 0
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"roosync-{owner}" / f"{digest}.sock"


def ask(state: Path, verb: str, args: dict[str, Any], timeout: float = 60.0) -> dict[str, Any]:
    """The agent's answer. NobodyThereError when there is none; TimeoutError when it does not answer in time."""
    with _connect(state, timeout) as connection:
        request = json.dumps({"verb": verb, "args": args, "token": _token(state)})
        connection.sendall(request.encode() + b"\n")
        parts = []
        while chunk := connection.recv(1 << 16):
            parts.append(chunk)
            if chunk.endswith(b"\n"):
                break
    if not parts:
        raise NobodyThereError("the agent closed the connection without an answer")
    answer = json.loads(b"".join(parts))
    if not isinstance(answer, dict):
        raise NobodyThereError("the agent's answer is not understood")
    return answer


def _connect(state: Path, timeout: float) -> socket.socket:
    path = endpoint(state)
    try:
        if hasattr(socket, "AF_UNIX"):
            _require_private(path.parent)
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout)
            connection.connect(str(path))
            return connection
        port = int((state / "run" / "control.port").read_text("ascii"))
        return socket.create_connection(("127.0.0.1", port), timeout)
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        raise NobodyThereError(str(error)) from error


def _token(state: Path) -> str:
    """Empty where the folder's permissions do the work."""
    if hasattr(socket, "AF_UNIX"):
        return ""
    return (state / "run" / "control.token").read_text("ascii")


def _require_private(folder: Path) -> None:
    """In a folder for temporary files somebody else may have made ours first."""
    if not hasattr(os, "getuid"):
        return
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is not private to this user")


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
            _require_private(path.parent)
            path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, str(path), limit=LIMIT)
            path.chmod(0o600)
            return
        self._token = secrets.token_hex(32)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT)
        from roosync_broker.private_files import write_private

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
