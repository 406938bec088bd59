"""What must be said and could not be: a bounded queue on disk, loud when it is full (3-bus, "Durability").

One file an intent, named so that their order is the order of their names. The message id was made with the
intent, so an intent that was posted just before a crash is posted again and stored once. What did not fit is counted,
on the disk too, until somebody was told.
"""

import base64
import binascii
import contextlib
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker.errors import FullError, NotAdmittedError, OursError, RefusedError, StaleError, UnavailableError
from roosync_broker.link import MESSAGE_ID, Link
from roosync_broker.private_files import private_folder, read_private, write_private

MAX_INTENTS = 2_000
MAX_BYTES = 64 * 1024 * 1024
_MAX_FILE = 4 * 1024 * 1024
_NAME = re.compile(r"(\d{12})(-[0-9a-f]{6})?\.json")
_LOST = "lost.json"  # in the folder


class _Intent(Struct, frozen=True):
    subject: str
    headers: dict[str, str]
    data: str  # base64


class Lost(Struct, frozen=True, kw_only=True):
    """What was not kept since it was last told. `id` stays the same through crashes, so it is told once."""

    id: str
    kinds: dict[str, int]  # kind of message -> how many

    @property
    def count(self) -> int:
        return sum(self.kinds.values())


class Spool:
    """The intents of one speaker. Several processes may add; what two of them post is stored once."""

    def __init__(
        self,
        folder: Path,
        *,
        max_intents: int = MAX_INTENTS,
        max_bytes: int = MAX_BYTES,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder = folder
        self._max_intents, self._max_bytes, self._report = max_intents, max_bytes, report
        self._lost: Lost | None = None

    def __len__(self) -> int:
        return len(self._waiting())

    @property
    def lost(self) -> Lost | None:
        """What did not fit, also before a restart; None when everything was kept."""
        if self._lost is None:  # else it is not read again: the disk may be what is full
            with contextlib.suppress(OSError, DecodeError, ValidationError, UnicodeDecodeError):
                self._lost = json.decode(read_private(self.folder / _LOST, _MAX_FILE), type=Lost)
        return self._lost

    def add(self, subject: str, data: bytes, headers: Mapping[str, str], *, told: bool = False) -> None:
        """Keep an intent; it is on the disk when this returns. FullError: it is *not* kept, and `lost` counts it.

        `told`: somebody waits for the answer and hears of it, so it is not counted.
        """
        if MESSAGE_ID not in headers:
            raise OursError("an intent needs its Nats-Msg-Id before it is kept")
        try:
            self._write(json.encode(_Intent(subject, dict(headers), base64.b64encode(data).decode())))
        except FullError:
            if not told:
                self._count(subject)
            raise

    async def drain(self, link: Link, stream_of: Callable[[str], str] | None = None) -> int:
        """Post what waits, in order; returns how many left the queue. `stream_of` names the stream of a subject.

        With it, what was stored before the connection went is recognised however long that is ago; without it, or where
        it names none, within the server's memory of message ids. Stops with UnavailableError or FullError, and the rest
        waits on. What can never be posted is moved aside (to `aside/`) and reported.
        """
        if not link.connected:
            raise UnavailableError("the broker is away; what waits for it waits on")
        done = 0
        looked: set[str] = set()
        for path in self._waiting():
            intent = self._read(path)
            if intent is None:
                continue
            subject, headers, data = intent
            try:
                first = subject not in looked  # only the first one of a speaker can have been on its way
                looked.add(subject)
                stream = stream_of(subject) if first and stream_of else ""
                if not (stream and await _there(link, stream, subject, headers.get(MESSAGE_ID))):
                    await link.post(subject, data, headers)
                done += 1
            except NotAdmittedError:
                raise  # the connection is refused, not this message
            except (RefusedError, OursError, StaleError) as error:
                self._set_aside(path, str(error))
                continue
            path.unlink(missing_ok=True)
        return done

    def where(self) -> dict[str, str]:
        """Message id -> "waiting", or "aside" for what could never be posted. What was posted is in neither."""
        found: dict[str, str] = {}
        for folder, state in ((self.folder / "aside", "aside"), (self.folder, "waiting")):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for path in folder.glob("*.json"):
                    with contextlib.suppress(OSError, DecodeError, ValidationError, UnicodeDecodeError):
                        intent = json.decode(read_private(path, _MAX_FILE), type=_Intent)
                        found[intent.headers.get(MESSAGE_ID, "")] = state
        return found

    def told(self, lost: Lost) -> None:
        """Somebody was told of `lost`. What was lost meanwhile stays to be told."""
        now = self.lost
        if now is None or now.id != lost.id:
            return
        left = {kind: count - lost.kinds.get(kind, 0) for kind, count in now.kinds.items()}
        left = {kind: count for kind, count in left.items() if count > 0}
        self._keep(Lost(id=_new_id(), kinds=left) if left else None)

    # -- inside

    def _write(self, body: bytes) -> None:
        waiting = self._waiting()
        size = len(body) + sum(_size(path) for path in waiting)
        if len(waiting) >= self._max_intents or size > self._max_bytes or len(body) > _MAX_FILE:
            raise FullError(
                f"{len(waiting)} messages wait for the broker in {self.folder}, and no more can be kept: "
                "bring the broker back; what happens now is not told to the fleet"
            )
        number = int(waiting[-1].name[:12]) + 1 if waiting else 1
        try:
            write_private(self.folder / f"{number:012}-{secrets.token_hex(3)}.json", body)
        except OSError as error:
            raise FullError(f"a message can not be kept in {self.folder}: {error.strerror or error}") from error

    def _count(self, subject: str) -> None:
        now = self.lost or Lost(id=_new_id(), kinds={})
        kind = subject.split(".")[2] if subject.count(".") >= 2 else "message"
        self._keep(Lost(id=now.id, kinds={**now.kinds, kind: now.kinds.get(kind, 0) + 1}))

    def _keep(self, lost: Lost | None) -> None:
        self._lost = lost
        with contextlib.suppress(OSError):
            if lost is None:
                (self.folder / _LOST).unlink(missing_ok=True)
            else:
                write_private(self.folder / _LOST, json.encode(lost))

    def _waiting(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        return []

    def _read(self, path: Path) -> tuple[str, dict[str, str], bytes] | None:
        try:
            intent = json.decode(read_private(path, _MAX_FILE), type=_Intent)
            return intent.subject, intent.headers, base64.b64decode(intent.data, validate=True)
        except FileNotFoundError:
            return None
        except (OSError, DecodeError, ValidationError, UnicodeDecodeError, RecursionError, binascii.Error) as error:
            self._set_aside(path, f"it can not be read ({error})")
            return None

    def _set_aside(self, path: Path, why: str) -> None:
        place = private_folder(self.folder / "aside") / f"{path.stem}-{secrets.token_hex(3)}.json"
        with contextlib.suppress(OSError):
            path.replace(place)
        self._report(f"a message that waited for the broker is not posted: {why}; it is kept in {place}")


async def _there(link: Link, stream: str, subject: str, id_: str | None) -> bool:
    """Was exactly this stored last on its subject?"""
    with contextlib.suppress(RefusedError, OursError):
        return any(one.headers.get(MESSAGE_ID) == id_ for one in await link.last(stream, [subject]))
    return False


def _new_id() -> str:
    return secrets.token_hex(6)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # posted by another process just now
        return 0
