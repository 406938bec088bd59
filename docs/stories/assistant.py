"""The story of docs/guide-mcp.md: an assistant works over MCP, and a person answers where their key is unlocked.

The assistant is a script on the SDK's client, over stdio, as an editor starts it. What it shows is what it called, and
of the answers the fields that an assistant would speak of (`FIELDS`).
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from stories.terminal import KEY, MCP, PATIENCE, WIDTH, Story, Terminal
from stories.two_homes import found

FIELDS = {
    "roosync_get_status": ("status", "machines_detected", "divergences_count", "pending_decisions", "baseline_version"),
    "roosync_get_baseline": ("kind", "id", "status", "common", "missing_on", "questions"),
    "roosync_list_diffs": ("total", "rows"),
    "roosync_get_decision_details": (
        "id",
        "machine",
        "entity",
        "risk",
        "reasons",
        "executes",
        "lacks",
        "hash",
        "status",
    ),
}
FIELDS["roosync_approve_decision"] = ("outcome", "command", "says")  # its state goes on meanwhile
SIGNED = ("outcome", "command", "says", "state")


class Assistant:
    """Calls a tool, and keeps what it called and what came."""

    def __init__(self, story: Story, client: Client) -> None:
        self.story, self.client = story, client

    async def __call__(self, shown: str, tool: str, /, **args: Any) -> dict[str, Any]:
        answer = await self.client.call_tool(f"roosync_{tool}", args)
        assert not answer.is_error, answer.content
        content: dict[str, Any] = dict(answer.structured_content or {})
        name = f"roosync_{tool}"
        if shown:
            fields = (*FIELDS.get(name, SIGNED), "next")
            told = {key: _brief(content[key]) for key in fields if content.get(key) not in (None, "", [])}
            call = f"assistant> {name} {json.dumps(args) if args else ''}".rstrip()
            self.story.shown[shown] = self.story.plain(f"{call}\n{_folded(told)}")
        return content


def _brief(value: Any) -> Any:
    """A question without the values, which the card shows."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "candidates" in value[0]:
        return [{key: one[key] for key in ("key", "reason", "suggestion")} for one in value]
    return value


def _folded(value: dict[str, Any]) -> str:
    """JSON with a field to a line, folded where it is long."""
    import textwrap

    lines = []
    for key, one in value.items():
        text = f'  "{key}": {json.dumps(one, ensure_ascii=False)}'
        lines += textwrap.wrap(text, WIDTH, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False)
    return "{\n" + "\n".join(lines) + "\n}"


async def _asked(story: Story, person: Terminal, assistant: Assistant, shown: str, tool: str, **args: Any) -> None:
    """The assistant asks; the person reads in their terminal, and says yes."""
    calling = asyncio.create_task(assistant(shown, tool, wait_seconds=30, **args))
    person.said = ""
    await asyncio.to_thread(person.until, r"\[y/N\]: ", "y")
    done = await calling
    await asyncio.to_thread(person.until, r"(?s)Next: [^\n]*\n")
    person.show(f"{shown}, the person")
    assert done["outcome"] == "done", done


async def until(assistant: Assistant, tool: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Calls a tool, and shows nothing, until its answer is so."""
    async with asyncio.timeout(PATIENCE):
        while not holds(answer := await assistant("", tool)):  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.1)
    return answer


async def _work(story: Story, person: Terminal) -> None:
    server = StdioServerParameters(command="roosync", args=["mcp"], env=story.desk.env)
    async with Client(server) as client:
        assistant = Assistant(story, client)
        await assistant("status", "get_status")
        await until(assistant, "get_baseline", lambda answer: len(answer["machines"]) == 2)
        await assistant("baseline", "get_baseline")
        question = {"choice": "machine", "machine": "desk", "field": "roo.mcp/github"}
        await _asked(story, person, assistant, "choose", "choose_baseline", **question)
        await _asked(story, person, assistant, "validate", "validate_baseline")
        await _asked(story, person, assistant, "publish", "publish_baseline")
        listed = await until(assistant, "list_decisions", lambda answer: len(answer["rows"]) == 2)
        ids = {row["entity"]: row["id"] for row in listed["rows"]}
        for name in ("github", "fetch"):
            id_ = ids[f"roo.mcp/{name}"]
            await assistant(f"card {name}", "get_decision_details", decision_id=id_)
            await _asked(story, person, assistant, f"approve {name}", "approve_decision", decision_id=id_)
        await until(assistant, "get_status", lambda answer: answer["status"] == "synced")
        await assistant("in step", "get_status")


def with_an_assistant(story: Story) -> None:
    """Founding and joining are a person's; then the assistant works, and asks."""
    found(story)
    unlock = story.terminal(story.desk)
    unlock.begin("roosync unlock").until(*KEY)
    unlock.until(r"Ctrl-C")
    unlock.until(r"\n")
    unlock.show("unlock")
    asyncio.run(_work(story, unlock))
    story.terminal(story.laptop).run("the file", f"cat {MCP}")
