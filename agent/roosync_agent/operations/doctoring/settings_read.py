"""The settings file and the environment: what is in force, and the traps of two states on one computer."""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient, Running
from roosync_agent.running.where import SettingsError, state_folder
from roosync_agent.state import Identity, State, StateError


def check(patient: Patient) -> Seen:
    findings = [*_settings(patient), *_open_to_others(patient), *_elsewhere(patient)]
    there = os.path.exists(patient.settings.config)  # noqa: PTH110 - the other one raises in a folder of somebody else
    return Seen(str(patient.settings.config) if there else "no settings file, which is fine", findings)


def _settings(patient: Patient) -> Iterator[Finding]:
    if told := patient.settings_trouble:
        yield Finding(
            kind="settings",
            severity="error",
            about=str(patient.settings.config),
            says=told,
            matters="every command and the agent refuse to start on settings that they do not understand whole",
            mend="correct that line, or move the file away: everything in it may be left out",
            command="roosync doctor",
        )


def _open_to_others(patient: Patient) -> Iterator[Finding]:
    """The file names programs that are run (`check`, a recipe): whoever may write it decides what runs here."""
    if os.name != "posix":
        return
    for path in (patient.settings.config, patient.settings.own_targets):
        try:
            mode = path.stat().st_mode
            shut = path.parent.stat().st_mode & 0o011 == 0  # nobody else gets through to it
        except OSError:
            continue
        if mode & stat.S_IWOTH and not shut:
            yield Finding(
                kind="permissions",
                severity="error",
                about=str(path),
                says=f"{path} can be written by everybody on this computer",
                matters="it names programs that roosync runs, so whoever writes it runs them in your name",
                mend="take the right to write it from the others",
                command=f"chmod go-w {shlex.quote(str(path))}",
                safe=True,
                path=str(path),
            )


def _elsewhere(patient: Patient) -> Iterator[Finding]:
    """A terminal and a service that do not agree where the state is look like an agent that forgot everything."""
    here = patient.state.folder
    others: dict[Path, Running] = {}
    for one in patient.running:
        if one.state is not None and one.state != here and one.what in ("up", "agent"):
            others.setdefault(one.state, one)
    if others and patient.identity is None:
        yield _another(patient, *next(iter(others.items())), len(others) - 1)
    for state, one in others.items():
        if one.identity is not None and patient.identity is not None and _same(one.identity, patient.identity):
            yield _twin(state, one.identity.machine, one.pid)
    yield from _default_forgotten(patient)


def _another(patient: Patient, state: Path, one: Running, more: int) -> Finding:
    """Without the variable the terminal meant the agent that runs; with it, it may mean this folder."""
    here = patient.state.folder
    meant = bool(patient.env.get("ROOSYNC_STATE"))
    given = "ROOSYNC_STATE is set here" if meant else "ROOSYNC_STATE is not set here"
    others = f" (and {more} more)" if more else ""
    return Finding(
        kind="two-states",
        severity="note" if meant else "error",
        about=str(state),
        says=f"roosync runs here on {state}{others}, and this terminal looks at {here}: {given}",
        matters="commands of this terminal see no fleet, or found a second one, beside the one that runs",
        mend="give the terminal the same folder as the service, unless a second agent is meant",
        command=f"export ROOSYNC_STATE={shlex.quote(str(state))}",
    )


def _same(one: Identity, other: Identity) -> bool:
    """Two fleets may well have one name, and machines of one name; the root key is one fleet's alone."""
    return (one.root, one.fleet, one.machine) == (other.root, other.fleet, other.machine)


def _twin(state: Path, machine: str, pid: int) -> Finding:
    return Finding(
        kind="two-agents",
        severity="error",
        about=machine,
        says=f"a second agent runs here as {machine}, on {state} (process {pid}): its folder is a copy",
        matters="both write the same files and answer in one name: each undoes what the other did",
        mend="stop that one, and take the copy away; a second agent on this computer joins with a code",
        command=f"kill {pid}",
    )


def _default_forgotten(patient: Patient) -> Iterator[Finding]:
    try:
        usual = state_folder({name: value for name, value in patient.env.items() if name != "ROOSYNC_STATE"})
    except SettingsError:  # no such folder: HOME names none
        return
    if patient.identity is not None or usual == patient.state.folder or not (usual / "identity.json").exists():
        return
    try:
        known = State(usual).identity()
    except StateError:
        return
    if known is not None:
        yield Finding(
            kind="two-states",
            severity="warning",
            about=str(usual),
            says=f"ROOSYNC_STATE names {patient.state.folder}, where no fleet is; fleet {known.fleet} is in {usual}",
            matters="commands here work on an empty folder, and do not see the fleet that this computer is a member of",
            mend="leave the variable out, unless a second agent is meant",
            command="unset ROOSYNC_STATE",
        )
