"""The approvals that a cycle asks the operators for: one request for each decision that waits at RESOLUTION.

Done by whoever leads, from the records alone: the id of a request follows from cycle, decision and attempt, so another
leader asks for nothing twice. What was settled in another way is closed.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from roosync_agent.operations.audited import audited
from roosync_agent.operations.coordination.requests import advance
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.session import new_operation
from roosync_broker.errors import StaleError
from roosync_protocol import request as life
from roosync_protocol.messages import Cycle, Decision, Request

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.approvals")

ASKS = "ask for approval"  # the action in the audit
GRACE = timedelta(seconds=3)  # for the answer of the person who settled it, which comes right after


async def follow(machine: "Machine", wake: Callable[[], None]) -> None:
    """Asks what is to be asked, closes what nobody has to answer any more. `wake` is called when more is due later."""
    fleet, now = machine.fleet, machine.session.now()
    decisions = list(fleet.decisions())
    for cycle in machine.cycles.running:
        for decision in life.approvals_wanted(cycle, decisions, fleet.requests()):
            await _ask(machine, cycle, decision)
    later = False
    for request, why, since in life.answered_elsewhere(fleet.cycles(), decisions, fleet.requests()):
        if timedelta(0) <= now - since < GRACE:  # settled in the future: by a machine whose clock is wrong
            later = True
            continue
        try:
            await advance(machine.session, request, status="expired", outcome=why)
        except RefusedRequestError as error:
            log.info("%s: %s", request.id, error)
    if later:
        asyncio.get_running_loop().call_later(GRACE.total_seconds(), wake)


async def _ask(machine: "Machine", cycle: Cycle, decision: Decision) -> None:
    now = machine.session.now()
    request = Request(
        agent=machine.name,
        timestamp=now,
        id=life.approval_id(cycle.id, decision),
        revision=1,
        operation_id=new_operation(),
        to=life.ANY_OPERATOR,
        kind="approval",
        target=decision.id,
        action=f"{decision.action}: {decision.entity} on {decision.machine}, risk {decision.risk}"[:500],
        status="requested",
        asker=machine.name,
        asked=now,
        timeout_minutes=cycle.timeout_minutes,
        cycle=cycle.id,
        checkpoint=cycle.checkpoint,
    )
    known = machine.fleet.request(request.to, request.id)
    if known.state is not None:
        return
    try:
        async with audited(machine.session, ASKS, f"{request.id} {decision.id}"):
            await machine.session.advance(request, known.sequence)
    except StaleError:
        log.info("%s was asked for by another leader", request.id)
