"""Commands about mail: write to machines, operators or all of them; look, read, reply, archive."""

import base64
import sys
from pathlib import Path
from typing import Any

import click

from roosync_agent.cli.choosing import expanded
from roosync_agent.cli.messages_text import letter_text, list_text, sent_text
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import F, ask_machine, json_option, show, signed, with_options
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line
from roosync_agent.wording import heard, tr, trn

UNSENT = 5  # exit code: a recipient was not reached

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


def with_body(command: F) -> F:
    return with_options(command, body_options)


@click.group(cls=Group)
def message() -> None:
    """Mail between machines, operators and assistants: never lost, and read by its recipient alone."""


@message.command("send")
@click.argument("to", nargs=-1, required=True)
@click.option("--subject", required=True)
@with_body
@click.option("--thread", default="", help="The thread that it belongs to.")
@as_operator
@dry_run_option
@json_option
def send(
    to: tuple[str, ...], subject: str, body: str | None, body_file: Path | None, priority: str | None,
    tags: tuple[str, ...], files: tuple[Path, ...], id_: str, thread: str, as_operator: bool, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write to TO: machines, operators, 'web-*', 'role=dev and not lab-7', `machines`, `operators`, `all`, @FILE.

    Exit code: 0 stored on the bus, or kept here until the broker is back; 5 not sent to everybody.
    """
    meant = [expanded(one) for one in to]
    given = {"subject": subject, "body": _body(body, body_file), "attachments": _files(files), "id_": id_ or _new_id()}
    more = {"priority": priority or "MEDIUM", "tags": list(tags), "thread_id": thread}
    shown = {"to": meant, "subject": subject, "body": given["body"], "tags": list(tags), "thread": thread,
             "priority": more["priority"], "sender": _sender(as_operator), "files": _names(files)}  # fmt: skip
    if dry_run:
        previewed("message_send", shown, as_json)
    _sent(_ask("send", as_operator, shown, to=meant, **given, **more), as_json)


@message.command("reply")
@click.argument("id_of", metavar="MESSAGE")
@click.option("--subject", default="", help="Instead of Re: and the old one.")
@with_body
@as_operator
@dry_run_option
@json_option
def reply(
    id_of: str, subject: str, body: str | None, body_file: Path | None, priority: str | None, tags: tuple[str, ...],
    files: tuple[Path, ...], id_: str, as_operator: bool, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Answer whoever wrote MESSAGE, in its thread."""
    given = {"subject": subject, "body": _body(body, body_file), "attachments": _files(files)}
    more = {"priority": priority or "", "tags": list(tags), "new_id": id_ or _new_id()}
    shown = {"id_": id_of, "subject": subject, "body": given["body"], "tags": list(tags), "priority": more["priority"],
             "sender": _sender(as_operator), "files": _names(files)}  # fmt: skip
    if dry_run:
        previewed("message_reply", shown, as_json)
    _sent(_ask("reply", as_operator, shown, id_=id_of, **given, **more), as_json)


@message.command("inbox")
@click.option("--box", default="inbox", show_default=True, help="inbox, unread, read, archived, sent, all.")
@click.option("--thread", default="")
@click.option("--tag", default="")
@click.option("--priority", default="")
@click.option("--from", "sender", default="", help="Only of this sender.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="So many at most; 0 is all.")
@as_operator
@dry_run_option
@json_option
def inbox(
    box: str, thread: str, tag: str, priority: str, sender: str, limit: int, as_operator: bool, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """What came, unread and urgent first."""
    shown = _own("inbox", (), as_operator)
    if dry_run:
        previewed("message_mail", shown, as_json)
    wanted = {"thread": thread, "tag": tag, "priority": priority, "sender": sender}
    found = _ask("inbox", as_operator, shown, box=box, limit=limit, **wanted)
    show(found, as_json, list_text)


@message.command("read")
@click.argument("id_", metavar="MESSAGE")
@click.option(
    "--save", type=click.Path(file_okay=False, path_type=Path), help="A folder for the files that came with it."
)
@click.option("--keep-unread", is_flag=True)
@as_operator
@dry_run_option
@json_option
def read(id_: str, save: Path | None, keep_unread: bool, as_operator: bool, dry_run: bool, as_json: bool) -> None:
    """One letter, whole. It counts as read from now on."""
    shown = _own("read", (id_,), as_operator)
    if dry_run:
        previewed("message_mail", shown, as_json)
    folder = str(save.absolute()) if save else ""
    show(_ask("read", as_operator, shown, id_=id_, keep_unread=keep_unread, save=folder), as_json, letter_text)


@message.command("archive")
@click.argument("ids", metavar="MESSAGE...", nargs=-1, required=True)
@as_operator
@dry_run_option
@json_option
def archive(ids: tuple[str, ...], as_operator: bool, dry_run: bool, as_json: bool) -> None:
    """Put letters away; `inbox --box archived` shows them."""
    _mark(ids, "archived", as_operator, as_json, dry_run)


@message.command("mark")
@click.argument("status", type=click.Choice(["read", "unread"]))
@click.argument("ids", metavar="MESSAGE...", nargs=-1, required=True)
@as_operator
@dry_run_option
@json_option
def mark(status: str, ids: tuple[str, ...], as_operator: bool, dry_run: bool, as_json: bool) -> None:
    """Make letters read or unread; an archived one comes back."""
    _mark(ids, status, as_operator, as_json, dry_run)


@message.command("remove")
@click.argument("ids", metavar="[MESSAGE...]", nargs=-1)
@click.option("--archived", is_flag=True, help="Everything that was archived.")
@as_operator
@dry_run_option
@json_option
def remove(ids: tuple[str, ...], archived: bool, as_operator: bool, dry_run: bool, as_json: bool) -> None:
    """Take letters and their files from this disk for good."""
    shown = _own("remove", (*ids, *([tr("all that were archived")] if archived else [])), as_operator)
    if dry_run:
        previewed("message_mail", shown, as_json)
    found = _ask("remove", as_operator, shown, ids=list(ids), archived=archived)
    show(found, as_json, lambda rows: f"{_removed(len(rows))}\n\n{next_line('roosync message inbox')}")


@message.command("mark-read", hidden=True)
@click.argument("ids", metavar="MESSAGE...", nargs=-1, required=True)
@as_operator
@json_option
def mark_read(ids: tuple[str, ...], as_operator: bool, as_json: bool) -> None:
    """RooSync 2's own name for `mark read`."""
    _mark(ids, "read", as_operator, as_json)


# -- inside


def _ask(verb: str, as_operator: bool, shown: dict[str, Any], **args: Any) -> Any:
    """`shown`: what a preview of it is given."""
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

    return signed(work, f"message_{verb}" if verb in ("send", "reply") else "message_mail", shown)


def _sender(as_operator: bool) -> str:
    """The name under which it is signed; "": this machine's."""
    if not as_operator:
        return ""
    from roosync_agent.connect import identity_of
    from roosync_agent.settings import load
    from roosync_agent.state import State

    return identity_of(State(load().state)).operator or ""


def _names(files: tuple[Path, ...]) -> list[str]:
    return [str(file.absolute()) for file in files]


def _own(what: str, ids: tuple[str, ...], as_operator: bool) -> dict[str, Any]:
    return {"what": what, "ids": list(ids), "sender": _sender(as_operator)}


def _mark(ids: tuple[str, ...], status: str, as_operator: bool, as_json: bool, dry_run: bool = False) -> None:
    shown = _own("mark_read" if status == "read" else status, ids, as_operator)
    if dry_run:
        previewed("message_mail", shown, as_json)
    found = _ask("mark", as_operator, shown, ids=list(ids), status=status)
    show(found, as_json, lambda rows: f"{_marked(len(rows), status)}\n\n{next_line('roosync message inbox')}")


def _marked(count: int, status: str) -> str:
    if status == "archived":
        return trn("{count} letter archived.", "{count} letters archived.", count)
    if status == "unread":
        return trn("{count} letter unread.", "{count} letters unread.", count)
    return trn("{count} letter read.", "{count} letters read.", count)


def _removed(count: int) -> str:
    return trn("{count} letter removed.", "{count} letters removed.", count)


def _new_id() -> str:
    """Made before the first try: whatever is sent again is sent once."""
    import secrets

    return "m-" + secrets.token_hex(8)


def _body(body: str | None, file: Path | None) -> str:
    """The text, from wherever it comes; not more of it than can be carried is read."""
    from roosync_protocol.mail import MAX_BODY

    most = 4 * MAX_BODY + 1
    if body is not None and file is not None:
        raise click.UsageError(tr("--body and --body-file are two texts; give one"))
    if body is not None:
        return body
    if file is None and sys.stdin.isatty():
        raise click.UsageError(tr("the text is missing: --body TEXT, --body-file FILE, or something on standard input"))
    try:
        if file is None or str(file) == "-":
            data = sys.stdin.buffer.read(most)
        else:
            with file.open("rb") as opened:
                data = opened.read(most)
        if not data and file is None:  # nobody wrote there: a program without a terminal, or one that failed
            raise click.UsageError(
                tr("nothing came on standard input: --body TEXT, or --body '' for a letter without text")
            )
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if len(data) == most:
            raise click.UsageError(
                tr("the text has more than {count} characters: attach it as a file (--attach)", count=MAX_BODY)
            ) from None
        raise click.UsageError(tr("the text is not UTF-8: convert it, or attach it as a file (--attach)")) from None
    except OSError as error:
        raise click.UsageError(tr("the text can not be read: {why}", why=error.strerror or error)) from None


def _files(paths: tuple[Path, ...]) -> list[dict[str, str]]:
    from roosync_protocol.mail import attachment_fault

    sizes = []
    for path in paths:
        if not path.is_file():
            raise click.UsageError(tr("{path} is no file that can be attached", path=path))
        sizes.append((path.name, path.stat().st_size))
    if fault := attachment_fault(sizes):
        raise click.UsageError(heard(fault))
    try:
        return [{"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()} for path in paths]
    except OSError as error:
        raise click.UsageError(tr("a file can not be attached: {why}", why=error)) from None


def _broker_at() -> str:
    """Where the broker is to be started; "" for this machine."""
    from roosync_agent.connect import broker_at, identity_of
    from roosync_agent.settings import load
    from roosync_agent.state import State

    settings = load()
    state = State(settings.state)
    return broker_at(settings, identity_of(state), state.law())


def _sent(answer: dict[str, Any], as_json: bool) -> None:
    away = "" if as_json or not answer["waiting"] else _broker_at()
    show(answer, as_json, lambda told: sent_text(told, away))
    raise click.exceptions.Exit(UNSENT if answer["failed"] else 0)
