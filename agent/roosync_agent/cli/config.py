"""Commands about configuration: inventory, collect, publish, compare, diffs, apply."""

from typing import Any

import click

from roosync_agent.cli.changes import changes_text
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import harmless, many, paint, reference_text, table, value_text, want_colour

IN_STEP, DRIFT, PENDING, CONFLICT = 0, 2, 3, 4


@click.command()
@click.argument("machine", required=False)
@json_option
def inventory(machine: str | None, as_json: bool) -> None:
    """What a machine is and has: system, assistants, MCP servers, modes, tools. No secret."""
    answer = ask_machine("inventory", name=machine)
    show(answer, as_json, _inventory_text)


@click.command()
@click.argument("targets", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Write nothing, not even to the state folder.")
@json_option
def collect(targets: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Make this machine's package: TARGETS are names such as roo.mcp, assistants, or groups such as modes."""
    answer = ask_machine("collect", targets=list(targets), dry_run=dry_run)
    show(answer, as_json, _package_text)
    if answer["quarantine"]:
        raise click.exceptions.Exit(CONFLICT)


@click.command()
@click.option("--version", help="Version of the package (default: the next one).")
@click.option("--description", default="", help="A line about it.")
@json_option
def publish(version: str | None, description: str, as_json: bool) -> None:
    """Publish this machine's package: contents first, then the announcement."""
    answer = ask_machine("publish", version=version, description=description)
    show(answer, as_json, _package_text)
    if answer["quarantine"]:
        raise click.exceptions.Exit(CONFLICT)


@click.command()
@click.option("--other", metavar="MACHINE", help="Compare with the package of another machine.")
@json_option
def compare(other: str | None, as_json: bool) -> None:
    """Compare with the baseline: `Synced`, or pending decisions."""
    answer = ask_machine("compare", other=other)
    show(answer, as_json, _comparison_text)
    code = _code(answer["divergences"], answer["quarantine"])
    raise click.exceptions.Exit(code or (DRIFT if _unread(answer) else IN_STEP))


@click.command()
@click.option("--type", "kind", type=click.Choice(["all", "config", "files", "settings"]), default="all")
@json_option
def diffs(kind: str, as_json: bool) -> None:
    """Every open divergence of the fleet, grouped by what differs."""
    answer = ask_machine("diffs", kind=kind)
    show(answer, as_json, _diffs_text)
    raise click.exceptions.Exit(_code(answer["divergences"], {}))


@click.command()
@click.argument("targets", nargs=-1)
@click.option("--source", metavar="MACHINE", help="Take the configuration of another machine.")
@click.option("--dry-run", is_flag=True, help="Show what every file would become; change nothing.")
@json_option
def apply(targets: tuple[str, ...], source: str | None, dry_run: bool, as_json: bool) -> None:
    """Apply what is approved or lies within the policy, and say what waits for a person."""
    answer = ask_machine("apply", source=source, dry_run=dry_run, targets=list(targets))
    show(answer, as_json, _applied_text)
    if answer["failed"]:
        raise click.exceptions.Exit(CONFLICT)
    raise click.exceptions.Exit(PENDING if answer["waiting"] and not dry_run else DRIFT if answer["waiting"] else 0)


def _code(rows: list[dict[str, Any]], quarantine_: dict[str, str]) -> int:
    if quarantine_ or any(row["verdict"] in ("conflict", "delete_modify") for row in rows):
        return CONFLICT
    if any(row["status"] == "pending" for row in rows):
        return PENDING
    return DRIFT if rows else IN_STEP


def _inventory_text(answer: dict[str, Any]) -> str:
    lines = [f"{harmless(answer['machine'])}, {answer['timestamp'][:19]} UTC"]
    for name, value in answer["inventory"].items():
        if isinstance(value, list):
            lines += [f"{name}:", *(f"  {value_text(one)}" for one in value)]
        elif isinstance(value, dict):
            lines += [f"{name}:", *(f"  {harmless(key)}: {value_text(one)}" for key, one in value.items())]
        else:
            lines.append(f"{name}: {value_text(value)}")
    return "\n".join(lines)


def _package_text(answer: dict[str, Any]) -> str:
    rows = [
        (f["type"], f["path"].split("/", 1)[-1], len(f["entities"]), f["size"], f["hash"][:12]) for f in answer["files"]
    ]
    lines = [table(rows, ("TARGET", "FILE", "ENTITIES", "BYTES", "SHA-256"), colour=want_colour())]
    if answer["skipped"]:
        lines += ["", "Skipped:", *(f"  {harmless(s['path'])}: {harmless(s['reason'])}" for s in answer["skipped"])]
    if answer["quarantine"]:
        lines += ["", "Quarantined, and not published:"]
        lines += [f"  {harmless(target)}: {harmless(reason)}" for target, reason in answer["quarantine"].items()]
        lines += ["  Next: roosync quarantine show"]
    if answer["secrets"]:
        lines += [
            "",
            f"{len(answer['secrets'])} secrets stay on this machine:",
            *(f"  {harmless(a)}" for a in answer["secrets"]),
        ]
    if answer["published"]:
        lines += [
            "",
            f"Published as version {answer['version']}, manifest {answer['manifest'][:12]}.",
            "Next: roosync status",
        ]
    elif answer["dry_run"]:
        lines += ["", f"{answer['entities']} entities; nothing was written. Next: roosync publish"]
    else:
        lines += ["", f"{answer['entities']} entities, in {answer['written']}. Next: roosync publish"]
    return "\n".join(lines)


def _comparison_text(answer: dict[str, Any]) -> str:
    name = reference_text(answer["reference"])
    if answer["reference"] == "baseline":
        name = f"baseline {harmless(answer['baseline_version'])}"
    lines = []
    colour = want_colour()
    unsaid = _unsaid(answer)
    in_part = answer["status"] == "Synced" and bool(unsaid)
    if in_part:
        heads = [f"{paint('In step, except', 'warn', colour)}: ", *[" " * 17] * (len(unsaid) - 1)]
        lines += [f"{head}{harmless(line)}" for head, line in zip(heads, unsaid, strict=True)]
        lines.append(f"All else on {answer['agent']} agrees with {name}.")
    elif answer["status"] == "Synced":
        lines.append(f"{paint('Synced', 'good', colour)}: {answer['agent']} agrees with {name}.")
    else:
        count = answer["divergences_count"]
        lines += [f"{paint('Diverged', 'warn', colour)}: {answer['agent']} differs from {name} in {count}.", ""]
        lines += [_rows_text(answer["divergences"])]
    for title, names in (("Accepted differences", answer["accepted"]), ("Only on this machine", answer["only_here"])):
        if names:
            lines += ["", f"{title}: {', '.join(map(harmless, names))}"]
    absent = [f"{target} ({many(count, 'thing')})" for target, count in answer["not_here"].items()]
    for title, found in (
        ("Whether these are in step is not known", [] if in_part else unsaid),
        ("Not compared, because it is not on this machine or not managed here", absent),
    ):
        lines += ["", f"{title}:", *(f"  {harmless(line)}" for line in found)] if found else []
    if answer["quarantine"]:
        lines += ["", "Next: roosync quarantine show"]
    elif answer["divergences"]:
        lines += ["", f"Next: roosync decision show {answer['divergences'][0]['decision_id']}"]
    elif _unread(answer):
        lines += ["", "Next: roosync collect --dry-run    (once it is repaired, it is read by itself)"]
    elif answer["only_here"] and answer["reference"] == "baseline":
        lines += ["", "Next: roosync baseline propose    (to share what only this machine has)"]
    return "\n".join(lines)


def _unsaid(answer: dict[str, Any]) -> list[str]:
    """Of what being in step says nothing: it is not believed, or could not be read here or there."""
    lines = [f"{target} quarantined: {reason}" for target, reason in answer["quarantine"].items()]
    for one in answer["not_read"]:
        place = f"{one['path']}: " if one["path"] else ""
        lines.append(f"{one['target']} not read: {place}{one['reason']}")
    other = answer["reference"].removeprefix("machine:")
    return lines + [f"not read on {other}: {line}" for line in answer["not_read_there"]]


def _unread(answer: dict[str, Any]) -> bool:
    """Could a whole target of this machine not be read? Then it is not shown to be in step."""
    return any(not one["path"] for one in answer["not_read"])


def _diffs_text(answer: dict[str, Any]) -> str:
    if not answer["divergences"]:
        return "No open divergence in the fleet."
    blocks = []
    fields: dict[str, list[dict[str, Any]]] = {}
    for row in answer["divergences"]:
        fields.setdefault(row["field"], []).append(row)
    for field, rows in fields.items():
        blocks.append(f"{harmless(field)}  [{rows[0]['type']}, risk {rows[0]['risk']}]")
        for row in rows:
            beside = "" if row["reference"] == "baseline" else f", compared with {reference_text(row['reference'])}"
            verdict = harmless(row["verdict"])
            blocks.append(f"  {row['machine']}  {verdict}, {row['status']}{beside}  {row['decision_id']}")
            lines = changes_text(row["changes"], _kind(row), clip=True)
            blocks += [f"    {line}" for line in lines[:12]]
            if len(lines) > 12:
                blocks.append(f"    ... {len(lines) - 12} more lines: roosync decision show {row['decision_id']}")
    return "\n".join([*blocks, "", f"{answer['divergences_count']} open. Next: roosync decision show ID"])


def _kind(row: dict[str, Any]) -> str:
    """The kind of the entity, which decides in which order its members are shown."""
    if row["type"] == "config":
        return "mode" if row["field"].split("/", 1)[0].endswith(".modes") else "mcp_server"
    return "text" if row["type"] == "files" else "setting"


def _rows_text(rows: list[dict[str, Any]]) -> str:
    shown = [(r["field"], r["verdict"], r["risk"], r["status"], r["decision_id"]) for r in rows]
    return table(shown, ("FIELD", "VERDICT", "RISK", "STATUS", "DECISION"), colour=want_colour())


def _applied_text(answer: dict[str, Any]) -> str:
    if not answer["rows"]:
        return f"Nothing to change: {answer['agent']} agrees with {reference_text(answer['reference'])}."
    rows = [(r["field"], r["status"], r["risk"], r["decision_id"], r["detail"]) for r in answer["rows"]]
    lines = [table(rows, ("FIELD", "STATUS", "RISK", "DECISION", "DETAIL"), colour=want_colour())]
    for file in answer["files"]:
        lines += ["", harmless(file["path"]), harmless(file["diff"], lines=True).rstrip()]
    if answer["dry_run"]:
        return "\n".join([*lines, "", "Dry run: nothing was changed."])
    waiting = next((r["decision_id"] for r in answer["rows"] if r["status"] == "pending"), None)
    tail = f"Next: roosync decision show {waiting}" if waiting else "Next: roosync status"
    return "\n".join(
        [*lines, "", f"{answer['applied']} applied, {answer['waiting']} waiting, {answer['failed']} failed. {tail}"]
    )
