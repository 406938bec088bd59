"""The terminal while it is ours: a screen of its own, keys as they are typed, signals; given back whatever happens.

Another screen is entered and left with the terminal's own sequences, so what stood there before comes back. It is
given back before every end (also by a signal, or an error), for a command that a person talks with, and by Ctrl-Z.
"""

import atexit
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from roosync_agent.cli.watch.keys import OF_WINDOWS, Keys

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # a screen of its own, no cursor, no folding of what is too wide
LEAVE = "\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"
FALLBACK = (80, 24)  # columns and lines of a terminal that does not say
ESCAPE = 0.05  # seconds in which the rest of a sequence follows
LOOK = 0.05  # seconds between two looks at the keyboard of Windows, which can not be waited for with others
WINDOWS = sys.platform == "win32"


class ClosedError(OSError):
    """The terminal is gone."""


class Terminal:
    """Standard input and output, which are a terminal. `wake` may be called from any thread, or a signal's handler."""

    def __init__(self) -> None:
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._encoding = sys.stdout.encoding or "ascii"
        self._keys = Keys()
        self._before: Any = None  # how the terminal was
        self._handlers: dict[int, Any] = {}
        self._wakeup = -1
        self._shown: list[str] | None = None
        self._reader, self._writer = os.pipe()
        if not WINDOWS:
            os.set_blocking(self._writer, False)

    def __enter__(self) -> "Terminal":
        for name, handler in (("SIGWINCH", self._resized), ("SIGTSTP", self._stopped), ("SIGCONT", self._resized),
                              ("SIGTERM", _ended), ("SIGHUP", _ended), ("SIGQUIT", _ended)):  # fmt: skip
            if hasattr(signal, name):
                number = getattr(signal, name)
                self._handlers[number] = signal.signal(number, handler)
        if not WINDOWS:  # a signal that comes just before we wait ends the waiting too
            self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        atexit.register(self.give_back)
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()
        atexit.unregister(self.give_back)
        if not WINDOWS:
            signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    # -- whose it is

    def take(self) -> None:
        if WINDOWS:
            _understand_sequences()
            self._before = True
        else:
            import termios
            import tty

            try:
                self._before = self._before or termios.tcgetattr(self._in)
                tty.setcbreak(self._in, termios.TCSANOW)
            except termios.error as error:
                raise ClosedError(str(error)) from error
        self._shown = None
        self._write(ENTER)

    def give_back(self) -> None:
        """As it was before; may be called again, and when the terminal is gone."""
        before, self._before = self._before, None
        if before is None:
            return
        with contextlib.suppress(OSError):
            self._write(LEAVE)
        if not WINDOWS:
            import termios

            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._in, termios.TCSANOW, before)

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Somebody else has it meanwhile. What was typed before they asked anything answers no question of theirs."""
        self.give_back()
        forget_typed(self._in)
        stop = signal.signal(signal.SIGTSTP, signal.SIG_DFL) if hasattr(signal, "SIGTSTP") else None
        try:
            yield
        finally:
            if stop is not None:
                signal.signal(signal.SIGTSTP, stop)
            self.take()

    # -- what is shown

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        try:
            columns, lines = os.get_terminal_size(self._out)
        except OSError:
            return FALLBACK
        return columns or FALLBACK[0], lines or FALLBACK[1]

    def paint(self, lines: Sequence[str]) -> None:
        """Shows these lines, and nothing else; each must fit."""
        if (shown := list(lines)) != self._shown:
            self._shown = shown  # first: a signal in the middle of writing says that nothing is shown any more
            self._write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in shown) + "\x1b[J")

    def redraw(self) -> None:
        """Something else may have written here."""
        self._shown = None
        self._write("\x1b[2J")

    def _write(self, text: str) -> None:
        data = text.encode(self._encoding, "replace")
        while data:
            try:
                data = data[os.write(self._out, data) :]
            except BlockingIOError:
                time.sleep(LOOK)
            except OSError as error:
                raise ClosedError(str(error)) from error

    # -- what happens

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is woken already
            os.write(self._writer, b".")

    def typed(self) -> list[str]:
        """Waits for a key, or until woken: then there may be none. ClosedError when the terminal is gone."""
        if WINDOWS:
            return self._keys_of_windows()
        ready, _, _ = select.select([self._in, self._reader], [], [], ESCAPE if self._keys.waiting else None)
        if self._reader in ready:
            os.read(self._reader, 1 << 12)
        if self._in not in ready:
            return [] if ready else self._keys.settle()
        try:
            data = os.read(self._in, 1 << 12)
        except OSError as error:
            raise ClosedError(str(error)) from error
        if not data:
            raise ClosedError("the terminal is closed")
        return self._keys.fed(data)

    def _keys_of_windows(self) -> list[str]:
        import msvcrt

        keyboard: Any = msvcrt
        while not keyboard.kbhit():
            if select_pipe_of_windows(self._reader):
                return []
            time.sleep(LOOK)
        char = keyboard.getwch()
        if char in "\x00\xe0":
            return [OF_WINDOWS[name]] if (name := keyboard.getwch()) in OF_WINDOWS else []
        if char == "\x03":
            raise KeyboardInterrupt
        return self._keys.fed(char.encode()) or self._keys.settle()

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self._shown = None
        self.wake()

    def _stopped(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z: given back, stopped for real, and taken again when the person goes on."""
        self.give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._stopped)
        self.take()
        self.wake()


def forget_typed(descriptor: int) -> None:
    if not WINDOWS:
        import termios

        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(descriptor, termios.TCIFLUSH)


def _ended(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def select_pipe_of_windows(descriptor: int) -> bool:
    """Is there something in this pipe? It is taken out. `select` knows only sockets there."""
    if WINDOWS and os.fstat(descriptor).st_size:
        os.read(descriptor, 1 << 12)
        return True
    return False


def _understand_sequences() -> None:
    """The console of Windows understands a terminal's sequences when it is asked to."""
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - it is there on Windows alone
    kernel.SetConsoleMode(kernel.GetStdHandle(-11), 7)
