"""What is asked of a machine or a person so that it waits until they are there: ask, look, answer.

Asking and looking need this machine's key; answering in an operator's place needs the operator's. What a machine is
asked for it answers by itself (`running.requests`), and nobody else can.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from msgspec import Struct

from roosync_agent.operations.audited import audited
from roosync_agent.operations.machines.choosing import Chosen, choose_here
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.stepping import moved_on, post_step
from roosync_agent.session import Session, new_operation
from roosync_broker.errors import BusError
from roosync_protocol import request as life
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision, Request
from roosync_protocol.messages.work import RequestKind
from roosync_protocol.names import is_operator, token
from roosync_protocol.names import known as known_names
from roosync_protocol.reports import as_asked, coordination_request

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

AT_ONCE = 16  # requests that are being posted at the same time
PERSON = frozenset({"operator", "operators", "person", life.ANY_OPERATOR})  # how a person may say: any operator


class RequestAnswer(Struct, frozen=True, kw_only=True):
    id: str
    to: str
    type: str
    target: str
    action: str
    status: str  # for who reads it now
    asked_by: str
    asked: datetime
    expires: datetime
    timeout_minutes: float
    dependencies: str
    cycle: str
    checkpoint: str
    answered_by: str
    outcome: str
    refused: list[str]  # messages about it that do not count
    form: str  # the founding protocol's Coordination Request, in Markdown


class AskedAnswer(Struct, frozen=True, kw_only=True):
    requests: list[RequestAnswer]
    failed: dict[str, str]  # machine -> why it was not asked
    chosen: Chosen


async def ask(
    machine: "Machine",
    to: str,
    kind: str = "execution",
    action: str = "",
    target: str = "",
    timeout: float = 60.0,
    checkpoint: str = "",
    waiting: bool = False,
) -> RequestAnswer:
    """Leaves the request where its addressee finds it, now or when it comes back."""
    await machine.session.refresh()
    to = addressee(machine.fleet, to)
    return await _post(machine, _asking(machine, kind, action, target, timeout, checkpoint, waiting)(to))


async def ask_each(
    machine: "Machine",
    on: str | list[str],
    limit: str = "",
    seed: str = "",
    kind: str = "execution",
    action: str = "",
    target: str = "",
    timeout: float = 60.0,
    checkpoint: str = "",
    waiting: bool = False,
) -> AskedAnswer:
    """The same of each machine that `on` means (`machines.choosing`), with a request of its own for each."""
    await machine.session.refresh()
    chosen = await choose_here(machine, on, limit, seed)
    asked = _asking(machine, kind, action, target, timeout, checkpoint, waiting)
    room, failed = asyncio.Semaphore(AT_ONCE), {}

    async def one(request: Request) -> list[RequestAnswer]:
        async with room:
            try:
                return [await _post(machine, request)]
            except (BusError, RefusedRequestError) as error:
                failed[request.to] = str(error)
                return []

    told = await asyncio.gather(*(one(request) for request in [asked(name) for name in chosen.machines]))
    return AskedAnswer(requests=[made for found in told for made in found], failed=failed, chosen=chosen)


async def listed(machine: "Machine", everything: bool = False) -> list[RequestAnswer]:
    """What waits, oldest first; with `everything` also what was answered."""
    now = machine.session.now()
    found = machine.fleet.requests()
    shown = [r for r in found if everything or life.standing(r, now) not in life.ENDED]
    return [answer(machine.fleet, r, now) for r in shown]


async def show(machine: "Machine", id_: str, language: str = "en") -> RequestAnswer:
    return answer(machine.fleet, find(machine.fleet, id_), machine.session.now(), language)


async def ready(machine: "Machine", id_: str) -> RequestAnswer:
    """What the request waited for is there: its addressee may begin."""
    request = find(machine.fleet, id_)
    if request.dependencies == "ready":
        raise RefusedRequestError(f"{request.id} waits for nothing")
    moved = await advance(machine.session, request, status="requested", dependencies="ready")
    return answer(machine.fleet, moved, machine.session.now())


async def conclude(session: Session, id_: str, status: str, note: str = "") -> Request:
    """An operator's answer: `done` or `refused`. Only to what operators were asked."""
    request = find(session.fleet, id_)
    if not is_operator(request.to):
        raise RefusedRequestError(f"{request.id} is asked of {request.to}, and only that machine answers it")
    if request.to not in (session.name, life.ANY_OPERATOR):
        raise RefusedRequestError(f"{request.id} is asked of {request.to}, and you are {session.name}")
    if (standing := life.standing(request, session.now())) in life.ENDED:
        raise RefusedRequestError(f"{request.id} is {standing} already")
    async with audited(session, f"request {status}", request.id, request.action) as told:
        moved = await advance(session, request, status=status, outcome=note[:8000])
        told.outcome = moved.status
    return moved


