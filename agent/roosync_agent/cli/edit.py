"""`roosync edit`: any file of yours, changed at the places you name and nowhere else."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.running import CommandError, json_option
from roosync_agent.cli.text import print_json
from roosync_agent.columns import paint, want_colour
from roosync_agent.wording import heard, tr
from roosync_agent.yes_no import confirm, shown_to_person
from roosync_protocol.documents import FORMATS
from roosync_protocol.secrets.values import HIDDEN

if TYPE_CHECKING:
    from roosync_agent.operations.files.asked_edits import Asked
    from roosync_agent.operations.files.editing import Prepared
    from roosync_agent.settings import Settings

STDIN_LIMIT = 16 * 1024 * 1024  # bytes, as of a file
TONES = {"+": "good", "-": "bad", "@": "dim", "\\": "dim"}
REFUSED = 1


class InOrder(click.Command):
    """A command that remembers in which order its options were given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        *_, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta["order"] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


@click.command(cls=InOrder)
@click.argument("file", metavar="FILE")
@click.option("--set", "set_", multiple=True, nargs=2, metavar="PATH VALUE", help="Replace what is there, or add it.")
@click.option("--insert", multiple=True, nargs=2, metavar="PATH VALUE", help="Into a list: at list[2], or at its end.")
@click.option("--delete", multiple=True, metavar="PATH", help="Remove it, with the comment lines above it.")
@click.option("--rename", multiple=True, nargs=2, metavar="PATH NAME", help="Give a member another name.")
@click.option(
    "--after",
    multiple=True,
    metavar="NAME|VALUE|[INDEX]",
    help="The new one of the edit before goes after this one: its name, its value, or [0].",
)
@click.option("--first", count=True, help="The new one of the edit before goes first.")
@click.option("--comment", multiple=True, metavar="TEXT", help="A comment line above the new one of the edit before.")
@click.option("--string", count=True, help="VALUE of the edit before is a text, also when it looks like JSON.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="What the file is (default: by its name).")
@click.option("--dry-run", is_flag=True, help="Show the difference; change nothing.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--show-secrets", is_flag=True, help="Do not hide in the difference what looks like a secret.")
@json_option
def edit(
    file: str,
    format_: str | None,
    dry_run: bool,
    yes: bool,
    show_secrets: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Edit FILE in place: JSON, JSON with comments, YAML, TOML or text. What is not named keeps its bytes.

    \b
    PATH   customModes[0].slug   mcpServers["a.b"].env
           customModes[slug=code].name   . is all of it
    VALUE  JSON when it parses as JSON, a text otherwise; - is standard input;
           a text that begins with { [ " needs --string
    AFTER  a member's name; an element's slug, id, name, key or value;
           '[0]' is an index, 0 a value
    roosync edit settings.json --set '["editor.fontSize"]' 14 --delete old
    roosync edit settings.json --insert '["editor.rulers"]' 90 --after 80
    roosync edit modes.yaml --insert customModes '{"slug": "new"}' \\
      --after code --comment 'mine'

    Edits are done in the order given, each on what the one before it left, all or none, after a backup:
    `roosync snapshots restore ID` puts it back.
    """
    from roosync_agent.operations.files.editing import EditingError, prepare
    from roosync_agent.settings import load

    asked = _asked(click.get_current_context().meta["order"], given)
    settings = load()
    stdin = _stdin() if any(one.given == "-" and not one.string for one in asked) else ""
    try:
        prepared = prepare(settings, file, asked, format=format_, stdin=stdin)
    except EditingError as error:
        raise CommandError("request", str(error)) from error
    carry_out(settings, prepared, dry_run=dry_run, yes=yes, show_secrets=show_secrets, as_json=as_json)


def carry_out(
    settings: "Settings", prepared: "Prepared", *, dry_run: bool, yes: bool, show_secrets: bool, as_json: bool
) -> None:
    """Shows what will be written, asks, writes, and says how to put it back."""
    asks = prepared.changed and not dry_run and not yes
    with shown_to_person(as_json=as_json) as aside:
        _tell(prepared, show_secrets=show_secrets, as_json=as_json, err=asks and aside)
    snapshot = ""
    if prepared.changed and not dry_run:
        if asks:
            _ask(as_json)
        snapshot = _written(settings, prepared)
    files = prepared.paths
    written = [harmless(change.path) for change in prepared.plan.changes if change.after is not None]
    removed = [harmless(change.path) for change in prepared.plan.changes if change.after is None]
    if as_json:
        print_json(
            {
                "path": files[0] if len(files) == 1 else list(files),
                "format": prepared.format,
                "changed": prepared.changed,
                "diff": prepared.diff(secrets=show_secrets),
                "snapshot": snapshot or None,
            }
        )
    elif not prepared.changed:
        click.echo(tr("Nothing to change: it is as you want it."))
    elif dry_run:
        click.echo("\n" + tr("Dry run: nothing was changed."))
    else:
        if written:
            click.echo(tr("Wrote {files}.", files=", ".join(written)))
        if removed:
            click.echo(tr("Removed {files}.", files=", ".join(removed)))
        click.echo("\n" + tr("Back again: {command}", command=f"roosync snapshots restore {snapshot}"))


def _tell(prepared: "Prepared", *, show_secrets: bool, as_json: bool, err: bool) -> None:
    for note in prepared.notes:
        click.echo(f"! {harmless(heard(note))}", err=True)
    if as_json:
        return
    if prepared.taken_as:
        click.echo(tr("Taken as {what}.", what=heard(prepared.taken_as)), err=err)
    colour = want_colour()
    diff = prepared.diff(secrets=show_secrets, clip=True)
    for line in diff.split("\n")[:-1]:
        click.echo(paint(harmless(line), TONES.get(line[:1], ""), colour), err=err)
    if not show_secrets and HIDDEN in diff:
        click.echo(tr("[hidden] stands for what looks like a secret; --show-secrets shows it."), err=err)


def _ask(as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        why = tr("--json asks nothing") if as_json else tr("there is no terminal to ask on")
        told = tr("{why}, so nothing was written. Next: --yes writes it, --dry-run shows it", why=why)
        raise CommandError("request", told)
    if not confirm("\n" + tr("Write this")):
        click.echo(tr("Nothing was written."))
        raise click.exceptions.Exit(REFUSED)


def _written(settings: "Settings", prepared: "Prepared") -> str:
    from roosync_agent.operations.files.editing import EditingError, write

    try:
        done = write(settings, prepared, datetime.now(UTC))
    except EditingError as error:
        raise CommandError("state", str(error)) from error
    for line in done.told:
        click.echo(f"! {harmless(heard(line))}", err=True)
    return done.snapshot


def _asked(order: Sequence[str | None], given: dict[str, Any]) -> list["Asked"]:
    """The edits in their order; what says more about one belongs to the edit before it."""
    from roosync_agent.operations.files.asked_edits import Asked

    left = {name: list(values) for name, values in given.items() if isinstance(values, tuple)}
    asked: list[Asked] = []
    for name in order:
        if name in ("set_", "insert", "rename", "delete"):
            words = left[name].pop(0)
            path, value = (words, "") if name == "delete" else words
            asked.append(Asked(name.removesuffix("_"), path, value))  # type: ignore[arg-type]
        elif name in ("after", "first", "comment", "string"):
            if not asked:
                raise click.UsageError(
                    tr("{option} says more about the edit before it: write it after that", option=f"--{name}")
                )
            asked[-1] = _more(asked[-1], name, left.get(name))
    if not asked:
        raise click.UsageError(tr("say what to change: --set PATH VALUE, --insert, --delete or --rename"))
    for one in asked:
        _require_no_option(one)
    if sum(one.given == "-" and not one.string for one in asked) > 1:
        raise click.UsageError(tr("standard input can be the VALUE of one edit only"))
    return asked


def _require_no_option(asked: "Asked") -> None:
    """Where a VALUE was forgotten, click takes the option behind it as VALUE."""
    context = click.get_current_context()
    own = {name for parameter in context.command.get_params(context) for name in parameter.opts if name[0] == "-"}
    verb, path, given = (shlex.quote(word) for word in (asked.verb, asked.path, asked.given))
    if asked.path.split("=")[0] in own:
        member = shlex.quote(f'["{asked.path}"]')
        raise click.UsageError(
            tr(
                "{given}: an option where PATH belongs; a member of that name is {member}",
                given=f"--{verb} {path}",
                member=member,
            )
        )
    if asked.given.split("=")[0] in own and not asked.string:
        what = "NAME" if verb == "rename" else "VALUE"
        raise click.UsageError(
            tr(
                "{words}: an option where {what} belongs. Next: say {what}; if {given} itself is meant: "
                "{words} --string",
                words=f"--{verb} {path} {given}",
                what=what,
                given=given,
            )
        )
    for line in asked.comments:
        if line.split("=")[0] in own:
            raise click.UsageError(tr("--comment {text}: an option where TEXT belongs", text=shlex.quote(line)))


def _more(asked: "Asked", name: str, values: list[str] | None) -> "Asked":
    match name:
        case "first":
            return replace(asked, first=True)
        case "string":
            return replace(asked, string=True)
    assert values is not None
    if name == "comment":
        return replace(asked, comments=(*asked.comments, values.pop(0)))
    return replace(asked, after=values.pop(0))


def _stdin() -> str:
    data = sys.stdin.buffer.read(STDIN_LIMIT + 1)
    if len(data) > STDIN_LIMIT:
        told = tr("standard input is more than {most} bytes; nothing was changed", most=STDIN_LIMIT)
        raise CommandError("request", told)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        told = tr("standard input is not UTF-8 at byte {place}; nothing was changed", place=error.start)
        raise CommandError("request", told) from error
