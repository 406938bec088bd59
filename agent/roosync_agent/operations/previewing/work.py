"""What a person's word would do to what is under way: a cycle, a rollout, an update, a request."""

from collections.abc import Mapping
from typing import Any

from roosync_agent.operations.coordination import cycling, requests
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.previewing.answers import Fact, Preview
from roosync_agent.operations.rollouts import answering, hanging
from roosync_agent.operations.updates import requiring
from roosync_agent.running.machine import Machine
from roosync_protocol import request as life
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Cycle
from roosync_protocol.names import is_operator


async def cycle_excuse(machine: Machine, name: str, id_: str | None = None, reason: str = "") -> Preview:
    cycle = cycling.excusable(machine.fleet, id_, name)
    left = [one for one in cycle.participants if one not in cycle.excused and one != name]
    return Preview(
        deed="",
        what=f"let the others of {cycle.id} go on without {name}",
        facts=[*_cycle(cycle), *_reason(reason)],
        then=[f"{', '.join(left)} wait for it no more", "it can not be taken back in this cycle"],
    )


async def cycle_resume(machine: Machine, id_: str | None = None) -> Preview:
    cycle = cycling.resumable(machine.fleet, id_)
    return Preview(
        deed="",
        what=f"let {cycle.id} go on waiting, with fresh time",
        facts=_cycle(cycle),
        then=["what was stopped for it is applied again where it is approved, or within the policy"]
        if cycle.stopped
        else ["its machines are waited for again"],
    )


async def cycle_abort(machine: Machine, id_: str | None = None, reason: str = "") -> Preview:
    cycle = cycling.open_cycle(machine.fleet, id_)
    return Preview(
        deed="",
        what=f"end {cycle.id}",
        facts=[*_cycle(cycle), *_reason(reason)],
        then=["nothing that was applied is taken back", "another one begins with `roosync cycle start`"],
    )


async def rollout_stop(machine: Machine, id_: str | None = None, reason: str = "") -> Preview:
    rollout = answering.open_one(machine.fleet, id_)
    done = sorted(name for name, one in rollout.results.items() if one.outcome in ("ok", "changed"))
    everybody = [name for wave in rollout.waves for name in wave]
    waits = [f"{one.id} on {one.machine}: {one.entity}" for one in hanging.of(machine.fleet, rollout)]
    return Preview(
        deed="",
        what=f"begin nothing more of the rollout {rollout.id}",
        facts=[
            Fact(title="Status", lines=[f"{rollout.status}, {len(done)} of {len(everybody)} machines done"]),
            *([Fact(title="Done", lines=[", ".join(done)])] if done else []),
            *([Fact(title="Decisions", lines=waits)] if waits else []),
            *_reason(reason),
        ],
        then=["what was applied stays; what was approved and not begun is begun by nobody"],
    )


async def update_withdraw(machine: Machine, reason: str = "") -> Preview:
    campaign, left = requiring.withdrawable(machine.fleet)
    lines = [f"{campaign.id} requires {campaign.version}"] if campaign else []
    lines += [f"{one.id} is required no more, and its rollout is open" for one in left]
    machines = campaign.machines if campaign else ()
    return Preview(
        deed="",
        what=f"require {campaign.version} no more" if campaign else "end what was left of an update",
        facts=[
            Fact(title="Update", lines=lines),
            *([Fact(title="Machines", lines=[", ".join(machines)])] if machines else []),
            *_reason(reason),
        ],
        then=["nobody begins any further; who has the new version keeps it"],
    )


async def request_done(machine: Machine, id_: str, note: str = "") -> Preview:
    return _request(machine, id_, "done", note)


async def request_refuse(machine: Machine, id_: str, note: str = "") -> Preview:
    return _request(machine, id_, "refused", note)


def rests_on_cycle(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    cycle = cycling.find(fleet, given.get("id_"))
    return [cycle.id, cycle.status, list(cycle.participants), sorted(cycle.excused)]


def rests_on_rollout(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    return answering.open_one(fleet, given.get("id_")).id


def rests_on_update(fleet: Fleet, _given: Mapping[str, Any]) -> Any:
    campaign, left = requiring.withdrawable(fleet)
    return [campaign.id if campaign else "", [one.id for one in left]]


def rests_on_request(fleet: Fleet, given: Mapping[str, Any]) -> Any:
    request = requests.find(fleet, given["id_"])
    return [request.id, request.kind, request.action, request.target, request.to]


# -- inside


def _request(machine: Machine, id_: str, status: str, note: str) -> Preview:
    request = requests.find(machine.fleet, id_)
    if not is_operator(request.to):
        raise RefusedRequestError(f"{request.id} is asked of {request.to}, and only that machine answers it")
    if (standing := life.standing(request, machine.session.now())) in life.ENDED:
        raise RefusedRequestError(f"{request.id} is {standing} already")
    told = requests.answer(machine.fleet, request, machine.session.now())
    rows = [("Asked by", told.asked_by), ("Action", told.action), ("Target", told.target), ("Note", note)]
    return Preview(
        deed="",
        what=f"answer the request {request.id}: {status}",
        facts=[Fact(title=title, lines=[text]) for title, text in rows if text],
        then=[f"{told.asked_by} is told, and goes on with that"],
    )


def _cycle(cycle: Cycle) -> list[Fact]:
    facts = [Fact(title="Status", lines=[f"{cycle.status} at {cycle.checkpoint.upper()}, {cycle.route}"])]
    facts += [Fact(title="Machines", lines=[", ".join(cycle.participants)])]
    return [*facts, *([Fact(title="Excused", lines=sorted(cycle.excused))] if cycle.excused else [])]


def _reason(reason: str) -> list[Fact]:
    return [Fact(title="Reason", lines=[reason])] if reason else []
