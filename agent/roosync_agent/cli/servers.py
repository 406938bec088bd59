"""`roosync mcp-servers`: show, share and remove MCP servers across assistants and machines.

Names, commands and machines come from packages, so each is made harmless before it is printed.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.card_facts_text import lacking_lines, marked_lines
from roosync_agent.cli.card_lines import PLACE, within
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.servers_text import place_line, shown_text, table_text
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line, print_json, table
from roosync_agent.columns import columns, width
from roosync_agent.wording import heard, mark, tr, trn
from roosync_agent.yes_no import confirm, shown_to_person

if TYPE_CHECKING:
    from roosync_agent.session import Session

CODES = {"refused": 4, "second": 3, "waiting": 5, "silent": 5}
STATES = {
    "second": mark("waits for a second operator"), "waiting": mark("not answering"), "silent": mark("not answering"),
}  # fmt: skip
DONE = {  # what the baseline says of the server now
    "shared": mark("Baseline {version} says so: {server} is shared."),
    "removed": mark("Baseline {version} says so: {server} is removed."),
}
wait_option = click.option(
    "--wait", type=click.FloatRange(0, 600), default=20.0, show_default=True, help="Seconds to wait for the machines."
)
dry_option = click.option("--dry-run", is_flag=True, help="Show what would happen; sign nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
machine_option = click.option(
    "--machine", "machines", multiple=True, help="Only on this machine (several times: these)."
)


@click.group("mcp-servers", cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def mcp_servers(context: click.Context, as_json: bool) -> None:
    """MCP servers by assistant and machine; without a subcommand, the table."""
    if context.invoked_subcommand is None:
        show(ask_machine("servers"), as_json, table_text)


@mcp_servers.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The table: servers, assistants, machines."""
    show(ask_machine("servers"), as_json, table_text)


@mcp_servers.command("show")
@click.argument("name")
@json_option
def show_(name: str, as_json: bool) -> None:
    """Where a server stands, in which variants, and how they differ."""
    show(ask_machine("servers", name=name), as_json, shown_text)


@mcp_servers.command("share")
@click.argument("name")
@click.option("--from", "source", required=True, metavar="ASSISTANT", help="Whose server it is: cursor, roo.mcp ...")
@click.option("--to", required=True, metavar="ASSISTANT[,ASSISTANT]", help="Who gets it.")
@click.option("--variant", default="", metavar="LETTER", help="Which, where there are several.")
@machine_option
@dry_option
@yes_option
@wait_option
@json_option
def share(
    name: str,
    source: str,
    to: str,
    variant: str,
    machines: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    wait: float,
    as_json: bool,
) -> None:
    """Give a server of one assistant to others, wherever they are; what an assistant may do unasked is not given."""
    wanted = [one.strip() for one in to.split(",") if one.strip()]
    asked: dict[str, Any] = {
        "name": name,
        "source": source,
        "to": wanted,
        "machines": sorted(set(machines)),
        "variant": variant,
    }
    plan = ask_machine("servers_share", **asked)
    _confirmed(plan, _share_lines, dry_run, yes, as_json, mark("Share it so"))

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.servers import signing

        return await signing.share(session, plan["seen"], asked, wait)

    _carried(signed(work), "shared", as_json)


@mcp_servers.command("remove")
@click.argument("name")
@click.option("--everywhere", is_flag=True, help="From every assistant on every machine.")
@click.option("--from", "assistants", multiple=True, metavar="ASSISTANT", help="Only from this assistant.")
@machine_option
@dry_option
@yes_option
@wait_option
@json_option
def remove(
    name: str,
    everywhere: bool,
    assistants: tuple[str, ...],
    machines: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    wait: float,
    as_json: bool,
) -> None:
    """Take a server off every machine, after one question; also where the baseline did not speak of it."""
    asked: dict[str, Any] = {
        "name": name,
        "assistants": sorted(set(assistants)),
        "machines": sorted(set(machines)),
        "everywhere": everywhere,
    }
    plan = ask_machine("servers_removal", **asked)
    _confirmed(plan, _removal_lines, dry_run, yes, as_json, mark("Remove it there"))

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.servers import signing

        return await signing.remove(session, plan["seen"], asked, wait)

    _carried(signed(work), "removed", as_json)


