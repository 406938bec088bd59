"""`roosync service`: `roosync up` at login, by the system's own manager of services."""

import getpass
import os
from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.running import json_option, show
from roosync_agent.cli.spoken import Group
from roosync_agent.wording import heard, mark, tr

dry_option = click.option("--dry-run", is_flag=True, help="Show what would be written and run; do nothing.")
FILES = {
    "absent": mark("is not installed"),
    "ours": mark("is installed"),
    "changed": mark("is installed, and its file was changed by hand since"),
    "foreign": mark("has a file that somebody else wrote"),
}


@click.group(cls=Group)
def service() -> None:
    """Run `roosync up` at login: a systemd user unit, a launchd agent, or a task of Windows."""


@service.command("install")
@dry_option
@json_option
def install(dry_run: bool, as_json: bool) -> None:
    """Write it, enable it, start it. What is not ours is never written over."""
    from roosync_agent.operations.service import managing

    wanted, state = _plan()
    try:
        done = managing.install(wanted, state, dry_run=dry_run)
    except managing.NoManagerError:
        if not as_json:
            click.echo(tr("Nothing was installed. This would be {path}:", path=harmless(wanted.path)))
            click.echo("\n" + harmless(wanted.text, lines=True))
        raise
    _show(done, as_json, _installed)


@service.command("uninstall")
@dry_option
@json_option
def uninstall(dry_run: bool, as_json: bool) -> None:
    """End it and take its file away. Keys, law and the managed files stay."""
    from roosync_agent.operations.service import managing

    _show(managing.uninstall(_plan()[0], dry_run=dry_run), as_json, _uninstalled)


@service.command("status")
@json_option
def status(as_json: bool) -> None:
    """Is it installed, and does it run?"""
    from roosync_agent.operations.service import managing

    _show(managing.status(*_plan()), as_json, _status)


# -- inside


def _plan() -> Any:
    from roosync_agent.connect import identity_of
    from roosync_agent.operations.service import managing
    from roosync_agent.settings import load
    from roosync_agent.state import State

    state = load().state
    identity_of(State(state))  # founding or joining comes first
    return managing.plan(state, os.environ), state


def _show(answer: Any, as_json: bool, text: Any) -> None:
    import msgspec

    show(msgspec.to_builtins(answer), as_json, text)


def _shown(done: dict[str, Any]) -> list[str]:
    head = tr("{path} ({manager}):", path=harmless(done["path"]), manager=done["manager"])
    return [head, "", *(f"    {line}" for line in harmless(done["text"], lines=True).splitlines()), ""]


def _ran(done: dict[str, Any]) -> list[str]:
    return [f"  {harmless(command)}" for command in done["commands"]]


def _installed(done: dict[str, Any]) -> str:
    lines = [*_shown(done), *_ran(done)]
    lines += [f"! {heard(note)}." for note in done["notes"]]
    if not done["done"]:
        return "\n".join([*lines, "", tr("Nothing was written. Next: the same without --dry-run")])
    lines += ["", tr("Written, and it runs.") if done["started"] else tr("Written.")]
    following = [tr("Next: roosync service status")]
    if done["manager"] == "systemd":
        linger = " ".join(("loginctl enable-linger", harmless(getpass.getuser())))
        following += [tr("      {command}    (so that it runs also while you are not logged in)", command=linger)]
    return "\n".join([*lines, "", *following])


def _uninstalled(done: dict[str, Any]) -> str:
    lines = [*_ran(done), *(f"! {heard(note)}." for note in done["notes"])]
    if not done["done"]:
        gone = tr("{path} would go. Next: the same without --dry-run", path=harmless(done["path"]))
        return "\n".join([*lines, "", gone])
    return "\n".join([*lines, "", tr("{path} is gone.", path=harmless(done["path"])), "", tr("Next: roosync up")])


def _status(found: dict[str, Any]) -> str:
    lines = [tr("The service {name} {what}.", name=harmless(found["name"]), what=tr(FILES[found["file"]]))]
    lines.append(tr("  file      {path}", path=harmless(found["path"])))
    if found["runs"] is None:
        lines.append(f"! {heard(harmless(found['why']))}.")
    else:
        runs = tr("yes") if found["runs"] else tr("no")
        lines.append(tr("  runs      {runs}", runs=runs))
    if found["by_hand"]:
        lines.append(tr("! `roosync up` runs, started by hand."))
    if found["lingers"] is not None:
        lines.append(tr("  while you are not logged in: {yes}", yes=tr("yes") if found["lingers"] else tr("no")))
    following = "roosync service install" if found["file"] == "absent" else "roosync status"
    return "\n".join([*lines, "", tr("Next: {command}", command=following)])
