"""Commands about coordination requests: ask a machine or a person, look at what waits, answer."""

import re
from typing import TYPE_CHECKING, Any, NoReturn

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.choosing import choosing_options, wanted
from roosync_agent.cli.choosing import preview as tell_chosen
from roosync_agent.cli.outcomes_text import accounted, counted, exit_code
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line, table_with_lines
from roosync_agent.wording import heard, tr, trn

if TYPE_CHECKING:
    from roosync_agent.session import Session

_EXPRESSION = re.compile(r"[=<>()*?\[@]|^has:|\s(and|or)\s|^not\s|^all$", re.IGNORECASE)  # else it is a name
PENDING, NO_ANSWER, FAILED = 3, 5, 4
OPEN = ("requested", "accepted")


class Asking(Group):
    """`request MACHINE` asks; the other words are commands (a machine of such a name: `request ask show`)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["ask", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["ask", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=Asking)
def request() -> None:
    """Ask a machine or a person for something, so that it waits until they are there: `roosync request MACHINE`."""


@request.command("ask")
@click.argument("to", metavar="MACHINE|OPERATOR|EXPR", required=False)
@choosing_options
@click.option("--type", "kind", type=click.Choice(["approval", "execution", "verification"]), default="execution")
@click.option("--action", default="", help="publish, collect, export, compare, report, verify; of a person in words.")
@click.option("--target", default="", help="What it is about, such as the id of a decision.")
@click.option("--timeout", type=float, default=60.0, show_default=True, metavar="MINUTES")
@click.option("--checkpoint", default="", help="Of a cycle, for the person who reads it.")
@click.option("--waiting", is_flag=True, help="Not to be begun before `roosync request ready`.")
@click.option(
    "--wait", type=click.FloatRange(0, 250), default=0.0, metavar="SECONDS", help="Wait so long for the answer."
)
@json_option
def ask(
    to: str | None, on: str | None, limit: str, seed: str, preview: bool, kind: str, action: str, target: str,
    timeout: float, checkpoint: str, waiting: bool, wait: float, as_json: bool,
) -> None:  # fmt: skip
    """Leave a request for MACHINE, for an operator by name, for `operators`; or for each machine that EXPR means.

    Exit code: 0 asked (with --wait: done), 4 failed or refused, 5 not answered in the time of --wait.
    """
    what = {"kind": kind, "action": action, "target": target, "timeout": timeout, "checkpoint": checkpoint}
    if to is None or preview or limit or _EXPRESSION.search(to):
        meant = wanted((to,) if to else (), on)
        if not meant:
            raise click.UsageError(
                tr("of whom? Name a machine, an operator, `operators`, or an expression: 'role=dev'")
            )
        if preview:
            tell_chosen(meant, limit, seed, as_json=as_json)
        _each(ask_machine("request_ask_each", on=meant, limit=limit, seed=seed, waiting=waiting, **what), wait, as_json)
    if on is not None:
        wanted((to,), on)  # says that one of the two is enough
    answer = _waited(ask_machine("request_ask", to=to, waiting=waiting, **what), wait)
    show(answer, as_json, _text)
    code = _code(answer)
    raise click.exceptions.Exit(code if wait > 0 or code == FAILED else 0)


@request.command("show")
@click.argument("id_", metavar="REQUEST")
@click.option("--markdown", is_flag=True, help="The founding protocol's Coordination Request.")
@click.option("--language", type=click.Choice(["en", "fr"]), default="en")
@json_option
def show_(id_: str, markdown: bool, language: str, as_json: bool) -> None:
    """One request. Exit code: 0 answered, 4 failed or refused, 5 it waits."""
    answer = ask_machine("request_show", id_=id_, language=language)
    show(answer, as_json, (lambda found: harmless(found["form"].rstrip("\n"), lines=True)) if markdown else _text)
    raise click.exceptions.Exit(_code(answer))


@request.command("ready")
@click.argument("id_", metavar="REQUEST")
@json_option
def ready(id_: str, as_json: bool) -> None:
    """What REQUEST waited for is there: its addressee may begin."""
    show(ask_machine("request_ready", id_=id_), as_json, _text)


@request.command("done")
@click.argument("id_", metavar="REQUEST")
@click.option("--note", default="", help="What came of it.")
@dry_run_option
@json_option
def done(id_: str, note: str, dry_run: bool, as_json: bool) -> None:
    """Answer REQUEST: it is done. Signed by an operator. (A decision is approved with `roosync decision approve`.)"""
    if dry_run:
        previewed("request_done", {"id_": id_, "note": note}, as_json)
    _conclude(id_, "done", note, as_json)


@request.command("refuse")
@click.argument("id_", metavar="REQUEST")
@click.option("--note", default="", help="Why.")
@dry_run_option
@json_option
def refuse(id_: str, note: str, dry_run: bool, as_json: bool) -> None:
    """Answer REQUEST: it will not be done. Signed by an operator."""
    if dry_run:
        previewed("request_refuse", {"id_": id_, "note": note}, as_json)
    _conclude(id_, "refused", note, as_json)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what was answered, or expired.")
@json_option
def requests(everything: bool, as_json: bool) -> None:
    """What was asked of machines and people, and waits. Exit code: 3 when something waits for a person."""
    found = ask_machine("requests", everything=everything)
    show(found, as_json, lambda rows: _list(rows, everything=everything))
    for_person = any(r["status"] in OPEN and _to_person(r) for r in found)
    raise click.exceptions.Exit(PENDING if for_person else 0)


# -- inside


def _each(answer: dict[str, Any], wait: float, as_json: bool) -> NoReturn:
    """How it stands with each machine that was asked, by name; whoever could not be asked, too."""
    found = answer | {"machines": []}
    if wait > 0 and answer["requests"]:
        ids = [row["id"] for row in answer["requests"]]
        found |= ask_machine("requests_settled", ids=ids, wait=wait)
        found["requests"] = [ask_machine("request_show", id_=id_) for id_ in ids]
    show(found, as_json, _each_text)
    states = [row["state"] for row in found["machines"]] + ["failed"] * bool(answer["failed"])
    raise click.exceptions.Exit(exit_code(states))


def _each_text(answer: dict[str, Any]) -> str:
    lines = [
        "! " + tr("{machine} was not asked: {why}", machine=harmless(name), why=harmless(heard(why)))
        for name, why in answer["failed"].items()
    ]
    body, _, last = _list(answer["requests"], everything=True).rpartition("\n\n") if answer["requests"] else ("",) * 3
    account = ["", *accounted(answer["machines"]), "", counted(answer["machines"])] if answer["machines"] else []
    return "\n".join([*lines, *([body, *account, "", last] if body else [])])


def _conclude(id_: str, status: str, note: str, as_json: bool) -> None:
    async def work(session: "Session") -> Any:
        from roosync_agent.operations.coordination import requests as operations

        made = await operations.conclude(session, id_, status, note)
        return operations.answer(session.fleet, made, session.now())

    import msgspec

    deed = {"done": "request_done", "refused": "request_refuse"}[status]
    show(msgspec.to_builtins(signed(work, deed, {"id_": id_, "note": note})), as_json, _text)


def _waited(answer: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The request when it was answered, its addressee was found not to be there, or the time is over."""
    import time

    if not seconds or _to_person(answer):
        end = time.monotonic() + seconds
        while answer["status"] in OPEN and time.monotonic() < end:
            time.sleep(0.1)
            answer = ask_machine("request_show", id_=answer["id"])
        return answer
    [ended] = ask_machine("requests_settled", ids=[answer["id"]], wait=seconds)["machines"]
    found: dict[str, Any] = ask_machine("request_show", id_=answer["id"]) | {"ended": ended}
    return found


