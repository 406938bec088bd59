"""Whether a machine takes a required version, now, later or never: asked of facts alone, in this order.

What stands in the way for good refuses; what passes makes it wait; and an end stays an end until an operator says so.
"""

import hashlib
from datetime import datetime

from msgspec import Struct

from roosync_agent.settings import UpdateSettings
from roosync_agent.updating import recipes
from roosync_agent.updating.journal import Journal
from roosync_protocol.law import Law
from roosync_protocol.messages import Campaign, Rollout, UpdateReport
from roosync_protocol.messages.reports import UpdatePhase
from roosync_protocol.rollout import gate
from roosync_protocol.versions import at_least, same

NOBODY = "nobody would start the new version: run the agent by `roosync up`, or see docs/updates.md for a service"
SUPERVISORS = frozenset({"up", "service"})
STOPPED = 3  # the level at which a cycle keeps its machines from everything
ENDS: dict[str, UpdatePhase] = {
    "confirmed": "confirmed",
    "refused": "refused",
    "returned": "returned",
    "return_failed": "return_failed",
}


class Stand(Struct, frozen=True, kw_only=True):
    """What a machine says of the campaign in force."""

    phase: UpdatePhase
    reason: str = ""
    journal: Journal | None = None


class Facts(Struct, frozen=True, kw_only=True):
    """How a machine is at this moment, as far as an update has to do with it."""

    machine: str
    version: str  # that it runs
    supervisor: str  # who starts it again; "" for nobody
    settings: UpdateSettings
    law: Law
    rollout: Rollout | None  # of the campaign
    paused: bool
    stopped: int  # the level at which a cycle of it is stopped
    now: datetime


def concerned(campaign: Campaign | None, machine: str) -> bool:
    return campaign is not None and not campaign.withdrawn and machine in campaign.machines


def is_of(journal: Journal, campaign: Campaign) -> bool:
    return (journal.campaign, journal.version) == (campaign.id, campaign.version)


def end_of(journal: Journal, version: str) -> Stand:
    """What is said of an update that ended here; `version`: that runs now."""
    if journal.phase == "confirmed" and not at_least(version, journal.version):
        reason = f"it was confirmed, and version {version} was started by hand since"
        return Stand(phase="refused", reason=reason, journal=journal)
    return Stand(phase=ENDS[journal.phase], reason=journal.reason, journal=journal)


def again(rollout: Rollout | None, machine: str, report: UpdateReport) -> bool:
    """Did an operator say that what ended badly here is to be tried again?"""
    return rollout is not None and gate.again(rollout, machine, report)


def refusal(facts: Facts, campaign: Campaign) -> Stand | None:
    """What stands in the way as long as this machine and this campaign stay as they are; or that nothing is needed."""
    if facts.law.operator_key(campaign.agent) is None:
        return Stand(phase="refused", reason=f"{campaign.agent} signed it, and was revoked since")
    if same(facts.version, campaign.version):
        return Stand(phase="unneeded")
    if not at_least(campaign.version, facts.version):
        return Stand(phase="refused", reason=f"older: this machine runs {facts.version}, and is not taken back")
    if reason := recipes.possible(facts.settings):
        return Stand(phase="refused", reason=reason)
    if facts.supervisor not in SUPERVISORS:
        return Stand(phase="refused", reason=NOBODY)
    return None


def hindrance(facts: Facts, campaign: Campaign) -> str:
    """Why an update does not begin at this moment, nor go over to the new version; "" when it may."""
    if closed := gate.opens(facts.rollout, facts.machine):
        return closed
    ends = [end for end in (campaign.expires, facts.law.expiry(facts.machine)) if end is not None and end <= facts.now]
    if ends:
        return f"the law that it rests on expired on {min(ends):%Y-%m-%d}: `roosync renew`"
    if facts.paused:
        return "this machine is paused: `roosync resume`"
    if facts.stopped >= STOPPED:
        return f"a cycle of this machine is stopped at level {STOPPED}"
    return ""


def delay(campaign: Campaign, machine: str) -> float:
    """Seconds after which this machine begins: machines of one wave do so at different moments, told by their names."""
    hashed = hashlib.sha256(f"{campaign.id}\n{machine}".encode()).digest()
    return campaign.splay_seconds * int.from_bytes(hashed[:8], "big") / 2**64
