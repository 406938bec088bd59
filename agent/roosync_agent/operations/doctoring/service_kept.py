"""The service that starts `roosync up` at login: does it run, and with the settings that this terminal has?"""

import re
from collections.abc import Iterator
from pathlib import Path

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient
from roosync_agent.operations.service import managing
from roosync_agent.operations.service.managing import Plan

LIMIT = 64 * 1024  # bytes of a unit that are read
SETS = re.compile(r"\b(ROOSYNC_[A-Z_]+)=([^\"'\n]*)")


def check(patient: Patient) -> Seen:
    wanted = managing.plan(patient.state.folder, patient.env)
    if not wanted.path.exists():
        return Seen("none is installed: `roosync up` is started by hand", list(_of_another_folder(patient, wanted)))
    found = managing.status(wanted, patient.state.folder)
    findings = [*_down(wanted, found), *_otherwise(wanted)]
    if found.runs and found.lingers is False:
        findings.append(_not_always(wanted))
    return Seen(f"{found.manager} keeps it running ({found.name})", findings)


def _down(wanted: Plan, found: managing.ServiceStatus) -> Iterator[Finding]:
    if found.runs:
        return
    by_hand = found.by_hand
    yield Finding(
        kind="service-down",
        severity="note" if by_hand or found.runs is None else "warning",
        about=wanted.name,
        says=f"whether the service {wanted.name} runs is not known: {found.why}"
        if found.runs is None
        else f"the service {wanted.name} does not run",
        matters="`roosync up` runs by hand, and ends with its terminal" if by_hand else "nobody starts the agent again",
        mend="see what it said last, and start it",
        command=" ".join(wanted.start[0]),
    )


def _otherwise(wanted: Plan) -> Iterator[Finding]:
    """A terminal and a service with other settings speak of two different things."""
    there, here = settings_of(_text(wanted.path)), settings_of(wanted.text)
    differ = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    if differ:
        yield Finding(
            kind="service-settings",
            severity="warning",
            about=wanted.name,
            says=f"the service {wanted.name} and this terminal differ in {', '.join(differ)}",
            matters="commands of this terminal look at, or find, something else than the agent works on",
            mend="set them as the service has them; or take it away and install it anew from here",
            command="roosync service status",
        )


def _not_always(wanted: Plan) -> Finding:
    return Finding(
        kind="service-lingers",
        severity="note",
        about=wanted.name,
        says=f"the service {wanted.name} ends when you log out",
        matters="on a computer that others rely on, for its broker say, it should stay",
        mend="let it run also while nobody is logged in",
        command="loginctl enable-linger",
    )


def _of_another_folder(patient: Patient, wanted: Plan) -> Iterator[Finding]:
    """Nothing is founded here, and a service has a folder that this terminal does not name."""
    if patient.identity is not None or not wanted.path.parent.is_dir():
        return
    for path in sorted(wanted.path.parent.glob(f"*roosync*{wanted.path.suffix}")):
        state = settings_of(_text(path)).get("ROOSYNC_STATE")
        if state and Path(state) != patient.state.folder:
            yield Finding(
                kind="two-states",
                severity="note" if patient.env.get("ROOSYNC_STATE") else "error",
                about=state,
                says=f"the service {path.name} works on {state}, and this terminal looks at {patient.state.folder}",
                matters="commands of this terminal see no fleet, or found a second one, beside the one that runs",
                mend="give the terminal the same folder as the service, unless a second agent is meant",
                command=f"export ROOSYNC_STATE={state}",
            )


def settings_of(text: str) -> dict[str, str]:
    """What a unit sets of ours; comments are left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return {name: value.strip() for line in lines for name, value in SETS.findall(line)}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""
