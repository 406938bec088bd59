"""Commands about UPDATE_REQUIRED: require a version of machines, see who is where, go on after a halt, withdraw it."""

from typing import TYPE_CHECKING, Any

import click

from roosync_agent.characters import brief, harmless
from roosync_agent.cli.choosing import limit_options, on_option
from roosync_agent.cli.outcomes_text import accounted, counted
from roosync_agent.cli.pace import pace_of, pace_options
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.rollout import (
    ask_or_go_on,
    follow,
    no_watch_option,
    plain,
    resume_as_shown,
    resume_options,
    resumption,
    yes_option,
)
from roosync_agent.cli.rollout_text import care, claimed, code_of, following, hung, named, notes, stands, waves_lines
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line, table
from roosync_agent.columns import folded, want_colour, width
from roosync_agent.wording import tr, trn

if TYPE_CHECKING:
    from roosync_agent.session import Session


@click.group(cls=Group)
def update() -> None:
    """Require a version of RooSync on many machines: they end in the new version, or safely in the old one."""


@update.command("require")
@click.argument("version")
@click.option("--revision", "tag", default="", metavar="TAG", help="What a recipe that uses git checks out.")
@click.option("--commit", default="", metavar="SHA", help="What the tag has to name there: tags can be moved.")
@on_option
@limit_options
@pace_options
@click.option("--splay", type=float, default=0.0, metavar="SECONDS", help="Over which the machines of a wave begin.")
@click.option("--replace", "replace_", is_flag=True, help="Withdraw the campaign that runs.")
@click.option("--preview", "--dry-run", "preview", is_flag=True, help="Show it; sign nothing.")
@yes_option
@no_watch_option
@json_option
def require(
    version: str, tag: str, commit: str, on: str | None, limit: str, seed: str,
    canary: str, waves: str, pause: float, max_fail: float, timeout: float, note: str,
    splay: float, replace_: bool, preview: bool, yes: bool, no_watch: bool, as_json: bool,
) -> None:  # fmt: skip
    """Sign that machines are to run VERSION, and follow them. How each gets it is in its own settings.

    Exit code: 0 all run it, 4 any failed or refused, 5 any unreachable or late.
    """
    plan = ask_machine(
        "update_plan", version=version, tag=tag, commit=commit, on=on or "", limit=limit, seed=seed,
        pace=pace_of(canary, waves, pause, max_fail, timeout), splay=splay, replace_=replace_, note=note,
    )  # fmt: skip
    if preview:
        show(plan, as_json, lambda found: f"{plan_text(found)}\n\n{next_line(tr('the same without --preview'))}")
        return
    question = tr("Require {version}", version=version)
    if plan["without_recipe"]:
        refusing = named(plan["without_recipe"])
        question = tr("Require {version}, though {machines} would refuse", version=version, machines=refusing)
    ask_or_go_on(plan_text(plan), question, yes, as_json)

    async def work(session: "Session") -> Any:
        from msgspec import convert

        from roosync_agent.operations.updates import requiring
        from roosync_agent.operations.updates.answers import UpdatePlan

        return await requiring.require(session, convert(plan, UpdatePlan))

    answer = plain(signed(work))
    if no_watch:
        show(answer, as_json, update_text)
        return
    _follow(answer, as_json)


@update.command("show")
@click.argument("id_", metavar="[CAMPAIGN]", required=False)
@json_option
def show_(id_: str | None, as_json: bool) -> None:
    """Who runs what, who returned and why, and what to do next. Exit code as of `update require`."""
    answer = ask_machine("update_show", id_=id_)
    show(answer, as_json, update_text)
    raise click.exceptions.Exit(_code(answer))


@update.command("watch")
@click.argument("id_", metavar="[CAMPAIGN]", required=False)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Look no longer; it goes on.")
@json_option
def watch(id_: str | None, timeout: float | None, as_json: bool) -> None:
    """Follow an update until it ends or halts. Exit code as of `update require`."""
    _follow(ask_machine("update_show", id_=id_), as_json, timeout)


