"""The units of an MCP server: fields that only mean something together, read from and written in a dialect.

address   url, type                     env       the environment, and variables that are handed on
command   command, args                 headers   what is sent along, literally or from variables
switch    disabled, enabled             cwd, named, fixed
.field    any other field, by its own name
"""

import re
from collections.abc import Callable

from roosync_protocol.forms import FormError
from roosync_protocol.names import Value
from roosync_protocol.servers.dialects import WORDS, Dialect

STDIO = frozenset({"stdio", "local"})
_Fields = dict[str, Value]
_UNIT_OF = {"command": "command", "args": "command", "type": "address", "disabled": "switch"}
_REFERENCES = {  # how a dialect writes a variable -> how it may be found
    "${env:%s}": re.compile(r"\$\{env:([A-Za-z_]\w*)\}"),
    "${%s}": re.compile(r"(?<!\$)\$\{([A-Z_][A-Z0-9_]*)\}"),
    "$%s": re.compile(r"(?<!\$)\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*)\b)"),
    "{env:%s}": re.compile(r"(?<!\$)\{env:([A-Za-z_]\w*)\}"),
    "${{ secrets.%s }}": re.compile(r"\$\{\{\s*secrets\.([A-Za-z_]\w*)\s*\}\}"),
}
_COMMON_REFERENCE = _REFERENCES["${env:%s}"]
_WHERE_REFERENCES = frozenset({"command", "args", "env", "url", "headers", "cwd"})
_BEARER = "Bearer "
_EMPTY: _Fields = {"args": [], "env": {}, "headers": {}}  # as good as nothing, and not every assistant can say it


def unit_of(dialect: Dialect, field: str) -> str:
    d = dialect
    if any(field == url for url, _ in d.urls):
        return "address"
    if field == d.named != "":
        return "named"
    if d.enabled and field == "enabled":
        return "switch"
    for unit, fields in (("env", (d.env, d.env_names)), ("headers", (d.headers, d.header_names, d.bearer))):
        if field in fields and field:
            return unit
    if field == d.cwd:
        return "cwd"
    return _UNIT_OF.get(field) or ("fixed" if field in d.fixed else f".{field}")


def split(dialect: Dialect, server: _Fields) -> dict[str, _Fields]:
    """The fields of a server by unit, in its order."""
    found: dict[str, _Fields] = {}
    for field, value in server.items():
        found.setdefault(unit_of(dialect, field), {})[field] = value
    return found


def opened(dialect: Dialect, server: _Fields) -> _Fields:
    """The server with the map of headers as a field of its own, where it lies in another field."""
    outer, dot, inner = dialect.headers.partition(".")
    held = server.get(outer)
    if not dot or not isinstance(held, dict) or inner not in held or dialect.headers in server:
        return server
    result: _Fields = {}
    for field, value in server.items():
        if field != outer:
            result[field] = value
            continue
        rest = {name: one for name, one in held.items() if name != inner}
        result |= ({outer: rest} if rest else {}) | {dialect.headers: held[inner]}
    return result


def closed(dialect: Dialect, server: _Fields) -> _Fields:
    """The opposite of `opened`. FormError when the outer field is no map."""
    outer, dot, inner = dialect.headers.partition(".")
    if not dot or dialect.headers not in server:
        return server
    held = server.get(outer, {})
    if not isinstance(held, dict):
        raise FormError(f"its {outer} is no map, so it has no place for headers")
    whole: Value = {**held, inner: server[dialect.headers]}
    if outer in server:
        return {f: whole if f == outer else v for f, v in server.items() if f != dialect.headers}
    return {(outer if f == dialect.headers else f): whole if f == dialect.headers else v for f, v in server.items()}


