"""Commands about rollouts: an approved change reaches many machines wave after wave, and everybody is accounted for."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from roosync_agent.cli.choosing import limit_options, on_option
from roosync_agent.cli.pace import pace_of, pace_options
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.progress import Bar
from roosync_agent.cli.rollout_text import (
    ENDS,
    OPEN,
    code_of,
    event_text,
    events,
    list_text,
    not_signed,
    plan_text,
    rollout_text,
    status_of,
)
from roosync_agent.cli.running import F, ask_agent, ask_machine, json_option, show, signed, with_options
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line
from roosync_agent.wording import tr, trn
from roosync_agent.yes_no import confirm, shown_to_person
from roosync_protocol.risk_names import RISK_NAMES

if TYPE_CHECKING:
    from roosync_agent.session import Session

LOOK = 0.1  # seconds between two looks at a rollout that is watched
REST = 4  # times as long as a look took: of very many machines it is work for the agent
LONGEST = 2.0  # seconds between two looks at most
RESTARTS = 300.0  # seconds at most that this machine's own agent may be away while it is updated
End = Callable[[dict[str, Any], bool], None]  # how the end of what was followed is told
no_watch_option = click.option("--no-watch", is_flag=True, help="Do not follow it.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
RESUME_OPTIONS = (
    click.option("--without", multiple=True, metavar="MACHINE", help="Go on without MACHINE; others are tried again."),
    click.option("--skip-failed", is_flag=True, help="Go on without all that failed."),
    dry_run_option,
    yes_option,
    no_watch_option,
    json_option,
)


def resume_options(command: F) -> F:
    """Adds them; the command is given `without`, `skip_failed`, `dry_run`, `yes`, `no_watch`, `as_json`."""
    return with_options(command, RESUME_OPTIONS)


@click.group(cls=Group)
def rollout() -> None:
    """Bring changes to many machines with care: a canary, waves, a bound on failures, and a halt."""


@rollout.command("start")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--entity", default="", metavar="GLOB", help="Decisions about things called so: 'roo.mcp/*'.")
@click.option("--all", "everything", is_flag=True, help="All that wait, within --risk.")
@click.option("--risk", type=click.Choice(RISK_NAMES), help="Only decisions of this risk or less.")
@on_option
@limit_options
@pace_options
@click.option("--preview", "--dry-run", "preview", is_flag=True, help="Show it; sign nothing, post nothing.")
@yes_option
@no_watch_option
@json_option
def start(
    ids: tuple[str, ...], entity: str, everything: bool, risk: str | None, on: str | None, limit: str, seed: str,
    canary: str, waves: str, pause: float, max_fail: float, timeout: float, note: str,
    preview: bool, yes: bool, no_watch: bool, as_json: bool,
) -> None:  # fmt: skip
    """Sign decisions for many machines together, and let them apply wave after wave.

    Exit code: 0 all ok or changed, 4 any failed or refused, 5 any unreachable or late, 3 another operator has to sign.
    """
    plan = ask_machine(
        "rollout_plan", ids=list(ids), entity=entity, everything=everything, risk=risk or "", on=on or "", limit=limit,
        seed=seed, pace=pace_of(canary, waves, pause, max_fail, timeout), note=note,
    )  # fmt: skip
    if preview:
        show(plan, as_json, lambda found: f"{plan_text(found)}\n\n{next_line(tr('the same without --preview'))}")
        return
    machines = sum(map(len, plan["waves"]))
    question = trn("Approve and roll out to {count} machine", "Approve and roll out to {count} machines", machines)
    ask_or_go_on(plan_text(plan), question, yes, as_json)

    async def work(session: "Session") -> Any:
        from msgspec import convert

        from roosync_agent.operations.rollouts import starting
        from roosync_agent.operations.rollouts.answers import RolloutPlan

        return await starting.start(session, convert(plan, RolloutPlan))

    _go_on(work, no_watch, as_json)


@rollout.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every rollout, the newest last."""
    show(ask_machine("rollout_list"), as_json, list_text)


