"""The agent as a child of `up`: in the release that is in force, and in a new one on trial.

What is to be started is asked of the journal at each start, so it does not matter how the last one ended, or who was
killed meanwhile. A new version that is not well is ended here, and the old one started.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from roosync_agent.running.supervisor import GRACE, Child
from roosync_agent.state import StateError
from roosync_agent.updating.handover import (
    HANDOVER,
    RETURN_FAILED,
    Begin,
    Echo,
    Handover,
    command,
    ended,
    environment,
)
from roosync_agent.updating.journal import Release
from roosync_broker.children import start_child, stop_child

log = logging.getLogger("roosync.up")

BACK_AGAIN = 1.0  # seconds until an old version that did not start is tried again
AGAIN = 5.0  # seconds between two looks whether a journal that could not be written can be now


@dataclass(kw_only=True)
class AgentChild(Child):
    handover: Handover

    async def run(self) -> int | None:
        try:
            return await self._life()
        except StateError as error:  # such as a full disk: what can not be written down is not done, and tried again
            log.error("%s", error)  # noqa: TRY400 (a person reads it)
            await self.stop()
            return await self._meanwhile()

    def last_resort(self, failure: str) -> bool:
        try:
            return self.handover.fall_back(failure)
        except StateError as error:
            log.error("%s", error)  # noqa: TRY400 (a person reads it)
            return False

    async def _life(self) -> int | None:
        begin = self.handover.begin()
        match begin.mode:
            case "trial":
                return await self._on_trial(begin)
            case "return":
                return await self._back(begin)
            case "failed":
                self.gave_up = RETURN_FAILED
                return RETURN_FAILED
        process = await self._begin(begin.release)
        return self._code(await process.wait())

    async def _on_trial(self, begin: Begin) -> int | None:
        journal, echo = begin.journal, Echo()
        assert journal is not None
        log.info("version %s is started on trial, beside %s", journal.version, journal.old.version)
        try:
            process = await self._begin(begin.release, echo)
        except OSError as error:
            self.handover.give_up(journal, f"it could not be started: {error.strerror}")
            return None
        fault = await self.handover.fault(journal, process)
        if not fault:
            self.handover.confirm(journal)
            return self._code(await process.wait())
        await stop_child(process, GRACE)
        self.handover.give_up(journal, fault, await asyncio.to_thread(echo.said))
        return None

    async def _back(self, begin: Begin) -> int | None:
        assert begin.journal is not None
        try:
            process = await self._begin(begin.release)
        except OSError as error:
            log.warning("%s could not be started again: %s", begin.release.version, error)
            await asyncio.sleep(BACK_AGAIN)
            return None  # the next look counts it
        if not await self.handover.lives(process):
            log.warning("%s ended at once, with exit code %s", begin.release.version, process.returncode)
            await asyncio.sleep(BACK_AGAIN)
            return None
        self.handover.returned(begin.journal)
        return self._code(await process.wait())

    async def _meanwhile(self) -> int | None:
        """The version in force runs until there is room: so somebody tells the fleet what is in the way."""
        process = await self._begin(self.handover.running())
        while not await ended(process, AGAIN):
            if self.handover.writable():
                await stop_child(process, GRACE)
                return None
        if process.returncode != HANDOVER:
            await asyncio.sleep(AGAIN)
        return None

    async def _begin(self, release: Release, echo: Echo | None = None) -> asyncio.subprocess.Process:
        program, *words = [*command(release), *self.arguments]
        own = environment(release, "up")
        try:
            self.process = await start_child(Path(program), words, echo and echo.write, environment=own)
        finally:
            if echo is not None:
                echo.begun()
        return self.process

    def _code(self, code: int) -> int | None:
        """An agent that ended because it staged a release did as it should."""
        return None if code == HANDOVER and self.handover.staged else code
