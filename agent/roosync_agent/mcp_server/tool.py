"""One row of the table of tools becomes a tool of the SDK: its schemas, its annotations, its answers and its errors.

The arguments are those of the row's function, checked as they are declared: nothing else is taken, nothing is
converted. The answer is what the function gives, as data: hidden characters spelled, and bounded (`plain`).
"""

import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ConfigDict, PrivateAttr, ValidationError, create_model

from roosync_agent.mcp_server.desk import Desk, Office, ToolFault, kind_of
from roosync_agent.mcp_server.plain import plain
from roosync_agent.mcp_server.schemas import input_schema, output_schema

log = logging.getLogger("roosync.mcp")

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
SAYS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
SAYS_ONCE = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)  # the same again changes nothing more
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
ASKS = ToolAnnotations(  # a person, who may well say yes: then something changes
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

NEXT_OF = {  # kind of an error -> what to do about it, where the message does not say
    "arguments": "call it again with arguments of its input schema",
    "bus": "the broker is away or refuses: `roosync_doctor` tells why; what was read stays true, try again later",
    "missing": "something has to come first: `roosync_get_status` says what this fleet waits for",
    "request": "look at the arguments; the tools that list give the ids that exist",
    "key": "a person has to look at the keys here: `roosync doctor`",
    "state": "a person has to look at this machine: `roosync doctor`",
    "settings": "a person has to mend the settings of this machine: `roosync doctor`",
    "package": "another machine published something that is not believed; `roosync_get_status` names it",
    "timeout": "the agent is busy, or hangs: try again, or a person looks with `roosync doctor`",
    "internal": "a fault of roosync itself; a person may report it",
}


@dataclass(frozen=True)
class Row:
    """A tool: its name, what it does in a few words, when to use it and what to do next, and the function behind it.

    The first argument of the function is the `Desk`; the others are the tool's. It gives a msgspec `Struct`.
    """

    name: str
    run: Callable[..., Awaitable[Any]]
    title: str
    annotations: ToolAnnotations
    description: str


class Arguments(ArgModelBase):
    """Of any tool: nothing that was not declared, and no type for another."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class OurTool(Tool):
    """A tool whose errors say their kind and the next step."""

    _office: Office = PrivateAttr()

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        try:
            given = self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            return failed("arguments", _wrong(error), NEXT_OF["arguments"])
        desk = Desk(self._office, context)
        try:
            self._office.enter()
            try:
                return answered(desk, await self.fn(desk, **given))
            finally:
                self._office.leave()
        except ToolFault as fault:
            return failed(fault.kind, str(fault), fault.following or NEXT_OF.get(fault.kind, ""))
        except Exception as error:  # noqa: BLE001 - the assistant is told in words, never by a traceback
            return _fault(self.name, error)


def made(row: Row, office: Office) -> OurTool:
    """The tool of a row."""
    signature = inspect.signature(row.run, eval_str=True)
    fields: dict[str, Any] = {
        name: (one.annotation, ... if one.default is inspect.Parameter.empty else one.default)
        for name, one in list(signature.parameters.items())[1:]
    }
    model = create_model(f"{row.name}_arguments", __base__=Arguments, **fields)
    tool = OurTool(
        fn=row.run,
        name=row.name,
        title=row.title,
        description=row.description,
        parameters=input_schema(model.model_json_schema()),
        fn_metadata=FuncMetadata(arg_model=model, output_schema=output_schema(signature.return_annotation)),
        is_async=True,
        context_kwarg=None,
        annotations=row.annotations,
    )
    tool._office = office
    return tool


def answered(desk: Desk, answer: msgspec.Struct) -> CallToolResult:
    """What a tool gave, with what to do next; as data, and as the same in one line of text for who reads only that."""
    said = msgspec.to_builtins(answer, str_keys=True) | {"next": [one for one in desk.next if one]}
    told, cut = plain(said, desk.room)
    if notes := [*desk.notes, *cut]:
        told["notes"] = notes
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=told)


def failed(kind: str, message: str, following: str) -> CallToolResult:
    told, _ = plain({"error": {"kind": kind, "message": message, "next": following}})
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _fault(name: str, error: Exception) -> CallToolResult:
    from roosync_protocol.secrets import scrub

    kind = kind_of(error)
    if kind is None:
        log.error("%s failed in an unexpected way: %s: %s", name, type(error).__name__, scrub(str(error)))
        return failed("internal", scrub(f"{type(error).__name__}: {error}"), NEXT_OF["internal"])
    from roosync_agent.operations.faults import words_of

    return failed(kind, scrub(words_of(error)), NEXT_OF.get(kind, ""))


def _wrong(error: ValidationError) -> str:
    """Each argument that is wrong and why; the values are not repeated."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg'][:200]}" for one in error.errors()[:10]
    )