@rollout.command("show")
@click.argument("id_", metavar="[ROLLOUT]", required=False)
@json_option
def show_(id_: str | None, as_json: bool) -> None:
    """Its waves, and every machine by name. Exit code as of `rollout start`; 5 also while machines are awaited."""
    answer = ask_machine("rollout_show", id_=id_)
    show(answer, as_json, rollout_text)
    raise click.exceptions.Exit(code_of(answer))


@rollout.command("watch")
@click.argument("id_", metavar="[ROLLOUT]", required=False)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Look no longer; it goes on.")
@json_option
def watch(id_: str | None, timeout: float | None, as_json: bool) -> None:
    """Follow a rollout until it ends or halts. Exit code as of `rollout show`."""
    follow(ask_machine("rollout_show", id_=id_), as_json, timeout)


@rollout.command("approve")
@click.argument("id_", metavar="ROLLOUT")
@dry_run_option
@yes_option
@no_watch_option
@json_option
def approve(id_: str, dry_run: bool, yes: bool, no_watch: bool, as_json: bool) -> None:
    """Sign what a prepared rollout lacks: as the second operator, or where a command ended before it signed all."""
    found = ask_machine("rollout_resumption", id_=id_)
    if found["rollout"]["status"] != "prepared":
        stands = {"id": found["rollout"]["id"], "status": status_of(found["rollout"])}
        raise click.UsageError(tr("{id} is {status}, and lacks no signature", **stands))
    resume_as_shown(found, yes, no_watch, as_json, dry_run=dry_run)


