"""An operator goes on with a rollout that was not begun, or that halted; or goes on without machines; or stops it.

Only what failed is tried again: decisions that were put back are shown again before they are signed anew for the same
rollout. What is accepted stays in the account as it ended. Functions with a session need the operator's key.
"""

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts import hanging
from roosync_agent.operations.rollouts.answers import Asked, Resumption, RolloutAnswer
from roosync_agent.operations.rollouts.cards import shared
from roosync_agent.operations.rollouts.moving import move
from roosync_agent.operations.rollouts.showing import answer, find, required
from roosync_agent.operations.rollouts.starting import run, sign
from roosync_agent.operations.rollouts.words import called
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_protocol.decision import AGAIN
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision, Rollout
from roosync_protocol.rollout import ENDED, GOOD
from roosync_protocol.rollout.commands import command

SIGNABLE = ("pending", *sorted(AGAIN - {"rejected"}))  # what a person rejected is not asked again in passing


async def resumption(
    machine: Machine, id_: str | None = None, without: list[str] | None = None, skip_failed: bool = False
) -> Resumption:
    """What a person is shown before a rollout goes on: who is tried again, who is left, and what has to be signed."""
    rollout = open_one(machine.fleet, id_)
    again, left = divided(rollout, without or [], skip_failed)
    wanted = to_sign(machine.fleet, rollout, again)
    return Resumption(
        rollout=answer(machine.fleet, rollout, machine.session.now()),
        again=again,
        without=left,
        cards=await shared(machine, wanted),
    )


async def resume(session: Session, id_: str, without: list[str], asked: list[Asked]) -> RolloutAnswer:
    """Signs what was shown, and lets the rollout go on: with `without` accepted, and what else failed tried again."""
    rollout = open_one(session.fleet, id_)
    if rollout.status == "prepared":
        if without:
            raise RefusedRequestError(f"{rollout.id} was not begun, so nobody has failed in it: leave --without out")
        return await run(session, rollout, await sign(session, rollout, asked))
    again, left = divided(rollout, without, skip_failed=False)
    faults = await sign(session, rollout, asked)
    now = session.now()

    def change(known: Rollout) -> dict[str, object]:
        if known.status in ENDED:
            raise RefusedRequestError(_over(known))
        accepted = known.accepted | set(left)
        # Who was away may have told its true end since it was looked at: that stays.
        bad = {name for name, result in known.results.items() if result.outcome not in GOOD}
        tried = [name for name in again if name in bad and name not in accepted]
        if known.status == "running":
            return {"accepted": accepted}
        kept = {name: result for name, result in known.results.items() if name not in tried}
        return {
            "status": "running",
            "accepted": accepted,
            "results": kept,
            "round": known.round + bool(tried),
            "opened": now,
            "ended": None,
            "waiting_for": "",
        }

    rollout = await move(session, rollout, _deed(again, left), change)
    return answer(session.fleet, rollout, session.now(), faults)


async def stop(session: Session, id_: str | None, reason: str = "") -> RolloutAnswer:
    """Nothing more is begun; what was applied stays. Decisions that were approved for it, and wait, are named."""
    rollout = open_one(session.fleet, id_)

    def change(known: Rollout) -> dict[str, object]:
        if known.status in ENDED:
            raise RefusedRequestError(_over(known))
        why = f"{required(known)}: {reason}" if known.purpose == "update" else reason
        return {"status": "stopped", "note": why[:500] if reason else known.note, "waiting_for": ""}

    rollout = await move(session, rollout, "stop rollout", change)
    return answer(session.fleet, rollout, session.now())


# -- inside


def open_one(fleet: Fleet, id_: str | None) -> Rollout:
    rollout = find(fleet, id_)
    if rollout.status in ENDED:
        raise RefusedRequestError(_over(rollout))
    return rollout


def _over(rollout: Rollout) -> str:
    more = "roosync update require" if rollout.purpose == "update" else "roosync rollout start"
    return f"{rollout.id} is {called(rollout.status)}: `{command(rollout, 'show')}`; `{more}` begins another one"


def divided(rollout: Rollout, without: list[str], skip_failed: bool) -> tuple[list[str], list[str]]:
    """The machines that are tried again, and those without which it goes on. Refuses what makes no sense as it is."""
    machines = [machine for wave in rollout.waves for machine in wave]
    for name in without:
        if name not in machines:
            raise RefusedRequestError(
                f"{name!r} takes no part in {rollout.id}: `{command(rollout, 'show')}` names its machines"
            )
        if (ended := rollout.results.get(name)) is not None and ended.outcome in GOOD:
            raise RefusedRequestError(f"{name} ended well in {rollout.id} ({ended.outcome}); leave it out")
    bad = [m for m in machines if (r := rollout.results.get(m)) and r.outcome not in GOOD and m not in rollout.accepted]
    if rollout.status == "running" and not without:
        raise RefusedRequestError(
            f"{rollout.id} is running, and waits for nobody's word: `{command(rollout, 'watch')}`"
        )
    left = bad if skip_failed else list(dict.fromkeys(without))
    again = [name for name in bad if name not in left] if rollout.status == "waiting" else []
    return again, left


def to_sign(fleet: Fleet, rollout: Rollout, again: list[str]) -> list[Decision]:
    """Decisions that need a signature before the rollout can go on. RefusedRequestError for what a person rejected."""
    if rollout.status == "prepared":
        return hanging.unsigned(fleet, rollout)
    mine = [one for one in hanging.of(fleet, rollout) if one.machine in again]
    if rejected := [one for one in mine if one.status == "rejected"]:
        one = rejected[0]
        raise RefusedRequestError(
            f"{one.id} on {one.machine} was rejected, and is not asked again in passing: go on without the machine "
            f"(--without {one.machine}), or approve it first with `roosync decision approve {one.id}`"
        )
    return [one for one in mine if one.status in SIGNABLE]


def _deed(again: list[str], left: list[str]) -> str:
    parts = [f"try {', '.join(again[:5])} again"] if again else []
    parts += [f"go on without {', '.join(left[:5])}"] if left else []
    return f"resume rollout: {'; '.join(parts)}" if parts else "resume rollout"
