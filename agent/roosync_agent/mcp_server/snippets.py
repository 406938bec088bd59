"""How an assistant is told about `roosync mcp`: the entry for its own file, spelled as that assistant spells servers.

Nothing here knows an assistant: the declarations of `targets` say which file holds its MCP servers and in which
dialect, so an assistant that is managed can also be told. Nothing is written; the person pastes the entry, or runs
the command beside it, which edits the file in place and keeps a backup.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from shutil import which

from msgspec import Struct

from roosync_agent.collecting.local import Local
from roosync_agent.settings import Settings
from roosync_agent.targets import TABLE, Target, TargetSpec, locate
from roosync_agent.targets.parts import spot
from roosync_protocol.documents import Document, Set, edit, parse
from roosync_protocol.entity import Kind
from roosync_protocol.forms import FormError
from roosync_protocol.names import Value

NAME = "roosync"  # of the server, in every assistant's file
# Assistants hand on little of the environment; these say which machine it is. None of them is a secret.
HANDED_ON = ("ROOSYNC_STATE", "ROOSYNC_CONFIG", "ROOSYNC_HOME")
TOKEN_VARIABLE = "ROOSYNC_MCP_TOKEN"  # noqa: S105 - the name of a variable
# Assistants with a command of their own for it; the line is made of the words and the server's own command line.
OWN_COMMANDS = {
    "claude.mcp": ("claude", "mcp", "add", "--scope", "user"),
    "codex.mcp": ("codex", "mcp", "add"),
    "gemini.mcp": ("gemini", "mcp", "add", "--scope", "user"),
}


class Snippet(Struct, frozen=True, kw_only=True):
    """One assistant's entry, and where it goes."""

    assistant: str  # as `mcp config` takes it: the first part of the target's name
    title: str  # as a person calls it
    target: str
    here: bool  # is the assistant on this machine?
    there: bool  # has its file an entry of this name already?
    file: str
    format: str
    text: str  # the file as it would be, had it nothing else in it
    edit: str  # the command that puts it into the file
    add: str = ""  # the assistant's own command for it, where it has one


def server(command: Iterable[str], environ: Mapping[str, str]) -> dict[str, Value]:
    """The server in the common form: the absolute command line, and the variables that say which machine."""
    program, *words = command
    value: dict[str, Value] = {"command": program, "args": [*words, "mcp"]}
    env: dict[str, Value] = {name: environ[name] for name in HANDED_ON if environ.get(name)}
    return value | {"env": env} if env else value


def remote(url: str) -> dict[str, Value]:
    """The same over HTTP; the token stays in a variable of the environment, so no file has it."""
    return {"type": "http", "url": url, "headers": {"Authorization": f"Bearer ${{env:{TOKEN_VARIABLE}}}"}}


def own_command() -> list[str]:
    """How this roosync is started, absolute: an assistant's PATH is not the person's."""
    beside = Path(sys.executable).parent / ("roosync.exe" if os.name == "nt" else "roosync")
    found = which("roosync") or ""
    for program in (Path(sys.argv[0]).absolute() if sys.argv[0] else beside, beside, Path(found) if found else beside):
        if program.stem == "roosync" and program.is_file():
            return [str(program)]
    return [sys.executable, "-m", "roosync_agent"]


def snippets(settings: Settings, value: dict[str, Value], wanted: str = "") -> list[Snippet]:
    """Of one assistant, or of all that are found here. ValueError for one that nobody knows, with the nearest names."""
    specs = [spec for spec in TABLE if _tells(spec)]
    chosen = [spec for spec in specs if wanted in _names(spec)] if wanted else specs
    if not chosen:
        raise ValueError(_unknown(wanted, specs))
    local = Local.by_last_law(settings)
    layout = local.layout()
    found = [target for spec in chosen for target in locate(spec, layout, local.door)]
    if not wanted or any(target.present for target in found):
        found = [target for target in found if target.present]
    return [_snippet(target, value, local) for target in found]


