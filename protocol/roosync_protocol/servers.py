"""One MCP server, many spellings: the logical form in which servers are compared, merged, judged and shared.

    command args env cwd      a program that is started          url headers type     an address, "http" or "sse"
    disabled                  only when it is true               anything else        by its own name, untouched

A dialect is data: how one assistant says this. `${env:X}` is the common spelling of a reference to a variable. A
field's spelling is kept as long as its meaning stays, so an unchanged server is never rewritten.
"""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec import field as default

from roosync_protocol.digest import same
from roosync_protocol.forms import FormError
from roosync_protocol.names import Value

_UNIT_OF = {"command": "command", "args": "command", "url": "address", "type": "address", "disabled": "switch"}
_REFERENCES = {  # how a dialect writes a variable -> how it may be found
    "${env:%s}": re.compile(r"\$\{env:([A-Za-z_]\w*)\}"),
    "${%s}": re.compile(r"(?<!\$)\$\{([A-Z_][A-Z0-9_]*)\}"),
    "$%s": re.compile(r"(?<!\$)\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*)\b)"),
    "{env:%s}": re.compile(r"(?<!\$)\{env:([A-Za-z_]\w*)\}"),
}
_WHERE_REFERENCES = ("command", "args", "env", "url", "headers", "cwd")
_WORDS = {"http": "http", "sse": "sse"}
_READS = {"streamable-http": "http", "streamableHttp": "http", "http-stream": "http", "streamable_http": "http"}
STDIO = frozenset({"stdio", "local"})


class Dialect(Struct, frozen=True, kw_only=True):
    """How one assistant spells a server."""

    env: str = "env"
    headers: str = "headers"
    cwd: str = "cwd"
    urls: tuple[tuple[str, str], ...] = (("url", ""),)  # field of the address -> the transport that it means
    words: Mapping[str, str] = default(default_factory=_WORDS.copy)  # transport -> what `type` says; empty: no type
    reads: Mapping[str, str] = default(default_factory=_READS.copy)  # further words that it understands
    remote: str = ""  # the transport of an address without a type
    local: str = ""  # what `type` says of a program, where it has to be said
    line: bool = False  # `command` is a list with the arguments in it
    enabled: bool = False  # `enabled: false`, not `disabled: true`
    named: str = ""  # the field that repeats the server's name
    reference: str = "${env:%s}"  # to a variable of the environment; "" where there is none


