"""Writes the protocol reference from the tables the programs run by, so that the two can not drift.

    python docs/make_protocol.py        writes docs/protocol.md and docs/asyncapi.json

tests/test_docs.py fails while the files are not what this writes. Every table here is read from the code:
subjects.KINDS, the TRANSITIONS of decision, proposal, cycle, rollout and request, and the broker's topology.
"""

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Flag
from pathlib import Path
from typing import Any, get_args

import msgspec

from roosync_broker import topology
from roosync_protocol import __version__, decision, envelope, proposal, request
from roosync_protocol.cycle import ROUTES
from roosync_protocol.cycle import record as cycle_record
from roosync_protocol.decision import By
from roosync_protocol.messages import MAX_MESSAGE
from roosync_protocol.messages.work import CycleStatus, DecisionStatus, ProposalStatus, RequestStatus, RolloutStatus
from roosync_protocol.request import Role
from roosync_protocol.rollout import record as rollout_record
from roosync_protocol.subjects import KINDS, SubjectKind, Who

HERE = Path(__file__).parent
SCHEMAS = "#/components/schemas/"
WHO = {
    Who.MACHINE: "machines",
    Who.ORCHESTRATOR: "machines that may orchestrate",
    Who.OPERATOR: "operators",
    Who.JOINER: "the holder of a one-time code",
}
BY = {By.MACHINE: "the machine", By.OPERATOR: "an operator"}
ROLES = {
    Role.ASKER: "who asks",
    Role.ADDRESSEE: "the addressee",
    Role.OPERATOR: "an operator",
    Role.ORCHESTRATOR: "a machine that may orchestrate, of a cycle's request",
}
HEADERS = {
    envelope.ID: "one per intent, made before the first try; the same on every retry",
    envelope.SIGNER: "public key of the speaker (nkey of type user, Ed25519)",
    envelope.SIGNATURE: "base64 of Ed25519 over byte 0xFF, subject, line feed, id, line feed, body",
}
PLACES = {
    "fleet": "name of the fleet",
    "speaker": "who says it: a machine, or an operator (op-...)",
    "machine": "the machine it is about",
    "id": "id of the record",
    "to": "who is asked: a machine, an operator, or `op-any`, which is any operator",
    "code": "id of the invitation",
    "sha256": "SHA-256 of the whole content, in hex",
    "part": "number of the part, from 0",
    "cycle": "id of the cycle",
    "checkpoint": "the checkpoint at which the machine is",
}


def pages() -> dict[Path, str]:
    """Path -> the text that belongs there."""
    document = json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n"
    return {HERE / "protocol.md": markdown(), HERE / "asyncapi.json": document}


# -- the page for people


def markdown() -> str:
    return "\n".join([*_head(), *_kinds(), *_envelope(), *_lives(), *_messages(), *_stored()]) + "\n"


def _head() -> list[str]:
    return [
        "# The protocol",
        "",
        "Written by `python docs/make_protocol.py` from the tables in the code; changes by hand are lost.",
        f"Version {__version__}. The same for machines: [asyncapi.json](asyncapi.json) (AsyncAPI 3).",
        "",
        "A speaker posts on `post.<fleet>...`; a stream stores it, and the server republishes what was stored on",
        "`roosync.<fleet>...`, where nobody else may publish. So `nats sub 'roosync.>'` shows what is on disk.",
        f"The speaker is always the last token. Bodies are JSON (at most {MAX_MESSAGE} bytes) with a versioned `type`;",
        "unknown fields are ignored, fields are added with a default and never removed.",
        "",
    ]


def _kinds() -> list[str]:
    rows = []
    for kind in KINDS:
        message = f"[{kind.message.__name__}](#{kind.message.__name__.lower()})" if kind.message else "bytes"
        fact = "" if kind.republished else " (not republished)"
        rows.append((kind.name, f"`{_address(kind, 'post')}`{fact}", message, _who(kind), kind.stream))
    return ["## Who says what where", "", *_table(("kind", "posted on", "message", "who may post", "stream"), rows), ""]


def _envelope() -> list[str]:
    rows = [(f"`{name}`", told) for name, told in HEADERS.items()]
    return ["## Headers", "", *_table(("header", "what it is"), rows), ""]


