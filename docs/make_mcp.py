"""Writes the table of MCP tools in docs/mcp.md from the code: `python docs/make_mcp.py`. A test tells a stale one."""

import asyncio
import json
from pathlib import Path

from roosync_agent.mcp_server import tool
from roosync_agent.mcp_server.server import build
from roosync_agent.mcp_server.tools import TABLE

PAGE = Path(__file__).parent / "mcp.md"
BEGIN, END = "<!-- the tools: written by docs/make_mcp.py -->", "<!-- the end of the tools -->"


def does(row: tool.Row) -> str:
    """What a call may change, in a word."""
    if row.annotations.read_only_hint:
        return "reads"
    if row.annotations is tool.ASKS:
        return "asks a person"
    return "writes files here" if row.annotations is tool.WRITES else "acts as this machine"


def tools() -> str:
    listed = {one.name: one for one in asyncio.run(build().list_tools())}
    told = [one.model_dump(by_alias=True, exclude_none=True, mode="json") for one in listed.values()]
    seen = [{key: one[key] for key in ("name", "description", "inputSchema")} for one in told]
    rows = []
    for row in TABLE:
        schema = listed[row.name].input_schema
        must = schema.get("required", ())
        takes = ", ".join(f"`{name}`" if name in must else f"[`{name}`]" for name in schema["properties"])
        rows.append(f"| `{row.name}` | {does(row)} | {takes or '-'} | {row.description} |")
    sizes = [round(len(json.dumps(one, separators=(",", ":"))) / 1000) for one in (told, seen)]
    return "\n".join([
        f"{len(TABLE)} tools; `tools/list` is {sizes[0]} kB, of which a model reads {sizes[1]} kB (names, descriptions "
        "and arguments). Arguments in brackets may be left out.",
        "", "| tool | a call | arguments | when |", "|---|---|---|---|", *rows,
    ])  # fmt: skip


def page() -> str:
    """The page as it should be."""
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    return before + BEGIN + "\n" + tools() + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
