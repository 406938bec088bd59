"""The law: for how long it holds, whose membership ends, and what was heard that does not count."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_protocol.law import WARN_BEFORE, Law

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

EXPIRED = "past it machines apply nothing by themselves: a broker that hides a revocation gains no more than that time"
MANY = 20  # messages that do not count, from which on it is no accident any more


async def check(machine: "Machine") -> Seen:
    law, now = machine.fleet.law, machine.session.now()
    if law.roster is None:
        return Seen("", [_no_roster(machine.name)])
    ends = _ends(law)
    soon = {what: when for what, when in ends.items() if when - now < WARN_BEFORE}
    findings = [_ending(what, when, now) for what, when in sorted(soon.items())]
    findings += _refused(machine)
    until = min(ends.values()) if ends else now
    return Seen(f"the law holds until {until:%Y-%m-%d}; members: {len(law.machines())}", findings)


def _ends(law: Law) -> dict[str, datetime]:
    found = {f"the membership of {name}": law.members[name].expires for name in law.machines()}
    if law.roster is not None:
        found["the roster"] = law.roster.expires
    return {what: when for what, when in found.items() if when is not None}


def _ending(what: str, when: datetime, now: datetime) -> Finding:
    over = when <= now
    return Finding(
        kind="law",
        severity="error" if over else "warning",
        about=what,
        says=f"{what} expired on {when:%Y-%m-%d}" if over else f"{what} expires on {when:%Y-%m-%d}",
        matters=EXPIRED,
        mend="an operator renews it, with this or any other signed command",
        command="roosync renew",
    )


def _no_roster(machine: str) -> Finding:
    return Finding(
        kind="no-roster",
        severity="error",
        about=machine,
        says="the fleet has no roster that this machine knows: nobody may sign for it",
        matters="nothing counts as approved, and nobody is a member, before it is read",
        mend="bring the broker back with its streams: the roster lies there",
        command="roosync status",
    )


def _refused(machine: "Machine") -> Iterator[Finding]:
    refused = machine.fleet.refusals()
    if refused.total() < MANY:
        return
    reason, count = refused.most_common(1)[0]
    yield Finding(
        kind="refused",
        severity="warning",
        about=machine.name,
        says=f"{refused.total()} messages were refused; most often ({count}): {reason}",
        matters="they changed nothing; somebody says what may not be said, or with a version that is not understood",
        mend="see who says them",
        command="roosync status --json",
    )