@rollout.command("resume")
@click.argument("id_", metavar="[ROLLOUT]", required=False)
@resume_options
def resume(
    id_: str | None, without: tuple[str, ...], skip_failed: bool, dry_run: bool, yes: bool, no_watch: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Go on after a halt: only what failed is tried again. Decisions that were put back are shown and signed anew."""
    resume_as_shown(resumption(id_, without, skip_failed), yes, no_watch, as_json, dry_run=dry_run)


@rollout.command("stop")
@click.argument("id_", metavar="[ROLLOUT]", required=False)
@click.option("--reason", default="", help="A line for the others.")
@dry_run_option
@json_option
def stop(id_: str | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """Begin nothing more. What was applied stays; what was approved and not begun is named."""
    given = {"id_": id_, "reason": reason}
    if dry_run:
        previewed("rollout_stop", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.rollouts import answering

        return await answering.stop(session, id_, reason)

    show(plain(signed(work, "rollout_stop", given)), as_json, rollout_text)


# -- for `update` too


def _told(answer: dict[str, Any], as_json: bool) -> None:
    show(answer, as_json, lambda found: "\n" + rollout_text(found))


def resumption(id_: str | None, without: tuple[str, ...], skip_failed: bool) -> dict[str, Any]:
    """What has to be seen again before it goes on; MACHINE may also be several, with commas."""
    named = [name.strip() for one in without for name in one.split(",") if name.strip()]
    found: dict[str, Any] = ask_machine("rollout_resumption", id_=id_, without=named, skip_failed=skip_failed)
    return found


def resume_as_shown(
    found: dict[str, Any], yes: bool, no_watch: bool, as_json: bool, end: End = _told, *, dry_run: bool = False
) -> None:
    """Asks with what has to be seen again, signs that, and follows. `dry_run`: only shows it."""
    id_, cards = found["rollout"]["id"], found["cards"]
    said = [tr("tried again: {machines}", machines=", ".join(found["again"]))] if found["again"] else []
    said += [tr("goes on without: {machines}", machines=", ".join(found["without"]))] if found["without"] else []
    from roosync_agent.cli.card_text import card_text

    texts = [card_text(c["card"], following=False, machines=[d["machine"] for d in c["decisions"]]) for c in cards]
    text = "\n\n".join([*texts, f"{id_}: {'; '.join(said) or tr('goes on')}"])
    if dry_run:
        show(found, as_json, lambda _: f"{text}\n\n{next_line(tr('the same without --dry-run'))}")
        return
    ask_or_go_on(text, tr("Approve and go on") if cards else tr("Go on"), yes, as_json)

    async def work(session: "Session") -> Any:
        from msgspec import convert

        from roosync_agent.operations.rollouts import answering
        from roosync_agent.operations.rollouts.answers import Asked

        asked = convert([one for card in cards for one in card["decisions"]], list[Asked])
        return await answering.resume(session, id_, found["without"], asked)

    _go_on(work, no_watch, as_json, end, _to_come(found))


def _look(id_: str, resident: bool) -> dict[str, Any]:
    """How it stands. Where an agent runs, it is waited for: an update that is followed here may restart it."""
    end, found = time.monotonic() + RESTARTS, None
    while resident and time.monotonic() < end and (found := ask_agent("rollout_show", id_=id_)) is None:
        time.sleep(LOOK)
    answer: dict[str, Any] = found or ask_machine("rollout_show", id_=id_)
    return answer


def _to_come(found: dict[str, Any]) -> dict[str, Any]:
    """How it stood before it went on, with who is tried again as awaited: their ends are news."""
    before: dict[str, Any] = found["rollout"]
    rows = [row | {"state": "awaited"} if row["machine"] in found["again"] else row for row in before["machines"]]
    return before | {"machines": rows}


def follow(
    answer: dict[str, Any],
    as_json: bool,
    seconds: float | None = None,
    *,
    end: End = _told,
    before: dict[str, Any] | None = None,
) -> NoReturn:
    """Tells what happens to a rollout, a line each, and at last the account; ends with its exit code.

    `before`: how it stood when it was looked at last; without it all that happened is told.
    """
    over = time.monotonic() + seconds if seconds is not None else None
    resident = ask_agent("rollout_show", id_=answer["id"]) is not None
    pause = LOOK
    try:
        with Bar(tr("Waiting for the machines"), len(answer["machines"])) as bar:
            while True:
                for line in () if as_json else events(before, answer):
                    bar.say(event_text(line))
                bar.at(sum(row["state"] not in OPEN for row in answer["machines"]))
                if answer["status"] in ENDS or (over is not None and time.monotonic() >= over):
                    break
                time.sleep(pause)
                began = time.monotonic()
                before, answer = answer, _look(answer["id"], resident)
                pause = max(LOOK, min(LONGEST, REST * (time.monotonic() - began)))
    except KeyboardInterrupt:
        following = next_line(f"roosync rollout watch {answer['id']}")
        click.echo(f"\n{tr('The rollout goes on.')} {following}", err=True)
        raise click.exceptions.Exit(130) from None
    end(answer, as_json)
    raise click.exceptions.Exit(code_of(answer))


def ask_or_go_on(text: str, question: str, yes: bool, as_json: bool) -> None:
    if as_json and not yes:
        raise click.UsageError(tr("with --json nobody is asked: add --yes, after a look at --preview"))
    with shown_to_person() as err:
        if not as_json:
            click.echo(text, err=err and not yes)
        if not yes:
            confirm(f"\n{question}", abort=True, err=err)


def _go_on(work: Any, no_watch: bool, as_json: bool, end: End = _told, before: dict[str, Any] | None = None) -> None:
    answer = plain(signed(work))
    if no_watch or answer["status"] in ENDS:
        end(answer, as_json)
        raise click.exceptions.Exit(code_of(answer) if answer["status"] in ENDS else 0)
    for id_, why in answer["not_signed"].items():
        click.echo(not_signed(id_, why), err=True)
    last = ask_machine("rollout_show", id_=answer["id"], revision=answer["revision"])
    follow(last, as_json, end=end, before=before)


def plain(answer: Any) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(answer, str_keys=True)
    return found
