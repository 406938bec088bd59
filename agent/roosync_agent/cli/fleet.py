"""Commands about the fleet itself: invite, join, admit, revoke, renew, pause, resume, observer."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.previews import dry_run_option, preview_text, previewed, told_here
from roosync_agent.cli.progress import Bar
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.spoken import Group
from roosync_agent.settings import load
from roosync_agent.state import State
from roosync_agent.wording import heard, tr
from roosync_agent.yes_no import asked, confirm, shown_to_person

if TYPE_CHECKING:
    from roosync_agent.operations.membership.joining import Asking
    from roosync_agent.session import Session


@click.command()
@click.option("--address", metavar="HOST", help="Address of this machine that the other one reaches.")
@click.option("--machine", help="Only a machine of this name may join with the code.")
@click.option("--minutes", type=click.FloatRange(0.1, 1440), default=15.0, show_default=True, help="Life of the code.")
@click.option("--yes", is_flag=True, help="Admit the first machine that asks, without comparing fingerprints.")
@click.option("--no-wait", is_flag=True, help="Print the code and return; `roosync admit` admits later.")
@click.option("--no-orchestrate", is_flag=True, help="The machine may not take the orchestrator's role.")
@dry_run_option
@json_option
def invite(
    address: str | None,
    machine: str | None,
    minutes: float,
    yes: bool,
    no_wait: bool,
    no_orchestrate: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Print a one-time code, wait for the machine that joins with it, and admit it."""
    given = {"minutes": minutes, "name": machine, "address": address, "orchestrate": not no_orchestrate}
    if dry_run:
        previewed("invite", given, as_json)
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

    raise click.exceptions.Exit(signed(work, "invite", given))


@click.command()
@click.option("--yes", is_flag=True, help="Admit everybody who asks, without comparing fingerprints.")
@click.option("--minutes", type=click.FloatRange(0, 1440), default=0.0, help="How long to wait for machines that ask.")
@dry_run_option
@json_option
def admit(yes: bool, minutes: float, dry_run: bool, as_json: bool) -> None:
    """Admit machines that asked to join with a code."""
    if dry_run:
        previewed("admit", {"minutes": minutes}, as_json)

    async def work(session: "Session") -> int:
        patience = timedelta(minutes=minutes) + timedelta(seconds=1)
        return await _admit(session, None, patience, yes, once=False, quiet=as_json)

    raise click.exceptions.Exit(signed(work, "admit", {"minutes": minutes}))


