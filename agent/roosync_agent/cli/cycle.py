"""Commands about cycles: a run of the fleet through checkpoints, together."""

from typing import TYPE_CHECKING, Any

import click

from roosync_agent.cli.reports import closing
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.text import harmless, table, want_colour

if TYPE_CHECKING:
    from roosync_agent.session import Session

STOPPED = {
    2: "Stopped: no policy applies anything on its machines until a person answers.",
    3: "Stopped as an emergency: nothing at all is applied on its machines until a person answers.",
}
DRIFT, PENDING, CONFLICT, SILENT = 2, 3, 4, 5


@click.group()
def cycle() -> None:
    """A run of machines through checkpoints: each at its own pace, all waiting for each other at each one."""


@cycle.command("start")
@click.option("--route", type=click.Choice(["coordination", "deployment"]), default="coordination")
@click.option("--targets", multiple=True, metavar="MACHINE", help="Names or patterns; all machines without it.")
@click.option("--timeout", type=float, default=60.0, show_default=True, metavar="MINUTES", help="For each checkpoint.")
@click.option("--version", "required", default="", help="Deployment: the version that every agent must have.")
@click.option("--note", default="", help="A line about it.")
@json_option
def start(route: str, targets: tuple[str, ...], timeout: float, required: str, note: str, as_json: bool) -> None:
    """Begin a cycle. Who takes part is written first; the orchestrator moves it on."""
    named = [name for one in targets for name in one.split(",") if name.strip()]
    if targets and not named:
        raise click.UsageError("--targets names no machine; leave it out for all of them")
    answer = ask_machine("cycle_start", route=route, targets=named, timeout=timeout, version=required, note=note)
    show(answer, as_json, _text)


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
def watch(id_: str | None) -> None:
    """Follow a cycle until it ends or is stopped; what a person has to answer meanwhile is told."""
    import time

    last = ""
    while True:
        answer = ask_machine("cycle_show", id_=id_)
        id_ = answer["id"]
        line = _line(answer)
        if line != last:
            click.echo(line)
            last = line
        if answer["status"] != "running":
            click.echo(_text(answer))
            raise click.exceptions.Exit(_code(answer))
        time.sleep(0.5)


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
@json_option
def excuse(machine: str, id_: str | None, reason: str, as_json: bool) -> None:
    """Let the others go on without MACHINE. Signed by an operator."""

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.coordination import cycling

        return await cycling.excuse(session, id_, machine, reason)

    _told(signed(work), as_json, f"{harmless(machine)} is excused")


@cycle.command("resume")
@click.argument("id_", metavar="[CYCLE]", required=False)
@json_option
def resume(id_: str | None, as_json: bool) -> None:
    """Go on waiting, with fresh time. Signed by an operator."""

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.coordination import cycling

        return await cycling.resume(session, id_)

    _told(signed(work), as_json, "it goes on")


@cycle.command("abort")
@click.argument("id_", metavar="[CYCLE]", required=False)
@click.option("--reason", default="", help="Why.")
@json_option
def abort(id_: str | None, reason: str, as_json: bool) -> None:
    """End a cycle. Nothing that was applied is taken back. Signed by an operator."""

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.coordination import cycling

        return await cycling.abort(session, id_, reason)

    _told(signed(work), as_json, "it is ended")


def _told(done: Any, as_json: bool, what: str) -> None:
    import msgspec

    show(
        msgspec.to_builtins(done, str_keys=True),
        as_json,
        lambda a: f"{a['id']}: {what}; {a['status']}.\n\nNext: roosync cycle {_look(a['status'])} {a['id']}",
    )


def _look(status: str) -> str:
    return {"running": "watch", "waiting": "show"}.get(status, "report")


def _code(answer: dict[str, Any]) -> int:
    if answer["next_step"]:
        return PENDING
    return SILENT if answer["status"] == "running" else 0  # also in the moment before its leader goes on


def _line(answer: dict[str, Any]) -> str:
    waits = f", waiting for {', '.join(answer['waits_for'][:5])}" if answer["waits_for"] else ""
    if answer["status"] == "running" and answer["next_step"]:
        waits = f", a person is asked: {harmless(answer['next_step'])}"
    return f"{answer['id']}  {answer['status']}  CHECKPOINT-{answer['checkpoint'].upper()}{waits}"


def _text(answer: dict[str, Any]) -> str:
    mode = ", strict" if answer["strict"] else ""
    lines = [f"Cycle {answer['id']} ({answer['route']}{mode}): {answer['status']} at {answer['checkpoint'].upper()}"]
    rows = [(one["checkpoint"].upper(), one["round"], one["at"][:19], one["divergences"]) for one in answer["reached"]]
    if rows:
        lines += ["", table(rows, ("REACHED", "ROUND", "AT (UTC)", "DIVERGENCES"), colour=want_colour())]
    lines += ["", f"Machines: {', '.join(answer['participants'])}"]
    lines += [f"Excused:  {harmless(m)}: {harmless(why)}" for m, why in answer["excused"].items()]
    if answer["waits_for"]:
        lines.append(f"Waiting for: {', '.join(answer['waits_for'])}")
        lines.append(f"Known:    {harmless(answer['why'])}")
    lines += [f"! level {one['level']} at {one['checkpoint'].upper()}: {harmless(one['reason'])}"
              for one in answer["escalations"]]  # fmt: skip
    if answer["stopped"]:
        lines += ["", STOPPED[answer["stopped"]]]
    if answer["waiting_for"]:
        lines += ["", f"A person is asked: {harmless(answer['waiting_for'])}"]
    elif answer["status"] == "waiting":
        lines += ["", "What it waited for is there; a person lets it go on."]
    return "\n".join([*lines, "", _next(answer)])


def _next(answer: dict[str, Any]) -> str:
    match answer["status"]:
        case "waiting" | "running" if answer["next_step"]:
            return f"Next: {harmless(answer['next_step'])}"
        case "running":
            return f"Next: roosync cycle watch {answer['id']}"
    return f"Next: roosync cycle report {answer['id']}"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
