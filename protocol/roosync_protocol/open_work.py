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
from roosync_protocol.names import some
from roosync_protocol.rollout import ENDED, too_many
from roosync_protocol.rollout.commands import command
from roosync_protocol.rollout.leading import asked

HOLDING = frozenset({"prepared", "waiting", "stopped"})  # rollouts in which nothing begins before a person says so


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
    rows = (_rollout(one, len(_approved(fleet, one)) if one.status == "stopped" else 0) for one in fleet.rollouts())
    return tuple(row for row in rows if row.status not in ENDED or row.next_step)


def held_back(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Of each machine the decisions that were approved for a rollout in which nothing begins by itself, with its id."""
    found: dict[str, dict[str, str]] = {}
    for rollout in fleet.rollouts():
        for machine, id_ in _approved(fleet, rollout) if rollout.status in HOLDING else ():
            found.setdefault(machine, {})[id_] = rollout.id
    return found


def _approved(fleet: Fleet, rollout: Rollout) -> list[tuple[str, str]]:
    """The machines and decisions that were approved for this rollout, and that nobody claimed yet."""
    places = ((machine, id_) for machine, ids in rollout.items.items() for id_ in ids)
    states = (fleet.decision(machine, id_).state for machine, id_ in places)
    approved = (state for state in states if state is not None and state.status == "approved" and state.approvals)
    named = f'"{rollout.id}"'
    return [(one.machine, one.id) for one in approved if named in one.approvals[-1].payload]  # the newest one counts


def _failed(rollout: Rollout) -> str:
    """Who keeps it, in a few words: the whole account is a command away."""
    bad = too_many(rollout)
    ends = [f"{name} ({rollout.results[name].outcome.replace('_', ' ')})" for name in bad]
    return f"{len(bad)} did not end well: {some(ends, 2)}" if bad else asked(rollout)


def _rollout(rollout: Rollout, left: int) -> RolloutRow:
    many = "1 change that was approved for it is" if left == 1 else f"{left} changes that were approved for it are"
    asks = {
        "prepared": ("its decisions are not all approved yet", command(rollout, "resume")),
        "waiting": (_failed(rollout), command(rollout, "show")),
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
