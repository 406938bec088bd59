"""`roosync quarantine`: what the wipe guard holds back on this machine, put back or believed after all."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import CommandError, ask_machine, json_option, show
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import listed, next_line
from roosync_agent.columns import paint, want_colour
from roosync_agent.wording import heard, tr, trn

if TYPE_CHECKING:
    from roosync_agent.operations.files.quarantine import HeldBack, HeldFile

DRIFT, QUARANTINE = 2, 4
NAMED = 12  # names of what is gone that are shown; --json has all


@click.group(cls=Group)
def quarantine() -> None:
    """What the wipe guard holds back on this machine: see it, put it back, or believe it."""


@quarantine.command("show")
@json_option
def quarantine_show(as_json: bool) -> None:
    """Targets whose state is not believed: why, since when, what is gone, and what can be done."""
    import msgspec

    from roosync_agent.operations.files.quarantine import held
    from roosync_agent.settings import load

    found = held(load())
    show(msgspec.to_builtins(found) if as_json else found, as_json, _held_text)
    quarantined = any(one.believed for one in found.values())
    raise click.exceptions.Exit(QUARANTINE if quarantined else DRIFT if found else 0)


@quarantine.command("release")
@click.argument("target")
@dry_run_option
@json_option
def quarantine_release(target: str, dry_run: bool, as_json: bool) -> None:
    """Say that what this machine has now is right, although much of TARGET is gone."""
    if dry_run:
        previewed("quarantine_release", {"target": target}, as_json)
    answer = ask_machine("quarantine_release", target=target)
    show(
        answer,
        as_json,
        lambda a: "\n".join(
            [
                tr("{target} is believed again on {machine}.", target=a["released"], machine=a["machine"]),
                "",
                next_line("roosync compare"),
            ]
        ),
    )


@quarantine.command("repair")
@click.argument("target")
@click.option("--exact", is_flag=True, help="The whole files as they were, also over what was edited in them since.")
@click.option("--dry-run", is_flag=True, help="Show the difference; change nothing.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--show-secrets", is_flag=True, help="Do not hide in the difference what looks like a secret.")
@json_option
def quarantine_repair(target: str, exact: bool, dry_run: bool, yes: bool, show_secrets: bool, as_json: bool) -> None:
    """Put back what the files of TARGET held when they were last believed, with a backup of what is there now.

    A file that is gone, or in which nothing is new, comes back as it was; in one that was edited since only what is
    missing is put back.
    """
    from roosync_agent.cli.edit import carry_out
    from roosync_agent.operations.files.editing import EditingError
    from roosync_agent.operations.files.quarantine import prepare_repair
    from roosync_agent.settings import load

    settings = load()
    try:
        prepared = prepare_repair(settings, target, exact=exact)
    except EditingError as error:
        raise CommandError("request", str(error)) from error
    carry_out(settings, prepared, dry_run=dry_run, yes=yes, show_secrets=show_secrets, as_json=as_json)
    if not dry_run and not as_json:
        click.echo(f"{tr('It is believed again by itself.')} {next_line('roosync compare')}")


def _held_text(found: dict[str, "HeldBack"]) -> str:
    if not found:
        return tr("Nothing is quarantined on this machine.")
    return "\n\n".join("\n".join(_target_lines(one)) for one in found.values())


def _target_lines(one: "HeldBack") -> list[str]:
    name, why = paint(harmless(one.target), "bold", want_colour()), harmless(heard(one.why))
    told = tr("{target} quarantined: {why}", target=name, why=why)
    lines = [told if one.believed else tr("{target} not read: {why}", target=name, why=why)]
    if one.believed:
        since = tr("this look; no agent saw it yet")
        if one.since:
            since = f"{one.since:%Y-%m-%d %H:%M} UTC ({_ago(one.since)})"
        lines.append(_row(tr("since"), since))
    for head, names in ((tr("gone"), one.gone), (tr("not known"), one.unreadable)):
        if names:
            named = listed(names, NAMED, ", ")
            lines.append(_row(head, tr("{count} of {all}: {names}", count=len(names), all=one.believed, names=named)))
    spoilt = [file for file in one.files if file.now != "as it was"]
    lines += [_row(tr("file") if not at else "", _file_text(file)) for at, file in enumerate(spoilt[:NAMED])]
    if (left := len(spoilt) - NAMED) > 0:
        lines.append(_row("", trn("and {count} file more", "and {count} files more", left)))
    lines += [_row(tr("no copy"), harmless(heard(reason))) for reason in one.missing_copies]
    if one.believed:
        told = tr("Nothing of it is published, compared or applied. Once it is back, it is believed by itself.")
        lines.append(f"  {told}")
    wide = max(len(offer.command) for offer in one.next)
    return [*lines, *(f"  {harmless(offer.command):{wide}}    # {heard(offer.when)}" for offer in one.next)]


def _row(head: str, text: str) -> str:
    return f"  {head:9} {text}"


def _file_text(file: "HeldFile") -> str:
    now = harmless(heard(file.now))
    if file.now not in ("gone", "empty") and file.bytes:
        now = tr("{state}, {count} bytes", state=now, count=file.bytes)
    return tr(
        "{path}: {state}, the copy from {age} has {bytes_kept}",
        path=harmless(file.path), state=now, age=_ago(file.kept), bytes_kept=file.bytes_kept,
    )  # fmt: skip


def _ago(when: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - when).total_seconds()))
    if days := seconds // 86400:
        return trn("{count} day ago", "{count} days ago", days)
    if hours := seconds // 3600:
        return trn("{count} hour ago", "{count} hours ago", hours)
    if minutes := seconds // 60:
        return trn("{count} minute ago", "{count} minutes ago", minutes)
    return tr("a moment ago")
