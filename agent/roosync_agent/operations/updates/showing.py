"""Who is where in a campaign: its rollout's account, with what each machine said of its own update."""

from collections import Counter
from datetime import datetime

from msgspec.structs import asdict

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts import showing as rollouts
from roosync_agent.operations.rollouts.answers import NOT_BEGUN, MachineRow, NextStep
from roosync_agent.operations.updates.answers import UpdateAnswer, UpdateRow
from roosync_agent.running.machine import Machine
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Campaign
from roosync_protocol.rollout import ENDED

LOG = 10  # lines of a recipe that are shown of each machine


async def show(machine: Machine, id_: str | None = None, revision: int = 1) -> UpdateAnswer:
    """The campaign in force, or the one of an id, as far as its rollout is kept; else the last."""
    state = machine.fleet.rollout(id_).state if id_ else None
    if id_ and (state is None or state.revision < revision) and machine.session.reachable:
        await machine.session.refresh(reports=False)
    campaign = machine.fleet.law.campaign
    if campaign is None and not any(one.purpose == "update" for one in machine.fleet.rollouts()):
        raise RefusedRequestError("no update was required yet: `roosync update require VERSION --revision TAG`")
    if campaign is not None and (not id_ or campaign.id.startswith(id_)):
        return answer(machine.fleet, campaign.id, machine.session.now())
    return answer(machine.fleet, rollouts.find(machine.fleet, id_, "update").id, machine.session.now())


def in_force(fleet: Fleet) -> Campaign | None:
    """The newest campaign, while it was not withdrawn."""
    campaign = fleet.law.campaign
    return None if campaign is None or campaign.withdrawn else campaign


def answer(fleet: Fleet, id_: str, now: datetime) -> UpdateAnswer:
    law, state = fleet.law.campaign, fleet.rollout(id_).state
    campaign = law if law is not None and law.id == id_ else None  # of an older one only its rollout is left
    rollout = rollouts.answer(fleet, state, now) if state is not None else None
    if rollout is not None:
        rows = rollout.machines
    else:
        machines = campaign.machines if campaign is not None else ()
        rows = [MachineRow(machine=name, wave=1, state=NOT_BEGUN) for name in machines]
    steps = rollout.next_steps if rollout is not None else [NextStep(command="roosync update withdraw")]
    return UpdateAnswer(
        id=id_,
        version=campaign.version if campaign is not None else rollouts.required(state) if state is not None else "",
        tag=campaign.tag if campaign is not None else "",
        commit=campaign.commit if campaign is not None else "",
        withdrawn=campaign is not None and campaign.withdrawn,
        in_force=campaign is not None and not campaign.withdrawn,
        signed_by=campaign.agent if campaign is not None else state.agent if state is not None else "",
        signed=campaign.timestamp if campaign is not None else None,
        splay_seconds=campaign.splay_seconds if campaign is not None else 0.0,
        machines=[_row(fleet, id_, row, over=state is not None and state.status in ENDED) for row in rows],
        counts=dict(Counter(row.state for row in rows)),
        rollout=rollout,
        next_steps=[_onwards(step) for step in steps],
        note=campaign.note if campaign is not None else "",
    )


# -- inside


def _row(fleet: Fleet, id_: str, row: MachineRow, *, over: bool) -> UpdateRow:
    report, status = fleet.update(row.machine), fleet.status(row.machine)
    said = report if report is not None and report.campaign == id_ else None
    dropped = over and row.state == NOT_BEGUN and said is not None and said.phase in ("waiting", "updating")
    return UpdateRow(
        **asdict(row),
        phase=said.phase if said is not None and not dropped else "",  # what it dropped it says nothing of
        runs=(status.roosync_version if status is not None else "") or (said.version if said is not None else ""),
        before=said.before if said is not None else "",
        log=list(said.log[-LOG:])
        if said is not None and said.phase in ("refused", "returned", "return_failed")
        else [],
    )


def _onwards(step: NextStep) -> NextStep:
    """Where the account of a rollout would lead to this one: to what the whole fleet is at."""
    here = step.command.startswith("roosync update show") and not step.does
    return NextStep(command="roosync status") if here else step
