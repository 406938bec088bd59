"""What `roosync doctor --mend` does: small, on this computer, looked at again just before. It signs nothing.

A finding that is `safe` has a mend in MENDS. Anything else is a command that the person runs.
"""

import stat
from collections.abc import Callable
from pathlib import Path

from roosync_agent.operations.doctoring.findings import Finding
from roosync_agent.operations.doctoring.patient import own
from roosync_agent.state import State
from roosync_broker import keys
from roosync_broker.children import OneAtATime

SHUT = 0o077  # what others may: nothing
NOT_WRITTEN = 0o022


class MendError(RuntimeError):
    """It can not be mended here; nothing was changed."""


def mend(finding: Finding, state: State) -> str:
    """Does it, and says what was done. MendError when it may not be done, OSError when the system refuses."""
    return MENDS[finding.kind](Path(finding.path), state)


def _permissions(path: Path, state: State) -> str:
    if path.is_symlink() or not own(path):
        raise MendError(f"{path} is a link, or belongs to another account: that is left to you")
    before = stat.S_IMODE(path.stat().st_mode)
    inside = path == state.folder or path.is_relative_to(state.folder)
    config = path.suffix == ".toml" or path.name == "targets"
    after = before & ~(NOT_WRITTEN if config or (not inside and path.is_dir()) else SHUT)
    path.chmod(after)
    return f"{path}: mode {before:04o} is {after:04o} now"


def _socket(path: Path, state: State) -> str:
    """Under the lock of the agent: one that starts at this moment makes its own."""
    lock = OneAtATime(state.run / "agent.lock")
    if not lock.acquire():
        raise MendError("an agent runs on this folder now, so the socket is not left over")
    try:
        if not path.is_socket() or not own(path):
            raise MendError(f"{path} is no socket of this account any more")
        path.unlink()
    finally:
        lock.release()
    return f"{path} is gone"


MENDS: dict[str, Callable[[Path, State], str]] = {"permissions": _permissions, "socket": _socket}


def seal_operator_key(state: State, passphrase: str) -> str:
    """Puts the operator's plain key under a passphrase. KeyFileError when it is none, or the passphrase is empty."""
    text = keys.load(state.operator_key)
    if keys.sealed_public(text) is not None:
        raise MendError("the key has a passphrase already")
    sealed = keys.seal(text, passphrase)
    if keys.unseal(sealed, passphrase) != text.strip():
        raise MendError("the sealed key does not open again; the file was left as it is")
    keys.save(state.operator_key, sealed)
    return f"{state.operator_key} is sealed; nobody can recover the passphrase"
