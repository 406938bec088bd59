"""`roosync up`: broker and agent as children of one process; whoever dies is started again.

Children are told to stop in the reverse order of their start, so the agent can say its last words while
the broker still listens. A child that keeps failing at once is not hidden: its last words are shown. One that says
itself that only a person can help (a port taken, a key that can not be read) is not started a second time.
Which release of the agent is started, and when on trial, is told by `agent_child`.
"""

import asyncio
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from roosync_agent.running.signals import stop_event
from roosync_broker.children import start_child, stop_child
from roosync_broker.tasks import end

log = logging.getLogger("roosync.up")

GRACE = 15.0  # seconds a child has to stop by itself
STEADY = 10.0  # seconds after which a child counts as running well
HOPELESS = 78  # exit code of a part that can not run before a person changed something (EX_CONFIG of sysexits.h)
GIVE_UP = 5  # failures in a row, each at once, after which `up` ends with an error


@dataclass
class Child:
    """One part of the process tree."""

    name: str
    arguments: list[str]
    failures: int = 0
    steady: bool = False  # it ran well once: then what is in its way may go again
    process: asyncio.subprocess.Process | None = None
    gave_up: int = 0  # the exit code of all, when this part says itself that it can not go on

    async def start(self) -> None:
        # -P: with -m alone the current folder, which may be anybody's repository, would be searched for modules first
        command = ["-P", "-m", "roosync_agent", *self.arguments]
        self.process = await start_child(Path(sys.executable), command, None)

    async def run(self) -> int | None:
        """Its whole life: the exit code; None when it is to be started again at once, and nothing failed."""
        await self.start()
        assert self.process is not None
        return await self.process.wait()

    def last_resort(self, failure: str) -> bool:
        """Asked before it is given up: is there another way to run this part? Then it is started again."""
        return False

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            await stop_child(self.process, GRACE)


async def supervise(children: list[Child]) -> int:
    """Runs until a signal, or until a child can not be kept alive. Returns the exit code."""
    stop = stop_event()
    failed = asyncio.Event()
    tasks = [asyncio.create_task(_keep(child, stop, failed)) for child in children]
    ends = [asyncio.create_task(stop.wait()), asyncio.create_task(failed.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await end((*tasks, *ends))
    for child in reversed(children):
        await child.stop()
    return max((child.gave_up for child in children), default=0) or int(failed.is_set())


async def _keep(child: Child, stop: asyncio.Event, failed: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        began = loop.time()
        try:
            code = await child.run()
        except OSError as error:  # no memory, no processes left
            log.warning("%s could not be started: %s", child.name, error)
            code = 127
        except Exception:
            log.exception("%s failed in an unexpected way", child.name)
            await child.stop()
            code = 1
        if stop.is_set():
            return
        if child.gave_up:
            failed.set()
            return
        if code is None:
            continue
        ran_well = loop.time() - began > STEADY
        child.steady |= ran_well
        child.failures = 0 if ran_well else child.failures + 1
        hopeless = code == HOPELESS and not child.steady
        if (hopeless or child.failures >= GIVE_UP) and child.last_resort(f"it ended with exit code {code}"):
            child.failures = 0
            continue
        if hopeless:
            log.error("the %s can not run: change what its error says, then `roosync up` again", child.name)
            failed.set()
            return
        if child.failures >= GIVE_UP:
            log.error(
                "%s ended %d times at once (last exit code %d); giving up. Its errors say why: then `roosync up` again",
                child.name,
                child.failures,
                code,
            )
            failed.set()
            return
        log.warning("%s ended with exit code %d and is started again", child.name, code)
        await asyncio.sleep(min(0.2 * 2**child.failures, 5.0))
