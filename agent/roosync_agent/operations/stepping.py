"""One step of a record, the same for every kind: make its next state, post it, and look whether it counts.

A step is lost when somebody else moved the record since it was looked at: nothing of ours was stored then, and whoever
asked looks again. A step that was stored may still not count, because everybody judges it by the law (`record_kinds`).
"""

from contextlib import nullcontext

from msgspec.structs import replace

from roosync_agent.operations.audited import Told, audited
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import Session, new_operation
from roosync_broker.errors import StaleError
from roosync_protocol.messages import Cycle, Decision, Proposal, Request, Rollout
from roosync_protocol.record_kinds import R

SHOWN: dict[type, str] = {  # the command that shows a record of each kind, by its id
    Decision: "roosync decision show {}",
    Proposal: "roosync baseline show",
    Cycle: "roosync cycle show {}",
    Request: "roosync request show {}",
    Rollout: "roosync rollout show {}",
}


class MovedError(RefusedRequestError):
    """Somebody else moved the record between our look and our signature; nothing of ours was stored."""


def moved_on(session: Session, record: R, **changes: object) -> R:
    """The next state of a record, as this speaker says it now; `changes` win over what every step changes."""
    step: dict[str, object] = {
        "agent": session.name,
        "timestamp": session.now(),
        "revision": record.revision + 1,
        "operation_id": new_operation(),
    }
    return replace(record, **(step | changes))


async def post_step(session: Session, moved: R, deed: str = "", details: str = "") -> R:
    """Posts the next state (`moved_on`); returns the record as it stands then, which may have gone on already.

    `deed` is told before and after in the audit; without it whoever calls does that. MovedError when somebody else was
    faster, RefusedRequestError when the step does not count.
    """
    after = session.fleet.folded(moved).sequence
    try:
        async with audited(session, deed, moved.id, details) if deed else nullcontext(Told()) as told:
            await session.advance(moved, after)
            told.outcome = moved.status
    except StaleError as error:
        state = session.fleet.folded(moved).state
        how = "" if state is None else f" ({stands(state)})"
        raise MovedError(
            f"{moved.id} was moved by somebody else at the same moment{how}; look at it again with "
            f"`{SHOWN[type(moved)].format(moved.id)}`"
        ) from error
    return counted(session, moved)


def stands(record: Decision | Proposal | Cycle | Request | Rollout) -> str:
    """How it stands, and who made it so and when: for whoever came too late."""
    return f"{record.status} since {record.timestamp:%Y-%m-%d %H:%M:%S} UTC, by {record.agent}"


def counted(session: Session, moved: R) -> R:
    """The record after this step was stored. RefusedRequestError when it does not count: it stands where it stood."""
    folded = session.fleet.folded(moved)
    state = folded.state
    if state is None or (state.operation_id != moved.operation_id and state.revision <= moved.revision):
        raise RefusedRequestError(f"the step does not count: {folded.refused[-1] if folded.refused else 'unknown'}")
    return state
