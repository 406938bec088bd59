"""Secrets never leave: what goes out has references where the secrets stand, and only their machine keeps them.

    {"$secret": "roo.mcp/github/env/GITHUB_TOKEN"}                                     the whole string
    {"$parts": ["postgres://u:", {"$secret": "roo.mcp/db/env/URL/password"}, "@h/d"]}  a part of one

An address is the entity's key and the path in it (RFC 6901 escapes), with the switch's name instead of an index
in arguments, so that the same server has the same addresses on every machine. `hide` and `reveal` invert each
other exactly. A user's own map with a key `$secret` or `$parts` gets one `$` more in the public form.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from roosync_protocol import secret_rules as rules
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.secret_arguments import argument_spans, command_spans
from roosync_protocol.secret_names import fold, is_count, says_secret
from roosync_protocol.secret_shapes import is_url, url_spans, value_spans
from roosync_protocol.secret_text import Span, merged, scrub, text_spans
from roosync_protocol.secret_values import is_reference

__all__ = ["ForeignSecretError", "MissingSecretError", "addresses", "find_secrets", "hide", "reveal", "scrub"]

SECRET, PARTS = "$secret", "$parts"
_ESCAPED = re.compile(r"\$+(?:secret|parts)\Z")
_NO_STRING = "\x00json:"  # before a local secret that is no string: a number, a map with a secret for a key
_VARIABLE = re.compile(r"([A-Za-z_]\w{0,80})=(.*)\Z", re.DOTALL)

Path = tuple[str, ...]


class MissingSecretError(LookupError):
    """This machine has no value for `addresses`: a person sets them here, then applies again."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__("this machine has no value for " + ", ".join(addresses))
        self.addresses = list(addresses)


class ForeignSecretError(ValueError):
    """A public value asks for a secret of another entity, or has a reference that is none: it is refused."""


def hide(entity: Entity, public_names: frozenset[str] = frozenset()) -> tuple[Entity, dict[str, str]]:
    """The public entity, and the local secrets by address. `public_names`: the user's own list, in any case."""
    hiding = _Hiding(entity, frozenset(map(fold, public_names)))
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
    if fold(name) in public_names or not text.strip() or is_reference(text):
        return False
    if says_secret(name) and not any(fold(part) in rules.NAMES_OF_VARIABLES for part in path):
        return True
    return bool(text_spans(text, prose=True))