def _confirmed(
    plan: dict[str, Any],
    lines: Callable[[dict[str, Any]], Iterable[str]],
    dry_run: bool,
    yes: bool,
    as_json: bool,
    question: str,
) -> None:
    """Shows the plan and asks once; leaves the command when nothing is to be done now."""
    if dry_run and as_json:
        print_json(plan)
    elif yes and not as_json:
        click.echo("\n".join(lines(plan)))
    elif not yes or dry_run:
        with shown_to_person(as_json=as_json) as err:
            click.echo("\n".join(lines(plan)), err=err and not dry_run)
            if not dry_run:
                confirm(f"\n{tr(question)}", abort=True, err=err)
    if dry_run:
        if not as_json:
            click.echo(f"\n{tr('Nothing was signed.')} {next_line(tr('the same without --dry-run'))}")
        raise click.exceptions.Exit(0)


def _removal_lines(plan: dict[str, Any]) -> Iterator[str]:
    yield tr("Remove {server} from {machines}:", server=harmless(plan["name"]), machines=_where(plan))
    yield from _places(plan["places"]) or ["  " + tr("it stands on no machine; the baseline speaks of it")]
    targets = sorted({key.split("/", 1)[0] for key in plan["keys"]} - {place["target"] for place in plan["places"]})
    if targets and not plan["machines"]:
        yield "  " + tr("and it is not to come back in {targets}", targets=", ".join(map(harmless, targets)))
    yield from _caveats(plan)
    undo = tr("Undo: {command}", command="")
    yield "  " + undo + tr("{command} for one machine (the IDs follow);", command="roosync decision rollback ID")
    restore = tr("{command} for what that version had, on every machine", command=_restore(plan))
    yield f"  {' ' * columns(undo)}{restore}"


def _share_lines(plan: dict[str, Any]) -> Iterator[str]:
    yield tr(
        "Share {server} of {source} with {targets} on {machines}:",
        server=harmless(plan["name"]), source=plan["source"], targets=", ".join(plan["targets"]), machines=_where(plan),
    )  # fmt: skip
    yield from within(_row(tr("Starts"), _or_off(harmless(plan["runs"]), plan["off"])), PLACE)
    yield from marked_lines(plan.get("marks", ()))
    yield from _executes(plan)
    yield _row(tr("Risk"), plan["risk"])
    yield from (_row("", f"- {harmless(heard(reason))}") for reason in plan["reasons"])
    if plan["secrets"]:
        names = ", ".join(map(harmless, plan["secrets"]))
        yield _row(tr("Secrets"), tr("{names}: each machine puts in its own, if it has one", names=names))
    if plan["left_behind"]:
        left = {"names": ", ".join(map(harmless, plan["left_behind"])), "source": plan["source"]}
        stays = tr("{names} (of {source} alone; the others ask before they use a tool)", **left)
        yield _row(tr("Stays"), stays)
    yield from _places(plan["places"], new=True) or ["  " + tr("it is missing on no machine that has them")]
    for place in plan["has_it"]:
        yield "  " + tr("{place}   has it already", place=place_line(place))
    for where, why in plan["untouched"].items():
        yield "  " + tr("{place}   left alone: {why}", place=harmless(where), why=harmless(heard(why)))
    yield from lacking_lines(plan.get("missing", {}))
    yield from _caveats(plan)
    remove = "roosync mcp-servers remove NAME --from ASSISTANT"
    yield "  " + tr("Undo: {command}", command=tr("{command}, or {other}", command=remove, other=_restore(plan)))


def _row(head: str, text: str) -> str:
    return f"  {head:<10} {text}"


def _restore(plan: dict[str, Any]) -> str:
    return f"roosync baseline restore {plan['version']}"


def _or_off(runs: str, off: bool) -> str:
    return tr("{server} (off)", server=runs) if off else runs


