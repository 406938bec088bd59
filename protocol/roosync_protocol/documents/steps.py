"""An edit in the smallest steps that a text editor needs, so that everything around keeps its bytes.

An object that differs in one member becomes a change of that member; a list with one element more becomes the
insertion of that element. Each step has a meaning of its own (`apply_step`), against which its text is checked.
"""

from dataclasses import dataclass
from typing import TypeAlias

from roosync_protocol.documents import lines
from roosync_protocol.documents.edits import (
    FIRST,
    Delete,
    Edit,
    Insert,
    Path,
    Rename,
    Set,
    changed,
    equal,
    get,
    inserted,
    nested,
    renamed,
    without,
)
from roosync_protocol.names import Value

IDENTITIES = ("slug", "id", "name", "key")  # members that name an element of a list


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


def apply_step(value: Value, step: Step) -> Value:
    """What one step means. Its places exist, since `steps` made it."""
    match step:
        case Replace():
            return changed(value, step.path, lambda _: step.value)
        case Add():
            return changed(value, step.path, lambda old: _added(old, step))
        case Put():
            return changed(value, step.path, lambda old: inserted(old, Insert(step.path, step.index, step.value)))
        case Delete():
            return changed(value, step.path[:-1], lambda old: without(old, step.path[-1]))
        case Rename():
            return changed(value, step.path[:-1], lambda old: renamed(old, step.path[-1], step.name))


def is_leaf(value: Value, step: Step) -> bool:
    """Does the step put one plain value in the place of another?"""
    if not isinstance(step, Replace) or not step.path or isinstance(step.value, dict | list):
        return False
    return not isinstance(get(value, step.path), dict | list)


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
            return Replace(path[:depth], nested(path[depth:], new))
        if isinstance(here, dict) and isinstance(step, str) and step not in here:
            after, comments = (edit.after, edit.comments) if edit and not rest else (None, ())
            return Add(path[:depth], step, nested(rest, new), _sibling(here, after), comments)
        if isinstance(here, list) and step == len(here):
            comments = edit.comments if edit and not rest else ()
            return Put(path[:depth], len(here), nested(rest, new), comments)
        here = get(here, (step,))
    return None


def _sibling(members: dict[str, Value], after: str | int | None) -> str | None:
    if after == FIRST:
        return None
    if isinstance(after, str) and after in members:
        return after
    return next(reversed(members), None)


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
    for tag, i1, i2, j1, j2 in reversed(lines.aligned(*_tokens(old, new))):
        if tag == "equal":
            for i, j in zip(reversed(range(i1, i2)), reversed(range(j1, j2)), strict=True):
                found += _difference((*path, i), old[i], new[j])
            continue
        both = min(i2 - i1, j2 - j1)
        found += [Delete((*path, i)) for i in reversed(range(i1 + both, i2))]
        found += [Put(path, i2, value) for value in reversed(new[j1 + both : j2])]
        for i in reversed(range(both)):
            before, after = old[i1 + i], new[j1 + i]
            where = (*path, i1 + i)
            found += _difference(where, before, after) if _alike(before, after) else [Replace(where, after)]
    return found


def _tokens(old: list[Value], new: list[Value]) -> tuple[list[str], list[str]]:
    """What the elements are recognised by: the name that each has for itself alone, otherwise all that they are."""
    for name in IDENTITIES:
        both = [[one.get(name) if isinstance(one, dict) else None for one in each] for each in (old, new)]
        names = [[one for one in each if isinstance(one, str)] for each in both]
        if all(len(set(some)) == len(each) for some, each in zip(names, both, strict=True)):
            return names[0], names[1]
    return [*map(repr, old)], [*map(repr, new)]


def _alike(a: Value, b: Value) -> bool:
    """Is `b` a changed `a`, rather than something else in its place?"""
    if isinstance(a, dict) and isinstance(b, dict):
        return any(key in b and equal(value, b[key]) for key, value in a.items())
    return not (isinstance(a, list) and isinstance(b, list)) or any(one in b for one in a)


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
