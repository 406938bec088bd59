"""The person's terminal: a question is answered by a person who has read it, or not at all.

What was typed before a question was shown is thrown away, and the answer counts only after the keys were quiet for a
moment: a finger that stays on y, or a paste, answers nothing that comes later. A question ends by itself when the key
is locked, and when nobody asks it any more; whoever was about to answer it has time to see that the next is another.
"""

import contextlib
import os
import re
import select
import sys
import time
from collections.abc import Callable
from io import TextIOBase
from typing import TextIO

QUIET = 0.3  # seconds in which nothing is typed, before the prompt is shown
QUIET_AFTER_GONE = 2.5  # the same, where a question vanished that the person may have been about to answer
LOOK = 0.3  # seconds between two looks whether the question is still wanted
MOST_TYPED = 4096
# All that moves the cursor, hides, or makes a terminal answer by itself; colours that are seen pass. Commands make
# hostile text harmless where they show it: this is the second wall, where an answer signs.
_NOT_SHOWN = re.compile(r"\x1b(?!\[(?:0|1|2|3[1-6])m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


class NoAnswerError(KeyboardInterrupt):
    """The question ended without an answer. As Ctrl-C: a command that asks ends there."""


class Tee(TextIOBase):
    """Writes to the terminal, and to `also`; a terminal that hung up is no error.

    It has no file number: a command that redirects its standard output must not take the terminal from the next one.
    """

    def __init__(self, terminal: TextIO, also: Callable[[str], None]) -> None:
        self._terminal, self._also = terminal, also

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("text")  # click asks so whether this takes bytes
        shown = _NOT_SHOWN.sub("", text)
        with contextlib.suppress(OSError):
            self._terminal.write(shown)
        self._also(shown)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._terminal.flush()

    def isatty(self) -> bool:
        return self._terminal.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._terminal.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._terminal.errors


class Keyboard:
    """Answers, a line each. `over` tells whether the key is locked meanwhile, `wanted` whether anybody still asks."""

    def __init__(self, over: Callable[[], bool], wanted: Callable[[], bool]) -> None:
        self._over, self._wanted = over, wanted
        self._gone = False  # did the last question end without an answer?

    def line(self, prompt: str) -> str:
        """Shows the prompt when the keys are quiet, and reads what is typed from then on.

        EOFError for Ctrl-D; NoAnswerError when it is not to be answered; OSError when the terminal is gone.
        """
        quiet = QUIET_AFTER_GONE if self._gone else QUIET
        self._gone = False
        if sys.platform == "win32" or sys.__stdin__ is None:
            return _console_line(prompt, quiet)
        try:
            return self._terminal_line(sys.__stdin__.fileno(), prompt, quiet)
        except NoAnswerError:
            self._gone = True
            raise

    def _terminal_line(self, keys: int, prompt: str, quiet: float) -> str:
        self._settle(keys, quiet)
        _write(prompt)
        data = b""
        while not data.endswith(b"\n"):
            while not select.select([keys], [], [], LOOK)[0]:
                self._look()
            part = os.read(keys, MOST_TYPED)
            if not part:
                raise EOFError
            data += part
        self._look()
        return data.decode("utf-8", "replace")

    def _settle(self, keys: int, quiet: float) -> None:
        import termios

        while True:
            termios.tcflush(keys, termios.TCIFLUSH)
            end = time.monotonic() + quiet
            while (left := end - time.monotonic()) > 0 and not select.select([keys], [], [], left)[0]:
                self._look()
            if left <= 0:
                termios.tcflush(keys, termios.TCIFLUSH)
                return

    def _look(self) -> None:
        if self._over() or not self._wanted():
            raise NoAnswerError


def _write(prompt: str) -> None:
    sys.stdout.write(prompt)
    sys.stdout.flush()


def _console_line(prompt: str, quiet: float) -> str:
    """Windows: what was typed before is thrown away; the question itself waits for the person."""
    if sys.platform == "win32":
        import msvcrt

        time.sleep(quiet)
        while msvcrt.kbhit():
            msvcrt.getwch()
    _write(prompt)
    return sys.__stdin__.readline() if sys.__stdin__ else ""
