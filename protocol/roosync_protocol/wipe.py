"""The wipe guard: is this what a person did, or what is left of a file that broke?

An emptied, truncated or vanished file looks like many deletions, and would empty the whole fleet if it
were believed. So a look at a machine is measured against what it was last known to have; a target that
lost too much at once is quarantined until a person releases or repairs it (4-configuration, promise 4).
To remove one server of two is ordinary work and passes, and so does a file that only was reformatted.
"""

from collections.abc import Callable, Mapping

from roosync_protocol.diff import equal
from roosync_protocol.digest import raw, same
from roosync_protocol.entity import Entities, Kind, target_of
from roosync_protocol.names import Value

MANY = 3  # entities lost at once
SHARE = 0.30  # of the entities, when at least FEW were there
FEW = 3
SHRUNK = 0.5  # of the bytes that the entities still there had
SMALL = 512  # bytes: below, half a file is one entity
BARE = 3  # bytes: no more than `{}` and a line feed is left of a file

Sizes = Mapping[str, int]  # bytes of each managed file, by "<target>/<file>"


def degraded(
    before: Entities | None,
    before_sizes: Sizes,
    after: Entities,
    after_sizes: Sizes,
    *,
    unreadable: Mapping[str, str] | None = None,
    approved: frozenset[str] = frozenset(),
    owner: Callable[[str], str] = target_of,
) -> dict[str, str]:
    """The targets whose new state is not to be believed, each with the reason in words for a person.

    `before` is None when the machine was never looked at: then only what can not be read is known to be
    wrong. Both looks have the entities of a file in its order. `unreadable` has files that are there and do not
    parse, with the reason. `approved` are keys whose removal was decided, so that their loss proves nothing.
    `owner` says of which target a file is.
    """
    unreadable = unreadable or {}
    reasons: dict[str, list[str]] = {}
    for path in sorted(unreadable):
        reasons.setdefault(owner(path), []).append(f"{path} can not be read: {unreadable[path]}")
    files: dict[str, list[str]] = {}
    for path in sorted(before_sizes.keys() - unreadable.keys()):
        files.setdefault(owner(path), []).append(path)
    for target, had in sorted(_by_target(before or {}).items()):
        found = _entities_gone(had.keys() - approved, after) or _cut_off(had, after, approved)
        left = _share_left(had, after)
        if left is not None:
            for path in files.get(target, ()):
                found += _file_gone(path, had, after, after_sizes, approved)
                found += _file_emptied(path, before_sizes[path], had, after, after_sizes, approved)
                found += _file_shrank(path, before_sizes[path] * left, after_sizes.get(path))
        if found:
            reasons.setdefault(target, []).extend(found)
    return {target: "; ".join(found) for target, found in sorted(reasons.items())}


def _entities_gone(had: set[str], after: Entities) -> list[str]:
    lost = sorted(had - after.keys())
    if len(lost) >= MANY or (len(had) >= FEW and len(lost) >= len(had) * SHARE) or (len(lost) == len(had) > 1):
        names = ", ".join(key.split("/", 1)[1] for key in lost[:5]) + (", ..." if len(lost) > 5 else "")
        return [f"{len(lost)} of {len(had)} entities are gone at once: {names}"]
    return []


def _cut_off(had: Entities, after: Entities, approved: frozenset[str]) -> list[str]:
    """YAML that ends in the middle can be read all the same: its last entity is the beginning of what it was.

    Takes the entities in the order of their file: what was behind that one has to be all that is gone.
    """
    lost = had.keys() - after.keys() - approved
    order = list(had)
    target = target_of(next(iter(had)))
    last = next((key for key in reversed(list(after)) if target_of(key) == target), None)
    if not lost or last is None or last not in had or had[last].kind is Kind.TEXT or equal(had[last], after[last]):
        return []
    if any(order.index(key) < order.index(last) for key in lost) or not _begins(had[last].value, after[last].value):
        return []
    return [f"the file ends in the middle of {after[last].name}, and {len(lost)} of {len(had)} entities are gone"]


def _begins(whole: Value, left: Value) -> bool:
    """Is `left` what may be read of `whole` when its text was cut off somewhere?"""
    if left is None:
        return True
    if isinstance(left, dict) and isinstance(whole, dict):
        return all(name in whole and _begins(whole[name], value) for name, value in left.items())
    if isinstance(left, list) and isinstance(whole, list):
        return len(left) <= len(whole) and all(map(_begins, whole, left))
    if isinstance(left, str) and isinstance(whole, str):
        return whole.startswith(left.rstrip())
    return same(whole, left)


def _file_gone(path: str, had: Entities, after: Entities, after_sizes: Sizes, approved: frozenset[str]) -> list[str]:
    """A file of prose is one entity: when it goes, one entity went, and that was counted already."""
    prose = any(entity.kind is Kind.TEXT for entity in had.values())
    if path in after_sizes or prose or had.keys() <= after.keys() | approved:
        return []
    return [f"{path} is gone"]


def _file_emptied(
    path: str, size: int, had: Entities, after: Entities, after_sizes: Sizes, approved: frozenset[str]
) -> list[str]:
    """Whoever removes the last server leaves more than that; a text that is empty now was not edited."""
    now = after_sizes.get(path)
    if now is None or now > BARE or size <= BARE or had.keys() <= approved:
        return []
    text = after.get(path)
    if text is not None and text.kind is Kind.TEXT:
        empty = text.value in ("", "\n") and path not in approved
    else:
        empty = not had.keys() <= after.keys() | approved
    return [f"{path} is empty"] if empty else []


def _file_shrank(path: str, expected: float, now: int | None) -> list[str]:
    if now is None or expected <= SMALL or now > expected * SHRUNK:
        return []
    return [f"{path} has {now} bytes where about {expected:.0f} were expected"]


def _share_left(had: Entities, after: Entities) -> float | None:
    """The share of the bytes that the entities still there had before; None when nothing of ours changed."""
    if all(key in after and equal(entity, after[key]) for key, entity in had.items()):
        return None
    sizes = {key: len(raw(entity.value)) for key, entity in had.items()}
    return sum(size for key, size in sizes.items() if key in after) / max(1, sum(sizes.values()))


def _by_target(entities: Entities) -> dict[str, Entities]:
    found: dict[str, Entities] = {}
    for key, entity in entities.items():
        found.setdefault(target_of(key), {})[key] = entity
    return found
