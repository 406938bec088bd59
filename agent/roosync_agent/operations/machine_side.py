"""What a machine answers by itself, with its own key: nothing here signs law or approves anything.

Each function takes the `Machine` (resident in the agent, or made for one command) and returns a typed
answer. They run one at a time with the agent's own turns, so a question never sees half a turn. What
compares with a reference is in `comparing`, what writes into files in `applying`.
"""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import msgspec

from roosync_agent.collecting.local import Looked
from roosync_agent.operations.answers import Card, CollectAnswer, DecisionList, DiffList, FileRow
from roosync_agent.operations.audited import audited
from roosync_agent.operations.decisions import facts
from roosync_agent.operations.decisions.deciding import find
from roosync_agent.operations.decisions.seen import answered_with, whole
from roosync_agent.operations.decisions.showing import card, decision_row, diff_row
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running import own_reports
from roosync_agent.running.machine import Machine
from roosync_broker.errors import UnavailableError
from roosync_broker.private_files import write_private
from roosync_protocol import package
from roosync_protocol.messages.work import Action
from roosync_protocol.overview import Overview, exit_codes, failed, overview
from roosync_protocol.proof import RISKS
from roosync_protocol.secrets import addresses

WAITING = ("pending", "failed", "rolled_back", "overwritten", "rollback_failed")
UNDER_WAY = ("approved", "applying")


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    overview: Overview
    exit_codes: tuple[int, ...]


async def status(machine: Machine) -> StatusAnswer:
    """The fleet at one look; every expected machine by name."""
    seen = overview(machine.fleet, machine.name, await machine.present(), machine.session.now())
    if untold := machine.session.telling.untold:
        lost = machine.session.telling.not_kept
        seen = msgspec.structs.replace(seen, warnings=(*seen.warnings, *untold), not_kept=lost)
    if trouble := machine.mail.trouble:
        seen = msgspec.structs.replace(seen, warnings=(*seen.warnings, f"mail is not fetched: {trouble}"))
    if unread := machine.mail.box.count("unread"):
        seen = msgspec.structs.replace(seen, mail_unread=unread)
    return StatusAnswer(overview=seen, exit_codes=exit_codes(seen))


async def inventory(machine: Machine, name: str | None = None) -> dict[str, Any]:
    """This machine's inventory as it is now, or the one another machine published last."""
    if name in (None, machine.name):
        looked = await machine.look()
        taken = await own_reports.inventory(machine, looked.collection)
        return {"machine": machine.name, "timestamp": machine.session.now(), "inventory": taken}
    report = machine.fleet.inventory(name or "")
    if report is None:
        known = ", ".join(machine.fleet.law.machines())
        raise RefusedRequestError(f"{name!r} has published no inventory; machines of this fleet: {known}")
    return {"machine": name, "timestamp": report.timestamp, "inventory": report.inventory}


async def collect(machine: Machine, targets: list[str] | None = None, dry_run: bool = False) -> CollectAnswer:
    """The package of this machine as it would be published; written to the state folder unless `dry_run`."""
    machine.local.public_names = frozenset(machine.fleet.law.policy.public_names)
    looked = await asyncio.to_thread(machine.local.look, tuple(targets or ()))
    files = [file for file in looked.collection.contents() if file.target in looked.trusted]
    built = package.build(machine.name, "0.0.0", machine.session.now(), files)
    folder = machine.state.folder / "package"
    if not dry_run:
        await asyncio.to_thread(_write_package, machine, built)
    return _collected(machine, looked, built, written="" if dry_run else str(folder), dry_run=dry_run)


async def publish(machine: Machine, version: str | None = None, description: str = "") -> CollectAnswer:
    """Contents first, then the announcement. What the broker has already is not sent again."""
    looked = await machine.look()
    async with audited(machine.session, "publish package", machine.name) as told:
        done = await machine.publisher.publish(looked, version, description)
        told.outcome = done.version
    await asyncio.to_thread(machine.local.believe, looked)
    files = [file for file in looked.collection.contents() if file.target in looked.trusted]
    built = package.build(machine.name, done.version, machine.session.now(), files)
    return msgspec.structs.replace(_collected(machine, looked, built), published=True, manifest=done.manifest)


async def diffs(machine: Machine, kind: str = "all") -> DiffList:
    """Every open divergence of the fleet, the same list in the same order on every machine."""
    rows = [
        diff_row(decision)
        for decision in machine.fleet.decisions()
        if decision.status in (*WAITING, *UNDER_WAY) and kind in ("all", decision.category)
    ]
    return DiffList(agent=machine.name, timestamp=machine.session.now(), divergences_count=len(rows), divergences=rows)


