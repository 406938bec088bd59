"""What is not finished: messages that wait for the broker, a change of files or an update that was interrupted."""

import time
from collections.abc import Iterator

from msgspec import DecodeError

from roosync_agent.applying import journal
from roosync_agent.files.door import RealDoor
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.operations.doctoring.agent_here import held
from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient
from roosync_agent.updating import journal as update_journal
from roosync_broker.spool import Spool

BRIEF = 60.0  # seconds for which an unfinished step is what an agent does at this moment


def check(patient: Patient) -> Seen:
    if not patient.state.folder.exists():
        return Seen("", skipped="there is no state folder yet")
    return Seen("all is said, and nothing was interrupted", [*_spooled(patient), *_changes(patient), *_update(patient)])


def _spooled(patient: Patient) -> Iterator[Finding]:
    folder = patient.state.folder / "spool"
    for name in sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ():
        spool = Spool(folder / name)
        where = list(spool.where().values())
        waiting, aside = where.count("waiting"), where.count("aside")
        if waiting:
            yield Finding(
                kind="spool",
                severity="note",
                about=name,
                says=f"{waiting} messages of {name} wait for the broker",
                matters="the others do not know of it yet; nothing is lost",
                mend="they are told when the agent, or a command of that operator, reaches the broker",
                command="roosync up",
            )
        if aside:
            yield Finding(
                kind="spool-aside",
                severity="warning",
                about=name,
                says=f"{aside} messages of {name} could never be told, and lie in {folder / name / 'aside'}",
                matters="the fleet's history, or somebody's mailbox, lacks them",
                mend="each file there says why the broker refused it",
                command=f"ls {folder / name / 'aside'}",
            )
        if (lost := spool.lost) is not None:
            yield Finding(
                kind="spool-lost",
                severity="warning",
                about=name,
                says=f"{lost.count} messages of {name} could neither be told nor kept: the disk or its folder was full",
                matters="the fleet's history has a gap here; it is told as an alarm as soon as there is a broker",
                mend="make room, and bring the broker back",
                command="roosync status",
            )


def _changes(patient: Patient) -> Iterator[Finding]:
    path = patient.state.folder / "journal" / journal.NAME
    try:
        record = journal.read(RealDoor(), patient.state.folder)
    except (DecodeError, UnicodeDecodeError, RecursionError, FileRefusedError) as error:
        yield Finding(
            kind="journal",
            severity="error",
            about=str(path),
            says=f"the journal of a change can not be read: {error}",
            matters="nothing is applied while it is not known what was interrupted",
            mend="compare your files with the last backup, then move that journal away",
            command="roosync snapshots",
        )
        return
    if record is None or time.time() - record.time_ns / 1e9 < BRIEF:
        return
    yield Finding(
        kind="unfinished",
        severity="warning",
        about=record.label,
        says=f"a change of files was interrupted ({record.label}, {record.phase})",
        matters="until it is finished or undone, files may be half of before and half of after",
        mend="the next start of the agent finishes it, or puts everything back",
        command="roosync up",
    )


def _update(patient: Patient) -> Iterator[Finding]:
    known = update_journal.read_or_none(patient.state)
    if known is None or known.phase in ("confirmed", "returned", "refused"):
        return
    if known.phase == "return_failed":
        yield Finding(
            kind="update",
            severity="error",
            about=known.version,
            says=f"the update to {known.version} failed, and version {known.old.version} could not be started again",
            matters="no agent runs here before a person helped",
            mend="see what was tried, then start the installed version",
            command="roosync update show",
        )
    elif not held(patient.state.run / "agent.lock"):
        yield Finding(
            kind="update",
            severity="warning",
            about=known.version,
            says=f"an update to {known.version} is {known.phase}, and no agent runs",
            matters="it goes on, or back, only when this machine is started again",
            mend="start it, and leave it running",
            command="roosync up",
        )