def _to_person(row: dict[str, Any]) -> bool:
    to = str(row["to"])
    return to == "operators" or to.startswith("op-")


def _code(answer: dict[str, Any]) -> int:
    if answer["status"] == "done":
        return 0
    return NO_ANSWER if answer["status"] in OPEN else FAILED


def _text(answer: dict[str, Any]) -> str:
    waiting = answer["dependencies"] == "waiting"
    rows = [
        (tr("asked of"), answer["to"]),
        (tr("type"), tr("{type}, waiting", type=answer["type"]) if waiting else answer["type"]),
        (tr("action"), harmless(answer["action"])),
        (tr("target"), harmless(answer["target"])),
        (tr("asked by"), f"{answer['asked_by']}, {answer['asked'][:19]} UTC"),
        (tr("expires"), f"{answer['expires'][:19]} UTC"),
        (tr("cycle"), harmless(f"{answer['cycle']} {answer['checkpoint'].upper()}".strip())),
        (tr("answered by"), answer["answered_by"]),
        (tr("outcome"), harmless(heard(answer["outcome"]))),
    ]
    lines = [tr("Request {id}: {status}", id=answer["id"], status=answer["status"])]
    lines += [f"  {name:<12}{value}" for name, value in rows if value]
    lines += ["! " + tr("does not count: {line}", line=harmless(heard(line))) for line in answer["refused"]]
    ended = answer.get("ended")
    lines += ["", *accounted([ended])] if ended and ended["state"] in ("unreachable", "timed_out") else []
    return "\n".join([*lines, "", _next(answer)])


def _next(answer: dict[str, Any]) -> str:
    if answer["status"] in OPEN and _to_person(answer):
        about = answer["target"] if answer["type"] == "approval" and answer["target"].startswith("d-") else ""
        if about:
            return next_line(f"roosync decision show {about}", tr("answering the decision answers this"))
        return next_line(tr("roosync request done {id}, or refuse", id=answer["id"]))
    if answer["status"] in OPEN:
        when = tr("{machine} answers when it is there", machine=answer["to"])
        return next_line(f"roosync request show {answer['id']}", when)
    return next_line("roosync requests")


def _list(rows: list[dict[str, Any]], *, everything: bool) -> str:
    if not rows:
        told = tr("Nothing is asked of anybody.")
        return told if everything else f"{told} " + tr("`roosync requests --all` shows what was.")
    cells = [(r["id"], r["to"], r["type"], r["status"], r["asked_by"], r["expires"][:16]) for r in rows]
    heads = (tr("REQUEST"), tr("ASKED OF"), tr("TYPE"), tr("STATUS"), tr("ASKED BY"), tr("EXPIRES (UTC)"))
    below = [r["action"] + (f": {heard(r['outcome'])}" if r["outcome"] else "") for r in rows]
    waiting = [r for r in rows if r["status"] in OPEN and _to_person(r)]
    last = next_line(f"roosync request show {rows[-1]['id']}")
    if waiting:
        told = trn("{count} request for a person.", "{count} requests for a person.", len(waiting))
        last = f"{told} {_next(waiting[0])}"
    return "\n".join([*table_with_lines(cells, heads, below), "", last])
