"""Commands about mail: write to machines, operators or all of them; look, read, reply, archive."""

import base64
import sys
from pathlib import Path
from typing import Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.text import harmless, many, paint, shell_word, table, want_colour

UNSENT = 5  # exit code: a recipient was not reached
TONES = {"URGENT": "bad", "HIGH": "warn"}

as_operator = click.option("--as-operator", is_flag=True, help="With the operator's key instead of this machine's.")
body_options = [
    click.option("--body", help="The text, in Markdown. Without it: --body-file, or standard input."),
    click.option(
        "--body-file", type=click.Path(dir_okay=False, path_type=Path), help="A file with the text; - is stdin."
    ),
    click.option("--priority", help="LOW, MEDIUM, HIGH or URGENT."),
    click.option("--tag", "tags", multiple=True, help="May be given more than once."),
    click.option("--attach", "files", multiple=True, type=click.Path(path_type=Path), help="A file that goes with it."),
    click.option(
        "--id", "id_", default="", help="Of an earlier try, so that it is one letter however often it is sent."
    ),
]


def with_body(command: Any) -> Any:
    for option in reversed(body_options):
        command = option(command)
    return command


@click.group()
def message() -> None:
    """Mail between machines, operators and assistants: never lost, and read by its recipient alone."""


@message.command("send")
@click.argument("to", nargs=-1, required=True)
@click.option("--subject", required=True)
@with_body
@click.option("--thread", default="", help="The thread that it belongs to.")
@as_operator
@json_option
def send(
    to: tuple[str, ...], subject: str, body: str | None, body_file: Path | None, priority: str | None,
    tags: tuple[str, ...], files: tuple[Path, ...], id_: str, thread: str, as_operator: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write to TO: machines, operators, a pattern such as 'web-*', `machines`, `operators`, or `all`.

    Exit code: 0 stored on the bus, or kept here until the broker is back; 5 not sent to everybody.
    """
    given = {"subject": subject, "body": _body(body, body_file), "attachments": _files(files), "id_": id_ or _new_id()}
    more = {"priority": priority or "MEDIUM", "tags": list(tags), "thread_id": thread}
    _sent(_ask("send", as_operator, to=list(to), **given, **more), as_json)


@message.command("reply")
@click.argument("id_of", metavar="MESSAGE")
@click.option("--subject", default="", help="Instead of Re: and the old one.")
@with_body
@as_operator
@json_option
def reply(
    id_of: str, subject: str, body: str | None, body_file: Path | None, priority: str | None, tags: tuple[str, ...],
    files: tuple[Path, ...], id_: str, as_operator: bool, as_json: bool,
) -> None:  # fmt: skip
    """Answer whoever wrote MESSAGE, in its thread."""
    given = {"subject": subject, "body": _body(body, body_file), "attachments": _files(files)}
    more = {"priority": priority or "", "tags": list(tags), "new_id": id_ or _new_id()}
    _sent(_ask("reply", as_operator, id_=id_of, **given, **more), as_json)


@message.command("inbox")
@click.option("--box", default="inbox", show_default=True, help="inbox, unread, read, archived, sent, all.")
@click.option("--thread", default="")
@click.option("--tag", default="")
@click.option("--priority", default="")
@click.option("--from", "sender", default="", help="Only of this sender.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="So many at most; 0 is all.")
@as_operator
@json_option
def inbox(
    box: str, thread: str, tag: str, priority: str, sender: str, limit: int, as_operator: bool, as_json: bool
) -> None:
    """What came, unread and urgent first."""
    wanted = {"thread": thread, "tag": tag, "priority": priority, "sender": sender}
    found = _ask("inbox", as_operator, box=box, limit=limit, **wanted)
    show(found, as_json, _list)


@message.command("read")
@click.argument("id_", metavar="MESSAGE")
@click.option(
    "--save", type=click.Path(file_okay=False, path_type=Path), help="A folder for the files that came with it."
)
@click.option("--keep-unread", is_flag=True)
@as_operator
@json_option
def read(id_: str, save: Path | None, keep_unread: bool, as_operator: bool, as_json: bool) -> None:
    """One letter, whole. It counts as read from now on."""
    folder = str(save.absolute()) if save else ""
    show(_ask("read", as_operator, id_=id_, keep_unread=keep_unread, save=folder), as_json, _letter)


@message.command("archive")
@click.argument("ids", metavar="MESSAGE...", nargs=-1, required=True)
@as_operator
@json_option
def archive(ids: tuple[str, ...], as_operator: bool, as_json: bool) -> None:
    """Put letters away; `inbox --box archived` shows them."""
    _mark(ids, "archived", as_operator, as_json)


@message.command("mark")
@click.argument("status", type=click.Choice(["read", "unread"]))
@click.argument("ids", metavar="MESSAGE...", nargs=-1, required=True)
@as_operator
@json_option
def mark(status: str, ids: tuple[str, ...], as_operator: bool, as_json: bool) -> None:
    """Make letters read or unread; an archived one comes back."""
    _mark(ids, status, as_operator, as_json)


@message.command("mark-read", hidden=True)
@click.argument("ids", metavar="MESSAGE...", nargs=-1, required=True)
@as_operator
@json_option
def mark_read(ids: tuple[str, ...], as_operator: bool, as_json: bool) -> None:
    """RooSync 2's own name for `mark read`."""
    _mark(ids, "read", as_operator, as_json)


# -- asking


def _ask(verb: str, as_operator: bool, **args: Any) -> Any:
    if not as_operator:
        return ask_machine(f"message_{verb}", **args)

    async def work(session: Any) -> Any:
        import msgspec

        from roosync_agent.operations import mail
        from roosync_agent.running.mail import Desk
        from roosync_agent.settings import load
        from roosync_agent.state import State

        answer = await getattr(mail, verb)(Desk(session, State(load().state)), **args)
        return msgspec.to_builtins(answer, str_keys=True)

    return signed(work)


def _mark(ids: tuple[str, ...], status: str, as_operator: bool, as_json: bool) -> None:
    found = _ask("mark", as_operator, ids=list(ids), status=status)
    show(found, as_json, lambda rows: f"{many(len(rows), 'letter')} {status}.\n\nNext: roosync message inbox")


def _new_id() -> str:
    """Made before the first try: whatever is sent again is sent once."""
    import secrets

    return "m-" + secrets.token_hex(8)


def _body(body: str | None, file: Path | None) -> str:
    """The text, from wherever it comes; not more of it than can be carried is read."""
    from roosync_protocol.mail import MAX_BODY

    most = 4 * MAX_BODY + 1
    if body is not None and file is not None:
        raise click.UsageError("--body and --body-file are two texts; give one")
    if body is not None:
        return body
    if file is None and sys.stdin.isatty():
        raise click.UsageError("the text is missing: --body TEXT, --body-file FILE, or something on standard input")
    try:
        if file is None or str(file) == "-":
            data = sys.stdin.buffer.read(most)
        else:
            with file.open("rb") as opened:
                data = opened.read(most)
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if len(data) == most:
            raise click.UsageError(
                f"the text has more than {MAX_BODY} characters: attach it as a file (--attach)"
            ) from None
        raise click.UsageError("the text is not UTF-8: convert it, or attach it as a file (--attach)") from None
    except OSError as error:
        raise click.UsageError(f"the text can not be read: {error.strerror or error}") from None


def _files(paths: tuple[Path, ...]) -> list[dict[str, str]]:
    from roosync_protocol.mail import attachment_fault

    sizes = []
    for path in paths:
        if not path.is_file():
            raise click.UsageError(f"{path} is no file that can be attached")
        sizes.append((path.name, path.stat().st_size))
    if fault := attachment_fault(sizes):
        raise click.UsageError(fault)
    try:
        return [{"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()} for path in paths]
    except OSError as error:
        raise click.UsageError(f"a file can not be attached: {error}") from None


# -- showing


def _sent(answer: dict[str, Any], as_json: bool) -> None:
    show(answer, as_json, _sent_text)
    raise click.exceptions.Exit(UNSENT if answer["failed"] else 0)


def _sent_text(answer: dict[str, Any]) -> str:
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


def _list(answer: dict[str, Any]) -> str:
    rows, sent = answer["messages"], answer["box"] == "sent"
    notes = [f"! {harmless(note)}" for note in answer["notes"]]
    if not rows:
        return "\n".join([*notes, f"Nothing is in {answer['box']} of {answer['agent']}."])
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


def _as(owner: str) -> str:
    return " --as-operator" if owner.startswith("op-") else ""


def _sent_status(row: dict[str, Any]) -> str:
    wrong = sum(status != "stored" for status in row["recipients"].values())
    return "stored" if not wrong else f"{wrong} of {len(row['recipients'])} not stored"


def _letter(answer: dict[str, Any]) -> str:
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
