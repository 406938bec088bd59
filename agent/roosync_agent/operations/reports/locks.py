"""What is held at this moment, by whom, and which of the holders is not there: leases, claims, local locks.

Each holder is asked directly: a lease is over before a heartbeat is missed, so only a ping finds its orphans in time.
Everything here ends by itself, and the answer says when: a lease expires, a claim is asked anew by its machine when it
is back, an assistant's lock is taken over when it is stale, what was interrupted is finished at the next start.
"""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import DecodeError, Struct
from msgspec.structs import asdict

from roosync_agent.applying import journal, tool_locks
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.operations.coordination import pinging
from roosync_broker.leases import Holder, holders
from roosync_broker.topology import lifetime
from roosync_protocol.fleet import Fleet

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine


class LeaseRow(Struct, frozen=True, kw_only=True):
    role: str
    owner: str
    token: int  # grows with each holder: what was written under an older one does not count
    renewed: datetime | None
    age_seconds: float | None  # since it was renewed
    expires: datetime | None
    present: bool  # the owner's agent answers at this moment
    orphan: bool


class ClaimRow(Struct, frozen=True, kw_only=True):
    """A record that one machine has taken and not finished."""

    kind: str  # decision | request
    id: str
    about: str
    machine: str
    since: datetime
    age_seconds: float
    present: bool
    orphan: bool
    ends: str


class LocalRow(Struct, frozen=True, kw_only=True):
    """On this machine."""

    kind: str  # agent | assistant
    path: str
    holder: str
    age_seconds: float | None
    stale: bool
    ends: str


class Unfinished(Struct, frozen=True, kw_only=True):
    """A change of files on this machine that was interrupted."""

    label: str
    phase: str
    snapshot: str
    since: datetime | None
    ends: str


class LocksAnswer(Struct, frozen=True, kw_only=True):
    agent: str
    timestamp: datetime
    leases: list[LeaseRow]
    claims: list[ClaimRow]
    local: list[LocalRow]
    unfinished: list[Unfinished]
    orphans: list[str]


async def locks(machine: "Machine") -> LocksAnswer:
    machine.session.require_bus()
    held = await holders(machine.session.link, machine.session.subjects.fleet)
    taken = _taken(machine.fleet)
    present = await _present(machine, {one.owner for one in held} | {one.machine for one in taken})
    now = machine.session.now()
    ttl = await lifetime(machine.session.link, machine.session.subjects.fleet, "leases")
    leases = [_lease(one, ttl, present, now) for one in held]
    claims = [_claim(one, present, now) for one in taken]
    orphans = [f"lease {row.role} of {row.owner}" for row in leases if row.orphan]
    orphans += [f"{row.kind} {row.id} of {row.machine}" for row in claims if row.orphan]
    local, unfinished = await asyncio.to_thread(_local, machine)
    return LocksAnswer(
        agent=machine.name, timestamp=now, leases=leases, claims=claims, local=local, unfinished=unfinished,
        orphans=orphans,
    )  # fmt: skip


async def _present(machine: "Machine", owners: set[str]) -> frozenset[str]:
    rows = await pinging.ping_all(machine, sorted(owners - {machine.name}))
    return frozenset(row.machine for row in rows if row.answered) | {machine.name}


def _lease(held: Holder, ttl: float, present: frozenset[str], now: datetime) -> LeaseRow:
    return LeaseRow(
        role=held.role,
        owner=held.owner,
        token=held.token,
        renewed=held.renewed,
        age_seconds=_age(held.renewed, now),
        expires=held.renewed + timedelta(seconds=ttl) if held.renewed else None,
        present=held.owner in present,
        orphan=held.owner not in present,
    )


class _Taken(Struct, frozen=True):
    kind: str
    id: str
    about: str
    machine: str
    since: datetime
    ends: str


def _taken(fleet: Fleet) -> list[_Taken]:
    back = "when its machine is back: it recovers, and the decision is asked anew"
    found = [
        _Taken("decision", d.id, d.entity, d.machine, d.timestamp, back)
        for d in fleet.decisions()
        if d.status == "applying"
    ]
    answer = "when its addressee answers it"
    return found + [
        _Taken("request", r.id, f"{r.action} for {r.asker}", r.agent, r.timestamp, answer)
        for r in fleet.requests()
        if r.status == "accepted"
    ]


def _claim(one: _Taken, present: frozenset[str], now: datetime) -> ClaimRow:
    there = one.machine in present
    age = _age(one.since, now) or 0.0
    return ClaimRow(**asdict(one), age_seconds=age, present=there, orphan=not there)


def _local(machine: "Machine") -> tuple[list[LocalRow], list[Unfinished]]:
    """Reads the disk only: in a thread."""
    lock = machine.state.run / "agent.lock"
    ours = LocalRow(
        kind="agent",
        path=str(lock),
        holder=f"process {os.getpid()}",
        age_seconds=None,
        stale=False,
        ends="with that process, however it ends",
    )
    return [ours, *_of_assistants(machine)], _unfinished(machine)


def _of_assistants(machine: "Machine") -> list[LocalRow]:
    """The lock folders beside the managed files that are there now."""
    door, rows = machine.local.door, []
    seen: set[Path] = set()
    for file in machine.looked.collection.files if machine.looked else ():
        try:
            for folder in tool_locks.folders_of(door, file.path, door.stat(file.path).real_path):
                state = door.stat(folder)
                if folder in seen or not state.exists:
                    continue
                seen.add(folder)
                age = max(0.0, time.time() - state.mtime_ns / 1e9)
                left = tool_locks.STALE - age
                ends = "when its assistant gives it back" if left > 0 else "at the next write: it is stale"
                rows.append(
                    LocalRow(
                        kind="assistant",
                        path=str(folder),
                        holder=file.target,
                        age_seconds=round(age, 1),
                        stale=left <= 0,
                        ends=ends,
                    )
                )
        except FileRefusedError:
            continue  # what can not be looked at is told by the status
    return rows


def _unfinished(machine: "Machine") -> list[Unfinished]:
    ends = "at the next start of the agent, or before the next change: it is finished, or undone"
    try:
        record = journal.read(machine.local.door, machine.state.folder)
    except (DecodeError, UnicodeDecodeError, RecursionError, FileRefusedError) as error:
        label, reason = f"the journal can not be read: {error}", "when a person looked at it and moved it away"
        return [Unfinished(label=label, phase="?", snapshot="", since=None, ends=reason)]
    if record is None:
        return []
    since = datetime.fromtimestamp(record.time_ns / 1e9, UTC) if record.time_ns else None
    return [Unfinished(label=record.label, phase=record.phase, snapshot=record.snapshot, since=since, ends=ends)]


def _age(since: datetime | None, now: datetime) -> float | None:
    """Never negative: two clocks are compared."""
    return round(max(0.0, (now - since).total_seconds()), 1) if since else None
