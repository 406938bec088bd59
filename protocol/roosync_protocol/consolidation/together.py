"""Values of several machines put together leaf by leaf, so that a person is asked about leaves and not about blobs.

There is no base to tell who moved: what only one side has was added there or never reached the others, so maps and
keyed lists take in what each has, by the same quorum as whole entities. What is left are *disputes*: leaves of which
there are two values, sets with other elements, something that a minority has. Each has a pick, and says why: the
majority's, else the careful one (the step to it is the less dangerous, by the rules of `risk`), else the newest,
unless that would be critical for the others: then each keeps its own. Whoever publishes last decides nothing grave.
Servers, API profiles and texts are never put together: they are one piece.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from roosync_protocol import risk, special
from roosync_protocol.consolidation.votes import Group
from roosync_protocol.digest import canonical, raw
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import Value
from roosync_protocol.risk import Risk
from roosync_protocol.shapes import Path, Shape, normal, parts, root, rule, whole, whole_at

if TYPE_CHECKING:
    State: TypeAlias = "Value | UnsetType"
else:
    State = Any  # as `Value`, for msgspec

COMPARED = 8  # values of one leaf whose dangers are compared with one another
WEIGHED = (
    200_000  # bytes of one entity that are judged for their dangers; where there is more, nothing is known of them
)
SAMPLE = 50  # elements of a set that are judged
UNION, OWN = -1, -2  # picks that are no side: all elements of the set; each machine's own


class Candidate(Struct, frozen=True, kw_only=True):
    """What some machines have, of the whole or at one place, and when the latest of them was collected.

    Of a set: the elements that not everybody has. UNSET: not to have it.
    """

    value: State = UNSET
    machines: tuple[str, ...]
    newest: datetime


class Dispute(Struct, frozen=True, kw_only=True):
    """One place where the machines do not agree."""

    path: Path
    sides: tuple[Candidate, ...]  # most machines first
    pick: int  # of the sides, or UNION, or OWN
    why: str
    shared: int | None = None  # of a set: elements that everybody has
    minor: bool = False  # whichever is taken, the risk is low


class Together(Struct, frozen=True, kw_only=True):
    entity: Entity  # with the picks; of sets always all elements
    disputes: tuple[Dispute, ...] = ()

    @property
    def minor(self) -> bool:
        """Is nothing in dispute that a person would want to be asked about?"""
        return all(dispute.minor for dispute in self.disputes)


def together(key: str, groups: Sequence[Group]) -> Together:
    """The values of one entity, as `votes.groups` orders them, made one."""
    kind = groups[0].entity.kind
    one_piece = kind is Kind.TEXT or whole(kind, key) or len({group.entity.kind for group in groups}) > 1
    work = _Work(key, kind, one_piece)
    sides = [Candidate(value=g.entity.value, machines=g.machines, newest=g.newest) for g in groups]
    value = work.one((), sides)
    assert value is not UNSET, "what every side has is never picked away"
    entity = Entity(key=key, kind=kind, value=value)
    return Together(entity=entity, disputes=tuple(work.disputes))


class _Work:
    def __init__(self, key: str, kind: Kind, one_piece: bool) -> None:
        self.key, self.kind, self.one_piece = key, kind, one_piece
        self.root = root(kind, key)
        self.disputes: list[Dispute] = []
        self.budget = WEIGHED

    def one(self, path: Path, sides: list[Candidate]) -> State:
        sides = self._distinct(path, sides)
        if len(sides) == 1:
            return sides[0].value
        values = [side.value for side in sides if side.value is not UNSET]
        one_piece = self.one_piece or whole_at((*self.root, *path))
        if not one_piece and all(isinstance(value, dict) for value in values):
            maps = [value if isinstance(value, dict) else {} for value in values]
            if len(values) == len(sides):
                return self._members(path, sides, maps)
        lists = [value for value in values if isinstance(value, list)]
        if not one_piece and len(lists) == len(sides):
            named = [parts((*self.root, *path), value) for value in lists]
            elements = [found for found in named if found is not None]
            if len(elements) == len(sides):
                by = rule((*self.root, *path))
                if by is not None and by.shape is Shape.KEYED:
                    return list(self._members(path, sides, elements).values())
                return self._set(path, sides, elements)
        if len(values) == 1:
            return self._one_value(path, sides, values[0])
        return self._dispute(path, sides)

    def _members(self, path: Path, sides: list[Candidate], maps: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
        """In the order of the first side; what only others have comes after."""
        result: dict[str, Value] = {}
        for name in dict.fromkeys(name for members in maps for name in members):
            inner = [
                Candidate(value=members.get(name, UNSET), machines=side.machines, newest=side.newest)
                for members, side in zip(maps, sides, strict=True)
            ]
            value = self.one((*path, name), inner)
            if value is not UNSET:
                result[name] = value
        return result

    def _one_value(self, path: Path, sides: list[Candidate], value: Value) -> State:
        """Some have it and some have not: theirs by quorum or of two machines, unless it is bound to a machine."""
        total = sum(len(side.machines) for side in sides)
        holders = next(side.machines for side in sides if side.value is not UNSET)
        own = special.bound(value, holders[0] if len(holders) == 1 else "")
        few = total == 2 and not self._grave(path, UNSET, value)
        if not own and (2 * len(holders) > total or few):
            return value
        return self._dispute(path, sides)

    def _set(self, path: Path, sides: list[Candidate], elements: list[dict[str, Value]]) -> State:
        union = {name: element for found in elements for name, element in found.items()}
        shared = set.intersection(*(set(found) for found in elements))
        value = list(union.values())
        shown = tuple(
            Candidate(
                value=[e for n, e in found.items() if n not in shared], machines=side.machines, newest=side.newest
            )
            for found, side in zip(elements, sides, strict=True)
        )
        pick, why = self._pick_of_set(path, list(shown))
        self.disputes.append(Dispute(path=path, sides=shown, pick=pick, why=why, shared=len(shared)))
        return value

    def _pick_of_set(self, path: Path, sides: list[Candidate]) -> tuple[int, str]:
        """To forbid what anybody forbids is careful; to allow what anybody allows is not. Of elements not shared."""
        samples = [side.value[:SAMPLE] if isinstance(side.value, list) else [] for side in sides[:COMPARED]]
        union = [element for sample in samples for element in sample]
        if all(self._low(path, sample, union) for sample in samples):
            return UNION, "all of them together is the careful choice"
        least = [number for number, side in enumerate(sides) if side.value == []]
        if least and not path:
            return least[0], "it is the careful one"
        return OWN, "put together they would allow more on each machine, so each keeps its own"

    def _dispute(self, path: Path, sides: list[Candidate]) -> State:
        pick, why = self._pick(path, sides)
        values = [side.value for side in sides]
        low = len(values) <= COMPARED and all(self._low(path, a, b) for a in values for b in values if a is not b)
        own = any(value is not UNSET and special.bound(value) for value in values)
        minor = low and not own
        self.disputes.append(Dispute(path=path, sides=tuple(sides), pick=pick, why=why, minor=minor))
        if pick == OWN:
            return UNSET if path and any(value is UNSET for value in values) else values[0]
        return sides[pick].value

    def _pick(self, path: Path, sides: list[Candidate]) -> tuple[int, str]:
        total = sum(len(side.machines) for side in sides)
        top = max(range(len(sides)), key=lambda n: (len(sides[n].machines), -n))
        if 2 * len(sides[top].machines) > total:
            return top, f"{len(sides[top].machines)} of {total} machines agree on it"
        careful = self._careful(path, sides)
        if careful is not None:
            return careful, "it is the careful one"
        newest = max(range(len(sides)), key=lambda n: (sides[n].newest, -n))
        if any(self._grave(path, side.value, sides[newest].value) for side in sides[:COMPARED]):
            why = "what was collected last would be critical for the others, or is too much to judge"
            return OWN, f"{why}, so each keeps its own"
        return newest, f"{sides[newest].machines[0]} was collected last"

    def _careful(self, path: Path, sides: list[Candidate]) -> int | None:
        """The one value to which the step from any other is less dangerous than every step between the others."""
        values = [side.value for side in sides]
        if len(values) > COMPARED:
            return None
        steps = [[self._risk(path, b, a) for b in values if b is not a] for a in values]
        dangers = [max(risks) for known in steps if len(risks := [r for r in known if r is not None]) == len(known)]
        if len(dangers) == len(values) and dangers.count(min(dangers)) == 1:
            return dangers.index(min(dangers))
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) == len(values) == 2 and {text.partition("://")[2] for text in texts} != {""}:
            secured = [text.replace("http://", "https://", 1) for text in texts]
            if secured[0] == secured[1] and secured[0] in texts:
                return texts.index(secured[0])
        return None

    def _grave(self, path: Path, before: State, after: State) -> bool:
        """Is the step critical? Then no machine gives it to another one by being the second, or the latest."""
        found = self._risk(path, before, after)
        return found is None or found >= Risk.CRITICAL

    def _low(self, path: Path, before: State, after: State) -> bool:
        found = self._risk(path, before, after)
        return found is not None and found <= Risk.LOW

    def _risk(self, path: Path, before: State, after: State) -> Risk | None:
        """Of one leaf, as if nothing else were in the entity; None when there is too much to judge."""
        a, b = _nested(path, before), _nested(path, after)
        self.budget -= len(raw(a)) + len(raw(b))
        return risk.assess(self.key, self.kind, a, b).risk if self.budget >= 0 else None

    def _distinct(self, path: Path, sides: list[Candidate]) -> list[Candidate]:
        """Sides that say the same become one; most machines first, then the newest, then by canonical bytes."""
        first = sides[0].value
        if all(side.value is first for side in sides):
            return [_joined(sides)]
        found: dict[bytes, list[Candidate]] = {}
        for side in sides:
            data = b"" if side.value is UNSET else canonical(normal((*self.root, *path), side.value))
            found.setdefault(data, []).append(side)
        merged = [(data, _joined(same)) for data, same in found.items()]
        merged.sort(key=lambda pair: (-len(pair[1].machines), -pair[1].newest.timestamp(), pair[0]))
        return [side for _, side in merged]


def _joined(sides: list[Candidate]) -> Candidate:
    if len(sides) == 1:
        return sides[0]
    return Candidate(
        value=sides[0].value,
        machines=tuple(sorted(machine for side in sides for machine in side.machines)),
        newest=max(side.newest for side in sides),
    )


def _nested(path: Path, value: State) -> Value | None:
    """The leaf alone, in the maps that lead to it; None for nothing at the top."""
    if value is UNSET:
        if not path:
            return None
        *above, _ = path
        result: Value = {}
    else:
        above, result = list(path), value
    for name in reversed(above):
        result = {str(name): result}
    return result
