"""How a benchmark tells a figure: `name: value`, its bar, and the ratio to it in the same run (8-measures)."""

import statistics
from collections.abc import Sequence


def tell(name: str, value: object) -> None:
    print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}", flush=True)


def against(name: str, value: float, bar: float) -> None:
    """A figure of which less is better. `ratio` is value / bar: 1 or less reaches it."""
    tell(name, value)
    tell(f"{name}_bar", bar)
    tell(f"{name}_ratio", value / bar)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def share(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies, by nearest rank: share(v, 0.95) is p95."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered) + 0.5) - 1))]
