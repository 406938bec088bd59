"""Ending tasks for certain.

One `cancel()` is not enough: up to Python 3.11 `asyncio.wait_for`, with which nats-py flushes, loses a cancellation
that comes in the same moment as its result (cpython issue 86296), and the task goes on for ever.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN = 1.0  # seconds until a task that is still there is cancelled once more


async def end(tasks: Iterable["asyncio.Task[Any]"], *, again: float = AGAIN) -> None:
    """Cancels the tasks, again and again, until all have ended. What they raised is of no interest any more."""
    given = [task for task in tasks if task is not asyncio.current_task()]
    left = {task for task in given if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again)
    for task in given:
        if not task.cancelled():
            task.exception()
