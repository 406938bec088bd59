"""The folders of a cluster that people run themselves: one for each nats-server, with all it needs, and made at once.

    nodes = [read_node("a=10.0.0.1:4222"), read_node("b=10.0.0.2:4222"), read_node("c=10.0.0.3:4222")]
    make_nodes(Path("cluster"), "home", nodes)       # cluster/a, cluster/b, cluster/c
    broker = open_node(Path("cluster/a"))            # for a `Keeper` beside that server

Every path in a node's configuration is relative: the folder is carried to its host, and nats-server is started in it.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker import keys
from roosync_broker.errors import InTheWayError, OursError
from roosync_broker.keeper import ExternalBroker
from roosync_broker.keys import KeyPair
from roosync_broker.permissions import users_text
from roosync_broker.private_files import private_folder, read_private, write_private
from roosync_broker.server_config import Cluster, ServerSettings, config_text
from roosync_broker.tls import make_certificate
from roosync_broker.wire import is_loopback
from roosync_protocol.names import token

NOTE = "node.json"
ROUTES = 2000  # added to a client's port when no port for routes is given: 4222 and 6222, as is usual with NATS
MOST_REPLICAS = 3  # copies of each stream; more cost each post more, and three outlive any one node


class Node(Struct, frozen=True, kw_only=True):
    """One server of a cluster, as the others and its clients reach it."""

    name: str
    host: str
    port: int
    route_port: int

    @property
    def url(self) -> str:
        return f"nats://{_bracketed(self.host)}:{self.port}"

    @property
    def route(self) -> str:
        return f"{_bracketed(self.host)}:{self.route_port}"


class NodeNote(Struct, frozen=True, kw_only=True):
    """What a node's folder says of it and of its cluster."""

    fleet: str
    url: str
    urls: str  # of all nodes, separated by commas: what members connect to
    replicas: int


def read_node(text: str) -> Node:
    """ "NAME=HOST:PORT", or "NAME=HOST:PORT/ROUTEPORT". ValueError says what is wrong with it."""
    name, equals, address = text.partition("=")
    parts = urlsplit(f"//{address}")
    try:
        route = int(parts.path.lstrip("/")) if parts.path.strip("/") else (parts.port or 0) + ROUTES
        if not equals or not parts.hostname or not parts.port or not 0 < route < 65536:
            raise ValueError("a part is missing, or is no port")  # noqa: TRY301 (one answer for all that is wrong)
        return Node(name=token(name), host=parts.hostname, port=parts.port, route_port=route)
    except ValueError as error:
        raise ValueError(f"{text!r} is no node: NAME=HOST:PORT, or NAME=HOST:PORT/ROUTEPORT ({error})") from None


def make_nodes(folder: Path, fleet: str, nodes: Sequence[Node], replicas: int | None = None) -> list[Path]:
    """Makes a folder for each node below `folder`; returns them in order. InTheWayError when one is there already.

    Each node has keys of its own, and all have one certificate: members pin it, and the nodes know each other by it.
    `replicas` None: three copies of each stream where there are three nodes.
    """
    copies = replicas or (MOST_REPLICAS if len(nodes) >= MOST_REPLICAS else 1)
    if copies > len(nodes):
        raise OursError(f"{copies} copies need as many nodes, and there are {len(nodes)}")
    for field in ("name", "url", "route"):
        if len({getattr(node, field) for node in nodes}) < len(nodes):
            raise OursError(f"two nodes have the same {field}; each needs its own")
    folders = [folder / node.name for node in nodes]
    for path in folders:
        if path.exists():
            raise InTheWayError(f"{path} is there already: its keys may be in use. Name another folder, or remove it")
    made = make_certificate(token(fleet), hosts=[node.host for node in nodes])
    urls = ",".join(node.url for node in nodes)
    for node, path in zip(nodes, folders, strict=True):
        private_folder(path)
        write_private(path / "certificate.pem", made.pem.encode())
        write_private(path / "certificate.key", made.key_pem.encode())
        pairs = {name: KeyPair.generate() for name in ("keeper", "system")}
        for name, pair in pairs.items():
            keys.save(path / f"{name}.seed", pair.seed)
        write_private(path / "users.conf", users_text(pairs["keeper"].public, []).encode())
        text = config_text(_settings(fleet, node, nodes, pairs["system"].public))
        write_private(path / "nats-server.conf", text.encode())
        note = NodeNote(fleet=fleet, url=node.url, urls=urls, replicas=copies)
        write_private(path / NOTE, json.format(json.encode(note)))
    return folders


def node_note(folder: Path) -> NodeNote:
    """OursError when `folder` is not that of a node."""
    try:
        return json.decode(read_private(folder / NOTE, 64 * 1024), type=NodeNote)
    except FileNotFoundError:
        raise OursError(
            f"there is no {NOTE} in {folder}: name the folder of one node, as `roosync broker nodes` made it"
        ) from None
    except (OSError, DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise OursError(f"{folder / NOTE} can not be read: {error}") from error


def open_node(folder: Path) -> ExternalBroker:
    """The broker of a node's folder, for a keeper that runs beside it. OursError when something is missing."""
    note = node_note(folder)
    try:
        certificate = (folder / "certificate.pem").read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise OursError(f"the certificate of the node {folder} can not be read: {error}") from error
    return ExternalBroker(
        url=note.url,
        certificate=certificate,
        keeper_keys=KeyPair.from_seed(keys.load(folder / "keeper.seed")),
        system_keys=KeyPair.from_seed(keys.load(folder / "system.seed")),
        users_file=folder / "users.conf",
    )


def _settings(fleet: str, node: Node, nodes: Sequence[Node], system_key: str) -> ServerSettings:
    certificate, key = "certificate.pem", "certificate.key"
    tls = not is_loopback(node.url)
    cluster = Cluster(
        name=fleet,
        listen=node.host,
        port=node.route_port,
        routes=tuple(other.route for other in nodes if other != node),
        certificate=certificate,
        certificate_key=key,
    )
    return ServerSettings(
        name=f"{fleet}-{node.name}",
        listen=node.host,
        port=node.port,
        store="streams",
        system_key=system_key,
        certificate=certificate if tls else None,
        certificate_key=key if tls else None,
        cluster=cluster if len(nodes) > 1 else None,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
