"""The control socket: commands ask the resident agent, which already holds a connection and the live view.

One request and one answer, each a line of JSON, over a Unix socket in a 0700 folder; where there are
none (Windows), over loopback with a token that only the owner can read. This is the side that asks, and it
imports little, and only of the standard library: `roosync status` must answer in a tenth of a second
(7-faces). The agent's side is `control_server`.
"""

import json
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST_PATH = 100  # a Unix socket's path has at most 103 (macOS) to 107 bytes
LOOK_AFTER = 5.0  # seconds without an answer; then it is asked whether the agent answers anything at all
AGAIN = 0.02  # seconds before a caller that was not let in knocks again
AT_ONCE = 10.0  # seconds in which an agent that turns refuses an empty line, on a busy machine too


class NobodyThereError(OSError):
    """No resident agent answers on this state folder."""


class HangsError(TimeoutError):
    """The agent is there and answers nothing, not even at once: its process is stopped, or hangs."""


def endpoint(state: Path, name: str = "control") -> Path:
    """Where the socket `name` of this state folder is: in it, or in a private folder of a short name when too long."""
    path = state / "run" / f"{name}.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    import hashlib

    owner = os.getuid() if hasattr(os, "getuid") else 0
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
    short = f"{digest}.sock" if name == "control" else f"{digest}-{name}.sock"
    return Path("/tmp") / f"roosync-{owner}" / short  # noqa: S108 - TMPDIR may differ between a service and a shell


def ask(
    state: Path,
    verb: str,
    args: dict[str, Any],
    timeout: float = 60.0,
    opened: Callable[[socket.socket], None] = lambda _: None,
) -> dict[str, Any]:
    """The agent's answer, waited for `timeout` seconds. `opened` is given the connection: who shuts it down ends this.

    NobodyThereError when there is none; TimeoutError when it does not answer in time; HangsError, long before that,
    when it answers nothing else either.
    """
    parts: list[bytes] = []
    try:
        with connect(state, timeout) as connection:
            opened(connection)
            request = json.dumps({"verb": verb, "args": args, "token": token(state)})
            connection.sendall(request.encode() + b"\n")
            if timeout > LOOK_AFTER and not _begins(connection, LOOK_AFTER):
                _require_alive(state)
            while chunk := connection.recv(1 << 16):
                parts.append(chunk)
                if chunk.endswith(b"\n"):
                    break
        if not parts:
            raise NobodyThereError("the agent closed the connection without an answer")
        answer = json.loads(b"".join(parts))
    except HangsError:
        raise
    except TimeoutError as error:
        raise TimeoutError(f"the agent did not answer {verb!r} within {timeout:g} s") from error
    except (ConnectionError, ValueError) as error:  # it ended meanwhile
        raise NobodyThereError(f"the agent did not finish its answer: {error}") from error
    if not isinstance(answer, dict):
        raise NobodyThereError("the agent's answer is not understood")
    return answer


def _begins(connection: socket.socket, seconds: float) -> bool:
    """Is there something to read within so long? Nothing is taken away."""
    return bool(select.select([connection], [], [], seconds)[0])


def _require_alive(state: Path) -> None:
    """An empty line is refused at once by an agent that turns at all, however long another answer takes it."""
    try:
        with connect(state, AT_ONCE) as connection:
            connection.sendall(b"\n")
            connection.recv(1)
    except TimeoutError as error:
        raise HangsError(
            "the agent of this machine is there and answers nothing: its process is stopped, or hangs. "
            f"`roosync doctor` says what wakes or ends that `roosync up` or `roosync agent` (of {state}); then start "
            "it again: what it was writing is finished or put back then"
        ) from error


def resident(state: Path) -> bool:
    """Does an agent run on this state folder? It may still be on its way to the broker."""
    try:
        connect(state, 1.0).close()
    except OSError:
        return False
    return True


def connect(state: Path, timeout: float, name: str = "control") -> socket.socket:
    """A connection to whoever listens under `name`. NobodyThereError, TimeoutError."""
    path = endpoint(state, name)
    try:
        if hasattr(socket, "AF_UNIX"):
            require_private(path.parent)
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.settimeout(timeout)
                _reach(connection, str(path), timeout)
            except BaseException:
                connection.close()
                raise
            return connection
        port = int((state / "run" / f"{name}.port").read_text("ascii"))
        return socket.create_connection(("127.0.0.1", port), timeout)
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        raise NobodyThereError(str(error)) from error


def _reach(connection: socket.socket, path: str, timeout: float) -> None:
    """Linux refuses at once, and not after a while, when too many callers wait to be let in: it is tried again."""
    end = time.monotonic() + timeout
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError("too many callers wait there already") from None
            time.sleep(AGAIN)


def token(state: Path, name: str = "control") -> str:
    """What a request has to carry. Empty where the folder's permissions do the work."""
    if hasattr(socket, "AF_UNIX"):
        return ""
    return (state / "run" / f"{name}.token").read_text("ascii")


def require_private(folder: Path) -> None:
    """In a folder for temporary files somebody else may have made ours first."""
    if not hasattr(os, "getuid"):
        return
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is not private to this user: remove it, or name a shorter ROOSYNC_STATE")
