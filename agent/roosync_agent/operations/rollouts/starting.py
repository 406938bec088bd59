"""An operator begins a rollout: posts it as prepared, signs every decision for it, and lets it run.

Nothing is applied before everything is signed, and a command that died in between leaves a record that says so: from
there `roosync rollout resume` goes on. Each function needs a session opened with the operator's key.
"""

import asyncio
from collections.abc import Iterable

from roosync_agent.operations.decisions import deciding
from roosync_agent.operations.decisions.deciding import AnsweredError
from roosync_agent.operations.decisions.seen import seen
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts import pace as pacing
from roosync_agent.operations.rollouts.answers import Asked, RolloutAnswer, RolloutPlan
from roosync_agent.operations.rollouts.hanging import unsigned
from roosync_agent.operations.rollouts.moving import begin, move
from roosync_agent.operations.rollouts.showing import answer
from roosync_agent.session import Session, new_operation
from roosync_broker.errors import BusError, StaleError, UnavailableError
from roosync_broker.keys import verify
from roosync_protocol import approval
from roosync_protocol.messages import Decision, Rollout

AT_ONCE = 16  # decisions that are being signed at the same time


async def start(session: Session, plan: RolloutPlan) -> RolloutAnswer:
    """What was shown is what is signed: nothing is posted when one of the decisions is another now."""
    asked = [one for card in plan.cards for one in card.decisions]
    for one in asked:
        decision = session.fleet.decision(one.machine, one.id).state
        if decision is None or seen(decision) != one.seen:
            raise RefusedRequestError(
                f"{one.id} on {one.machine} changed after it was shown, and nothing was signed: begin again"
            )
    machines = {one.machine for one in asked}
    pacing.require_free(session.fleet, machines, "decisions")
    rollout = await begin(session, prepared(session, plan, asked))
    await session.refresh(reports=False)  # of two operators at the same moment one gives way, before anything is signed
    try:
        pacing.require_free(session.fleet, machines, "decisions", rollout)
    except RefusedRequestError:
        await move(session, rollout, "stop rollout", lambda _: {"status": "stopped", "note": "another one came first"})
        raise
    faults = await sign(session, rollout, asked)
    if len(faults) == len(asked):
        await move(session, rollout, "stop rollout", lambda _: {"status": "stopped", "note": "nothing was signed"})
        raise RefusedRequestError(f"nothing could be signed, so {rollout.id} was ended: {next(iter(faults.values()))}")
    return await run(session, rollout, faults)


def prepared(session: Session, plan: RolloutPlan, asked: Iterable[Asked]) -> Rollout:
    items: dict[str, tuple[str, ...]] = {}
    for one in asked:
        items[one.machine] = (*items.get(one.machine, ()), one.id)
    now = session.now()
    return Rollout(
        agent=session.name,
        timestamp=now,
        id="ro-" + new_operation()[2:12],
        revision=1,
        operation_id=new_operation(),
        purpose="decisions",
        status="prepared",
        waves=tuple(map(tuple, plan.waves)),
        items=items,
        max_fail_percentage=plan.pace.max_fail_percentage,
        pause_seconds=plan.pace.pause_seconds,
        timeout_minutes=plan.pace.timeout_minutes,
        started=now,
        opened=now,
        note=plan.note[:500],
    )


async def sign(session: Session, rollout: Rollout, asked: Iterable[Asked]) -> dict[str, str]:
    """Approves each for this rollout, as it was seen; returns those that could not be, and why.

    What needs no answer any more is left: how its machine ended is the rollout's to tell. UnavailableError: the broker
    went away, and the rollout waits as it is.
    """
    room, faults = asyncio.Semaphore(AT_ONCE), {}

    async def one(wanted: Asked) -> None:
        decision = session.fleet.decision(wanted.machine, wanted.id).state
        if decision is None:
            faults[wanted.id] = f"nobody knows it any more on {wanted.machine}"
        elif not _signed(session, decision, rollout.id):
            async with room:
                try:
                    await deciding.approve(session, decision, expected=wanted.seen, rollout=rollout.id)
                except AnsweredError:
                    return
                except (RefusedRequestError, StaleError) as error:
                    faults[wanted.id] = str(error)

    try:
        await asyncio.gather(*map(one, asked))
    except BusError as error:
        raise UnavailableError(
            f"{error}. {rollout.id} began nothing for that: `roosync rollout resume {rollout.id}` goes on with it"
        ) from error
    return dict(sorted(faults.items()))


async def run(session: Session, rollout: Rollout, faults: dict[str, str] | None = None) -> RolloutAnswer:
    """Lets it begin when everything is signed; otherwise it stays prepared, for the next operator."""
    faults, rollout = faults or {}, session.fleet.rollout(rollout.id).state or rollout
    waits = [decision for decision in unsigned(session.fleet, rollout) if decision.id not in faults]
    if rollout.status == "prepared" and not waits:
        now = session.now()
        rollout = await move(session, rollout, "run rollout", lambda _: {"status": "running", "opened": now})
    return answer(session.fleet, rollout, session.now(), faults)


def _signed(session: Session, decision: Decision, rollout: str) -> bool:
    """Did this operator sign it, as it stands, for this rollout? What failed carries a yes that was used up."""
    if decision.status not in ("pending", "approved"):
        return False
    given = approval.given(decision, session.fleet.law, verify, session.now())
    return any((one.operator, one.rollout) == (session.name, rollout) for one in given)
