"""What must be said and could not be: a bounded queue on disk, loud when it is full (3-bus, "Durability").

One file an intent, named so that their order is the order of their names. The message id was made with the
intent, so an intent that was posted just before a crash is posted again and stored once.
"""

import base64
import binascii
import contextlib
import os
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


class _Intent(Struct, frozen=True):
    subject: str
    headers: dict[str, str]
    data: str  # base64


class Spool:
    """The intents of one speaker. One process at a time."""

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

    def __len__(self) -> int:
        return len(self._waiting())

    def add(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Keep an intent; it is on the disk when this returns. FullError: say it aloud, it is *not* kept."""
        if MESSAGE_ID not in headers:
            raise OursError("an intent needs its Nats-Msg-Id before it is kept")
        waiting = self._waiting()
        body = json.encode(_Intent(subject, dict(headers), base64.b64encode(data).decode()))
        size = len(body) + sum(path.stat().st_size for path in waiting)
        if len(waiting) >= self._max_intents or size > self._max_bytes or len(body) > _MAX_FILE:
            raise FullError(
                f"{len(waiting)} messages wait for the broker in {self.folder}, and no more can be kept: "
                "bring the broker back; what happens now is not told to the fleet"
            )
        number = int(waiting[-1].stem) + 1 if waiting else 1
        try:
            write_private(self.folder / f"{number:012}.json", body)
        except OSError as error:
            raise FullError(f"a message can not be kept in {self.folder}: {error.strerror or error}") from error

    async def drain(self, link: Link) -> int:
        """Post what waits, in order; returns how many were stored.

        Stops with UnavailableError or FullError, and the rest waits on. What can never be posted is moved aside
        (to `aside/`) and reported.
        """
        if not link.connected:
            raise UnavailableError("the broker is away; what waits for it waits on")
        stored = 0
        for path in self._waiting():
            intent = self._read(path)
            if intent is None:
                continue
            subject, headers, data = intent
            try:
                await link.post(subject, data, headers)
                stored += 1
            except NotAdmittedError:
                raise  # the connection is refused, not this message
            except (RefusedError, OursError, StaleError) as error:
                self._set_aside(path, str(error))
                continue
            path.unlink(missing_ok=True)
        return stored

    def _waiting(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names = [entry.name for entry in os.scandir(self.folder) if entry.is_file()]
            return [self.folder / name for name in sorted(names) if len(name) == 17 and name[:12].isdigit()]
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
