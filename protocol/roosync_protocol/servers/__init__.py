"""One MCP server, many spellings: the logical form in which servers are compared, merged, judged and shared.

    command args env cwd      a program that is started          url headers type     an address, "http" or "sse"
    disabled                  only when it is true               anything else        by its own name, untouched

No arguments, variables or headers are the same as an empty list of them.

How one assistant says this is data (`dialects`). `${env:X}` is the common spelling of a reference to a variable. A
field's spelling is kept as long as its meaning stays, so an unchanged server is never rewritten.

Fields that only mean something together are one *unit* (`type` and `url`; the three ways in which Codex says headers):
a unit is read as a whole, and written anew as a whole when its meaning changed.
"""

from roosync_protocol.digest import same
from roosync_protocol.forms import FormError
from roosync_protocol.names import Value
from roosync_protocol.servers import units
from roosync_protocol.servers.dialects import COMMON, Dialect

__all__ = ["STDIO", "Dialect", "Servers", "common_form"]

STDIO = units.STDIO
_Fields = dict[str, Value]


class Servers:
    """The form (see `forms`) of a target that holds MCP servers."""

    def __init__(self, dialect: Dialect = COMMON) -> None:
        self.dialect = dialect

    def common(self, name: str, value: Value, whole: Value = None) -> Value:
        if not isinstance(value, dict):
            return value
        server = units.opened(self.dialect, value)
        result: _Fields = {}
        for unit, fields in units.split(self.dialect, server).items():
            said = units.read(self.dialect, unit, fields, server, name)
            if twice := sorted(said.keys() & result.keys()):
                raise FormError(f"it says {twice[0]!r} in two ways; keep one of them")
            result |= said
        return result

    def spelled(self, name: str, value: Value, now: Value | None, whole: Value = None) -> Value:
        if not isinstance(value, dict):
            return value
        value = {field: one for field, one in value.items() if not units.means_nothing(field, one)}
        if isinstance(now, dict) and same(self.common(name, now), value):
            return now
        written = self._new(name, value) if not isinstance(now, dict) else self._changed(name, value, now)
        if not same(self.common(name, written), value):
            raise FormError(self._why_not(name, value, written))
        return written

    def _new(self, name: str, value: _Fields) -> _Fields:
        """The server as this assistant would write it by itself."""
        d = self.dialect
        written: _Fields = {d.named: name} if d.named else {}
        written |= d.fixed
        wanted = units.split(COMMON, value)
        if d.local and "command" in value:
            wanted = {"address": {}} | wanted  # its type comes first
        for unit, fields in wanted.items():
            written |= units.written(d, unit, fields, value)
        return units.closed(d, written)

    def _changed(self, name: str, value: _Fields, now: _Fields) -> _Fields:
        """The server in the file's own spelling: only units whose meaning changed are written anew."""
        d = self.dialect
        before = units.opened(d, now)
        meant, wanted = units.split(d, before), units.split(COMMON, value)
        written: _Fields = {}
        done: set[str] = set()
        for field in before:
            unit = units.unit_of(d, field)
            if unit in done:
                continue
            done.add(unit)
            old, new = units.read(d, unit, meant[unit], before, name), wanted.get(unit, {})
            written |= meant[unit] if same(old, new) else self._anew(unit, meant[unit], new, value)
        if d.local and "address" not in done and "command" in value and "command" not in before:
            wanted = {"address": wanted.get("address", {})} | wanted
        for unit, fields in wanted.items():
            written |= {} if unit in done else units.written(d, unit, fields, value)
        return units.closed(d, written)

    def _anew(self, unit: str, fields: _Fields, new: _Fields, value: _Fields) -> _Fields:
        """The new spelling of a unit; of a map (env, headers) each member that says the same keeps its own."""
        d = self.dialect
        off = new.get("disabled", False)
        if unit == "switch" and isinstance(off := new.get("disabled", False), bool):
            return units.switched(d, next(iter(fields)), off)
        fresh = units.written(d, unit, new, value)
        for field in fields.keys() & fresh.keys() & {d.env, d.headers}:
            raw, written = fields[field], fresh[field]
            if isinstance(raw, dict) and isinstance(written, dict):
                held, wanted = units.read(d, unit, {field: raw}, {}, "")[unit], new[unit]
                assert isinstance(held, dict)
                assert isinstance(wanted, dict)
                kept = {n for n in raw.keys() & held.keys() & wanted.keys() if same(held[n], wanted[n])}
                fresh[field] = {n: raw[n] if n in kept else inner for n, inner in written.items()}
        return fresh

    def _why_not(self, name: str, value: _Fields, written: Value) -> str:
        back = self.common(name, written)
        held = back if isinstance(back, dict) else {}
        lost = [f for f in sorted(value.keys() | held.keys()) if not same(held.get(f), value.get(f))]
        if taken := sorted(units.variables_in(held) - units.variables_in(value)):
            return (
                f"in {', '.join(lost)} it names {taken[0]} in words that are plain text where it comes from, and here "
                f"a variable; write ${{env:{taken[0]}}} there first, or the value itself"
            )
        return f"this assistant can not say {', '.join(lost)} of the server"


def common_form(value: Value) -> Value:
    """A server without what it says in vain (`disabled: false`, `type: stdio`): as every assistant's own is read.

    FormError when it contradicts itself. Whoever published it may have written it down by hand.
    """
    return Servers(COMMON).common("", value)
