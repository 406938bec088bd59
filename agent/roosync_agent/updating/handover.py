"""From the old agent to the new one and, if that is not well, back: the part of whoever starts agents.

It runs in the old code, outside of what is replaced, and works from the journal alone: whatever was killed at whatever
moment, the next look at it says which release is to be started now, and whether on trial. The broker is not touched.
"""

import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from roosync_agent.running import control
from roosync_agent.state import State, StateError
from roosync_agent.updating import journal as journals
from roosync_agent.updating.journal import Journal, Release
from roosync_agent.updating.releases import Releases
from roosync_agent.updating.steps import READ, last_lines
from roosync_protocol import __version__
from roosync_protocol.versions import at_least, same

log = logging.getLogger("roosync.up")

HANDOVER = 79  # exit code of an agent that staged a release: whoever starts agents goes on
RETURN_FAILED = 4  # exit code of `up`: the new version was not well, and the old one does not start any more
SUPERVISOR = "_ROOSYNC_SUPERVISOR"  # tells an agent who starts it again: "up" or "service"; unset: nobody who can
HEALTH = "update_health"  # the verb by which an agent on trial says how it is: every version answers it
TRIES = 3  # starts of a new version that something else ended, such as a power cut
RETURNS = 3  # starts of the old one, after the first that was asked for
LEAVE_WITHIN = 30.0  # seconds that an agent has to end by itself
LOOK = 0.1  # seconds between two questions
ANSWERS = 2.0  # seconds for an answer
PROVEN = timedelta(hours=1)  # after which a version that fails is not taken back any more: it worked
STEADY = 10.0  # seconds after which an old version that does not answer, and lives, counts as back

INSTALLED = Release(version=__version__)


class Begin(Struct, frozen=True):
    """What is to be started now."""

    release: Release
    mode: Literal["normal", "trial", "return", "failed"] = "normal"  # failed: the old one does not start either
    journal: Journal | None = None


class Handover:
    def __init__(self, state: State) -> None:
        self._state = state
        self.releases = Releases(state)

    def begin(self) -> Begin:
        """What to start, by the journal; the step that this is stands in it when this returns. StateError: disk."""
        journal = journals.read_or_none(self._state)
        if journal is not None and (journal.phase == "trying" or journals.due(journal)):
            new = journal.new
            if new is None or not self.releases.there(new):
                return self._back(journal, "its release is gone from the disk")
            if journal.phase == "trying" and journal.tries >= TRIES:
                return self._back(journal, f"it was started {journal.tries} times, and never got well")
            return Begin(new, "trial", self._to(journal, "trying"))
        if journal is not None and journal.phase == "returning":
            if journal.tries > RETURNS:
                log.error("version %s was not well, and %s does not start again", journal.version, journal.old.version)
                return Begin(journal.old, "failed", self._to(journal, "return_failed"))
            return self._back(journal, "")
        return Begin(self.running())

    @property
    def staged(self) -> bool:
        journal = journals.read_or_none(self._state)
        return journal is not None and journals.due(journal)

    def writable(self) -> bool:
        """Can a step be written down, after one could not? Beside the journal, which the agent may write meanwhile."""
        try:
            self._state.write(journals.PROBE, journals.read_or_none(self._state))
        except StateError:
            return False
        (self._state.folder / journals.PROBE).unlink(missing_ok=True)
        return True

    def running(self) -> Release:
        """The release in force: what is installed, until an update was confirmed; or when that is the newer one."""
        try:
            current = self.releases.current()
        except StateError as error:
            log.error("%s What is installed is started.", error)  # noqa: TRY400 (a person reads it)
            return INSTALLED
        if current is None or not at_least(current.running.version, __version__):
            return INSTALLED
        if not self.releases.there(current.running):
            log.error("release %s is gone from %s; what is installed is started", current.running.version,
                      self.releases.folder)  # fmt: skip
            return INSTALLED
        return current.running

    def confirm(self, journal: Journal) -> Journal:
        """The new version is the one in force from now on."""
        assert journal.new is not None
        self.releases.set_current(journal.new, journal.old)
        log.info("version %s is well, and in force", journal.version)
        return self._to(journal, "confirmed")

    def give_up(self, journal: Journal, reason: str, said: tuple[str, ...] = ()) -> Journal:
        """The new version is not well: the old one is started next. `said`: its last lines, which may tell why."""
        if said and "ended" in reason:
            reason = f"{reason}: {said[-1]}"
        log.warning("version %s goes back to %s: %s", journal.version, journal.old.version, reason)
        return self._to(journal, "returning", reason=reason, log=said)

    def fall_back(self, failure: str) -> bool:
        """A version that was confirmed a while ago, and does not keep running: does the old one run instead?"""
        journal = journals.read_or_none(self._state)
        if journal is None or journal.phase != "confirmed" or self.running() != journal.new:
            return False
        if datetime.now(UTC) - journal.moments.get("confirmed", journal.began) > PROVEN:
            return False
        self.give_up(journal, f"it was well at first, and then did not keep running: {failure}")
        return True

    def returned(self, journal: Journal) -> Journal:
        return self._to(journal, "returned")

    def _back(self, journal: Journal, reason: str) -> Begin:
        """Starts the old version; what was in force stays so, also when a crash came after it was replaced."""
        journal = self.give_up(journal, reason) if reason else self._to(journal, "returning")
        try:
            current = self.releases.current()
        except StateError:
            current = None
        if current is not None and current.running == journal.new:
            self.releases.set_current(journal.old, None)
        return Begin(journal.old, "return", journal)

    def _to(self, journal: Journal, phase: journals.Phase, **more: Any) -> Journal:
        return journals.write(self._state, journal.to(phase, datetime.now(UTC), **more))

    # -- how the agent that was started is

    async def fault(self, journal: Journal, process: asyncio.subprocess.Process) -> str:
        """Waits until the new version is well ("") or is not going to be: why. Well is: it is there with the version
        that is wanted, read the journal, is connected, and took a turn."""
        loop = asyncio.get_running_loop()
        end, said = loop.time() + journal.health_timeout, "it did not answer"
        while loop.time() < end:
            if await ended(process, LOOK):
                return f"it ended with exit code {process.returncode}"
            health = await asyncio.to_thread(self._asked)
            if "version" not in health:
                said = str(health.get("why", said))
            elif not same(str(health["version"]), journal.version):
                return f"it says that it is version {str(health['version'])[:80]}"
            elif health.get("campaign") != journal.campaign:
                said = "it knows nothing of this campaign"
            elif not health.get("connected"):
                said = "it does not reach the broker"
            elif not health.get("turns"):
                said = "it took no turn to its end"
            else:
                return ""
        return f"it was not well within {journal.health_timeout:g} s: {said}"

    async def lives(self, process: asyncio.subprocess.Process) -> bool:
        """Is the old version back? It need not reach the broker, which may be what was wrong."""
        loop = asyncio.get_running_loop()
        end = loop.time() + STEADY
        while loop.time() < end:
            if await ended(process, LOOK):
                return False
            if "version" in await asyncio.to_thread(self._asked):
                return True
        return True

    def _asked(self) -> Mapping[str, Any]:
        try:
            answer = control.ask(self._state.folder, HEALTH, {}, ANSWERS)
        except (OSError, ValueError) as error:
            return {} if isinstance(error, control.NobodyThereError) else {"why": "it hangs"}
        found = answer.get("result")
        if isinstance(found, dict):
            return found
        error_ = answer.get("error")
        return {"why": str(error_.get("message", ""))[:200]} if isinstance(error_, dict) else {}


