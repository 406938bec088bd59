"""Where a machine and the baseline differ, and what follows from it: the table of 4-configuration.

Three states are looked at for each entity: the *base* (what was last applied on this machine), the
*local* one, and the *baseline*. Which of them are equal decides the verdict; the tables below are the whole
of it. Nothing here changes anything: a verdict says who moved, risk and policy say what may follow.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from roosync_protocol import special
from roosync_protocol.digest import raw, same
from roosync_protocol.entity import Entities, Entity, Kind
from roosync_protocol.merge import merge
from roosync_protocol.names import Value
from roosync_protocol.shapes import Path, alike, parts, root

Absent: TypeAlias = UnsetType
if TYPE_CHECKING:
    State: TypeAlias = "Value | Absent"
else:
    State = Any  # as `Value`, for msgspec
ABSENT = UNSET


class Verdict(StrEnum):
    TAKE = "take"  # the baseline moved: take it
    DRIFT = "drift"  # the machine moved: propose upstream, keep as special, or restore
    CONVERGED = "converged"  # both moved to the same: record it
    CONFLICT = "conflict"  # both moved: `merged` when the two fit together, a person decides
    LOCAL_DELETION = "local_deletion"  # gone here: a proposal, never silent
    BASELINE_DELETION = "baseline_deletion"  # the approved version says that it goes
    DELETE_MODIFY = "delete_modify"  # one side took it away, the other has another value
    ADOPT = "adopt"  # first join: equal already, record it
    JOIN_ADD = "join_add"  # first join: only in the baseline
    JOIN_DIFFERS = "join_differs"  # first join: never overwrite, a person decides
    LOCAL_ONLY = "local_only"  # the baseline does not speak of it: listed apart, no divergence


RECORDED = frozenset({Verdict.CONVERGED, Verdict.ADOPT})  # nothing to do but to write the new base down
DIVERGENT = frozenset(Verdict) - RECORDED - {Verdict.LOCAL_ONLY}

# x, y, z: three different values. -: absent; in the baseline's column, removed by the approved version.
# .: the baseline does not speak of it, which is no order to delete.
RULES: dict[tuple[str, str, str], Verdict | None] = {
    # base local baseline
    ("x", "x", "x"): None,
    ("x", "x", "y"): Verdict.TAKE,
    ("x", "y", "x"): Verdict.DRIFT,
    ("x", "y", "y"): Verdict.CONVERGED,
    ("x", "y", "z"): Verdict.CONFLICT,
    ("x", "-", "x"): Verdict.LOCAL_DELETION,
    ("x", "-", "y"): Verdict.DELETE_MODIFY,
    ("x", "x", "-"): Verdict.BASELINE_DELETION,
    ("x", "y", "-"): Verdict.DELETE_MODIFY,
    ("x", "-", "-"): Verdict.CONVERGED,
    ("x", "x", "."): Verdict.LOCAL_ONLY,
    ("x", "y", "."): Verdict.LOCAL_ONLY,
    ("x", "-", "."): Verdict.CONVERGED,
    ("-", "x", "x"): Verdict.CONVERGED,
    ("-", "x", "y"): Verdict.CONFLICT,
    ("-", "-", "x"): Verdict.TAKE,
    ("-", "x", "-"): Verdict.DELETE_MODIFY,
    ("-", "x", "."): Verdict.LOCAL_ONLY,
    ("-", "-", "-"): None,
    ("-", "-", "."): None,
}
# On the first join there is no base to tell who moved: never delete, never overwrite.
JOIN_RULES: dict[tuple[str, str], Verdict | None] = {
    # local baseline
    ("x", "x"): Verdict.ADOPT,
    ("x", "y"): Verdict.JOIN_DIFFERS,
    ("-", "x"): Verdict.JOIN_ADD,
    ("x", "-"): Verdict.DELETE_MODIFY,
    ("x", "."): Verdict.LOCAL_ONLY,
    ("-", "-"): None,
    ("-", "."): None,
}


class Divergence(Struct, frozen=True, kw_only=True):
    """One entity on which machine and baseline are not one; values in public form."""

    key: str
    kind: Kind
    verdict: Verdict
    base: State = ABSENT
    local: State = ABSENT
    wanted: State = ABSENT  # the baseline's
    merged: State = ABSENT  # both changes in one value, when nothing collides
    conflicts: tuple[Path, ...] = ()  # where they collide
    special: bool = False  # local and wanted differ at paths and names of hosts only


class Change(Struct, frozen=True, kw_only=True):
    """One leaf that differs. In a set or a keyed list the path has the element's name, not its index."""

    path: Path
    before: State = ABSENT
    after: State = ABSENT


