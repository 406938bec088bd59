"""Commands about the fleet itself: init, invite, join, admit, revoke, renew, pause, resume, observer."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.progress import Bar
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.columns import columns
from roosync_agent.settings import Settings, load
from roosync_agent.state import State
from roosync_agent.wording import heard, tr
from roosync_agent.yes_no import confirm

if TYPE_CHECKING:
    from roosync_agent.operations.membership.joining import Asking
    from roosync_agent.session import Session


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
@json_option
def init(
    fleet: str | None,
    machine: str | None,
    operator: str | None,
    port: int | None,
    no_passphrase: bool,
    nodes: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Create a fleet on this machine: keys, broker, streams, the first law, dashboard and roadmap."""
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


@click.command()
@click.option("--address", metavar="HOST", help="Address of this machine that the other one reaches.")
@click.option("--machine", help="Only a machine of this name may join with the code.")
@click.option("--minutes", type=click.FloatRange(0.1, 1440), default=15.0, show_default=True, help="Life of the code.")
@click.option("--yes", is_flag=True, help="Admit the first machine that asks, without comparing fingerprints.")
@click.option("--no-wait", is_flag=True, help="Print the code and return; `roosync admit` admits later.")
@click.option("--no-orchestrate", is_flag=True, help="The machine may not take the orchestrator's role.")
@json_option
def invite(
    address: str | None,
    machine: str | None,
    minutes: float,
    yes: bool,
    no_wait: bool,
    no_orchestrate: bool,
    as_json: bool,
) -> None:
    """Print a one-time code, wait for the machine that joins with it, and admit it."""
    from roosync_agent.operations.membership import joining
    from roosync_agent.operations.membership.codes import write_code
    from roosync_agent.operations.membership.listening import address_for_others

    async def work(session: "Session") -> int:
        settings = load()
        where = await address_for_others(settings, State(settings.state), address)
        code = await joining.invite(
            session,
            where.url,
            where.fingerprint,
            machine=machine,
            lifetime=timedelta(minutes=minutes),
            may_orchestrate=not no_orchestrate,
        )
        text = write_code(code)
        if as_json:
            show({"code": text, "id": code.id, "url": where.url, "tls": where.fingerprint is not None}, True, str)
        else:
            within = tr("On the other machine, within {minutes} minutes:", minutes=f"{minutes:g}")
            click.echo(f"{within}\n\n  roosync join {text}\n")
            for note in where.notes:
                click.echo(f"! {heard(note)}")
        if no_wait:
            return 0
        return await _admit(session, code.id, timedelta(minutes=minutes), yes, once=True, quiet=as_json)

    raise click.exceptions.Exit(signed(work))


@click.command()
@click.option("--yes", is_flag=True, help="Admit everybody who asks, without comparing fingerprints.")
@click.option("--minutes", type=click.FloatRange(0, 1440), default=0.0, help="How long to wait for machines that ask.")
@json_option
def admit(yes: bool, minutes: float, as_json: bool) -> None:
    """Admit machines that asked to join with a code."""

    async def work(session: "Session") -> int:
        patience = timedelta(minutes=minutes) + timedelta(seconds=1)
        return await _admit(session, None, patience, yes, once=False, quiet=as_json)

    raise click.exceptions.Exit(signed(work))


@click.command()
@click.argument("code")
@click.option("--machine", help="Id of this machine (default: proposed from the host name).")
@json_option
def join(code: str, machine: str | None, as_json: bool) -> None:
    """Join a fleet with the CODE that `roosync invite` printed on another machine."""
    import msgspec

    from roosync_agent.operations.membership import joining
    from roosync_broker.keys import fingerprint

    async def work() -> Any:
        settings = load()
        state = State(settings.state)
        read, name, pair = await joining.prepare_to_join(settings, state, code, machine)
        if not as_json:
            click.echo(tr("Joining the fleet {fleet} as {machine}.", fleet=harmless(read.fleet), machine=name))
            click.echo(tr("Fingerprint of this machine:  {fingerprint}", fingerprint=fingerprint(pair.public)))
            click.echo(tr("The operator sees the same on the other side and confirms. Waiting ..."))
        with Bar(tr("Waiting for the operator")):
            return await joining.join(settings, state, read, name, pair)

    done = msgspec.to_builtins(asyncio.run(work()))
    show(
        done,
        as_json,
        lambda answer: _then(
            tr(
                "Admitted by {operator}: this machine is {machine} of the fleet {fleet}.",
                operator=harmless(answer["admitted_by"]),
                **answer,
            ),
            tr("Next: {command}", command="roosync up"),
        ),
    )


