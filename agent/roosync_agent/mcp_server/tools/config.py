"""Tools about the configuration: collect, publish, compare, what differs, apply. They speak as this machine."""

from typing import Any, Literal

from msgspec import Struct

from roosync_agent.mcp_server.desk import Desk, typed
from roosync_agent.mcp_server.pages import Page, chosen, counted, paged
from roosync_agent.mcp_server.parameters import DryRun, Limit, Line, Machine, Offset, Risk, Target, Version
from roosync_agent.mcp_server.tool import READS, SAYS, SAYS_ONCE, WRITES, Row

CHANGES = 8  # of one row that are shown; the details of its decision have all
VALUE = 300  # characters of a value in a list
Kind = Literal["all", "config", "files", "settings"]


class Changed(Struct, frozen=True, kw_only=True):
    path: list[str | int]
    before: Any = None
    after: Any = None
    absent: str = ""


class Diff(Struct, frozen=True, kw_only=True):
    machine: str
    field: str
    verdict: str
    risk: str
    decision_id: str
    status: str
    suggested_action: str
    changes: list[Changed] = []
    more_changes: int = 0


class Diffs(Page, frozen=True, kw_only=True):
    by_risk: dict[str, int]
    by_machine: dict[str, int]
    rows: list[Diff]


async def list_diffs(
    desk: Desk, type: Kind = "all", machine: Machine | None = None, risk: Risk | None = None,  # noqa: A002
    limit: Limit = 10, offset: Offset = 0,
) -> Diffs:  # fmt: skip
    found = (await desk.ask("diffs", kind=type))["divergences"]
    kept = chosen(found, machine, risk)
    page = paged(desk, kept, limit, offset)
    if page["rows"]:
        desk.next.append("roosync_get_decision_details with a decision_id: the whole card, and what would execute")
    return typed(Diffs, {
        **page, "rows": [_short(one) for one in page["rows"]],
        "by_risk": counted(one["risk"] for one in kept), "by_machine": counted(one["machine"] for one in kept),
    })  # fmt: skip


class Compared(Page, frozen=True, kw_only=True):
    agent: str
    reference: str
    baseline_version: str
    status: str
    by_risk: dict[str, int]
    rows: list[Diff]
    accepted: list[str] = []
    only_here: list[str] = []
    quarantine: dict[str, str] = {}
    not_read: list[dict[str, Any]] = []
    not_read_there: list[str] = []
    not_here: dict[str, int] = {}


async def compare_config(desk: Desk, other: Machine | None = None, limit: Limit = 10, offset: Offset = 0) -> Compared:
    found = await desk.ask("compare", other=other)
    page = paged(desk, found["divergences"], limit, offset)
    if page["rows"]:
        desk.next.append("roosync_get_decision_details with a decision_id; a person approves what is to change")
    return typed(Compared, {
        **found, **page, "rows": [_short(one) for one in page["rows"]],
        "by_risk": counted(one["risk"] for one in found["divergences"]),
    })  # fmt: skip


class Package(Struct, frozen=True, kw_only=True):
    machine: str
    version: str
    complete: bool
    total: int
    entities: int
    rows: list[dict[str, Any]]
    skipped: list[dict[str, str]]
    quarantine: dict[str, str]
    secrets: list[str]
    dry_run: bool = False
    published: bool = False


async def collect_config(desk: Desk, targets: list[Target] | None = None, dry_run: DryRun = True) -> Package:
    return _package(await desk.ask("collect", targets=targets, dry_run=dry_run))


async def publish_config(desk: Desk, version: Version | None = None, description: Line = "") -> Package:
    found = _package(await desk.ask("publish", version=version, description=description))
    desk.next.append("roosync_propose_baseline, or roosync_get_status")
    return found


class Applied(Page, frozen=True, kw_only=True):
    reference: str
    dry_run: bool
    applied: int
    waiting: int
    failed: int
    rows: list[dict[str, Any]]
    files: list[dict[str, str]] = []


async def apply_config(
    desk: Desk, source: Machine | None = None, targets: list[Target] | None = None, dry_run: DryRun = True,
    limit: Limit = 20, offset: Offset = 0,
) -> Applied:  # fmt: skip
    found = await desk.ask("apply", source=source, targets=targets, dry_run=dry_run)
    return applied(desk, found, limit, offset)


def applied(desk: Desk, found: dict[str, Any], limit: int = 20, offset: int = 0) -> Applied:
    """What an apply gave, by the page."""
    page = paged(desk, found["rows"], limit, offset)
    if found["dry_run"]:
        desk.next.append("nothing was written; dry_run=false applies what is approved or within the policy")
    elif found["waiting"]:
        desk.next.append("roosync_approve_decision for what waits: a person confirms it")
    return typed(Applied, {**found, **page})


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a list: the first changes, each value in a few words."""
    changes = [{**one, "before": _value(one["before"]), "after": _value(one["after"])} for one in row["changes"]]
    return {**row, "changes": changes[:CHANGES], "more_changes": max(len(changes) - CHANGES, 0)}


def _value(value: Any) -> Any:
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= VALUE else f"{text[:VALUE]} ... ({len(text) - VALUE} more characters)"


def _package(found: dict[str, Any]) -> Package:
    files = [{key: one[key] for key in ("path", "type", "size")} for one in found["files"]]
    return typed(Package, {**found, "total": len(files), "rows": files})


ROWS = (
    Row("roosync_compare_config", compare_config, "Compare", SAYS_ONCE,
        "Compares this machine with the baseline, or with another machine, and posts a pending decision for each "
        "divergence."),
    Row("roosync_list_diffs", list_diffs, "Divergences of the fleet", READS,
        "Every open divergence, the most dangerous first, with counts by risk and machine. `risk`: this or less."),
    Row("roosync_collect_config", collect_config, "Collect", SAYS_ONCE,
        "The package of this machine as it would be published: files, what was skipped and why, secrets by name."),
    Row("roosync_publish_config", publish_config, "Publish", SAYS,
        "Publishes this machine's package to the fleet, as the agent does by itself after a change. Collect first"
        " to see it."),
    Row("roosync_apply_config", apply_config, "Apply", WRITES,
        "Applies to this machine what is approved or within the policy, with a backup; the rest waits. Try it "
        "with dry_run first (the default): it shows each file's diff."),
)  # fmt: skip