def read(dialect: Dialect, unit: str, fields: _Fields, server: _Fields, name: str) -> _Fields:
    """What the fields of a unit say together, in common names. FormError when they contradict each other."""
    d = dialect
    match unit:
        case "command":
            said = _line_read(fields) if d.line else dict(fields)
        case "address":
            said = _address_read(d, fields, "command" in server)
        case "switch":
            said = _switch_read(fields)
        case "cwd":
            said = {"cwd": fields[d.cwd]}
        case "named":
            said = {} if fields[d.named] == name else dict(fields)
        case "fixed":
            said = {field: value for field, value in fields.items() if value != d.fixed[field]}
        case _:
            said = dict(fields)
    if unit in ("env", "headers"):
        plain = {unit: fields[field]} if (field := getattr(d, unit)) in fields else {}
        said = _with_variables(d, unit, _in_common(d, plain), fields)
    else:
        said = _in_common(d, said)
    return {field: value for field, value in said.items() if not means_nothing(field, value)}


def means_nothing(field: str, value: Value) -> bool:
    """Of a field of the common form: is the server the same without it?"""
    return (field == "disabled" and value is False) or (field in _EMPTY and value == _EMPTY[field])


def written(dialect: Dialect, unit: str, fields: _Fields, server: _Fields) -> _Fields:
    """The fields of a unit of the common form, as this dialect says them; {} when there is nothing to say."""
    d = dialect
    apart: _Fields = {}
    if unit in ("env", "headers") and unit in fields:
        rest, apart = _variables(d, unit, fields[unit])
        fields = {unit: rest} if rest or not apart else {}
    fields = {f: _mapped(v, lambda text: _own(d, text)) if f in _WHERE_REFERENCES else v for f, v in fields.items()}
    match unit:
        case "command":
            return _line_written(fields) if d.line else fields
        case "address":
            return _address_written(d, fields, "command" in server)
        case "switch":
            return ({"enabled": not fields["disabled"]} if d.enabled else fields) if fields and d.disables else {}
        case "env" | "headers" | "cwd":
            return ({getattr(d, unit): fields[unit]} if fields else {}) | apart
    return fields


def _address_read(d: Dialect, fields: _Fields, is_program: bool) -> _Fields:
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


def _address_written(d: Dialect, fields: _Fields, is_program: bool) -> _Fields:
    kind = fields.get("type")
    if "url" not in fields:
        return dict(fields) if "type" in fields or not d.local or not is_program else {"type": d.local}
    field, transport = next(((f, t) for f, t in d.urls if t in ("", kind)), d.urls[0])
    if isinstance(kind, str) and kind in WORDS and d.words and kind not in d.words:
        raise FormError(f"this assistant knows no server of type {kind!r}")
    word = d.words.get(kind, kind) if isinstance(kind, str) else kind
    tells = "type" in fields and not transport and (d.local or kind != d.remote) and d.words
    return ({"type": word} if tells else {}) | {field: fields["url"]}


def _transport(d: Dialect, word: Value) -> Value:
    if not isinstance(word, str):
        return word
    own = {said: transport for transport, said in d.words.items()}
    return own.get(word) or d.reads.get(word, word)


def _line_read(fields: _Fields) -> _Fields:
    line = fields.get("command")
    if not isinstance(line, list):
        return dict(fields)
    if not line or "args" in fields:
        raise FormError("its command is a list without a program, or has arguments in two places")
    return {"command": line[0]} | ({"args": line[1:]} if len(line) > 1 else {})


def _line_written(fields: _Fields) -> _Fields:
    arguments = fields.get("args", [])
    if "command" not in fields or not isinstance(arguments, list):
        return dict(fields)
    return {"command": [fields["command"], *arguments]}


def _switch_read(fields: _Fields) -> _Fields:
    if len(fields) > 1:
        raise FormError("it says in two ways whether it is on; keep one of them")
    (field, value), *_ = fields.items()
    if not isinstance(value, bool):
        return dict(fields)  # nobody knows what it means
    return {"disabled": True} if value is (field == "disabled") else {}


