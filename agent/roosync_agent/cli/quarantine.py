"""`roosync quarantine`: what the wipe guard holds back on this machine, put back or believed after all."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from roosync_agent.cli.running import CommandError, ask_machine, json_option, show
from roosync_agent.cli.text import harmless, many, paint, want_colour

if TYPE_CHECKING:
    from roosync_agent.operations.files.quarantine import HeldBack, HeldFile

DRIFT, QUARANTINE = 2, 4
NAMED = 12  # names of what is gone that are shown; --json has all


@click.group()
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
@json_option
def quarantine_release(target: str, as_json: bool) -> None:
    """Say that what this machine has now is right, although much of TARGET is gone."""
    answer = ask_machine("quarantine_release", target=target)
    show(
        answer,
        as_json,
        lambda a: f"{a['released']} is believed again on {a['machine']}.\n\nNext: roosync compare",
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
        click.echo("It is believed again by itself. Next: roosync compare")


def _held_text(found: dict[str, "HeldBack"]) -> str:
    if not found:
        return "Nothing is quarantined on this machine."
    return "\n\n".join("\n".join(_target_lines(one)) for one in found.values())


def _target_lines(one: "HeldBack") -> list[str]:
    word = "quarantined" if one.believed else "not read"
    lines = [f"{paint(harmless(one.target), 'bold', want_colour())} {word}: {harmless(one.why)}"]
    if one.believed:
        since = f"{one.since:%Y-%m-%d %H:%M} UTC ({_ago(one.since)})" if one.since else "this look; no agent saw it yet"
        lines.append(f"  since     {since}")
    for head, names in (("gone", one.gone), ("not known", one.unreadable)):
        if names:
            more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
            lines.append(f"  {head:9} {len(names)} of {one.believed}: {', '.join(map(harmless, names[:NAMED]))}{more}")
    spoilt = [file for file in one.files if file.now != "as it was"]
    lines += [f"  {'file' if not at else '':9} {_file_text(file)}" for at, file in enumerate(spoilt[:NAMED])]
    if len(spoilt) > NAMED:
        lines.append(f"{'':12}and {many(len(spoilt) - NAMED, 'file')} more")
    lines += [f"  {'no copy':9} {harmless(reason)}" for reason in one.missing_copies]
    if one.believed:
        lines.append("  Nothing of it is published, compared or applied. Once it is back, it is believed by itself.")
    wide = max(len(offer.command) for offer in one.next)
    return [*lines, *(f"  {harmless(offer.command):{wide}}    # {offer.when}" for offer in one.next)]


def _file_text(file: "HeldFile") -> str:
    sizes = f"{file.bytes} bytes, " if file.now not in ("gone", "empty") and file.bytes else ""
    return f"{harmless(file.path)}: {harmless(file.now)}, {sizes}the copy from {_ago(file.kept)} has {file.bytes_kept}"


def _ago(when: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - when).total_seconds()))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"{many(seconds // size, unit)} ago"
    return "a moment ago"
