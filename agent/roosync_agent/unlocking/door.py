"""Where others ask: a socket for this user alone, words in, what became of them out. A thread each, few of them.

The asker is looked up, not believed: which process it is and who started it, where the system tells that; what it says
of itself is shown as its own claim. Nothing that comes in here can do more than put a question.
"""

import contextlib
import json
import os
import queue
import secrets
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from roosync_agent.characters import shell_word
from roosync_agent.running.control import endpoint, require_private
from roosync_agent.unlocking.asking import NAME, Answer
from roosync_agent.unlocking.desk import Desk, Outlet, Question
from roosync_agent.unlocking.rules import Asked, NotAskedForError
from roosync_broker.private_files import write_private

MOST_OPEN = 64  # askers at once
LIMIT = 1 << 20  # bytes of a request
PATIENCE = 5.0  # seconds for an asker to say its line, and to take one of ours
LOOK = 0.2  # seconds between two looks whether an asker is still there
FOREBEARS = 3  # that are named: the shell, and what started it
NAME_SHOWN = 60  # characters of each
_FILES = ("token", "port")
CLAIM = 120  # characters of what an asker says of itself
BUSY = "too much waits there already: the person answers one question after the other"


class Door:
    def __init__(self, state: Path, desk: Desk, where: dict[str, Any], read: Callable[[Sequence[str]], Asked]) -> None:
        """`where`: told to each asker, so that it can say where the person is asked. `read`: `rules.read`."""
        self._state, self._desk, self._where = state, desk, where
        self._read = read
        self._token = ""
        self._room = threading.BoundedSemaphore(MOST_OPEN)
        self._listener: socket.socket | None = None

    def open(self) -> None:
        if hasattr(socket, "AF_UNIX"):
            path = endpoint(self._state, NAME)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            require_private(path.parent)
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            path.chmod(0o600)
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            self._token = secrets.token_hex(32)
            write_private(self._state / "run" / f"{NAME}.token", self._token.encode())
            write_private(self._state / "run" / f"{NAME}.port", str(listener.getsockname()[1]).encode())
        listener.listen(MOST_OPEN)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        if self._listener is not None:
            for path in (endpoint(self._state, NAME), *(self._state / "run" / f"{NAME}.{end}" for end in _FILES)):
                path.unlink(missing_ok=True)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            if self._room.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            else:
                with connection, contextlib.suppress(OSError):
                    _send(connection, _answer(Answer("busy", BUSY)))

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
                connection.settimeout(PATIENCE)
                self._answered(connection, json.loads(_line(connection)))
        finally:
            self._room.release()

    def _answered(self, connection: socket.socket, request: dict[str, Any]) -> None:
        if not isinstance(request, dict) or not isinstance(request.get("words"), list):
            return
        if not secrets.compare_digest(str(request.get("token", "")).encode("utf-8", "replace"), self._token.encode()):
            return
        who = asker_of(connection)
        if who is None:
            return
        try:
            asked = self._read([str(word) for word in request["words"]])
        except NotAskedForError as error:
            why = f"{error}; the person runs it in a terminal, where the passphrase is asked for"
            _send(connection, _answer(Answer("refused", why)))
            return
        outlet = Outlet(request.get("stays") is True, lambda: _gone(connection))
        question = Question(asked, who, str(request.get("asker", ""))[:CLAIM])
        before = self._desk.put(question, outlet)
        if before is None:
            _send(connection, _answer(Answer("busy", BUSY, asked.command)))
            return
        heard = False
        try:
            _send(connection, {"queued": self._where | {"before": before, "command": asked.command}})
            heard = _sent(connection, outlet)
        finally:
            self._desk.leave(question, outlet, heard=heard)


def _sent(connection: socket.socket, outlet: Outlet) -> bool:
    """Every line as it comes, until the answer; False, or OSError, when the asker is gone before it."""
    while True:
        try:
            line = outlet.lines.get(timeout=LOOK)
        except queue.Empty:
            if _gone(connection):
                return False
            continue
        _send(connection, line)
        if "answer" in line:
            return True


def _line(connection: socket.socket) -> bytes:
    data, end = b"", time.monotonic() + PATIENCE  # for all of it: a byte now and then holds no place
    while not data.endswith(b"\n"):
        connection.settimeout(max(end - time.monotonic(), 0.001))
        chunk = connection.recv(1 << 16)
        if not chunk or len(data) > LIMIT:
            raise ValueError("no request")
        data += chunk
    connection.settimeout(PATIENCE)
    return data


def _send(connection: socket.socket, line: dict[str, Any]) -> None:
    connection.sendall(json.dumps(line).encode() + b"\n")


def _answer(answer: Answer) -> dict[str, Any]:
    return {"answer": {name: getattr(answer, name) for name in Answer.__dataclass_fields__}}


def _gone(connection: socket.socket) -> bool:
    """Nothing is taken away. May be asked from two threads."""
    try:
        return bool(select.select([connection], [], [], 0)[0]) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):  # closed on this side
        return True


def asker_of(connection: socket.socket) -> str | None:
    """The process at the other end, with those that started it; "" where the system does not tell; None: not ours."""
    if connection.family != getattr(socket, "AF_UNIX", None):
        return ""  # it had the token
    if sys.platform == "linux":
        pid, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return _told_of(pid) if user == os.getuid() else None
    if sys.platform == "darwin":
        return _told_of(connection.getsockopt(0, 2))  # SOL_LOCAL, LOCAL_PEERPID; the folder keeps others out
    return ""


def _told_of(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        names = [f"{name_of(process)} (pid {pid})"]
        names += [f"{name_of(one)} ({one.pid})" for one in process.parents()[:FOREBEARS] if one.pid > 1]
    except psutil.Error:
        return f"pid {pid}"
    return " < ".join(names)


def name_of(process: psutil.Process) -> str:
    """What a person would call it: of an interpreter the script or module that it runs.

    A process calls itself what it likes, so what is no plain word stands in quotes: it can not pose as a chain.
    """
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        if words and Path(words[0]).name.startswith(("python", "node")):
            script = next((Path(word).name for word in words[1:] if not word.startswith("-")), "")
            return " ".join(shell_word(word[:NAME_SHOWN]) for word in (Path(words[0]).name, script) if word)
    return shell_word(process.name()[:NAME_SHOWN])
