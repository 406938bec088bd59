"""Files that came with a letter, written where a person wants them: in that folder, and over nothing that is there."""

import asyncio
import hashlib
from contextlib import suppress
from pathlib import Path

from roosync_agent.files.safe_names import safe_relative
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.mail import Mailroom
from roosync_agent.running.mailbox import Kept
from roosync_protocol.mail.attachments import name_fault


async def save_files(room: Mailroom, kept: Kept, place: str) -> list[str]:
    """Every attached file, under a name that can not leave `folder`, and over nothing that is there."""
    if not kept.letter.attachments:
        raise RefusedRequestError(f"nothing is attached to {kept.letter.id}")
    folder = Path(place)
    if not folder.is_absolute() or not await asyncio.to_thread(folder.is_dir):
        raise RefusedRequestError(f"{folder} is no folder: make it first, or name another")
    saved: list[str] = []
    for number, one in enumerate(kept.letter.attachments):
        await room.fetch_file(kept, number)
        data = await asyncio.to_thread(room.box.attachment(kept, number).read_bytes)
        if hashlib.sha256(data).hexdigest() != one.sha256:
            raise RefusedRequestError(f"{one.name!r} is not the file that was attached; ask for it again")
        saved.append(str(await asyncio.to_thread(_write_new, folder, _safe(one.name, number), data)))
    return saved


def _safe(name: str, number: int) -> str:
    """The name that came with the letter, when it can only be a file of the folder; otherwise one of ours."""
    with suppress(ValueError):
        if not name_fault(name) and not name.startswith(".") and (safe := safe_relative(name)) == Path(safe).name:
            return safe
    return f"attachment-{number + 1}"


def _write_new(folder: Path, name: str, data: bytes) -> Path:
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in range(1, 1000):
        path = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with path.open("xb") as file:
                path.chmod(0o600)
                file.write(data)
        except FileExistsError:
            continue
        return path
    raise RefusedRequestError(f"{folder} has a thousand files called like {name!r}; name another folder")
