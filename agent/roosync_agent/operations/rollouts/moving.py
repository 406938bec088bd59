"""One step of a rollout's record by an operator, tried again when whoever leads took one at the same moment.

The leader writes down ends of machines many times in a second, and none of that comes in the way of an operator who
stops the rollout or goes on without a machine: the step is made anew from how it stands then.
"""

from collections.abc import Callable

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.stepping import MovedError, moved_on, post_step
from roosync_agent.session import Session
from roosync_protocol.messages import Rollout
from roosync_protocol.rollout.room import require_room

TRIES = 8


async def begin(session: Session, rollout: Rollout) -> Rollout:
    """Posts the first state of a rollout. RefusedRequestError when it names more machines than a message can hold."""
    try:
        require_room(rollout)
    except ValueError as error:
        raise RefusedRequestError(str(error)) from None
    what = f"{sum(map(len, rollout.waves))} machines in {len(rollout.waves)} waves"
    return await post_step(session, rollout, f"begin rollout of {rollout.purpose}", what)


async def move(
    session: Session, rollout: Rollout, deed: str, change: Callable[[Rollout], dict[str, object]]
) -> Rollout:
    """The next state: `change` tells the fields that are other than in the state it is given, and may refuse it."""
    tries = 0
    while True:
        known, tries = session.fleet.rollout(rollout.id).state or rollout, tries + 1
        try:
            return await post_step(session, moved_on(session, known, **change(known)), deed)
        except MovedError:
            if tries == TRIES:
                raise
