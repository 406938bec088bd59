"""Clocks: this machine's against the broker's, and the other machines' by what they reported.

The broker stamps each message when it stores it, so a report of a machine whose clock is right is never younger than
its stamp, and older by no more than the time that posting takes.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from roosync_agent.operations.baseline.proposing import AHEAD
from roosync_agent.operations.doctoring.findings import Finding, Seen, Severity
from roosync_broker import topology
from roosync_broker.link import TRY_FOR, Stored
from roosync_protocol.messages import MalformedError, StatusReport, decode
from roosync_protocol.subjects import speaker_of

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

TOLD = 60.0  # seconds; codes live for minutes, and a minute less or more is nothing to them
MATTERS = (
    f"past {AHEAD.total_seconds():.0f} s ahead, what it publishes does not count; codes, approvals and memberships end "
    "too early or too late, and the history is told in a wrong order"
)


async def check(machine: "Machine") -> Seen:
    session = machine.session
    before = session.now()
    theirs = await topology.clock(session.link, session.subjects.fleet)
    after = session.now()
    findings: list[Finding] = []
    own = 0.0
    if theirs is not None:
        own = _outside(theirs, before, after)
        if abs(own) > TOLD:
            findings.append(_finding(machine.name, own, here=True))
    stored = await session.link.last(
        session.subjects.stream("REPORTS"),
        [session.subjects.post("status", speaker="*" if session.whole else machine.name)],
    )
    expected = set(machine.fleet.law.machines()) - {machine.name}
    findings += [_finding(name, ahead, here=False) for name, ahead in _others(stored) if name in expected]
    seen = len({speaker_of(one.subject) for one in stored} & expected)
    told = "the broker does not tell its time" if theirs is None else f"{abs(own):.1f} s from the broker's"
    return Seen(f"{told}; {seen} other machines' reports agree with it" if seen else told, findings)


def _outside(theirs: datetime, before: datetime, after: datetime) -> float:
    """Seconds that our clock is ahead of theirs (behind: negative); 0 when theirs fell between our two looks."""
    if theirs < before:
        return (before - theirs).total_seconds()
    return min(0.0, (after - theirs).total_seconds())


def _others(stored: list[Stored]) -> Iterator[tuple[str, float]]:
    """Machine -> seconds by which its clock was ahead of the broker's when it reported last, where it is too much."""
    for one in stored:
        try:
            report = decode(one.data)
        except MalformedError:
            continue
        if not isinstance(report, StatusReport) or one.time is None:
            continue
        ahead = (report.timestamp - one.time).total_seconds()
        if ahead > TOLD or -ahead > TOLD + TRY_FOR:
            yield speaker_of(one.subject), ahead


def _finding(name: str, ahead: float, *, here: bool) -> Finding:
    severity: Severity = "error" if timedelta(seconds=abs(ahead)) > AHEAD else "warning"
    off = f"{abs(ahead):.0f}"
    early, late = (
        f"the clock of {name} is {off} s ahead of the broker's",
        f"the clock of {name} is {off} s behind the broker's",
    )
    return Finding(
        kind="clock",
        severity=severity,
        about=name,
        says=early if ahead > 0 else late,
        matters=MATTERS,
        mend="set it right there, and have it kept by a time server"
        if not here
        else "set it right, and have it kept by a time server",
        command="timedatectl set-ntp true",
    )
