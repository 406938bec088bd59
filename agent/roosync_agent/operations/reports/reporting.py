"""The founding documents' reports, made from what this machine knows: for a person who asks, and for the exports.

Each answer has the fields (what `--json` prints) and the Markdown form in the language asked for.
"""

from typing import Any

import msgspec
from msgspec import Struct

from roosync_agent.operations.coordination import cycling
from roosync_agent.operations.decisions.deciding import find
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.machine import Machine
from roosync_protocol import reports
from roosync_protocol.cycle import ENDED
from roosync_protocol.cycle.metrics import evidence_of
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision
from roosync_protocol.overview import overview
from roosync_protocol.reports import CoordinationRequest, Language, LastAction

# What a machine did last to a decision, by the founding documents' name of the tool, and how it ended.
LAST = {
    "applied": ("roosync_apply_decision", "success"),
    "failed": ("roosync_apply_decision", "failure"),
    "overwritten": ("roosync_apply_decision", "failure"),
    "rolled_back": ("roosync_rollback_decision", "success"),
    "rollback_failed": ("roosync_rollback_decision", "failure"),
}
# What a decision in this state asks of somebody: type, and what to do.
ASKED = {
    "pending": ("approval", "approve or reject it: roosync decision show {id}"),
    "rolled_back": ("approval", "its last attempt failed; approve it again, or reject it: roosync decision show {id}"),
    "overwritten": ("approval", "the assistant wrote over it; approve it again: roosync decision show {id}"),
    "rollback_failed": ("approval", "it could not be put back; repair the file: roosync snapshots"),
    "approved": ("execution", "apply it: roosync decision apply {id}"),
    "applying": ("execution", "it is being applied"),
    "failed": ("execution", "it is being put back"),
    "applied": ("verification", "compare again: roosync compare"),
}


class Report(Struct, frozen=True, kw_only=True):
    fields: dict[str, Any]
    markdown: str


async def status(machine: Machine, language: str = "en") -> Report:
    seen = overview(machine.fleet, machine.name, await machine.present(), machine.session.now())
    text = reports.status_report(
        seen, last_action(machine.fleet, machine.name), reached(machine.fleet), spoken(language)
    )
    return Report(fields=reports.status_fields(seen), markdown=text)


async def divergence(machine: Machine, id_: str, language: str = "en") -> Report:
    decision = find(machine.session, id_)
    return Report(
        fields=reports.divergence_fields(decision), markdown=reports.divergence_report(decision, spoken(language))
    )


async def request(machine: Machine, id_: str, language: str = "en") -> Report:
    """Of a coordination request, or of what a decision in its present state asks of somebody."""
    known = [one for one in machine.fleet.requests() if id_ and one.id.startswith(id_)]
    made = reports.as_asked(known[0]) if len(known) == 1 else asked(machine.fleet, find(machine.session, id_))
    if made is None:
        raise RefusedRequestError(f"{id_!r} asks nobody for anything any more; `roosync decision show {id_}`")
    return Report(fields=msgspec.to_builtins(made), markdown=reports.coordination_request(made, spoken(language)))


async def cycle(machine: Machine, id_: str | None = None, language: str = "en") -> Report:
    """The closing report; of a cycle that still runs, as far as it has come."""
    found = cycling.find(machine.fleet, id_)
    made = reports.closing_report(found, evidence_of(found, machine.fleet), machine.name, machine.session.now())
    return Report(fields=reports.closing_fields(made), markdown=reports.closing_markdown(made, spoken(language)))


# -- inside, and for the exports


def spoken(language: str) -> Language:
    if language not in ("en", "fr"):
        raise RefusedRequestError(f"reports are written in en and fr, not in {language!r}")
    return "fr" if language == "fr" else "en"


def last_action(fleet: Fleet, machine: str) -> LastAction | None:
    ended = [d for d in fleet.decisions(machine) if d.status in LAST]
    report = fleet.status(machine)
    newest = max(ended, key=lambda d: d.timestamp, default=None)
    if newest is not None:
        tool, result = LAST[newest.status]
        details = f"{newest.entity} ({newest.id})" + (f": {newest.log[-1]}" if newest.log else "")
        return LastAction(tool=tool, result="success" if result == "success" else "failure", details=details)
    if report is None or report.status == "unknown":
        return None
    details = f"baseline {report.baseline_version}: {report.divergences_count}"
    return LastAction(tool="roosync_compare_config", result="success", details=details)


def reached(fleet: Fleet) -> str:
    """The last checkpoint of the cycle that runs, or that ran last."""
    cycles = fleet.cycles()
    found = next((c for c in reversed(cycles) if c.status not in ENDED), cycles[-1] if cycles else None)
    return found.reached[-1].checkpoint if found and found.reached else ""


def asked(fleet: Fleet, decision: Decision) -> CoordinationRequest | None:
    """None when the decision has ended and nobody has to do anything."""
    if decision.status not in ASKED:
        return None
    kind, action = ASKED[decision.status]
    runs = next((c for c in fleet.cycles() if c.status not in ENDED and decision.machine in c.participants), None)
    left = (decision.expires - decision.timestamp).total_seconds() / 60
    return CoordinationRequest(
        agent=decision.machine,
        timestamp=decision.timestamp,
        type=kind,  # type: ignore[arg-type]
        target=decision.id,
        action=f"{decision.entity}: {action.format(id=decision.id)}",
        checkpoint=runs.checkpoint.upper() if runs else "",
        dependencies="waiting" if kind == "execution" and fleet.law.paused(decision.machine) else "ready",
        timeout_minutes=int(runs.timeout_minutes if runs else max(0, left)),
    )
