"""Which decisions of a rollout wait for a signature, and which were signed and wait for a wave that never comes.

A decision that an operator approved for a rollout is not claimed before its wave. When the rollout was stopped that
wave never comes: nothing is lost and nothing is applied, but a person has to know, and say what becomes of it.
"""

from datetime import datetime

from roosync_broker.keys import verify
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision, Rollout
from roosync_protocol.rollout import ENDED
from roosync_protocol.rollout.gate import named


def hangs(fleet: Fleet, decision: Decision, now: datetime) -> bool:
    """Is it approved for a rollout that was stopped, so that nothing begins it any more?"""
    if decision.status != "approved" or not (name := named(decision, fleet.law, verify, now)):
        return False
    rollout = fleet.rollout(name).state
    return rollout is None or rollout.status == "stopped"


def open_rollout(fleet: Fleet, decision: Decision, now: datetime) -> str:
    """The rollout for which it was approved, by one operator at least, and which is not over; "" when there is none.

    Who signs as the second one signs for the same rollout, or what waits for its wave would begin at once.
    """
    name = named(decision, fleet.law, verify, now)
    state = fleet.rollout(name).state if name else None
    return name if state is not None and state.status not in ENDED else ""


def of(fleet: Fleet, rollout: Rollout) -> list[Decision]:
    """Its decisions as they stand, in the order of its waves."""
    places = ((machine, id_) for wave in rollout.waves for machine in wave for id_ in rollout.items.get(machine, ()))
    return [state for machine, id_ in places if (state := fleet.decision(machine, id_).state)]


def unsigned(fleet: Fleet, rollout: Rollout) -> list[Decision]:
    """Those that wait for a signature: a rollout begins when there is none left."""
    return [decision for decision in of(fleet, rollout) if decision.status == "pending"]


def hanging(fleet: Fleet, rollout: Rollout, now: datetime) -> list[Decision]:
    """Those that were approved for this rollout, and stay where they are now that it was stopped."""
    if rollout.status != "stopped":
        return []
    found = (one for one in of(fleet, rollout) if one.status == "approved")
    return [one for one in found if named(one, fleet.law, verify, now) == rollout.id]
