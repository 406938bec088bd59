"""Letters that came: list them, read one and save its files, mark them. What waits on the bus is fetched first."""

import asyncio
import hashlib
from collections.abc import Mapping

from msgspec.structs import replace

from roosync_agent.operations.mail.answers import InboxAnswer, MessageAnswer, answer, sent_answer
from roosync_agent.operations.mail.saving import save_files
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.mail import Mailroom, WithMail
from roosync_agent.running.mailbox import BOXES, SENT, Kept, Sent, Status
from roosync_agent.session import Session
from roosync_broker.errors import BusError
from roosync_protocol.mail import PRIORITIES
from roosync_protocol.messages import signed_bytes

WAITING = "waiting"


async def inbox(
    desk: WithMail,
    box: str = "inbox",
    thread: str = "",
    tag: str = "",
    priority: str = "",
    sender: str = "",
    limit: int = 0,
) -> InboxAnswer:
    """Letters without their text, the most urgent unread ones first.

    `box`: inbox (unread and read), one status, sent, or all. `limit`: so many of them at most; 0 is all.
    """
    notes = await fetched(desk)
    found = await asyncio.to_thread(_boxed, desk.mail, box)  # each letter is a file
    rows = [
        row
        for row in found
        if thread in ("", row.thread_id)
        and (not tag or tag in row.tags)
        and priority.upper() in ("", row.priority)
        and sender in ("", row.sender)
    ]
    rows.sort(key=lambda row: PRIORITIES.index(row.priority) if row.status == "unread" else -1, reverse=True)
    unread = desk.mail.box.count("unread")
    notes += [f"{path} is damaged, and what is in it is not shown" for path in desk.mail.box.damaged[:10]]
    shown = rows[:limit] if limit > 0 else rows
    return InboxAnswer(
        agent=desk.mail.session.name, box=box, unread=unread, found=len(rows), messages=shown, notes=notes
    )


async def read(desk: WithMail, id_: str, keep_unread: bool = False, save: str = "") -> MessageAnswer:
    """One letter whole; it counts as read from now on. `save`: a folder into which its files are written."""
    await fetched(desk)
    status, kept = find(desk, id_)
    saved = await save_files(desk.mail, kept, save) if save else []
    if status == "unread" and not keep_unread:
        desk.mail.box.move(kept, "read")
        status = "read"
    return answer(desk.mail, status, kept, body=kept.letter.body, saved=saved)


async def mark(desk: WithMail, ids: list[str], status: Status = "archived") -> list[MessageAnswer]:
    """Archived, read, or unread again. All of them, or none when one is not there."""
    await fetched(desk)
    if status not in BOXES:
        raise RefusedRequestError(f"a letter is {', '.join(BOXES)}; it can not become {status!r}")
    found = [find(desk, id_)[1] for id_ in ids]
    for kept in found:
        desk.mail.box.move(kept, status)
    return [answer(desk.mail, status, kept) for kept in found]


async def remove(desk: WithMail, ids: list[str], archived: bool = False) -> list[MessageAnswer]:
    """Letters and their files go from this disk for good; with `archived` everything that was archived, too."""
    await fetched(desk)
    if not ids and not archived:
        raise RefusedRequestError("which letter? Name one, or --archived for all that were archived")
    return await asyncio.to_thread(_removed, desk, ids, archived)


# -- inside


async def fetched(desk: WithMail) -> list[str]:
    """What waits on the bus comes first; without a bus, what is here is shown."""
    try:
        await desk.mail.collect()
    except (BusError, OSError) as error:
        return [f"what was sent to you and is not here yet is not shown: {error}"]
    return []


def _removed(desk: WithMail, ids: list[str], archived: bool) -> list[MessageAnswer]:
    found = [find(desk, id_) for id_ in ids]
    found += desk.mail.box.listed(("archived",)) if archived else []
    told = [answer(desk.mail, status, kept) for status, kept in found]
    for _, kept in found:
        desk.mail.box.remove(kept)
    return told


def _boxed(room: Mailroom, box: str) -> list[MessageAnswer]:
    wanted: dict[str, tuple[Status, ...]] = {"inbox": ("unread", "read"), "all": BOXES} | {s: (s,) for s in BOXES}
    if box == SENT:
        sent = room.box.sent()
        waits = any(WAITING in one.recipients.values() for one in sent)
        kept = room.session.telling.handed_over() if waits else {}  # once: it reads all that waits
        return [sent_answer(_now(room.session, one, kept)) for one in sent]
    if box not in wanted:
        raise RefusedRequestError(f"there is no box {box!r}; there are inbox, {', '.join(BOXES)}, {SENT}, all")
    return [answer(room, status, kept) for status, kept in room.box.listed(wanted[box])]


def operation_of(session: Session, id_: str, to: str) -> str:
    """The id under which the broker stores a letter once. The same on every retry, and nobody else can make it up:
    whoever could would post something under it first, and the letter would pass for stored.
    """
    proof = session.keys.sign(signed_bytes("roosync.v1.mail.operation", f"{id_}/{to}"))
    return "m-" + hashlib.sha256(proof).hexdigest()[:40]


def _now(session: Session, sent: Sent, kept: Mapping[str, str]) -> Sent:
    """What waited for the broker when it was sent may be there since; `kept`: what still waits (`handed_over`)."""
    since = {"": "stored", "aside": "the broker refused it", WAITING: WAITING}
    told = {
        name: since[kept.get(operation_of(session, sent.letter.id, name), "")] if status == WAITING else status
        for name, status in sent.recipients.items()
    }
    return replace(sent, recipients=told)


def find(desk: WithMail, id_: str) -> tuple[str, Kept]:
    """By its id, the beginning of it, or sender/id when two senders chose the same."""
    by, _, wanted = id_.rpartition("/")
    found = desk.mail.box.like(wanted, by)
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(f"{kept.letter.sender}/{kept.letter.id}" for _, kept in found[:10])
        raise RefusedRequestError(f"{id_!r} is more than one letter: {named}")
    raise RefusedRequestError(f"{id_!r} is no letter here; `roosync message inbox --box all` lists them")
