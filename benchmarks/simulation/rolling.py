"""What the person does about rollouts: begins some of what waits for an answer in waves, and says how a halt goes on.

Begun, signed, run and resumed in the steps of the command line, any of which may be the last one for a while.
"""

from random import Random
from typing import TYPE_CHECKING

from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.rollouts.hanging import hangs
from roosync_agent.operations.rollouts.moving import begin, move
from roosync_agent.session import new_operation
from roosync_protocol.decision import AGAIN
from roosync_protocol.messages import Decision, Rollout
from roosync_protocol.rollout import ENDED, GOOD
from roosync_protocol.rollout.waves import cut

if TYPE_CHECKING:
    from simulation.node import SimSession

UNANSWERED = ("pending", *AGAIN)


async def start(session: "SimSession", rng: Random) -> None:
    """Of each machine what waits, of some; signed one after the other, and run when that is done."""
    busy = {machine for one in session.fleet.rollouts() if one.status not in ENDED for machine in one.items}
    items: dict[str, tuple[str, ...]] = {}
    for decision in session.fleet.decisions():
        if decision.status in UNANSWERED and decision.machine not in busy and rng.random() < 0.8:
            items[decision.machine] = (*items.get(decision.machine, ()), decision.id)
    if not items:
        return
    now, machines = session.now(), rng.sample(sorted(items), len(items))
    made = Rollout(
        agent=session.name,
        timestamp=now,
        id="ro-" + new_operation()[2:12],
        revision=1,
        operation_id=new_operation(),
        purpose="decisions",
        status="prepared",
        waves=cut(machines, canary=rng.choice((0, 1)), waves=rng.choice(((), (1,), ("50%",)))),
        items=items,
        max_fail_percentage=rng.choice((0.0, 0.0, 50.0)),
        pause_seconds=rng.choice((0.0, 0.0, 3.0)),
        timeout_minutes=rng.choice((0.2, 1.0, 5.0)),
        started=now,
        opened=now,
    )
    await begin(session, made)
    await _go_on(session, made, rng)


async def look(session: "SimSession", rng: Random, *, all_of_it: bool) -> None:
    """At what waits for a person: a command that did not come to its end, a halt, and what a stop left behind."""
    for lost in session.fleet.lost_stops():  # the machines note it, and the person says it again
        await move(session, lost, "stop rollout", lambda _: {"status": "stopped"})
    for rollout in session.fleet.rollouts():
        if rollout.status == "prepared" or (rollout.status == "waiting" and (all_of_it or rng.random() < 0.4)):
            await _go_on(session, rollout, rng)
        elif rollout.status == "running" and not all_of_it and rng.random() < 0.02:
            await move(session, rollout, "stop rollout", lambda _: {"status": "stopped"})
    for decision in list(session.fleet.decisions()):
        if hangs(session.fleet, decision, session.now()):
            await (deciding.approve if rng.random() < 0.7 else deciding.reject)(session, decision)


async def _go_on(session: "SimSession", rollout: Rollout, rng: Random) -> None:
    way = rng.random()
    if way < 0.2:
        await move(session, rollout, "stop rollout", lambda _: {"status": "stopped"})
    elif rollout.status == "prepared":
        await _sign(session, rollout, rollout.items)
        await move(session, rollout, "run rollout", lambda _: {"status": "running", "opened": session.now()})
    else:
        failed = {m for m, result in rollout.results.items() if result.outcome not in GOOD}
        again = {m: rollout.items[m] for m in failed} if way < 0.6 else {}
        await _sign(session, rollout, again)
        await move(session, rollout, "resume rollout", lambda now: _resumed(session, now, again.keys(), failed))


async def _sign(session: "SimSession", rollout: Rollout, items: dict[str, tuple[str, ...]]) -> None:
    for machine, ids in sorted(items.items()):
        for id_ in ids:
            state: Decision | None = session.fleet.decision(machine, id_).state
            if state is not None and state.status in UNANSWERED:
                await deciding.approve(session, state, rollout=rollout.id)


def _resumed(session: "SimSession", now: Rollout, again: object, failed: set[str]) -> dict[str, object]:
    """What failed is tried again, or it goes on without."""
    if not again:
        return {"status": "running", "accepted": now.accepted | failed, "waiting_for": ""}
    kept = {m: result for m, result in now.results.items() if m not in again}  # type: ignore[operator]
    step = {"status": "running", "round": now.round + 1, "results": kept, "waiting_for": ""}
    return step | {"opened": session.now(), "ended": None}
