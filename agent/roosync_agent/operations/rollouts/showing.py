"""How a rollout stands: every expected machine by name, how it ended or why it has not, and what a person does next.

Nothing is left out because it is fine, and nothing because it is silent: the counts add up to the machines.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts.answers import (
    AWAITED,
    NOT_BEGUN,
    MachineRow,
    NextStep,
    Pace,
    RolloutAnswer,
    RolloutListRow,
)
from roosync_agent.operations.rollouts.hanging import hanging, unsigned
from roosync_agent.operations.rollouts.words import PHASES
from roosync_broker.keys import verify
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Rollout
from roosync_protocol.names import some
from roosync_protocol.rollout import ENDED, GOOD, PASSING
from roosync_protocol.rollout.commands import command
from roosync_protocol.rollout.gate import named
from roosync_protocol.rollout.leading import asked
from roosync_protocol.rollout.standing import End, contradiction, end_of, of_decision, together

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine  # an agent has it; a command that signs need not load it

WRITTEN = frozenset({"applied", "rolled_back", "rollback_failed", "overwritten"})  # what an apply ends with


async def show(
    machine: "Machine", id_: str | None = None, purpose: str | None = None, revision: int = 1
) -> RolloutAnswer:
    """One rollout; without an id the open one, else the last. A `revision` posted just now is read from the bus."""
    known = machine.fleet.rollout(id_).state if id_ else None
    if id_ and (known is None or known.revision < revision) and machine.session.reachable:
        await machine.session.refresh(reports=False)
    return answer(machine.fleet, find(machine.fleet, id_, purpose), machine.session.now())


def find(fleet: Fleet, id_: str | None, purpose: str | None = None) -> Rollout:
    """The one that a person means by an id or its beginning; without it the open one, else the last."""
    update = purpose == "update"
    rollouts = [one for one in fleet.rollouts() if purpose in (None, one.purpose)]
    if id_:
        meant = [r for r in rollouts if r.id == id_] or [r for r in rollouts if r.id.startswith(id_)]
        campaign = fleet.law.campaign
        if not meant and campaign is not None and campaign.id == id_ and not campaign.withdrawn:
            raise RefusedRequestError(
                f"{id_} was signed, and its rollout was not posted, so nobody begins: `roosync update withdraw` ends "
                "it, and `roosync update require ... --replace` requires a version anew"
            )
        if len(meant) != 1:
            known = ", ".join(r.id for r in rollouts[-5:]) or "none yet"
            none = f"{id_!r} is no campaign" if update else f"{id_!r} is no rollout"
            several = f"{id_!r} is more than one campaign" if update else f"{id_!r} is more than one rollout"
            raise RefusedRequestError(f"{several if meant else none}; there are {known}")
        return meant[0]
    if not rollouts:
        if update:
            raise RefusedRequestError("no campaign was started yet: `roosync update require VERSION --revision TAG`")
        raise RefusedRequestError("no rollout was started yet: `roosync rollout start`")
    return next((r for r in reversed(rollouts) if r.status not in ENDED), rollouts[-1])


def required(update: Rollout) -> str:
    """The version of an update: its note begins with it (`updates.requiring`)."""
    return update.note.partition(": ")[0]


async def listed(machine: "Machine") -> list[RolloutListRow]:
    """Every rollout that the bus still has, the newest last."""
    return [
        RolloutListRow(
            id=one.id,
            purpose=one.purpose,
            status=one.status,
            wave=_opened(one),
            waves=len(one.waves),
            counts=dict(Counter(row.state for row in rows_of(machine.fleet, one))),
            started=one.started,
            note=one.note,
        )
        for one in machine.fleet.rollouts()
    ]


def answer(fleet: Fleet, rollout: Rollout, now: datetime, not_signed: dict[str, str] | None = None) -> RolloutAnswer:
    rows = [
        replace(row, contradicted=contradiction(rollout, row.machine, fleet, verify, now))
        for row in rows_of(fleet, rollout)
    ]
    left = unsigned(fleet, rollout) if rollout.status == "prepared" else []
    stuck = [d.id for d in hanging(fleet, rollout, now)]
    return RolloutAnswer(
        id=rollout.id,
        purpose=rollout.purpose,
        status=rollout.status,
        waves=len(rollout.waves),
        wave=_opened(rollout),
        round=rollout.round,
        machines=rows,
        counts=dict(Counter(row.state for row in rows)),
        pace=Pace(
            canary=0,
            waves=tuple(str(len(wave)) for wave in rollout.waves),
            pause_seconds=rollout.pause_seconds,
            max_fail_percentage=rollout.max_fail_percentage,
            timeout_minutes=rollout.timeout_minutes,
        ),
        waiting_for=asked(rollout) if rollout.status == "waiting" else _asked(rollout, len(left)),
        next_steps=next_steps(rollout, rows, stuck),
        started=rollout.started,
        opened=None if rollout.status == "prepared" else rollout.opened,
        next_wave=_next_wave(rollout),
        revision=rollout.revision,
        unsigned=[d.id for d in left],
        hanging=stuck,
        not_signed=not_signed or {},
        refused=list(fleet.rollout(rollout.id).refused),
        note=rollout.note,
    )


def rows_of(fleet: Fleet, rollout: Rollout) -> list[MachineRow]:
    return [_row(fleet, rollout, number, machine) for number, wave in enumerate(rollout.waves, 1) for machine in wave]


def next_steps(rollout: Rollout, rows: list[MachineRow], stuck: list[str]) -> list[NextStep]:
    """The commands for a person, the likeliest first."""
    ill = [row for row in rows if row.state not in (*GOOD, AWAITED, NOT_BEGUN)]
    bad, resume = [row.machine for row in ill if not row.accepted], command(rollout, "resume")
    names, still = some(bad, 3), [row for row in rows if row.state == AWAITED]
    at_it = [row.machine for row in still if not row.reason.startswith(PHASES["waiting"])]  # others wait for a person
    stop = NextStep(command=command(rollout, "stop"), does="begin nothing more")
    match rollout.status:
        case "prepared":
            return [NextStep(command=f"roosync rollout approve {rollout.id}", does="sign what it lacks"), stop]
        case "running":
            return [NextStep(command=command(rollout, "watch"))]
        case "waiting":
            skip = [NextStep(command=f"{resume} --skip-failed", does=f"go on without {names}")] if bad else []
            show = command(rollout, "show")
            look = [NextStep(command=show, does=f"look again: {some(at_it, 3)} did not end yet")] if at_it else []
            return [*look, NextStep(command=resume, does=f"try {names} again" if bad else "go on"), *skip, stop]
    if stuck:
        return [
            NextStep(command=f"roosync rollout start {' '.join(stuck[:5])}", does="another one, with these"),
            NextStep(command=f"roosync decision approve {stuck[0]}", does="this one, at once"),
            NextStep(command=f"roosync decision reject {stuck[0]}", does="leave it as it is"),
        ]
    silent = [row.machine for row in ill if row.state in PASSING]
    if silent and rollout.status == "done":  # of one that was stopped nobody begins any more
        return [NextStep(command=f"roosync ping {' '.join(silent[:5])}", does="it begins by itself when it is back")]
    if shown := [id_ for row in ill for id_ in row.decisions]:
        return [NextStep(command=f"roosync decision show {shown[0]}")]
    return [NextStep(command="roosync update show" if rollout.purpose == "update" else "roosync status")]


# -- inside


def _opened(rollout: Rollout) -> int:
    return 0 if rollout.status == "prepared" else rollout.wave + 1


def _next_wave(rollout: Rollout) -> datetime | None:
    if rollout.status != "running" or rollout.ended is None or _opened(rollout) == len(rollout.waves):
        return None
    return rollout.ended + timedelta(seconds=rollout.pause_seconds)


def _asked(rollout: Rollout, unsigned_: int) -> str:
    if rollout.status != "prepared":
        return ""
    return f"{unsigned_} of its decisions still to be signed" if unsigned_ else "to be begun"


def _row(fleet: Fleet, rollout: Rollout, wave: int, machine: str) -> MachineRow:
    result = rollout.results.get(machine)
    if result is not None:
        state, reason = str(result.outcome), result.reason
    elif wave <= _opened(rollout) and (end := _ended_since(fleet, rollout, machine)) is not None:
        state, reason = str(end.outcome), end.reason
    elif wave <= _opened(rollout) and rollout.status not in ENDED and machine not in rollout.accepted:
        state, reason = AWAITED, _under_way(fleet, rollout, machine)
    else:
        state, reason = NOT_BEGUN, ""
    return MachineRow(
        machine=machine,
        wave=wave,
        state=state,
        reason=reason,
        accepted=machine in rollout.accepted,
        decisions=list(rollout.items.get(machine, ())),
    )


def _ended_since(fleet: Fleet, rollout: Rollout, machine: str) -> End | None:
    """Of a rollout that was stopped while this machine was at it: nobody writes that end down, and it told it."""
    if rollout.status != "stopped":
        return None
    if rollout.purpose == "update":
        report = fleet.update(machine)
        told = report is not None and report.campaign == rollout.id
        return end_of(rollout, machine, fleet, verify, rollout.opened) if told else None
    known = [fleet.decision(machine, id_).state for id_ in rollout.items.get(machine, ())]
    ours = [one for one in known if one is not None and named(one, fleet.law, verify, rollout.opened) == rollout.id]
    return together(of_decision(one, ours=True) if one.status in WRITTEN else None for one in ours)


def _under_way(fleet: Fleet, rollout: Rollout, machine: str) -> str:
    """What is known of a machine that is awaited."""
    if rollout.purpose == "update":
        report = fleet.update(machine)
        if report is None or report.campaign != rollout.id:
            return "nothing heard yet"
        return f"{PHASES.get(report.phase, report.phase)}{': ' + report.reason if report.reason else ''}"
    states = (fleet.decision(machine, id_).state for id_ in rollout.items.get(machine, ()))
    counted = Counter(one.status for one in states if one is not None)
    return ", ".join(f"{count} {status}" if len(counted) > 1 else status for status, count in counted.items())