def assistants() -> list[str]:
    """The names that `snippets` takes."""
    return sorted({spec.name.split(".")[0] for spec in TABLE if _tells(spec)})


# -- inside


def _tells(spec: TargetSpec) -> bool:
    """Holds it the servers of a person, and not of one project?"""
    return spec.kind is Kind.MCP_SERVER and "{workspace}" not in spec.folder


def _names(spec: TargetSpec) -> set[str]:
    title = spec.assistant.lower()
    return {spec.name, spec.name.split(".")[0], title, title.replace(" ", "-")}


def _unknown(wanted: str, specs: list[TargetSpec]) -> str:
    known = sorted({name for spec in specs for name in _names(spec) - {spec.name}})
    near = get_close_matches(wanted.lower(), known, 2, 0.5)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return f"{wanted!r} is no assistant that holds MCP servers; known are {', '.join(assistants())}{hint}"


def _snippet(target: Target, value: dict[str, Value], local: Local) -> Snippet:
    spec = target.spec
    now = _now(target, local)
    fresh = parse(b"", "jsonc" if spec.format == "sniff" else spec.format)
    spelled = _spelled(spec, value, fresh.value)
    made = _with(fresh, spec, spelled)
    path = shlex.quote(str(target.file))
    return Snippet(
        assistant=spec.name.split(".")[0],
        title=spec.assistant,
        target=target.name,
        here=target.present,
        there=now is not None and NAME in spot(spec, now.value, NAME).names,
        file=str(target.file),
        format=fresh.format,
        text=made.text if made.text.endswith("\n") else made.text + "\n",
        edit=f"roosync edit {path} {_edit(spec, now or fresh, spelled)}",
        add=_own(spec, value),
    )


def _spelled(spec: TargetSpec, value: dict[str, Value], whole: Value) -> Value:
    if spec.form is None:
        return value
    try:
        return spec.form.spelled(NAME, value, None, whole)
    except FormError:  # it puts no variable into a header: the person writes the token there
        return spec.form.spelled(NAME, value | {"headers": {"Authorization": "Bearer <the token>"}}, None, whole)


def _now(target: Target, local: Local) -> Document | None:
    """The file as it is; None when there is none, or nobody can read it."""
    try:
        data = local.door.read(target.file).data
        document = parse(data, target.spec.format) if data is not None else None
        if document is not None:
            spot(target.spec, document.value, NAME)
    except (OSError, ValueError):
        return None
    return document


def _with(document: Document, spec: TargetSpec, spelled: Value) -> Document:
    at = spot(spec, document.value, NAME)
    end: tuple[str | int, ...] = (len(at.names),) if at.part.identity else (at.inner,)
    return edit(document, [Set((*at.part.container, *end), spelled)])


def _edit(spec: TargetSpec, now: Document, spelled: Value) -> str:
    """The arguments for `roosync edit` that put it there, or replace what is there."""
    at = spot(spec, now.value, NAME)
    place = ".".join(at.part.container)
    said = shlex.quote(json.dumps(spelled, ensure_ascii=False))
    if not at.part.identity:
        return f"--set {place}.{NAME} {said}"
    if NAME in at.names:
        return f"--set {shlex.quote(f'{place}[{at.part.identity}={NAME}]')} {said}"
    if at.names:
        return f"--insert {place} {said}"
    return f"--set {place} {shlex.quote(json.dumps([spelled], ensure_ascii=False))}"


def _own(spec: TargetSpec, value: dict[str, Value]) -> str:
    words = OWN_COMMANDS.get(spec.name)
    program, given = value.get("command"), value.get("args")
    if words is None or not isinstance(program, str) or not isinstance(given, list):
        return ""
    env = value.get("env")
    mark = "-e" if words[0] == "gemini" else "--env"
    said = [part for name, one in (env.items() if isinstance(env, dict) else ()) for part in (mark, f"{name}={one}")]
    line = [NAME, program, *map(str, given)] if words[0] == "gemini" else [NAME, "--", program, *map(str, given)]
    return shlex.join([*words, *said, *line])
