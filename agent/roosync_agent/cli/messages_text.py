"""Letters as a person reads them: a list, one whole, and what became of one that was sent."""

from typing import Any

from roosync_agent.characters import harmless, shell_word
from roosync_agent.cli.text import next_line, table
from roosync_agent.columns import paint, want_colour
from roosync_agent.wording import heard, tr, trn

TONES = {"URGENT": "bad", "HIGH": "warn"}


def sent_text(answer: dict[str, Any], broker_at: str = "") -> str:
    """`broker_at`: the machine whose broker is waited for, when it is not this one."""
    subject = harmless(answer["subject"])
    lines = [tr("Message {id} from {sender}: {subject}", id=answer["id"], sender=answer["from"], subject=subject)]
    told: dict[str, list[str]] = {"stored": [], "waiting": []}
    for name, status in answer["recipients"].items():
        told.setdefault(status, []).append(name)
    for status, names in told.items():
        if names:
            lines.append(f"  {_status_text(status)}: {harmless(_named(names))}")
    if answer["attachments"]:
        lines.append("  " + tr("attached: {files}", files=harmless(", ".join(answer["attachments"]))))
    following = next_line(f"roosync message inbox --box sent{_as(answer['from'])}")
    if answer["waiting"]:
        why = tr("brings the broker back; then it goes by itself")
        there = tr("on {machines}", machines=harmless(broker_at)) + ": " if broker_at else ""
        following = next_line("roosync up", there + why)
    return "\n".join([*lines, "", following])


def _named(names: list[str], most: int = 12) -> str:
    first, left = ", ".join(names[:most]), len(names) - most
    return trn("{names} and {count} more", "{names} and {count} more", left, names=first) if left > 0 else first


def _status_text(status: str) -> str:
    known = {"stored": tr("stored for"), "waiting": tr("waits on this disk until the broker is back, for")}
    return known.get(status) or tr("NOT sent ({why}), to", why=harmless(heard(status)))


def list_text(answer: dict[str, Any]) -> str:
    rows, sent = answer["messages"], answer["box"] == "sent"
    notes = [f"! {harmless(heard(note))}" for note in answer["notes"]]
    if not rows:
        return "\n".join([*notes, _empty(answer["box"], answer["agent"])])
    cells = [
        (
            row["id"],
            row["to"][:30] if sent else row["from"],
            row["priority"],
            row["timestamp"][:16].replace("T", " "),
            _sent_status(row) if sent else row["status"],
            row["subject"][:60] + (f" [{', '.join(row['tags'])}]" if row["tags"] else ""),
            len(row["attachments"]) or "-",
        )
        for row in rows
    ]
    heads = (
        tr("MESSAGE"), tr("TO") if sent else tr("FROM"), tr("PRIORITY"), tr("WRITTEN (UTC)"), tr("STATUS"),
        tr("SUBJECT"), tr("FILES"),
    )  # fmt: skip
    unread = [row for row in rows if row["status"] == "unread"]
    as_ = _as(answer["agent"])
    next_ = f"roosync message read {shell_word((unread or rows)[0]['id'])}" if not sent else "roosync message inbox"
    told = trn(
        "{count} unread letter for {agent}.", "{count} unread letters for {agent}.",
        answer["unread"], agent=answer["agent"],
    )  # fmt: skip
    if left := answer["found"] - len(rows):
        told += " " + trn(
            "{count} more letter here: --limit 0 shows all.", "{count} more letters here: --limit 0 shows all.", left
        )
    return "\n".join([*notes, table(cells, heads, colour=want_colour()), "", told, "", next_line(next_ + as_)])


def _empty(box: str, owner: str) -> str:
    if box == "inbox":
        return tr("The inbox of {owner} is empty.", owner=owner)
    if box == "all":
        return tr("{owner} has no letters.", owner=owner)
    return tr("{owner} has no {kind} letters.", owner=owner, kind=box)


def _as(owner: str) -> str:
    return " --as-operator" if owner.startswith("op-") else ""


def _sent_status(row: dict[str, Any]) -> str:
    wrong = sum(status != "stored" for status in row["recipients"].values())
    return "stored" if not wrong else tr("{count} of {all} not stored", count=wrong, all=len(row["recipients"]))


def letter_text(answer: dict[str, Any]) -> str:
    from roosync_agent.cli.markdown_text import shown_markdown

    colour = want_colour()
    urgent = paint(answer["priority"], TONES.get(answer["priority"], ""), colour)
    to = answer["to"]
    if answer["addressed"] not in ("", to):
        to = tr("{machine} (to {addressed})", machine=to, addressed=answer["addressed"])
    rows = [
        (tr("from"), harmless(answer["from"])),
        (tr("to"), harmless(to)),
        (tr("written"), f"{answer['timestamp'][:19]} UTC"),
        (tr("priority"), urgent),
        (tr("status"), answer["status"]),
        (tr("tags"), harmless(", ".join(answer["tags"]))),
        (tr("thread"), answer["thread_id"] if answer["thread_id"] != answer["id"] else ""),
        (tr("answers"), harmless(answer["reply_to"])),
    ]
    rows += [
        (tr("file {number}", number=one["number"]),
         tr("{name}, {size} bytes", name=harmless(one["name"]), size=one["size"]))
        for one in answer["attachments"]
    ]  # fmt: skip
    rows += [(tr("saved"), harmless(path)) for path in answer["saved"]]
    lines = [tr("Message {id}: {subject}", id=answer["id"], subject=harmless(answer["subject"]))]
    lines += [f"  {name:<10}{value}" for name, value in rows if value]
    body = shown_markdown(answer["body"], colour=colour)
    as_ = _as(answer["to"])
    unsaved = answer["attachments"] and not answer["saved"]
    id_ = shell_word(answer["id"])
    next_ = f"roosync message read {id_} --save FOLDER{as_}"
    if not unsaved:
        next_ = tr("{command}, or archive", command=f"roosync message reply {id_}{as_}")
    return "\n".join([*lines, "", *([body, ""] if body else []), next_line(next_)])