def leave(stop: asyncio.Event) -> None:
    """Ends an agent that staged a release: cleanly, and if something in it hangs, all the same."""
    stop.set()
    last = threading.Timer(LEAVE_WITHIN, os._exit, (HANDOVER,))
    last.daemon = True
    last.start()


def command(release: Release) -> list[str]:
    # -P: with -m alone the current folder, which may be anybody's repository, would be searched for modules first
    return list(release.start) or [sys.executable, "-P", "-m", "roosync_agent"]


def environment(release: Release, supervisor: str) -> dict[str, str]:
    return dict(os.environ) | dict(release.environment) | {SUPERVISOR: supervisor}


async def ended(process: asyncio.subprocess.Process, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            await process.wait()
    except TimeoutError:
        return False
    return True


class Echo:
    """Passes a child's output on to ours, and keeps the end of it: the reason why it did not start."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        self._kept = b""
        self._thread = threading.Thread(target=self._pass_on, name="echo", daemon=True)

    def begun(self) -> None:
        """The child has its end; ours closes, so that its end is ours too."""
        os.close(self.write)
        self._thread.start()

    def said(self) -> tuple[str, ...]:
        """The last lines of a child that ended, as a person reads them."""
        self._thread.join(1.0)
        return tuple(map(_message, last_lines(self._kept)))

    def _pass_on(self) -> None:
        with os.fdopen(self._read, "rb", buffering=0) as source:
            while data := source.read(READ):
                self._kept = (self._kept + data)[-READ:]
                try:
                    sys.stderr.buffer.write(data)
                    sys.stderr.flush()
                except (OSError, ValueError, AttributeError):  # nobody listens; it is kept all the same
                    continue


def _message(line: str) -> str:
    """The text of a line that is JSON, as agents log off a terminal: nobody looked at it in that spelling yet."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(found, dict):
        return line
    return " ".join(last_lines(str(found.get("message", line)).encode("utf-8", "replace")))
