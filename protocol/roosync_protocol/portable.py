"""Paths that mean the same place on every machine: tokens in what travels, real paths in what is written."""

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.entity import Entity
from roosync_protocol.names import Value


class UnknownTokenError(LookupError):
    """The entity speaks of places that this machine does not have: a person names them in its settings."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("this machine does not know the place " + ", ".join(f"${{{n}}}" for n in names))
        self.names = names


class Places(Struct, frozen=True, kw_only=True):
    os: str
    home: str
    appdata: str = ""
    vscode_user: str = ""
    python: str = ""
    node: str = ""
    workspaces: dict[str, str] = {}
    custom: dict[str, str] = {}


def path_portable(path: str, places: Places) -> str:
    if places.home and path.startswith(places.home):
        return "${home}" + path[len(places.home) :].replace("\\", "/")
    return path


def to_portable(entity: Entity, places: Places) -> Entity:
    def walk(value: Value) -> Value:
        if isinstance(value, dict):
            return value if "$secret" in value else {k: walk(v) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v) for v in value]
        return path_portable(value, places) if isinstance(value, str) and "\n" not in value else value

    return replace(entity, value=walk(entity.value))


def to_local(entity: Entity, places: Places) -> Entity:
    def walk(value: Value) -> Value:
        if isinstance(value, dict):
            return value if "$secret" in value else {k: walk(v) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v) for v in value]
        return value.replace("${home}", places.home) if isinstance(value, str) else value

    return replace(entity, value=walk(entity.value))
