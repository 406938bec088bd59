"""What a person answers to a decision: approve, reject, approve another way, ask for a rollback.

Each function needs a session opened with the operator's key. An approval is a self-contained signed object
over exactly what will execute; the machine checks it again just before it writes (6-trust).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from roosync_agent.collecting.reference import Library
from roosync_agent.operations.coordination import requests
from roosync_agent.operations.decisions.seen import answered_with, require_seen, require_shown, seen
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts import hanging
from roosync_agent.operations.stepping import MovedError, moved_on, post_step, stands
from roosync_agent.session import Session
from roosync_broker.keys import verify
from roosync_broker.link import Stored
from roosync_protocol import approval
from roosync_protocol.decision import AGAIN, ENDED
from roosync_protocol.messages import Approval, Decision
from roosync_protocol.messages.work import Action
from roosync_protocol.proof import needed_approvals
from roosync_protocol.reconcile import LIFETIME

APPROVAL_LIFETIME = timedelta(days=7)
TRIES = 3  # of a step that somebody else's step came before
ANEW = 1.0  # seconds at most in which a machine ends a question and asks it anew


def find(session: Session, id_: str) -> Decision:
    """The one decision a person means by an id or the beginning of one."""
    found = session.fleet.find(id_) if id_ else []
    if not found:
        raise RefusedRequestError(f"there is no decision {id_!r}; `roosync decisions` lists them")
    if len(found) > 1:
        ids = ", ".join(f"{d.id} ({d.machine})" for d in found[:5])
        raise RefusedRequestError(f"{id_!r} means more than one decision: {ids}")
    return found[0]


class AnsweredError(RefusedRequestError):
    """The decision does not wait for this answer (any more)."""


async def approve(
    session: Session, decision: Decision, action: Action | None = None, *, expected: str | None = None,
    rollout: str = "",
) -> Decision:  # fmt: skip
    """Signs that this change may be applied; a failed or refused one is opened again first.

    `expected` is what the person was shown (`seen`); anything else is not signed. A step that its machine takes at the
    same moment and that changes nothing of that does not come in the way. With a `rollout` its machine waits until that
    opens its wave. Returns the decision as it stands then: approved, or pending when a second operator has to sign as
    well.
    """
    asked = answered_with(decision, action)
    if decision.status in AGAIN and expected == seen(replace(asked, status="pending")):
        raise AnsweredError(f"{_not_now(decision, 'approved')}, and nothing was signed")
    require_seen(asked, expected)
    hangs = hanging.hangs(session.fleet, decision, session.now())
    if again := decision.status in AGAIN or hangs:
        await require_shown(Library(session), decision)
        decision = await reopen(session, await _taken_out(session, decision) if hangs else decision)
    asked = answered_with(decision, action)
    for _ in range(TRIES - 1):
        with contextlib.suppress(MovedError):
            return await _approve(session, decision, action, seen(asked), rollout)
        decision = _as_it_stands(session, decision)
        if again:  # its machine may be asking the same question anew: the same change, as one attempt more
            decision = await outcome(session, decision, ("pending",), ANEW)
            asked = replace(asked, attempt=decision.attempt)
    return await _approve(session, decision, action, seen(asked), rollout)


async def approve_each(session: Session, shown: Mapping[str, str]) -> list[Decision]:
    """Several by their ids, each as it was `seen`. What needs no answer any more is returned as it stands."""
    done = []
    for id_, expected in shown.items():
        decision = find(session, id_)
        try:
            done.append(await approve(session, decision, expected=expected))
        except AnsweredError:
            done.append(_as_it_stands(session, decision))
    return done


async def _approve(
    session: Session, decision: Decision, action: Action | None, expected: str, rollout: str
) -> Decision:
    _require_open(session, decision)
    require_seen(answered_with(decision, action), expected)
    await require_shown(Library(session), decision)
    _require_unanswered(session, decision)
    if decision.expires <= session.now():
        raise RefusedRequestError(f"{decision.id} expired; {decision.machine} renews it at its next look")
    decision = answered_with(decision, action)
    rollout = rollout or hanging.open_rollout(session.fleet, decision, session.now())
    signed = approval.approve(_approval_of(session, decision, rollout), session.keys.public, session.keys.sign)
    others = tuple(given for given in decision.approvals if given.signer != session.keys.public)
    enough = len(others) + 1 >= needed_approvals(decision, session.fleet.law)
    return await _advance(session, decision, status="approved" if enough else "pending", approvals=(*others, signed))


def require_approvable(session: Session, decision: Decision) -> None:
    """AnsweredError when a yes would change nothing as things stand: nobody need be shown it, or asked."""
    if decision.status not in AGAIN and not hanging.hangs(session.fleet, decision, session.now()):
        _require_open(session, decision)
        _require_unanswered(session, decision)


def _require_open(session: Session, decision: Decision) -> None:
    if decision.status not in ("pending", "approved"):
        told = [_not_now(decision, "approved"), _by_whom(session, decision, "approved by {}")]
        raise AnsweredError("; ".join(filter(None, told)))


def _require_unanswered(session: Session, decision: Decision) -> None:
    if decision.status == "approved":
        waits = hanging.open_rollout(session.fleet, decision, session.now())
        when = f"when its wave of {waits} begins: `roosync rollout show {waits}`" if waits else "when it can"
        who = _by_whom(session, decision, "{}")
        told = f"{decision.id} is approved already, by {who}" if who else f"{decision.id} is approved already"
        raise AnsweredError(f"{told}; {decision.machine} applies it {when}")


async def _taken_out(session: Session, decision: Decision) -> Decision:
    """Approved for a rollout that was stopped: that yes is taken back, so that another one can be given."""
    lines = (*decision.log, f"taken out of a rollout that was stopped, by {session.name}")
    return await _advance(session, decision, status="rejected", log=lines[-50:])


async def reject(session: Session, decision: Decision, reason: str = "") -> Decision:
    """From now on this difference is accepted as it is, also after it was applied and rolled back."""
    require_rejectable(decision)
    if decision.status in AGAIN:
        decision = await reopen(session, decision)
    lines = (*decision.log, f"rejected by {session.name}{': ' + reason if reason else ''}")
    return await _advance(session, decision, status="rejected", log=lines[-50:])


async def conclude(session: Session, decision: Decision, status: str, revision: int) -> Decision:
    """The answer became law: `promoted` or `kept_special`. The baseline's `revision` was published before this.

    Its machine may have seen the new baseline first, and have found nothing left to ask: that is the same end.
    """
    asked = seen(decision)
    for _ in range(TRIES):
        log = (*decision.log, f"{status} by {session.name}")[-50:]
        try:
            return await _advance(session, decision, status=status, reference_revision=revision, log=log)
        except MovedError:
            decision = _as_it_stands(session, decision)
            if decision.status == "superseded":
                await requests.answered(session, decision)
                return decision
            if seen(decision) != asked:  # its machine asks something else already, and nobody has answered that
                return decision
    raise MovedError(f"the baseline is revision {revision} now; {decision.id} is still open, and its machine closes it")


async def request_rollback(session: Session, decision: Decision, *, exact: bool = False) -> Decision:
    """Asks the machine to put back what was there before, keeping later unrelated edits; `exact`: not keeping them."""
    require_applied(decision)
    for _ in range(TRIES):
        if decision.rollback_requested and decision.rollback_exact == exact:
            return decision  # somebody asked for the same, and its machine is at it
        with contextlib.suppress(MovedError):
            return await _advance(session, decision, status="applied", rollback_requested=True, rollback_exact=exact)
        decision = _as_it_stands(session, decision)
        if decision.status != "applied":
            break
    raise AnsweredError(_not_now(decision, "rolled back"))


def require_applied(decision: Decision) -> None:
    """RefusedRequestError when there is nothing that could be put back."""
    if decision.status != "applied":
        raise RefusedRequestError(_not_now(decision, "rolled back"))
    if not decision.snapshot:
        raise RefusedRequestError(f"{decision.id} changed nothing on disk, so there is nothing to roll back")


def require_rejectable(decision: Decision) -> None:
    """RefusedRequestError when no is no answer to it now."""
    if decision.status not in ("pending", "approved", *AGAIN) or decision.status == "rejected":
        raise RefusedRequestError(_not_now(decision, "rejected"))


async def reopen(session: Session, decision: Decision) -> Decision:
    return await _advance(
        session,
        decision,
        status="pending",
        attempt=decision.attempt + 1,
        approvals=(),
        policy_proof=None,
        reopened=True,
        rollback_requested=False,
        rollback_exact=False,
        expires=session.now() + LIFETIME,
    )


def _as_it_stands(session: Session, decision: Decision) -> Decision:
    return session.fleet.decision(decision.machine, decision.id).state or decision


def _approval_of(session: Session, decision: Decision, rollout: str) -> Approval:
    return Approval(
        fleet=session.subjects.fleet,
        operator=session.name,
        machine=decision.machine,
        decision=decision.id,
        entity=decision.entity,
        attempt=decision.attempt,
        action=decision.action,
        wanted=decision.wanted.digest,
        surface=decision.surface,
        issued=session.now(),
        expires=session.now() + APPROVAL_LIFETIME,
        rollout=rollout,
    )


async def _advance(session: Session, decision: Decision, **changes: object) -> Decision:
    moved = moved_on(session, decision, **changes)
    state = await post_step(session, moved, _deed(decision, moved), decision.action)
    if state.status != "pending":
        await requests.answered(session, state)
    return state


def _deed(before: Decision, after: Decision) -> str:
    """What an operator does with this step, in the words of the audit."""
    if after.status == "applied":
        return "ask for rollback, exact" if after.rollback_exact else "ask for rollback"
    if after.attempt > before.attempt:
        return "open again"
    deeds = {"approved": "approve", "pending": "approve, first of two", "rejected": "reject"}
    return deeds.get(after.status, after.status)


def _not_now(decision: Decision, what: str) -> str:
    hint = ""
    if decision.status in ENDED:
        hint = "; a new divergence of it would open it again"
    elif decision.status == "applying":
        hint = f"; {decision.machine} is applying it at this moment"
    return f"{decision.id} is {decision.status} and can not be {what} now{hint}; {stands(decision)}"


def _by_whom(session: Session, decision: Decision, told: str) -> str:
    """Who was faster, and when: two people may answer at the same moment, or one in two terminals."""
    yes = approval.given(decision, session.fleet.law, verify, None)
    names = sorted(f"{one.operator} at {one.issued:%Y-%m-%d %H:%M:%S} UTC" for one in yes)
    return told.format(" and ".join(names)) if names else ""


async def outcome(session: Session, decision: Decision, ends: tuple[str, ...], patience: float) -> Decision:
    """Waits until the machine moved the decision to one of `ends`; returns it as it stands after `patience` seconds."""
    moved = asyncio.Event()

    def on_fact(stored: Stored) -> None:
        session.take(stored)
        moved.set()

    fact = session.subjects.fact("decision", decision.machine, decision.id)
    subscription = await session.link.follow([fact], on_fact)
    try:
        async with asyncio.timeout(patience):
            while True:
                await session.refresh(reports=False)
                state = session.fleet.decision(decision.machine, decision.id).state or decision
                if state.status in ends:
                    return state
                await moved.wait()
                moved.clear()
    except TimeoutError:
        return session.fleet.decision(decision.machine, decision.id).state or decision
    finally:
        await subscription.close()
