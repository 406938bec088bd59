"""The side that asks: a command in another terminal, or an assistant's tool, puts words to where the key is unlocked.

Lines of JSON over a socket beside the agent's, `unlock.sock`. The words go there; what comes back is what became of
them, and never a signature or a key. Imports little: each signing command looks first whether anybody is there.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from roosync_agent.running.control import connect, token

NAME = "unlock"  # of the socket
AT_ONCE = 5.0  # seconds in which the words are taken, or turned away
Outcome = Literal["done", "declined", "failed", "nobody", "busy", "waiting", "refused"]
NOBODY = "no key is unlocked here: `roosync unlock`, in a terminal of the person's"


@dataclass(frozen=True)
class Answer:
    """What became of the words.

    done: the person said yes, and it was signed (`code` may still be 3, 4 or 5)    failed: an error, told in `says`
    declined: the person said no    nobody: no key is unlocked    busy: too much waits there already
    waiting: not answered yet; the question stays    refused: these words can not be asked for
    """

    outcome: Outcome
    says: str = ""  # what the command said after the question, or why there is no answer; plain text
    command: str = ""  # as a person would type it
    code: int = 0  # the exit code of the command
    values: list[Any] = field(default_factory=list)  # its answers, as --json prints them
    error: dict[str, str] | None = None  # {"kind", "message"}


def unlocked(state: Path) -> bool:
    """Is a key of this state folder unlocked in some process at this moment?"""
    try:
        connect(state, 1.0, NAME).close()
    except OSError:
        return False
    return True


def ask_to_sign(
    state: Path,
    words: Sequence[str],
    *,
    asker: str,
    wait: float | None,
    stays: bool = True,
    told: Callable[[dict[str, Any]], None] | None = None,
    opened: Callable[[socket.socket], None] | None = None,
) -> Answer:
    """Asks the person at the terminal of `roosync unlock` to run one command, `words` as on the command line.

    `asker`: who asks, in a few words; shown to the person as its own claim. `wait`: seconds for the answer, None as
    long as it takes. `stays`: the question stays when this side goes away (after `wait`: asked again with the same
    words, its answer is waited for again). `told` hears {"queued": ...} once, and then {"text", "err"} as they come.
    `opened` is given the connection: who shuts it down from another thread ends the waiting.
    """
    end = None if wait is None else time.monotonic() + wait
    command = ""
    try:
        connection = connect(state, AT_ONCE, NAME)
    except OSError:
        return Answer("nobody", NOBODY)
    with connection:
        try:
            if opened is not None:
                opened(connection)
            request = {"words": list(words), "asker": asker, "stays": stays, "token": token(state, NAME)}
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # turned away; it says why
                connection.sendall(json.dumps(request).encode() + b"\n")
            for line in _lines(connection, end):
                if "answer" in line:
                    return Answer(**line["answer"])
                command = line["queued"]["command"] if "queued" in line else command
                if told is not None:
                    told(line)
        except TimeoutError:
            if command:
                return Answer("waiting", "nobody answered yet; the question stays where the key is unlocked", command)
        except (OSError, ValueError, TypeError, KeyError):
            pass
    if not command:
        return Answer("nobody", "the process that holds the key did not take the question; nothing was signed")
    lost = "the process that held the key ended in the middle: `roosync history` tells what was signed"
    return Answer("failed", lost, command)


def _lines(connection: socket.socket, end: float | None) -> Iterator[dict[str, Any]]:
    """Each line as it comes; TimeoutError at `end`. The first one has to come at once."""
    rest = b""
    first = True
    while True:
        left = None if end is None else max(end - time.monotonic(), 0.001)
        connection.settimeout(min(AT_ONCE, left or AT_ONCE) if first else left)
        chunk = connection.recv(1 << 16)
        if not chunk:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        first = first and not whole
        for line in whole:
            found = json.loads(line)
            if not isinstance(found, dict):
                raise ValueError("not understood")  # noqa: TRY004 - a stranger's line, no fault of ours
            yield found
