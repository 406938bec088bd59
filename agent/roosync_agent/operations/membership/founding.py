"""`roosync init`: a fleet from nothing, on this machine. Keys, broker, streams, the first law, the exports.

The identity is written last: an init that was interrupted can simply be run again.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.connect import as_machine
from roosync_agent.operations.membership.lawmaking import RefusedRequestError, found
from roosync_agent.operations.reports.views import write_views
from roosync_agent.running.broker_host import BrokerHost
from roosync_agent.running.broker_keep import keepers, notes_of
from roosync_agent.session import Session, utc_now
from roosync_agent.settings import Settings, proposed_machine
from roosync_agent.state import Identity, State
from roosync_broker import keys, topology
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair, fingerprint, verify
from roosync_broker.nodes import open_node
from roosync_broker.tls import fingerprint_of
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.names import machine_id, propose, token
from roosync_protocol.subjects import Subjects


class Founded(Struct, frozen=True, kw_only=True):
    fleet: str
    machine: str
    operator: str
    operator_fingerprint: str
    machine_fingerprint: str
    certificate_fingerprint: str
    protected: bool  # the operator's key needs a passphrase
    broker: str
    enforced: bool  # the broker knows its users by key, and keeps each to its own subjects
    state: str
    exports: list[str]


async def init(
    settings: Settings,
    state: State,
    *,
    passphrase: str | None,
    fleet: str | None = None,
    machine: str | None = None,
    operator: str | None = None,
    port: int | None = None,
    nodes: Sequence[Path] = (),
) -> Founded:
    """Creates the fleet. RefusedRequestError when there is one already; `passphrase` None leaves the key open.

    `nodes`: folders of a cluster's nodes that run already; the fleet is founded there (`roosync broker nodes`).
    """
    require_no_fleet(state)
    state.prepare()
    fleet_name, machine_name, operator_name = wished(settings, fleet, machine, operator)
    root = _operator_key(state, passphrase)
    own = _machine_key(state)
    if nodes:
        names = (fleet or settings.fleet, machine_name, operator_name)
        identity = await _on_nodes(state, nodes, *names, root, own)
        fleet_name = identity.fleet
    elif settings.nats:
        identity = await _on_external(settings, state, fleet_name, machine_name, operator_name, root, own)
    else:
        identity = await _on_embedded(settings, state, fleet_name, machine_name, operator_name, root, own, port)
    law = state.law() or Law(fleet=fleet_name, root=root.public)
    written = await write_views(Fleet(law, verify), machine_name, settings.export_folder, None, utc_now())
    return Founded(
        fleet=fleet_name,
        machine=machine_name,
        operator=operator_name,
        operator_fingerprint=fingerprint(root.public),
        machine_fingerprint=fingerprint(own.public),
        certificate_fingerprint=fingerprint_of(identity.certificate) if identity.certificate else "",
        protected=passphrase is not None,
        broker=identity.url,
        enforced=not identity.keyless,
        state=str(state.folder),
        exports=[str(settings.export_folder / name) for name in (*written.written, *written.unchanged)],
    )


def wished(settings: Settings, fleet: str | None, machine: str | None, operator: str | None) -> tuple[str, str, str]:
    """Names of the fleet, this machine and the operator, where they were not given."""
    return (
        token(fleet or settings.fleet or "home"),
        machine_id(machine or settings.machine or proposed_machine()),
        token(f"op-{operator or propose(_login())}"),
    )


def require_no_fleet(state: State) -> None:
    known = state.identity()
    if known is not None:
        raise RefusedRequestError(
            f"{state.folder} belongs to the fleet {known.fleet!r} already (machine {known.machine!r}). "
            "`roosync up` starts it; another fleet needs another folder (ROOSYNC_STATE)"
        )


async def _on_embedded(
    settings: Settings,
    state: State,
    fleet: str,
    machine: str,
    operator: str,
    root: KeyPair,
    own: KeyPair,
    port: int | None,
) -> Identity:
    host = BrokerHost(settings, state, fleet, root.public, port=port)
    await host.start()
    try:
        server = host.server
        identity = Identity(
            fleet=fleet,
            machine=machine,
            root=root.public,
            url=server.url,
            certificate=server.certificate,
            operator=operator,
            embedded=True,
        )
        await _found(state, identity, server.keeper_keys, root, own)
        await host.keeper.settled()
        state.save_identity(identity)
        await (await as_machine(settings, state)).close()  # the new member can connect
        return identity
    finally:
        await host.stop()


async def _on_nodes(
    state: State, nodes: Sequence[Path], fleet: str | None, machine: str, operator: str, root: KeyPair, own: KeyPair
) -> Identity:
    """On servers that people run from folders made for them: their keepers work for the moment of founding."""
    note = notes_of(nodes)[0]
    if fleet not in (None, note.fleet):
        raise RefusedRequestError(f"these are nodes of a fleet named {note.fleet!r}, and not {fleet!r}")
    made, broker = keepers(nodes, root.public), open_node(nodes[0])
    identity = Identity(
        fleet=note.fleet,
        machine=machine,
        root=root.public,
        url=note.urls,
        certificate=broker.certificate,
        operator=operator,
    )
    try:
        for keeper in made:
            await keeper.start()
        if made[0].law.roster is not None:
            raise RefusedRequestError(f"a fleet was founded on {nodes[0]} already; join it with a code")
        await _found(state, replace(identity, url=note.url), broker.keeper_keys, root, own)
        for keeper in made:
            await keeper.settled()
        state.save_identity(identity)
        return identity
    finally:
        for keeper in made:
            await keeper.stop()


async def _on_external(
    settings: Settings, state: State, fleet: str, machine: str, operator: str, root: KeyPair, own: KeyPair
) -> Identity:
    """On a broker that somebody else runs: the streams are made with its own rights for this connection."""
    identity = Identity(
        fleet=fleet, machine=machine, root=root.public, url=settings.nats or "", operator=operator, embedded=False
    )
    link = await connect(
        identity.url, own, name="keeper", plain=settings.plain, keyless=True, timeout=10, patient=False
    )
    try:
        identity = replace(identity, keyless=link.keyless)
        await topology.ensure(link, fleet, lease_ttl=settings.lease_seconds)
    finally:
        await link.close()
    await _found(state, identity, own, root, own, plain=settings.plain)
    state.save_identity(identity)
    return identity


async def _found(
    state: State, identity: Identity, connection: KeyPair, root: KeyPair, own: KeyPair, *, plain: bool = False
) -> None:
    """Signs the first law with the root, over the keeper's connection: no operator is known to the broker yet."""
    link = await connect(
        identity.url,
        connection,
        name="keeper",
        certificate=identity.certificate,
        plain=plain,
        keyless=identity.keyless,
        timeout=10,
    )
    law = Law(fleet=identity.fleet, root=root.public)
    session = Session(link, Subjects(identity.fleet), root, identity.operator or "", Fleet(law, verify))
    try:
        await found(session, identity.machine, own.public, identity.certificate)
        state.save_law(session.fleet.law)
    finally:
        await session.close()


def _operator_key(state: State, passphrase: str | None) -> KeyPair:
    """A new key each time: nothing was signed for good before the identity is written."""
    pair = KeyPair.generate()
    keys.save(state.operator_key, keys.seal(pair.seed, passphrase) if passphrase is not None else pair.seed)
    return pair


def _machine_key(state: State) -> KeyPair:
    if state.machine_key.exists():
        return KeyPair.from_seed(keys.load(state.machine_key))
    pair = KeyPair.generate()
    keys.save(state.machine_key, pair.seed)
    return pair


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "operator"
