"""What a letter under the operator's name would say, and to whom. Its files are chosen by the command."""

from collections.abc import Mapping
from typing import Any

from roosync_agent.operations.previewing.answers import Fact, Preview
from roosync_agent.running.machine import Machine
from roosync_protocol.fleet import Fleet
from roosync_protocol.mail import recipients


async def send(
    machine: Machine,
    to: list[str],
    subject: str,
    body: str,
    sender: str = "",
    priority: str = "",
    tags: list[str] | None = None,
    thread: str = "",
    files: list[str] | None = None,
) -> Preview:
    """`sender`: "" for this machine; an operator signs with a key."""
    names = recipients(machine.fleet.law, to, sender or machine.name)
    facts = [Fact(title="To", lines=[", ".join(names)])]
    return Preview(
        deed="",
        what=f"send a letter under the name of {sender or machine.name} (recipients: {len(names)})",
        signs=bool(sender),
        facts=[*facts, *_about(subject, priority, tags, thread, files)],
        text=body,
        then=["who got it can read it for good: a letter can not be called back"],
    )


async def reply(
    machine: Machine,
    id_: str,
    body: str,
    subject: str = "",
    sender: str = "",
    priority: str = "",
    tags: list[str] | None = None,
    files: list[str] | None = None,
) -> Preview:
    return Preview(
        deed="",
        what=f"answer whoever wrote the letter {id_}, under the name of {sender or machine.name}",
        signs=bool(sender),
        facts=_about(subject, priority, tags, "", files),
        text=body,
        then=["who got it can read it for good: a letter can not be called back"],
    )


async def own(machine: Machine, what: str, ids: list[str], sender: str = "") -> Preview:
    """Reading, and what is done with letters that came: on this disk alone."""
    told = {
        "inbox": "list the letters",
        "read": "open a letter",
        "archived": "put letters away",
        "mark_read": "mark letters as read",
        "unread": "mark letters as unread",
        "remove": "take letters and their files from this disk for good",
    }
    return Preview(
        deed="",
        what=f"{told[what]} of {sender or machine.name}",
        signs=False,
        facts=[Fact(title="Letters", lines=[", ".join(ids)])] if ids else [],
        then=[
            f"who asked for it gets to read what is written to {sender or machine.name}"
            if what in ("inbox", "read")
            else "nobody else is told"
        ],
    )


def rests_on_members(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    return list(recipients(fleet.law, given["to"], given.get("sender") or ""))


def _about(subject: str, priority: str, tags: list[str] | None, thread: str, files: list[str] | None) -> list[Fact]:
    rows = [
        ("Subject", subject),
        ("Priority", priority),
        ("Tags", ", ".join(tags or ())),
        ("Thread", thread),
        ("Files", ", ".join(files or ())),
    ]
    return [Fact(title=title, lines=[text]) for title, text in rows if text]
