"""What is held at this moment, by whom, and which of the holders is not there: leases, claims, local locks.

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

from roosync_agent.applying import journal, tool_locks
from roosync_agent.files.file_state import FileRefusedError
from roosync_broker.leases import holders
from roosync_broker.topology import LEASE_TTL
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
    present: bool | None  # the owner's heartbeat; None: not known
    orphan: bool


class ClaimRow(Struct, frozen=True, kw_only=True):
    """A record that one machine has taken and not finished."""

    kind: str  # decision | request
    id: str
    about: str
    machine: str
    since: datetime
    age_seconds: float
    present: bool | None
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
    now = machine.session.now()
    beats = await machine.present()
    present = frozenset(beats) if beats is not None else None
    leases = await _leases(machine, present, now)
    claims = _claims(machine.fleet, present, now)
    orphans = [f"lease {row.role} of {row.owner}" for row in leases if row.orphan]
    orphans += [f"{row.kind} {row.id} of {row.machine}" for row in claims if row.orphan]
    local, unfinished = await asyncio.to_thread(_local, machine)
    return LocksAnswer(
        agent=machine.name, timestamp=now, leases=leases, claims=claims, local=local, unfinished=unfinished,
        orphans=orphans,
    )  # fmt: skip


async def _leases(machine: "Machine", present: frozenset[str] | None, now: datetime) -> list[LeaseRow]:
    rows = []
    for held in await holders(machine.session.link, machine.session.subjects.fleet):
        there = _there(held.owner, present)
        rows.append(
            LeaseRow(
                role=held.role,
                owner=held.owner,
                token=held.token,
                renewed=held.renewed,
                age_seconds=_age(held.renewed, now),
                expires=held.renewed + timedelta(seconds=LEASE_TTL) if held.renewed else None,
                present=there,
                orphan=there is False,
            )
        )
    return rows


def _claims(fleet: Fleet, present: frozenset[str] | None, now: datetime) -> list[ClaimRow]:
    back = "when its machine is back: it recovers, and the decision is asked anew"
    taken = [
        ("decision", d.id, d.entity, d.machine, d.timestamp, back) for d in fleet.decisions() if d.status == "applying"
    ]
    answer = "when its addressee answers it"
    taken += [
        ("request", r.id, f"{r.action} for {r.asker}", r.agent, r.timestamp, answer)
        for r in fleet.requests()
        if r.status == "accepted"
    ]
    rows = []
    for kind, id_, about, machine, since, ends in taken:
        there = _there(machine, present)
        rows.append(
            ClaimRow(
                kind=kind,
                id=id_,
                about=about,
                machine=machine,
                since=since,
                age_seconds=_age(since, now) or 0.0,
                present=there,
                orphan=there is False,
                ends=ends,
            )
        )
    return rows


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


def _there(owner: str, present: frozenset[str] | None) -> bool | None:
    return None if present is None else owner in present


def _age(since: datetime | None, now: datetime) -> float | None:
    """Never negative: two clocks are compared."""
    return round(max(0.0, (now - since).total_seconds()), 1) if since else None
