"""Every check, in the order in which a person reads them: name, what it looks at, where it runs, function."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.operations.doctoring import (
    agent_here,
    assistants,
    broker_reached,
    durable,
    fleet_clock,
    fleet_law,
    fleet_machines,
    fleet_secrets,
    fleet_store,
    fleet_work,
    folders,
    keys_kept,
    room,
    service_kept,
    settings_read,
    unsaid,
)
from roosync_agent.operations.doctoring.findings import Seen
from roosync_agent.operations.doctoring.patient import Patient

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine


class Here(Struct, frozen=True):
    """A check of this computer; it runs in a thread, and needs neither agent nor broker."""

    name: str
    looks_at: str
    run: Callable[[Patient], Seen]
    seconds: float = 5.0  # for which it is waited


class OfFleet(Struct, frozen=True):
    """A check of the fleet as this machine sees it."""

    name: str
    looks_at: str
    run: "Callable[[Machine], Awaitable[Seen]]"
    seconds: float = 5.0


HERE: tuple[Here, ...] = (
    Here("settings", "the settings file, ROOSYNC_STATE, other agents of this computer", settings_read.check),
    Here("folder", "the state folder: who may read it, whose it is, whether its files are whole", folders.check),
    Here("keys", "this machine's key, and the operator's", keys_kept.check),
    Here("agent", "whether the agent of this machine answers", agent_here.check),
    Here(
        "service",
        "the service that starts `roosync up` at login: whether it runs, with which settings",
        service_kept.check,
    ),
    Here("broker", "each address of the broker: name, port, TLS, key", broker_reached.check, 15.0),
    Here("durability", "whether the broker has on its disk what it acknowledges", durable.check),
    Here("disk", "free room, backups, staged releases", room.check),
    Here("unfinished", "messages not said yet, changes and updates that were interrupted", unsaid.check),
    Here("assistants", "assistants' files: found, managed, readable; programs of MCP servers", assistants.check, 10.0),
)

FLEET: tuple[OfFleet, ...] = (
    OfFleet("clocks", "this machine's clock and the others' against the broker's", fleet_clock.check),
    OfFleet("law", "roster and memberships, and messages that do not count", fleet_law.check),
    OfFleet("work", "leases, decisions that are stuck or failed, quarantines", fleet_work.check),
    OfFleet("machines", "who is there, in whose name, with which version", fleet_machines.check),
    OfFleet("secrets", "secrets that the configuration needs, by machine", fleet_secrets.check),
    OfFleet("store", "the broker's streams against their bounds", fleet_store.check),
)
