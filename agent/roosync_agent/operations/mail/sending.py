"""Letters that go: one to each that is meant, closed to its key, and what became of each.

What is sent is stored on the bus when the answer says so, or lies on this disk and is posted when the broker is back.
Mail is not in the fleet's audit trail: who writes to whom is for those two.
"""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import replace

from roosync_agent.files.safe_names import safe_relative
from roosync_agent.operations.mail.answers import SentAnswer
from roosync_agent.operations.mail.reading import WAITING, fetched, find, operation_of
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.mail import WithMail
from roosync_agent.running.mailbox import Sent
from roosync_agent.session import Session
from roosync_broker.errors import BusError, FullError, OursError, RefusedError, UnavailableError
from roosync_broker.sealing import close_file, close_to
from roosync_protocol.mail import (
    Attachment,
    Letter,
    NoRecipientError,
    answering,
    attachment_fault,
    opened,
    packed,
    recipients,
    written,
)
from roosync_protocol.messages import Mail
from roosync_protocol.names import token

AT_ONCE = 32  # posts under way at a time


async def send(
    desk: WithMail,
    to: list[str],
    subject: str,
    body: str = "",
    priority: str = "MEDIUM",
    tags: Sequence[str] = (),
    attachments: Sequence[dict[str, str]] = (),
    id_: str = "",
    thread_id: str = "",
    reply_to: str = "",
) -> SentAnswer:
    """One letter to each that is meant. With the `id_` of an earlier try it is still one letter.

    NoRecipientError, LetterError, RefusedRequestError: nothing was sent. What happened to each is in the answer.
    """
    session, box = desk.mail.session, desk.mail.box
    names = await _recipients(session, to)
    id_ = token(id_ or "m-" + secrets.token_hex(8))
    files = _files(attachments)
    letter = written(
        id_=id_,
        sender=session.name,
        to=names[0],
        addressed=", ".join(to),
        subject=subject,
        body=body,
        priority=priority,
        timestamp=session.now(),
        tags=tuple(tags),
        thread_id=token(thread_id) if thread_id else "",
        reply_to=reply_to,
    )
    attached, letter = await _attached(session, letter, files)
    gate = asyncio.Semaphore(AT_ONCE)
    told = await asyncio.gather(*(_post(session, letter, name, attached, gate) for name in names))
    result = dict(zip(names, told, strict=True))
    await asyncio.to_thread(box.put_sent, Sent(letter=letter, recipients=result))
    return SentAnswer(
        id=id_,
        thread_id=letter.thread_id,
        sender=session.name,
        to=list(names),
        subject=letter.subject,
        priority=letter.priority,
        recipients=result,
        stored=told.count("stored"),
        waiting=told.count(WAITING),
        failed=sum(one not in ("stored", WAITING) for one in told),
        attachments=[one.name for one in letter.attachments],
    )


async def reply(
    desk: WithMail,
    id_: str,
    body: str,
    subject: str = "",
    priority: str = "",
    tags: Sequence[str] = (),
    attachments: Sequence[dict[str, str]] = (),
    new_id: str = "",
) -> SentAnswer:
    """To who wrote it, in its thread."""
    await fetched(desk)
    status, kept = find(desk, id_)
    answer = answering(kept.letter)
    sent = await send(
        desk,
        [answer["to"]],
        subject or answer["subject"],
        body,
        priority or kept.letter.priority,
        tags,
        attachments,
        new_id,
        answer["thread_id"],
        answer["reply_to"],
    )
    if status == "unread":
        desk.mail.box.move(kept, "read")
    return sent


# -- inside


async def _recipients(session: Session, to: list[str]) -> tuple[str, ...]:
    """Who is meant. The view follows the law; only who is unknown to it is looked for on the bus."""
    try:
        return recipients(session.fleet.law, to, session.name)
    except NoRecipientError:
        with suppress(BusError):
            await session.refresh_law()
        return recipients(session.fleet.law, to, session.name)


def _files(given: Sequence[dict[str, str]]) -> list[tuple[str, bytes]]:
    """Names and bytes of what is to be attached; RefusedRequestError, before anything is sent."""
    files = []
    for one in given:
        try:
            files.append((safe_relative(str(one["name"])), base64.b64decode(str(one["data"]), validate=True)))
        except (KeyError, ValueError, binascii.Error) as error:
            raise RefusedRequestError(f"a file can not be attached: {error}") from None
    if fault := attachment_fault([(name, len(data)) for name, data in files]):
        raise RefusedRequestError(fault)
    return files


async def _attached(session: Session, letter: Letter, files: list[tuple[str, bytes]]) -> tuple[tuple[str, ...], Letter]:
    """The files are on the bus before the letter that names them."""
    made: list[Attachment] = []
    for name, data in files:
        key, closed = await asyncio.to_thread(close_file, data)
        try:
            content = await session.contents.put(closed)
        except UnavailableError as error:
            raise UnavailableError(
                f"a letter with files is sent only while the broker is there, and nothing was sent: {error}"
            ) from error
        made.append(
            Attachment(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest(), content=content, key=key)
        )
    whole = replace(letter, attachments=tuple(made))
    packed(whole)
    return tuple(dict.fromkeys(one.content for one in made)), whole


async def _post(session: Session, letter: Letter, name: str, contents: tuple[str, ...], gate: asyncio.Semaphore) -> str:
    """What became of it: stored, waiting, or why it is neither."""
    async with gate:
        key = session.fleet.law.speaker_key(name)
        if key is None:
            return "was revoked"
        data = packed(replace(letter, to=name))
        mail = Mail(
            agent=session.name,
            timestamp=letter.timestamp,
            to=name,
            id=letter.id,
            box=close_to(key, data),
            contents=contents,
        )
        opened(data, mail)  # what its recipient would refuse is refused here
        try:
            return (
                "stored" if await session.telling.hand_over(mail, operation_of(session, letter.id, name)) else WAITING
            )
        except (RefusedError, FullError, OursError, UnavailableError) as error:
            return str(error)
