"""Commands about cycles: a run of the fleet through checkpoints, together."""

import math
from typing import TYPE_CHECKING, Any, NoReturn

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.choosing import choosing_options, wanted
from roosync_agent.cli.choosing import preview as tell_chosen
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.progress import Bar
from roosync_agent.cli.reports import closing
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import print_json, table
from roosync_agent.columns import hanging, want_colour, width
from roosync_agent.wording import heard, mark, tr

if TYPE_CHECKING:
    from roosync_agent.session import Session

STOPPED = {
    2: mark("Stopped: no policy applies anything on its machines until a person answers."),
    3: mark("Stopped as an emergency: nothing at all is applied on its machines until a person answers."),
}
DRIFT, PENDING, CONFLICT, SILENT = 2, 3, 4, 5


@click.group(cls=Group)
def cycle() -> None:
    """A run of machines through checkpoints: each at its own pace, all waiting for each other at each one."""


@cycle.command("start")
@click.option("--route", type=click.Choice(["coordination", "deployment"]), default="coordination")
@choosing_options
@click.option("--targets", multiple=True, metavar="MACHINE", help="As --on: names or patterns, with commas between.")
@click.option("--timeout", type=float, default=60.0, show_default=True, metavar="MINUTES", help="For each checkpoint.")
@click.option("--version", "required", default="", help="Deployment: the version that every agent must have.")
@click.option("--note", default="", help="A line about it.")
@click.option("--wait", is_flag=True, help="Follow it until it ends or is stopped, as `roosync cycle watch` does.")
@json_option
def start(
    route: str, on: str | None, limit: str, seed: str, preview: bool, targets: tuple[str, ...], timeout: float,
    required: str, note: str, wait: bool, as_json: bool,
) -> None:  # fmt: skip
    """Begin a cycle of all machines, or of some. Who takes part is written first; the orchestrator moves it on."""
    named = [name.strip() for one in targets for name in one.split(",") if name.strip()]
    if targets and not named:
        raise click.UsageError(tr("--targets names no machine; leave it out for all of them"))
    meant = wanted(tuple(named), on)
    if preview:
        tell_chosen(meant, limit, seed, as_json=as_json)
    answer = ask_machine(
        "cycle_start", route=route, targets=meant, timeout=timeout, version=required, note=note, limit=limit, seed=seed
    )
    if wait:
        _follow(answer["id"], None, as_json)
    show(answer, as_json, _text)


@cycle.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every cycle, the newest last."""
    show(ask_machine("cycle_list"), as_json, _list)


@cycle.command("show")
@click.argument("id_", metavar="[CYCLE]", required=False)
@json_option
def show_(id_: str | None, as_json: bool) -> None:
    """Where a cycle stands and who is waited for. Exit code: 0 done, 3 a person is asked, 5 machines are waited for."""
    answer = ask_machine("cycle_show", id_=id_)
    show(answer, as_json, _text)
    raise click.exceptions.Exit(_code(answer))


@cycle.command("watch")
@click.argument("id_", metavar="[CYCLE]", required=False)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Look no longer; the cycle goes on.")
@json_option
def watch(id_: str | None, timeout: float | None, as_json: bool) -> None:
    """Follow a cycle until it ends or is stopped; what a person has to answer meanwhile is told.

    Exit code as of `cycle show`: 0 done, 3 a person is asked, 5 machines are waited for still when the time is over.
    """
    _follow(id_, timeout, as_json, each=True)


def _follow(id_: str | None, seconds: float | None, as_json: bool, *, each: bool = False) -> NoReturn:
    """Tells each change of a cycle, and at last all of it; ends with the exit code of `cycle show`.

    As JSON: with `each` a line for every change, the last of them how it ended.
    """
    import time

    end, last = time.monotonic() + (math.inf if seconds is None else seconds), ""
    with Bar(tr("Waiting for the machines")) as bar:
        while True:
            answer = ask_machine("cycle_show", id_=id_)
            id_ = answer["id"]
            line = _line(answer)
            if line != last and each and as_json:
                print_json(answer, line=True)
            elif line != last and not as_json:
                bar.say(line)
            last = line
            bar.at(len(answer["participants"]) - len(answer["waits_for"]), total=len(answer["participants"]))
            left = end - time.monotonic()
            if answer["status"] != "running" or left <= 0:
                break
            time.sleep(min(0.5, left))
    if not (each and as_json):
        show(answer, as_json, _text)
    raise click.exceptions.Exit(_code(answer))


@cycle.command("metrics")
@click.argument("id_", metavar="[CYCLE]", required=False)
@json_option
def metrics(id_: str | None, as_json: bool) -> None:
    """The metric report of a cycle, in the founding protocol's form."""
    answer = ask_machine("cycle_metrics", id_=id_)
    show(answer, as_json, lambda found: "\n".join(f"{name}: {_plain(value)}" for name, value in found.items()))


cycle.add_command(closing, "report")


