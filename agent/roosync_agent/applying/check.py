"""The person's own check of what was applied: a command of this machine's settings, never of a message."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from roosync_protocol.secrets import scrub

SHOWN = 400  # characters of what it says
READ = 16 * 1024  # bytes of its output that are looked at, from the end


class CheckError(Exception):
    """The check says no, or could not say yes."""


def run_check(command: Sequence[str], timeout: float) -> None:
    """CheckError unless it ends with 0 within `timeout` seconds. What it started is ended with it."""
    if not command:
        return
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the person's own command
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=os.name != "nt",
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CheckError(f"the check could not be run: {reason}") from error
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"the check did not end within {timeout:g} s") from error
        finally:
            _end(process)
        if code != 0:
            output.seek(max(0, output.seek(0, os.SEEK_END) - READ))
            lines = output.read(READ).decode("utf-8", "replace").strip().splitlines()
            raise CheckError(f"the check refuses it: {scrub(lines[-1][:SHOWN]) if lines else 'it gave no reason'}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