class _Hiding:
    """One walk over one entity; keeps what was hidden and which addresses are taken."""

    def __init__(self, entity: Entity, public_names: frozenset[str]) -> None:
        self.entity = entity
        self.public_names = public_names
        self.secrets: dict[str, str] = {}

    def top(self) -> Value:
        entity = self.entity
        name = entity.name if entity.kind is Kind.SETTING and "/" in entity.key else ""
        if entity.kind is Kind.TEXT and isinstance(entity.value, str):
            return self.text(entity.value, (), lambda text: text_spans(text, prose=True), prose=True)
        strict = any(fold(part) in rules.STRUCTURAL for part in name.split("."))
        return self.any(entity.value, (), name, strict=strict)

    def any(self, value: Value, path: Path, name: str, *, strict: bool) -> Value:
        strict = strict or says_secret(name)
        match value:
            case dict():
                if any(text_spans(key, prose=True) for key in value):
                    return self.whole(value, path)
                return {_escape(key): self.field(key, inner, path, strict=strict) for key, inner in value.items()}
            case list():
                return [self.element(inner, (*path, str(at)), name, strict=strict) for at, inner in enumerate(value)]
            case str():
                return self.text(value, path, lambda text: self.spans(text, name, strict=strict), name=name)
            case bool() | None:
                return value
        return self.whole(value, path) if says_secret(name) and not is_count(name) else value

    def field(self, key: str, value: Value, path: Path, *, strict: bool) -> Value:
        path, field = (*path, key), fold(key)
        if field in rules.NAMES_OF_VARIABLES:
            return self.variables(value, path)
        if isinstance(value, list) and (field in rules.ARGUMENTS or field in rules.COMMANDS):
            return self.arguments(value, path)
        if isinstance(value, str) and not strict:
            if field.replace("_", "") in rules.PROSE_FIELDS:
                return self.text(value, path, lambda text: text_spans(text, prose=True), prose=True)
            if field in rules.COMMANDS:
                return self.text(value, path, lambda text: command_spans(text, self.public_names))
        return self.any(value, path, key, strict=strict or field in rules.STRUCTURAL)

    def element(self, value: Value, path: Path, name: str, *, strict: bool) -> Value:
        if strict and isinstance(value, str) and (variable := _VARIABLE.match(value)) and not says_secret(name):
            at = variable.start(2)
            spans = value_spans(variable[1], variable[2], self.public_names)  # env: ["KEY=value"]
            named = [Span(at + s.start, at + s.end, variable[1] + (f"/{s.label}" if s.label else "")) for s in spans]
            return self.text(value, path[:-1], lambda _: named)
        return self.any(value, path, name, strict=strict)

    def spans(self, text: str, name: str, *, strict: bool) -> list[Span]:
        if strict:
            return value_spans(name, text, self.public_names)
        if is_url(text):
            return url_spans(text, strict=self.entity.kind is Kind.MCP_SERVER)
        return text_spans(text)

    def variables(self, value: Value, path: Path) -> Value:
        """Names of environment variables stand here as values; only what has a vendor's mark is hidden."""
        match value:
            case dict():
                if any(text_spans(key, prose=True) for key in value):
                    return self.whole(value, path)
                return {_escape(key): self.variables(inner, (*path, key)) for key, inner in value.items()}
            case list():
                return [self.variables(inner, (*path, str(at))) for at, inner in enumerate(value)]
            case str():
                return self.text(value, path, text_spans)
        return value

    def arguments(self, values: list[Value], path: Path) -> Value:
        result: list[Value] = []
        for at, (value, spans) in enumerate(zip(values, argument_spans(values, self.public_names), strict=True)):
            if isinstance(value, str):
                named = [s if s.label else Span(s.start, s.end, "argument") for s in spans]
                result.append(self.text(value, path, lambda _, named=named: named))  # type: ignore[misc]
            elif isinstance(value, dict | list):
                result.append(self.any(value, (*path, str(at)), "", strict=False))
            else:
                result.append(self.whole(value, (*path, spans[0].label)) if spans and value is not None else value)
        return result

    def text(
        self, text: str, path: Path, find: Callable[[str], list[Span]], *, name: str = "", prose: bool = False
    ) -> Value:
        spans = find(text)
        if fold(name) not in self.public_names:
            spans = self.closed(text, spans, prose=prose)
        if not spans:
            return text
        if (spans[0].start, spans[0].end) == (0, len(text)):
            return self.whole(text, (*path, *_label(spans[0].label)) if self.needs_label(spans[0], name) else path)
        parts: list[Value] = []
        at = 0
        for span in spans:
            parts += [text[at : span.start]] if at < span.start else []
            parts.append(self.whole(text[span.start : span.end], (*path, *_label(span.label))))
            at = span.end
        parts += [text[at:]] if at < len(text) else []
        return {PARTS: parts}

    @staticmethod
    def needs_label(span: Span, name: str) -> bool:
        """Arguments are told apart by their switch; a string that is secret as a whole is told by its path."""
        return bool(span.label) and not name

    def closed(self, text: str, spans: list[Span], *, prose: bool) -> list[Span]:
        """Cutting a text can make a rest look secret: look at the rests until none does."""
        spans = merged(spans)
        for _ in range(20):
            more: list[Span] = []
            at = 0
            for start, end in [*((s.start, s.end) for s in spans), (len(text), len(text))]:
                rest = text[at:start]
                more += [Span(at + s.start, at + s.end, s.label) for s in text_spans(rest, prose=prose)]
                at = end
            if not more:
                return spans
            spans = merged([*spans, *more])
        return [Span(0, len(text))]

    def whole(self, value: Value, path: Path) -> Value:
        stored = (
            value if isinstance(value, str) and not value.startswith(_NO_STRING) else _NO_STRING + json.dumps(value)
        )
        base = "/".join((self.entity.key, *map(_pointer, path)))
        address, count = base, 1
        while address in self.secrets:
            count += 1
            address = f"{base}#{count}"
        self.secrets[address] = stored
        return {SECRET: address}


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
    value: Value = json.loads(stored[len(_NO_STRING) :]) if stored.startswith(_NO_STRING) else stored
    return value


def _escape(key: str) -> str:
    return f"${key}" if _ESCAPED.match(key) else key


def _unescape(key: str) -> str:
    return key[1:] if key.startswith("$$") and _ESCAPED.match(key) else key


def _pointer(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _label(label: str) -> Path:
    """A label as path; one that would itself give something away is replaced."""
    if not label:
        return ()
    parts = label[:200].split("/")
    return tuple("part" if text_spans(part, prose=True) else part for part in parts)
