"""What a leader that died in the middle of a step had still to say: the alarm of a halt, the figures of an end.

The record of a cycle or a rollout is moved first and spoken of after, so its next leader looks at what the records say
and makes up for what nobody heard. Rather twice than never: an alarm that was told while this machine was away is told
again.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from roosync_protocol.messages import Alarm, Cycle, Escalation, MetricReport, Rollout

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

RECENT = timedelta(minutes=10)  # what is older is history: whoever came back to a fleet is not woken by it


async def make_up(machine: "Machine") -> None:
    """To be called by who has just won the role. BusError when it was not finished; it may be called again."""
    now = machine.session.now()
    cycles = [cycle for cycle in machine.fleet.cycles() if now - cycle.timestamp < RECENT]
    for cycle in cycles:
        for one in cycle.escalations:
            if now - one.at < RECENT and not _alarmed(machine, cycle, one):
                await machine.alarm(one.level, one.reason, cycle.id)
    for rollout in machine.rollouts.running:
        if rollout.status == "waiting" and now - rollout.timestamp < RECENT and not _told(machine, rollout):
            await machine.rollouts.tell_halt(rollout)
    ended = [cycle for cycle in cycles if cycle.status == "done"]
    told = await _measured(machine) if ended else set()
    for cycle in ended:
        if cycle.id not in told:
            await machine.cycles.tell_figures(cycle)


def _alarmed(machine: "Machine", cycle: Cycle, escalation: Escalation) -> bool:
    law, reason = machine.fleet.law, machine.public(escalation.reason)
    return any(
        isinstance(heard.message, Alarm)
        and (heard.message.about, heard.message.level, heard.message.reason) == (cycle.id, escalation.level, reason)
        and law.genuine(heard)
        for heard in machine.fleet.alarms
    )


def _told(machine: "Machine", rollout: Rollout) -> bool:
    return any(
        isinstance(heard.message, Alarm)
        and heard.message.about == rollout.id
        and heard.message.timestamp >= rollout.opened
        and machine.fleet.law.genuine(heard)
        for heard in machine.fleet.alarms
    )


async def _measured(machine: "Machine") -> set[str]:
    """The cycles of which a leader's last figures tell."""
    session, found = machine.session, set()
    for stored in await session.link.last(session.subjects.stream("REPORTS"), [session.subjects.post("metric")]):
        heard = session.open(stored)
        if heard is not None and isinstance(heard.message, MetricReport) and session.fleet.law.genuine(heard):
            found.add(heard.message.test_session)
    return found
