"""The reports that machines and people exchange, as seed 004 writes them: status, divergence, coordination request.

Values are shown in public form only, scrubbed once more, and made harmless (`markdown`).
"""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from roosync_protocol.markdown import code, plain
from roosync_protocol.messages import Decision, Request
from roosync_protocol.overview import Overview
from roosync_protocol.reports.words import Language, checkpoint_name, report, say, stamp, value_text
from roosync_protocol.secrets import scrub

# Our finer words in the founding protocol's coarser ones.
ACTIONS = {"keep_special": "merge"}
RISKS = {"none": "low", "critical": "high"}
STATUSES = {"conflict": "diverged"}  # `unknown` stays: neither of the seed's two words would be true


class LastAction(Struct, frozen=True, kw_only=True):
    """The last thing this agent did, by the tool's own name."""

    tool: str
    result: Literal["success", "failure"]
    details: str = ""


class CoordinationRequest(Struct, frozen=True, kw_only=True):
    """The fields of that form: of a request (`as_asked`), or of what a decision asks of somebody."""

    agent: str
    timestamp: datetime
    type: Literal["approval", "execution", "verification"]
    target: str  # a decision's id, or another agent
    action: str
    checkpoint: str = ""
    dependencies: Literal["ready", "waiting"] = "ready"
    timeout_minutes: float = 60


def status_fields(overview: Overview) -> dict[str, Any]:
    """The Status report field for field. `divergences_count` is None while no machine has said a number."""
    return {
        "agent": overview.agent,
        "timestamp": stamp(overview.timestamp),
        "machines_detected": overview.machines_detected,
        "status": STATUSES.get(overview.status, overview.status),
        "divergences_count": overview.divergences_count,
    }


def divergence_fields(decision: Decision) -> dict[str, Any]:
    """What the Divergence report says, by names of our own: the seed has a Markdown form of it only."""
    return {
        "agent": decision.machine,
        "timestamp": stamp(decision.timestamp),
        "type": decision.category,
        "field": decision.entity,
        "local_value": value_text(decision.local, "en").strip("`"),
        "remote_value": value_text(decision.remote, "en").strip("`"),
        "decision_id": decision.id,
        "suggested_action": ACTIONS.get(decision.action, decision.action),
        "justification": scrub(decision.justification),
        "risk": RISKS.get(decision.risk, decision.risk),
    }


def status_report(
    overview: Overview, last: LastAction | None = None, checkpoint: str = "", language: Language = "en"
) -> str:
    count = "?" if overview.divergences_count is None else str(overview.divergences_count)
    none = say(language, "none", "aucun")
    return report(
        f"Status Report - {plain(overview.agent)} - {stamp(overview.timestamp)}",
        (
            say(language, "Current State", "État Actuel"),
            ("Machine ID", plain(overview.agent)),
            (say(language, "Global Status", "Status Global"), STATUSES.get(overview.status, overview.status)),
            (say(language, "Machines Detected", "Machines Détectées"), str(overview.machines_detected)),
            ("Divergences", count),
        ),
        (
            say(language, "Last Action", "Dernière Action"),
            (say(language, "Tool", "Outil"), code(last.tool) if last else none),
            (say(language, "Result", "Résultat"), last.result if last else none),
            (say(language, "Details", "Détails"), plain(scrub(last.details)) if last else none),
        ),
        (
            say(language, "Coordination State", "État de Coordination"),
            (say(language, "Checkpoint Reached", "Checkpoint Atteint"), checkpoint_name(checkpoint) or none),
            (say(language, "Waiting For", "En Attente de"), _awaited(overview, language)),
        ),
        language=language,
    )


def divergence_report(decision: Decision, language: Language = "en") -> str:
    """The designated machine's report of one divergence; values in public form."""
    return report(
        f"Divergence Report - {plain(decision.machine)} - {stamp(decision.timestamp)}",
        (
            say(language, "Divergence Detected", "Divergence Détectée"),
            ("Type", decision.category),
            (say(language, "Affected Field", "Champ Affecté"), code(decision.entity)),
            (say(language, "Local Value", "Valeur Locale"), value_text(decision.local, language)),
            (say(language, "Remote Value", "Valeur Distante"), value_text(decision.remote, language)),
            (say(language, "Decision ID", "Décision ID"), code(decision.id)),
        ),
        (
            say(language, "Recommendation", "Recommandation"),
            (say(language, "Suggested Action", "Action Suggérée"), ACTIONS.get(decision.action, decision.action)),
            (say(language, "Justification", "Justification"), plain(scrub(decision.justification))),
            (say(language, "Risk", "Risque"), RISKS.get(decision.risk, decision.risk)),
        ),
        language=language,
    )


def as_asked(request: Request) -> CoordinationRequest:
    """What was asked, whatever became of it since."""
    return CoordinationRequest(
        agent=request.asker,
        timestamp=request.asked,
        type=request.kind,
        target=request.target,
        action=request.action,
        checkpoint=request.checkpoint,
        dependencies=request.dependencies,
        timeout_minutes=request.timeout_minutes,
    )


def coordination_request(request: CoordinationRequest, language: Language = "en") -> str:
    return report(
        f"Coordination Request - {plain(request.agent)} - {stamp(request.timestamp)}",
        (
            say(language, "Request", "Demande"),
            ("Type", request.type),
            (say(language, "Target", "Cible"), code(request.target)),
            (say(language, "Action Required", "Action Requise"), plain(scrub(request.action))),
        ),
        (
            say(language, "Context", "Contexte"),
            ("Checkpoint", checkpoint_name(request.checkpoint) or say(language, "none", "aucun")),
            (say(language, "Dependencies State", "État Dépendances"), request.dependencies),
            ("Timeout", f"{request.timeout_minutes:g} minutes"),
        ),
        language=language,
    )


def _awaited(overview: Overview, language: Language) -> str:
    """Who has to move: the person before other machines, because a person is slower."""
    stuck = any(row.failed_decisions or row.state in ("conflict", "quarantined") for row in overview.machines)
    asked = any(cycle.status == "waiting" for cycle in overview.cycles)
    if overview.pending_decisions or overview.proposal or stuck or asked:
        return say(language, "user", "utilisateur")
    others = (row for row in overview.machines if row.machine != overview.agent)
    if any(row.seen != "present" or row.state != "synced" for row in others):
        return say(language, "other_agent", "autre_agent")
    return say(language, "nothing", "rien")
