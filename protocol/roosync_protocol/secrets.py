"""Secrets never leave: what goes out has references where the secrets stand, and only their machine keeps them."""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from roosync_protocol.entity import Entity
from roosync_protocol.names import Value

_VENDOR = re.compile(r"\b(?:gh[pousr]_|github_pat_|sk-|glpat-|xox[abp]-|AKIA|hf_|npm_)[A-Za-z0-9_-]{12,}")
_NAME = re.compile(r"(?i)(?:^|[_-])(?:token|secret|password|api_?key)$|authorization|apiKey$")


class MissingSecretError(LookupError):
    """The machine has no value for these addresses: a person sets them there, then applies again."""

    def __init__(self, addresses: list[str]) -> None:
        super().__init__("this machine has no value for " + ", ".join(addresses))
        self.addresses = addresses


def hide(entity: Entity, public_names: frozenset[str] = frozenset()) -> tuple[Entity, dict[str, str]]:
    secrets: dict[str, str] = {}

    def walk(value: Value, address: str) -> Value:
        if isinstance(value, dict):
            return {k: walk(v, f"{address}/{k}") for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v, f"{address}/{i}") for i, v in enumerate(value)]
        name = address.rsplit("/", 1)[-1]
        if isinstance(value, str) and value and (_VENDOR.search(value) or _NAME.search(name)) and "{" not in value:
            secrets[address] = value
            return {"$secret": address}
        return value

    return replace(entity, value=walk(entity.value, entity.key)), secrets


def reveal(entity: Entity, secrets: Mapping[str, str]) -> Entity:
    missing = [a for a in addresses(entity.value) if a not in secrets]
    if missing:
        raise MissingSecretError(missing)

    def walk(value: Value) -> Value:
        if isinstance(value, dict):
            address = value.get("$secret")
            return secrets[address] if isinstance(address, str) else {k: walk(v) for k, v in value.items()}
        return [walk(v) for v in value] if isinstance(value, list) else value

    return replace(entity, value=walk(entity.value))


def addresses(value: Value) -> list[str]:
    if isinstance(value, dict):
        address = value.get("$secret")
        return [address] if isinstance(address, str) else [a for v in value.values() for a in addresses(v)]
    return [a for v in value for a in addresses(v)] if isinstance(value, list) else []


def scrub(text: str) -> str:
    return _VENDOR.sub("[hidden]", text)


def find_secrets(value: Value, public_names: frozenset[str] = frozenset()) -> list[str]:
    if isinstance(value, dict):
        return [f"{k}/{f}".rstrip("/") for k, v in value.items() for f in find_secrets(v)]
    if isinstance(value, list):
        return [f"{i}/{f}".rstrip("/") for i, v in enumerate(value) for f in find_secrets(v)]
    return [""] if isinstance(value, str) and _VENDOR.search(value) else []
