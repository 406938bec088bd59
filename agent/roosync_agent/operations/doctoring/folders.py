"""Who may read and write the state folder, and whether its files are whole."""

import os
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient, own
from roosync_agent.state import Base, StateError
from roosync_agent.updating import journal as update_journal

FOLDERS = ("", "keys", "run", "broker", "spool", "snapshots", "journal", "last_good")
SECRET = ("keys/*", "broker/*.seed", "broker/*.key")  # whoever has one of these speaks in this machine's name
LOOKED_AT = 5_000  # entries of the state folder whose owner is looked at
READ_OPEN = 0o077


def check(patient: Patient) -> Seen:
    folder = patient.state.folder
    if not folder.exists():
        return Seen(f"there is no {folder} yet", [_no_fleet(patient)])
    findings = [*_permissions(patient), *_foreign(folder), *_damaged(patient)]
    if patient.identity is None and not patient.broken:
        findings.append(_no_fleet(patient))
    return Seen(f"{folder} is whole, and yours alone", findings)


def _no_fleet(patient: Patient) -> Finding:
    return Finding(
        kind="no-fleet",
        severity="note",
        about=str(patient.state.folder),
        says=f"there is no fleet in {patient.state.folder} yet",
        matters="nothing is compared or applied before this machine founds a fleet or joins one",
        mend="found one, or join with a code that `roosync invite` prints on a member",
        command="roosync init",
    )


def _permissions(patient: Patient) -> Iterator[Finding]:
    if os.name != "posix":
        return  # the folder in the user's profile keeps others out
    state = patient.state.folder
    private = False
    for name in FOLDERS:
        path = state / name
        if path.is_dir() and not private:  # in a private folder nothing below is reached
            if open_to_others(path, READ_OPEN):
                yield _open(
                    path, "a folder of roosync's own state", "0700", "error" if name in ("", "keys") else "warning"
                )
            elif not name:
                private = True
    for path in _secret_files(patient):
        if open_to_others(path, READ_OPEN):
            yield _open(path, "a private key, or what opens one", "0600", "error")


def _secret_files(patient: Patient) -> Iterator[Path]:
    for pattern in SECRET:
        yield from sorted(path for path in patient.state.folder.glob(pattern) if path.is_file())
    if (given := patient.settings.passphrase_file) is not None and given.is_file():
        yield given


def open_to_others(path: Path, bits: int) -> bool:
    try:
        return bool(path.stat().st_mode & bits)
    except OSError:
        return False


def _open(path: Path, what: str, wanted: str, severity: str) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    return Finding(
        kind="permissions",
        severity="error" if severity == "error" else "warning",
        about=str(path),
        says=f"{path} is {what}, and others on this computer can get at it (mode {mode:04o})",
        matters="who reads a key speaks in its owner's name; if that may have happened, revoke it and join again",
        mend=f"give it back to its owner alone (mode {wanted})",
        command=f"chmod {wanted} {shlex.quote(str(path))}",
        safe=True,
        path=str(path),
    )


def _foreign(state: Path) -> Iterator[Finding]:
    """What another account made here, mostly root by `sudo`: the agent can not write it any more."""
    if os.name != "posix":
        return
    found: list[Path] = []
    for number, path in enumerate(_entries(state)):
        if number >= LOOKED_AT:
            break
        try:
            if not own(path):
                found.append(path)
        except OSError:
            continue
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Finding(
            kind="owner",
            severity="error",
            about=str(found[0]),
            says=f"{found[0]}{more} belongs to another account: was roosync run with sudo?",
            matters="the agent of this account can not write there, so it can not apply, back up or report",
            mend="make them yours again, and run roosync without sudo",
            command=f'sudo chown -R "$(id -un)" {shlex.quote(str(state))}',
        )


def _entries(state: Path) -> Iterator[Path]:
    yield state
    for root, folders, files in os.walk(state):
        yield from (Path(root) / name for name in (*folders, *files))


def _damaged(patient: Patient) -> Iterator[Finding]:
    """Every small file that the agent keeps, read as the agent reads it."""
    state = patient.state
    readers: tuple[Callable[[], object], ...] = (
        lambda: state.read("base.json", Base),
        lambda: state.law_read(),
        lambda: update_journal.read(state),
    )
    broken: list[str] = []
    for read in readers:
        try:
            read()
        except StateError as error:
            broken.append(str(error))
    _ = patient.identity, patient.law  # both remember in the patient why they can not be read
    for told in dict.fromkeys([*patient.broken, *broken]):
        yield Finding(
            kind="damaged",
            severity="error",
            about=str(state.folder),
            says=told,
            matters="the agent does not start on a file that it does not understand, and nobody can make a key anew",
            mend="bring the file back from a backup; what the bus knows too (law.json, base.json) may be moved away",
            command="roosync up",
        )
