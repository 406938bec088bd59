"""Two changes to one entity, made one when they do not collide.

Maps recurse, sets add and take away, keyed lists are maps in disguise, prose merges by lines, everything
else is one piece. An MCP server is always one piece: the command of one machine with the environment of
another would be a program that nobody wrote. Where two changes collide nothing is guessed: the place is
named, and a person decides.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from roosync_protocol.digest import raw
from roosync_protocol.entity import Kind
from roosync_protocol.names import Value
from roosync_protocol.shapes import PROSE, Path, alike, parts, root

MAX_LINES = 20_000  # of prose that is merged line by line; the matcher is quadratic at worst


class Merged(Struct, frozen=True, kw_only=True):
    """`value` is complete when `conflicts` is empty; otherwise it holds the local side at those places."""

    value: Value
    conflicts: tuple[Path, ...] = ()


State: TypeAlias = "Value | UnsetType"


def merge(kind: Kind, base: State, local: Value, remote: Value, key: str = "") -> Merged:
    """Three-way merge in public form; `base` is UNSET when there is none. `key` finds the lists of a setting."""
    path = root(kind, key)
    conflicts: list[Path] = []
    value = _Merge(len(path), kind, conflicts).one(path, base, local, remote)
    assert value is not UNSET, "two values never merge to none"
    return Merged(value=value, conflicts=tuple(conflicts))


def merge_lines(base: str, local: str, remote: str) -> str | None:
    """Prose in which each side changed other lines than the other; None when the changes touch (diff3)."""
    old, mine, theirs = (text.splitlines(keepends=True) for text in (base, local, remote))
    if max(len(old), len(mine), len(theirs)) > MAX_LINES:
        return None
    result: list[str] = []
    at = i = j = 0
    for start, a, b, size in _anchors(old, mine, theirs):
        chunk, one, two = old[at:start], mine[i:a], theirs[j:b]
        if one == two or two == chunk:
            result += one
        elif one == chunk:
            result += two
        else:
            return None
        result += old[start : start + size]
        at, i, j = start + size, a + size, b + size
    return "".join(result)


class _Merge:
    def __init__(self, skip: int, kind: Kind, conflicts: list[Path]) -> None:
        self.skip = skip  # leading names that are only for finding rules
        self.kind = kind
        self.conflicts = conflicts

    def one(self, path: Path, base: State, local: State, remote: State) -> State:
        if self.kind is not Kind.MCP_SERVER and isinstance(local, dict) and isinstance(remote, dict):
            return self._maps(path, base if isinstance(base, dict) else {}, local, remote)
        if _equal(path, local, remote) or _equal(path, base, remote):
            return local
        if _equal(path, base, local):
            return remote
        if self.kind is Kind.MCP_SERVER or local is UNSET or remote is UNSET:
            return self._collide(path, local, remote)
        if isinstance(local, list) and isinstance(remote, list):
            return self._lists(path, base, local, remote)
        if isinstance(base, str) and isinstance(local, str) and isinstance(remote, str) and self._prose(path):
            lines = merge_lines(base, local, remote)
            return self._collide(path, local, remote) if lines is None else lines
        return self._collide(path, local, remote)

    def _maps(
        self, path: Path, base: dict[str, Value], local: dict[str, Value], remote: dict[str, Value]
    ) -> dict[str, Value]:
        """In the order of the local side; what only the other has comes after."""
        result: dict[str, Value] = {}
        for key in local if local.keys() == remote.keys() else dict.fromkeys([*local, *remote]):
            mine, theirs = local.get(key, UNSET), remote.get(key, UNSET)
            quick = _surely_equal(mine, theirs)  # nearly always
            value = mine if quick else self.one((*path, key), base.get(key, UNSET), mine, theirs)
            if value is not UNSET:
                result[key] = value
        return result

    def _lists(self, path: Path, base: State, local: list[Value], remote: list[Value]) -> State:
        mine, theirs = parts(path, local), parts(path, remote)
        old = parts(path, base) if isinstance(base, list) else {}
        if mine is None or theirs is None or old is None:
            return self._collide(path, local, remote)
        return list(self._maps(path, old, mine, theirs).values())

    def _prose(self, path: Path) -> bool:
        return self.kind is Kind.TEXT or (bool(path) and path[-1] in PROSE)

    def _collide(self, path: Path, local: State, remote: State) -> State:
        self.conflicts.append(path[self.skip :])
        return remote if local is UNSET else local


def _equal(path: Path, a: State, b: State) -> bool:
    return a is b if a is UNSET or b is UNSET else alike(path, a, b)


def _surely_equal(a: State, b: State) -> bool:
    """Cheap: True is certain, False means to look closer."""
    if a is b:
        return True
    kind = a.__class__
    return kind is b.__class__ and (raw(a) == raw(b) if kind is dict or kind is list else a == b)


def _anchors(old: list[str], mine: list[str], theirs: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Runs of lines that all three have: (start in old, in mine, in theirs, length); the last one is empty."""
    left = SequenceMatcher(None, old, mine, autojunk=False).get_matching_blocks()
    right = SequenceMatcher(None, old, theirs, autojunk=False).get_matching_blocks()
    i = j = 0
    while i < len(left) and j < len(right):
        (a, b, n), (c, d, m) = left[i], right[j]
        start, end = max(a, c), min(a + n, c + m)
        if end > start:
            yield start, b + start - a, d + start - c, end - start
        i, j = (i + 1, j) if a + n < c + m else (i, j + 1)
    yield len(old), len(mine), len(theirs), 0