def switched(d: Dialect, field: str, off: bool) -> _Fields:
    """The file's own word for whether a server is on; of one that is no word here nothing is left when it is on."""
    if field == "disabled" and not d.disables:
        return {}
    return {field: off if field == "disabled" else not off}


def _with_variables(d: Dialect, unit: str, said: _Fields, fields: _Fields) -> _Fields:
    """`said` with what a dialect takes from variables in fields of their own, as references."""
    found: list[tuple[str, str]] = []
    for field, held in fields.items():
        if field == getattr(d, unit):
            continue
        if field == d.env_names and isinstance(held, list) and all(isinstance(one, str) for one in held):
            found += [(str(one), f"${{env:{one}}}") for one in held]
        elif field == d.header_names and isinstance(held, dict) and all(isinstance(v, str) for v in held.values()):
            found += [(header, f"${{env:{one}}}") for header, one in held.items()]
        elif field == d.bearer and isinstance(held, str):
            found.append(("Authorization", f"{_BEARER}${{env:{held}}}"))
        else:
            said = said | {field: held}  # nobody knows what it means
    plain = said.get(unit, {})
    if not found:
        return said
    if not isinstance(plain, dict) or len(plain.keys() | dict(found).keys()) < len(plain) + len(found):
        raise FormError(f"it says some of its {unit} in two ways; keep one of them")
    return said | {unit: {**plain, **dict(found)}}


def _variables(d: Dialect, unit: str, value: Value) -> tuple[Value, _Fields]:
    """A map of the common form without what this dialect takes from variables, and that in its own fields."""
    if not isinstance(value, dict) or not (d.env_names if unit == "env" else d.header_names or d.bearer):
        return value, {}
    rest: _Fields = {}
    names: list[Value] = []
    headers: _Fields = {}
    apart: _Fields = {}
    for name, inner in value.items():
        text = inner if isinstance(inner, str) else ""
        whole = _COMMON_REFERENCE.fullmatch(text)
        token = _COMMON_REFERENCE.fullmatch(text.removeprefix(_BEARER)) if text.startswith(_BEARER) else None
        if unit == "env" and whole and whole[1] == name:
            names.append(name)
        elif unit == "headers" and d.header_names and whole:
            headers[name] = whole[1]
        elif unit == "headers" and d.bearer and token and name == "Authorization":
            apart[d.bearer] = token[1]
        else:
            rest[name] = inner
    return rest, ({d.env_names: names} if names else {}) | ({d.header_names: headers} if headers else {}) | apart


def _in_common(d: Dialect, said: _Fields) -> _Fields:
    if not d.reference or d.reference == "${env:%s}":
        return said
    pattern = _REFERENCES[d.reference]

    def common(found: re.Match[str]) -> str:
        return "${env:" + next(group for group in found.groups() if group) + "}"

    return {
        f: _mapped(v, lambda text: pattern.sub(common, text)) if f in _WHERE_REFERENCES else v for f, v in said.items()
    }


def variables_in(server: _Fields) -> set[str]:
    """The variables of the environment that a server in common form asks for."""
    found: set[str] = set()

    def seen(text: str) -> str:
        found.update(match[1] for match in _COMMON_REFERENCE.finditer(text))
        return text

    _mapped(server, seen)
    return found


def _own(d: Dialect, text: str) -> str:
    if d.reference == "${env:%s}" or not _COMMON_REFERENCE.search(text):
        return text
    if not d.reference:
        raise FormError("it asks for a variable (${env:...}), and this assistant does not put one in there")
    return _COMMON_REFERENCE.sub(lambda found: d.reference % found[1], text)


def _mapped(value: Value, text: Callable[[str], str]) -> Value:
    """Each string in the value, not the names of its members, through `text`."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_mapped(inner, text) for inner in value]
    if isinstance(value, dict):
        return {name: _mapped(inner, text) for name, inner in value.items()}
    return value
