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
from roosync_protocol.rollout.commands import command
from roosync_protocol.rollout.leading import asked


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
    """A rollout that has not ended, or that was stopped and left approved decisions behind which nothing begins."""

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
    rows = (_rollout(one, _left(fleet, one)) for one in fleet.rollouts())
    return tuple(row for row in rows if row.status not in ENDED or row.next_step)


def _left(fleet: Fleet, rollout: Rollout) -> int:
    """Decisions that were approved for a rollout which was stopped since: their machines wait for a wave for ever."""
    if rollout.status != "stopped":
        return 0
    places = ((machine, id_) for machine, ids in rollout.items.items() for id_ in ids)
    states = (fleet.decision(machine, id_).state for machine, id_ in places)
    approved = (state for state in states if state is not None and state.status == "approved" and state.approvals)
    return sum(f'"{rollout.id}"' in state.approvals[-1].payload for state in approved)  # the newest one counts


def _rollout(rollout: Rollout, left: int) -> RolloutRow:
    many = "1 change that was approved for it is" if left == 1 else f"{left} changes that were approved for it are"
    asks = {
        "prepared": ("its decisions are not all approved yet", command(rollout, "resume")),
        "waiting": (asked(rollout), command(rollout, "show")),
        "stopped": (f"{many} not applied: approve again, or reject", command(rollout, "show") * bool(left)),
    }
    waiting_for, next_step = asks.get(rollout.status, ("", ""))
    return RolloutRow(
        id=rollout.id,
        purpose=rollout.purpose,
        status=rollout.status,
        wave=rollout.wave + 1,
        waves=len(rollout.waves),
        waiting_for=waiting_for,
        next_step=next_step,
    )
