"""Is the agent of this machine there, and does it answer? What it left behind when it is not."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient
from roosync_agent.running.control import NobodyThereError, ask, endpoint
from roosync_broker.children import OneAtATime

SOON = 2.0  # seconds: a verb that no agent knows is answered at once, also in the middle of a turn
NO_VERB = "are-you-there"


def check(patient: Patient) -> Seen:
    if patient.identity is None:
        return Seen("", skipped="there is no fleet here")
    state = patient.state
    socket = endpoint(state.folder)
    try:
        ask(state.folder, NO_VERB, {}, timeout=SOON)
    except NobodyThereError as error:
        return Seen("", [*_nobody(patient, socket, str(error))])
    except TimeoutError:
        return Seen("", [_hangs(patient)])
    except OSError as error:  # its token can not be read
        return Seen("", [_unreachable(socket, str(error))])
    return Seen("it answers")


def held(path: Path) -> bool:
    """Does a process that lives hold this lock?"""
    if not path.exists():
        return False
    lock = OneAtATime(path)
    try:
        free = lock.acquire()
    except OSError:
        return False
    lock.release()
    return not free


def _hangs(patient: Patient) -> Finding:
    ours = [one for one in patient.running if one.state == patient.state.folder]
    agents = [one for one in ours if one.what == "agent"]
    stopped = [one for one in ours if one.stopped]  # Ctrl-Z stops `up` and its broker too
    if any(one.stopped for one in agents):
        says = f"the agent of this machine is stopped (process {agents[0].pid}): by Ctrl-Z, or a signal"
        mend, command = "let it go on", f"kill -CONT {' '.join(str(one.pid) for one in stopped)}"
    else:
        says = f"the agent of this machine is there and answers nothing within {SOON:g} s: it hangs"
        mend, command = "end it; where `roosync up` runs it is started again", _ending([one.pid for one in agents])
    return Finding(
        kind="agent-hangs",
        severity="error",
        about=patient.identity.machine if patient.identity else "",
        says=says,
        matters="nothing is compared, applied or told; what it was writing is finished or put back at its next start",
        mend=mend,
        command=command,
    )


def _ending(pids: list[int]) -> str:
    """What ends a process that hangs: one that hears no signal does not end by being asked to."""
    if not pids:
        return "roosync up"
    return f"taskkill /F /PID {pids[0]}" if os.name == "nt" else f"kill -9 {pids[0]}"


def _unreachable(socket: Path, told: str) -> Finding:
    return Finding(
        kind="agent-unreachable",
        severity="error",
        about=str(socket),
        says=f"the agent's control socket can not be used: {told}",
        matters="commands can not ask the agent, and would do its work beside it",
        mend="take the folder of the socket back, or name a shorter ROOSYNC_STATE",
        command=f"ls -ld {shlex.quote(str(socket.parent))}",
    )


def _nobody(patient: Patient, socket: Path, told: str) -> Iterator[Finding]:
    state, machine = patient.state, patient.identity.machine if patient.identity else ""
    if "not private" in told:
        yield _unreachable(socket, told)
    elif held(state.run / "agent.lock"):
        yield Finding(
            kind="agent-silent",
            severity="warning",
            about=machine,
            says="an agent, or a command in its place, holds this folder and does not answer yet",
            matters="while it starts that is as it should be; if it stays so, nobody watches the files",
            mend="look again in a minute; then stop that process and start it anew",
            command="roosync doctor",
        )
    else:
        trying = held(state.run / "up.lock")
        yield Finding(
            kind="agent-away",
            severity="error",
            about=machine,
            says="`roosync up` runs here, and its agent does not: it ends again and again"
            if trying
            else "no agent runs on this machine",
            matters="nothing is watched, compared, applied or reported from here, and the others see it as silent",
            mend="read what the terminal or the log of `roosync up` says"
            if trying
            else "start it, and leave it running",
            command="journalctl --user -u roosync -n 50" if trying else "roosync up",
        )
        if socket.is_socket():
            yield _leftover(socket)


def _leftover(socket: Path) -> Finding:
    return Finding(
        kind="socket",
        severity="note",
        about=str(socket),
        says=f"{socket} is left of an agent that ended without a word",
        matters="it does no harm: the next agent replaces it",
        mend="take it away",
        command=f"rm {shlex.quote(str(socket))}",
        safe=True,
        path=str(socket),
    )
