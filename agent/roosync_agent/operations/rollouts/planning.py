"""What a rollout would be: which decisions, of which machines, in which waves. Signs nothing and posts nothing.

Decisions that wait are chosen by id, by the thing they are about, or all of them up to a risk; and of those the ones
of the machines that a person targets. What is planned here is shown, and what was shown is what is signed (`starting`).
"""

from collections import Counter
from fnmatch import fnmatchcase
from typing import Any

from msgspec import convert

from roosync_agent.operations.decisions.deciding import APPROVAL_LIFETIME
from roosync_agent.operations.decisions.deciding import find as find_decision
from roosync_agent.operations.decisions.seen import judged
from roosync_agent.operations.machines.choosing import choose_here, limited_to
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts import pace as pacing
from roosync_agent.operations.rollouts.answers import Pace, RolloutPlan
from roosync_agent.operations.rollouts.cards import shared
from roosync_agent.operations.rollouts.hanging import hangs
from roosync_agent.running.machine import Machine
from roosync_protocol.decision import AGAIN
from roosync_protocol.messages import Decision
from roosync_protocol.names import some
from roosync_protocol.proof import RISKS

MOST = 500  # decisions of one machine in one rollout


async def plan(
    machine: Machine,
    ids: list[str] | None = None,
    entity: str = "",
    everything: bool = False,
    risk: str = "",
    on: str = "",
    limit: str = "",
    seed: str = "",
    pace: dict[str, Any] | None = None,
    note: str = "",
) -> RolloutPlan:
    """What `roosync rollout start` would sign and post. RefusedRequestError says why there is nothing to start.

    `limit` is of the machines that have something to do: a count or a percentage, by `seed` the same every time.
    """
    careful = pacing.checked(convert(pace or {}, Pace))
    wanted = _wanted(machine, ids or [], entity, everything, risk)
    meant = await choose_here(machine, on) if on else None
    targets = meant.machines if meant is not None else None
    of = {d.machine for d in wanted}
    busy = sorted(of & set(targets) if targets is not None else of)
    busy = limited_to(busy, limit, seed) if busy else busy
    if not busy:
        raise RefusedRequestError(
            f"nothing waits for an answer on {some(targets or [])}, so there is nothing to roll out: "
            "`roosync decisions` lists what waits"
        )
    pacing.require_free(machine.fleet, busy, "decisions")
    pacing.require_knowing(machine.fleet, busy)
    taking = set(busy)
    chosen = [d for d in wanted if d.machine in taking]
    name, count = Counter(d.machine for d in chosen).most_common(1)[0]
    if count > MOST:
        raise RefusedRequestError(f"{count} decisions of {name} are too many for one rollout; {MOST} is the most")
    waves = await pacing.in_waves(machine, busy, careful)
    _require_lasting(careful, len(waves))
    return RolloutPlan(
        waves=waves,
        cards=await shared(machine, chosen),
        nothing_to_do=sorted(set(targets or ()) - of),
        pace=careful,
        claims=meant.claims if meant is not None else [],
        note=note[:500],
    )


def _require_lasting(careful: Pace, waves: int) -> None:
    """RefusedRequestError when the pauses alone take longer than an approval lasts: later waves would begin nothing."""
    if careful.pause_seconds * (waves - 1) >= APPROVAL_LIFETIME.total_seconds():
        raise RefusedRequestError(
            f"{waves} waves with a pause of {careful.pause_seconds:g} seconds last longer than an approval, which is "
            f"{APPROVAL_LIFETIME.days} days: take fewer waves (--waves), or a shorter --pause"
        )


def _wanted(machine: Machine, ids: list[str], entity: str, everything: bool, risk: str) -> list[Decision]:
    if sum([bool(ids), bool(entity), everything]) != 1:
        raise RefusedRequestError("what is to be rolled out? Name decisions, or --entity GLOB, or --all --risk RISK")
    if everything and not risk:
        raise RefusedRequestError("--all goes with --risk: up to which risk? `roosync decisions` shows them")
    members = machine.fleet.law.machines()
    if ids:
        return [_answerable(machine, find_decision(machine.session, id_)) for id_ in dict.fromkeys(ids)]
    names = list(RISKS.values())
    most = names.index(risk) if risk else len(names)  # type: ignore[arg-type]
    found = [
        d
        for d in machine.fleet.decisions()
        if d.machine in members
        and (d.status == "pending" or hangs(machine.fleet, d, machine.session.now()))
        and (not entity or fnmatchcase(d.entity, entity))
        and names.index(judged(d)[0]) <= most
    ]
    if not found:
        told = f"nothing that is called {entity!r} waits for an answer" if entity else "nothing waits for an answer"
        told = f"{told} up to the risk {risk}" if risk else told
        raise RefusedRequestError(f"{told}: `roosync decisions` lists what does")
    return found


def _answerable(machine: Machine, decision: Decision) -> Decision:
    if decision.machine not in machine.fleet.law.machines():
        raise RefusedRequestError(f"{decision.id} is of {decision.machine}, which is no machine of this fleet any more")
    if decision.status == "approved" and not hangs(machine.fleet, decision, machine.session.now()):
        raise RefusedRequestError(
            f"{decision.id} is approved already, and {decision.machine} applies it when it can: leave it out"
        )
    if decision.status not in ("pending", "approved") and decision.status not in AGAIN:
        raise RefusedRequestError(f"{decision.id} is {decision.status}, and waits for no answer: leave it out")
    return decision
