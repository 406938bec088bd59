"""Secrets never leave: what goes out has references where the secrets stand, and only their machine keeps them.

    {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}                                     the whole string
    {"$parts": ["postgres://u:", {"$secret": "roo.mcp/db/env/URL/password"}, "@h/d"]}  a part of one

An address is the entity's key and the path in it (RFC 6901 escapes), with the switch's name instead of an index
in arguments, so that the same server has the same addresses on every machine. `hide` and `reveal` invert each
other exactly. A user's own map with a key `$secret` or `$parts` gets one `$` more in the public form.
"""

import json
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from roosync_protocol.entity import Entity
from roosync_protocol.names import Value
from roosync_protocol.secrets import rules
from roosync_protocol.secrets.hiding import ESCAPED, NO_STRING, PARTS, SECRET, Hiding
from roosync_protocol.secrets.names import fold, may_be_file, says_secret
from roosync_protocol.secrets.text import scrub, text_spans
from roosync_protocol.secrets.values import is_key_file, is_reference

__all__ = ["ForeignSecretError", "MissingSecretError", "addresses", "find_secrets", "hide", "reveal", "scrub"]

Path = tuple[str, ...]


class MissingSecretError(LookupError):
    """This machine has no value for `addresses`: a person sets them here, then applies again."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__(
            f"the machine has no value for {', '.join(addresses)}. There, run `roosync secrets set` with that name, or "
            "write the entry into the file by hand with a value of your own; then approve it again"
        )
        self.addresses = list(addresses)


class ForeignSecretError(ValueError):
    """A public value asks for a secret of another entity, or has a reference that is none: it is refused."""


def hide(entity: Entity, public_names: frozenset[str] = frozenset()) -> tuple[Entity, dict[str, str]]:
    """The public entity, and the local secrets by address. `public_names`: the user's own list, in any case."""
    hiding = Hiding(entity, frozenset(map(fold, public_names)))
    return replace(entity, value=hiding.top()), hiding.secrets


def reveal(entity: Entity, secrets: Mapping[str, str]) -> Entity:
    """The local entity. MissingSecretError names what this machine has not; ForeignSecretError a forged reference.

    Only the entity's own secrets are put in: otherwise a baseline could send one server's token to another.
    """
    wanted = addresses(entity.value)
    foreign = [a for a in wanted if a != entity.key and not a.startswith(f"{entity.key}/")]
    if foreign:
        raise ForeignSecretError(f"{entity.key} asks for the secret of another entity: {', '.join(foreign)}")
    missing = [address for address in wanted if address not in secrets]
    if missing:
        raise MissingSecretError(missing)
    return replace(entity, value=_revealed(entity.value, secrets))


def addresses(value: Value) -> list[str]:
    """The addresses of the secrets in a public value, each once, in order."""
    found: dict[str, None] = {}

    def walk(value: Value) -> None:
        match value:
            case {"$secret": str() as address, **others} if not others:
                found[address] = None
            case dict():
                for inner in value.values():
                    walk(inner)
            case list():
                for inner in value:
                    walk(inner)

    walk(value)
    return list(found)


def find_secrets(value: Value, public_names: frozenset[str] = frozenset()) -> list[str]:
    """Where a public value still looks secret: paths such as `env/TOKEN`. The gate before anything is published.

    Looks at every string and every name in the value with the rules that need no context, whatever its kind.
    """
    found: list[str] = []
    allowed = frozenset(map(fold, public_names))

    def walk(value: Value, path: Path) -> None:
        match value:
            case {"$secret": str(), **others} if not others:
                return
            case {"$parts": list() as parts, **others} if not others:
                if any(isinstance(part, str) and text_spans(part, prose=True) for part in parts):
                    found.append("/".join(path))
            case dict():
                for name, inner in value.items():
                    shown = (*path, "(a name)" if text_spans(name, prose=True) else name)
                    if shown[-1] != name:
                        found.append("/".join(shown))
                    walk(inner, shown)
            case list():
                for at, inner in enumerate(value):
                    walk(inner, (*path, str(at)))
            case str():
                if _still_secret(value, path, allowed):
                    found.append("/".join(path))

    walk(value, ())
    return found


def _still_secret(text: str, path: Path, public_names: frozenset[str]) -> bool:
    name = next((part for part in reversed(path) if not part.isdigit()), "")
    if any(span.label != "random" for span in text_spans(text, prose=True)):
        return True
    if fold(name) in public_names or not text.strip() or is_reference(text) or text in rules.ANSWERS:
        return False
    if may_be_file(name) and is_key_file(text):
        return False
    if says_secret(name) and not any(fold(part) in rules.NAMES_OF_VARIABLES for part in path):
        return True
    return bool(text_spans(text, prose=True))


def _revealed(value: Value, secrets: Mapping[str, str]) -> Value:
    if isinstance(value, list):
        return [_revealed(inner, secrets) for inner in value]
    if not isinstance(value, dict):
        return value
    if SECRET in value:
        return _local(value, secrets)
    if PARTS in value:
        parts = value[PARTS]
        if len(value) != 1 or not isinstance(parts, list):
            raise ForeignSecretError(f"a map with {PARTS!r} is no reference to parts of a string")
        texts = [_local(part, secrets) if isinstance(part, dict) else part for part in parts]
        if not all(isinstance(text, str) for text in texts):
            raise ForeignSecretError("a part of a string is no string")
        return "".join(map(str, texts))
    return {_unescape(key): _revealed(inner, secrets) for key, inner in value.items()}


def _local(reference: dict[str, Value], secrets: Mapping[str, str]) -> Value:
    address = reference.get(SECRET)
    if len(reference) != 1 or not isinstance(address, str):
        raise ForeignSecretError(f"a map with {SECRET!r} is no reference to a secret")
    stored = secrets[address]
    value: Value = json.loads(stored[len(NO_STRING) :]) if stored.startswith(NO_STRING) else stored
    return value


def _unescape(key: str) -> str:
    return key[1:] if key.startswith("$$") and ESCAPED.match(key) else key