def _lives() -> list[str]:
    return [
        "## The life of a decision",
        "",
        "A record is the fold, in the order of the stream, of its valid messages. A step that is not in this table",
        "does not count, and neither does one without its proofs.",
        f"Ended: {', '.join(f'`{status}`' for status in sorted(decision.ENDED))}.",
        "",
        *_life(decision.TRANSITIONS, get_args(DecisionStatus)),
        "## The life of a baseline proposal",
        "",
        "The machine here is one that may orchestrate.",
        "",
        *_life(proposal.TRANSITIONS, get_args(ProposalStatus)),
        "## The life of a cycle",
        "",
        *(f"{route}: {', '.join(checkpoints)}\n" for route, checkpoints in ROUTES.items()),
        *_life(cycle_record.TRANSITIONS, get_args(CycleStatus)),
        "## The life of a rollout",
        "",
        "The machine here is one that may orchestrate. A state that opens a wave although more machines failed than",
        "the rollout allows does not count, whoever signed it.",
        "",
        *_life(rollout_record.TRANSITIONS, get_args(RolloutStatus)),
        "## The life of a coordination request",
        "",
        "What nobody took up within its minutes is expired for every reader, whether somebody posted that or not.",
        "What a machine may be asked for:",
        "",
        *_table(
            ("action", "asked as", "the machine"),
            [(f"`{name}`", ", ".join(sorted(kinds)), told) for name, (kinds, told) in request.ACTIONS.items()],
        ),
        "",
        *_life(request.TRANSITIONS, get_args(RequestStatus), ROLES),
    ]


def _life(transitions: Mapping[str, Mapping[str, Flag]], order: Sequence[str], words: dict[Any, str] = BY) -> list[str]:
    rows = []
    for before in ["", *sorted(transitions.keys() - {""}, key=order.index)]:
        steps = transitions[before]
        by_whom: dict[Flag, list[str]] = {}
        for after, by in steps.items():
            by_whom.setdefault(by, []).append(f"`{after}`")
        shown = f"`{before}`" if before else "(nothing yet)"
        rows += [(shown, ", ".join(after), _names(by, words)) for by, after in by_whom.items()]
        rows += [(shown, "(the end)", "")] if not steps else []
    return [*_table(("from", "to", "who"), rows), ""]


def _messages() -> Iterator[str]:
    yield from ("## Messages", "")
    schemas = _schemas()
    for name, schema in schemas.items():
        if "properties" not in schema:
            continue
        yield from (f"### {name}", "")
        if told := schema.get("description"):
            yield from (told, "")
        needed = set(schema.get("required", ()))
        rows = [
            (f"`{field}`", _type(shape), "required" if field in needed else _default(shape))
            for field, shape in schema["properties"].items()
        ]
        yield from (*_table(("field", "value", ""), rows), "")


def _stored() -> list[str]:
    rows = []
    for row in topology.describe("<fleet>"):
        bounds = [f"{row['mib']} MiB"] if "mib" in row else []
        bounds += [f"{row['per_subject']} of each subject"] if row["per_subject"] > 0 else []
        bounds += [f"{row['seconds']:g} s"] if row["seconds"] else []
        full = {"refuse": "refuses", "oldest": "drops the oldest"}.get(row.get("full", ""), "")
        about = row["about"].replace("<", "&lt;") + ("; nobody deletes or purges" if row.get("protected") else "")
        rows.append((f"`{row['name']}`", about, row["storage"], ", ".join(bounds), full))
    heads = ("stream", "holds", "storage", "bounds", "when full")
    return ["## What the broker stores", "", *_table(heads, rows), "", "`roosync topology` prints it for your fleet."]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _who(kind: SubjectKind) -> str:
    told = _names(kind.who, WHO)
    return told.replace("machines", "that machine", 1) if kind.own else told


def _names(flags: Flag, words: dict[Any, str]) -> str:
    return ", ".join(words[flag] for flag in flags)


