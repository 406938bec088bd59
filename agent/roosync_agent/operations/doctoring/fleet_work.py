"""Work that stands still: leases of who is not there, decisions that hang or failed, quarantines."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_broker.leases import holders
from roosync_protocol.messages import Decision
from roosync_protocol.overview import failed

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

LONG = timedelta(minutes=10)  # an apply with a slow check of the person's own takes that long at most
LISTED = 5  # of one kind, by name; the rest is counted


async def check(machine: "Machine") -> Seen:
    held = await holders(machine.session.link, machine.session.subjects.fleet)
    taken = [one for one in machine.fleet.decisions() if one.status == "applying"]
    there = await _there(machine, {one.owner for one in held} | {one.machine for one in taken})
    now = machine.session.now()
    findings = [_lease(one.role, one.owner) for one in held if one.owner not in there]
    findings += [found for one in taken if (found := _stuck(one, there, now)) is not None]
    findings += [*_failed(machine), *_quarantined(machine)]
    leads = ", ".join(f"{one.owner} holds {one.role}" for one in held) or "nobody leads at this moment"
    return Seen(leads, findings)


async def _there(machine: "Machine", owners: set[str]) -> frozenset[str]:
    rows = await pinging.ping_all(machine, sorted(owners - {machine.name}), timeout=1.0)
    return frozenset(row.machine for row in rows if row.answered) | {machine.name}


def _lease(role: str, owner: str) -> Finding:
    return Finding(
        kind="lease",
        severity="warning",
        about=owner,
        says=f"{owner} holds the lease {role} and does not answer",
        matters="nobody leads cycles, rollouts and proposals until it expires, which takes seconds, unless it hangs",
        mend=f"look again; if it stays so, start the agent of {owner} anew",
        command="roosync locks",
    )


def _stuck(one: Decision, there: frozenset[str], now: datetime) -> Finding | None:
    away = one.machine not in there
    if not away and now - one.timestamp < LONG:
        return None
    minutes = max(0.0, (now - one.timestamp).total_seconds() / 60)
    why = f"and {one.machine} is not there" if away else f"for {minutes:.0f} minutes"
    return Finding(
        kind="stuck",
        severity="warning",
        about=one.id,
        says=f"{one.id} is being applied on {one.machine}, {why}",
        matters="its files may be half of before and half of after; nothing else is decided about them meanwhile",
        mend=f"start the agent of {one.machine}: it finishes or undoes it first, and asks the decision anew",
        command="roosync up",
    )


def _failed(machine: "Machine") -> Iterator[Finding]:
    fleet = machine.fleet
    broken = [one for one in fleet.decisions() if failed(one, fleet.status(one.machine))]
    for one in broken[:LISTED]:
        beyond = one.status == "rollback_failed"
        yield Finding(
            kind="failed",
            severity="error" if beyond else "warning",
            about=one.id,
            says=f"{one.id} ({one.entity} on {one.machine}) is {one.status}",
            matters="a file there could neither be changed nor put back" if beyond else "it is not in step",
            mend="see what its machine said, then approve it again or reject it",
            command=f"roosync decision show {one.id}",
        )
    if more := broken[LISTED:]:
        yield _more("failed", len(more), "decisions failed too", "roosync decisions")


def _quarantined(machine: "Machine") -> Iterator[Finding]:
    found = []
    for name in machine.fleet.law.machines():
        report = machine.fleet.status(name)
        if report is not None and name != machine.name:  # its own are told by what it sees in its files
            found += [(name, target, why) for target, why in sorted(report.quarantine.items())]
    for name, target, why in found[:LISTED]:
        yield Finding(
            kind="quarantine",
            severity="error",
            about=f"{name}:{target}",
            says=f"{target} is quarantined on {name}: {why}",
            matters="nothing of it is published or applied there, so that an emptied file does not empty the others",
            mend=f"on {name}: look at it, then put it back or believe it",
            command="roosync quarantine show",
        )
    if more := found[LISTED:]:
        yield _more("quarantine", len(more), "targets are quarantined too", "roosync status")


def _more(kind: str, count: int, what: str, command: str) -> Finding:
    return Finding(
        kind=kind,
        severity="warning",
        about="",
        says=f"{count} more {what}",
        matters="each waits for a person",
        mend="see them all",
        command=command,
    )
