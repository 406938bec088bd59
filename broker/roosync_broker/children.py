"""Starting a child that does not outlive us, and ending one that did after all.

Linux: the kernel ends it (PR_SET_PDEATHSIG, set by a few lines that then become the server). Windows: a job that
closes with our last handle. Elsewhere, and after a power cut, the next start finds it by its note and ends it.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker.private_files import read_private, write_private

# argv: our process id, then the program and its arguments. SIGTERM lets the server close its files.
# The parent may be gone before the request is made, so it is looked at once more afterwards.
_BECOME = """
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl(1, 15, 0, 0, 0)
if os.getppid() != int(sys.argv[1]): sys.exit(143)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Note(Struct, frozen=True):
    """What tells our child from a stranger that later got the same process id."""

    pid: int
    created: float  # seconds since the epoch, as the system tells it
    mark: str  # stands in the child's command line


async def start_child(
    program: Path,
    arguments: list[str],
    output: Any,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start it outside our terminal's group: Ctrl-C reaches us first, and we end it in our own order.

    `environment`: the whole of it, ours without one; `folder`: where it starts, ours without one.
    """
    command = [str(program), *arguments]
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *command]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
        env=environment,
        cwd=folder,
    )
    if sys.platform == "win32":
        _join_job(process.pid)
    return process


async def stop_child(process: asyncio.subprocess.Process, patience: float = 10.0) -> None:
    """Ask it to end, then end it. Returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(patience):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def write_note(path: Path, pid: int, mark: str) -> None:
    with contextlib.suppress(psutil.Error):  # gone already: nothing to note
        note = Note(pid, psutil.Process(pid).create_time(), mark)
        write_private(path, json.encode(note))


def end_leftover(path: Path) -> int | None:
    """End the child that the note names if it still runs and really is ours; its process id, or None."""
    try:
        note = json.decode(read_private(path, 4096), type=Note)
    except (OSError, DecodeError, ValidationError, UnicodeDecodeError):
        return None
    ended: int | None = None
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(note.pid)
        ours = abs(process.create_time() - note.created) < 2 and any(note.mark in word for word in process.cmdline())
        if ours:
            process.terminate()
            try:
                process.wait(10)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(10)
            ended = note.pid
    path.unlink(missing_ok=True)
    return ended


class OneAtATime:
    """A lock that the system releases when its owner ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


_job: Any = None


def _join_job(pid: int) -> None:
    """Windows: put the child into a job that ends with this process (JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)."""
    if sys.platform != "win32":
        return
    import ctypes
    from ctypes import wintypes

    class Basic(ctypes.Structure):
        _fields_ = [
            ("user_time", ctypes.c_int64),
            ("job_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("min_set", ctypes.c_size_t),
            ("max_set", ctypes.c_size_t),
            ("active", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD),
            ("scheduling", wintypes.DWORD),
        ]

    class Extended(ctypes.Structure):
        _fields_ = [("basic", Basic), ("io", ctypes.c_uint64 * 6), ("memory", ctypes.c_size_t * 4)]

    global _job
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.OpenProcess.restype = wintypes.HANDLE
    if _job is None:
        _job = kernel.CreateJobObjectW(None, None)
        limits = Extended()
        limits.basic.flags = 0x2000
        kernel.SetInformationJobObject(wintypes.HANDLE(_job), 9, ctypes.byref(limits), ctypes.sizeof(limits))
    process = kernel.OpenProcess(0x0101, False, pid)  # PROCESS_SET_QUOTA | PROCESS_TERMINATE
    kernel.AssignProcessToJobObject(wintypes.HANDLE(_job), wintypes.HANDLE(process))
    kernel.CloseHandle(wintypes.HANDLE(process))
