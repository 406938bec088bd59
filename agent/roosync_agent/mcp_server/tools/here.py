"""This machine and the things on it: its targets, secrets by name, MCP servers, where a value comes from."""

from functools import partial
from typing import Annotated, Any

from msgspec import Struct
from pydantic import Field

from roosync_agent.mcp_server.desk import Desk, ToolFault, kind_of, typed
from roosync_agent.mcp_server.pages import Page, paged
from roosync_agent.mcp_server.parameters import Entity, Limit, Offset
from roosync_agent.mcp_server.tool import READS, Row

Dotted = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\[][^\x00-\x1f]{0,199}$", description="A field in it: env.TOKEN")]


class TargetRow(Struct, frozen=True, kw_only=True):
    target: str
    assistant: str
    group: str
    state: str
    managed: bool
    where: str
    things: int
    not_read: int
    note: str = ""


class Targets(Page, frozen=True, kw_only=True):
    rows: list[TargetRow]
    broken: dict[str, str]


async def list_targets(desk: Desk, found_only: bool = True, limit: Limit = 50, offset: Offset = 0) -> Targets:
    answer = await desk.patiently(partial(_targets, desk), lambda: None, "looking at the files")
    found = [row for row in answer["targets"] if row["found"] or not found_only]
    return typed(Targets, {**paged(desk, found, limit, offset), "broken": answer["broken"]})


def _targets(desk: Desk) -> Any:
    import msgspec

    from roosync_agent.operations.targets_list import list_targets as listed

    return msgspec.to_builtins(listed(desk.office.settings()))


class SecretRow(Struct, frozen=True, kw_only=True):
    address: str
    entity: str
    machines: dict[str, str]


class Secrets(Page, frozen=True, kw_only=True):
    rows: list[SecretRow]
    unknown: dict[str, str]
    keyring: str = ""


async def list_secrets(desk: Desk, limit: Limit = 50, offset: Offset = 0) -> Secrets:
    found = await desk.ask("secrets")
    page = paged(desk, found["rows"], limit, offset)
    desk.next.append("what is missing is set by the person on that machine, never through an assistant")
    return typed(Secrets, {**found, **page})


class Explained(Struct, frozen=True, kw_only=True):
    asked: str
    kind: str
    entity: dict[str, Any] | None = None
    files: list[dict[str, Any]] = []
    reason: str = ""
    nearest: list[str] = []
    not_known: str = ""


async def explain(desk: Desk, what: Entity, field: Dotted | None = None) -> Explained:
    """Things and targets only, no path of a file: what is not managed is nobody's to ask about."""
    name = what.split("/", 1)[0].rpartition(":")[2]
    if "." not in name or ".." in what.split("/") or name.startswith("."):
        raise ToolFault("arguments", f"{what!r} is no thing of a target", "name one as roosync_list_diffs does")
    try:
        found = await desk.read(Explained, "explain", what=what, field=field or "", path="")
    except Exception as error:
        if kind_of(error) not in ("bus", "request"):  # no broker, or no fleet
            raise
        work = partial(_explained_alone, desk, str(error), what, field or "")
        found = typed(Explained, await desk.patiently(work, lambda: None, "looking at the files"))
    if found.nearest:
        desk.next.append("one of `nearest` may be meant")
    return found


def _explained_alone(desk: Desk, why: str, what: str, field: str) -> Any:
    """From this machine's own files, where there is no fleet or no broker: `why` is told with it."""
    import asyncio

    import msgspec

    from roosync_agent.operations.explaining import explain_alone

    answer = asyncio.run(explain_alone(desk.office.settings(), why, what, field, ""))
    return msgspec.to_builtins(answer, str_keys=True)


class Policy(Struct, frozen=True, kw_only=True):
    revision: int
    answers: dict[str, str]
    operators: list[str]
    paused: bool
    paused_machines: list[str]
    paused_here: bool


async def get_policy(desk: Desk) -> Policy:
    return await desk.read(Policy, "policy_show")


ROWS = (
    Row("roosync_list_targets", list_targets, "Targets here", READS,
        "Which assistants' files are on this machine, what is managed, and what can not be read. Works without a "
        "fleet."),
    Row("roosync_explain", explain, "Explain a value", READS,
        "Where a value comes from and why: of a thing (roo.mcp/github), a target (roo.mcp), or another machine's "
        "(beta:roo.mcp/github)."),
    Row("roosync_list_secrets", list_secrets, "Secrets by name", READS,
        "Which secrets the configuration needs, by address and machine: set, missing or unknown. Never a value."),
    Row("roosync_get_policy", get_policy, "Policy", READS,
        "What applies by itself, by risk; who can approve; what is paused."),
)  # fmt: skip
