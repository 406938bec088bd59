"""The pipe between an assistant and the server, for clients that are wrong in every way that a pipe allows.

The SDK's own transport keeps a line whole in memory however long it is, goes on reading while nobody reads its answers,
and waits for its blocked threads when it should end. Here a line has a length, what is read waits for what is written,
and each direction has a thread that no exit waits for. Nothing else of this process can write between the messages:
descriptor 1 leads to standard error meanwhile, and descriptor 0 to nothing.
"""

import asyncio
import logging
import os
import queue
import threading
from typing import Any, cast

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

log = logging.getLogger("roosync.mcp")

LINE = 1 << 20  # bytes of one message; the longest that a tool takes is a letter of 100,000 characters
CHUNK = 1 << 16
AHEAD = 16  # lines that are read before anybody asks for them
UNREAD = 256  # and that are handed on while the client does not take an answer


async def serve(server: MCPServer) -> None:
    """Until the client closes its end."""
    wire = Wire(*_claimed())
    wire.start()
    async with stdio_server(stdin=cast("anyio.AsyncFile[str]", wire), stdout=cast("anyio.AsyncFile[str]", wire)) as (
        reads,
        writes,
    ):
        low = server._lowlevel_server  # as `run_stdio_async` does, which takes no streams
        await low.run(reads, writes, low.create_initialization_options())


class Wire:
    """Lines in and lines out, of two descriptors; used as the two text files that the SDK's transport wants."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._parts: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._written = asyncio.Event()
        self._written.set()
        self._unread = 0  # lines handed on since an answer was taken
        self._over = False

    def start(self) -> None:
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True, name=f"mcp{work.__name__}").start()

    # -- what the SDK's transport calls

    def __aiter__(self) -> "Wire":
        return self

    async def __anext__(self) -> str:
        if self._unread >= UNREAD:
            await self._written.wait()
        line = await self._lines.get()
        if line is None:
            raise StopAsyncIteration
        self._room.release()
        self._unread += not self._written.is_set()
        return line

    async def write(self, text: str) -> None:
        self._written.clear()
        self._parts.put(text.encode("utf-8", "replace"))
        await self._written.wait()

    async def flush(self) -> None:
        """Nothing is kept back."""

    # -- the threads

    def _read(self) -> None:
        held, skipping = bytearray(), False
        while chunk := self._chunk():
            first, *more = chunk.split(b"\n")
            held += b"" if skipping else first
            for part in more:
                if not skipping:
                    self._hand_on(bytes(held))
                held, skipping = bytearray(part), False
            if len(held) > LINE:
                log.error("a message of more than %d bytes is not read", LINE)
                held, skipping = bytearray(), True
        self._tell(self._lines.put_nowait, None)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._incoming, CHUNK)
        except OSError:
            return b""

    def _hand_on(self, line: bytes) -> None:
        if line.strip():
            self._room.acquire()
            self._tell(self._lines.put_nowait, line.decode("utf-8", "replace"))

    def _write(self) -> None:
        while True:
            left = memoryview(self._parts.get())
            try:
                while left and not self._over:
                    left = left[os.write(self._outgoing, left) :]
            except OSError:  # nobody reads any more: the client is gone
                self._over = True
                self._tell(self._lines.put_nowait, None)
            self._tell(self._taken)

    def _taken(self) -> None:
        self._unread = 0
        self._written.set()

    def _tell(self, what: Any, *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            return  # the loop ended before the client did


def _claimed() -> tuple[int, int]:
    """The two descriptors of the client, for us alone."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return incoming, outgoing
