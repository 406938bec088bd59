"""A rollout: one approval for many machines, which begin wave after wave, and what may go wrong before it halts.

`waves` cuts a fleet into waves, `record` is what everybody believes, `leading` is what the holder of the
orchestrator's lease makes of what the machines say, `gate` is what a machine asks before it begins. All of it is pure:
state + reports + time -> state (5-protocols). A rollout executes nothing and approves nothing.
"""

from roosync_protocol.messages import Rollout

ENDED = frozenset({"done", "stopped"})
GOOD = frozenset({"ok", "changed"})
PASSING = frozenset({"unreachable", "timed_out"})  # what is said of a machine that may yet tell its true end


def opened(rollout: Rollout) -> tuple[str, ...]:
    """The machines that may have begun: of the waves that were opened, in their order."""
    if rollout.status == "prepared":
        return ()
    return tuple(machine for wave in rollout.waves[: rollout.wave + 1] for machine in wave)


def awaited(rollout: Rollout) -> tuple[str, ...]:
    """Of these, the ones whose end is not known yet, and without whom nobody said to go on."""
    return tuple(m for m in opened(rollout) if m not in rollout.results and m not in rollout.accepted)


def failed(rollout: Rollout, wave: int) -> tuple[str, ...]:
    """The machines of this wave (from 0) that ended badly; not those that an operator goes on without."""
    return tuple(
        machine
        for machine in rollout.waves[wave]
        if machine not in rollout.accepted
        and (result := rollout.results.get(machine)) is not None
        and result.outcome not in GOOD
    )


def too_many(rollout: Rollout, before: int | None = None) -> tuple[str, ...]:
    """The machines that failed in waves of which more failed than the rollout allows; empty while it may go on.

    `before`: only the waves before this one; without it, all that were opened.
    """
    last = min(rollout.wave + 1 if before is None else before, len(rollout.waves))
    found = ((failed(rollout, wave), len(rollout.waves[wave])) for wave in range(last))
    allowed = rollout.max_fail_percentage
    return tuple(machine for bad, size in found if 100 * len(bad) > allowed * size for machine in bad)