@cycle.command("excuse")
@click.argument("machine")
@click.option("--cycle", "id_", help="Which cycle; the running one without it.")
@click.option("--reason", default="", help="Why.")
@dry_run_option
@json_option
def excuse(machine: str, id_: str | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """Let the others go on without MACHINE. Signed by an operator."""
    given = {"name": machine, "id_": id_, "reason": reason}
    if dry_run:
        previewed("cycle_excuse", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.coordination import cycling

        return await cycling.excuse(session, id_, machine, reason)

    _told(signed(work, "cycle_excuse", given), as_json, tr("{machine} is excused", machine=harmless(machine)))


@cycle.command("resume")
@click.argument("id_", metavar="[CYCLE]", required=False)
@dry_run_option
@json_option
def resume(id_: str | None, dry_run: bool, as_json: bool) -> None:
    """Go on waiting, with fresh time. Signed by an operator."""
    if dry_run:
        previewed("cycle_resume", {"id_": id_}, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.coordination import cycling

        return await cycling.resume(session, id_)

    _told(signed(work, "cycle_resume", {"id_": id_}), as_json, tr("it goes on"))


@cycle.command("abort")
@click.argument("id_", metavar="[CYCLE]", required=False)
@click.option("--reason", default="", help="Why.")
@dry_run_option
@json_option
def abort(id_: str | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """End a cycle. Nothing that was applied is taken back. Signed by an operator."""
    given = {"id_": id_, "reason": reason}
    if dry_run:
        previewed("cycle_abort", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.coordination import cycling

        return await cycling.abort(session, id_, reason)

    _told(signed(work, "cycle_abort", given), as_json, tr("it is ended"))


def _told(done: Any, as_json: bool, what: str) -> None:
    import msgspec

    show(
        msgspec.to_builtins(done, str_keys=True),
        as_json,
        lambda a: f"{a['id']}: {what}; {a['status']}.\n\n{_following(a)}",
    )


def _following(answer: dict[str, Any]) -> str:
    look = {"running": "watch", "waiting": "show"}.get(answer["status"], "report")
    return tr("Next: {command}", command=f"roosync cycle {look} {answer['id']}")


def _code(answer: dict[str, Any]) -> int:
    if answer["next_step"]:
        return PENDING
    return SILENT if answer["status"] == "running" else 0  # also in the moment before its leader goes on


def _list(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"{tr('No cycle was started yet.')}\n\n{tr('Next: {command}', command='roosync cycle start')}"
    told = [(r["id"], r["route"], r["status"], r["checkpoint"].upper(), r["started"][:19], r["by"]) for r in rows]
    heads = (tr("CYCLE"), tr("ROUTE"), tr("STATUS"), tr("CHECKPOINT"), tr("STARTED (UTC)"), tr("BY"))
    open_ = next((r for r in reversed(rows) if r["status"] in ("running", "waiting")), rows[-1])
    return "\n".join([table(told, heads, colour=want_colour()), "", _following(open_)])


def _line(answer: dict[str, Any]) -> str:
    waits = ""
    if answer["status"] == "running" and answer["next_step"]:
        waits = ", " + tr("a person is asked: {what}", what=harmless(heard(answer["next_step"])))
    elif answer["waits_for"]:
        waits = ", " + tr("waiting for {machines}", machines=", ".join(answer["waits_for"][:5]))
    return f"{answer['id']}  {answer['status']}  CHECKPOINT-{answer['checkpoint'].upper()}{waits}"


def _text(answer: dict[str, Any]) -> str:
    mode = answer["route"] + (", " + tr("strict") if answer["strict"] else "")
    told = {**answer, "mode": mode, "checkpoint": answer["checkpoint"].upper()}
    lines = [tr("Cycle {id} ({mode}): {status} at {checkpoint}", **told)]
    rows = [(one["checkpoint"].upper(), one["round"], one["at"][:19], one["divergences"]) for one in answer["reached"]]
    if rows:
        lines += [
            "",
            table(rows, (tr("REACHED"), tr("ROUND"), tr("AT (UTC)"), tr("DIVERGENCES")), colour=want_colour()),
        ]
    lines += ["", *_about(answer)]
    if answer["stopped"]:
        lines += ["", tr(STOPPED[answer["stopped"]])]
    if answer["waiting_for"]:
        lines += ["", tr("A person is asked: {what}", what=harmless(heard(answer["waiting_for"])))]
    elif answer["status"] == "waiting":
        lines += ["", tr("What it waited for is there; a person lets it go on.")]
    room = width()
    whole = [part for line in lines for part in (hanging(line, room, 2) if "\n" not in line else [line])]
    return "\n".join([*whole, "", *hanging(_next(answer), room, 6)])


def _about(answer: dict[str, Any]) -> list[str]:
    """Who takes part, who is excused, who is waited for, and what was said about it."""
    lines = [tr("Machines: {machines}", machines=", ".join(answer["participants"]))]
    for machine, why in answer["excused"].items():
        lines.append(tr("Excused:  {machine}: {why}", machine=harmless(machine), why=harmless(heard(why))))
    if answer["waits_for"]:
        lines.append(tr("Waiting for: {machines}", machines=", ".join(answer["waits_for"])))
    if answer["why"]:
        lines.append(tr("Known:    {what}", what=harmless(heard(answer["why"]))))
    for one in answer["escalations"]:
        reason, checkpoint = harmless(heard(one["reason"])), one["checkpoint"].upper()
        lines.append(
            tr("! level {level} at {checkpoint}: {reason}", level=one["level"], checkpoint=checkpoint, reason=reason)
        )
    return lines


def _next(answer: dict[str, Any]) -> str:
    if answer["status"] in ("waiting", "running") and answer["next_step"]:
        return tr("Next: {command}", command=harmless(heard(answer["next_step"])))
    look = "watch" if answer["status"] == "running" else "report"
    return tr("Next: {command}", command=f"roosync cycle {look} {answer['id']}")


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
