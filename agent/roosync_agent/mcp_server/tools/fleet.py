"""Tools about the fleet and its machines: who is there, what they have, what was done. All of them only read."""

from typing import Any

from msgspec import Struct

from roosync_agent.mcp_server.desk import Desk, typed
from roosync_agent.mcp_server.pages import Page, counted, paged
from roosync_agent.mcp_server.parameters import Choosing, Id, Limit, Line, Machine, Offset
from roosync_agent.mcp_server.tool import READS, Row


class MachineSeen(Struct, frozen=True, kw_only=True):
    machine: str
    seen: str
    state: str
    last_seen: str | None = None
    roosync_version: str | None = None
    baseline_version: str | None = None
    divergences_count: int | None = None
    pending_decisions: int = 0
    failed_decisions: int = 0
    waiting_for: str = ""
    paused: bool = False
    unread: dict[str, str] = {}
    notes: list[str] = []


class Status(Page, frozen=True, kw_only=True):
    agent: str
    fleet: str
    status: str
    baseline_version: str | None
    pending_decisions: int
    divergences_count: int | None
    states: dict[str, int]
    rows: list[MachineSeen]
    paused: bool = False
    proposal: dict[str, Any] | None = None
    cycles: list[dict[str, Any]] = []
    rollouts: list[dict[str, Any]] = []
    requests_waiting: int = 0
    mail_unread: int = 0
    warnings: list[str] = []
    refused: dict[str, int] = {}


async def get_status(desk: Desk, limit: Limit = 50, offset: Offset = 0) -> Status:
    seen = (await desk.ask("status"))["overview"]
    page = paged(desk, seen["machines"], limit, offset)
    answer = typed(Status, {**seen, **page, "states": counted(one["state"] for one in seen["machines"])})
    proposal = answer.proposal or {}
    desk.next += [
        "roosync_get_baseline: a proposal waits for answers, or for its signature" if proposal else "",
        "roosync_propose_baseline: nothing is agreed yet" if not (answer.baseline_version or proposal) else "",
        "roosync_list_decisions: they wait for a person" if answer.pending_decisions else "",
        "roosync_list_diffs" if answer.divergences_count and not answer.pending_decisions else "",
        "roosync_read_inbox" if answer.mail_unread else "",
        "roosync_doctor" if answer.warnings or answer.refused else "",
    ]
    return answer


class MachineRow(Struct, frozen=True, kw_only=True):
    machine: str
    seen: str
    state: str
    roosync_version: str | None = None
    labels: dict[str, str] = {}
    facts: dict[str, str] = {}
    because: list[str] = []


class Machines(Page, frozen=True, kw_only=True):
    rows: list[MachineRow]


async def list_machines(desk: Desk, on: Choosing | None = None, limit: Limit = 50, offset: Offset = 0) -> Machines:
    found = (await desk.ask("machines", on=on))["machines"]
    return typed(Machines, paged(desk, found, limit, offset))


class Inventory(Struct, frozen=True, kw_only=True):
    machine: str
    timestamp: str
    inventory: dict[str, Any]


async def get_machine_inventory(desk: Desk, machine: Machine | None = None) -> Inventory:
    return await desk.read(Inventory, "inventory", name=machine)


class Pinged(Struct, frozen=True, kw_only=True):
    machine: str
    answered: bool
    milliseconds: float | None = None
    version: str = ""
    reason: str = ""
    hangs: bool = False


class Ping(Page, frozen=True, kw_only=True):
    answered: int
    rows: list[Pinged]


async def ping(desk: Desk, on: Choosing | None = None, limit: Limit = 50, offset: Offset = 0) -> Ping:
    found = (await desk.ask("ping", machines=[on] if on else None))["machines"]
    found.sort(key=lambda one: one["answered"])  # the silent ones are what is looked for
    answered = sum(one["answered"] for one in found)
    return typed(Ping, {**paged(desk, found, limit, offset), "answered": answered})


class Held(Struct, frozen=True, kw_only=True):
    agent: str
    leases: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    local: list[dict[str, Any]]
    unfinished: list[dict[str, Any]]
    orphans: list[str]


async def list_locks(desk: Desk) -> Held:
    return await desk.read(Held, "locks")


class Deed(Struct, frozen=True, kw_only=True):
    at: str
    who: str
    action: str
    about: str
    outcome: str = ""
    entity: str = ""
    machine: str = ""
    approved_by: list[str] = []
    details: str = ""


class History(Struct, frozen=True, kw_only=True):
    rows: list[Deed]
    left: int


async def get_history(desk: Desk, about: Line = "", since: Id | None = None, limit: Limit = 20) -> History:
    found = await desk.ask("history", what=about, since=since or "", limit=limit)
    return typed(History, {"rows": found["rows"], "left": found["more"]})


ROWS = (
    Row("roosync_get_status", get_status, "Status of the fleet", READS,
        "Start here. Every machine of the fleet, whether it is in step, and what waits for whom; `next` names the"
        " tools for it."),
    Row("roosync_list_machines", list_machines, "Machines", READS,
        "Machines with labels and facts; with `on`, which ones an expression means. Before a ping, cycle, request"
        " or rollout of some."),
    Row("roosync_get_machine_inventory", get_machine_inventory, "Inventory of a machine", READS,
        "System, assistants, MCP servers, modes and tools of this machine, or as another one published it. No "
        "secret."),
    Row("roosync_ping", ping, "Ping machines", READS,
        "Asks machines directly who is there now; silent ones first. When the status says silent or unknown."),
    Row("roosync_get_history", get_history, "History", READS,
        "What was done, by whom, who approved it, what came of it. `about`: a decision, thing or machine; "
        "`since`: 2h, 3d, or a day."),
    Row("roosync_list_locks", list_locks, "Locks and leases", READS,
        "Leases, claims and locks, their holders, and orphans. When something seems stuck."),
)  # fmt: skip
