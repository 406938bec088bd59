"""What a command would sign, shown before it is signed: nothing here signs, posts or writes.

One verb for all of them. Each deed has a function that makes its preview and one that says what it rests on
(`standing`): where a key is unlocked, what was shown is compared with what stands when it is signed, and anything else
is not signed.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec.structs import replace

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.previewing import baselines, decisions, doing, law, mail, work
from roosync_agent.operations.previewing.answers import Preview
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_protocol.digest import digest
from roosync_protocol.fleet import Fleet

Makes = Callable[..., Awaitable[Preview]]
Rests = Callable[[Fleet, Mapping[str, Any]], Any]

DEEDS: dict[str, tuple[Makes, Rests]] = {
    "baseline_choose": (baselines.choose, baselines.rests_on_proposal),
    "baseline_validate": (baselines.validate, baselines.rests_on_proposal),
    "baseline_publish": (baselines.publish, baselines.rests_on_proposal),
    "baseline_restore": (baselines.restore, baselines.rests_on_baseline),
    "decision_reject": (decisions.reject, decisions.rests_on),
    "decision_rollback": (decisions.rollback, decisions.rests_on),
    "policy_set": (law.policy_set, law.rests_on_policy),
    "pause": (law.pause, law.rests_on_policy),
    "resume": (law.resume, law.rests_on_policy),
    "revoke": (law.revoke, law.rests_on_members),
    "renew": (law.renew, law.rests_on_members),
    "label": (law.label, law.rests_on_labels),
    "invite": (law.invite, law.rests_on_nothing),
    "admit": (law.admit, law.rests_on_nothing),
    "observer_create": (law.observer, law.rests_on_nothing),
    "cycle_excuse": (work.cycle_excuse, work.rests_on_cycle),
    "cycle_resume": (work.cycle_resume, work.rests_on_cycle),
    "cycle_abort": (work.cycle_abort, work.rests_on_cycle),
    "rollout_stop": (work.rollout_stop, work.rests_on_rollout),
    "update_withdraw": (work.update_withdraw, work.rests_on_update),
    "request_done": (work.request_done, work.rests_on_request),
    "request_refuse": (work.request_refuse, work.rests_on_request),
    "message_send": (mail.send, mail.rests_on_members),
    "message_reply": (mail.reply, law.rests_on_nothing),
    "message_mail": (mail.own, law.rests_on_nothing),
    "publish": (doing.publish, law.rests_on_nothing),
    "baseline_propose": (doing.propose, law.rests_on_nothing),
    "decision_approve": (doing.approve, law.rests_on_nothing),
    "decision_approvable": (doing.approvable, law.rests_on_nothing),
    "decision_apply": (doing.apply, law.rests_on_nothing),
    "quarantine_release": (doing.release, law.rests_on_nothing),
    "export": (doing.export, law.rests_on_nothing),
    "imported_propose": (doing.imported_propose, law.rests_on_nothing),
}


async def preview(machine: Machine, deed: str, given: dict[str, Any]) -> Preview:
    """What the deed would sign as things stand. The same errors as of the deed itself; nothing is signed."""
    if deed not in DEEDS:
        raise RefusedRequestError(f"this agent can not show what {deed[:60]!r} would sign; is it of an older version?")
    made = await DEEDS[deed][0](machine, **given)
    return replace(made, deed=deed, given=given, seen=standing(machine.fleet, deed, given))


def standing(fleet: Fleet, deed: str, given: Mapping[str, Any]) -> str:
    """A digest of all that the preview was made of and that could become another; the same on every machine."""
    return digest([deed, dict(given), DEEDS[deed][1](fleet, given)])


def require_shown(session: Session, deed: str, given: Mapping[str, Any], seen: str) -> None:
    """RefusedRequestError when what would be signed now is not what the person was shown."""
    if deed not in DEEDS or standing(session.fleet, deed, given) != seen:
        command = deed.replace("_", " ")
        raise RefusedRequestError(
            f"what `roosync {command}` would sign changed after it was shown, and nothing was signed: ask for it again"
        )
