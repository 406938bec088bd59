"""`roosync mcp-servers`: show, share and remove MCP servers across assistants and machines.

Names, commands and machines come from packages, so each is made harmless before it is printed.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.servers_text import place_line, shown_text, table_text
from roosync_agent.cli.text import harmless, many, print_json, table

if TYPE_CHECKING:
    from roosync_agent.session import Session

CODES = {"refused": 4, "second": 3, "waiting": 5, "silent": 5}
STATES = {"second": "waits for a second operator", "waiting": "not answering", "silent": "not answering"}
wait_option = click.option(
    "--wait", type=click.FloatRange(0, 600), default=20.0, show_default=True, help="Seconds to wait for the machines."
)
dry_option = click.option("--dry-run", is_flag=True, help="Show what would happen; sign nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
machine_option = click.option(
    "--machine", "machines", multiple=True, help="Only on this machine (several times: these)."
)


@click.group("mcp-servers", invoke_without_command=True)
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
    _confirmed(plan, _share_lines(plan), dry_run, yes, as_json, "Share it so")

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
    _confirmed(plan, _removal_lines(plan), dry_run, yes, as_json, "Remove it there")

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.servers import signing

        return await signing.remove(session, plan["seen"], asked, wait)

    _carried(signed(work), "removed", as_json)


def _confirmed(
    plan: dict[str, Any], lines: Iterable[str], dry_run: bool, yes: bool, as_json: bool, question: str
) -> None:
    """Shows the plan and asks once; leaves the command when nothing is to be done now."""
    if dry_run and as_json:
        print_json(plan)
    elif not (as_json and yes):
        click.echo("\n".join(lines), err=as_json)
    if dry_run:
        if not as_json:
            click.echo("\nNothing was signed. Next: the same without --dry-run")
        raise click.exceptions.Exit(0)
    if not yes:
        click.confirm(f"\n{question}", abort=True, err=as_json)


def _removal_lines(plan: dict[str, Any]) -> Iterator[str]:
    yield f"Remove {harmless(plan['name'])} from {_where(plan)}:"
    yield from _places(plan["places"]) or ["  it stands on no machine; the baseline speaks of it"]
    targets = sorted({key.split("/", 1)[0] for key in plan["keys"]} - {place["target"] for place in plan["places"]})
    if targets and not plan["machines"]:
        yield f"  and it is not to come back in {', '.join(map(harmless, targets))}"
    yield from _caveats(plan)
    yield "  Undo: roosync decision rollback ID for one machine (the IDs follow);"
    yield f"        roosync baseline restore {plan['version']} for what that version had, on every machine"


def _share_lines(plan: dict[str, Any]) -> Iterator[str]:
    yield f"Share {harmless(plan['name'])} of {plan['source']} with {', '.join(plan['targets'])} on {_where(plan)}:"
    yield f"  Starts     {harmless(plan['runs'])}" + (" (off)" if plan["off"] else "")
    yield from (f"             {line}" for line in _rest(plan))
    yield f"  Risk       {plan['risk']}"
    yield from (f"             - {harmless(reason)}" for reason in plan["reasons"])
    if plan["secrets"]:
        yield f"  Secrets    {', '.join(map(harmless, plan['secrets']))}: each machine puts in its own, if it has one"
    if plan["left_behind"]:
        left = ", ".join(map(harmless, plan["left_behind"]))
        yield f"  Stays      {left} (of {plan['source']} alone; the others ask before they use a tool)"
    yield from _places(plan["places"], empty="new") or ["  it is missing on no machine that has them"]
    for place in plan["has_it"]:
        yield f"  {place_line(place)}   has it already"
    for where, why in plan["untouched"].items():
        yield f"  {harmless(where)}   left alone: {harmless(why)}"
    yield from _caveats(plan)
    yield f"  Undo: roosync mcp-servers remove NAME --from ASSISTANT, or roosync baseline restore {plan['version']}"


def _rest(plan: dict[str, Any]) -> Iterator[str]:
    """What stands beside the command line: environment, headers, folder. The same wherever it goes."""
    from roosync_agent.cli.changes import block, ordered

    server = next(iter(plan["entities"].values()))
    for name, value in ordered(server, "mcp_server").items():
        if name not in ("command", "args", "url", "disabled"):
            yield from block("=", harmless(name), value)


def _where(plan: dict[str, Any]) -> str:
    return ", ".join(map(harmless, plan["machines"])) or "every machine"


def _places(places: list[dict[str, Any]], empty: str = "") -> list[str]:
    rows = []
    for place in places:
        now = place["runs"] + (" (off)" if place["off"] else "")
        told = f"replaces: {now}" if empty and now else now or empty
        rows.append((place["machine"], place["target"], told))
    return [f"  {line}" for line in table(rows, ("MACHINE", "ASSISTANT", "WHAT")).split("\n")[1:]] if rows else []


def _caveats(plan: dict[str, Any]) -> Iterator[str]:
    if silent := sorted({place["machine"] for place in plan["places"] if not place["answers"]}):
        yield f"  Not answering now: {', '.join(map(harmless, silent))}. Asked when they come back."
    for machine, why in plan["unknown"].items():
        yield f"  Nothing is known of {harmless(machine)}: {harmless(why)}"
    for where, why in plan.get("unread", {}).items():
        yield f"  Nobody can see {harmless(where)}: {harmless(why)}"


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
        (one["machine"], one["key"].split("/", 1)[0], STATES.get(one["state"], one["state"]), one["decision"] or "-")
        for one in answer["outcomes"]
    ]
    yield f"Baseline {answer['version']} says so: {harmless(answer['name'])} is {word}."
    if rows:
        yield table(rows, ("MACHINE", "ASSISTANT", "RESULT", "DECISION"))
    for one in answer["outcomes"]:
        if one["detail"]:
            target = one["key"].split("/", 1)[0]
            yield f"! {harmless(one['machine'])}, {harmless(target)}: {harmless(one['detail'])}"
    for where, why in {**answer["unknown"], **answer["unread"]}.items():
        yield f"! {harmless(where)}: {harmless(why)}"
    late = {one["machine"] for one in answer["outcomes"] if one["state"] in ("waiting", "silent")} | {
        *answer["unknown"]
    }
    yield ""
    if late:
        yield f"{many(len(late), 'machine')} did not answer. The baseline stays as it is, so each asks when it comes"
        yield "back: roosync decisions lists it then, and the same command approves it."
    if any(one["state"] == "refused" for one in answer["outcomes"]):
        yield "Next: put right what is named above, then the same command again"
    else:
        yield "Next: roosync mcp-servers" + ("" if late else "    (undo: roosync decision rollback DECISION)")