@click.command()
@click.argument("code")
@click.option("--machine", help="Id of this machine (default: proposed from the host name).")
@dry_run_option
@json_option
def join(code: str, machine: str | None, dry_run: bool, as_json: bool) -> None:
    """Join a fleet with the CODE that `roosync invite` printed on another machine."""
    if dry_run:
        _would_join(code, machine, as_json)
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
@dry_run_option
@json_option
def revoke(machine: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """End the membership of MACHINE; its connection ends at once."""
    from roosync_agent.operations.membership import lawmaking

    if dry_run:
        previewed("revoke", {"name": machine}, as_json)
    if not yes:
        shown = ask_machine("preview", deed="revoke", given={"name": machine})
        with shown_to_person(as_json=as_json) as err:
            click.echo(preview_text(shown, following=False) + "\n", err=err)
            question = tr(
                "Revoke {machine}? It can not connect any more, and has to join again with a new code", machine=machine
            )
            confirm(question, abort=True, err=err)
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
@dry_run_option
@json_option
def renew(dry_run: bool, as_json: bool) -> None:
    """Renew the roster and all memberships for another 90 days."""
    if dry_run:
        previewed("renew", {}, as_json)
    from roosync_agent.operations.membership import lawmaking

    names = signed(lambda session: lawmaking.renew(session, always=True), "renew", {})
    show(
        {"renewed": names},
        as_json,
        lambda a: _then(
            tr("Renewed: {names}", names=", ".join(a["renewed"])), tr("Next: {command}", command="roosync status")
        ),
    )


@click.command()
@click.argument("machine", required=False)
@click.option("--fleet", "whole_fleet", is_flag=True, help="The whole fleet (signed by the operator).")
@dry_run_option
@json_option
def pause(machine: str | None, whole_fleet: bool, dry_run: bool, as_json: bool) -> None:
    """Turn automatic application off: on this machine (needs no key), on MACHINE, or for the fleet."""
    from roosync_agent.operations.membership import lawmaking

    if dry_run and machine is None and not whole_fleet:
        then = [tr("nothing is applied by itself here; undo: `roosync resume`")]
        told_here("pause", tr("turn automatic application off on this machine"), {}, then, as_json)
    if dry_run:
        previewed("pause", {"name": machine}, as_json)
    if machine is None and not whole_fleet:
        answer = ask_machine("pause")
    else:
        signed(lambda session: lawmaking.pause(session, machine), "pause", {"name": machine})
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
@dry_run_option
@json_option
def resume(machine: str | None, whole_fleet: bool, dry_run: bool, as_json: bool) -> None:
    """Turn automatic application on again: here, on MACHINE, or for the fleet (signed by the operator)."""
    from roosync_agent.connect import identity_of
    from roosync_agent.operations.membership import lawmaking

    name = None if whole_fleet else machine or identity_of(State(load().state)).machine
    if dry_run:
        previewed("resume", {"name": name}, as_json)
    signed(lambda session: lawmaking.resume(session, name), "resume", {"name": name})
    show(
        {"machine": name, "paused": False},
        as_json,
        lambda a: _then(
            tr(
                "{who}: changes within the policy are applied by themselves again.",
                who=a["machine"] or tr("The whole fleet"),
            ),
            tr("Next: {command}", command="roosync decisions"),
        ),
    )


@click.group(cls=Group)
def observer() -> None:
    """Credentials that read the whole story and can say nothing."""


@observer.command("create")
@click.argument("name", default="watcher")
@dry_run_option
@json_option
def observer_create(name: str, dry_run: bool, as_json: bool) -> None:
    """Make a credential for `nats sub 'roosync.>'` and `nats micro ls`; its seed is printed once."""
    if dry_run:
        previewed("observer_create", {"name": name}, as_json)
    from roosync_agent.connect import identity_of, url_of
    from roosync_agent.operations.membership import lawmaking

    pair = signed(lambda session: lawmaking.add_observer(session, name), "observer_create", {"name": name})
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
        if yes and not quiet:
            click.echo(_asks(asking))
        if not yes and not await _same_there(asking, quiet):
            click.echo(tr("Not admitted."), err=True)
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


async def _same_there(asking: "Asking", as_json: bool) -> bool:
    with shown_to_person(as_json=as_json) as err:
        click.echo(_asks(asking), err=err)
        return await asked(tr("Is it the same there? Admit it"), err=err)


def _asks(asking: "Asking") -> str:
    host, system = harmless(asking.host), harmless(asking.system)
    asks = tr("{machine} asks to join ({host}, {system}).", machine=asking.machine, host=host, system=system)
    return f"{asks}\n{tr('Its fingerprint:  {fingerprint}', fingerprint=asking.fingerprint)}"


def _then(told: str, following: str) -> str:
    return f"{told}\n\n{following}"


def _would_join(code: str, machine: str | None, as_json: bool) -> NoReturn:
    """What the code says; nobody is asked, and no key is made."""
    from roosync_agent.operations.membership.codes import read_code
    from roosync_agent.operations.membership.founding import require_no_fleet

    settings = load()
    require_no_fleet(State(settings.state))
    read = read_code(code)
    name = machine or settings.machine or read.machine or ""
    facts = {tr("Fleet"): read.fleet, tr("Broker"): read.url, tr("Machine"): name, tr("Code"): read.id}
    then = [tr("a key of this machine is made, and an operator is asked there to compare its fingerprint")]
    told_here("join", tr("ask to join a fleet"), facts, then, as_json)
