"""What may be asked of a document, and what it means for the value: the model that every written text must meet.

`apply` says plainly what an edit means. `steps` says the same in the smallest steps that a text editor needs: an
object that differs in one member becomes a change of that member, so everything around it keeps its bytes.
The two are computed apart from each other and compared at the end of each edit.

Rules: missing parents are created by Set and Insert (a null counts as missing); a replaced value keeps its place;
a new member goes after the sibling named by `after` when there is one, otherwise to the end; equality is by type:
`1`, `1.0` and `true` are three values. Order of members carries no meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

from roosync_protocol.documents.base import EditRefused, too_deep
from roosync_protocol.names import Value

Path: TypeAlias = tuple[str | int, ...]
FIRST = -1  # Set(..., after=FIRST): before all siblings
_PAIRS = 250_000  # elements compared with elements before lists are no longer aligned, only trimmed


@dataclass(frozen=True)
class Set:
    """Replace the value at `path`, or insert it. `comments` are the lines above a new member, without marks."""

    path: Path
    value: Value
    after: str | int | None = None
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delete:
    """Remove the entry at `path` together with its own comment lines."""

    path: Path


@dataclass(frozen=True)
class Rename:
    """Give the member at `path` another name; its place and value stay."""

    path: Path
    name: str


@dataclass(frozen=True)
class Insert:
    """Put `value` into the list at `path` so that it has `index` (0 to the length of the list)."""

    path: Path
    index: int
    value: Value


Edit: TypeAlias = Set | Delete | Rename | Insert


@dataclass(frozen=True)
class Replace:
    """Step: another value at an existing place."""

    path: Path
    value: Value


@dataclass(frozen=True)
class Add:
    """Step: a new member of an existing map, after the member `after`, or first when that is None."""

    path: Path  # of the map
    name: str
    value: Value
    after: str | None
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Put:
    """Step: a new element of an existing list."""

    path: Path  # of the list
    index: int
    value: Value
    comments: tuple[str, ...] = ()


Step: TypeAlias = Replace | Add | Put | Delete | Rename


def get(value: Value, path: Path) -> Value:
    """The value at `path`. EditRefused when there is none."""
    for depth, step in enumerate(path):
        if isinstance(value, dict) and isinstance(step, str) and step in value:
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        else:
            raise EditRefused(f"there is nothing at {show(path[: depth + 1])}")
    return value


def show(path: Path) -> str:
    """A path as a person writes it: customModes[0].slug"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the whole document"


