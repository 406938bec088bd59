"""A folder that others wrote, read with limits: nothing is followed out of it, and what is left out has a reason.

RooSync 2 ran on Windows with PowerShell and editors of every kind, so a text may be UTF-8 with a mark, UTF-16, or
Windows-1252. How it was read is told.
"""

import codecs
from pathlib import Path
from typing import Any

import msgspec

from roosync_agent.files.door import RealDoor
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.files.safe_names import safe_relative
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_protocol.depth import too_deep
from roosync_protocol.entity import Skipped
from roosync_protocol.secrets import find_secrets, scrub

FILE_LIMIT = 8 * 1024 * 1024  # bytes of one file
TOTAL_LIMIT = 64 * 1024 * 1024  # bytes that one import reads: to look for secrets takes about a second for each MiB
NAMES_LIMIT = 5_000  # of one folder
TOLD = 1_000  # things left out that are named one by one

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Share:
    """The folder, and what was left out of it so far."""

    def __init__(self, root: Path) -> None:
        self.skipped: list[Skipped] = []
        self.notes: list[str] = []
        self._door, self._read = RealDoor(), 0
        try:
            state = self._door.stat(root)
        except FileRefusedError as error:
            raise RefusedRequestError(str(error)) from error
        if state.kind != "folder":
            raise RefusedRequestError(
                f"{root} is no folder; name a shared folder"
                if state.exists
                else f"{root} is not there; name a shared folder"
            )
        self.root, self._real = root, state.real_path

    def skip(self, path: str, reason: str) -> None:
        if len(self.skipped) < TOLD:
            self.skipped.append(Skipped(path=shown(path), reason=shown(reason)))

    def names(self, folder: str) -> list[str]:
        """The names in a folder below the root; none when it is not there, or leads out."""
        try:
            path = self._inside(folder)
            found = self._door.names(path) if path is not None else []
        except FileRefusedError as error:
            self.skip(folder, error.reason)
            return []
        if len(found) > NAMES_LIMIT:
            self.skip(folder, f"it has {len(found)} files; the first {NAMES_LIMIT} are read")
        return [name for name in found[:NAMES_LIMIT] if self._usable(folder, name)]

    def _usable(self, folder: str, name: str) -> bool:
        try:
            safe_relative(name)
        except ValueError as error:
            self.skip(f"{folder}/{name}", str(error))
            return False
        return True

    def is_folder(self, name: str) -> bool:
        try:
            path = self._inside(name, quiet=True)
            return path is not None and self._door.stat(path).kind == "folder"
        except FileRefusedError:
            return False

    def has(self, name: str) -> bool:
        try:
            path = self._inside(name, quiet=True)
            return path is not None and self._door.stat(path).exists
        except FileRefusedError:
            return True  # reading it says what is wrong

    def data(self, name: str) -> bytes | None:
        """The bytes of a file; None when there is none, or when it is left out (told)."""
        try:
            path = self._inside(name)
            found = self._door.read(path, FILE_LIMIT).data if path is not None else None
        except FileRefusedError as error:
            self.skip(name, error.reason)
            return None
        self._read += len(found or b"")
        if self._read > TOTAL_LIMIT:
            raise RefusedRequestError(f"{self.root} has more than {TOTAL_LIMIT} bytes to read; import a part of it")
        return found

    def text(self, name: str) -> str | None:
        found = self.data(name)
        return None if found is None else self.decoded(name, found)

    def decoded(self, name: str, data: bytes) -> str | None:
        """The text, whatever encoding it has; a file that is no text is left out."""
        try:
            text, encoding = decode(data)
        except ValueError as error:
            self.skip(name, str(error))
            return None
        if encoding != "utf-8":
            self.notes.append(f"{shown(name)} was read as {encoding}")
        return text

    def json(self, name: str) -> Any:
        """The JSON value of a file; None when there is none that can be read (told)."""
        text = self.text(name)
        if text is None:
            return None
        data = text.encode("utf-8", "replace")
        if too_deep(data):
            self.skip(name, "it is nested too deeply")
            return None
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.skip(name, f"no JSON: {error}")
            return None

    def _inside(self, name: str, *, quiet: bool = False) -> Path | None:
        try:
            path = self.root.joinpath(*safe_relative(name).split("/"))
        except ValueError as error:
            if not quiet:
                self.skip(name, str(error))
            return None
        if not self._door.stat(path).real_path.is_relative_to(self._real):
            if not quiet:
                self.skip(name, "it is a link out of the folder")
            return None
        return path


def decode(data: bytes) -> tuple[str, str]:
    """(text, encoding). ValueError: it is no text."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding).removeprefix("\ufeff").removeprefix("\ufeff"), encoding
            except UnicodeDecodeError as error:
                raise ValueError(f"it begins as {encoding} and is none") from error
    if b"\0" in data:
        raise ValueError("it is no text: it has zero bytes")
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "iso-8859-1"


def shown(text: str) -> str:
    """For a report: no secret, no half of a character, not endless."""
    text = scrub(text.encode("utf-8", "backslashreplace").decode())[:500]
    return "(a name that looks secret)" if find_secrets([text]) else text
