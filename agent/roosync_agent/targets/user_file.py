"""One target that a person declares in a TOML file: checked strictly, and made a declaration like the shipped ones.

An unknown key, a file outside of the managed folders, a pattern that can mean nothing: each is an error that names the
file, the line and the key. Imported when there is such a file; the reference for people is docs/own-targets.md.
"""

import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from roosync_agent.files.safe_names import safe_relative
from roosync_agent.targets.base import Group, TargetSpec
from roosync_agent.targets.marks import Marks
from roosync_agent.targets.parts import Part
from roosync_protocol.documents import sniff
from roosync_protocol.entity import Kind
from roosync_protocol.risk import Risk
from roosync_protocol.servers import Dialect, Servers

MAX_BYTES = 64 * 1024
ROOTS = ("{home}", "{settings}", "{codex}", "{vscode_user}", "{workspace}")
SYSTEMS = {"windows": "windows", "macos": "macos", "posix": "linux"}  # ours -> as people call them
KINDS = {"setting": Kind.SETTING, "mcp": Kind.MCP_SERVER, "mode": Kind.MODE, "text": Kind.TEXT}
GROUPS = {"setting": Group.SETTINGS, "mcp": Group.MCP, "mode": Group.MODES, "text": Group.RULES}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}\.[a-z0-9][a-z0-9-]{0,30}")

Word = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[list[Word], Field(max_length=200)]
Class = Literal["medium", "high", "critical"]


