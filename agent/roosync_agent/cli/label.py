"""`roosync label`: what an operator calls machines, so that they can be chosen by it."""

from typing import TYPE_CHECKING, Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.choosing import choosing_options, expanded, labels_text
from roosync_agent.cli.previews import previewed
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.text import table
from roosync_agent.columns import want_colour
from roosync_agent.unlocking import held
from roosync_agent.wording import heard, tr, trn
from roosync_agent.yes_no import asked, shown_to_person

if TYPE_CHECKING:
    from roosync_agent.session import Session

FAILED = 4


@click.command()
@click.argument("words", nargs=-1, metavar="[EXPR] [KEY=VALUE | KEY-]...")
@choosing_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def label(
    words: tuple[str, ...], on: str | None, limit: str, seed: str, preview: bool, yes: bool, as_json: bool
) -> None:
    """Give machines labels, or take them away with KEY-. Signed by an operator. Alone: list them.

    \b
    roosync label lab-1 role=dev site=paris
    roosync label --on 'os=linux and not role=*' role=dev
    """
    from roosync_agent.operations.membership.labelling import read_changes

    if on is None and words:
        on, words = expanded(words[0]), words[1:]
    changes = read_changes(words)
    answer = ask_machine("machines", on=on, limit=limit, seed=seed)
    if not changes:
        rows = [{"machine": one["machine"], "labels": one["labels"]} for one in answer["machines"]]
        show(rows, as_json, _listed)
        return
    _change(answer["chosen"]["machines"], changes, preview=preview, yes=yes, as_json=as_json)


def _change(machines: list[str], changes: dict[str, str | None], *, preview: bool, yes: bool, as_json: bool) -> None:
    import msgspec

    from roosync_agent.operations.membership import labelling

    given = {"machines": machines, "changes": changes}
    if preview:
        previewed("label", given, as_json)

    async def work(session: "Session") -> labelling.LabelAnswer:
        plan = labelling.planned(session.fleet.law, machines, changes)
        if len(machines) > 1 and not yes and held.shown is None:
            if as_json:
                raise click.UsageError(tr("with --json nobody is asked: add --yes, or look first with --preview"))
            with shown_to_person() as err:
                click.echo(_planned(msgspec.to_builtins(plan)), err=err)
            question = trn("Sign this for {count} machine?", "Sign this for {count} machines?", len(machines))
            await asked(question, abort=True, err=err)
        return await labelling.label(session, plan)

    done = msgspec.to_builtins(signed(work, "label", given))
    show(done, as_json, _done)
    raise click.exceptions.Exit(FAILED if done["failed"] else 0)


def _listed(rows: list[dict[str, Any]]) -> str:
    told = [(row["machine"], labels_text(row["labels"]) or "-") for row in rows]
    shown = table(told, (tr("MACHINE"), tr("LABELS")), colour=want_colour())
    if any(row["labels"] for row in rows):
        return shown
    return f"{shown}\n\n{tr('Next: {command}', command='roosync label MACHINE KEY=VALUE')}"


def _planned(plan: list[dict[str, Any]]) -> str:
    rows = [(one["machine"], labels_text(one["before"]) or "-", labels_text(one["after"]) or "-") for one in plan]
    return table(rows, (tr("MACHINE"), tr("LABELS NOW"), tr("LABELS THEN")), colour=want_colour())


def _done(done: dict[str, Any]) -> str:
    lines = [f"{one['machine']}: {labels_text(one['after']) or tr('no label')}" for one in done["changed"]]
    if done["unchanged"]:
        lines.append(tr("Nothing to change on {machines}.", machines=", ".join(done["unchanged"])))
    lines += [f"! {harmless(machine)}: {harmless(heard(why))}" for machine, why in done["failed"].items()]
    command = f"roosync label {next(iter(done['failed']))}" if done["failed"] else "roosync machines"
    return "\n".join([*lines, "", tr("Next: {command}", command=command)])
