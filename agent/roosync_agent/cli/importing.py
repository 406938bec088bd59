"""`roosync import-share` and `roosync imported`: the shared folder of RooSync 2, taken in and never believed."""

from pathlib import Path
from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.changes import changes_text
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import table
from roosync_agent.columns import want_colour
from roosync_agent.wording import heard, tr, trn

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


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def imported(context: click.Context, as_json: bool) -> None:
    """What was taken in with `import-share`."""
    if context.invoked_subcommand is None:
        context.invoke(listed, as_json=as_json)


@imported.command("list")
@json_option
def listed(as_json: bool = False) -> None:
    """The foreign packages that are kept here."""
    found = ask_machine("imported")
    rows = [(one["name"], one["version"], one["timestamp"][:19], len(one["entities"])) for one in found]
    text = table(rows, (tr("PACKAGE"), tr("VERSION"), tr("WRITTEN (UTC)"), tr("ENTITIES")), colour=want_colour())
    show(found, as_json, lambda _: text if rows else tr("None yet. Next: roosync import-share PATH"))


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
@dry_run_option
@json_option
def propose(name: str, fields: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Write a baseline file with values of PACKAGE in it, for an operator to sign: all of them without a FIELD."""
    if dry_run:
        previewed("imported_propose", {"name": name, "fields": list(fields)}, as_json)
    show(ask_machine("imported_propose", name=name, fields=list(fields)), as_json, _proposed)


def _report(answer: dict[str, Any]) -> str:
    path, folder = harmless(answer["path"]), harmless(answer["folder"])
    if answer["dry_run"]:
        lines = [tr("{path}: read. Dry run, nothing was kept; nothing was applied.", path=path)]
    else:
        lines = [tr("{path}: read. Kept in {folder}; nothing was applied.", path=path, folder=folder)]
    if not (answer["packages"] or answer["baseline"]):
        if answer["messages"] or answer["decisions"]:
            told = tr("! It took no configuration: no package or baseline in it holds anything that is managed here.")
        else:
            told = tr("! It took nothing: no package or baseline in it holds anything that is managed here.")
        lines += ["", told]
    rows = [
        (
            one["name"],
            one["version"],
            len(one["entities"]),
            len(one["secrets"]),
            tr("a member") if one["member"] else "",
        )
        for one in answer["packages"]
    ]
    if rows:
        heads = (tr("PACKAGE"), tr("VERSION"), tr("ENTITIES"), tr("SECRETS LEFT BEHIND"), "")
        lines += ["", table(rows, heads, colour=want_colour())]
    if one := answer["baseline"]:
        told = tr(
            "Baseline, from {source}: {added} new, {same} the same, {differs} with another value; "
            "what is in force stays",
            source=harmless(one["source"]),
            **{name: len(one[name]) for name in ("added", "same", "differs")},
        )
        lines += ["", told]
    nothing = tr("nothing that is managed here")
    waiting = [f"{d['id']}: {d['title']} [{d['status']}] -> {d['entity'] or nothing}" for d in answer["decisions"]]
    lines += _some(tr("Decisions that waited:"), waiting)
    secrets = [f"{address} ({one['machine']})" for one in answer["packages"] for address in one["secrets"]]
    lines += _some(tr("Secrets that stayed behind; set them where they are needed:"), secrets)
    if answer["messages"]:
        lines += ["", trn("{count} message kept as files", "{count} messages kept as files", answer["messages"])]
    lines += _some(tr("Messages in which something looked secret, and was taken out:"), answer["scrubbed"])
    lines += _some(tr("How it was read:"), list(map(heard, answer["notes"])))
    lines += _some(tr("Not taken:"), [f"{one['path']}: {heard(one['reason'])}" for one in answer["skipped"]])
    return "\n".join([*lines, "", _next(answer)])


def _some(title: str, lines: list[str]) -> list[str]:
    rest = len(lines) - LISTED
    more = ["  " + trn("and {count} more: --json", "and {count} more: --json", rest)] if rest > 0 else []
    return ["", title, *(f"  {harmless(line)}" for line in lines[:LISTED]), *more] if lines else []


def _next(answer: dict[str, Any]) -> str:
    taken = answer["packages"] or answer["baseline"] or answer["messages"] or answer["decisions"]
    if answer["dry_run"] and taken:
        return tr("Next: the same without --dry-run")
    if answer["packages"]:
        name = answer["packages"][0]["name"]
        return tr("Next: roosync imported compare {name}, then roosync imported propose {name} [FIELD...]", name=name)
    if answer["baseline"] and answer["baseline"]["added"]:
        command = f"roosync baseline restore --file {answer['baseline']['file']}"
        return tr("Next: read it, then an operator signs it: {command}", command=command)
    return tr("Next: {command}", command="roosync status")


def _comparison(answer: dict[str, Any]) -> str:
    told = trn(
        "{machine} and {package}: {count} difference, {same} the same.",
        "{machine} and {package}: {count} differences, {same} the same.",
        len(answer["differs"]),
        machine=answer["agent"],
        package=answer["name"],
        same=len(answer["same"]),
    )
    lines = [told]
    for row in answer["differs"]:
        word = {"only_there": tr("only there"), "only_here": tr("only here")}.get(row["verdict"], tr("differs"))
        lines += ["", f"{harmless(row['field'])}  {word}"]
        lines += [f"  {line}" for line in changes_text(row["changes"], row["kind"], clip=True)[:12]]
    lines += _some(tr("Only on this machine:"), answer["only_here"])
    lines += _some(tr("Not compared, because it is not on this machine or not believed here:"), answer["not_here"])
    there = any(row["verdict"] != "only_here" for row in answer["differs"]) or answer["not_here"]
    following = f"roosync imported propose {answer['name']} [FIELD...]" if there else "roosync status"
    return "\n".join([*lines, "", tr("Next: {command}", command=following)])


def _proposed(answer: dict[str, Any]) -> str:
    if not answer["file"]:
        told = tr(
            "{name} has nothing new: {same} as in force. No file was written.",
            name=harmless(answer["name"]),
            same=len(answer["same"]),
        )
        lines = [told, *_left_out(answer)]
        return "\n".join([*lines, "", tr("Next: nothing to sign; roosync status")])
    told = tr(
        "{file}: {added} new, {differs} changed, {same} as in force. It is no law.",
        file=harmless(answer["file"]),
        **{name: len(answer[name]) for name in ("added", "differs", "same")},
    )
    lines = [told]
    for row in answer["changes"]:
        lines += ["", f"{harmless(row['field'])}"]
        lines += [f"  {line}" for line in changes_text(row["changes"], row["kind"], clip=True)[:12]]
    lines += _left_out(answer)
    command = f"roosync baseline restore --file {answer['file']}"
    return "\n".join([*lines, "", tr("Next: an operator signs it: {command}", command=command)])


def _left_out(answer: dict[str, Any]) -> list[str]:
    return _some(tr("Left out:"), [f"{key}: {heard(why)}" for key, why in answer["left_out"].items()])