def compare(
    base: Entities,
    local: Entities,
    baseline: Entities,
    *,
    removed: frozenset[str] = frozenset(),
    first_join: bool,
    machine: str = "",
) -> list[Divergence]:
    """All entities that are not settled, by key. Equal input gives equal output, in any order.

    `baseline` is the effective one of this machine; leave out of all three the targets that are absent,
    skipped or quarantined here, or their silence reads as deletion. `removed` are the keys the approved
    version takes away. `machine` helps to see that a value names this host.
    """
    if first_join:
        base = {}
    found = []
    for key in sorted(base.keys() | local.keys() | baseline.keys()):
        states = (base.get(key), local.get(key), baseline.get(key))
        verdict = _judge(states, key in removed, first_join)
        if verdict is not None:
            found.append(_divergence(key, states, verdict, machine))
    return found


def equal(a: Entity, b: Entity) -> bool:
    """One entity in two copies? Order in sets and keyed lists does not matter."""
    return a.kind == b.kind and alike(root(a.kind, a.key), a.value, b.value)


def changes(before: Value, after: Value, kind: Kind | None = None, key: str = "") -> list[Change]:
    """The smallest set of leaves that turns `before` into `after`, for showing to a person.

    An undeclared list is one leaf. With `kind` and `key` the lists of a setting are known by its name.
    """
    return list(_walk((), root(kind, key), before, after))


States = tuple[Entity | None, Entity | None, Entity | None]


def _judge(states: States, removed: bool, first_join: bool) -> Verdict | None:
    bytes_of = [raw(entity.value) if entity else b"" for entity in states]
    if bytes_of[0] == bytes_of[1] == bytes_of[2] and all(states):
        return None  # nearly always, and cheap
    letters: list[str] = []
    seen: list[tuple[Entity, bytes, str]] = []
    for entity, data in zip(states, bytes_of, strict=True):
        if entity is None:
            letters.append("-")
            continue
        letter = next((known for other, spelt, known in seen if data == spelt or equal(entity, other)), None)
        letter = letter or "xyz"[len({known for _, _, known in seen})]
        seen.append((entity, data, letter))
        letters.append(letter)
    if states[2] is None and not removed:
        letters[2] = "."
    return JOIN_RULES[letters[1], letters[2]] if first_join else RULES[letters[0], letters[1], letters[2]]


def _divergence(key: str, states: States, verdict: Verdict, machine: str) -> Divergence:
    base, local, wanted = (e.value if e else ABSENT for e in states)
    kinds = {e.kind for e in states if e}
    kind = next(e.kind for e in reversed(states) if e)
    merged: State = ABSENT
    conflicts: tuple[Path, ...] = ()
    if verdict in (Verdict.CONFLICT, Verdict.JOIN_DIFFERS):
        if len(kinds) == 1 and local is not ABSENT and wanted is not ABSENT:
            result = merge(kind, base, local, wanted, key)
            merged, conflicts = (ABSENT, result.conflicts) if result.conflicts else (result.value, ())
        else:
            conflicts = ((),)
    is_special = (
        verdict in (Verdict.CONFLICT, Verdict.JOIN_DIFFERS, Verdict.DRIFT)
        and local is not ABSENT
        and wanted is not ABSENT
        and special.only([local, wanted], [machine, ""])
    )
    return Divergence(
        key=key,
        kind=kind,
        verdict=verdict,
        base=base,
        local=local,
        wanted=wanted,
        merged=merged,
        conflicts=conflicts,
        special=is_special,
    )


def _walk(shown: Path, path: Path, before: Value, after: Value) -> Iterator[Change]:
    pairs = _pairs(path, before, after)
    if pairs is None:
        if not same(before, after):
            yield Change(path=shown, before=before, after=after)
        return
    old, new = pairs
    for name, value in old.items():
        other = new.get(name, ABSENT)
        if other is ABSENT:
            yield Change(path=(*shown, name), before=value)
        elif not (value is other or (type(value) is type(other) and _leaf_equal(value, other))):
            yield from _walk((*shown, name), (*path, name), value, other)
    for name, value in new.items():
        if name not in old:
            yield Change(path=(*shown, name), after=value)


def _leaf_equal(a: Value, b: Value) -> bool:
    return raw(a) == raw(b) if isinstance(a, dict | list) else a == b


def _pairs(path: Path, before: Value, after: Value) -> tuple[dict[str, Value], dict[str, Value]] | None:
    """Both as maps when both are maps or declared lists; None when the two are leaves."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before, after
    if isinstance(before, list) and isinstance(after, list):
        old, new = parts(path, before), parts(path, after)
        if old is not None and new is not None:
            return old, new
    return None
