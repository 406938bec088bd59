"""What machines do together: requests, cycles, rollouts, updates. What they begin speaks as this machine."""

from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import Field

from roosync_agent.mcp_server.asking import Signing, ask_person
from roosync_agent.mcp_server.desk import Desk, ToolFault, typed
from roosync_agent.mcp_server.pages import Page, paged
from roosync_agent.mcp_server.parameters import Choosing, DecisionId, Id, Limit, Line, Offset, Risk, Wait
from roosync_agent.mcp_server.tool import ASKS, READS, SAYS, Row

Ids = Annotated[list[DecisionId], Field(max_length=100)]
Minutes = Annotated[float, Field(gt=0, le=1440)]


class Rows(Page, frozen=True, kw_only=True):
    rows: list[dict[str, Any]]


async def list_requests(desk: Desk, everything: bool = False, limit: Limit = 20, offset: Offset = 0) -> Rows:
    found = await desk.ask("requests", everything=everything)
    return _page(desk, [_without(one, "form") for one in found], limit, offset)


class Requested(Struct, frozen=True, kw_only=True):
    rows: list[dict[str, Any]]
    failed: dict[str, str]


async def request(
    desk: Desk, action: Line, on: Choosing | None = None, target: Id | None = None, timeout_minutes: Minutes = 60.0
) -> Requested:
    asked = {"action": action, "target": target or "", "timeout": timeout_minutes}
    desk.next.append("roosync_list_requests tells what became of them")
    if on is None:
        one = await desk.ask("request_ask", to="operator", kind="approval", **asked)
        return typed(Requested, {"rows": [_without(one, "form")], "failed": {}})
    kind = "verification" if action == "verify" else "execution"
    found = await desk.ask("request_ask_each", on=on, kind=kind, **asked)
    return typed(Requested, {"rows": [_without(one, "form") for one in found["requests"]], "failed": found["failed"]})


class Cycle(Struct, frozen=True, kw_only=True):
    id: str
    route: str
    status: str
    checkpoint: str
    participants: list[str]
    excused: dict[str, str]
    waits_for: list[str]
    why: str
    waiting_for: str
    stopped: int
    next_step: str
    reached: list[dict[str, Any]]
    escalations: list[dict[str, Any]]
    started: str


async def list_cycles(desk: Desk, limit: Limit = 20, offset: Offset = 0) -> Rows:
    return _page(desk, list(reversed(await desk.ask("cycle_list"))), limit, offset)


async def get_cycle(desk: Desk, cycle_id: Id | None = None) -> Cycle:
    return _cycle(desk, await desk.ask("cycle_show", id_=cycle_id))


async def start_cycle(
    desk: Desk, on: Choosing | None = None, route: Literal["coordination", "deployment"] = "coordination",
    timeout_minutes: Minutes = 60.0, note: Line = "",
) -> Cycle:  # fmt: skip
    targets = [on] if on else None
    return _cycle(desk, await desk.ask("cycle_start", route=route, targets=targets, timeout=timeout_minutes, note=note))


class Rollout(Struct, frozen=True, kw_only=True):
    id: str
    purpose: str
    status: str
    wave: int
    waves: int
    counts: dict[str, int]
    total: int
    left: int
    rows: list[dict[str, Any]]
    waiting_for: str
    next_steps: list[dict[str, Any]]
    note: str = ""


async def list_rollouts(desk: Desk, limit: Limit = 20, offset: Offset = 0) -> Rows:
    return _page(desk, list(reversed(await desk.ask("rollout_list"))), limit, offset)


async def get_rollout(desk: Desk, rollout_id: Id | None = None, limit: Limit = 50, offset: Offset = 0) -> Rollout:
    found = await desk.ask("rollout_show", id_=rollout_id)
    page = paged(desk, found["machines"], limit, offset)
    _steps(desk, found)
    return typed(Rollout, {**found, **page})


