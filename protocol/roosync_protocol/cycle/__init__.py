"""A cycle: some machines go through checkpoints together, each at its own pace, and wait for each other at each one.

    coordination   init -> status -> diffs -> resolution -> final      (no divergence: diffs -> final)
    deployment     version -> collected -> baseline -> synced

`participant` is what one machine reports, `view` is what the holder of the orchestrator's lease sees of it, `leading`
is what it makes of that, `triggers` is what warns and stops a cycle, `record` is what everybody believes, `metrics` is
how it went. All of it is pure: state + reports + time -> state (5-protocols).
"""

from roosync_protocol.messages.work import Checkpoint, Cycle, CycleRoute

ROUTES: dict[CycleRoute, tuple[Checkpoint, ...]] = {
    "coordination": ("init", "status", "diffs", "resolution", "final"),
    "deployment": ("version", "collected", "baseline", "synced"),
}
ENDED = frozenset({"done", "aborted"})
EACH = 64  # participants of a cycle in which each compares itself with each


def each_with_each(cycle: Cycle) -> bool:
    """Does each participant look at all the others? In a larger cycle each answers for its own part.

    Then the orchestrator compares each part with the records, which come from the machines themselves, so the list
    on which all agree is the same; and the work of all grows with their number, not with its square.
    """
    return len(cycle.participants) <= EACH


def first(route: CycleRoute) -> Checkpoint:
    return ROUTES[route][0]


def last(route: CycleRoute) -> Checkpoint:
    return ROUTES[route][-1]


def after(route: CycleRoute, checkpoint: Checkpoint, *, divergences: int = 0) -> Checkpoint | None:
    """The checkpoint that follows; None after the last. Without a divergence nothing is to be resolved."""
    if checkpoint == "diffs" and not divergences:
        return "final"
    order = ROUTES[route]
    at = order.index(checkpoint) + 1
    return order[at] if at < len(order) else None


def before(route: CycleRoute, checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint to which a failure returns; the first one has none before it."""
    order = ROUTES[route]
    return order[max(0, order.index(checkpoint) - 1)]
