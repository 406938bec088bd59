"""A letter: what a person or an assistant says to another, as it lies inside a closed `messages.Mail`.

Fields are those of RooSync 2's message files (`from`, `to`, `priority`, `thread_id`, `reply_to` ...), so whatever read
those reads these. Sender, recipient and id stand inside as well as outside: a box that somebody took from the bus and
posted again in another name, or to another recipient, is found out when it is opened.
"""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal, get_args

from msgspec import DecodeError, Meta, Struct, field, json

from roosync_protocol.depth import too_deep
from roosync_protocol.mail.attachments import MAX_FILE, MAX_TOGETHER, UNSEEN
from roosync_protocol.messages import Mail
from roosync_protocol.messages.base import Moment, Sha256, Token
from roosync_protocol.messages.mail import MAX_ATTACHMENTS

Priority = Literal["LOW", "MEDIUM", "HIGH", "URGENT"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)  # the most urgent last

MAX_SUBJECT = 200  # characters
MAX_BODY = 100_000  # characters; what is longer is a file to be attached
MAX_BODY_BYTES = 400_000  # in UTF-8: with base64 and the fields around it, still below the broker's payload limit
MAX_TAGS, MAX_TAG = 20, 50
MAX_LETTER = 640_000  # bytes of JSON


class LetterError(ValueError):
    """This is no letter that can be sent, or believed; says why."""


class Attachment(Struct, frozen=True, kw_only=True):
    """A file that comes with a letter: closed with a key of its own, and stored as a content of the bus."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]  # of the file alone; whoever saves it checks it again
    size: Annotated[int, Meta(ge=0, le=MAX_FILE)]  # bytes of the file
    sha256: Sha256  # of the file
    content: Sha256  # of the closed bytes, under which they are on the bus
    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{43}=\Z")]  # base64 of the 32 bytes that open it


class Letter(Struct, frozen=True, kw_only=True):
    id: Token
    sender: Token = field(name="from")
    to: Token  # who reads this one
    addressed: Annotated[str, Meta(max_length=2_000)] = ""  # to whom it was sent, as the sender said it
    subject: Annotated[str, Meta(min_length=1, max_length=MAX_SUBJECT)]
    body: Annotated[str, Meta(max_length=MAX_BODY)] = ""  # Markdown
    priority: Priority = "MEDIUM"
    timestamp: Moment
    tags: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=MAX_TAG)], ...], Meta(max_length=MAX_TAGS)] = ()
    thread_id: Token
    reply_to: Annotated[str, Meta(max_length=63)] = ""
    attachments: Annotated[tuple[Attachment, ...], Meta(max_length=MAX_ATTACHMENTS)] = ()


_decoder: json.Decoder[Letter] = json.Decoder(Letter)
_encoder = json.Encoder(order="deterministic")


def written(
    *,
    id_: str,
    sender: str,
    to: str,
    addressed: str,
    subject: str,
    body: str,
    priority: str,
    timestamp: datetime,
    tags: tuple[str, ...] = (),
    thread_id: str = "",
    reply_to: str = "",
    attachments: tuple[Attachment, ...] = (),
) -> Letter:
    """A letter within every limit, or LetterError in words for who writes it."""
    if fault := _fault(subject, body, priority, tags):
        raise LetterError(fault)
    letter = Letter(
        id=id_,
        sender=sender,
        to=to,
        addressed=addressed[:2_000],
        subject=subject.strip(),
        body=body,
        priority=priority.upper(),  # type: ignore[arg-type]
        timestamp=timestamp,
        tags=tags,
        thread_id=thread_id or id_,
        reply_to=reply_to,
        attachments=attachments,
    )
    packed(letter)
    return letter


def answering(letter: Letter) -> dict[str, str]:
    """Subject, thread and addressee of a reply to `letter`."""
    subject = letter.subject if letter.subject.lower().startswith("re:") else f"Re: {letter.subject}"
    return {"subject": subject[:MAX_SUBJECT], "thread_id": letter.thread_id, "reply_to": letter.id, "to": letter.sender}


def packed(letter: Letter) -> bytes:
    """The bytes that are closed into a `Mail`. LetterError when no recipient would take them."""
    data = _encoder.encode(letter)
    if len(data) > MAX_LETTER:
        raise LetterError(f"the letter has {len(data)} bytes, and at most {MAX_LETTER} are carried: attach a file")
    try:
        _decoder.decode(data)
    except DecodeError as error:
        raise LetterError(f"the letter can not be sent: {error}") from error
    return data


def opened(data: bytes, mail: Mail) -> Letter:
    """What was inside `mail`. LetterError when it is no letter, or not the one that the outside says."""
    if len(data) > MAX_LETTER or too_deep(data):
        raise LetterError("what is inside is too large, or nested too deep, for a letter")
    try:
        letter = _decoder.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LetterError(f"what is inside is no letter: {error}") from error
    if (letter.sender, letter.to, letter.id) != (mail.agent, mail.to, mail.id):
        raise LetterError(
            f"inside it is a letter {letter.id} of {letter.sender} to {letter.to}, and outside one of {mail.agent}"
        )
    if not {one.content for one in letter.attachments} <= set(mail.contents):
        raise LetterError("a file comes with it that the outside does not name")
    if sum(one.size for one in letter.attachments) > MAX_TOGETHER:
        raise LetterError(f"its files have more than {MAX_TOGETHER} bytes together")
    return letter


def _fault(subject: str, body: str, priority: str, tags: tuple[str, ...]) -> str:
    if not subject.strip():
        return "a letter needs a subject: --subject 'a few words'"
    if len(subject.strip()) > MAX_SUBJECT:
        return f"a subject has at most {MAX_SUBJECT} characters; write the rest into the text"
    if any(unicodedata.category(char) in UNSEEN for text in (subject.strip(), *tags) for char in text):
        return "subject and tags are one line each, without control or invisible characters"
    if len(body) > MAX_BODY or len(body.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        return (
            f"the text has {len(body)} characters, and at most {MAX_BODY} are carried: attach it as a file (--attach)"
        )
    if any("\ud800" <= char <= "\udfff" for char in body):
        return "the text is not valid UTF-8: write it in UTF-8, or attach it as a file (--attach)"
    if priority.upper() not in PRIORITIES:
        return f"there is no priority {priority!r}; there are {', '.join(PRIORITIES)}"
    if len(tags) > MAX_TAGS or any(not 0 < len(tag) <= MAX_TAG for tag in tags):
        return f"a letter has at most {MAX_TAGS} tags of 1 to {MAX_TAG} characters"
    return ""
