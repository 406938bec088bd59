"""Paths that mean the same place on every machine: tokens in what travels, real paths in what is written.

    C:\\Users\\x\\mcp\\a.js  ->  ${home}/mcp/a.js  ->  /home/y/mcp/a.js

Tokens, longest place first: ${home} ${appdata} ${vscode_user} ${workspace:<name>} ${python} ${node}, and a user's
own ${place:<name>}. On Linux `~/.config` is named from the home folder, as macOS has it too. No template language:
a token stands where a path begins, and only a path that really begins at one of this machine's places becomes one.
A literal text of that form in a user's file gets one more `$`.

On one machine `to_local(to_portable(e))` equals `e` up to these spellings, and never differs otherwise: under a
place, `/` or `\\` as the system has it; `~`, `$HOME`, `%USERPROFILE%`, `/c/Users/x`, `/mnt/c/Users/x` become the
place's own absolute path; letter case of the place on Windows; `cmd /c npx` for `npx` on Windows, and the plain
command elsewhere. An unchanged entity is still never rewritten, because public forms are what is compared.
`to_portable(to_local(p)) == settled(p)`: the form in which an applied entity is collected again.
"""

import re
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.servers import common_form
from roosync_protocol.spelling import Spelling, is_absolute, matcher, plain_command, shimmed_command

# Here a string is prose, a pattern or a name; nothing in it is a path of this machine.
NOT_PATHS = frozenset(
    {"roleDefinition", "customInstructions", "whenToUse", "description", "fileRegex", "name", "slug", "prompt"}
)
_TOKEN = re.compile(r"(\$+)\{(home|appdata|vscode_user|python|node|(?:workspace|place):[^{}\n]{1,100})\}")


class UnknownTokenError(LookupError):
    """The entity speaks of `names`, places that this machine does not have: a person names them in its settings."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("this machine does not know the place " + ", ".join(f"${{{name}}}" for name in names))
        self.names = names


class Places(Struct, frozen=True, kw_only=True):
    """Where things are on one machine: absolute paths as its system spells them; "" for what it does not have."""

    os: str  # "windows", "posix" or "macos"
    home: str
    appdata: str = ""
    vscode_user: str = ""
    python: str = ""  # the interpreter itself
    node: str = ""
    workspaces: dict[str, str] = {}
    custom: dict[str, str] = {}

    def named(self) -> dict[str, str]:
        """Token -> path. The order decides between places that are one."""
        fixed = {name: getattr(self, name) for name in ("home", "appdata", "vscode_user", "python", "node")}
        ours = {f"workspace:{name}": path for name, path in self.workspaces.items()}
        own = {f"place:{name}": path for name, path in self.custom.items()}
        return {name: path for name, path in {**fixed, **ours, **own}.items() if is_absolute(path)}


def path_portable(path: str, places: Places) -> str:
    """One path for people and manifests: with its token, and always with `/`."""
    spelling = _spelling(places)
    found = spelling.path(path)
    shown = path if found is None else found
    return shown.replace("\\", "/") if spelling.windows else shown


def to_portable(entity: Entity, places: Places) -> Entity:
    """Tokens for the paths, and the plain spelling of a command. References to secrets are not touched."""
    spelling = _spelling(places)

    def text(value: str, is_path: bool) -> str:
        escaped = _TOKEN.sub(lambda m: "$" + m.group(), value) if "${" in value else value
        return spelling.shorten(escaped) if is_path else escaped

    value = _walk(entity.value, text, entity.kind is not Kind.TEXT)
    return replace(entity, value=plain_command(value) if entity.kind is Kind.MCP_SERVER else value)


def to_local(entity: Entity, places: Places) -> Entity:
    """Real paths for the tokens, and a server in common form whoever wrote it down.

    UnknownTokenError names the places that this machine lacks; FormError says how a server contradicts itself.
    """
    spelling = _spelling(places)
    known = places.named()
    unknown: dict[str, None] = {}

    def text(value: str, is_path: bool) -> str:
        if "${" not in value:
            return value
        for found in _TOKEN.finditer(value):
            if len(found[1]) == 1 and found[2] not in known:
                unknown[found[2]] = None
        return spelling.expand(value, _TOKEN, known)

    value = _walk(entity.value, text, True)
    if unknown:
        raise UnknownTokenError(list(unknown))
    if entity.kind is Kind.MCP_SERVER:
        value = common_form(value)
        value = shimmed_command(value) if spelling.windows else value
    return replace(entity, value=value)


def settled(entity: Entity, places: Places) -> Entity:
    """The public form in which this machine collects `entity` again after it was applied.

    It differs from the entity when two of this machine's places lie in each other and another machine's do
    not (a workspace under the home); compare with this one after writing.
    """
    return to_portable(to_local(entity, places), places)


def _spelling(places: Places) -> Spelling:
    return matcher(places.os, tuple(places.named().items()))


def _walk(value: Value, text: Callable[[str, bool], str], is_path: bool) -> Value:
    match value:
        case str():
            return text(value, is_path)
        case list():
            return [_walk(inner, text, is_path) for inner in value]
        case {"$secret": str(), **others} if not others:
            return value
        case {"$parts": list() as parts, **others} if not others:
            return {"$parts": [_walk(part, text, is_path and at == 0) for at, part in enumerate(parts)]}
        case dict():
            return {key: _walk(inner, text, is_path and key not in NOT_PATHS) for key, inner in value.items()}
    return value
