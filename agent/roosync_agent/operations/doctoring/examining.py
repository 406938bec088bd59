"""Runs the checks: each in a time of its own, apart from the others. One that fails or hangs is a finding itself."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from roosync_agent.operations.doctoring.findings import (
    SEVERITIES,
    Area,
    Diagnosis,
    Finding,
    Seen,
    worst,
)
from roosync_agent.operations.doctoring.patient import Patient
from roosync_agent.operations.doctoring.table import FLEET, HERE, Here, OfFleet
from roosync_agent.operations.faults import fault_of
from roosync_broker.errors import BusError
from roosync_protocol import __version__
from roosync_protocol.secrets import scrub

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.doctor")

Examined = list[tuple[Here | OfFleet, Seen]]


async def doctor(machine: "Machine", part: Literal["all", "fleet"] = "all", monitor: str = "") -> Diagnosis:
    """What the resident agent answers: the fleet as it sees it; of `all`, this computer too, in its own environment.

    A command looks at this computer itself: its PATH, its ROOSYNC_STATE and its account may be others.
    """
    began = time.perf_counter()
    found = asyncio.create_task(examine_fleet(machine))
    here = await asyncio.to_thread(examine_here, Patient(os.environ, monitor)) if part == "all" else []
    return diagnosis([*here, *await found], machine.name, "resident", time.perf_counter() - began)


def examine_here(patient: Patient, checks: Sequence[Here] = HERE) -> Examined:
    """All at once, each in a thread; one that does not come back in its time is left behind."""
    prepare(patient)
    answers: dict[str, Seen] = {}

    def run(check: Here) -> None:
        try:
            answers[check.name] = check.run(patient)
        except Exception as error:  # noqa: BLE001 (whatever it is, the other checks go on, and a person reads it)
            answers[check.name] = failed(check.name, error)

    began = time.monotonic()
    threads = [(check, threading.Thread(target=run, args=(check,), daemon=True)) for check in checks]
    for _, thread in threads:
        thread.start()
    for check, thread in threads:
        thread.join(max(0.0, began + check.seconds - time.monotonic()))
    return [(check, answers.get(check.name) or late(check.name, check.seconds)) for check in checks]


def prepare(patient: Patient) -> None:
    """What several checks read, before their threads do. What can not be read is told by a check."""
    for part in ("settings", "settings_trouble", "identity", "law", "running"):
        try:
            getattr(patient, part)
        except Exception as error:  # noqa: BLE001 (the check that needs it fails in its turn, and says so)
            log.debug("%s: %s", part, error)


async def examine_fleet(machine: "Machine", checks: Sequence[OfFleet] = FLEET) -> Examined:
    return [(check, seen) for check, seen in zip(checks, await asyncio.gather(*(_one(machine, c) for c in checks)))]  # noqa: B905


async def _one(machine: "Machine", check: OfFleet) -> Seen:
    if not machine.session.reachable:
        return Seen("", skipped="the broker does not answer")
    try:
        async with asyncio.timeout(check.seconds):
            return await check.run(machine)
    except TimeoutError:
        return late(check.name, check.seconds)
    except BusError as error:
        return Seen("", skipped=str(error)) if not machine.session.reachable else failed(check.name, error)
    except Exception as error:  # noqa: BLE001 (as above)
        return failed(check.name, error)


def nobody_looked(why: str) -> Examined:
    return [(check, Seen("", skipped=why)) for check in FLEET]


def failed(name: str, error: Exception) -> Seen:
    told = scrub(str(error)) if fault_of(error) else f"{type(error).__name__}: {scrub(str(error))}"
    if not fault_of(error):
        log.debug("the check %s failed", name, exc_info=error)
    return Seen(
        "",
        [
            Finding(
                kind="check-failed",
                severity="warning",
                about=name,
                says=f"the check {name} itself failed: {told}",
                matters="what it looks at is not known to be well",
                mend="if it stays so, report it; ROOSYNC_DEBUG=1 shows where it happened",
                command="roosync doctor",
            )
        ],
    )


def late(name: str, seconds: float) -> Seen:
    return Seen(
        "",
        [
            Finding(
                kind="check-late",
                severity="warning",
                about=name,
                says=f"the check {name} did not end within {seconds:g} s",
                matters="what it looks at is not known to be well: a disk or a network hangs, or this computer is busy",
                mend="look again",
                command="roosync doctor",
            )
        ],
    )


def diagnosis(examined: Examined, machine: str, agent: str, seconds: float) -> Diagnosis:
    """One answer of all that was seen, the worst first, in the order of the table otherwise."""
    findings = [_with_area(finding, check.name) for check, seen in examined for finding in seen.findings]
    order = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    unique = {(one.kind, one.about, one.says): one for one in findings}
    return Diagnosis(
        machine=machine,
        findings=sorted(unique.values(), key=lambda finding: order[finding.severity]),
        areas=[_area(check, seen) for check, seen in examined],
        seconds=round(seconds, 2),
        version=__version__,
        agent=agent,
    )


def together(here: Diagnosis, fleet: Diagnosis, machine: str, agent: str, seconds: float) -> Diagnosis:
    """Both halves. Where the way to the broker is cut, that a check of the fleet failed for it says nothing more."""
    findings, areas = fleet.findings, fleet.areas
    if any(one.area == "broker" and one.severity == "error" for one in here.findings):
        findings = [one for one in findings if one.kind not in ECHOES]
        left = {one.area for one in findings}
        areas = [
            area if area.state in ("well", "not looked at") or area.name in left else _skipped(area) for area in areas
        ]
    return Diagnosis(
        machine=machine,
        findings=sorted([*here.findings, *findings], key=lambda one: SEVERITIES.index(one.severity)),
        areas=[*here.areas, *areas],
        seconds=round(seconds, 2),
        version=here.version,
        agent=agent,
    )


ECHOES = frozenset({"check-failed", "check-late"})


def _skipped(area: Area) -> Area:
    return replace(area, state="not looked at", says="the broker does not answer")


def _with_area(finding: Finding, name: str) -> Finding:
    return replace(finding, area=name)


def _area(check: Here | OfFleet, seen: Seen) -> Area:
    found = worst(seen.findings)
    if found is not None:
        return Area(name=check.name, looks_at=check.looks_at, state=found, says="")
    if seen.skipped:
        return Area(name=check.name, looks_at=check.looks_at, state="not looked at", says=seen.skipped)
    return Area(name=check.name, looks_at=check.looks_at, state="well", says=seen.fine)
