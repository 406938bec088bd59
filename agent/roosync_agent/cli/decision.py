"""Commands about decisions: list, show the card, approve, reject, apply, roll back."""

from typing import TYPE_CHECKING, Any

import click

from roosync_agent.cli.card_text import card_text
from roosync_agent.cli.outcomes_text import accounted, counted, exit_code
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.text import harmless, reference_text, table_with_lines

if TYPE_CHECKING:
    from roosync_agent.session import Session

PENDING, FAILED = 3, 4
ACTIONS = ["override_local", "merge", "override_remote", "keep_special"]
RISKS = ["none", "low", "medium", "high", "critical"]
LESSER = ("none", "low")  # that a person may well approve together
USUAL = {"COMPARED WITH": "the baseline", "ACTION": "override_local", "TRY": 1}  # a column of nothing else is left out


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also those that ended.")
@json_option
def decisions(everything: bool, as_json: bool) -> None:
    """The decisions of the fleet that wait, or are under way. Exit code: 3 pending, 4 an apply failed, 0 neither."""
    answer = ask_machine("decisions", everything=everything)
    show(answer, as_json, _listed)
    raise click.exceptions.Exit(_code(answer))


def _code(answer: dict[str, Any]) -> int:
    return FAILED if answer["failed"] else PENDING if answer["pending"] else 0


def _listed(found: dict[str, Any]) -> str:
    """The table; below each whose apply failed, what its machine said last, and that a person is waited for."""
    rows = [
        (
            d["id"],
            d["machine"],
            d["entity"],
            reference_text(d["reference"]),
            d["risk"],
            d["status"],
            d["action"],
            d["attempt"],
        )
        for d in found["decisions"]
    ]
    if not rows:
        return "No decision waits."
    heads = ("DECISION", "MACHINE", "FIELD", "COMPARED WITH", "RISK", "STATUS", "ACTION", "TRY")
    told = [at for at, head in enumerate(heads) if {row[at] for row in rows} != {USUAL.get(head)}]
    below = ["failed: approve again or reject" * d["failed"] + "".join(f" ({line})" for line in d["log"])
             for d in found["decisions"]]  # fmt: skip
    lines = table_with_lines([[row[at] for at in told] for row in rows], [heads[at] for at in told], below)
    count = f"{found['pending']} pending" + (f", {found['failed']} failed" if found["failed"] else "")
    waiting = [d for d in found["decisions"] if d["failed"] or d["status"] == "pending"]
    following = f"Next: roosync decision show {waiting[0]['id'] if len(waiting) == 1 else 'ID'}"
    if sum(d["risk"] in LESSER and d["status"] == "pending" for d in found["decisions"]) > 1:
        following += "\n" + " " * 6 + "roosync approve --all --risk low    (each is shown first)"
    return "\n".join([*lines, "", f"{count}.", following])


@click.group()
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
@json_option
def decision_approve(id_: str, action: str | None, yes: bool, as_json: bool) -> None:
    """Sign that the change may be applied; the machine applies it by itself then."""
    expected = None
    if not yes:
        shown = ask_machine("decision_show", id_=id_, action=action)
        expected, id_ = shown["seen"], shown["id"]
        click.echo(card_text(shown, following=False))
        click.confirm("\nApprove this", abort=True)

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
@json_option
def decision_reject(id_: str, reason: str, as_json: bool) -> None:
    """Say no: from now on this is an accepted difference."""

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.decisions import deciding

        return await deciding.reject(session, deciding.find(session, id_), reason)

    _told(signed(work), as_json)


@decision.command("apply")
@click.argument("id_", metavar="ID")
@json_option
def decision_apply(id_: str, as_json: bool) -> None:
    """Apply an approved decision of this machine now, and wait for the result."""
    from roosync_agent.cli.config import _applied_text

    answer = ask_machine("apply_decision", id_=id_)
    show(answer, as_json, _applied_text)
    raise click.exceptions.Exit(4 if answer["failed"] else PENDING if answer["waiting"] else 0)


