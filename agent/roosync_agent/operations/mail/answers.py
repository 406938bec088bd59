"""What is told of letters, in the field names of RooSync 2's message files, and from what it is made."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field

from roosync_agent.running.mail import Mailroom
from roosync_agent.running.mailbox import SENT, Kept, Sent
from roosync_protocol.mail import Letter

PREVIEW = 80  # characters


class AttachedAnswer(Struct, frozen=True, kw_only=True):
    number: int
    name: str
    size: int
    sha256: str
    here: bool  # on this disk already


class MessageAnswer(Struct, frozen=True, kw_only=True):
    """One letter, in the field names of RooSync 2's message files."""

    id: str
    sender: str = field(name="from")
    to: str
    addressed: str  # to whom it was sent, as its sender said it
    subject: str
    priority: str
    timestamp: datetime
    received: datetime | None
    status: str  # unread | read | archived | sent
    thread_id: str
    reply_to: str
    tags: list[str]
    attachments: list[AttachedAnswer]
    preview: str
    body: str = ""  # of one that is read
    recipients: dict[str, str] = {}  # of one that was sent: name -> stored, waiting, or why not
    saved: list[str] = []  # files that were written


class InboxAnswer(Struct, frozen=True, kw_only=True):
    agent: str
    box: str
    unread: int
    found: int  # of which so many are in `messages` as were asked for
    messages: list[MessageAnswer]
    notes: list[str] = []


class SentAnswer(Struct, frozen=True, kw_only=True):
    id: str
    thread_id: str
    sender: str = field(name="from")
    to: list[str]
    subject: str
    priority: str
    recipients: dict[str, str]  # name -> stored, waiting (on this disk), or why not
    stored: int
    waiting: int
    failed: int
    attachments: list[str]


def answer(room: Mailroom, status: str, kept: Kept, *, body: str = "", saved: Sequence[str] = ()) -> MessageAnswer:
    letter = kept.letter
    attached = [
        AttachedAnswer(
            number=number + 1,
            name=one.name,
            size=one.size,
            sha256=one.sha256,
            here=room.box.attachment(kept, number).exists(),
        )
        for number, one in enumerate(letter.attachments)
    ]
    return _row(letter, status, attached, received=kept.received, body=body, saved=list(saved))


def sent_answer(sent: Sent) -> MessageAnswer:
    attached = [
        AttachedAnswer(number=number + 1, name=one.name, size=one.size, sha256=one.sha256, here=False)
        for number, one in enumerate(sent.letter.attachments)
    ]
    return _row(sent.letter, SENT, attached, recipients=sent.recipients)


def _row(
    letter: Letter,
    status: str,
    attached: list[AttachedAnswer],
    *,
    received: datetime | None = None,
    body: str = "",
    recipients: dict[str, str] | None = None,
    saved: list[str] | None = None,
) -> MessageAnswer:
    return MessageAnswer(
        id=letter.id,
        sender=letter.sender,
        to=letter.addressed if status == SENT else letter.to,
        addressed=letter.addressed,
        subject=letter.subject,
        priority=letter.priority,
        timestamp=letter.timestamp,
        received=received,
        status=status,
        thread_id=letter.thread_id,
        reply_to=letter.reply_to,
        tags=list(letter.tags),
        attachments=attached,
        preview=" ".join(letter.body.split())[:PREVIEW],
        body=body,
        recipients=recipients or {},
        saved=saved or [],
    )