@click.command()
@click.argument("machine")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def revoke(machine: str, yes: bool, as_json: bool) -> None:
    """End the membership of MACHINE; its connection ends at once."""
    from roosync_agent.operations.membership import lawmaking

    if not yes:
        confirm(
            tr("Revoke {machine}? It can not connect any more, and has to join again with a new code", machine=machine),
            abort=True,
        )
    signed(lambda session: lawmaking.revoke(session, machine))
    show(
        {"machine": machine, "revoked": True},
        as_json,
        lambda a: _then(
            tr("{machine} is revoked and cut off; its files stay as they are.", **a),
            tr("Next: roosync status    (`roosync invite` lets it join again)"),
        ),
    )


@click.command()
@json_option
def renew(as_json: bool) -> None:
    """Renew the roster and all memberships for another 90 days."""
    from roosync_agent.operations.membership import lawmaking

    names = signed(lambda session: lawmaking.renew(session, always=True))
    show({"renewed": names}, as_json, lambda a: tr("Renewed: {names}", names=", ".join(a["renewed"])))


@click.command()
@click.argument("machine", required=False)
@click.option("--fleet", "whole_fleet", is_flag=True, help="The whole fleet (signed by the operator).")
@json_option
def pause(machine: str | None, whole_fleet: bool, as_json: bool) -> None:
    """Turn automatic application off: on this machine (needs no key), on MACHINE, or for the fleet."""
    from roosync_agent.operations.membership import lawmaking

    if machine is None and not whole_fleet:
        answer = ask_machine("pause")
    else:
        signed(lambda session: lawmaking.pause(session, machine))
        answer = {"machine": machine, "paused": True}
    show(
        answer,
        as_json,
        lambda a: _then(
            tr("{who}: nothing is applied by itself any more.", who=a["machine"] or tr("The whole fleet")),
            tr("Next: {command}", command="roosync resume"),
        ),
    )


@click.command()
@click.argument("machine", required=False)
@click.option("--fleet", "whole_fleet", is_flag=True, help="The whole fleet.")
@json_option
def resume(machine: str | None, whole_fleet: bool, as_json: bool) -> None:
    """Turn automatic application on again: here, on MACHINE, or for the fleet (signed by the operator)."""
    from roosync_agent.connect import identity_of
    from roosync_agent.operations.membership import lawmaking

    name = None if whole_fleet else machine or identity_of(State(load().state)).machine
    signed(lambda session: lawmaking.resume(session, name))
    show(
        {"machine": name, "paused": False},
        as_json,
        lambda a: tr(
            "{who}: changes within the policy are applied by themselves again.",
            who=a["machine"] or tr("The whole fleet"),
        ),
    )


@click.group()
def observer() -> None:
    """Credentials that read the whole story and can say nothing."""


@observer.command("create")
@click.argument("name", default="watcher")
@json_option
def observer_create(name: str, as_json: bool) -> None:
    """Make a credential for `nats sub 'roosync.>'` and `nats micro ls`; its seed is printed once."""
    from roosync_agent.connect import identity_of, url_of
    from roosync_agent.operations.membership import lawmaking

    pair = signed(lambda session: lawmaking.add_observer(session, name))
    settings = load()
    identity = identity_of(State(settings.state))
    prefix = f"_INBOX.observer-{name}.rpc"  # below which agents may answer
    if as_json:
        show({"name": name, "seed": pair.seed, "key": pair.public, "inbox_prefix": prefix}, True, str)
        return
    click.echo(pair.seed)
    options = f"--server {url_of(settings, identity)} --nkey {name}.nk --inbox-prefix {prefix}"
    lines = [
        "",
        tr("Keep the line above in a private file, such as {file}. Then:", file=f"{name}.nk"),
        f"  nats sub 'roosync.>' {options}",
        tr("`nats micro ls` with the same options shows the agents that are there."),
    ]
    click.echo("\n".join(lines), err=True)


async def _admit(
    session: "Session", code: str | None, patience: timedelta, yes: bool, *, once: bool, quiet: bool = False
) -> int:
    from roosync_agent.operations.membership import joining

    admitted: list[str] = []
    async for asking in joining.arrivals(session, code, session.now() + patience):
        if not quiet:
            click.echo(_asks(asking))
        if not yes and not await asyncio.to_thread(confirm, tr("Is it the same there? Admit it")):
            click.echo(tr("Not admitted."))
            continue
        await joining.confirm(session, asking)
        admitted.append(asking.machine)
        if not quiet:
            click.echo(tr("{machine} is a member now.", machine=asking.machine))
        if once:
            break
    if quiet:
        show({"admitted": admitted}, True, str)
    elif not admitted:
        click.echo(tr("Nobody asked to join in this time."), err=True)
    return 0 if admitted else 1


def _asks(asking: "Asking") -> str:
    host, system = harmless(asking.host), harmless(asking.system)
    asks = tr("{machine} asks to join ({host}, {system}).", machine=asking.machine, host=host, system=system)
    return f"{asks}\n{tr('Its fingerprint:  {fingerprint}', fingerprint=asking.fingerprint)}"


def _then(told: str, following: str) -> str:
    return f"{told}\n\n{following}"


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
