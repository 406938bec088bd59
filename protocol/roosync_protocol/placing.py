"""Where a new entity stands in a file and which comment lines it brings: as the file has it that it comes from.

Neither has a meaning to an assistant, so neither is compared, decided or counted as a difference; they only make a
file that was written by roosync look as its owner would have written it. Comment lines come from other machines:
they are limited, and dropped when anything in them can not be seen or looks secret. Source: ADR 0007.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from roosync_protocol.secret_text import text_spans

LINES = 20  # of comments that an entity brings; longer ones are chapters of the file, not words on an entity
LENGTH = 200  # characters of one line

Order = Annotated[tuple[Annotated[str, Meta(max_length=600)], ...], Meta(max_length=20_000)]
Comments = Annotated[tuple[Annotated[str, Meta(max_length=LENGTH)], ...], Meta(max_length=LINES)]


class Placing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one file, one machine, or a baseline."""

    order: Annotated[dict[str, Order], Meta(max_length=1_000)] = {}  # by target: names of entities, first to last
    comments: Annotated[dict[str, Comments], Meta(max_length=50_000)] = {}  # by key: the lines above it, without marks

    def only(self, keys: Iterable[str]) -> "Placing":
        """What is said about these entities."""
        kept = frozenset(keys)
        order = {
            target: found
            for target, names in sorted(self.order.items())
            if (found := tuple(name for name in names if f"{target}/{name}" in kept))
        }
        return Placing(order=order, comments={key: c for key, c in sorted(self.comments.items()) if key in kept})

    def beside(self, other: "Placing") -> "Placing":
        """Both, of different files."""
        return Placing(order=self.order | other.order, comments=self.comments | other.comments)

    def index(self, key: str, here: Sequence[str]) -> int | None:
        """At which place among the names `here` the entity goes; None when its source says nothing about that."""
        target, _, name = key.partition("/")
        return _index(self.order.get(target, ()), name, here)


NOWHERE = Placing()


def joined(orders: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """One order of all names: the first one stays, and what others have more goes next to its neighbours there."""
    result: list[str] = []
    known: set[str] = set()
    for order in orders:
        if not result:
            result, known = [*dict.fromkeys(order)], {*order}
            continue
        for name in order:
            if name not in known:
                at = _index(order, name, result)
                result.insert(len(result) if at is None else at, name)
                known.add(name)
    return tuple(result)


def readable(lines: Sequence[str]) -> tuple[str, ...]:
    """The comment lines that may travel and be written: all of them, or none."""
    if len(lines) > LINES or any(len(line) > LENGTH or not line.isprintable() for line in lines):
        return ()
    return () if text_spans("\n".join(lines), prose=True) else tuple(lines)


def gathered(placings: Mapping[str, Placing], sources: Mapping[str, Sequence[str]], before: Placing) -> Placing:
    """Of a new baseline: `placings` by machine, and for each common entity the machines whose comment fits it."""
    by_target: dict[str, list[tuple[str, ...]]] = {target: [names] for target, names in before.order.items()}
    for machine in sorted(placings):
        for target, names in placings[machine].order.items():
            by_target.setdefault(target, []).append(names)
    comments = {
        key: next((found for m in sorted(machines) if (found := placings[m].comments.get(key))), ())
        for key, machines in sources.items()
        if machines
    }
    kept = {key: lines for key, lines in before.comments.items() if key not in comments}
    made = Placing(
        order={target: joined(orders) for target, orders in by_target.items()},
        comments={key: lines for key, lines in (kept | comments).items() if lines},
    )
    return made.only(sources)


def _index(order: Sequence[str], name: str, here: Sequence[str]) -> int | None:
    if name not in order:
        return None
    at = order.index(name)
    places = {other: index for index, other in enumerate(here)}
    for other in reversed(order[:at]):
        if other in places:
            return places[other] + 1
    return next((places[other] for other in order[at + 1 :] if other in places), None)
