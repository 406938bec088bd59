"""Commands about configuration: inventory, collect, publish, compare, diffs, apply."""

from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.changes import changes_text
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import beside_it, reference_text, table, value_text
from roosync_agent.columns import columns, hanging, paint, want_colour, width
from roosync_agent.wording import heard, tr, trn

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
@dry_run_option
@json_option
def publish(version: str | None, description: str, dry_run: bool, as_json: bool) -> None:
    """Publish this machine's package: contents first, then the announcement."""
    if dry_run:
        previewed("publish", {"version": version, "description": description}, as_json)
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
    lines = [table(rows, (tr("TARGET"), tr("FILE"), tr("ENTITIES"), tr("BYTES"), tr("SHA-256")), colour=want_colour())]
    if answer["skipped"]:
        lines += ["", tr("Skipped:")]
        told = ["  " + beside_it(harmless(one["path"]), harmless(heard(one["reason"]))) for one in answer["skipped"]]
        lines += [part for line in told for part in hanging(line, width(), 4)]
    if answer["quarantine"]:
        lines += ["", tr("Quarantined, and not published:")]
        lines += [
            "  " + beside_it(harmless(target), harmless(heard(reason)))
            for target, reason in answer["quarantine"].items()
        ]
        lines += ["  " + tr("Next: {command}", command="roosync quarantine show")]
    if answer["secrets"]:
        number = len(answer["secrets"])
        stay = trn("{count} secrets stay on this machine:", "{count} secrets stay on this machine:", number)
        lines += ["", stay, *(f"  {harmless(a)}" for a in answer["secrets"])]
    if answer["published"]:
        manifest = answer["manifest"][:12]
        lines += [
            "",
            tr("Published as version {version}, manifest {manifest}.", version=answer["version"], manifest=manifest),
            tr("Next: {command}", command="roosync status"),
        ]
    elif answer["dry_run"]:
        lines += ["", tr("{entities} entities; nothing was written. Next: roosync publish", **answer)]
    else:
        lines += ["", tr("{entities} entities, in {written}. Next: roosync publish", **answer)]
    return "\n".join(lines)


def _comparison_text(answer: dict[str, Any]) -> str:
    name = reference_text(answer["reference"])
    if answer["reference"] == "baseline":
        name = tr("baseline {version}", version=harmless(answer["baseline_version"]))
    lines = []
    colour = want_colour()
    unsaid = _unsaid(answer)
    in_part = answer["status"] == "Synced" and bool(unsaid)
    if in_part:
        head = tr("In step, except: ")
        heads = [paint(head.rstrip(": "), "warn", colour) + head[len(head.rstrip(": ")) :]]
        heads += [" " * columns(head)] * (len(unsaid) - 1)
        lines += [f"{head}{harmless(line)}" for head, line in zip(heads, unsaid, strict=True)]
        lines.append(tr("All else on {machine} agrees with {reference}.", machine=answer["agent"], reference=name))
    elif answer["status"] == "Synced":
        state = paint("Synced", "good", colour)
        lines.append(
            tr("{state}: {machine} agrees with {reference}.", state=state, machine=answer["agent"], reference=name)
        )
    else:
        told = tr(
            "{state}: {machine} differs from {reference} in {number}.",
            state=paint("Diverged", "warn", colour),
            machine=answer["agent"],
            reference=name,
            number=answer["divergences_count"],
        )
        lines += [told, "", _rows_text(answer["divergences"])]
    if answer["accepted"]:
        lines += ["", tr("Accepted differences: {names}", names=", ".join(map(harmless, answer["accepted"])))]
    if answer["only_here"]:
        lines += ["", tr("Only on this machine: {names}", names=", ".join(map(harmless, answer["only_here"])))]
    absent = [
        trn("{target} ({count} thing)", "{target} ({count} things)", count, target=target)
        for target, count in answer["not_here"].items()
    ]
    for title, found in (
        (tr("Whether these are in step is not known:"), [] if in_part else unsaid),
        (tr("Not compared, because it is not on this machine or not managed here:"), absent),
    ):
        lines += ["", title, *(f"  {harmless(line)}" for line in found)] if found else []
    following = _after_comparing(answer)
    return "\n".join([*lines, *(("", following) if following else ())])