def _executes(plan: dict[str, Any]) -> Iterator[str]:
    """All of it, as on an approval card. The same wherever it goes."""
    from roosync_agent.cli.changes import block, fitted, ordered

    yield f"  {tr('Executes')}"
    server = next(iter(plan["entities"].values()))
    for name, value in ordered(server, "mcp_server").items():
        yield from fitted(block("=", harmless(name), value, apart=True), width(), 4)


def _where(plan: dict[str, Any]) -> str:
    return ", ".join(map(harmless, plan["machines"])) or tr("every machine")


def _places(places: list[dict[str, Any]], *, new: bool = False) -> list[str]:
    """A line for each place and what is started there; `new`: of what it is going to have that is what goes."""
    rows, heads = [], (tr("MACHINE"), tr("ASSISTANT"), tr("WHAT"))
    for place in places:
        now = _or_off(place["runs"], place["off"])
        if new:
            now = tr("replaces: {server}", server=now) if now else tr("new")
        rows.append((place["machine"], place["target"], now))
    return [f"  {line}" for line in table(rows, heads, room=max(0, width() - 2)).split("\n")[1:]] if rows else []


def _caveats(plan: dict[str, Any]) -> Iterator[str]:
    if silent := sorted({place["machine"] for place in plan["places"] if not place["answers"]}):
        machines = ", ".join(map(harmless, silent))
        yield "  " + tr("Not answering now: {machines}. Asked when they come back.", machines=machines)
    for machine, why in plan["unknown"].items():
        yield "  " + tr("Nothing is known of {machine}: {why}", machine=harmless(machine), why=harmless(heard(why)))
    for where, why in plan.get("unread", {}).items():
        yield "  " + tr("Nobody can see {place}: {why}", place=harmless(where), why=harmless(heard(why)))


def _carried(done: Any, word: str, as_json: bool) -> None:
    import msgspec

    answer = msgspec.to_builtins(done)
    show(answer, as_json, lambda a: "\n".join(_carried_lines(a, word)))
    codes = [CODES[one["state"]] for one in answer["outcomes"] if one["state"] in CODES]
    codes += [CODES["silent"]] if answer["unknown"] else []
    codes += [CODES["refused"]] if answer["unread"] else []
    raise click.exceptions.Exit(max(codes, default=0))


def _carried_lines(answer: dict[str, Any], word: str) -> Iterator[str]:
    rows = [
        (one["machine"], one["key"].split("/", 1)[0], _state(one["state"]), one["decision"] or "-")
        for one in answer["outcomes"]
    ]
    yield tr(DONE[word], version=answer["version"], server=harmless(answer["name"]))
    if rows:
        yield table(rows, (tr("MACHINE"), tr("ASSISTANT"), tr("RESULT"), tr("DECISION")))
    for one in answer["outcomes"]:
        if one["detail"]:
            target = one["key"].split("/", 1)[0]
            yield f"! {harmless(one['machine'])}, {harmless(target)}: {harmless(heard(one['detail']))}"
    for where, why in {**answer["unknown"], **answer["unread"]}.items():
        yield f"! {harmless(where)}: {harmless(heard(why))}"
    late = {one["machine"] for one in answer["outcomes"] if one["state"] in ("waiting", "silent")} | {
        *answer["unknown"]
    }
    yield ""
    if late:
        yield trn(
            "{count} machine did not answer. The baseline stays as it is, so each asks when it comes\n"
            "back: roosync decisions lists it then, and the same command approves it.",
            "{count} machines did not answer. The baseline stays as it is, so each asks when it comes\n"
            "back: roosync decisions lists it then, and the same command approves it.",
            len(late),
        )
    if any(one["state"] == "refused" for one in answer["outcomes"]):
        yield next_line(tr("put right what is named above, then the same command again"))
    else:
        undo = tr("undo: {command}", command="roosync decision rollback DECISION")
        yield next_line("roosync mcp-servers", "" if late else undo)


def _state(state: str) -> str:
    return tr(STATES[state]) if state in STATES else state