async def answered(session: Session, decision: Decision) -> None:
    """An operator answered a decision: what asked for that answer is closed with it, as far as the bus lets it."""
    status = "refused" if decision.status == "rejected" else "done"
    for request in session.fleet.requests():
        asked = request.kind == "approval" and request.target == decision.id and request.status == "requested"
        if asked and request.to in (session.name, life.ANY_OPERATOR):
            try:
                await advance(session, request, status=status, outcome=f"{decision.id} is {decision.status}")
            except (BusError, RefusedRequestError):
                continue  # the answer itself counts; whoever leads closes what is left


# -- inside


def _asking(
    machine: "Machine", kind: str, action: str, target: str, timeout: float, checkpoint: str, waiting: bool
) -> Callable[[str], Request]:
    """Makes the request to an addressee; RefusedRequestError when no such request can be."""
    if kind not in get_args(RequestKind):
        raise RefusedRequestError(f"there is no request of type {kind!r}; there are {', '.join(get_args(RequestKind))}")
    if not 0 < timeout <= 100_000:
        raise RefusedRequestError(f"a time-out of {timeout:g} minutes is none; give a number of minutes above 0")
    if not action:
        raise RefusedRequestError(f"for what? --action {'|'.join(life.ACTIONS)}, or of a person in words")
    now, words = machine.session.now(), machine.public(action)[:500]

    def made(to: str) -> Request:
        request = Request(
            agent=machine.name,
            timestamp=now,
            id="r-" + new_operation()[2:14],
            revision=1,
            operation_id=new_operation(),
            to=to,
            kind=kind,  # type: ignore[arg-type]
            target=(target or to)[:100],
            action=words,
            status="requested",
            asker=machine.name,
            asked=now,
            timeout_minutes=timeout,
            dependencies="waiting" if waiting else "ready",
            checkpoint=checkpoint[:63],
        )
        if fault := life.fault(request):
            raise RefusedRequestError(fault)
        return request

    return made


async def _post(machine: "Machine", request: Request) -> RequestAnswer:
    async with audited(machine.session, f"ask {request.to} for {request.kind}: {request.action}", request.id):
        await machine.session.advance(request, 0)
    return answer(machine.fleet, request, machine.session.now())


def addressee(fleet: Fleet, name: str) -> str:
    """The machine or operator that a person means."""
    if name.lower() in PERSON:
        return life.ANY_OPERATOR
    try:
        token(name)
    except ValueError as error:
        raise RefusedRequestError(str(error)) from None
    people = fleet.law.roster.operators if fleet.law.roster else {}
    operators = [known for known, operator in people.items() if not operator.revoked]
    if name in operators or name in fleet.law.machines():
        return name
    known = known_names(name, [*fleet.law.machines(), *operators, "operators"])
    raise RefusedRequestError(f"{name!r} is nobody of this fleet; there are {known}")


def find(fleet: Fleet, id_: str) -> Request:
    requests = fleet.requests()
    meant = [r for r in requests if r.id == id_] or [r for r in requests if id_ and r.id.startswith(id_)]
    if len(meant) != 1:
        told = f"{id_!r} is more than one request" if meant else f"{id_!r} is no request"
        raise RefusedRequestError(f"{told}; `roosync requests --all` lists them")
    return meant[0]


async def advance(session: Session, request: Request, **changes: Any) -> Request:
    """One step of the record. RefusedRequestError when somebody else moved it, or when it may not be made."""
    return await post_step(session, moved_on(session, request, **changes))


def answer(fleet: Fleet, request: Request, now: datetime, language: str = "en") -> RequestAnswer:
    return RequestAnswer(
        id=request.id,
        to="operators" if request.to == life.ANY_OPERATOR else request.to,
        type=request.kind,
        target=request.target,
        action=request.action,
        status=life.standing(request, now),
        asked_by=request.asker,
        asked=request.asked,
        expires=life.deadline(request),
        timeout_minutes=request.timeout_minutes,
        dependencies=request.dependencies,
        cycle=request.cycle,
        checkpoint=request.checkpoint,
        answered_by=request.agent if request.status in life.ENDED else "",
        outcome=request.outcome,
        refused=list(fleet.request(request.to, request.id).refused),
        form=coordination_request(as_asked(request), "fr" if language == "fr" else "en"),
    )