def equal(a: Value, b: Value) -> bool:
    """Are they one value, type by type? The order of members does not count; not-a-number equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or (a != a and b != b)  # noqa: PLR0124 - not-a-number


def apply(value: Value, edit: Edit, depth: int) -> Value:
    """What `edit` means: the new value, sharing what did not change. EditRefused when it means nothing here."""
    match edit:
        case Set() | Insert():
            check(edit.value, depth)
            if isinstance(edit, Set):
                return _set(value, edit.path, edit.value, edit)
            return _changed(value, edit.path, lambda old: _inserted(old, edit))
        case Delete(path=path) | Rename(path=path) if not path:
            raise EditRefused("the whole document can not be deleted or renamed")
        case Delete(path=path):
            get(value, path)
            return _changed(value, path[:-1], lambda old: _without(old, path[-1]))
        case Rename(path=path, name=name):
            get(value, path)
            return _changed(value, path[:-1], lambda old: _renamed(old, path[-1], name))


def apply_step(value: Value, step: Step) -> Value:
    """What one step means. Its places exist, since `steps` made it."""
    match step:
        case Replace():
            return _changed(value, step.path, lambda _: step.value)
        case Add():
            return _changed(value, step.path, lambda old: _added(old, step))
        case Put():
            return _changed(value, step.path, lambda old: _inserted(old, step))
        case Delete():
            return _changed(value, step.path[:-1], lambda old: _without(old, step.path[-1]))
        case Rename():
            return _changed(value, step.path[:-1], lambda old: _renamed(old, step.path[-1], step.name))


def check(value: Value, depth: int) -> None:
    """EditRefused unless `value` is a JSON tree no deeper than `depth`."""
    if too_deep(value, depth):
        raise EditRefused(f"the value is deeper than {depth} containers")
    todo: list[object] = [value]
    while todo:
        match todo.pop():
            case dict() as members:
                for key in members:
                    if type(key) is not str:
                        raise EditRefused(f"{key!r} can not be the name of a member: names are strings")
                todo += members.values()
            case list() as elements:
                todo += elements
            case other if other is not None and type(other) not in (bool, int, float, str):
                raise EditRefused(f"a {type(other).__name__} is no value of a document")


def steps(value: Value, edit: Edit) -> list[Step]:
    """`edit` in the smallest steps, to be taken one after the other. [] when it changes nothing."""
    match edit:
        case Delete() | Rename():
            same = isinstance(edit, Rename) and edit.path[-1] == edit.name
            return [] if same else [edit]
        case Insert(path=path):
            made = _creation(value, (*path, edit.index), edit.value)
            return [made] if made else [Put(path, edit.index, edit.value)]
        case Set(path=path):
            made = _creation(value, path, edit.value, edit)
            if made is not None:
                return [made]
            if edit.after is not None and path and isinstance(path[-1], int):
                return [Put(path[:-1], path[-1], edit.value, edit.comments)]
            return _difference(path, get(value, path), edit.value)


def _creation(value: Value, path: Path, new: Value, edit: Set | None = None) -> Step | None:
    """The step that makes what is missing on the way to `path`; None when everything is there."""
    here = value
    for depth, step in enumerate(path):
        rest = path[depth + 1 :]
        if here is None:
            return Replace(path[:depth], _nested(path[depth:], new))
        if isinstance(here, dict) and isinstance(step, str) and step not in here:
            after, comments = (edit.after, edit.comments) if edit and not rest else (None, ())
            return Add(path[:depth], step, _nested(rest, new), _sibling(here, after), comments)
        if isinstance(here, list) and step == len(here):
            comments = edit.comments if edit and not rest else ()
            return Put(path[:depth], len(here), _nested(rest, new), comments)
        here = get(here, (step,))
    return None


def _sibling(members: dict[str, Value], after: str | int | None) -> str | None:
    if after == FIRST:
        return None
    if isinstance(after, str) and after in members:
        return after
    return next(reversed(members), None)


def _nested(path: Path, value: Value) -> Value:
    for step in reversed(path):
        if isinstance(step, int) and step != 0:
            raise EditRefused(f"index {step} is outside of a list that does not exist yet")
        value = {step: value} if isinstance(step, str) else [value]
    return value


def _difference(path: Path, old: Value, new: Value) -> list[Step]:
    if equal(old, new):
        return []
    if isinstance(old, dict) and isinstance(new, dict) and (not old or not old.keys().isdisjoint(new)):
        found: list[Step] = [Delete((*path, key)) for key in old if key not in new]
        before = None
        for key, value in new.items():
            if key in old:
                found += _difference((*path, key), old[key], value)
            else:
                found.append(Add(path, key, value, before))
            before = key
        return found
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return _list_difference(path, old, new)
    return [Replace(path, new)]


def _list_difference(path: Path, old: list[Value], new: list[Value]) -> list[Step]:
    """Steps from the last element to the first, so that the indices of those still to come hold."""
    found: list[Step] = []
    for tag, i1, i2, j1, j2 in reversed(_aligned([*map(repr, old)], [*map(repr, new)])):
        if tag == "equal":
            continue
        both = min(i2 - i1, j2 - j1)
        found += [Delete((*path, i)) for i in reversed(range(i1 + both, i2))]
        found += [Put(path, i2, value) for value in reversed(new[j1 + both : j2])]
        for i in reversed(range(both)):
            before, after = old[i1 + i], new[j1 + i]
            where = (*path, i1 + i)
            found += _difference(where, before, after) if _alike(before, after) else [Replace(where, after)]
    return found


def _aligned(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    """What to do with which ranges: ("equal" or another word, from, to in old, from, to in new)."""
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    to_old, to_new = len(old) - tail, len(new) - tail
    if (to_old - head) * (to_new - head) > _PAIRS:
        return [("replace", head, to_old, head, to_new)]
    matcher = SequenceMatcher(None, old[head:to_old], new[head:to_new], autojunk=False)
    return [(tag, i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in matcher.get_opcodes()]


def _alike(a: Value, b: Value) -> bool:
    """Is `b` a changed `a`, rather than something else in its place?"""
    if isinstance(a, dict) and isinstance(b, dict):
        return any(key in b and equal(value, b[key]) for key, value in a.items())
    return not (isinstance(a, list) and isinstance(b, list)) or any(one in b for one in a)


def _changed(value: Value, path: Path, change: Callable[[Value], Value]) -> Value:
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if value is None:
        return _nested((step,), _changed(None, rest, change))
    if isinstance(value, list) and step == len(value):
        return [*value, _changed(None, rest, change)]
    if isinstance(value, dict) and isinstance(step, str):
        inner = _changed(value.get(step), rest, change)
        return {**value, step: inner}
    inner = _changed(get(value, (step,)), rest, change)
    assert isinstance(value, list) and isinstance(step, int)
    return [*value[:step], inner, *value[step + 1 :]]


def _set(value: Value, path: Path, new: Value, edit: Set) -> Value:
    if not path:
        if new is None:
            raise EditRefused("a whole document can not be null")
        return new
    last = path[-1]
    if isinstance(last, int) and edit.after is not None:
        if edit.after != last - 1:
            raise EditRefused(f"element {last} can not come after {edit.after!r}: say the index before it, or use Insert")
        return _changed(value, path[:-1], lambda old: _inserted(old, Insert((), last, new)))
    return _changed(value, path, lambda _: new)


def _inserted(old: Value, edit: Insert | Put) -> Value:
    old = [] if old is None else old
    if not isinstance(old, list):
        raise EditRefused(f"{show(edit.path)} is no list")
    if not 0 <= edit.index <= len(old):
        raise EditRefused(f"index {edit.index} is outside of the list {show(edit.path)} with {len(old)} elements")
    return [*old[: edit.index], edit.value, *old[edit.index :]]


def _added(old: Value, step: Add) -> Value:
    assert isinstance(old, dict)
    if step.after is None:
        return {step.name: step.value, **old}
    new: dict[str, Value] = {}
    for key, value in old.items():
        new[key] = value
        if key == step.after:
            new[step.name] = step.value
    return new


def _without(old: Value, step: str | int) -> Value:
    if isinstance(old, dict):
        return {key: value for key, value in old.items() if key != step}
    assert isinstance(old, list) and isinstance(step, int)
    return [*old[:step], *old[step + 1 :]]


def _renamed(old: Value, step: str | int, name: str) -> Value:
    if not isinstance(old, dict):
        raise EditRefused("only members of a map have names; elements of a list do not")
    if name in old and name != step:
        raise EditRefused(f"there is already a member named {name!r}")
    return {name if key == step else key: value for key, value in old.items()}
