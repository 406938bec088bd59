"""Two changes to one entity, made one when they do not collide.

Maps recurse, sets add and take away, keyed lists are maps in disguise, prose merges by lines, everything
else is one piece. An MCP server is always one piece: the command of one machine with the environment of
another would be a program that nobody wrote. So is an API profile, with its address and its key. Where two
changes collide nothing is guessed: the place is named, and a person decides.
"""

from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple, TypeAlias, TypeVar

from msgspec import UNSET, Struct, UnsetType

from roosync_protocol.digest import raw
from roosync_protocol.entity import Kind
from roosync_protocol.names import Value
from roosync_protocol.shapes import PROSE, Path, alike, parts, root, whole, whole_at

MAX_LINES = 20_000  # of prose that is merged line by line
MAX_WORK = 1_000_000  # pairs of equal lines; the matcher is quadratic in lines that repeat
Block: TypeAlias = tuple[int, int, int]
T = TypeVar("T")


class Merged(Struct, frozen=True, kw_only=True):
    """`value` is complete when `conflicts` is empty; otherwise it holds the local side at those places."""

    value: Value
    conflicts: tuple[Path, ...] = ()


State: TypeAlias = "Value | UnsetType"


def merge(kind: Kind, base: State, local: Value, remote: Value, key: str = "") -> Merged:
    """Three-way merge in public form; `base` is UNSET when there is none. `key` finds the lists of a setting."""
    path = root(kind, key)
    conflicts: list[Path] = []
    value = _Merge(len(path), kind, whole(kind, key), conflicts).one(path, base, local, remote)
    assert value is not UNSET, "two values never merge to none"
    return Merged(value=value, conflicts=tuple(conflicts))


def merge_lines(base: str, local: str, remote: str) -> str | None:
    """Prose in which each side changed other lines than the other; None when the changes touch (diff3).

    How lines end, and whether the last one does, are no lines: each is merged apart, so a side that turned \\r\\n
    into \\n or added the last line end has not changed every line.
    """
    texts = [_Lines.of(text) for text in (base, local, remote)]
    old, mine, theirs = (text.lines for text in texts)
    if max(len(old), len(mine), len(theirs)) > MAX_LINES:
        return None
    merged = _merged(old, mine, theirs)
    if merged is None:
        return None
    end = _moved(*(text.end for text in texts)) or "\n"
    last = _moved(*(text.last for text in texts))
    return end.join(merged) + (end if merged and last is not False else "")


class _Lines(NamedTuple):
    lines: list[str]
    end: str | None  # of the lines; None for a single one
    last: bool | None  # has the last line an end?

    @classmethod
    def of(cls, text: str) -> "_Lines":
        if not text:
            return cls([], None, None)
        end = "\r\n" if "\r\n" in text and text.count("\r\n") == text.count("\n") else "\n"
        body = text.removesuffix(end)
        return cls(body.split(end), end if end in text else None, body != text)


def _moved(base: T | None, mine: T | None, theirs: T | None) -> T | None:
    """Which of two it is when one of them moved; the local one when both did."""
    if mine is None or (mine == base and theirs is not None):
        return theirs
    return mine


def _merged(old: list[str], mine: list[str], theirs: list[str]) -> list[str] | None:
    if mine == theirs or theirs == old:
        return mine
    if mine == old:
        return theirs
    left, right = _blocks(old, mine), _blocks(old, theirs)
    if left is None or right is None:
        return None
    result: list[str] = []
    at = i = j = 0
    for start, a, b, size in _anchors(left, right):
        chunk, one, two = old[at:start], mine[i:a], theirs[j:b]
        if one == two or two == chunk:
            result += one
        elif one == chunk:
            result += two
        else:
            return None
        result += old[start : start + size]
        at, i, j = start + size, a + size, b + size
    return result


class _Merge:
    def __init__(self, skip: int, kind: Kind, one_piece: bool, conflicts: list[Path]) -> None:
        self.skip = skip  # leading names that are only for finding rules
        self.kind = kind
        self.one_piece = one_piece
        self.conflicts = conflicts

    def one(self, path: Path, base: State, local: State, remote: State) -> State:
        one_piece = self.one_piece or whole_at(path)
        if not one_piece and isinstance(local, dict) and isinstance(remote, dict):
            return self._maps(path, base if isinstance(base, dict) else {}, local, remote)
        if _equal(path, local, remote) or _equal(path, base, remote):
            return local
        if _equal(path, base, local):
            return self._in_local_order(path, local, remote)
        if one_piece or local is UNSET or remote is UNSET:
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

    def _in_local_order(self, path: Path, local: State, remote: State) -> State:
        """The remote value; of a list whose order says nothing, the order is the local one."""
        if self.one_piece or not isinstance(local, list) or not isinstance(remote, list):
            return remote
        mine, theirs = parts(path, local), parts(path, remote)
        if mine is None or theirs is None or list(mine) == list(theirs):
            return remote
        return [theirs[name] for name in dict.fromkeys([*mine, *theirs]) if name in theirs]

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


def _blocks(old: list[str], new: list[str]) -> list[Block] | None:
    """Runs of lines that both have: (start in old, in new, length); the last one is empty. None: it would take long."""
    head = _same_at_start(old, new)
    tail = _same_at_start(old[head:][::-1], new[head:][::-1])
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    many = Counter(b)
    if sum(count * many[line] for line, count in Counter(a).items()) > MAX_WORK:
        return None
    inner = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()[:-1]
    found = [(0, 0, head), *((i + head, j + head, n) for i, j, n in inner), (len(old) - tail, len(new) - tail, tail)]
    return [*(block for block in found if block[2]), (len(old), len(new), 0)]


def _same_at_start(one: list[str], other: list[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _anchors(left: list[Block], right: list[Block]) -> Iterator[tuple[int, int, int, int]]:
    """Runs of lines that all three have: (start in old, in mine, in theirs, length); the last one is empty."""
    i = j = 0
    while i < len(left) and j < len(right):
        (a, b, n), (c, d, m) = left[i], right[j]
        start, end = max(a, c), min(a + n, c + m)
        if end > start:
            yield start, b + start - a, d + start - c, end - start
        i, j = (i + 1, j) if a + n < c + m else (i, j + 1)
    yield left[-1][0], left[-1][1], right[-1][1], 0
