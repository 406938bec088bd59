"""What the fleet knows, in the founding documents' forms: dashboard, roadmap, and three Markdown reports.

All of them are views over an `Overview` and proven decisions: the bus is the truth (5-protocols, "Exports").
Values are shown in public form only, scrubbed once more, and made harmless (`markdown`). The roadmap's labels
and the reports' headings are those of seed 004; its words `merge`, `override_local`, `low` ... are not translated.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, json

from roosync_protocol.markdown import code, plain
from roosync_protocol.messages import Decision, Side
from roosync_protocol.overview import Overview
from roosync_protocol.secrets import scrub

Language = Literal["en", "fr"]
FORMAT = "2.0.0"  # of sync-dashboard.json, as RooSync 2 wrote it
VALUE_SHOWN = 400  # characters of a value in a report
BLOCK_START, BLOCK_END = "<!-- DECISION_BLOCK_START -->", "<!-- DECISION_BLOCK_END -->"

# Our finer words in the founding protocol's coarser ones.
ACTIONS = {"keep_special": "merge"}
RISKS = {"none": "low", "critical": "high"}

TITLES: dict[str, tuple[str, str]] = {  # by verdict of `diff`: English, French
    "take": ("changed in the baseline", "modifié dans la baseline"),
    "drift": ("changed on the machine", "modifié sur la machine"),
    "conflict": ("changed on both sides", "modifié des deux côtés"),
    "local_deletion": ("removed on the machine", "supprimé sur la machine"),
    "baseline_deletion": ("removed from the baseline", "supprimé de la baseline"),
    "delete_modify": ("removed on one side, changed on the other", "supprimé d'un côté, modifié de l'autre"),
    "join_add": ("missing on the machine", "absent de la machine"),
    "join_differs": ("different before the machine joined", "différent avant l'arrivée de la machine"),
}


class LastAction(Struct, frozen=True, kw_only=True):
    """The last thing this agent did, by the tool's own name."""

    tool: str
    result: Literal["success", "failure"]
    details: str = ""


class CoordinationRequest(Struct, frozen=True, kw_only=True):
    """A request to a machine or a person, as the founding protocol writes it."""

    agent: str
    timestamp: datetime
    type: Literal["approval", "execution", "verification"]
    target: str  # a decision's id, or another agent
    action: str
    checkpoint: str = ""
    dependencies: Literal["ready", "waiting"] = "ready"
    timeout_minutes: int = 60


def dashboard(overview: Overview, decisions: Iterable[Decision]) -> dict[str, Any]:
    """The content of sync-dashboard.json. What is unknown is null."""
    statuses = [decision.status for decision in decisions]
    machines = {
        row.machine: {
            "lastSync": stamp(row.last_sync) if row.last_sync else None,
            "status": row.state,
            "diffsCount": row.divergences_count,
            "pendingDecisions": row.pending_decisions,
        }
        for row in overview.machines
    }
    return {
        "version": FORMAT,
        "lastUpdate": stamp(overview.timestamp),
        "overallStatus": overview.status,
        "machines": machines,
        "stats": {
            "totalDiffs": overview.divergences_count,
            "totalDecisions": len(statuses),
            "appliedDecisions": statuses.count("applied"),
            "pendingDecisions": statuses.count("pending"),
        },
    }


def roadmap(decisions: Iterable[Decision], language: Language = "en") -> str:
    """The content of sync-roadmap.md: one block for each decision, in the order given."""
    blocks = [_block(decision, language) for decision in decisions]
    nothing = _say(language, "No decision.", "Aucune décision.")
    body = "\n\n".join(blocks) if blocks else nothing
    return f"# Roadmap RooSync\n\n## Décisions de Synchronisation\n\n{body}\n"


def status_report(
    overview: Overview, last: LastAction | None = None, checkpoint: str = "", language: Language = "en"
) -> str:
    count = "?" if overview.divergences_count is None else str(overview.divergences_count)
    none = _say(language, "none", "aucun")
    return _report(
        f"Status Report - {plain(overview.agent)} - {stamp(overview.timestamp)}",
        (
            _say(language, "Current State", "État Actuel"),
            ("Machine ID", plain(overview.agent)),
            (_say(language, "Global Status", "Status Global"), overview.status),
            (_say(language, "Machines Detected", "Machines Détectées"), str(overview.machines_detected)),
            ("Divergences", count),
        ),
        (
            _say(language, "Last Action", "Dernière Action"),
            (_say(language, "Tool", "Outil"), code(last.tool) if last else none),
            (_say(language, "Result", "Résultat"), last.result if last else none),
            (_say(language, "Details", "Détails"), plain(scrub(last.details)) if last else none),
        ),
        (
            _say(language, "Coordination State", "État de Coordination"),
            (_say(language, "Checkpoint Reached", "Checkpoint Atteint"), _checkpoint(checkpoint) or none),
            (_say(language, "Waiting For", "En Attente de"), _awaited(overview, language)),
        ),
        language=language,
    )


