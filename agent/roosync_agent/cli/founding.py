"""`roosync init`: a fleet is created on this machine."""

import asyncio
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from roosync_agent.cli.previews import dry_run_option, told_here
from roosync_agent.cli.running import json_option, show
from roosync_agent.columns import columns
from roosync_agent.settings import Settings, load
from roosync_agent.state import State
from roosync_agent.wording import heard, tr


@click.command()
@click.option("--fleet", help="Name of the fleet (default: home).")
@click.option("--machine", help="Id of this machine (default: proposed from the host name).")
@click.option("--operator", help="Your name as operator (default: your login name).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the broker; 0 takes any free one.")
@click.option("--no-passphrase", is_flag=True, help="Leave the operator's key unprotected.")
@click.option(
    "--node",
    "nodes",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Found it on a cluster: a folder of `roosync broker nodes` whose server runs. May be given several times.",
)
@dry_run_option
@json_option
def init(
    fleet: str | None,
    machine: str | None,
    operator: str | None,
    port: int | None,
    no_passphrase: bool,
    nodes: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Create a fleet on this machine: keys, broker, streams, the first law, dashboard and roadmap."""
    if dry_run:
        _would_found(fleet, machine, operator, port, no_passphrase, nodes, as_json)
    import msgspec

    from roosync_agent.operations.membership.founding import init as found
    from roosync_agent.operations.membership.founding import require_no_fleet
    from roosync_agent.running.own_reports import KEYLESS

    settings = load()
    require_no_fleet(State(settings.state))
    passphrase = None if no_passphrase else _new_passphrase(settings)
    done = asyncio.run(
        found(
            settings,
            State(settings.state),
            passphrase=passphrase,
            fleet=fleet,
            machine=machine,
            operator=operator,
            port=port,
            nodes=[node.absolute() for node in nodes],
        )
    )

    keep = f"roosync broker keep {' '.join(map(str, nodes))}" if nodes else ""
    show(msgspec.to_builtins(done), as_json, lambda answer: _founded(answer, KEYLESS, keep))


def _would_found(
    fleet: str | None, machine: str | None, operator: str | None, port: int | None, no_passphrase: bool,
    nodes: tuple[Path, ...], as_json: bool,
) -> NoReturn:  # fmt: skip
    from roosync_agent.operations.membership.founding import require_no_fleet, wished

    settings = load()
    state = State(settings.state)
    require_no_fleet(state)
    fleet, machine, operator = wished(settings, fleet, machine, operator)
    broker = settings.nats or (", ".join(map(str, nodes)) or tr("an embedded one, of this machine"))
    facts = {
        tr("Fleet"): fleet,
        tr("Machine"): machine,
        tr("Operator"): operator,
        tr("Broker"): f"{broker}:{port}" if port else broker,
        tr("State"): str(state.folder),
    }
    sealed = tr("the operator's key is sealed with a passphrase that is asked for")
    key = tr("the operator's key has no passphrase") if no_passphrase else sealed
    then = [tr("keys of the machine and of the operator are made, and the first law is signed"), key]
    told_here("init", tr("create a fleet on this machine"), facts, then, as_json)


def _founded(answer: dict[str, Any], keyless: str, keep: str) -> str:
    """`keyless`: what is said of a fleet whose broker asks for no key. `keep`: the command that keeps its servers."""
    rows = [
        (tr("operator"), f"{answer['operator']}   {answer['operator_fingerprint']}"),
        (tr("machine"), f"{answer['machine']}   {answer['machine_fingerprint']}"),
        (tr("broker"), answer["broker"]),
        (tr("state"), answer["state"]),
        *((tr("written"), path) for path in answer["exports"]),
    ]
    wide = max(10, *(columns(name) for name, _ in rows))
    lines = [tr("Fleet {fleet} is founded; this machine is {machine}.", **answer)]
    lines += [f"  {name:{wide}}  {value}" for name, value in rows]
    if not answer["enforced"]:
        told = heard(keyless)
        lines.append(f"! {told[0].upper()}{told[1:]}.")
    if not answer["protected"]:
        lines.append(tr("! The operator's key has no passphrase: whoever reads this account can approve."))
    if keep:
        lines += ["", tr("Next: {command}    (leave it running), then: {other}", command=keep, other="roosync up")]
    else:
        lines += ["", tr("Next: {command}", command="roosync up")]
    return "\n".join(lines)


def _new_passphrase(settings: Settings) -> str:
    from roosync_agent.connect import ask_on_terminal, read_passphrase

    if settings.passphrase_file is not None:
        return read_passphrase(settings.passphrase_file)
    if not sys.stdin.isatty():
        raise click.UsageError(
            tr(
                "a passphrase has to be chosen, and there is no terminal to ask on: name a file in "
                "ROOSYNC_PASSPHRASE_FILE, or use --no-passphrase"
            )
        )
    while True:
        first = ask_on_terminal(tr("Choose a passphrase for the operator's key: "))
        if first and first == ask_on_terminal(tr("Once more: ")):
            return first
        click.echo(tr("The two are not the same, or empty. Again."))
