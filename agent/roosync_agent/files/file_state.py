"""What was seen at a path, and in which words a file is refused.

The errors here are the disk's or its owner's matter, never a defect of ours: each names the file and the reason, so
that a person can act on it. Nothing here opens or writes a file; that is the door's (`files`).
"""

import errno
import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal

WORDS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.ELOOP: "symbolic links form a loop",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of its path is not a folder",
    errno.EBUSY: "the file is in use",
    errno.EIO: "the disk reports an error",
}


class FileRefusedError(Exception):
    """A file that can not be read or written, with the reason in words: the disk's or its owner's matter, not ours."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class FileBusyError(FileRefusedError):
    """Somebody else holds the file: nothing was changed, try again later."""


FileKind = Literal["file", "folder", "other", "missing"]


@dataclass(frozen=True)
class FileState:
    """What was seen at a path at one moment. `data` is None when it was only looked at, or is no file."""

    path: Path  # as spelled by who asked
    real_path: Path  # after every symbolic link; of a link to nowhere: where it points
    kind: FileKind
    data: bytes | None = field(default=None, repr=False)  # may hold secrets
    size: int = 0
    mode: int = 0  # permission bits only
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    device: int = 0
    links: int = 1
    owner: tuple[int, int] = (-1, -1)  # user id, group id
    dangling: bool = False  # missing, and the path is a symbolic link that points there

    @property
    def exists(self) -> bool:
        return self.kind != "missing"

    @property
    def fingerprint(self) -> tuple[str, int, int, int, int, int]:
        """What changes when somebody writes the file: cheap to compare, no byte read."""
        return (str(self.real_path), self.mtime_ns, self.ctime_ns, self.size, self.inode, self.device)

    @cached_property
    def sha256(self) -> str | None:
        """Of the bytes on this disk (they may hold secrets: this hash is never published); None without bytes."""
        return None if self.data is None else sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Tree:
    """The files below a folder: relative names with `/`, and what could not be listed, with the reason."""

    names: tuple[str, ...]
    faults: tuple[tuple[str, str], ...] = ()


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """OSErrors of the block become FileRefusedError, with the reason in words."""
    try:
        yield
    except FileRefusedError:
        raise
    except OSError as error:
        busy = error.errno == errno.EBUSY or getattr(error, "winerror", 0) in (32, 33)
        reason = WORDS.get(error.errno or 0) or error.strerror or str(error)
        raise (FileBusyError if busy else FileRefusedError)(path, reason) from error
    except (RuntimeError, ValueError) as error:  # resolve() of a loop before Python 3.13; a NUL in the name
        reason = "symbolic links form a loop" if isinstance(error, RuntimeError) else "no valid file name"
        raise FileRefusedError(path, reason) from error


def state_of(path: Path, real: Path, info: os.stat_result) -> FileState:
    kind: FileKind = "file" if modes.S_ISREG(info.st_mode) else "folder" if modes.S_ISDIR(info.st_mode) else "other"
    return FileState(
        path=path,
        real_path=real,
        kind=kind,
        size=info.st_size,
        mode=modes.S_IMODE(info.st_mode),
        mtime_ns=info.st_mtime_ns,
        ctime_ns=info.st_ctime_ns,
        inode=info.st_ino,
        device=info.st_dev,
        links=info.st_nlink,
        owner=(getattr(info, "st_uid", -1), getattr(info, "st_gid", -1)),
    )


def require_file(state: FileState, limit: int) -> None:
    if state.kind == "folder":
        raise FileRefusedError(state.path, "it is a folder, not a file")
    if state.kind != "file":
        raise FileRefusedError(state.path, "it is not a regular file")
    if state.size > limit:
        raise FileRefusedError(state.path, f"it has {state.size} bytes, more than the limit of {limit}")
