"""Small private files of this room (keys, certificates, the broker's users): 0600, whole or not at all.

Windows has no modes; there the folder in the user's profile keeps others out.
"""

import contextlib
import os
import tempfile
from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make the folder, for the owner only (0700)."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def write_private(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Replace `path` with `data`: a reader sees the old bytes or the new ones, also after a power cut.

    Not `sync`: the disk may have it later; until `sync_private` says otherwise, a power cut may leave neither.
    """
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    if sync:
        sync_folder(path.parent)


def sync_private(path: Path) -> None:
    """What was written without `sync` is on the disk when this returns; its folder is another matter."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def read_private(path: Path, limit: int) -> bytes:
    """At most `limit` bytes; OSError when there are more."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{path} has more than {limit} bytes")
    return data


def sync_folder(path: Path) -> None:
    """Make a rename in this folder survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