@decision.command("rollback")
@click.argument("id_", metavar="ID")
@click.option("--wait", type=click.FloatRange(0, 600), default=20.0, show_default=True, help="Seconds to wait for it.")
@click.option(
    "--exact", is_flag=True, help="The whole file as it was, without the edits made since (a backup has them)."
)
@json_option
def decision_rollback(id_: str, wait: float, exact: bool, as_json: bool) -> None:
    """Ask the machine to put back what was there before; later unrelated edits stay, unless --exact."""

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.decisions import deciding

        asked = await deciding.request_rollback(session, deciding.find(session, id_), exact=exact)
        return await deciding.outcome(session, asked, ("rolled_back", "rollback_failed"), wait)

    _told(signed(work), as_json)


@click.command("approve")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--risk", type=click.Choice(RISKS), help="Only decisions of this risk or less.")
@click.option("--all", "everything", is_flag=True, help="All that wait, within --risk.")
@click.option("--machine", help="Only decisions of this machine.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", type=click.FloatRange(0, 250), default=0.0, metavar="SECONDS", help="Wait for how they end.")
@json_option
def approve_many(
    ids: tuple[str, ...], risk: str | None, everything: bool, machine: str | None, yes: bool, wait: float, as_json: bool
) -> None:
    """Approve several decisions at once: by ID, or all that wait up to a risk. (With care: `roosync rollout start`.)

    Exit code with --wait: 0 all ok or changed, 4 any failed or refused, 5 any unreachable or late.
    """
    if not ids and not (everything and risk):
        raise click.UsageError("name decisions, or use --all together with --risk")
    listed = ask_machine("decisions")["decisions"]
    named = {_one_of(listed, id_) for id_ in ids}
    limit = RISKS.index(risk) if risk else len(RISKS)
    chosen = [
        d
        for d in listed
        if d["status"] == "pending"
        and (d["id"] in named or not ids)
        and RISKS.index(d["risk"]) <= limit
        and machine in (None, d["machine"])
    ]
    if not chosen:
        show({"decisions": []}, as_json, lambda _: "No decision waits that fits.")
        return
    found = ask_machine("decision_cards", ids=[one["id"] for one in chosen])
    cards = [one for one in found if RISKS.index(one["card"]["risk"]) <= limit]  # of a large value only the card knows
    for one in cards if not as_json else ():
        machines = [decision["machine"] for decision in one["decisions"]]
        click.echo(card_text(one["card"], following=False, machines=machines) + "\n")
    seen = {decision["id"]: decision["seen"] for one in cards for decision in one["decisions"]}
    if not yes:
        click.confirm(f"Approve {'this one' if len(seen) == 1 else f'these {len(seen)}'}", abort=True)

    import msgspec

    from roosync_agent.operations.decisions.showing import decision_row

    async def work(session: "Session") -> list[Any]:
        from roosync_agent.operations.decisions import deciding

        return await deciding.approve_each(session, seen)

    signed_ = signed(work)
    rows = [msgspec.to_builtins(decision_row(done)) for done in signed_]
    answer: dict[str, Any] = {"decisions": rows}
    if wait:
        answer |= ask_machine("decisions_settled", asked={done.id: done.revision for done in signed_}, wait=wait)
    show(answer, as_json, _approved)
    raise click.exceptions.Exit(exit_code(row["state"] for row in answer["machines"]) if wait else 0)


def _approved(answer: dict[str, Any]) -> str:
    lines = [f"{row['id']}  {row['status']}  {harmless(row['entity'])} on {row['machine']}"
             for row in answer["decisions"]]  # fmt: skip
    if "machines" in answer:
        lines += ["", *accounted(answer["machines"]), "", counted(answer["machines"])]
    return "\n".join([*lines, "", "Next: roosync status"])


def _one_of(listed: list[dict[str, Any]], id_: str) -> str:
    """The one decision that a person means: a beginning that fits several could sign for what nobody named."""
    found = [d["id"] for d in listed if d["id"] == id_] or [d["id"] for d in listed if id_ and d["id"].startswith(id_)]
    if len(found) != 1:
        raise click.UsageError(f"{id_!r} means {len(found)} of the decisions that wait; `roosync decisions` lists them")
    return str(found[0])


def _told(done: Any, as_json: bool) -> None:
    import msgspec

    from roosync_agent.operations.decisions.showing import decision_row

    row = msgspec.to_builtins(decision_row(done))
    show(
        row,
        as_json,
        lambda d: f"{d['id']}  {d['status']}  {harmless(d['entity'])} on {d['machine']}\n\nNext: roosync status",
    )
    if done.status == "rollback_failed":
        raise click.exceptions.Exit(4)