def _after_comparing(answer: dict[str, Any]) -> str:
    if answer["quarantine"]:
        return tr("Next: {command}", command="roosync quarantine show")
    if answer["divergences"]:
        return tr("Next: {command}", command=f"roosync decision show {answer['divergences'][0]['decision_id']}")
    if _unread(answer):
        return tr("Next: roosync collect --dry-run    (once it is repaired, it is read by itself)")
    if answer["only_here"] and answer["reference"] == "baseline":
        return tr("Next: roosync baseline propose    (to share what only this machine has)")
    return ""


def _unsaid(answer: dict[str, Any]) -> list[str]:
    """Of what being in step says nothing: it is not believed, or could not be read here or there."""
    lines = [
        tr("{target} quarantined: {reason}", target=target, reason=heard(reason))
        for target, reason in answer["quarantine"].items()
    ]
    for one in answer["not_read"]:
        place = f"{one['path']}: " if one["path"] else ""
        lines.append(tr("{target} not read: {why}", target=one["target"], why=place + heard(one["reason"])))
    other = answer["reference"].removeprefix("machine:")
    return lines + [
        tr("not read on {machine}: {why}", machine=other, why=heard(line)) for line in answer["not_read_there"]
    ]


def _unread(answer: dict[str, Any]) -> bool:
    """Could a whole target of this machine not be read? Then it is not shown to be in step."""
    return any(not one["path"] for one in answer["not_read"])


def _diffs_text(answer: dict[str, Any]) -> str:
    if not answer["divergences"]:
        return tr("No open divergence in the fleet.")
    blocks = []
    fields: dict[str, list[dict[str, Any]]] = {}
    for row in answer["divergences"]:
        fields.setdefault(row["field"], []).append(row)
    for field, rows in fields.items():
        of = tr("{type}, risk {risk}", type=rows[0]["type"], risk=rows[0]["risk"])
        blocks.append(f"{harmless(field)}  [{of}]")
        for row in rows:
            beside = ""
            if row["reference"] != "baseline":
                beside = ", " + tr("compared with {reference}", reference=reference_text(row["reference"]))
            verdict = harmless(row["verdict"])
            blocks.append(f"  {row['machine']}  {verdict}, {row['status']}{beside}  {row['decision_id']}")
            lines = changes_text(row["changes"], _kind(row), clip=True)
            blocks += [f"    {line}" for line in lines[:12]]
            if len(lines) > 12:
                command = f"roosync decision show {row['decision_id']}"
                rest = len(lines) - 12
                more = trn(
                    "... {count} more lines: {command}", "... {count} more lines: {command}", rest, command=command
                )
                blocks.append(f"    {more}")
    told = tr("{number} open. Next: roosync decision show ID", number=answer["divergences_count"])
    return "\n".join([*blocks, "", told])


def _kind(row: dict[str, Any]) -> str:
    """The kind of the entity, which decides in which order its members are shown."""
    if row["type"] == "config":
        return "mode" if row["field"].split("/", 1)[0].endswith(".modes") else "mcp_server"
    return "text" if row["type"] == "files" else "setting"


def _rows_text(rows: list[dict[str, Any]]) -> str:
    shown = [(r["field"], r["verdict"], r["risk"], r["status"], r["decision_id"]) for r in rows]
    return table(shown, (tr("FIELD"), tr("VERDICT"), tr("RISK"), tr("STATUS"), tr("DECISION")), colour=want_colour())


def _applied_text(answer: dict[str, Any]) -> str:
    if not answer["rows"]:
        name = reference_text(answer["reference"])
        return tr("Nothing to change: {machine} agrees with {reference}.", machine=answer["agent"], reference=name)
    rows = [(r["field"], r["status"], r["risk"], r["decision_id"], heard(r["detail"])) for r in answer["rows"]]
    lines = [table(rows, (tr("FIELD"), tr("STATUS"), tr("RISK"), tr("DECISION"), tr("DETAIL")), colour=want_colour())]
    for file in answer["files"]:
        lines += ["", harmless(file["path"]), harmless(file["diff"], lines=True).rstrip()]
    if answer["dry_run"]:
        return "\n".join([*lines, "", tr("Dry run: nothing was changed.")])
    waiting = next((r["decision_id"] for r in answer["rows"] if r["status"] == "pending"), None)
    told = tr("{applied} applied, {waiting} waiting, {failed} failed.", **answer)
    command = f"roosync decision show {waiting}" if waiting else "roosync status"
    return "\n".join([*lines, "", f"{told} {tr('Next: {command}', command=command)}"])
