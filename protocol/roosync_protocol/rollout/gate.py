"""May this machine begin now? What stands between an approval, or a campaign, and the work it allows.

The machine asks before it claims a decision, and before it begins an update; both get the same answer. It never says
more than an approval does: an open gate allows nothing by itself.
"""

from datetime import datetime

from roosync_protocol import approval
from roosync_protocol.envelope import Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision, Rollout, UpdateReport
from roosync_protocol.rollout.commands import command

SUCCEEDED = frozenset({"confirmed", "unneeded"})  # ends of an update after which the machine runs what was required


def opens(rollout: Rollout | None, machine: str) -> str | None:
    """Why this machine may not begin, in words that go after "it waits:"; None when it may.

    `rollout`: the state of the record as it is proven; None when nothing of it is known here.
    """
    if rollout is None:
        return "its rollout is not known here"
    place = next((number for number, wave in enumerate(rollout.waves) if machine in wave), None)
    if place is None:
        return f"{rollout.id} does not name this machine"
    match rollout.status:
        case "prepared":
            return f"{rollout.id} was not begun yet: `{command(rollout, 'resume')}`"
        case "stopped":
            return f"{rollout.id} was stopped"
        case "waiting":
            return f"{rollout.id} halted, and a person is asked: `{command(rollout, 'show')}`"
    return f"wave {place + 1} of {rollout.id} is not open yet" if place > rollout.wave else None


def named(decision: Decision, law: Law, verify: Verify, now: datetime) -> str:
    """The rollout that the yes to this decision belongs to; "" when it belongs to none.

    Of several approvals the newest counts: so an operator takes a decision out of a rollout by approving it singly.
    """
    given = approval.given(decision, law, verify, now)
    return max(given, key=lambda one: one.issued).rollout if given else ""


def again(rollout: Rollout, machine: str, report: UpdateReport) -> bool:
    """Is this machine, which ended its update badly, to try it again? `report` is the one of its last end.

    Once for each round that an operator resumed, and only when that takes away what is written down of the machine.
    """
    ended_badly = report.campaign == rollout.id and report.phase not in SUCCEEDED
    return ended_badly and report.round < rollout.round and machine not in rollout.results
