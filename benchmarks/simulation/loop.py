"""An event loop with virtual time: nothing waits, and what happens next depends on the seed alone.

Each task belongs to a `Life`, one run of a process. A life ends between any two steps of its tasks: from then on none
of them is stepped again, no `finally` runs, nothing is released. That is a crash, and not a cancellation.
"""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

LIFE: "contextvars.ContextVar[Life | None]" = contextvars.ContextVar("life", default=None)


class Stalled(RuntimeError):
    """Everybody waits and no timer is left: a deadlock."""


class Life:
    """One run of one process."""

    def __init__(self, name: str, on_death: Callable[[], None]) -> None:
        self.name = name
        self.alive = True
        self.left: int | None = None  # steps until it crashes
        self.frozen = False  # stopped by the system, or asleep: what is due waits
        self.due: list[tuple[contextvars.Context, Callable[..., object], tuple[Any, ...]]] = []
        self._on_death = on_death

    def step(self) -> bool:
        """Before each step of a task, and at each write to its disk: may it still be made?"""
        if self.alive and self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.end()
        return self.alive

    def end(self) -> None:
        if self.alive:
            self.alive = False
            self._on_death()


class VirtualLoop(asyncio.BaseEventLoop):
    """`slow()` gives the seconds that work in a thread takes; the work itself runs here, in one piece."""

    def __init__(self, slow: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__()
        self._now = 1_000.0
        self._selector = self
        self._slow = slow
        self.steps = 0
        self.kept: list[asyncio.Task[Any]] = []  # a task that nobody holds would be closed at a moment of chance
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stalled("everybody waits, and no timer is left")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nothing sleeps that had to be woken."""

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        life = LIFE.get() if context is None else context.get(LIFE)
        return super().call_soon(self._step, life, callback, args, context=context)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        life = LIFE.get() if context is None else context.get(LIFE)
        return super().call_at(when, self._step, life, callback, args, context=context)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = super().create_task(coro, **options)
        self.kept.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        future = self.create_future()

        def run() -> None:
            if future.done():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - as a thread would hand it over
                future.set_exception(error)

        self.call_later(self._slow(), run)
        return future

    def _step(self, life: Life | None, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.steps += 1
        if life is not None and life.frozen:
            life.due.append((contextvars.copy_context(), callback, args))
        elif life is None or life.step():
            callback(*args)

    def thaw(self, life: Life) -> None:
        """What was due meanwhile happens now, in its order."""
        life.frozen, due = False, life.due
        life.due = []
        for context, callback, args in due:
            self.call_soon(callback, *args, context=context)


def in_life(life: Life, start: Callable[[], Any]) -> Any:
    """Calls `start` as a part of this life: the tasks that it makes belong to it."""
    context = contextvars.copy_context()
    context.run(LIFE.set, life)
    return context.run(start)
