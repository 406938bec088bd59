"""What may be asked of a document, and what it means for the value: the model that every written text must meet.

`apply` says plainly what an edit means; `steps` says the same in smallest steps. The two are computed apart from
each other and compared at the end of each edit.

Rules: missing parents are created by Set and Insert (a null counts as missing); a replaced value keeps its place;
a new member goes after the sibling named by `after` when there is one, otherwise to the end; equality is by type:
`1`, `1.0` and `true` are three values. Order of members carries no meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from roosync_protocol.documents.base import EditRefused, too_deep
from roosync_protocol.names import Value

Path: TypeAlias = tuple[str | int, ...]
FIRST = -1  # Set(..., after=FIRST): before all siblings


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


def get(value: Value, path: Path) -> Value:
    """The value at `path`. EditRefused when there is none."""
    for depth, step in enumerate(path):
        match value, step:
            case dict(), str() if step in value:
                value = value[step]
            case list(), int() if 0 <= step < len(value):
                value = value[step]
            case _:
                raise EditRefused(f"there is nothing at {show(path[: depth + 1])}")
    return value


def show(path: Path) -> str:
    """A path as a person writes it: customModes[0].slug"""
    text = ""
    for step in path:
        plain = isinstance(step, str) and step and not set(step) & set('.[]\n\r"')
        text += ("." if text else "") + str(step) if plain else f"[{step!r}]"
    return text or "the whole document"


def equal(a: Value, b: Value) -> bool:
    """Are they one value, type by type? The order of members does not count; not-a-number equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or (a != a and b != b)


def apply(value: Value, edit: Edit, depth: int) -> Value:
    """What `edit` means: the new value, sharing what did not change. EditRefused when it means nothing here."""
    match edit:
        case Set() | Insert():
            check(edit.value, depth)
            if isinstance(edit, Set):
                return _set(value, edit.path, edit.value, edit)
            return changed(value, edit.path, lambda old: inserted(old, edit))
        case Delete(path=path) | Rename(path=path) if not path:
            raise EditRefused("the whole document can not be deleted or renamed")
        case Delete(path=path):
            get(value, path)
            return changed(value, path[:-1], lambda old: without(old, path[-1]))
        case Rename(path=path, name=name):
            get(value, path)
            return changed(value, path[:-1], lambda old: renamed(old, path[-1], name))


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


def nested(path: Path, value: Value) -> Value:
    for step in reversed(path):
        if isinstance(step, int) and step != 0:
            raise EditRefused(f"index {step} is outside of a list that does not exist yet")
        value = {step: value} if isinstance(step, str) else [value]
    return value


def changed(value: Value, path: Path, change: Callable[[Value], Value]) -> Value:
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if value is None:
        return nested((step,), changed(None, rest, change))
    if isinstance(value, list) and step == len(value):
        return [*value, changed(None, rest, change)]
    if isinstance(value, dict) and isinstance(step, str):
        inner = changed(value.get(step), rest, change)
        return {**value, step: inner}
    inner = changed(get(value, (step,)), rest, change)
    assert isinstance(value, list)
    assert isinstance(step, int)
    return [*value[:step], inner, *value[step + 1 :]]


def _set(value: Value, path: Path, new: Value, edit: Set) -> Value:
    if not path:
        if new is None:
            raise EditRefused("a whole document can not be null")
        return new
    last = path[-1]
    if isinstance(last, int) and edit.after is not None:
        if edit.after != last - 1:
            raise EditRefused(
                f"element {last} can not come after {edit.after!r}: say the index before it, or use Insert"
            )
        return changed(value, path[:-1], lambda old: inserted(old, Insert((), last, new)))
    return changed(value, path, lambda _: new)


def inserted(old: Value, edit: Insert) -> Value:
    old = [] if old is None else old
    if not isinstance(old, list):
        raise EditRefused(f"{show(edit.path)} is no list")
    if not 0 <= edit.index <= len(old):
        raise EditRefused(f"index {edit.index} is outside of the list {show(edit.path)} with {len(old)} elements")
    return [*old[: edit.index], edit.value, *old[edit.index :]]


def without(old: Value, step: str | int) -> Value:
    if isinstance(old, dict):
        return {key: value for key, value in old.items() if key != step}
    assert isinstance(old, list)
    assert isinstance(step, int)
    return [*old[:step], *old[step + 1 :]]


def renamed(old: Value, step: str | int, name: str) -> Value:
    if not isinstance(old, dict):
        raise EditRefused("only members of a map have names; elements of a list do not")
    if name in old and name != step:
        raise EditRefused(f"there is already a member named {name!r}")
    return {name if key == step else key: value for key, value in old.items()}
