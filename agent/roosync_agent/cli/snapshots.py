"""`roosync snapshots`: the backups made before each write on this machine, listed and put back."""

import click

from roosync_agent.cli.running import CommandError, json_option, show
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import table
from roosync_agent.wording import heard, tr


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def snapshots(ctx: click.Context, as_json: bool) -> None:
    """The backups made before each write on this machine: lists them, or puts one back."""
    if ctx.invoked_subcommand is not None:
        return
    from roosync_agent.operations.files.backups import list_snapshots
    from roosync_agent.settings import load

    found = list_snapshots(load().state)
    rows = [(s["id"], s["time"][:19], heard(s["label"]), ", ".join(s["files"])) for s in found]
    heads = (tr("SNAPSHOT"), tr("TIME"), tr("FOR"), tr("FILES"))
    show(found, as_json, lambda _: table(rows, heads) if rows else tr("No snapshot yet."))


@snapshots.command("restore")
@click.argument("id_", metavar="ID")
@click.option("--exact", is_flag=True, help="The whole files as they were, also when they were changed since.")
@click.option("--dry-run", is_flag=True, help="Show the difference; change nothing.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--show-secrets", is_flag=True, help="Do not hide in the difference what looks like a secret.")
@json_option
def snapshots_restore(id_: str, exact: bool, dry_run: bool, yes: bool, show_secrets: bool, as_json: bool) -> None:
    """Put the files of a snapshot back, with a backup of their own. An ID may be shortened to its beginning.

    What a decision wrote is better taken back by `roosync decision rollback`, which tells the fleet too.
    """
    from roosync_agent.cli.edit import carry_out
    from roosync_agent.operations.files.backups import prepare_restore
    from roosync_agent.operations.files.editing import EditingError
    from roosync_agent.settings import load

    settings = load()
    try:
        prepared = prepare_restore(settings, id_, exact=exact)
    except EditingError as error:
        raise CommandError("request", str(error)) from error
    carry_out(settings, prepared, dry_run=dry_run, yes=yes, show_secrets=show_secrets, as_json=as_json)
