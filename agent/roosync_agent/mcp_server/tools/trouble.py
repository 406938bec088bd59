"""Tools for when something is wrong here: what the doctor finds, what the wipe guard holds back, and a way to stop."""

from functools import partial
from typing import Any

from msgspec import Struct

from roosync_agent.mcp_server.desk import Desk, typed
from roosync_agent.mcp_server.tool import READS, SAYS_ONCE, Row


class Finding(Struct, frozen=True, kw_only=True):
    kind: str
    severity: str
    about: str
    says: str
    matters: str = ""
    mend: str = ""
    command: str = ""


class Diagnosis(Struct, frozen=True, kw_only=True):
    findings: list[Finding]


async def doctor(desk: Desk) -> Diagnosis:
    found = typed(Diagnosis, await desk.patiently(partial(_diagnosis, desk), lambda: None, "looking"))
    if any(one.command for one in found.findings):
        desk.next.append("tell the person; the commands that mend are for them to run")
    return found


def _diagnosis(desk: Desk) -> Any:
    """As `roosync doctor` does it, also where no agent or broker answers."""
    import os

    import msgspec

    from roosync_agent.operations.doctoring.diagnosing import diagnose
    from roosync_agent.operations.doctoring.patient import Patient

    settings = desk.office.settings()
    places = {"ROOSYNC_STATE": str(settings.state), "ROOSYNC_HOME": str(settings.home)}
    return msgspec.to_builtins(diagnose(Patient({**os.environ, **places})))


class Paused(Struct, frozen=True, kw_only=True):
    machine: str
    paused: bool
    since: str


async def pause(desk: Desk) -> Paused:
    found = await desk.read(Paused, "pause")
    desk.next.append("roosync_ask_operator with what=resume when it may go on; that is signed by a person")
    return found


class Held(Struct, frozen=True, kw_only=True):
    target: str
    why: str
    since: str | None
    believed: int
    gone: list[str]
    unreadable: list[str]
    repairable: bool


class Quarantine(Struct, frozen=True, kw_only=True):
    rows: list[Held]


async def show_quarantine(desk: Desk) -> Quarantine:
    found = await desk.patiently(partial(_quarantine, desk), lambda: None, "looking at the files")
    if found:
        desk.next.append("a person looks and answers: roosync quarantine show; then repair or release TARGET")
    return typed(Quarantine, {"rows": found})


def _quarantine(desk: Desk) -> Any:
    import msgspec

    from roosync_agent.operations.files.quarantine import held

    return msgspec.to_builtins(list(held(desk.office.settings()).values()))


ROWS = (
    Row("roosync_show_quarantine", show_quarantine, "Quarantine", READS,
        "What the wipe guard of this machine holds back because too much of it vanished, and what is gone. A "
        "person answers it."),
    Row("roosync_doctor", doctor, "Doctor", READS,
        "What is wrong with this machine, its broker and its fleet, and the command that mends it, for the person to "
        "run. Works when nothing else does."),
    Row("roosync_pause", pause, "Pause this machine", SAYS_ONCE,
        "Stops this machine from applying anything by itself. Use it when an apply does harm."),
)  # fmt: skip
