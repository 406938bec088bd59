"""`roosync import-share` and `roosync imported`: the shared folder of RooSync 2, taken in and never believed."""

from pathlib import Path
from typing import Any

import click

from roosync_agent.cli.changes import changes_text
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import harmless, many, table, want_colour

DRIFT = 2
LISTED = 30  # things of a kind that the text names; --json has all


@click.command("import-share")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only tell; keep nothing.")
@json_option
def import_share(path: Path, dry_run: bool, as_json: bool) -> None:
    """Take in PATH, a `.shared-state` of RooSync 2: packages, baseline, pending decisions, messages.

    Nothing of it is applied, published or law. What was left out is named with its reason.
    """
    show(ask_machine("import_share", path=str(path.absolute()), dry_run=dry_run), as_json, _report)


@click.group(invoke_without_command=True)
@click.pass_context
def imported(context: click.Context) -> None:
    """What was taken in with `import-share`."""
    if context.invoked_subcommand is None:
        context.invoke(listed)


@imported.command("list")
@json_option
def listed(as_json: bool = False) -> None:
    """The foreign packages that are kept here."""
    found = ask_machine("imported")
    rows = [(one["name"], one["version"], one["timestamp"][:19], len(one["entities"])) for one in found]
    text = table(rows, ("PACKAGE", "VERSION", "WRITTEN (UTC)", "ENTITIES"), colour=want_colour())
    show(found, as_json, lambda _: text if rows else "None yet. Next: roosync import-share PATH")


@imported.command("compare")
@click.argument("name", metavar="PACKAGE")
@json_option
def compare(name: str, as_json: bool) -> None:
    """How this machine differs from PACKAGE. Only told: no decision is made of it. Exit code 2: it differs."""
    answer = ask_machine("imported_compare", name=name)
    show(answer, as_json, _comparison)
    raise click.exceptions.Exit(DRIFT if answer["differs"] else 0)


@imported.command("propose")
@click.argument("name", metavar="PACKAGE")
@click.argument("fields", nargs=-1, metavar="[FIELD...]")
@json_option
def propose(name: str, fields: tuple[str, ...], as_json: bool) -> None:
    """Write a baseline file with values of PACKAGE in it, for an operator to sign: all of them without a FIELD."""
    show(ask_machine("imported_propose", name=name, fields=list(fields)), as_json, _proposed)


def _report(answer: dict[str, Any]) -> str:
    where = "Dry run, nothing was kept" if answer["dry_run"] else f"Kept in {harmless(answer['folder'])}"
    lines = [f"{harmless(answer['path'])}: read. {where}; nothing was applied."]
    if not (answer["packages"] or answer["baseline"]):
        what = "no configuration" if answer["messages"] or answer["decisions"] else "nothing"
        lines += ["", f"! It took {what}: no package or baseline in it holds anything that is managed here."]
    rows = [
        (one["name"], one["version"], len(one["entities"]), len(one["secrets"]), "a member" if one["member"] else "")
        for one in answer["packages"]
    ]
    if rows:
        heads = ("PACKAGE", "VERSION", "ENTITIES", "SECRETS LEFT BEHIND", "")
        lines += ["", table(rows, heads, colour=want_colour())]
    if one := answer["baseline"]:
        counts = f"{len(one['added'])} new, {len(one['same'])} the same, {len(one['differs'])} with another value"
        lines += ["", f"Baseline, from {harmless(one['source'])}: {counts}; what is in force stays"]
    waiting = [f"{d['id']}: {d['title']} [{d['status']}] -> {d['entity'] or 'nothing that is managed here'}"
               for d in answer["decisions"]]  # fmt: skip
    lines += _some("Decisions that waited", waiting)
    secrets = [f"{address} ({one['machine']})" for one in answer["packages"] for address in one["secrets"]]
    lines += _some("Secrets that stayed behind; set them where they are needed", secrets)
    if answer["messages"]:
        lines += ["", f"{many(answer['messages'], 'message')} kept as files"]
    lines += _some("Messages in which something looked secret, and was taken out", answer["scrubbed"])
    lines += _some("How it was read", answer["notes"])
    lines += _some("Not taken", [f"{one['path']}: {one['reason']}" for one in answer["skipped"]])
    return "\n".join([*lines, "", _next(answer)])


def _some(title: str, lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - LISTED} more: --json"] if len(lines) > LISTED else []
    return ["", f"{title}:", *(f"  {harmless(line)}" for line in lines[:LISTED]), *more] if lines else []


def _next(answer: dict[str, Any]) -> str:
    taken = answer["packages"] or answer["baseline"] or answer["messages"] or answer["decisions"]
    if answer["dry_run"] and taken:
        return "Next: the same without --dry-run"
    if answer["packages"]:
        name = answer["packages"][0]["name"]
        return f"Next: roosync imported compare {name}, then roosync imported propose {name} [FIELD...]"
    if answer["baseline"] and answer["baseline"]["added"]:
        return f"Next: read it, then an operator signs it: roosync baseline restore --file {answer['baseline']['file']}"
    return "Next: roosync status"


def _comparison(answer: dict[str, Any]) -> str:
    lines = [f"{answer['agent']} and {answer['name']}: {many(len(answer['differs']), 'difference')},"
             f" {len(answer['same'])} the same."]  # fmt: skip
    for row in answer["differs"]:
        word = {"only_there": "only there", "only_here": "only here"}.get(row["verdict"], "differs")
        lines += ["", f"{harmless(row['field'])}  {word}"]
        lines += [f"  {line}" for line in changes_text(row["changes"], row["kind"], clip=True)[:12]]
    lines += _some("Only on this machine", answer["only_here"])
    lines += _some("Not compared, because it is not on this machine or not believed here", answer["not_here"])
    there = any(row["verdict"] != "only_here" for row in answer["differs"]) or answer["not_here"]
    following = f"roosync imported propose {answer['name']} [FIELD...]" if there else "roosync status"
    return "\n".join([*lines, "", f"Next: {following}"])


def _proposed(answer: dict[str, Any]) -> str:
    if not answer["file"]:
        lines = [f"{harmless(answer['name'])} has nothing new: {len(answer['same'])} as in force. No file was written."]
        lines += _some("Left out", [f"{key}: {why}" for key, why in answer["left_out"].items()])
        return "\n".join([*lines, "", "Next: nothing to sign; roosync status"])
    lines = [f"{harmless(answer['file'])}: {len(answer['added'])} new, {len(answer['differs'])} changed,"
             f" {len(answer['same'])} as in force. It is no law."]  # fmt: skip
    for row in answer["changes"]:
        lines += ["", f"{harmless(row['field'])}"]
        lines += [f"  {line}" for line in changes_text(row["changes"], row["kind"], clip=True)[:12]]
    lines += _some("Left out", [f"{key}: {why}" for key, why in answer["left_out"].items()])
    return "\n".join([*lines, "", f"Next: an operator signs it: roosync baseline restore --file {answer['file']}"])
