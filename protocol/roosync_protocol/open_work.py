"""What the fleet does together and has not ended: its cycles and rollouts at one look, and what they ask a person.

Part of the `overview`; here is what each of them says of itself.
"""

from collections.abc import Collection

from msgspec import Struct

from roosync_protocol.cycle.leading import counted, missing, view_of
from roosync_protocol.cycle.participant import stopped_at
from roosync_protocol.cycle.triggers import next_step, question
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Cycle, Rollout
from roosync_protocol.rollout import ENDED


class CycleRow(Struct, frozen=True, kw_only=True):
    """A cycle that has not ended."""

    id: str
    route: str
    status: str
    checkpoint: str
    stopped: int  # the level of the escalation for which it waits; 0 while it goes on
    waiting_for: str  # what a person is asked
    next_step: str  # the commands for that


class RolloutRow(Struct, frozen=True, kw_only=True):
    """A rollout that has not ended."""

    id: str
    purpose: str
    status: str
    wave: int  # the open one, from 1
    waves: int
    waiting_for: str  # what a person is asked
    next_step: str  # the command for that; "" while machines are awaited


def cycle_row(fleet: Fleet, cycle: Cycle, present: Collection[str] | None) -> CycleRow:
    view = view_of(fleet, cycle, present)
    waits = missing(cycle, view)
    return CycleRow(
        id=cycle.id,
        route=cycle.route,
        status=cycle.status,
        checkpoint=cycle.checkpoint.upper(),
        stopped=stopped_at(cycle),
        waiting_for=question(cycle, view, waits, counted(cycle, view)),
        next_step=next_step(cycle, view, waits),
    )


def open_rollouts(fleet: Fleet) -> tuple[RolloutRow, ...]:
    """Newest last."""
    return tuple(_rollout(one) for one in fleet.rollouts() if one.status not in ENDED)


def _rollout(rollout: Rollout) -> RolloutRow:
    prepared = f"roosync rollout resume {rollout.id}"
    halted = f"roosync rollout show {rollout.id}"
    return RolloutRow(
        id=rollout.id,
        purpose=rollout.purpose,
        status=rollout.status,
        wave=rollout.wave + 1,
        waves=len(rollout.waves),
        waiting_for="its decisions are not all approved yet" if rollout.status == "prepared" else rollout.waiting_for,
        next_step={"prepared": prepared, "waiting": halted}.get(rollout.status, ""),
    )