class Servers:
    """The form (see `forms`) of a target that holds MCP servers."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.dialect = dialect or Dialect()

    def common(self, name: str, value: Value, whole: Value = None) -> Value:
        if not isinstance(value, dict):
            return value
        result: dict[str, Value] = {}
        for unit, fields in _units(self.dialect, value).items():
            said = self._meaning(unit, fields, value, name)
            if twice := sorted(said.keys() & result.keys()):
                raise FormError(f"it says {twice[0]!r} in two ways; keep one of them")
            result |= said
        return result

    def spelled(self, name: str, value: Value, now: Value | None, whole: Value = None) -> Value:
        if not isinstance(value, dict):
            return value
        before = now if isinstance(now, dict) else {}
        if now is not None and same(self.common(name, before), value):
            return before
        fresh = self._fresh(name, value)
        meant, wanted = _units(self.dialect, before), _units(_COMMON, value)
        written: dict[str, Value] = {}
        done: set[str] = set()
        for field in before:
            unit = _unit(self.dialect, field)
            if unit in done:
                continue
            done.add(unit)
            old, new = self._meaning(unit, meant[unit], before, name), wanted.get(unit, {})
            if same(old, new):
                written |= meant[unit]
            else:
                written |= _kept(self, unit, meant[unit], new, fresh.get(unit, {}), name)
        for unit, fields in fresh.items():
            written |= {} if unit in done or (unit == "named" and now is not None) else fields
        if not same(self.common(name, written), value):
            raise FormError(self._why_not(name, value, written))
        return written

    def _why_not(self, name: str, value: dict[str, Value], written: Value) -> str:
        back = self.common(name, written)
        held = back if isinstance(back, dict) else {}
        lost = [f for f in sorted(value.keys() | held.keys()) if not same(held.get(f), value.get(f))]
        return f"this assistant can not say {', '.join(lost)} of the server"

    def _meaning(self, unit: str, fields: dict[str, Value], server: dict[str, Value], name: str) -> dict[str, Value]:
        """What some fields of a file say together, in common names."""
        d = self.dialect
        match unit:
            case "command":
                said = _line_read(fields) if d.line else dict(fields)
            case "address":
                said = self._address(fields, "command" in server)
            case "switch":
                said = _switch_read(d, fields)
            case "env" | "headers" | "cwd":
                said = {unit: next(iter(fields.values()))}
            case "named":
                said = {} if fields[d.named] == name else dict(fields)
            case _:
                said = dict(fields)
        if d.reference and d.reference != "${env:%s}":
            pattern = _REFERENCES[d.reference]
            for field in said.keys() & set(_WHERE_REFERENCES):
                said[field] = _mapped(said[field], lambda text: pattern.sub(_as_common, text))
        return said

    def _address(self, fields: dict[str, Value], is_program: bool) -> dict[str, Value]:
        d = self.dialect
        found = [(field, transport) for field, transport in d.urls if field in fields]
        if len(found) > 1:
            raise FormError(f"it has two addresses, {' and '.join(field for field, _ in found)}; keep one of them")
        word = fields.get("type")
        told = _transport(d, word)
        if not found:
            silent = isinstance(word, str) and word in STDIO and is_program
            return {} if silent or "type" not in fields else {"type": told}
        field, transport = found[0]
        kind = told if "type" in fields else transport or d.remote
        return {"url": fields[field]} | ({"type": kind} if kind not in ("", None) else {})

    def _fresh(self, name: str, value: dict[str, Value]) -> dict[str, dict[str, Value]]:
        """The server as this assistant would write it by itself, by unit."""
        d = self.dialect
        if d.reference and d.reference != "${env:%s}":
            value = {f: _mapped(v, self._own_reference) if f in _WHERE_REFERENCES else v for f, v in value.items()}
        units: dict[str, dict[str, Value]] = {"named": {d.named: name}} if d.named else {}
        for unit, fields in _units(_COMMON, value).items():
            match unit:
                case "command":
                    units[unit] = _line_written(fields) if d.line else fields
                case "address":
                    units[unit] = self._address_written(fields)
                case "switch":
                    units[unit] = {"enabled": not fields["disabled"]} if d.enabled else fields
                case "env" | "headers" | "cwd":
                    units[unit] = {getattr(d, unit): fields[unit]}
                case _:
                    units[unit] = fields
        if d.local and "address" not in units and "command" in value:
            units = {"address": dict[str, Value](type=d.local)} | units
        return units

    def _own_reference(self, text: str) -> str:
        return _REFERENCES["${env:%s}"].sub(lambda m: self.dialect.reference % m[1], text)

    def _address_written(self, fields: dict[str, Value]) -> dict[str, Value]:
        d, kind = self.dialect, fields.get("type")
        if "url" not in fields:
            return dict(fields)
        field, transport = next(((f, t) for f, t in d.urls if t in ("", kind)), d.urls[0])
        if isinstance(kind, str) and kind in _WORDS and d.words and kind not in d.words:
            raise FormError(f"this assistant knows no server of type {kind!r}")
        word = d.words.get(kind, kind) if isinstance(kind, str) else kind
        tells = "type" in fields and not transport and (d.local or kind != d.remote) and d.words
        return ({"type": word} if tells else {}) | {field: fields["url"]}


_COMMON = Dialect()


def _unit(dialect: Dialect, field: str) -> str:
    """The unit that a field of a file belongs to: fields that only mean something together."""
    if any(field == url for url, _ in dialect.urls):
        return "address"
    if field == dialect.named != "":
        return "named"
    if field == ("enabled" if dialect.enabled else "disabled"):
        return "switch"
    for unit in ("env", "headers", "cwd"):
        if field == getattr(dialect, unit):
            return unit
    return _UNIT_OF[field] if field in ("command", "args", "type") else f".{field}"


def _units(dialect: Dialect, server: dict[str, Value]) -> dict[str, dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    for field, value in server.items():
        found.setdefault(_unit(dialect, field), {})[field] = value
    return found


def _kept(
    form: Servers, unit: str, fields: dict[str, Value], new: dict[str, Value], fresh: dict[str, Value], name: str
) -> dict[str, Value]:
    """The new spelling of a unit; of a map (env, headers) each member that says the same keeps its own."""
    if len(fields) == len(fresh) == 1 and unit in ("env", "headers"):
        (field, raw), wanted, (written) = *fields.items(), new[unit], next(iter(fresh.values()))
        if isinstance(raw, dict) and isinstance(wanted, dict) and isinstance(written, dict):
            old = form.common(name, {field: raw})
            held = old.get(unit) if isinstance(old, dict) else None
            before = held if isinstance(held, dict) else {}
            return {
                field: {
                    n: raw[n] if n in raw and n in before and same(before[n], wanted[n]) else v
                    for n, v in written.items()
                }
            }
    return dict(fresh)


def _transport(dialect: Dialect, word: Value) -> Value:
    if not isinstance(word, str):
        return word
    own = {said: transport for transport, said in dialect.words.items()}
    return own.get(word) or dialect.reads.get(word, word)


def _line_read(fields: dict[str, Value]) -> dict[str, Value]:
    line = fields.get("command")
    if not isinstance(line, list):
        return dict(fields)
    if not line or "args" in fields:
        raise FormError("its command is a list without a program, or has arguments in two places")
    return {"command": line[0]} | ({"args": line[1:]} if len(line) > 1 else {})


def _line_written(fields: dict[str, Value]) -> dict[str, Value]:
    arguments = fields.get("args", [])
    if "command" not in fields or not isinstance(arguments, list):
        return dict(fields)
    return {"command": [fields["command"], *arguments]}


def _switch_read(dialect: Dialect, fields: dict[str, Value]) -> dict[str, Value]:
    value = next(iter(fields.values()))
    if not isinstance(value, bool):
        return dict(fields)  # nobody knows what it means
    off = not value if dialect.enabled else value
    return {"disabled": True} if off else {}


def _as_common(found: re.Match[str]) -> str:
    return "${env:" + next(group for group in found.groups() if group) + "}"


def _mapped(value: Value, text: Callable[[str], str]) -> Value:
    """Each string in the value, not the names of its members, through `text`."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_mapped(inner, text) for inner in value]
    if isinstance(value, dict):
        return {name: _mapped(inner, text) for name, inner in value.items()}
    return value
