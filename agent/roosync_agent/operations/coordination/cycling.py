"""What a person asks of a cycle: start it, look at it, excuse a machine, go on, end it.

Starting and looking need this machine's key; excusing, resuming and aborting are an operator's word.
"""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from msgspec import Struct, to_builtins

from roosync_agent.operations.audited import audited
from roosync_agent.operations.machines.choosing import choose_here
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.stepping import moved_on, post_step
from roosync_agent.operations.updates.showing import in_force
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session, new_operation
from roosync_protocol.cycle import ENDED, ROUTES, first
from roosync_protocol.cycle.leading import ANSWER, counted, missing, view_of
from roosync_protocol.cycle.metrics import evidence_of, metric_report
from roosync_protocol.cycle.participant import stopped_at
from roosync_protocol.cycle.triggers import PACKAGES, lacks_package, next_step, question, why
from roosync_protocol.fleet import AT_ONCE, Fleet
from roosync_protocol.messages import Cycle
from roosync_protocol.messages.work import CycleRoute

LONGEST = 100_000  # minutes for one checkpoint
VERSION = re.compile(r"v?\d{1,9}(\.\d{1,9}){0,3}([-+][0-9A-Za-z.+-]{1,50})?")


class CycleAnswer(Struct, frozen=True, kw_only=True):
    id: str
    route: str
    status: str
    checkpoint: str
    round: int
    strict: bool
    participants: list[str]
    excused: dict[str, str]
    waits_for: list[str]  # machines that have not passed the awaited checkpoint
    why: str  # what is known of each of them
    waiting_for: str  # what a person is asked; of a stop empty: what it waited for is there
    stopped: int  # the level at which it is stopped; 0 while it is not
    next_step: str  # the commands for a person who is asked, also while it runs; empty: machines are waited for
    reached: list[dict[str, Any]]
    escalations: list[dict[str, Any]]
    started: datetime
    timeout_minutes: float
    refused: list[str]  # messages about it that do not count


class CycleListRow(Struct, frozen=True, kw_only=True):
    id: str
    route: str
    status: str
    checkpoint: str  # the awaited one, or the one at which it ended
    started: datetime
    by: str  # the machine that began it


async def start(
    machine: Machine,
    route: str = "coordination",
    targets: list[str] | None = None,
    timeout: float = 60.0,
    version: str = "",
    note: str = "",
    limit: str = "",
    seed: str = "",
) -> CycleAnswer:
    """Opens a cycle for the expected machines; who takes part is written before anything is asked.

    `targets`: expressions (`machines.choosing`), all machines without any; `limit`: so many of them, by `seed`.
    """
    fault = _start_fault(machine, route, timeout, version)
    if fault is not None:
        raise RefusedRequestError(fault)
    await machine.session.refresh()
    fleet = machine.fleet
    taking = (await choose_here(machine, targets, limit, seed)).machines
    _require_possible(machine, route, taking)
    now = machine.session.now()
    which: CycleRoute = "deployment" if route == "deployment" else "coordination"
    cycle = Cycle(
        agent=machine.name,
        timestamp=now,
        id="c-" + new_operation()[2:12],
        revision=1,
        operation_id=new_operation(),
        route=which,
        status="running",
        participants=tuple(taking),
        checkpoint=first(which),
        timeout_minutes=timeout,
        required_version=version or (_required(fleet, taking) if which == "deployment" else ""),
        started=now,
        after=fleet.newest,
        entered=now,
        note=note[:500],
    )
    async with audited(machine.session, "start cycle", cycle.id, f"{which} of {', '.join(taking)}"[:2000]):
        await machine.session.advance(cycle, 0)
    await machine.cycles.participate()
    return answer(machine.fleet, find(machine.fleet, cycle.id))


async def show(machine: Machine, id_: str | None = None) -> CycleAnswer:
    """One cycle; without an id the one that runs, else the last."""
    cycle = find(machine.fleet, id_)
    present = await machine.present() if cycle.status not in ENDED else None
    return answer(machine.fleet, cycle, present)