def _type(shape: dict[str, Any]) -> str:
    if "$ref" in shape:
        name = shape["$ref"].removeprefix(SCHEMAS)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in shape:
        return " or ".join(_type(one) for one in shape["anyOf"])
    if "enum" in shape:
        return ", ".join(f"`{one}`" for one in shape["enum"])
    if shape.get("type") == "array":
        return f"list of {_type(shape['items'])}" if shape.get("items") else "list"
    if shape.get("type") == "object":
        return f"map of {_type(shape['additionalProperties'])}" if shape.get("additionalProperties") else "map"
    told = "time" if shape.get("format") == "date-time" else str(shape.get("type", "any JSON"))
    limits = {"minimum": "at least {}", "maximum": "at most {}", "maxLength": "up to {} characters", "pattern": "`{}`"}
    found = [word.format(shape[key]) for key, word in limits.items() if key in shape]
    return f"{told} ({', '.join(found)})" if found else told


def _default(shape: dict[str, Any]) -> str:
    return f"else `{json.dumps(shape['default'])}`" if "default" in shape else "may be left out"


# -- the document for machines


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document: what a member of a fleet sends, and hears."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for kind in KINDS:
        sides = [("post", "send", f"Posted by {_who(kind)}; stored in {kind.stream}.")]
        if kind.republished:
            sides.append(("roosync", "receive", "What was stored, as the server republishes it."))
        for root, action, summary in sides:
            name = f"{kind.name}-{'post' if root == 'post' else 'fact'}"
            message = kind.message.__name__ if kind.message else "Content"
            channels[name] = {
                "address": _address(kind, root, "{", "}"),
                "summary": summary,
                "messages": {message: {"$ref": f"#/components/messages/{message}"}},
                "parameters": {place: {"description": PLACES[place]} for place in _places(kind)},
            }
            operations[f"{action}-{kind.name}"] = {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "roosync",
            "version": __version__,
            "description": "Written by docs/make_protocol.py. The lives of the records stand in docs/protocol.md.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": dict(_api_messages()), "schemas": _schemas()},
    }


def _api_messages() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in KINDS:
        if kind.message is None:
            told = "A content, or one part of it; its hash is in the subject and is checked by every reader."
            yield "Content", {"contentType": "application/octet-stream", "summary": told}
            continue
        headers = {name: {"type": "string", "description": told} for name, told in HEADERS.items()}
        name = kind.message.__name__
        yield (
            name,
            {
                "name": str(kind.message.__struct_config__.tag),
                "headers": {"type": "object", "properties": headers, "required": list(HEADERS)},
                "payload": {"$ref": SCHEMAS + name},
            },
        )


def _schemas() -> dict[str, Any]:
    """JSON schemas of every message and of what it is made of, by name, the messages in the order of KINDS."""
    types = [kind.message for kind in KINDS if kind.message]
    _, found = msgspec.json.schema_components(types, ref_template=SCHEMAS + "{name}")
    for schema in found.values():
        if told := schema.get("description"):  # Python 3.13 takes the indentation away itself
            schema["description"] = " ".join(inspect.cleandoc(told).split())
    first = {kind.message.__name__: found[kind.message.__name__] for kind in KINDS if kind.message}
    return {name: _portable(schema) for name, schema in (first | dict(sorted(found.items()))).items()}


def _portable(schema: Any) -> Any:
    r"""Patterns as other languages read them: the end is `$` there, and Python's `\Z` here."""
    if isinstance(schema, dict):
        return {key: _portable(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_portable(value) for value in schema]
    return schema.replace(r"\Z", "$") if isinstance(schema, str) else schema


def _places(kind: SubjectKind) -> list[str]:
    """The variable places of its subjects."""
    if kind.message is None:
        return ["fleet", "sha256", "part", "speaker"]
    return ["fleet", *(part for part in kind.about if part[0] != "="), "speaker"]


def _address(kind: SubjectKind, root: str, left: str = "<", right: str = ">") -> str:
    about = ["sha256", "part"] if kind.message is None else kind.about
    between = [part[1:] if part[0] == "=" else f"{left}{part}{right}" for part in about]
    return ".".join((root, f"{left}fleet{right}", kind.name, *between, f"{left}speaker{right}"))


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8", newline="\n")
