"""Which machines begin together: a fleet cut into waves, and a part of it chosen, both the same on every computer.

Sizes are what a person types: a count ("5") or a share of all the machines ("25%"), which rounds up. The last size
repeats until every machine has its wave; without any, all that is left is one wave.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil

from roosync_protocol.names import some

_SIZE = re.compile(r"([0-9]{1,9})(\.[0-9]{1,6})?(%?)")
Size = str | int


def cut(
    machines: Iterable[str], *, canary: int | Sequence[str] = 0, waves: Sequence[Size] = ()
) -> tuple[tuple[str, ...], ...]:
    """The waves, in the order of `machines`; the first `canary` ones, or those it names, are a wave before all others.

    ValueError: a size that is none, a wave of nobody, a canary larger than the fleet or not of it, a name given twice.
    """
    left = list(machines)
    if not isinstance(canary, int):
        left, canary = _first(left, canary), len(canary)
    total = len(left)
    if not total:
        raise ValueError("there is no machine to make waves of")
    if len(set(left)) < total:
        twice = min(name for name, times in Counter(left).items() if times > 1)
        raise ValueError(f"{twice!r} is named twice; a machine is in one wave")
    if isinstance(canary, bool) or canary < 0:
        raise ValueError(f"{canary} machines are no canary; 0 is none")
    if canary > total:
        raise ValueError(f"a canary of {canary} machines is larger than the {total} that take part")
    sizes = [size_of(wave, total) for wave in waves]
    made = [tuple(left[:canary])] if canary else []
    left = left[canary:]
    while left:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0] if sizes else len(left)
        made.append(tuple(left[:size]))
        left = left[size:]
    return tuple(made)


def size_of(size: Size, total: int) -> int:
    """How many machines of `total` that is: at least one. ValueError tells what to give instead."""
    text = "" if isinstance(size, bool) else str(size).strip()
    found = _SIZE.fullmatch(text)
    if found is None or (found[2] and not found[3]):
        raise ValueError(f"{size!r} is no number of machines; give a count such as 5, or a share such as 25%")
    number = Fraction(found[1] + (found[2] or ""))
    if not number:
        raise ValueError(f"{text} is nobody; give at least 1, or a share above 0%")
    if found[3] and number > 100:
        raise ValueError(f"{text} is more than all; give at most 100%")
    return ceil(number * total / 100) if found[3] else int(number)


def limit(machines: Iterable[str], size: Size, seed: Size = 0) -> list[str]:
    """So many of them, in their order: the same ones for the same seed. A count above their number is all of them.

    Each machine has its place by the seed and its own name, so a smaller limit chooses among those of a larger one.
    """
    names = list(dict.fromkeys(machines))
    chosen = frozenset(sorted(names, key=lambda name: (_place(name, seed), name))[: size_of(size, len(names))])
    return [name for name in names if name in chosen]


def _first(machines: Sequence[str], names: Sequence[str]) -> list[str]:
    """All of them, those of these names before the others. ValueError when one of the names is nobody's."""
    if strangers := [name for name in names if name not in machines]:
        raise ValueError(f"{strangers[0][:64]!r} takes no part, so it is no canary; {some(machines)} would")
    return [*names, *(machine for machine in machines if machine not in names)]


def _place(name: str, seed: Size) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()
