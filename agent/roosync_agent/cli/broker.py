"""`broker`: the embedded one with its keeper; for servers that somebody else runs, their folders and the keeper."""

import asyncio
from pathlib import Path
from typing import Any

import click

from roosync_agent.cli.parts import hopeless_told, part_option
from roosync_agent.cli.running import configure_logging, json_option, show
from roosync_agent.cli.spoken import Group
from roosync_agent.settings import load
from roosync_agent.state import State
from roosync_agent.wording import tr

SERVER = "nats-server -c nats-server.conf"


@click.group(cls=Group, invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the broker; 0 takes any free one.")
@part_option
@click.pass_context
def broker(ctx: click.Context, port: int | None, part: bool) -> None:
    """Run the embedded broker and its keeper, until stopped; `nodes` and `keep` are for a cluster."""
    if ctx.invoked_subcommand is not None:
        return
    from roosync_agent.connect import identity_of
    from roosync_agent.running.broker_host import run

    configure_logging()
    with hopeless_told(part):
        settings = load()
        state = State(settings.state)
        identity = identity_of(state)
        if settings.nats is not None or not identity.embedded:
            where = settings.nats or identity.url
            raise click.ClickException(
                tr("the broker of this fleet is {where} (ROOSYNC_NATS, or as it joined), not here", where=where)
            )
        asyncio.run(run(settings, state, identity.fleet, identity.root, port=port))


@broker.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--fleet", help="Name of the fleet (default: home).")
@click.option(
    "--node", "nodes", multiple=True, required=True, metavar="NAME=HOST:PORT[/ROUTEPORT]", help="Once for each server."
)
@click.option("--replicas", type=click.IntRange(1, 5), help="Copies of each stream (default: 3 with three nodes).")
@json_option
def nodes(folder: Path, fleet: str | None, nodes: tuple[str, ...], replicas: int | None, as_json: bool) -> None:
    """Make in FOLDER what each nats-server of a cluster needs: configuration, keys, certificate."""
    from roosync_broker.nodes import make_nodes, node_note, read_node

    name = fleet or load().fleet or "home"
    made = make_nodes(folder, name, [read_node(node) for node in nodes], replicas)
    note = node_note(made[0])

    def text(answer: dict[str, Any]) -> str:
        told = tr(
            "{nodes} nodes of the fleet {fleet}, {replicas} copies of each stream.",
            nodes=len(made), fleet=name, replicas=answer["replicas"],
        )  # fmt: skip
        lines = [
            told,
            "",
            tr("Each folder belongs on its own host, for its owner only. There, or for each of them here:"),
            *(f"  cd {path} && {SERVER}" for path in answer["folders"]),
            "",
            tr("Next: {command}    (when the servers run)", command=f"roosync init --node {answer['folders'][0]}"),
        ]
        return "\n".join(lines)

    paths = [str(path.absolute()) for path in made]
    show({"fleet": name, "folders": paths, "urls": note.urls, "replicas": note.replicas}, as_json, text)


@broker.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@click.option("--root", help="The fleet's root key, on a host that is no member of the fleet.")
def keep(folders: tuple[Path, ...], root: str | None) -> None:
    """Keep permissions, streams and sweeping true on the nodes whose FOLDERs lie here, until stopped."""
    from roosync_agent.connect import identity_of
    from roosync_agent.running.broker_keep import notes_of, run
    from roosync_broker.keys import is_public

    configure_logging()
    settings = load()
    if root is None:
        identity = identity_of(State(settings.state))
        if (fleet := notes_of(folders)[0].fleet) != identity.fleet:
            raise click.ClickException(
                tr(
                    "these nodes are of the fleet {fleet}, and this machine belongs to {own}; name the root key of "
                    "the other with --root (`root` in the identity.json of its members)",
                    fleet=repr(fleet),
                    own=repr(identity.fleet),
                )
            )
        root = identity.root
    elif not is_public(root):
        raise click.ClickException(tr("{key} is no public key of an operator", key=repr(root)))
    asyncio.run(run([folder.absolute() for folder in folders], root, lease_ttl=settings.lease_seconds))