async def decisions(
    machine: Machine,
    everything: bool = False,
    limit: int = 0,
    offset: int = 0,
    risk: str = "",
    of: str = "",
    named: list[str] | None = None,
) -> DecisionList:
    """What waits, or is under way; `everything`: also what ended. All of it, or `limit` rows from `offset` on.

    Of many, those that failed come first, then by risk, the gravest first. `risk`: only of this or less; `of`: of one
    machine; `named`: whose id begins with one of these. Counts are of all rows that fit.
    """
    if limit < 0 or offset < 0 or (risk and risk not in RISKS.values()):
        raise RefusedRequestError("limit and offset are counts, and risk is none, low, medium, high or critical")
    names = tuple(named or ())
    found = [
        d
        for d in machine.fleet.decisions(of or None)
        if (everything or d.status in (*WAITING, *UNDER_WAY)) and (not names or d.id.startswith(names))
    ]
    broken = {(d.machine, d.id) for d in found if failed(d, machine.fleet.status(d.machine))}
    order: list[str] = list(RISKS.values())
    rows = await asyncio.to_thread(lambda: [decision_row(d, failed=(d.machine, d.id) in broken) for d in found])
    if risk:
        rows = [row for row in rows if order.index(row.risk) <= order.index(risk)]
    counts = Counter(row.risk for row in rows)
    if limit and len(rows) > limit:
        rows.sort(key=lambda row: (not row.failed, -order.index(row.risk)))
    return DecisionList(
        decisions=rows[offset : offset + limit] if limit else rows[offset:],
        pending=sum(row.status == "pending" for row in rows),
        failed=sum(row.failed for row in rows),
        total=len(rows),
        offset=offset,
        risks={name: counts[name] for name in reversed(order) if counts[name]},
    )


async def decision_show(machine: Machine, id_: str, action: Action | None = None) -> Card:
    """The card; with `action` as it is when answered so. The machines that would get it are asked what they lack."""
    decision = await whole(machine.library, find(machine.session, id_))
    shown = facts.Shown(decision=answered_with(decision, action), action=action)
    known = await facts.gather(machine, [[shown]])
    return card(machine.fleet, shown, known, known.missing[0])


async def quarantine_release(machine: Machine, target: str) -> dict[str, Any]:
    """A person looked: what this machine has now is what it should have."""
    require_quarantined(machine, await machine.look(), target)
    async with audited(machine.session, "release from quarantine", target):
        machine.local.released.add(target)
        await machine.take_turn()  # what is gone is now a decision, and the others are told
    return {"machine": machine.name, "released": target, "quarantine": dict(machine.looked_now.quarantine)}


def require_quarantined(machine: Machine, looked: Looked, target: str) -> None:
    """RefusedRequestError when there is nothing to believe."""
    if target not in looked.quarantine:
        if not looked.quarantine:
            raise RefusedRequestError(f"{target!r} is not quarantined on {machine.name}; nothing is")
        known = ", ".join(looked.quarantine)
        raise RefusedRequestError(f"{target!r} is not quarantined on {machine.name}; {known} is")
    if target in looked.collection.skipped_targets:
        raise RefusedRequestError(
            f"{target!r} can not be read, so there is nothing to believe: `roosync quarantine repair {target}`, "
            "or move its file away first"
        )


async def pause(machine: Machine) -> dict[str, Any]:
    """This machine applies nothing by itself any more, until an operator resumes it. Needs no key."""
    since = machine.session.now()
    write_private(machine.state.paused, since.isoformat().encode())
    await machine.audit("pause", "after", machine.name, outcome="paused")  # never before: a pause waits for no broker
    await machine.look()
    with contextlib.suppress(UnavailableError):  # the next report says it
        await machine.report()
    return {"machine": machine.name, "paused": True, "since": since}


# -- inside


def _write_package(machine: Machine, built: package.Package) -> None:
    folder = machine.state.folder / "package"
    write_private(folder / "manifest.json", built.contents[built.manifest_hash])
    for sha, data in built.contents.items():
        if sha != built.manifest_hash:
            write_private(folder / "contents" / sha, data)


def _collected(
    machine: Machine, looked: Looked, built: package.Package, *, written: str = "", dry_run: bool = False
) -> CollectAnswer:
    names = {f"{file.target}/{file.path}": sorted(file.entities) for file in looked.collection.contents()}
    return CollectAnswer(
        machine=machine.name,
        timestamp=machine.session.now(),
        version=built.manifest.version,
        dry_run=dry_run,
        complete=bool(built.manifest.files) and not looked.quarantine,
        files=[
            FileRow(path=f.path, type=f.type, hash=f.hash, size=f.size, entities=names.get(f.path, []))
            for f in built.manifest.files
        ],
        entities=len(looked.entities),
        skipped=[
            {"path": s.path, "reason": s.reason} for s in (*looked.collection.skipped, *looked.collection.not_set_up)
        ],
        quarantine=dict(looked.quarantine),
        secrets=sorted({address for e in looked.entities.values() for address in addresses(e.value)}),
        written=written,
    )
