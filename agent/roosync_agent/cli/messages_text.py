"""Letters as a person reads them: a list, one whole, and what became of one that was sent."""

from typing import Any

from roosync_agent.cli.text import harmless, many, paint, shell_word, table, want_colour

TONES = {"URGENT": "bad", "HIGH": "warn"}


def sent_text(answer: dict[str, Any]) -> str:
    lines = [f"Message {answer['id']} from {answer['from']}: {harmless(answer['subject'])}"]
    told: dict[str, list[str]] = {"stored": [], "waiting": []}
    for name, status in answer["recipients"].items():
        told.setdefault(status, []).append(name)
    for status, names in told.items():
        if names:
            lines.append(f"  {_status_text(status)}: {harmless(_named(names))}")
    if answer["attachments"]:
        lines.append(f"  attached: {harmless(', '.join(answer['attachments']))}")
    next_ = "roosync up    (brings the broker back; then it goes by itself)" if answer["waiting"] else ""
    return "\n".join([*lines, "", f"Next: {next_ or 'roosync message inbox --box sent' + _as(answer['from'])}"])


def _named(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _status_text(status: str) -> str:
    known = {"stored": "stored for", "waiting": "waits on this disk until the broker is back, for"}
    return known.get(status) or f"NOT sent ({harmless(status)}), to"


def list_text(answer: dict[str, Any]) -> str:
    rows, sent = answer["messages"], answer["box"] == "sent"
    notes = [f"! {harmless(note)}" for note in answer["notes"]]
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
    heads = ("MESSAGE", "TO" if sent else "FROM", "PRIORITY", "WRITTEN (UTC)", "STATUS", "SUBJECT", "FILES")
    unread = [row for row in rows if row["status"] == "unread"]
    as_ = _as(answer["agent"])
    next_ = f"roosync message read {shell_word((unread or rows)[0]['id'])}" if not sent else "roosync message inbox"
    told = f"{many(answer['unread'], 'unread letter')} for {answer['agent']}."
    if left := answer["found"] - len(rows):
        told += f" {many(left, 'more letter')} here: --limit 0 shows all."
    return "\n".join([*notes, table(cells, heads, colour=want_colour()), "", told, "", f"Next: {next_}{as_}"])


def _empty(box: str, owner: str) -> str:
    kind = "" if box == "all" else f"{box} "
    return f"The inbox of {owner} is empty." if box == "inbox" else f"{owner} has no {kind}letters."


def _as(owner: str) -> str:
    return " --as-operator" if owner.startswith("op-") else ""


def _sent_status(row: dict[str, Any]) -> str:
    wrong = sum(status != "stored" for status in row["recipients"].values())
    return "stored" if not wrong else f"{wrong} of {len(row['recipients'])} not stored"


def letter_text(answer: dict[str, Any]) -> str:
    from roosync_agent.cli.markdown_text import shown_markdown

    colour = want_colour()
    urgent = paint(answer["priority"], TONES.get(answer["priority"], ""), colour)
    to = answer["to"] if answer["addressed"] in ("", answer["to"]) else f"{answer['to']} (to {answer['addressed']})"
    rows = [
        ("from", harmless(answer["from"])),
        ("to", harmless(to)),
        ("written", f"{answer['timestamp'][:19]} UTC"),
        ("priority", urgent),
        ("status", answer["status"]),
        ("tags", harmless(", ".join(answer["tags"]))),
        ("thread", answer["thread_id"] if answer["thread_id"] != answer["id"] else ""),
        ("answers", harmless(answer["reply_to"])),
    ]
    lines = [f"Message {answer['id']}: {harmless(answer['subject'])}"]
    lines += [f"  {name:<10}{value}" for name, value in rows if value]
    for one in answer["attachments"]:
        lines.append(f"  file {one['number']:<5}{harmless(one['name'])}, {one['size']} bytes")
    lines += [f"  saved     {harmless(path)}" for path in answer["saved"]]
    body = shown_markdown(answer["body"], colour=colour)
    as_ = _as(answer["to"])
    unsaved = answer["attachments"] and not answer["saved"]
    id_ = shell_word(answer["id"])
    next_ = (
        f"roosync message read {id_} --save FOLDER{as_}" if unsaved else f"roosync message reply {id_}{as_}, or archive"
    )
    return "\n".join([*lines, "", *([body, ""] if body else []), f"Next: {next_}"])
