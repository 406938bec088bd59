"""What a target says of single fields beyond the rules for everybody: secret, public, a path, none, more dangerous.

A pattern is the dotted path of a field with `*` for anything: below the entity, and with its own name first for a
setting, as in the tables of risk. It counts for the field and for all that is in it. Secrets and paths take the same
way into the public form wherever it is made, so that what is read back after a write is compared by the same marks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from json import dumps
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roosync_protocol.diff import ABSENT, Divergence, State, changes
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.portable import Places, to_local, to_portable
from roosync_protocol.risk import Assessment, Risk
from roosync_protocol.secrets import addresses, find_secrets, hide
from roosync_protocol.secrets.hiding import NO_STRING, PARTS, SECRET
from roosync_protocol.secrets.names import says_secret
from roosync_protocol.secrets.values import is_reference

if TYPE_CHECKING:
    from roosync_protocol.reconcile import Judge

Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Marks:
    secret: tuple[str, ...] = ()  # never leaves, whatever it looks like
    public: tuple[str, ...] = ()  # no secret, where nothing but its place made it one
    path: tuple[str, ...] = ()  # a path of this machine, also where prose is expected
    not_path: tuple[str, ...] = ()  # no path of this machine, however it looks
    risk: tuple[tuple[str, Risk], ...] = ()  # at least this class

    def least(self, entity: Entity, path: Path) -> tuple[Risk, str] | None:
        """The class that a change at `path` has at least, and the pattern that says so."""
        places = list(_with_parents(path))
        found = [(risk, pattern) for pattern, risk in self.risk if any(_named((pattern,), entity, p) for p in places)]
        return max(found, key=lambda one: one[0], default=None)


NONE = Marks()


def hidden(marks: Marks, entity: Entity, public_names: frozenset[str]) -> tuple[Entity, dict[str, str]]:
    """`hide`, with what the marks say on top."""
    public, secrets = hide(entity, public_names)
    if not marks.secret and not marks.public:
        return public, secrets
    taken: dict[str, str] = {}

    def walk(shown: Value, raw: Value, path: Path) -> Value:
        if _named(marks.secret, entity, path) and _may_be_secret(raw):
            address = "/".join((entity.key, *(step.replace("~", "~0").replace("/", "~1") for step in path)))
            taken[address] = raw if isinstance(raw, str) and not raw.startswith(NO_STRING) else NO_STRING + dumps(raw)
            return {SECRET: address}
        if _named(marks.public, entity, path) and addresses(shown) and _passes(entity, raw, path):
            return raw
        if isinstance(raw, dict) and isinstance(shown, dict) and len(raw) == len(shown) and not _is_hidden(shown):
            pairs = zip(shown.items(), raw.items(), strict=True)
            return {name: walk(inner, own, (*path, key)) for (name, inner), (key, own) in pairs}
        if isinstance(raw, list) and isinstance(shown, list) and len(raw) == len(shown):
            return [walk(a, b, (*path, str(at))) for at, (a, b) in enumerate(zip(shown, raw, strict=True))]
        return shown

    value = walk(public.value, entity.value, ())
    left = addresses(value)
    return replace(public, value=value), {a: taken[a] if a in taken else secrets[a] for a in left}


def portable(marks: Marks, entity: Entity, places: Places) -> Entity:
    """`to_portable`, with what the marks say on top. How a server is started has rules of its own."""
    result = to_portable(entity, places)
    if not marks.path and not marks.not_path:
        return result

    def spelled(value: Value, kind: Kind) -> Value:
        return to_portable(replace(entity, kind=kind, value=value), places).value

    def walk(shown: Value, own: Value, path: Path) -> Value:
        if entity.kind is Kind.MCP_SERVER and path[:1] in (("command",), ("args",)):
            return shown
        if _named(marks.not_path, entity, path):
            return spelled(own, Kind.TEXT)
        if isinstance(own, str) and _named(marks.path, entity, path):
            return spelled(own, Kind.SETTING)
        if isinstance(own, dict) and isinstance(shown, dict) and not _is_hidden(own):
            return {name: walk(inner, own[name], (*path, name)) for name, inner in shown.items()}
        if isinstance(own, list) and isinstance(shown, list):
            return [walk(a, b, (*path, str(at))) for at, (a, b) in enumerate(zip(shown, own, strict=True))]
        return shown

    return replace(result, value=walk(result.value, entity.value, ()))


def settled(marks: Marks, entity: Entity, places: Places) -> Entity:
    """The form in which this machine collects `entity` again after it was applied; UnknownTokenError as there."""
    return portable(marks, to_local(entity, places), places)


def raised(marks: Callable[[str], Marks]) -> "Judge":
    """For `reconcile.settle`: the class that the rules find, or the one that the key's target asks for when it is
    higher. Never lower: whoever approves elsewhere judges by the rules alone, and so must this machine."""

    def judge(divergence: Divergence, wanted: State, judged: Assessment) -> Assessment:
        found = _asked(marks(divergence.key), divergence, wanted)
        if found is None or found[0] <= judged.risk:
            return judged
        return Assessment(found[0], (found[1], *judged.reasons))

    return judge


def _asked(marks: Marks, divergence: Divergence, wanted: State) -> tuple[Risk, str] | None:
    if not marks.risk:
        return None
    entity = Entity(key=divergence.key, kind=divergence.kind, value=None)
    found = [one for path in dict.fromkeys(_touched(divergence, wanted)) if (one := marks.least(entity, path))]
    if not found:
        return None
    risk, pattern = max(found, key=lambda one: one[0])
    return risk, f"{pattern}: at least {risk.name.lower()}, as this machine's own target says"


def _touched(divergence: Divergence, wanted: State) -> Iterator[Path]:
    """The places that change, and those in what comes or goes as a whole."""
    if divergence.local is ABSENT or wanted is ABSENT:
        yield from _within(wanted if divergence.local is ABSENT else divergence.local, ())
        return
    for change in changes(divergence.local, wanted, divergence.kind, divergence.key):
        path = tuple(map(str, change.path))
        for side in (change.before, change.after):
            yield from _within(side, path)


def _within(value: object, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _within(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _within(inner, (*path, str(at)))


def _with_parents(path: Path) -> Iterator[Path]:
    yield from (path[:length] for length in range(len(path) + 1))


def _named(patterns: tuple[str, ...], entity: Entity, path: Path) -> bool:
    if not patterns:
        return False
    dotted = dotted_path(entity, path)
    return bool(dotted) and any(fnmatchcase(dotted, pattern) for pattern in patterns)


def dotted_path(entity: Entity, path: Path) -> str:
    """How a pattern names a place in an entity; "" for the whole of a server or mode."""
    return ".".join((entity.name, *path) if entity.kind is Kind.SETTING else path)


def _may_be_secret(raw: Value) -> bool:
    return raw not in (None, "") and not (isinstance(raw, str) and is_reference(raw))


def _passes(entity: Entity, raw: Value, path: Path) -> bool:
    """Nothing but its place speaks against it: what is published has to pass the gates of every other machine too."""
    names = (entity.name, *path) if entity.kind is Kind.SETTING else path
    value = raw
    for name in reversed(names):
        value = {name: value}
    return not any(map(says_secret, names)) and not find_secrets(value)


def _is_hidden(value: dict[str, Value]) -> bool:
    return len(value) == 1 and (SECRET in value or PARTS in value)