def divergence_report(decision: Decision, language: Language = "en") -> str:
    """The designated machine's report of one divergence; values in public form."""
    return _report(
        f"Divergence Report - {plain(decision.machine)} - {stamp(decision.timestamp)}",
        (
            _say(language, "Divergence Detected", "Divergence Détectée"),
            ("Type", decision.category),
            (_say(language, "Affected Field", "Champ Affecté"), code(decision.entity)),
            (_say(language, "Local Value", "Valeur Locale"), _value(decision.local, language)),
            (_say(language, "Remote Value", "Valeur Distante"), _value(decision.remote, language)),
            (_say(language, "Decision ID", "Décision ID"), code(decision.id)),
        ),
        (
            _say(language, "Recommendation", "Recommandation"),
            (_say(language, "Suggested Action", "Action Suggérée"), ACTIONS.get(decision.action, decision.action)),
            (_say(language, "Justification", "Justification"), plain(scrub(decision.justification))),
            (_say(language, "Risk", "Risque"), RISKS.get(decision.risk, decision.risk)),
        ),
        language=language,
    )


def coordination_request(request: CoordinationRequest, language: Language = "en") -> str:
    return _report(
        f"Coordination Request - {plain(request.agent)} - {stamp(request.timestamp)}",
        (
            _say(language, "Request", "Demande"),
            ("Type", request.type),
            (_say(language, "Target", "Cible"), code(request.target)),
            (_say(language, "Action Required", "Action Requise"), plain(scrub(request.action))),
        ),
        (
            _say(language, "Context", "Contexte"),
            ("Checkpoint", _checkpoint(request.checkpoint) or _say(language, "none", "aucun")),
            (_say(language, "Dependencies State", "État Dépendances"), request.dependencies),
            ("Timeout", f"{request.timeout_minutes} minutes"),
        ),
        language=language,
    )


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC to the second, as the founding documents write it: 2025-10-13T22:00:00Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _block(decision: Decision, language: Language) -> str:
    verdict = TITLES.get(decision.verdict, (decision.verdict, decision.verdict))
    source = decision.reference.removeprefix("machine:")
    lines = (
        BLOCK_START,
        f"**ID:** {code(decision.id)}",
        f"**Titre:** {plain(decision.entity)}: {plain(_say(language, *verdict))}",
        f"**Statut:** {decision.status}",
        f"**Type:** {decision.category}",
        f"**Chemin:** {code(decision.entity)}",
        f"**Machine Source:** {plain(source)}",
        f"**Machines Cibles:** {plain(decision.machine)}",
        f"**Créé:** {stamp(decision.created)}",
        BLOCK_END,
    )
    return "\n".join(lines)


Section = tuple[str | tuple[str, str], ...]  # a heading, then label and text of each line


def _report(title: str, *sections: Section, language: Language) -> str:
    colon = _say(language, ":", " :")  # French typography sets a space before it, as seed 004 does
    lines = [f"## {title}"]
    for section in sections:
        for part in section:
            lines += ["", f"### {part}"] if isinstance(part, str) else [f"- {part[0]}{colon} {part[1]}"]
    return "\n".join(lines) + "\n"


def _value(side: Side, language: Language) -> str:
    if side.digest is None:
        return _say(language, "absent", "absente")
    if side.value is UNSET:
        return f"{side.size} {_say(language, 'bytes', 'octets')}, SHA-256 {side.digest[:12]}"
    text = json.encode(_named_secrets(side.value), order="deterministic").decode()
    return code(scrub(text), VALUE_SHOWN)


def _named_secrets(value: Any) -> Any:
    """Public values with their secrets told in words: where each stands is in the fields' own names."""
    if isinstance(value, dict):
        if isinstance(value.get("$secret"), str):
            return "[hidden]"  # as scrub says it
        parts = value.get("$parts")
        if isinstance(parts, list) and len(value) == 1:
            return "".join(str(_named_secrets(part)) for part in parts)
        return {key: _named_secrets(one) for key, one in value.items()}
    return [_named_secrets(one) for one in value] if isinstance(value, list) else value


def _checkpoint(name: str) -> str:
    return f"CHECKPOINT-{plain(name)}" if name else ""


def _awaited(overview: Overview, language: Language) -> str:
    """Who has to move: the person before other machines, because a person is slower."""
    stuck = any(row.state in ("conflict", "quarantined") for row in overview.machines)
    if overview.pending_decisions or overview.proposal or stuck:
        return _say(language, "user", "utilisateur")
    others = (row for row in overview.machines if row.machine != overview.agent)
    if any(row.seen != "present" or row.state != "synced" for row in others):
        return _say(language, "other_agent", "autre_agent")
    return _say(language, "nothing", "rien")


def _say(language: Language, english: str, french: str) -> str:
    return french if language == "fr" else english
