"""Who has a say in a consolidation, and which machines say the same.

Kept apart from what follows of it: here packages become, for each entity, groups of machines with one
value; which machine is not to be believed is found without any history, by its neighbours.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from roosync_protocol.digest import canonical, raw
from roosync_protocol.entity import Entities, Entity, target_of
from roosync_protocol.placing import NOWHERE, Placing
from roosync_protocol.shapes import normal, root

SHARE = 0.30  # of what the others have; below, a capture is degraded
SHARE_COUNTS_FROM = (
    20  # entities: two servers beside ten are a small machine, seven settings beside eighty a broken one
)
EMPTY_COUNTS_FROM = 3  # entities of the others: nothing beside three is no coincidence


class Collected(Struct, frozen=True, kw_only=True):
    """The latest complete package of one machine, in public form."""

    machine: str
    collected_at: datetime
    targets: frozenset[str]  # present on that machine, also when they hold nothing
    entities: Entities
    placing: Placing = NOWHERE
    quarantined: Mapping[str, str] = {}  # target -> reason of the machine's own wipe guard
    vouched: frozenset[str] = frozenset()  # targets that a person released: counted however little they hold


class Excluded(Struct, frozen=True, kw_only=True):
    """A machine without a vote on one target."""

    machine: str
    target: str
    reason: str


class NotEnoughError(ValueError):
    """Fewer than two machines have a vote, and a baseline is never one machine's inventory."""

    def __init__(self, machines: tuple[str, ...], excluded: tuple[Excluded, ...]) -> None:
        self.machines = machines
        self.excluded = excluded
        have = f"complete packages of {', '.join(machines)}" if machines else "no complete package"
        doubts = "".join(f"; {e.machine} has no vote on {e.target}: {e.reason}" for e in excluded)
        super().__init__(f"a baseline needs two machines to agree, and there is {have}{doubts}")


class Group(Struct, frozen=True, kw_only=True):
    """Machines that have one value."""

    entity: Entity
    machines: tuple[str, ...]  # sorted
    newest: datetime


def latest(packages: Iterable[Collected]) -> list[Collected]:
    """The newest package of each machine, by machine; of two at one instant always the same."""
    found: dict[str, Collected] = {}
    for package in packages:
        other = found.get(package.machine)
        if other is None or _age(other) < _age(package):
            found[package.machine] = package
    return [found[machine] for machine in sorted(found)]


def excluded(packages: Sequence[Collected]) -> tuple[Excluded, ...]:
    """Which captures are not believed: quarantined at home, or nearly empty where the others are not."""
    counts = {package.machine: _counts(package) for package in packages}
    believed: dict[str, list[int]] = {}
    for package in packages:
        for target, count in counts[package.machine].items():
            if target not in package.quarantined:
                believed.setdefault(target, []).append(count)
    for found in believed.values():
        found.sort()
    result = []
    for package in packages:
        for target, count in sorted(counts[package.machine].items()):
            if target in package.quarantined:
                reason: str | None = f"quarantined: {package.quarantined[target]}"
            else:
                reason = None if target in package.vouched else _degraded(count, believed[target])
            if reason:
                result.append(Excluded(machine=package.machine, target=target, reason=reason))
    return tuple(result)


def by_key(
    packages: Sequence[Collected], without: Sequence[Excluded]
) -> tuple[dict[str, list[str]], dict[str, dict[str, Entity]]]:
    """(target -> machines that vote on it, key -> machine -> entity), machines in the order of the packages."""
    silent = {(e.machine, e.target) for e in without}
    voters: dict[str, list[str]] = {}
    held: dict[str, dict[str, Entity]] = {}
    for package in packages:
        machine = package.machine
        mute = {target for name, target in silent if name == machine}
        for target in sorted(_targets(package) - mute):
            voters.setdefault(target, []).append(machine)
        for key, entity in package.entities.items():
            if mute and target_of(key) in mute:
                continue
            holders = held.get(key)
            if holders is None:
                holders = held[key] = {}
            holders[machine] = entity
    return voters, held


def groups(held: Mapping[str, Entity], time: Mapping[str, datetime]) -> list[Group]:
    """Machines by value: most machines first, then the newest, then by canonical bytes, so always in one order."""
    spellings: dict[tuple[str, bytes], list[str]] = {}
    for machine, entity in held.items():
        spellings.setdefault((entity.kind, raw(entity.value)), []).append(machine)
    values: dict[tuple[str, bytes], list[tuple[list[str], Entity]]] = {}
    for (kind, _), machines in spellings.items():
        entity = held[machines[0]]
        value = entity.value if len(spellings) == 1 else normal(root(entity.kind, entity.key), entity.value)
        values.setdefault((kind, canonical(value)), []).append((machines, entity))
    ordered = []
    for (kind, data), same in values.items():
        # Of several spellings of one value: the one that most machines use.
        entity = min(same, key=lambda s: (-len(s[0]), canonical(s[1].value)))[1] if len(same) > 1 else same[0][1]
        machines = sorted(machine for spelling, _ in same for machine in spelling)
        group = Group(entity=entity, machines=tuple(machines), newest=max(time[m] for m in machines))
        ordered.append(((-len(machines), -group.newest.timestamp(), kind, data), group))
    return [group for _, group in sorted(ordered, key=lambda pair: pair[0])]


def follows(voters: Sequence[str], found: Sequence[Group], leaders: Mapping[str, Entity]) -> bool:
    """Is the value, or its absence, decided by another entity that differs too? (One leader value, one value.)"""
    group_of = {machine: number for number, group in enumerate(found) for machine in group.machines}
    decided: dict[bytes, int] = {}
    for machine in voters:
        leader = leaders.get(machine)
        if leader is None:
            return False
        number = group_of.get(machine, -1)
        if decided.setdefault(raw(leader.value), number) != number:
            return False
    return len(decided) > 1


def _targets(package: Collected) -> set[str]:
    return set(package.targets) | {target_of(key) for key in package.entities}


def _counts(package: Collected) -> dict[str, int]:
    counts = dict.fromkeys(_targets(package), 0)
    for key in package.entities:
        counts[target_of(key)] += 1
    return counts


def _degraded(count: int, everybody: list[int]) -> str | None:
    """Why this count is too small beside the others'; `everybody` is sorted and has it once more."""
    if len(everybody) < 2:
        return None
    at = bisect_left(everybody, count)
    low, high = (len(everybody) - 2) // 2, (len(everybody) - 1) // 2  # the middle of one less
    usual = (everybody[low + (low >= at)] + everybody[high + (high >= at)]) / 2
    if count == 0 and usual >= EMPTY_COUNTS_FROM:
        return f"it is empty where the others have {usual:g} entities"
    if usual >= SHARE_COUNTS_FROM and count < usual * SHARE:
        return f"it has {count} entities where the others have {usual:g}"
    return None


def _age(package: Collected) -> tuple[datetime, bytes]:
    return package.collected_at, canonical(
        [[key, e.kind.value, e.value] for key, e in sorted(package.entities.items())]
    )


def quorum(machines: int) -> int:
    """More than half of them."""
    return machines // 2 + 1