class OwnTargetError(ValueError):
    """What is wrong with the file: the text names line and key, and is safe to be shown."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _PerSystem(_Section):
    windows: Word | None = None
    macos: Word | None = None
    linux: Word | None = None


class _Dialect(_Section):
    """See `roosync_protocol.servers.Dialect`."""

    env: Word = "env"
    headers: Word = "headers"
    cwd: Word = "cwd"
    urls: Annotated[dict[Word, Literal["", "http", "sse"]], Field(min_length=1, max_length=5)] | None = None
    words: Annotated[dict[Literal["http", "sse"], Word], Field(max_length=2)] | None = None
    reads: Annotated[dict[Word, Literal["http", "sse"]], Field(max_length=20)] | None = None
    remote: Literal["", "http", "sse"] = ""
    local: Annotated[str, Field(max_length=200)] = ""
    line: bool = False
    enabled: bool = False
    reference: Literal["", "${env:%s}", "${%s}", "$%s", "{env:%s}"] = "${env:%s}"

    def made(self, named: str) -> Dialect:
        given = self.model_dump(exclude_none=True)
        if self.urls is not None:
            given["urls"] = tuple(self.urls.items())
        return Dialect(named=named, **given)


class OwnTarget(_Section):
    name: Word
    assistant: Word | None = None
    group: Group | None = Field(default=None, strict=False)
    kind: Literal["setting", "mcp", "mode", "text"] = "setting"
    file: Word | _PerSystem | None = None
    folder: Word | _PerSystem | None = None
    tree: Words = []
    signs: Words = []
    format: Literal["json", "jsonc", "yaml", "toml"] | None = None
    container: Annotated[list[Word], Field(max_length=10)] = []
    identity: Word | None = None
    keys: Words | None = None
    private: bool = True
    locks: bool = False
    secret: Words = []
    public: Words = []
    path: Words = []
    not_path: Words = []
    risk: Annotated[dict[Word, Class], Field(max_length=200)] = {}
    dialect: _Dialect | None = None

    @field_validator("name")
    @classmethod
    def _named(cls, given: str) -> str:
        if not _NAME.fullmatch(given):
            raise ValueError(f"{given!r} should be two words with a dot, such as aider.config: a-z, 0-9 and - in them")
        return given

    @field_validator("container", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        """`a.b` and ["a", "b"] are one place."""
        return given.split(".") if isinstance(given, str) else given

    @field_validator("signs")
    @classmethod
    def _signs(cls, given: list[str]) -> list[str]:
        return [_place(one) for one in given]

    @field_validator("tree")
    @classmethod
    def _patterns(cls, given: list[str]) -> list[str]:
        for pattern in given:
            top, deep, rest = pattern.partition("/")
            if (deep and rest != "**") or (not deep and "*" in top):
                raise ValueError(f"{pattern!r} should be the name of a file, or of a folder with /** behind it")
            safe_relative(top.replace("*", "x"))
        return given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        is_text = self.kind == "text"
        needed, other = ("folder", "file") if is_text else ("file", "folder")
        if getattr(self, needed) is None or getattr(self, other) is not None or is_text != bool(self.tree):
            raise ValueError('kind = "text" has folder and tree; every other kind has file')
        if self.kind == "setting" and not self.identity and self.keys is None:
            raise ValueError('keys is missing: name those that are to be kept in step, or say keys = ["*"] for each')
        if self.kind == "mode" and not self.identity:
            raise ValueError("identity is missing: the field that names a mode")
        if self.dialect and self.kind != "mcp":
            raise ValueError('dialect is for kind = "mcp"')
        inside = ("format", "container", "identity", "keys", "secret", "public", "path", "not_path", "locks")
        if is_text and (given := [one for one in inside if one in self.model_fields_set]):
            raise ValueError(f"{given[0]} is for files with fields; a text is one whole")
        return self


class Elsewhere(NamedTuple):
    """A declaration that names no file for this system."""

    name: str


def spec_of(data: bytes, system: str) -> TargetSpec | Elsewhere:
    """The declaration in a file's bytes, for one system (as `Layout.places.os`). OwnTargetError says what is wrong."""
    try:
        text = data.decode("utf-8-sig")
        found = OwnTarget.model_validate(tomllib.loads(text))
        return _spec(found, SYSTEMS[system])
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = [str(step) for step in first["loc"] if step not in ("str", "_PerSystem")]
        told = _no_such(where) if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise OwnTargetError(_located(text, where) + told[:1].lower() + told[1:]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OwnTargetError(f"it can not be read as TOML: {error}") from None
    except ValueError as error:
        raise OwnTargetError(str(error)) from None


def _no_such(where: Sequence[str]) -> str:
    known = _Dialect.model_fields if where[0] == "dialect" else OwnTarget.model_fields
    near = get_close_matches(where[-1], known, 1)
    return f"there is no such key; did you mean {near[0]}?" if near else f"there is no such key: {', '.join(known)}"


def _spec(found: OwnTarget, system: str) -> TargetSpec | Elsewhere:
    given = found.folder if found.kind == "text" else found.file
    place = given if isinstance(given, str | None) else getattr(given, system)
    named = {one for one in (given.model_dump().values() if isinstance(given, _PerSystem) else [given]) if one}
    for one in sorted(named):
        _place(one)
        if found.kind != "text":
            _split_place(one)
    if not named:
        raise ValueError("it names no file for any system")
    if place is None:
        return Elsewhere(found.name)
    folder, file = (place, "") if found.kind == "text" else _split_place(place)
    identity = found.identity or ""
    keys = None if found.keys is None else frozenset(found.keys)
    form = Servers((found.dialect or _Dialect()).made(identity)) if found.kind == "mcp" else None
    return TargetSpec(
        name=found.name,
        assistant=found.assistant or found.name.split(".")[0],
        group=found.group or GROUPS[found.kind],
        kind=KINDS[found.kind],
        folder=folder,
        file=file,
        format=found.format or _format(found, sorted(named)),
        parts=(Part(container=tuple(found.container), identity=identity, keys=keys),),
        form=form,
        tree=tuple(found.tree),
        signs=tuple(found.signs),
        private=found.private,
        locks=found.locks,
        marks=Marks(
            secret=tuple(found.secret),
            public=tuple(found.public),
            path=tuple(found.path),
            not_path=tuple(found.not_path),
            risk=tuple((pattern, Risk[name.upper()]) for pattern, name in found.risk.items()),
        ),
        own=True,
    )


def _place(given: str) -> str:
    """A place below one of the managed folders; ValueError for anything that could be elsewhere, on any system."""
    root, _, rest = given.partition("/")
    if root not in ROOTS:
        raise ValueError(f"{given!r} should begin with one of {', '.join(ROOTS)}")
    if rest:
        safe_relative(rest)
    return given


def _split_place(place: str) -> tuple[str, str]:
    folder, slash, file = place.rpartition("/")
    if not slash:
        raise ValueError(f"{place!r} is a folder, and a file is needed")
    return folder, file


def _format(found: OwnTarget, places: Sequence[str]) -> str:
    if found.kind == "text":
        return "text"
    formats = {sniff(b"", place) for place in places}
    if len(formats) != 1 or not formats <= {"json", "jsonc", "yaml", "toml"}:
        raise ValueError("format is missing: json, jsonc, yaml or toml, where the file's name does not say it")
    return formats.pop()


def _located(text: str, where: Sequence[str]) -> str:
    """`line 7: risk.args: `, as far as the text shows where that is."""
    at = 0
    lines = text.splitlines()
    for step in where:
        name = rf"[\"']?{re.escape(step)}[\"']?"
        pattern = re.compile(rf"\s*(\[+\s*(?:[^\]]*\.)?{name}\s*\]+|{name}\s*[.=]|.*[{{,]\s*{name}\s*=)")
        at = next((n for n, line in enumerate(lines[max(at - 1, 0) :], max(at, 1)) if pattern.match(line)), at)
    return (f"line {at}: " if at else "") + (f"{'.'.join(where)}: " if where else "")