async def listed(machine: Machine) -> list[CycleListRow]:
    """Every cycle that the bus still has, the newest last."""
    return [
        CycleListRow(
            id=one.id,
            route=one.route,
            status=one.status,
            checkpoint=one.checkpoint,
            started=one.started,
            by=machine.fleet.cycle(one.id).opener,
        )
        for one in machine.fleet.cycles()
    ]


async def metrics(machine: Machine, id_: str | None = None) -> dict[str, Any]:
    """The metric report, field for field as the founding protocol has it; of a running cycle so far."""
    cycle = find(machine.fleet, id_)
    report = metric_report(cycle, evidence_of(cycle, machine.fleet), machine.name, machine.session.now())
    found = to_builtins(report)
    return {name: value for name, value in found.items() if name not in ("type", "agent", "timestamp")}


async def excuse(session: Session, id_: str | None, machine: str, reason: str) -> Cycle:
    """A person says that the others go on without this machine."""
    cycle = excusable(session.fleet, id_, machine)
    moved = {**cycle.excused, machine: reason[:500] or "excused"}
    if cycle.waiting_for.startswith(ANSWER):  # about another machine too, perhaps: whoever leads sees what is left
        return await _advance(session, cycle, excused=moved)
    return await _advance(session, cycle, status="running", excused=moved, entered=session.now(), **GOES_ON)


def excusable(fleet: Fleet, id_: str | None, machine: str) -> Cycle:
    """The cycle that would go on without the machine. RefusedRequestError when it can not."""
    cycle = open_cycle(fleet, id_)
    if machine not in cycle.participants:
        raise RefusedRequestError(
            f"{machine!r} takes no part in {cycle.id}; its machines: {', '.join(cycle.participants)}"
        )
    left = set(cycle.participants) - cycle.excused.keys() - {machine}
    if not left:
        raise RefusedRequestError(f"nobody would be left in {cycle.id}; `roosync cycle abort {cycle.id}` ends it")
    if machine in cycle.excused:
        raise RefusedRequestError(f"{machine} is excused from {cycle.id} already; `roosync cycle show {cycle.id}`")
    return cycle


async def resume(session: Session, id_: str | None) -> Cycle:
    """A person says: go on waiting, with fresh time."""
    cycle = resumable(session.fleet, id_)
    return await _advance(session, cycle, status="running", entered=session.now(), **GOES_ON)


def resumable(fleet: Fleet, id_: str | None) -> Cycle:
    """The cycle that waits for a person's word. RefusedRequestError when it does not."""
    cycle = open_cycle(fleet, id_)
    if cycle.status != "waiting":
        raise RefusedRequestError(
            f"{cycle.id} is {cycle.status}, and waits for nobody's word: `roosync cycle watch {cycle.id}`"
        )
    return cycle


async def abort(session: Session, id_: str | None, reason: str = "") -> Cycle:
    cycle = open_cycle(session.fleet, id_)
    return await _advance(session, cycle, status="aborted", note=reason[:500] or cycle.note, **GOES_ON)


# -- inside

GOES_ON: dict[str, object] = {"waiting_for": "", "stopped": 0}


def _required(fleet: Fleet, machines: list[str]) -> str:
    """The version of the campaign in force, when it is asked of all of these machines; "" otherwise."""
    campaign = in_force(fleet)
    return campaign.version if campaign is not None and set(machines) <= set(campaign.machines) else ""


def _start_fault(machine: Machine, route: str, timeout: float, version: str) -> str | None:
    """Why no such cycle can begin, and what to do instead; None when it can."""
    if not machine.fleet.law.may_orchestrate(machine.name):
        return f"{machine.name} may not orchestrate in this fleet; start it on another machine"
    if route not in ROUTES:
        return f"there is no route {route!r}; there are {', '.join(ROUTES)}"
    if not 0 < timeout <= LONGEST:
        return f"a time-out of {timeout:g} minutes is none; give minutes above 0, and at most {LONGEST:,}"
    if version and route != "deployment":
        return "a version is asked for on the way of a deployment: add `--route deployment`, or leave it out"
    if version and not VERSION.fullmatch(version):
        return f"{version!r} is no version; give one such as v2.1.0"
    return None


