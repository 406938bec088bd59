"""The whole diagnosis, for a face: this computer by the process that asks, the fleet by whoever can look at it.

That is the resident agent; where none runs, a session of our own. Both halves are looked at at the same time. Needs
neither a fleet nor an agent nor a broker: of what nobody could look at, the answer says why.
"""

import asyncio
import threading
import time

import msgspec

from roosync_agent.operations.doctoring.examining import (
    diagnosis,
    examine_fleet,
    examine_here,
    nobody_looked,
    prepare,
    together,
)
from roosync_agent.operations.doctoring.findings import Diagnosis
from roosync_agent.operations.doctoring.patient import Patient
from roosync_agent.operations.faults import fault_of
from roosync_agent.running.control import HangsError, NobodyThereError, ask
from roosync_agent.running.reaching import beside

FLEET_WITHIN = 20.0  # seconds for the resident agent to look at the fleet
SESSION_WITHIN = 10.0  # seconds for a session of our own to read it


def diagnose(patient: Patient) -> Diagnosis:
    """Waits for both halves, and blocks meanwhile. What goes wrong is a finding, or a reason why nobody looked.

    SettingsError as `Patient.state`.
    """
    began = time.perf_counter()
    identity = patient.identity  # SettingsError where not even the state folder can be told: here, and in no thread
    prepare(patient)
    box: list[tuple[str, Diagnosis]] = []
    thread = threading.Thread(target=lambda: box.append(_fleet(patient)), daemon=True)
    thread.start()
    here = diagnosis(examine_here(patient), "", "", 0.0)
    hangs = any(finding.kind == "agent-hangs" for finding in here.findings)
    thread.join(0 if hangs else FLEET_WITHIN)
    who, fleet = box[0] if box else ("silent", _nobody("the agent did not answer in time"))
    machine = identity.machine if identity else ""
    return together(here, fleet, machine, who, time.perf_counter() - began)


def _fleet(patient: Patient) -> tuple[str, Diagnosis]:
    """Who looked at the fleet, and what was seen."""
    if patient.identity is None:
        return "none", _nobody("there is no fleet here")
    try:
        answer = ask(patient.state.folder, "doctor", {"part": "fleet"}, timeout=FLEET_WITHIN)
    except NobodyThereError:
        return "none", _alone(patient)
    except (HangsError, TimeoutError):
        return "silent", _nobody("the agent does not answer")
    except OSError as error:
        return "silent", _nobody(str(error))
    if "result" in answer:
        return "resident", msgspec.convert(answer["result"], Diagnosis)
    return "none", _alone(patient)  # an agent of an older version: it has no such verb


def _alone(patient: Patient) -> Diagnosis:
    """The checks of the fleet in a session of our own. Nothing is applied or recovered, and no lock is taken."""
    try:
        return asyncio.run(_in_session(patient))
    except Exception as error:  # noqa: BLE001 (the check of the broker tells what is in the way; this is why nobody looked)
        return _nobody(str(error) if fault_of(error) else f"{type(error).__name__}: {error}")


async def _in_session(patient: Patient) -> Diagnosis:
    async with beside(patient.settings, patience=4.0, reading=SESSION_WITHIN) as machine:
        return diagnosis(await examine_fleet(machine), machine.name, "none", 0.0)


def _nobody(why: str) -> Diagnosis:
    return diagnosis(nobody_looked(why), "", "", 0.0)
