"""Tools about MCP servers: where they stand, and asking a person to give one to others or to take one away."""

from typing import Annotated, Any

from pydantic import Field

from roosync_agent.mcp_server.asking import Signing, ask_person
from roosync_agent.mcp_server.desk import Desk, ToolFault, typed
from roosync_agent.mcp_server.pages import Page, paged
from roosync_agent.mcp_server.parameters import Limit, Machine, Offset, Target, Wait
from roosync_agent.mcp_server.tool import ASKS, READS, Row

Name = Annotated[str, Field(pattern=r"^[^-\x00-\x1f][^\x00-\x1f]{0,199}$", description="Of an MCP server")]
Assistants = Annotated[list[Target], Field(max_length=30, description="Assistants or targets: cursor, roo.mcp")]
Machines = Annotated[list[Machine], Field(max_length=200)]


class Servers(Page, frozen=True, kw_only=True):
    rows: list[dict[str, Any]]
    targets: dict[str, list[str]]
    baseline_version: str
    unknown: dict[str, str]


async def list_mcp_servers(desk: Desk, name: Name | None = None, limit: Limit = 20, offset: Offset = 0) -> Servers:
    found = await desk.ask("servers", name=name)
    return typed(Servers, {**found, **paged(desk, found["servers"], limit, offset)})


async def share_mcp_server(
    desk: Desk, name: Name, source: Target, to: Assistants, machines: Machines | None = None, wait_seconds: Wait = 45
) -> Signing:
    if not to:
        raise ToolFault("arguments", "to whom? `to` names no assistant")
    only = sorted(set(machines or ()))
    plan = await desk.ask("servers_share", name=name, source=source, to=to, machines=only, variant="")
    words = ["mcp-servers", "share", "--from", source, "--to", ",".join(to), *_only(only), name]
    return await _signed(desk, plan, words, wait_seconds)


async def remove_mcp_server(
    desk: Desk, name: Name, assistants: Assistants | None = None, machines: Machines | None = None,
    wait_seconds: Wait = 45,
) -> Signing:  # fmt: skip
    only, holders = sorted(set(machines or ())), assistants or []
    everywhere = not (only or holders)
    plan = await desk.ask("servers_removal", name=name, assistants=holders, machines=only, everywhere=everywhere)
    where = ["--everywhere"] if everywhere else [word for one in holders for word in ("--from", one)]
    return await _signed(desk, plan, ["mcp-servers", "remove", *where, *_only(only), name], wait_seconds)


# -- inside


def _only(machines: list[str]) -> list[str]:
    return [word for machine in machines for word in ("--machine", machine)]


async def _signed(desk: Desk, plan: dict[str, Any], words: list[str], wait: float) -> Signing:
    done = await ask_person(desk, words, wait, about=plan)
    if done.outcome == "done":
        desk.next.append("roosync_list_mcp_servers with its name; roosync_list_decisions for machines that were away")
    return done


ROWS = (
    Row("roosync_list_mcp_servers", list_mcp_servers, "MCP servers", READS,
        "MCP servers by assistant and machine, and where they differ."),
    Row("roosync_share_mcp_server", share_mcp_server, "Ask to share a server", ASKS,
        "Asks the person to give an MCP server of one assistant (`source`) to others, everywhere or on `machines`."),
    Row("roosync_remove_mcp_server", remove_mcp_server, "Ask to remove a server", ASKS,
        "Asks the person to take an MCP server away: everywhere, or only from `assistants`, on `machines`."),
)  # fmt: skip
