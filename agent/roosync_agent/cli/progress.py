"""A bar on standard error for what lasts longer than a second: on a terminal, and not with --json.

Nothing is imported, and nothing written, before that second is over; most commands end before. A bar that can not be
drawn is left out: no command fails of it.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.wording import mark, tr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0  # seconds until it is worth a bar
# What a question to the agent is about, in words; the others are waited for all the same.
OF_VERBS = {
    "collect": mark("Reading this machine's files"),
    "publish": mark("Publishing this machine's package"),
    "apply": mark("Applying"),
    "apply_decision": mark("Applying"),
    "compare": mark("Comparing"),
    "export": mark("Writing the founding formats"),
    "import_share": mark("Taking in the shared folder"),
    "decisions_settled": mark("Waiting for the machines"),
    "requests_settled": mark("Waiting for the machines"),
    "ping": mark("Waiting for the machines"),
}


_drawn: list["Bar"] = []  # one at a time: a question within something longer is part of it


def wanted() -> bool:
    """Does somebody look who can see it?"""
    seen = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return seen and "--json" not in sys.argv


def asking(verb: str) -> "Bar":
    """While the agent answers."""
    return Bar(tr(OF_VERBS[verb]) if verb in OF_VERBS else tr("Waiting for the agent"))


class Bar:
    """`with Bar("Applying", total=20) as bar: bar.at(3)`. Without a total it shows only that something goes on."""

    def __init__(self, text: str, total: int | None = None) -> None:
        self._text, self._total, self._done = text, total, 0
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._shown: Progress | None = None
        self._task: TaskID | None = None
        self._over = False

    def __enter__(self) -> "Bar":
        if wanted() and not _drawn:
            _drawn.append(self)
            self._timer = threading.Timer(PATIENCE, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._over = True
            if self._shown is not None:
                self._shown.stop()
                self._shown = None
        if self in _drawn:
            _drawn.remove(self)

    def at(self, done: int, text: str = "", total: int | None = None) -> None:
        """So many of the total are done; `text`: what is being done now."""
        with self._lock:
            self._done, self._text, self._total = done, text or self._text, total or self._total
            if self._shown is not None and self._task is not None:
                self._shown.update(self._task, completed=done, description=self._text, total=self._total)

    def say(self, line: str) -> None:
        """A line of the answer itself, on standard output: the bar makes room for it."""
        with self._aside():
            click.echo(line)

    @contextlib.contextmanager
    def _aside(self) -> Iterator[None]:
        with self._lock:
            shown = self._shown
            if shown is not None:
                shown.stop()
            try:
                yield
            finally:
                if shown is not None:
                    shown.start()

    def _show(self) -> None:
        with contextlib.suppress(Exception):
            made = _made()
            with self._lock:
                if self._over:
                    return
                self._task = made.add_task(self._text, total=self._total, completed=self._done)
                made.start()
                self._shown = made


def _made() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    what: list[Any] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=max(1, min(40, console.width - 30))),
    ]
    if console.width >= 40:
        what.append(TimeElapsedColumn())
    return Progress(*what, console=console, transient=True, redirect_stdout=False, refresh_per_second=5)
