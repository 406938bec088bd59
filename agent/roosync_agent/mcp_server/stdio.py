"""Serving one assistant on standard input and output, until it closes them or a signal comes.

What anything here prints goes to standard error (`wire` moves the descriptors), so the wire stays clean. Threads that
wait for somebody can not be woken: after a signal the process ends without them.
"""

import logging
import os
from collections.abc import Iterator

import anyio

from roosync_agent.mcp_server import wire
from roosync_agent.mcp_server.server import build
from roosync_agent.running.reaching import finish
from roosync_agent.running.signals import stop_event

FINISH_WITHIN = 20.0  # seconds for what this process itself is writing: a journal finishes it otherwise


def serve() -> None:
    """Returns when standard input ended or the assistant went away; ends the process with 130 after a signal."""
    logging.getLogger().setLevel(logging.WARNING)
    os.environ["LANGUAGE"] = "en"  # as `--json`: what a program reads is English
    try:
        anyio.run(_serve)
    except BaseExceptionGroup as group:
        if not all(isinstance(one, OSError) for one in _leaves(group)):
            raise


async def _serve() -> None:
    server = build()
    async with anyio.create_task_group() as group:
        group.start_soon(_end_by_signal)
        await wire.serve(server)
        group.cancel_scope.cancel()


async def _end_by_signal() -> None:
    await stop_event().wait()
    await anyio.to_thread.run_sync(finish, FINISH_WITHIN)
    os._exit(130)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one
