"""`roosync doctor`: what is wrong, why it matters, and how it is mended; with `--mend` it does what is safe to do."""

import os
from typing import TYPE_CHECKING

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.doctor_text import shown_diagnosis
from roosync_agent.cli.running import json_option, show
from roosync_agent.cli.text import next_line
from roosync_agent.wording import heard, tr, trn
from roosync_agent.yes_no import confirm

if TYPE_CHECKING:
    from roosync_agent.operations.doctoring.findings import Diagnosis, Finding
    from roosync_agent.operations.doctoring.patient import Patient

ALL = "all"
ASKING = {"unprotected", "law"}  # kinds whose mend asks the usual question: never with --yes


@click.command()
@click.option(
    "--mend", "kind", is_flag=False, flag_value=ALL, metavar="[KIND]", help="Mend what is safe to mend; each is asked."
)
@click.option("--yes", is_flag=True, help="With --mend: all that is safe, without asking.")
@click.option("--dry-run", is_flag=True, help="With --mend: only show what would be done.")
@click.option("--monitor", metavar="URL", default="", help="The monitoring page of a broker of your own.")
@click.option("--all", "everything", is_flag=True, help="Also what each check looks at.")
@json_option
def doctor(kind: str | None, yes: bool, dry_run: bool, monitor: str, everything: bool, as_json: bool) -> None:
    """Find what is wrong, and say how it is mended. Works without a fleet, an agent or a broker.

    Exit code: 0 nothing is wrong, 1 an error was found, 2 a warning. KIND is the word in brackets behind a finding.
    """
    import msgspec

    from roosync_agent.operations.doctoring.diagnosing import diagnose
    from roosync_agent.operations.doctoring.patient import Patient

    if (yes or dry_run) and kind is None:
        raise click.UsageError(tr("--yes and --dry-run belong to --mend"))
    patient = Patient(os.environ, monitor)
    found = diagnose(patient)
    if kind is not None:
        done = _mend(patient, found, kind, yes=yes, dry_run=dry_run, quiet=as_json)
        if as_json:
            show({"mended": done, "dry_run": dry_run}, True, str)
            raise click.exceptions.Exit(0)
        if dry_run or not done:
            raise click.exceptions.Exit(0)
        patient = Patient(os.environ, monitor)
        found = diagnose(patient)
    answer = msgspec.to_builtins(found) | {"exit_code": found.exit_code}
    show(answer, as_json, lambda told: shown_diagnosis(told, everything=everything))
    raise click.exceptions.Exit(found.exit_code)


# -- mending


def _mend(
    patient: "Patient", found: "Diagnosis", kind: str, *, yes: bool, dry_run: bool, quiet: bool
) -> list[dict[str, str]]:
    """Each mend that is wanted, asked for one by one; what was done."""
    from roosync_agent.operations.doctoring.mending import MENDS, MendError, mend

    known = sorted({finding.kind for finding in found.findings})
    wanted = [finding for finding in found.findings if kind in (ALL, finding.kind)]
    if kind != ALL and not wanted:
        raise click.UsageError(tr("no finding is called {kind}; there are: {known}", kind=kind, known=", ".join(known)))
    done: list[dict[str, str]] = []
    for finding in [one for one in wanted if one.safe and one.kind in MENDS]:
        if not quiet:
            click.echo(f"{harmless(heard(finding.says))}\n    {harmless(finding.command)}")
        if dry_run or not (yes or confirm(tr("Do it"), default=False, err=quiet)):
            if dry_run:
                done.append({"kind": finding.kind, "about": finding.about, "command": finding.command})
            continue
        try:
            told = mend(finding, patient.state)
        except (MendError, OSError) as error:
            click.echo(tr("! Not done: {why}", why=harmless(heard(str(error)))), err=True)
            continue
        done.append({"kind": finding.kind, "about": finding.about, "done": told})
        if not quiet:
            click.echo(harmless(heard(told)))
    asked = [one for one in wanted if one.kind in ASKING]
    if asked and not (yes or dry_run or quiet):
        done += _asking(patient, asked)
    if not quiet:
        _left(wanted, done, dry_run=dry_run)
    return done


def _asking(patient: "Patient", findings: "list[Finding]") -> list[dict[str, str]]:
    """Mends with a question of their own: a new passphrase, the operator's signature under a renewal."""
    from roosync_agent.cli.fleet import renew
    from roosync_agent.operations.doctoring.mending import seal_operator_key

    done = []
    for kind in dict.fromkeys(finding.kind for finding in findings):
        told = next(finding for finding in findings if finding.kind == kind)
        click.echo(f"{harmless(heard(told.says))}\n    {harmless(told.command)}")
        if kind == "law" and patient.state.operator_key.exists() and confirm(tr("Renew it now"), default=False):
            click.get_current_context().invoke(renew)
            done.append({"kind": kind, "about": told.about, "done": "roosync renew"})
        elif kind == "unprotected" and confirm(tr("Choose a passphrase now"), default=False):
            words = click.prompt(tr("New passphrase"), hide_input=True, confirmation_prompt=True)
            text = seal_operator_key(patient.state, words)
            click.echo(harmless(text))
            done.append({"kind": kind, "about": told.about, "done": text})
    return done


def _left(wanted: "list[Finding]", done: list[dict[str, str]], *, dry_run: bool) -> None:
    """What is not mended. When something was, the diagnosis follows, and says what comes next."""
    left = len([one for one in wanted if one.severity != "note"]) - len(done)
    if dry_run:
        click.echo(tr("Nothing was changed: --dry-run."))
    elif not done:
        click.echo(tr("Nothing was mended here."))
    if left > 0:
        told = trn(
            "{count} finding is mended by a command of yours, or on another machine.",
            "{count} findings are mended by commands of yours, or on other machines.",
            left,
        )
        click.echo(f"{told}\n" if done and not dry_run else f"{told}\n\n{next_line('roosync doctor')}")
    else:
        click.echo("")
