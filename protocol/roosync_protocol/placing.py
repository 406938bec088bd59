"""Where a new entity stands in a file and which comment lines it brings: as the file has it that it comes from.

Neither has a meaning to an assistant, so neither is compared, decided or counted as a difference; they only make a
file that was written by roosync look as its owner would have written it. Comment lines come from other machines:
they are limited, and dropped when anything in them can not be seen or looks secret. Source: ADR 0007.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from roosync_protocol.secrets.text import text_spans
from roosync_protocol.special import own_path

LINES = 20  # of comments that an entity brings; longer ones are chapters of the file, not words on an entity
LENGTH = 200  # characters of one line

Order = Annotated[tuple[Annotated[str, Meta(max_length=600)], ...], Meta(max_length=20_000)]
Comments = Annotated[tuple[Annotated[str, Meta(max_length=LENGTH)], ...], Meta(max_length=LINES)]


class Placing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one file, one machine, or a baseline."""

    order: Annotated[dict[str, Order], Meta(max_length=1_000)] = {}  # by target: names of entities, first to last
    comments: Annotated[dict[str, Comments], Meta(max_length=50_000)] = {}  # by key: the lines above it, without marks

    def only(self, keys: Iterable[str]) -> "Placing":
        """What is said about these entities, each once."""
        kept = keys if isinstance(keys, Mapping) else frozenset(keys)
        order = {
            target: found
            for target, names in sorted(self.order.items())
            if (found := tuple(name for name in dict.fromkeys(names) if f"{target}/{name}" in kept))
        }
        return Placing(order=order, comments={key: c for key, c in sorted(self.comments.items()) if key in kept})

    def without_comment(self, key: str) -> "Placing":
        if key not in self.comments:
            return self
        return Placing(order=self.order, comments={k: lines for k, lines in self.comments.items() if k != key})

    def beside(self, other: "Placing") -> "Placing":
        """Both, of different files."""
        return Placing(order=self.order | other.order, comments=self.comments | other.comments)

    def index(self, key: str, here: Sequence[str]) -> int | None:
        """At which place among the names `here` the entity goes; None when its source says nothing about that."""
        target, _, name = key.partition("/")
        return _index(self.order.get(target, ()), name, here)


NOWHERE = Placing()
# What has no width although it is printable; not U+FE0F, which is in ordinary emoji.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")
_SPEAKS = re.compile(
    r"(?i)pass(?:word|wd|phrase|code)|\b(?:pwd?|secret|credential)s?\b|api.?key|token\s*[:=]|(?:^|\s)-u\s*\S+:"
    r"|\b(?:vim?|ex|language-server):|-\*-|\$?schema\b|^\s*!|^\s*#?(?:end)?region\b|[-=*#~_]{4}|^\s*\"[^\"]*\"\s*:|^[\]}]"
    r"|\b(?:eslint|prettier|yamllint|noqa|noinspection|taplo|jsonc?-schema)\b"
)


def joined(orders: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """One order of all names: the first one stays, and what others have more goes next to its neighbours there.

    Takes as many steps as there are names, because orders come from other machines. Members of a value are ordered by
    a rule that looks at more than the neighbours and takes longer (`hand.in_hand`).
    """
    result: list[str] = []
    known: set[str] = set()
    for order in orders:
        if known.issuperset(order):
            continue
        ahead, behind = _between(order, known)
        last = ahead.pop("", [])
        result = [name for old in result for name in (*ahead.get(old, ()), old, *behind.get(old, ()))] + last
        known.update(order)
    return tuple(result)


def _between(order: tuple[str, ...], known: set[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The new names of an order: those that go ahead of a known one ("" when none is known), and behind one."""
    ahead: dict[str, list[str]] = {}
    behind: dict[str, list[str]] = {}
    waiting: list[str] = []
    last = ""
    for name in dict.fromkeys(order):
        if name in known:
            ahead[name], waiting, last = waiting, [], name
        else:
            (behind.setdefault(last, []) if last else waiting).append(name)
    return ahead | {"": waiting}, behind


def readable(lines: Sequence[str]) -> tuple[str, ...]:
    """The comment lines that may travel and be written: all of them, or none.

    None when anything in them can not be seen, looks secret or speaks of secrets, names a folder of one person, or
    means something to an editor or a linter.
    """
    if len(lines) > LINES or any(len(line) > LENGTH or not line.isprintable() for line in lines):
        return ()
    if any(_UNSEEN.search(line) or _SPEAKS.search(line) or own_path(line) for line in lines):
        return ()
    return () if text_spans("\n".join(lines), prose=True) else tuple(lines)


def readable_ones(comments: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Comments by entity, without those that are not `readable`."""
    return {key: lines for key, sent in comments.items() if (lines := readable(sent))}


def gathered(placings: Mapping[str, Placing], sources: Mapping[str, Sequence[str] | None], before: Placing) -> Placing:
    """Of a new baseline: `placings` by machine that has a say, and for each common entity the machines whose comment
    fits it; None: no package speaks of it, so the comment that it had stays."""
    by_target: dict[str, list[tuple[str, ...]]] = {}
    for placing in (before, *(placings[machine] for machine in sorted(placings))):
        for target, names in placing.only(sources).order.items():
            by_target.setdefault(target, []).append(names)
    comments: dict[str, tuple[str, ...]] = {}
    for key, machines in sources.items():
        told = [before] if machines is None else [placings[machine] for machine in sorted(machines)]
        if found := next((lines for one in told if (lines := one.comments.get(key))), ()):
            comments[key] = found
    order = {target: joined(orders) for target, orders in sorted(by_target.items())}
    return Placing(order=order, comments=comments) if order or comments else NOWHERE


def _index(order: Sequence[str], name: str, here: Sequence[str]) -> int | None:
    if name not in order:
        return None
    at = order.index(name)
    places = {other: index for index, other in enumerate(here)}
    for other in reversed(order[:at]):
        if other in places:
            return places[other] + 1
    return next((places[other] for other in order[at + 1 :] if other in places), None)
