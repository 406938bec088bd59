"""The walk that takes the secrets out of one entity: which rule is asked for which place in it.

A field's name decides: `env` and headers are strict, arguments and commands have rules of their own, prose is read
as prose, the rest goes by names and by the look of the values. The format of what is left is described in `secrets`.
"""

import json
import re
from collections.abc import Callable

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.secrets import rules
from roosync_protocol.secrets.arguments import argument_spans, command_spans
from roosync_protocol.secrets.names import fold, is_count, says_secret, words
from roosync_protocol.secrets.shapes import is_url, url_spans, value_spans
from roosync_protocol.secrets.spans import Span, merged
from roosync_protocol.secrets.text import text_spans
from roosync_protocol.secrets.values import suspicious

SECRET, PARTS = "$secret", "$parts"
ESCAPED = re.compile(r"\$+(?:secret|parts)\Z")
NO_STRING = "\x00json:"  # before a local secret that is no string: a number, a map with a secret for a key
_VARIABLE = re.compile(r"([A-Za-z_]\w{0,80})=(.*)\Z", re.DOTALL)

Path = tuple[str, ...]


class Hiding:
    """One walk over one entity; keeps what was hidden and which addresses are taken."""

    def __init__(self, entity: Entity, public_names: frozenset[str]) -> None:
        self.entity = entity
        self.public_names = public_names
        self.secrets: dict[str, str] = {}
        self.counts: dict[str, int] = {}

    def top(self) -> Value:
        entity = self.entity
        name = entity.name if entity.kind is Kind.SETTING and "/" in entity.key else ""
        if entity.kind is Kind.TEXT and isinstance(entity.value, str):
            return self.text(entity.value, (), lambda text: text_spans(text, prose=True), prose=True)
        strict = any(fold(part) in rules.STRUCTURAL for part in name.split("."))
        return self.any(entity.value, (), name, strict=strict)

    def any(self, value: Value, path: Path, name: str, *, strict: bool) -> Value:
        strict = strict or (says_secret(name) and not (isinstance(value, str) and value in rules.ANSWERS))
        match value:
            case dict():
                if any(text_spans(key, prose=True) for key in value):
                    return self.whole(value, path)
                named = _named_by(value)
                return {
                    _escape(key): self.any(inner, (*path, key), named, strict=True)
                    if named and key == "value"
                    else self.field(key, inner, path, strict=strict)
                    for key, inner in value.items()
                }
            case list():
                return [self.element(inner, path, at, name, strict=strict) for at, inner in enumerate(value)]
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

    def element(self, value: Value, path: Path, at: int, name: str, *, strict: bool) -> Value:
        """One of a list. Strings are told apart by what is secret in them, so that the order does not matter."""
        if not isinstance(value, str):
            return self.any(value, (*path, str(at)), name, strict=strict)
        if strict and not says_secret(name) and (variable := _VARIABLE.match(value)):  # env: ["KEY=value"]
            start, label = variable.start(2), variable[1]
            spans = value_spans(label, variable[2], self.public_names)
            named = [span.moved(start, f"{label}/{span.form}".rstrip("/")) for span in spans]
            return self.text(value, path, lambda _: named)
        return self.text(value, path, lambda text: self.spans(text, name, strict=strict), name=name, labelled=True)

    def spans(self, text: str, name: str, *, strict: bool) -> list[Span]:
        if strict:
            return value_spans(name, text, self.public_names)
        if words(name)[-1:] == ("key",) and suspicious(text):  # codeIndexOpenAiKey
            return [Span(0, len(text))]
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
                named = [span if span.label else span._replace(label="argument") for span in spans]
                result.append(self.text(value, path, lambda _, named=named: named))  # type: ignore[misc]
            elif isinstance(value, list):
                result.append(self.arguments(value, path))
            elif isinstance(value, dict):
                result.append(self.any(value, (*path, str(at)), "", strict=False))
            else:
                result.append(self.whole(value, (*path, spans[0].label)) if spans and value is not None else value)
        return result

    def text(
        self,
        text: str,
        path: Path,
        find: Callable[[str], list[Span]],
        *,
        name: str = "",
        prose: bool = False,
        labelled: bool | None = None,
    ) -> Value:
        """One string without its secrets. What has a name of its own needs no label when it is secret as a whole."""
        spans = find(text)
        if fold(name) not in self.public_names:
            spans = self.closed(text, spans, prose=prose)
        if not spans:
            return text
        labelled = not name if labelled is None else labelled
        if (spans[0].start, spans[0].end) == (0, len(text)):
            return self.whole(text, (*path, *_label(spans[0].label)) if labelled else path)
        parts: list[Value] = []
        at = 0
        for span in spans:
            parts += [text[at : span.start]] if at < span.start else []
            parts.append(self.whole(text[span.start : span.end], (*path, *_label(span.label))))
            at = span.end
        parts += [text[at:]] if at < len(text) else []
        return {PARTS: parts}

    def closed(self, text: str, spans: list[Span], *, prose: bool) -> list[Span]:
        """Cutting a text can make a rest look secret: look at the rests until none does."""
        spans = merged(spans, text)
        for _ in range(20):
            more: list[Span] = []
            at = 0
            for start, end in [*((s.start, s.end) for s in spans), (len(text), len(text))]:
                rest = text[at:start]
                more += [span.moved(at) for span in text_spans(rest, prose=prose)]
                at = end
            if not more:
                return spans
            spans = merged([*spans, *more], text)
        return [Span(0, len(text))]

    def whole(self, value: Value, path: Path) -> Value:
        stored = value if isinstance(value, str) and not value.startswith(NO_STRING) else NO_STRING + json.dumps(value)
        base = "/".join((self.entity.key, *map(_pointer, path)))
        address = base
        while address in self.secrets:
            count = self.counts[base] = self.counts.get(base, 1) + 1
            address = f"{base}#{count}" if path else f"{base}/#{count}"  # below the key: `key#2` may be an entity
        self.secrets[address] = stored
        return {SECRET: address}


def _named_by(value: dict[str, Value]) -> str:
    """`{"name": "API_KEY", "value": "x"}`: the name, when it says secret."""
    name = next((name for key in ("name", "key", "header") if isinstance(name := value.get(key), str)), "")
    return name if "value" in value and says_secret(name) else ""


def _escape(key: str) -> str:
    return f"${key}" if ESCAPED.match(key) else key


def _pointer(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _label(label: str) -> Path:
    """A label as path; one that would itself give something away is replaced."""
    if not label:
        return ()
    parts = label[:200].split("/")
    return tuple("part" if text_spans(part, prose=True) else part for part in parts)
