"""`roosync import-share`: what a fleet of RooSync 2 left in its shared folder, taken in and never believed.

Packages become named foreign packages (`kept`): compared with, and a source of proposals, never a member's own word. A
baseline becomes a file that a person reads and an operator may sign. Decisions that were pending are told, messages are
kept as files. Everything is hostile until it was checked; nothing is applied, published, or law by an import.
"""

import asyncio
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.sharing_in import kept
from roosync_agent.operations.sharing_in.folder import Share
from roosync_agent.operations.sharing_in.foreign import candidate, imported, imported_compare, imported_propose
from roosync_agent.operations.sharing_in.gathering import Gathered, gather
from roosync_agent.running.machine import Machine
from roosync_broker.private_files import write_private
from roosync_protocol import old_share
from roosync_protocol.names import propose as slug

__all__ = ["import_share", "imported", "imported_compare", "imported_propose"]


class PackageRow(Struct, frozen=True, kw_only=True):
    name: str  # <import>/<machine>, as it is compared with
    machine: str
    member: bool  # a machine of this fleet has this name: what it publishes itself is what counts
    path: str
    version: str
    timestamp: datetime
    entities: tuple[str, ...]
    secrets: tuple[str, ...]  # addresses; the values stayed behind


class BaselineRow(Struct, frozen=True, kw_only=True):
    """A baseline to be judged: what is in force here, and what came with the share on top."""

    source: str
    file: str
    added: tuple[str, ...]
    same: tuple[str, ...]
    differs: tuple[str, ...]  # the value in force stays; `roosync imported propose` takes the other one


class ImportAnswer(Struct, frozen=True, kw_only=True):
    name: str
    path: str
    folder: str  # where it is kept
    dry_run: bool
    packages: tuple[PackageRow, ...]
    baseline: BaselineRow | None
    decisions: tuple[old_share.OldDecision, ...]  # that waited; others are counted
    decisions_ended: int
    messages: int
    scrubbed: tuple[str, ...]  # messages in which something looked secret
    notes: tuple[str, ...]
    skipped: tuple[dict[str, str], ...]


async def import_share(machine: Machine, path: str, dry_run: bool = False) -> ImportAnswer:
    """Reads the folder and keeps what can be believed to be what it seems; `dry_run` keeps nothing."""
    share = Share(Path(path))
    home = machine.state.folder / kept.FOLDER / "home"  # a place that is not there
    gathered = await asyncio.to_thread(gather, share, home)
    if not (gathered.packages or gathered.baseline or gathered.decisions or gathered.messages):
        why = "; ".join(f"{one.path}: {one.reason}" for one in share.skipped[:3])
        raise RefusedRequestError(
            f"nothing of a shared state is in {path}: no package, baseline, roadmap or message"
            + (f" that can be read ({why})" if why else "; name the folder that RooSync 2 called .shared-state")
        )
    name = slug(share.root.resolve().name)
    folder = kept.folder_of(machine.state, name)
    made = await candidate(machine, gathered.baseline[1], frozenset()) if gathered.baseline else None
    row = None
    if gathered.baseline and made:
        told = {kind: tuple(keys) for kind, keys in made.told.items()}
        row = BaselineRow(source=gathered.baseline[0], file=str(folder / "baseline.json"), **told)
    answer = _answer(machine, share, gathered, name, folder, row, dry_run)
    if not dry_run:
        await asyncio.to_thread(_keep, machine, name, gathered, made.data if made else None, answer)
    return answer


# -- inside


def _answer(
    machine: Machine, share: Share, found: Gathered, name: str, folder: Path, row: BaselineRow | None, dry_run: bool
) -> ImportAnswer:
    members = machine.fleet.law.machines()
    waiting = tuple(d for d in found.decisions if d.status in ("pending", "approved", "unknown"))
    return ImportAnswer(
        name=name,
        path=str(share.root),
        folder=str(folder),
        dry_run=dry_run,
        packages=tuple(
            PackageRow(
                name=f"{name}/{one.machine}",
                machine=one.machine,
                member=one.machine in members,
                path=one.path,
                version=one.version,
                timestamp=one.timestamp,
                entities=tuple(sorted(f"{c.target}/{key}" for c in one.files for key in c.entities)),
                secrets=one.secrets,
            )
            for one in found.packages
        ),
        baseline=row,
        decisions=waiting,
        decisions_ended=len(found.decisions) - len(waiting),
        messages=len(found.messages),
        scrubbed=found.scrubbed,
        notes=tuple(share.notes),
        skipped=tuple({"path": one.path, "reason": one.reason} for one in share.skipped),
    )


def _keep(machine: Machine, name: str, found: Gathered, baseline: bytes | None, answer: ImportAnswer) -> None:
    folder = kept.begin(machine.state, name)
    for one in found.packages:
        kept.write_package(folder, one)
    for id_, message in found.messages.items():
        write_private(folder / "messages" / f"{id_}.json", msgspec.json.format(msgspec.json.encode(message)) + b"\n")
    if baseline is not None:
        write_private(folder / "baseline.json", baseline)
    write_private(folder / "report.json", msgspec.json.format(msgspec.json.encode(answer)) + b"\n")