@update.command("resume")
@click.argument("id_", metavar="[CAMPAIGN]", required=False)
@resume_options
def resume(
    id_: str | None, without: tuple[str, ...], skip_failed: bool, dry_run: bool, yes: bool, no_watch: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Go on after a halt: only what failed is tried again."""
    id_ = ask_machine("update_show", id_=id_)["id"]
    resume_as_shown(resumption(id_, without, skip_failed), yes, no_watch, as_json, end=_end, dry_run=dry_run)


@update.command("withdraw")
@click.option("--reason", default="", help="A line for the others.")
@dry_run_option
@json_option
def withdraw(reason: str, dry_run: bool, as_json: bool) -> None:
    """Require the version no more: nobody begins any further. Who has it keeps it."""
    if dry_run:
        previewed("update_withdraw", {"reason": reason}, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.updates import requiring

        return await requiring.withdraw(session, reason)

    show(plain(signed(work, "update_withdraw", {"reason": reason})), as_json, update_text)


# -- how it looks


def plan_text(plan: dict[str, Any]) -> str:
    runs = plan["runs"]
    versions = sorted({brief(has or tr("unknown")) for has in runs.values()})
    release = [harmless(plan["version"])]
    release += [tr("tag {tag}", tag=harmless(plan["tag"]))] if plan["tag"] else []
    release += [tr("commit {commit}", commit=plan["commit"][:12])] if plan["commit"] else []
    told = trn(
        "Require {release}, of {count} machine", "Require {release}, of {count} machines",
        len(runs), release=", ".join(release),
    )  # fmt: skip
    lines = [told]
    lines += [_row(tr("They run"), harmless(", ".join(versions)))]
    if plan["newer"]:
        newer = ", ".join(f"{name} ({brief(has)})" for name, has in plan["newer"].items())
        lines += [_row(tr("Left out"), tr("newer already: {machines}", machines=harmless(newer)))]
    if plan["replaces"]:
        lines += [_row(tr("Withdraws"), plan["replaces"])]
    if plan["splay_seconds"]:
        splay = tr("{seconds} s: the machines of a wave begin spread over it", seconds=f"{plan['splay_seconds']:g}")
        lines += [_row(tr("Splay"), splay)]
    lines = [part for line in lines for part in hung(line, 12)]
    lines += ["", *waves_lines(plan["waves"]), "", *hung(care(plan["pace"]), 2), *claimed(plan)]
    if plan["without_recipe"]:
        refusing = tr(
            "would refuse: {machines}: no recipe is set up (docs/updates.md); "
            "--on 'not recipe=none' leaves out who has none",
            machines=named(plan["without_recipe"]),
        )
        lines += hung(f"! {refusing}", 2)
    return "\n".join(lines)


def _row(head: str, text: str) -> str:
    return f"{head:<11} {text}"


def update_text(answer: dict[str, Any]) -> str:
    rollout = answer["rollout"]
    told = [stands(rollout) if rollout else tr("not begun")]
    if answer["withdrawn"] or not answer["in_force"]:
        told += [tr("withdrawn") if answer["withdrawn"] else tr("not in force any more")]
    release = harmless(answer["version"])
    if answer["tag"]:
        release += f" ({tr('tag {tag}', tag=harmless(answer['tag']))})"
    head = tr("Update {id} to {release}: {stands}", id=answer["id"], release=release, stands=", ".join(told))
    lines = [*hung(head, 2), ""]
    rows = [
        (row["machine"], row["wave"], brief(row["before"] or "-"), brief(row["runs"] or "-"), row["phase"] or "-")
        for row in answer["machines"]
    ]
    lines += [table(rows, (tr("MACHINE"), tr("WAVE"), tr("RAN"), tr("RUNS"), tr("IT SAYS")), colour=want_colour()), ""]
    for row in answer["machines"]:
        if row["log"]:
            lines += [*hung(tr("{machine} said last:", machine=row["machine"]), 2), *_quoted(row["log"]), ""]
    lines += [*accounted(answer["machines"]), "", *hung(counted(answer["machines"]), 2)]
    if rollout:
        lines += [part for text in notes(rollout) for part in hung(text, 2)]
    return "\n".join([*lines, "", *following(answer["next_steps"])])


# -- inside


def _quoted(said: list[str]) -> list[str]:
    """What a recipe said, each line of it behind a bar: none of it passes for an answer of ours."""
    room = max(width() - 4, 20) if width() else 0
    return [f"  | {part}" for line in said for part in folded(harmless(line), room, 0)]


def _code(answer: dict[str, Any]) -> int:
    return code_of(answer["rollout"]) if answer["rollout"] else 3


def _end(rollout: dict[str, Any], as_json: bool) -> None:
    """The end of what is followed is told as an update, with what each machine said."""
    show(ask_machine("update_show", id_=rollout["id"]), as_json, lambda found: "\n" + update_text(found))


def _follow(answer: dict[str, Any], as_json: bool, seconds: float | None = None) -> None:
    if answer["rollout"] is None:
        show(answer, as_json, update_text)
        raise click.exceptions.Exit(_code(answer))
    revision = answer["rollout"]["revision"]
    follow(ask_machine("rollout_show", id_=answer["id"], revision=revision), as_json, seconds, end=_end)