def _require_possible(machine: Machine, route: str, taking: list[str]) -> None:
    """RefusedRequestError when these machines can not go this route together now."""
    fleet = machine.fleet
    running = {c.id: fleet.cycle(c.id).opener for c in machine.cycles.running}
    if busy := [c.id for c in machine.cycles.running if set(c.participants) & set(taking)]:
        raise RefusedRequestError(
            f"{busy[0]}, begun by {running[busy[0]]}, runs with some of these machines: `roosync cycle watch "
            f"{busy[0]}`, or end it with `roosync cycle abort {busy[0]}`"
        )
    if list(running.values()).count(machine.name) >= AT_ONCE:
        raise RefusedRequestError(f"{machine.name} has {AT_ONCE} cycles running already; wait, or end one of them")
    if route == "coordination" and fleet.law.baseline is None:
        raise RefusedRequestError(
            "this fleet has no baseline yet, so there is nothing to compare with: `roosync cycle start --route "
            "deployment` comes first"
        )
    if route == "deployment" and len(taking) < PACKAGES:
        raise RefusedRequestError(
            f"a baseline is made from the packages of {PACKAGES} machines at least, and {', '.join(taking)} alone is "
            "meant: name one more with --on"
        )


def find(fleet: Fleet, id_: str | None) -> Cycle:
    cycles = fleet.cycles()
    if id_:
        meant = [c for c in cycles if c.id == id_] or [c for c in cycles if c.id.startswith(id_)]
        if len(meant) != 1:
            known = ", ".join(c.id for c in cycles[-5:]) or "none yet"
            raise RefusedRequestError(
                f"{id_!r} is more than one cycle; there are {known}"
                if meant
                else f"{id_!r} is no cycle; there are {known}"
            )
        return meant[0]
    if not cycles:
        raise RefusedRequestError("no cycle was started yet: `roosync cycle start`")
    return next((c for c in reversed(cycles) if c.status not in ENDED), cycles[-1])


def answer(fleet: Fleet, cycle: Cycle, present: Collection[str] | None = None) -> CycleAnswer:
    """`present`: the machines that beat; None: not known."""
    view = view_of(fleet, cycle, present)
    too_few = cycle.status not in ENDED and lacks_package(cycle)
    waits = [] if cycle.status in ENDED else missing(cycle, view)
    return CycleAnswer(
        id=cycle.id,
        route=cycle.route,
        status=cycle.status,
        checkpoint=cycle.checkpoint,
        round=cycle.round,
        strict=cycle.strict,
        participants=list(cycle.participants),
        excused=dict(cycle.excused),
        waits_for=waits,
        why=why(cycle, view, waits, counted(cycle, view)) if waits or too_few else "",
        waiting_for=question(cycle, view, waits, counted(cycle, view)),
        stopped=stopped_at(cycle),
        next_step=next_step(cycle, view, waits),
        reached=[to_builtins(one) for one in cycle.reached],
        escalations=[to_builtins(one) for one in cycle.escalations],
        started=cycle.started,
        timeout_minutes=cycle.timeout_minutes,
        refused=list(fleet.cycle(cycle.id).refused),
    )


def open_cycle(fleet: Fleet, id_: str | None) -> Cycle:
    """One that has not ended; RefusedRequestError otherwise."""
    cycle = find(fleet, id_)
    if cycle.status in ENDED:
        raise RefusedRequestError(f"{cycle.id} is {cycle.status}; `roosync cycle start` begins another one")
    return cycle


async def _advance(session: Session, cycle: Cycle, **changes: object) -> Cycle:
    moved = moved_on(session, cycle, **changes)
    return await post_step(session, moved, _deed(cycle, moved))


def _deed(before: Cycle, after: Cycle) -> str:
    """What an operator does with this step, in the words of the audit."""
    if after.status == "aborted":
        return "abort cycle"
    excused = sorted(after.excused.keys() - before.excused.keys())
    return f"excuse {', '.join(excused)}" if excused else "resume cycle"
