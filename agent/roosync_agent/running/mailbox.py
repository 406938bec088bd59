"""The letters of one recipient on its own disk, as a Maildir has them: a file each, and its folder is its status.

    mail/<owner>/unread/   read/   archived/      <time>.<sender>.<id>.json: time as the broker stored it, milliseconds
    mail/<owner>/gone/                            the empty name of what was removed: it does not come again
    mail/<owner>/sent/                            what was sent from here, and whether the bus has it
    mail/<owner>/files/<sender>.<id>/<n>          attachments, by number: a name that came with a letter is no place

A letter can be read as soon as it is laid here, and is safe on the disk (`settle`) before the broker is told that it
may forget it. A status changes by renaming the file, so a crash leaves the old one or the new one. Whatever comes twice
is known by sender and id.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar, get_args

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker.errors import FullError
from roosync_broker.private_files import private_folder, read_private, sync_folder, sync_private, write_private
from roosync_protocol.mail import Letter
from roosync_protocol.messages.base import Moment, PublicKey

T = TypeVar("T")
Status = Literal["unread", "read", "archived"]
BOXES: tuple[Status, ...] = get_args(Status)  # the last one counts, where a crash left a letter in two
SENT, GONE = "sent", "gone"
MAX_SENT = 10_000  # letters; the oldest go first, for what counts is with their recipients
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
        self._known: dict[str, str] | None = None
        self._letters = self._bytes = self._puts = 0
        self.damaged: list[Path] = []  # files that the last look could not read

    @property
    def counted(self) -> bool:
        return self._known is not None

    def index(self) -> dict[str, str]:
        """<sender>.<id> -> name of the file, of every letter that was here since this began. The first look takes time:
        it reads every name, and how much room all of it takes."""
        if self._known is None:
            known: dict[str, str] = {}
            letters = size = 0
            for box in (GONE, *BOXES):
                for path in self._files(box):
                    known[path.name.removesuffix(".json").split(".", 1)[-1]] = path.name
                    letters += box != GONE
                    size += _size(path)
            size += sum(_size(path) for path in self.folder.glob("files/*/*"))
            self._known, self._letters, self._bytes = known, letters, size
        return self._known

    def lay(self, kept: Kept) -> tuple[Path | None, bool]:
        """Where it lies, to be read at once, and whether it is new; `settle` makes it last.

        No path: it was here and was removed. FullError, OSError: it is not here.
        """
        index, name = self.index(), _name(kept.received, kept.place)
        there = self._where(index.get(kept.place, name))
        if there is None and kept.place in index:
            return None, False
        if there is not None:
            if _read(there, Kept) is not None:
                return there, False
            there.unlink()  # a power cut may have left an empty file
        data = json.encode(kept)
        room = sum(one.size for one in kept.letter.attachments) + len(data)
        if self._letters >= self._max_letters or self._bytes + room > self._max_bytes:
            raise FullError(
                f"{self.folder} holds {self._letters} letters and {self._bytes} bytes, which is all that it may: "
                "`roosync message remove --archived` makes room; what is sent to here waits on the broker meanwhile"
            )
        path = self.folder / "unread" / name
        write_private(path, data, sync=False)
        index[kept.place] = name
        self._letters += 1
        self._bytes += len(data)  # its files count when they are here: what a letter says of them is only said
        return path, True

    def laid_file(self, size: int) -> None:
        """A file that came with a letter is here."""
        self._bytes += size

    def settle(self, path: Path) -> None:
        """What lies there outlives a power cut when this returns, wherever it was moved meanwhile."""
        for place in (path, *(self.folder / box / path.name for box in BOXES)):
            with contextlib.suppress(FileNotFoundError):
                sync_private(place)
                sync_folder(place.parent)
                return
        raise FileNotFoundError(f"{path} went away before it was safe")

    def listed(self, boxes: Sequence[str] = BOXES) -> list[tuple[str, Kept]]:
        """(status, letter), the newest first. A damaged file is left out, and named in `damaged`."""
        found: dict[str, tuple[str, Kept]] = {}
        self.damaged = []
        for box in boxes:
            for path in self._files(box):
                if (kept := _read(path, Kept)) is not None:
                    found[kept.place] = box, kept
                elif path.exists():  # and not only moved meanwhile
                    self.damaged.append(path)
        return sorted(found.values(), key=lambda one: (one[1].received, one[1].place), reverse=True)

    def like(self, id_: str, sender: str = "") -> list[tuple[str, Kept]]:
        """Letters of exactly this id; without one, those whose id begins so. Only what is meant is read."""
        named: dict[str, list[tuple[Status, Path]]] = {}
        for box in BOXES:
            for path in self._files(box):
                _, _, place = path.name.removesuffix(".json").partition(".")
                by, _, name = place.partition(".")
                if sender in ("", by) and id_ and name.startswith(id_):
                    named.setdefault(name, []).append((box, path))
        meant = named.get(id_) or [one for found in named.values() for one in found]
        letters = {kept.place: (box, kept) for box, path in meant if (kept := _read(path, Kept)) is not None}
        return list(letters.values())

    def count(self, status: Status) -> int:
        return sum(1 for _ in self._files(status))

    def move(self, kept: Kept, status: Status) -> None:
        """From whatever it is to `status`; OSError when it is not there any more."""
        name = _name(kept.received, kept.place)
        there = [self.folder / box / name for box in BOXES if (self.folder / box / name).exists()]
        if not there:
            raise FileNotFoundError(f"{kept.place} was removed meanwhile")
        target = private_folder(self.folder / status) / name
        for path in there:
            if path != target:
                path.replace(target)
                sync_folder(path.parent)
        sync_folder(target.parent)

    def remove(self, kept: Kept) -> None:
        """Letter and files; its name stays, so that it is known if it comes again."""
        name = _name(kept.received, kept.place)
        write_private(self.folder / GONE / name, b"")
        for box in BOXES:
            (self.folder / box / name).unlink(missing_ok=True)
        for number in range(len(kept.letter.attachments)):
            self.attachment(kept, number).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.attachment(kept, 0).parent.rmdir()
        self._known = None  # counted anew

    def put_sent(self, sent: Sent) -> None:
        """For the sender to look at; what counts is on the bus, or in the spool."""
        place = f"{sent.letter.sender}.{sent.letter.id}"
        write_private(self.folder / SENT / _name(sent.letter.timestamp, place), json.encode(sent), sync=False)
        self._puts += 1
        if self._puts % 256 == 1:  # a look at the whole folder, so not each time
            for path in sorted(self._files(SENT), key=lambda one: one.name)[:-MAX_SENT]:
                path.unlink(missing_ok=True)

    def sent(self) -> list[Sent]:
        """The newest first."""
        found = [sent for path in self._files(SENT) if (sent := _read(path, Sent)) is not None]
        return sorted(found, key=lambda one: (one.letter.timestamp, one.letter.id), reverse=True)

    def attachment(self, kept: Kept, number: int) -> Path:
        """Where the file of this number lies, if it was fetched."""
        return self.folder / "files" / kept.place / str(number)

    # -- inside

    def _where(self, name: str) -> Path | None:
        return next((path for box in BOXES if (path := self.folder / box / name).exists()), None)

    def _files(self, box: str) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in (self.folder / box).iterdir():
                if path.name.endswith(".json") and not path.name.startswith("."):
                    yield path


def _name(time: datetime, place: str) -> str:
    """Sender and id are tokens (names.TOKEN), so neither has a dot, a slash or anything that moves it elsewhere."""
    return f"{int(time.timestamp() * 1000):013}.{place}.json"


def _read(path: Path, kind: type[T]) -> T | None:
    """None when it is damaged, or gone."""
    try:
        return json.decode(read_private(path, _MAX_FILE), type=kind)
    except (OSError, DecodeError, ValidationError, UnicodeDecodeError, RecursionError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
