"""What an assistant waits for, and what the tools cost it: `roosync mcp` over stdio, on a machine whose agent runs.

    python benchmarks/assistant.py [--machines 2] [--runs 7]

Beside it, in the same run and in turn with ours, a server of the same SDK with one tool that says hello: the floor.
Seconds from the start of the process to the first answer (`initialize`, `tools/list`), seconds of a call, and the bytes
of `tools/list`, which an assistant reads at the beginning of each conversation (about four to a token).
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figures import against, median, share, tell
from fleet import Fleet
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

FLOOR = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("floor")
@server.tool()
def hello() -> str:
    "Says hello."
    return "hello"
server.run("stdio")
"""
CALLS = 50
CALL_BAR = 0.05  # seconds of a call at p95: an assistant does not notice it
LIST_BAR = 50_000  # bytes of tools/list


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    async with Fleet(given.machines) as fleet:
        await fleet.agree()
        ours = StdioServerParameters(
            command=str(Path(sys.executable).parent / "roosync"), args=["mcp"], env=fleet.first.environment
        )
        floor = StdioServerParameters(command=sys.executable, args=["-c", FLOOR], env=dict(os.environ))
        starts: dict[str, list[float]] = {"roosync": [], "floor": []}
        for _ in range(given.runs):
            for name, server in (("roosync", ours), ("floor", floor)):
                starts[name].append(await _start(server))
        tell("mcp_start_to_tools_s", median(starts["roosync"]))
        tell("mcp_start_floor_s", median(starts["floor"]))
        tell("mcp_start_times_floor", median(starts["roosync"]) / median(starts["floor"]))
        async with Client(ours) as client:
            listed = await client.list_tools()
            tell("mcp_tools", len(listed.tools))
            size = len(json.dumps([tool.model_dump(mode="json", exclude_none=True) for tool in listed.tools]))
            against("mcp_tools_list_bytes", float(size), LIST_BAR)
            for tool, args in CASES.items():
                times = await _calls(client, tool, args)
                tell(f"{tool}_p50_s", median(times))
                against(f"{tool}_p95_s", share(times, 0.95), CALL_BAR)
        async with Client(floor) as client:
            tell("hello_floor_p50_s", median(await _calls(client, "hello", {})))


CASES: dict[str, dict[str, Any]] = {
    "roosync_get_status": {},
    "roosync_list_decisions": {},
    "roosync_compare_config": {},
}


async def _start(server: StdioServerParameters) -> float:
    began = time.perf_counter()
    async with Client(server) as client:
        await client.list_tools()
        return time.perf_counter() - began


async def _calls(client: Client, tool: str, args: dict[str, Any]) -> list[float]:
    async def once() -> float:
        began = time.perf_counter()
        answer = await client.call_tool(tool, args)
        assert not answer.is_error, answer.content
        return time.perf_counter() - began

    again: Callable[[], Any] = once
    return [await again() for _ in range(CALLS)]


if __name__ == "__main__":
    asyncio.run(main())
