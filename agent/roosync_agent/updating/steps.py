"""One command of a recipe: no shell, bounded time, room and output, and whatever it started is ended with it.

A recipe is the person's own and yet anything: it hangs, leaves a daemon behind, fills the disk, kills who started it.
Each step carries a mark in its environment, noted on the disk first: by it, its children are found wherever they went,
also by the next agent when this one was killed.
"""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from msgspec import Struct

from roosync_agent.characters import harmless
from roosync_agent.state import State, StateError
from roosync_agent.updating.releases import size_of
from roosync_broker.children import start_child
from roosync_protocol.secrets import scrub

NOTE = "run/update-step.json"
MARK = "_ROOSYNC_UPDATE_STEP"
LOOK = 0.25  # seconds between two looks at the disk; looks that take long are made less often
OUTPUT = 64 * 1024 * 1024  # bytes that a step may print
READ = 64 * 1024  # bytes of its output that are looked at, from the end
LINES, WIDTH = 50, 300  # of them, what is kept
GONE = 2.0  # seconds that processes which were killed may take to go
ROUNDS = 5  # of looking for processes that were begun while others were ended
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)")


class StepError(Exception):
    """A step failed, or had to be ended; `log` is what it said last."""

    def __init__(self, reason: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.log = log


@dataclass(frozen=True, kw_only=True)
class Bounds:
    timeout: float  # seconds of one step
    reserve: int  # bytes that stay free on the disk
    limit: int  # bytes that the release may take


class _Note(Struct, frozen=True):
    pid: int
    mark: str


class Steps:
    """Runs the steps of one release, one after the other, in `folder`."""

    def __init__(self, state: State, folder: Path, environment: Mapping[str, str], bounds: Bounds) -> None:
        self._state, self.folder, self.environment, self._bounds = state, folder, dict(environment), bounds
        self._output = state.folder / "releases" / "step.log"

    async def run(
        self,
        words: Sequence[str],
        *,
        shown: str = "",
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        makes: Path | None = None,
    ) -> tuple[str, ...]:
        """The last lines it printed. StepError when it fails or passes a bound; it and its children are gone then.

        `shown`: the command as an error names it. `makes`: what it fills and is measured, when that is not the release.
        """
        makes = makes or self.folder
        shown = shown or _shown(words)
        own = dict(self.environment if environment is None else environment)
        program = found(words[0], self.folder, own)
        if fault := await asyncio.to_thread(self._too_large, makes):
            raise StepError(f"nothing was begun: {fault}")
        mark = secrets.token_hex(16)
        with contextlib.suppress(FileNotFoundError):
            self._output.unlink()
        descriptor = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        pid = 0
        try:
            self._state.write(NOTE, _Note(pid, mark))
            process = await start_child(
                program, list(words[1:]), descriptor, environment=own | {MARK: mark}, folder=folder or self.folder
            )
            pid = process.pid
            self._state.write(NOTE, _Note(pid, mark))
            fault = await self._watched(process, makes)
        except OSError as error:
            raise StepError(f"{shown} could not be started: {error.strerror}") from error
        finally:
            os.close(descriptor)
            await asyncio.shield(asyncio.to_thread(end_marked, pid, mark, ours=bool(pid)))
            said = self._said()
            for path in (self._output, self._state.folder / NOTE):  # it may hold secrets
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
        fault = fault or await asyncio.to_thread(self._too_large, makes)  # it may have been quicker than any look
        if fault:
            why = f": {telling(said)}" if said and fault.startswith("ended") else ""
            raise StepError(f"{shown} {fault}{why}", said)
        return said

    async def _watched(self, process: asyncio.subprocess.Process, makes: Path) -> str:
        """Waits for its end; why it failed or may not go on, "" when all is well."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self._bounds.timeout, LOOK
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause, max(0.0, end - loop.time()))):
                    code = await process.wait()
                    return f"ended with exit code {code}" if code else ""
            if loop.time() >= end:
                return f"did not end within {self._bounds.timeout:g} s and was ended"
            looked = loop.time()
            if fault := await asyncio.to_thread(self._too_large, makes):
                return fault
            pause = max(LOOK, 5 * (loop.time() - looked))

    def _too_large(self, makes: Path) -> str:
        bounds, free = self._bounds, shutil.disk_usage(self._output.parent).free
        if free < bounds.reserve:
            return f"left only {_mb(free)} of the disk free, and {_mb(bounds.reserve)} are kept (disk_reserve_mb)"
        if (size := size_of(makes)) > bounds.limit:
            what = "made a release of" if makes == self.folder else "fetched"
            return f"{what} more than {_mb(bounds.limit)} (it had {_mb(size)}; release_limit_mb)"
        with contextlib.suppress(FileNotFoundError):
            if self._output.stat().st_size > OUTPUT:
                return f"printed more than {_mb(OUTPUT)}"
        return ""

    def _said(self) -> tuple[str, ...]:
        """Its last lines, harmless to show and without secrets."""
        try:
            with self._output.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - READ))
                return last_lines(file.read(READ))
        except OSError:
            return ()


def last_lines(data: bytes) -> tuple[str, ...]:
    """The last lines of an output: escapes of terminals are taken out, secrets hidden, what is long is cut."""
    plain = scrub(_ESCAPES.sub("", data.decode("utf-8", "replace")))
    lines = (harmless(line)[:WIDTH] for line in re.split(r"[\r\n]+", plain) if line.strip())
    return tuple(lines)[-LINES:]


def telling(lines: Sequence[str]) -> str:
    """The line of an output that says why it failed: advice may stand behind it. The last one when none is marked."""
    return next((line for line in reversed(lines) if line.lower().startswith(("fatal:", "error:"))), lines[-1])


def end_leftover(state: State) -> bool:
    """Ends what a step of an agent that was killed left running. True when there may have been something."""
    try:
        note = state.read(NOTE, _Note)
    except StateError:
        note = None
    if note is None:
        return False
    end_marked(note.pid, note.mark)
    with contextlib.suppress(FileNotFoundError):
        (state.folder / NOTE).unlink()
    return True


def end_marked(pid: int, mark: str, *, ours: bool = False) -> None:
    """Ends a step with its process group and all that carries its mark, wherever it went.

    `ours`: it was our child until now, so nobody else has its number. Who leaves its group and drops the mark, stays.
    """
    me = os.getpid()
    for _ in range(ROUNDS):
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError, ValueError):
                if process.pid != me and process.environ().get(MARK) == mark:
                    found.append(process)
        if hasattr(os, "killpg") and (ours or any(process.pid == pid for process in found)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if not found:
            return
        patience = time.monotonic() + GONE
        while any(map(_lives, found)) and time.monotonic() < patience:
            time.sleep(0.02)


def _lives(process: psutil.Process) -> bool:
    """One that nobody has taken note of yet holds nothing any more."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def found(program: str, folder: Path, environment: Mapping[str, str]) -> Path:
    """A name is looked for on the absolute part of PATH; a path counts from the release's folder. StepError."""
    if os.path.dirname(program):  # noqa: PTH120 - a bare name has none
        return folder / program
    path = [one for one in environment.get("PATH", os.defpath).split(os.pathsep) if Path(one).is_absolute()]
    known = shutil.which(program, path=os.pathsep.join(path))
    if known is None:
        raise StepError(f"there is no {harmless(program)} on the PATH of the agent; install it, or name its whole path")
    return Path(known)


def _shown(words: Sequence[str]) -> str:
    """The command in an error: whose arguments may hold a secret."""
    return scrub(harmless(" ".join([Path(words[0]).name, *words[1:]])))[:200]


def _mb(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB"
