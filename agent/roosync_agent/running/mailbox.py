"""The letters of one recipient on its own disk, as a Maildir has them: a file each, and its folder is its status.

    mail/<owner>/unread/   read/   archived/      <time>.<sender>.<id>.json: time as the broker stored it, milliseconds
    mail/<owner>/sent/                            what was sent from here, and whether the bus has it
    mail/<owner>/files/<sender>.<id>/<n>          attachments, by number: a name that came with a letter is no place

A letter is on the disk before the broker is told that it may forget it; a status changes by renaming the file, so a
crash leaves the old one or the new one. Whatever comes twice is known by sender and id.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker.errors import FullError
from roosync_broker.private_files import private_folder, read_private, sync_folder, write_private
from roosync_protocol.mail import Letter
from roosync_protocol.messages.base import Moment, PublicKey

Status = Literal["unread", "read", "archived"]
BOXES: tuple[Status, ...] = get_args(Status)  # the last one counts, where a crash left a letter in two
SENT = "sent"
MAX_LETTERS = 50_000
MAX_BYTES = 1024 * 1024 * 1024  # of letters and files together
_MAX_FILE = 4 * 1024 * 1024


class Kept(Struct, frozen=True, kw_only=True):
    """One letter that was received."""

    letter: Letter
    received: Moment  # when the broker stored it
    key: PublicKey  # with which its sender signed it

    @property
    def place(self) -> str:
        return f"{self.letter.sender}.{self.letter.id}"


class Sent(Struct, frozen=True, kw_only=True):
    """One letter that was sent from here."""

    letter: Letter  # as its first recipient gets it
    recipients: dict[str, str]  # name -> "stored", "waiting" or why not


class Mailbox:
    """`folder` is the owner's. Several processes may use it."""

    def __init__(self, folder: Path, *, max_letters: int = MAX_LETTERS, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self._max_letters, self._max_bytes = max_letters, max_bytes
        self._known: set[str] | None = None
        self._bytes = 0

    def put(self, kept: Kept) -> bool:
        """On the disk when this returns; False when it was there before. FullError when there is no room; OSError."""
        name = _name(kept.received, kept.place)
        if kept.place in self._index() or any((self.folder / box / name).exists() for box in BOXES):
            return False
        data = json.encode(kept)
        room = sum(one.size for one in kept.letter.attachments) + len(data)
        if len(self._index()) >= self._max_letters or self._bytes + room > self._max_bytes:
            raise FullError(
                f"{self.folder} holds {len(self._index())} letters and {self._bytes} bytes, which is all that it may: "
                "remove archived ones; what is sent to here waits on the broker meanwhile"
            )
        write_private(self.folder / "unread" / name, data)
        self._index().add(kept.place)
        self._bytes += len(data)
        return True

    def listed(self, boxes: Sequence[str] = BOXES) -> list[tuple[str, Kept]]:
        """(status, letter), the newest first. A damaged file is left out."""
        found: dict[str, tuple[str, Kept]] = {}
        for box in boxes:
            for path in self._files(box):
                with contextlib.suppress(OSError, DecodeError, ValidationError, UnicodeDecodeError):
                    kept = json.decode(read_private(path, _MAX_FILE), type=Kept)
                    found[kept.place] = box, kept
        return sorted(found.values(), key=lambda one: (one[1].received, one[1].place), reverse=True)

    def count(self, status: Status) -> int:
        return sum(1 for _ in self._files(status))

    def move(self, kept: Kept, status: Status) -> None:
        """From whatever it is to `status`; OSError when it is not there any more."""
        name = _name(kept.received, kept.place)
        there = [self.folder / box / name for box in BOXES if (self.folder / box / name).exists()]
        target = private_folder(self.folder / status) / name
        for path in there:
            if path != target:
                path.replace(target)
                sync_folder(path.parent)
        sync_folder(target.parent)

    def put_sent(self, sent: Sent) -> None:
        write_private(self.folder / SENT / _name(sent.letter.timestamp, f"{sent.letter.sender}.{sent.letter.id}"),
                      json.encode(sent))  # fmt: skip

    def sent(self) -> list[Sent]:
        """The newest first."""
        found = []
        for path in self._files(SENT):
            with contextlib.suppress(OSError, DecodeError, ValidationError, UnicodeDecodeError):
                found.append(json.decode(read_private(path, _MAX_FILE), type=Sent))
        return sorted(found, key=lambda one: (one.letter.timestamp, one.letter.id), reverse=True)

    def attachment(self, kept: Kept, number: int) -> Path:
        """Where the file of this number lies, if it was fetched."""
        return self.folder / "files" / kept.place / str(number)

    # -- inside

    def _index(self) -> set[str]:
        if self._known is None:
            self._known = set()
            for box in BOXES:
                for path in self._files(box):
                    self._known.add(path.name.removesuffix(".json").split(".", 1)[-1])
                    self._bytes += _size(path)
            self._bytes += sum(_size(path) for path in self.folder.glob("files/*/*"))
        return self._known

    def _files(self, box: str) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in (self.folder / box).iterdir():
                if path.name.endswith(".json") and not path.name.startswith("."):
                    yield path


def _name(time: datetime, place: str) -> str:
    """Sender and id are tokens (names.TOKEN), so neither has a dot, a slash or anything that moves it elsewhere."""
    return f"{int(time.timestamp() * 1000):013}.{place}.json"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
