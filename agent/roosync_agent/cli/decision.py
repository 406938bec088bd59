"""Commands about decisions: list, show the card, approve, reject, apply, roll back."""

from typing import TYPE_CHECKING, Any

import click

from roosync_agent.cli.card_text import card_text
from roosync_agent.cli.decisions_text import approved_text, listed_text, step_text
from roosync_agent.cli.outcomes_text import exit_code
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import ask_machine, json_option, require_possible, show, signed
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line
from roosync_agent.wording import tr, trn
from roosync_agent.yes_no import confirm, shown_to_person
from roosync_protocol.risk_names import RISK_NAMES, danger

if TYPE_CHECKING:
    from roosync_agent.session import Session

PENDING, FAILED = 3, 4
ACTIONS = ["override_local", "merge", "override_remote", "keep_special"]
ROWS = 40  # that a person is shown of a long list; counts tell of the rest
CARDS = 50  # different changes that a person is shown, and asked about, at once
risk_option = click.option("--risk", type=click.Choice(RISK_NAMES), help="Only decisions of this risk or less.")
machine_option = click.option("--machine", help="Only decisions of this machine.")


@click.command()
@click.option("--all", "everything", is_flag=True, help="All of them, also those that ended.")
@risk_option
@machine_option
@click.option("--limit", type=click.IntRange(0), help="At most so many rows; 0: all.  [default: 40; with --json: 0]")
@json_option
def decisions(everything: bool, risk: str | None, machine: str | None, limit: int | None, as_json: bool) -> None:
    """The decisions of the fleet that wait, or are under way. Exit code: 3 pending, 4 an apply failed, 0 neither."""
    if limit is None:
        limit = 0 if everything or as_json else ROWS
    answer = ask_machine("decisions", everything=everything, limit=limit, risk=risk or "", of=machine or "")
    show(answer, as_json, listed_text)
    raise click.exceptions.Exit(_code(answer))


def _code(answer: dict[str, Any]) -> int:
    return FAILED if answer["failed"] else PENDING if answer["pending"] else 0


@click.group(cls=Group)
def decision() -> None:
    """Show, approve, reject, apply or roll back one decision. An ID may be shortened to its beginning."""


@decision.command("show")
@click.argument("id_", metavar="ID")
@click.option("--full", is_flag=True, help="Texts that changed as the whole old and the whole new one.")
@json_option
def decision_show(id_: str, full: bool, as_json: bool) -> None:
    """The card: what differs, what will execute, how risky it is, how to undo it."""
    show(ask_machine("decision_show", id_=id_), as_json, lambda card: card_text(card, full=full))