async def start_rollout(
    desk: Desk, decision_ids: Ids | None = None, entity: Line = "", risk: Risk | None = None,
    on: Choosing | None = None, note: Line = "", wait_seconds: Wait = 45,
) -> Signing:  # fmt: skip
    ids = decision_ids or []
    if not (ids or entity or risk):
        raise ToolFault("arguments", "name decision_ids, an entity ('roo.mcp/*'), or a risk up to which all go")
    everything = not ids and not entity
    plan = await desk.ask(
        "rollout_plan", ids=ids, entity=entity, everything=everything, risk=risk or "", on=on or "", note=note
    )
    options = [("--entity", entity), ("--risk", risk or ""), ("--on", on or ""), ("--note", note)]
    words = [word for name, value in options if value for word in (name, value)]
    words = ["rollout", "start", *words, *(["--all"] if everything else []), *ids]
    about = {
        "waves": plan["waves"], "nothing_to_do": plan["nothing_to_do"], "pace": plan["pace"],
        "cards": [
            {name: one["card"][name] for name in ("entity", "risk", "reasons", "executes", "changes", "hash")}
            | {"machines": [d["machine"] for d in one["decisions"]]}
            for one in plan["cards"]
        ],
    }  # fmt: skip
    done = await ask_person(desk, words, wait_seconds, about=about)
    if done.outcome == "done":
        desk.next.append("roosync_get_rollout follows it")
    return done


class Update(Struct, frozen=True, kw_only=True):
    id: str
    version: str
    withdrawn: bool
    in_force: bool
    counts: dict[str, int]
    total: int
    left: int
    rows: list[dict[str, Any]]
    next_steps: list[dict[str, Any]]
    note: str = ""


async def get_update(desk: Desk, update_id: Id | None = None, limit: Limit = 50, offset: Offset = 0) -> Update:
    found = await desk.ask("update_show", id_=update_id)
    page = paged(desk, found["machines"], limit, offset)
    _steps(desk, found)
    return typed(Update, {**found, **page})


# -- inside


def _page(desk: Desk, found: list[dict[str, Any]], limit: int, offset: int) -> Rows:
    return typed(Rows, paged(desk, found, limit, offset))


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _cycle(desk: Desk, found: dict[str, Any]) -> Cycle:
    if found["next_step"]:
        desk.next.append(f"a person: {found['next_step']}, or roosync_ask_operator")
    return typed(Cycle, found)


def _steps(desk: Desk, found: dict[str, Any]) -> None:
    desk.next += [f"a person, or roosync_ask_operator: {one['command']}" for one in found["next_steps"][:3]]


ROWS = (
    Row("roosync_list_requests", list_requests, "Requests", READS,
        "What was asked of machines and people, and how it stands."),
    Row("roosync_request", request, "Ask machines or a person", SAYS,
        "Asks machines (`on`) to publish, collect, export, compare, report or verify; without `on`, the operators for "
        "something in words. It waits until they are there."),
    Row("roosync_list_cycles", list_cycles, "Cycles", READS, "Cycles, newest first."),
    Row("roosync_get_cycle", get_cycle, "Cycle", READS,
        "Who a cycle waits for and why; without an id the running one, else the last."),
    Row("roosync_start_cycle", start_cycle, "Start a cycle", SAYS,
        "Takes machines through checkpoints together: collect, compare, decide, apply, verify. What changes is "
        "still approved by a person."),
    Row("roosync_list_rollouts", list_rollouts, "Rollouts", READS, "Rollouts, newest first."),
    Row("roosync_get_rollout", get_rollout, "Rollout", READS,
        "How each machine of a rollout stands, and what it waits for."),
    Row("roosync_start_rollout", start_rollout, "Ask to start a rollout", ASKS,
        "Plans one change to many machines in waves, and asks the person to sign it. wait_seconds=0 only plans."),
    Row("roosync_get_update", get_update, "Required version", READS,
        "The required version of RooSync: who runs it, who returned and why."),
)  # fmt: skip
