"""Room: the disk of the state folder and of the home, and what our own backups and logs take of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from roosync_agent.applying.snapshots import KEEP_BYTES
from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient
from roosync_broker.disk_guard import NEARLY_FULL, ROOM

MIB = 1024 * 1024
COUNTED = 50_000  # entries of a folder whose sizes are added up


def check(patient: Patient) -> Seen:
    findings: list[Finding] = []
    least = 0
    for path in {_there(patient.state.folder), _there(patient.settings.home)}:
        free = shutil.disk_usage(path).free
        least = min(least or free, free)
        findings += _full(path, free)
    kept = size(patient.state.folder / "snapshots")
    findings += _backups(patient, kept)
    findings += _releases(patient)
    return Seen(f"{least // MIB} MiB are free; backups take {kept // MIB} MiB", findings)


def _there(path: Path) -> Path:
    """The nearest folder that exists."""
    return next((one for one in (path, *path.parents) if one.exists()), Path("/"))


def size(folder: Path) -> int:
    """Bytes of all files below."""
    total = number = 0
    for root, _, names in os.walk(folder):
        for name in names:
            number += 1
            if number > COUNTED:
                return total
            try:
                total += (Path(root) / name).lstat().st_size
            except OSError:
                continue
    return total


def _full(path: Path, free: int) -> Iterator[Finding]:
    if free >= NEARLY_FULL:
        return
    yield Finding(
        kind="disk",
        severity="error" if free < ROOM else "warning",
        about=str(path),
        says=f"the disk of {path} is full: {free // MIB} MiB are left"
        if free < ROOM
        else f"the disk of {path} is nearly full: {free // MIB} MiB are left",
        matters="without room nothing is applied, backed up or stored; a broker stops storing without a word",
        mend="make room; a broker of this machine is started again by itself when there is some",
        command=f"df -h {path}",
    )


def _backups(patient: Patient, kept: int) -> Iterator[Finding]:
    if kept > 1.5 * KEEP_BYTES:
        yield Finding(
            kind="snapshots",
            severity="warning",
            about=str(patient.state.folder / "snapshots"),
            says=f"the backups of before each change take {kept // MIB} MiB, and at most {KEEP_BYTES // MIB} are meant",
            matters="the oldest go with the next change that is applied; something keeps that from happening",
            mend="see what there is; a folder there that is not in this list is no backup, and may go",
            command="roosync snapshots",
        )


def _releases(patient: Patient) -> Iterator[Finding]:
    limit = patient.settings.update.release_limit_mb * MIB
    taken = size(patient.state.folder / "releases")
    if taken > 2 * limit:
        yield Finding(
            kind="releases",
            severity="note",
            about=str(patient.state.folder / "releases"),
            says=f"releases of roosync that updates staged take {taken // MIB} MiB",
            matters="the one in force and the one before it are needed; older ones go with the next update",
            mend="see which one runs, before anything is taken away there",
            command="roosync update show",
        )