@decision.command("approve")
@click.argument("id_", metavar="ID")
@click.option("--action", type=click.Choice(ACTIONS), help="Another answer than the suggested one.")
@click.option("--yes", is_flag=True, help="Do not show the card and ask.")
@dry_run_option
@json_option
def decision_approve(id_: str, action: str | None, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Sign that the change may be applied; the machine applies it by itself then."""
    if dry_run:
        previewed("decision_approve", {"id_": id_, "action": action}, as_json)
    require_possible("decision_approvable", {"id_": id_, "action": action})
    expected = None
    if not yes:
        shown = ask_machine("decision_show", id_=id_, action=action)
        expected, id_ = shown["seen"], shown["id"]
        with shown_to_person(as_json=as_json) as err:
            click.echo(card_text(shown, following=False), err=err)
            confirm("\n" + tr("Approve this"), abort=True, err=err)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.baseline import promoting
        from roosync_agent.operations.decisions import deciding

        found = deciding.find(session, id_)
        if action in ("override_remote", "keep_special"):
            return await promoting.promote(session, found, action, expected=expected)
        return await deciding.approve(session, found, action, expected=expected)  # type: ignore[arg-type]

    _told(signed(work), as_json)


@decision.command("reject")
@click.argument("id_", metavar="ID")
@click.option("--reason", default="", help="A line for the others.")
@dry_run_option
@json_option
def decision_reject(id_: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Say no: from now on this is an accepted difference."""
    given = {"id_": id_, "reason": reason}
    if dry_run:
        previewed("decision_reject", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.decisions import deciding

        return await deciding.reject(session, deciding.find(session, id_), reason)

    _told(signed(work, "decision_reject", given), as_json)


@decision.command("apply")
@click.argument("id_", metavar="ID")
@dry_run_option
@json_option
def decision_apply(id_: str, dry_run: bool, as_json: bool) -> None:
    """Apply an approved decision of this machine now, and wait for the result.

    Exit code: 0 applied, 3 it waits, 4 it failed.
    """
    from roosync_agent.cli.config import _applied_text

    if dry_run:
        previewed("decision_apply", {"id_": id_}, as_json)
    answer = ask_machine("apply_decision", id_=id_)
    show(answer, as_json, _applied_text)
    raise click.exceptions.Exit(4 if answer["failed"] else PENDING if answer["waiting"] else 0)


@decision.command("rollback")
@click.argument("id_", metavar="ID")
@click.option("--wait", type=click.FloatRange(0, 600), default=20.0, show_default=True, help="Seconds to wait for it.")
@click.option(
    "--exact", is_flag=True, help="The whole file as it was, without the edits made since (a backup has them)."
)
@dry_run_option
@json_option
def decision_rollback(id_: str, wait: float, exact: bool, dry_run: bool, as_json: bool) -> None:
    """Ask the machine to put back what was there before; later unrelated edits stay, unless --exact.

    Exit code: 0 put back or asked for, 4 it failed.
    """
    given = {"id_": id_, "exact": exact}
    if dry_run:
        previewed("decision_rollback", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.decisions import deciding

        asked = await deciding.request_rollback(session, deciding.find(session, id_), exact=exact)
        return await deciding.outcome(session, asked, ("rolled_back", "rollback_failed"), wait)

    _told(signed(work, "decision_rollback", given), as_json)


@click.command("approve")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@risk_option
@click.option("--all", "everything", is_flag=True, help="All that wait, within --risk.")
@machine_option
@click.option(
    "--most",
    type=click.IntRange(0),
    default=CARDS,
    show_default=True,
    help="Different changes that are shown and asked about at once; 0: all.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", type=click.FloatRange(0, 250), default=0.0, metavar="SECONDS", help="Wait for how they end.")
@dry_run_option
@json_option
def approve_many(
    ids: tuple[str, ...],
    risk: str | None,
    everything: bool,
    machine: str | None,
    most: int,
    yes: bool,
    wait: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Approve several decisions at once: by ID, or all that wait up to a risk. (With care: `roosync rollout start`.)

    Exit code with --wait: 0 all ok or changed, 4 any failed or refused, 5 any unreachable or late.
    """
    if not ids and not (everything and risk):
        raise click.UsageError(tr("name decisions, or use --all together with --risk"))
    limit = danger(risk) if risk else len(RISK_NAMES)
    chosen = _chosen(ids, risk, machine)
    if not chosen:
        show({"decisions": []}, as_json, lambda _: tr("No decision waits that fits."))
        return
    found = ask_machine("decision_cards", ids=chosen, most=0 if yes else most, ask=dry_run or not yes)
    left = len(chosen) - sum(len(one["decisions"]) for one in found)
    cards = [one for one in found if danger(one["card"]["risk"]) <= limit]  # of a large value only the card knows
    if dry_run and as_json:
        show(cards, as_json, str)
        return
    if not yes and not dry_run:
        _ask(cards, most, left, as_json)
    elif not as_json:
        click.echo(_cards_text(cards, most))
    if yes and most and len(cards) > most and not as_json:
        click.echo(trn("{count} more change, not shown.", "{count} more changes, not shown.", len(cards) - most) + "\n")
    if dry_run:
        click.echo(next_line(tr("the same without --dry-run")))
        return
    seen = {decision["id"]: decision["seen"] for one in cards for decision in one["decisions"]}
    answer, states = _signed(seen, wait)
    show(answer | ({"left": left} if left else {}), as_json, approved_text)
    raise click.exceptions.Exit(exit_code(states) if wait else 0)


def _chosen(ids: tuple[str, ...], risk: str | None, machine: str | None) -> list[str]:
    """The ids of the decisions that wait and are meant."""
    if not ids:
        listed = ask_machine("decisions", risk=risk or "", of=machine or "")["decisions"]
        return [d["id"] for d in listed if d["status"] == "pending"]
    listed = ask_machine("decisions", named=list(ids))["decisions"]
    named = {_one_of(listed, id_) for id_ in ids}
    most = danger(risk) if risk else len(RISK_NAMES)
    return [
        d["id"]
        for d in listed
        if d["id"] in named
        and d["status"] == "pending"
        and danger(d["risk"]) <= most
        and machine in (None, d["machine"])
    ]


def _cards_text(cards: list[dict[str, Any]], most: int) -> str:
    """The first `most` of them, each with the machines whose decisions it is; 0: all."""
    return (
        "\n\n".join(
            card_text(one["card"], following=False, machines=[decision["machine"] for decision in one["decisions"]])
            for one in cards[: most or None]
        )
        + "\n"
    )


def _ask(cards: list[dict[str, Any]], most: int, left: int, as_json: bool) -> None:
    """Shows the cards and asks. `left`: how many decisions fit, of which no card is shown."""
    with shown_to_person(as_json=as_json) as err:
        click.echo(_cards_text(cards, most), err=err)
        if left:
            more = trn(
                "{count} more decision fits and is not shown: the same command again asks about it; "
                "--most 0 shows all.",
                "{count} more decisions fit and are not shown: the same command again asks about them; "
                "--most 0 shows all.",
                left,
            )
            click.echo(f"! {more}", err=True)
        count = sum(len(one["decisions"]) for one in cards)
        confirm(trn("Approve this one", "Approve these {count}", count), abort=True, err=err)


def _signed(seen: dict[str, str], wait: float) -> tuple[dict[str, Any], list[str]]:
    """Signs each as it was seen; the answer, and with `wait` how their machines ended."""
    import msgspec

    from roosync_agent.operations.decisions.showing import decision_row

    async def work(session: "Session") -> list[Any]:
        from roosync_agent.operations.decisions import deciding

        return await deciding.approve_each(session, seen)

    done = signed(work)
    answer: dict[str, Any] = {"decisions": [msgspec.to_builtins(decision_row(one)) for one in done]}
    if wait:
        answer |= ask_machine("decisions_settled", asked={one.id: one.revision for one in done}, wait=wait)
    return answer, [row["state"] for row in answer.get("machines", ())]


def _one_of(listed: list[dict[str, Any]], id_: str) -> str:
    """The one decision that a person means: a beginning that fits several could sign for what nobody named."""
    found = [d["id"] for d in listed if d["id"] == id_] or [d["id"] for d in listed if id_ and d["id"].startswith(id_)]
    if len(found) != 1:
        raise click.UsageError(
            tr(
                "{id} means {count} of the decisions that wait; `roosync decisions` lists them",
                id=repr(id_), count=len(found),
            )
        )  # fmt: skip
    return str(found[0])


def _told(done: Any, as_json: bool) -> None:
    import msgspec

    from roosync_agent.operations.decisions.showing import decision_row

    show(msgspec.to_builtins(decision_row(done)), as_json, step_text)
    if done.status == "rollback_failed":
        raise click.exceptions.Exit(4)
