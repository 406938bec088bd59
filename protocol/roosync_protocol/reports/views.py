"""The dashboard and the roadmap, in the forms that the founding documents' tools read.

Views over an `Overview` and proven decisions: the bus is the truth (5-protocols, "Exports").
"""

from collections.abc import Iterable
from typing import Any

from roosync_protocol.markdown import code, plain
from roosync_protocol.messages import Decision
from roosync_protocol.overview import Overview
from roosync_protocol.reports.words import Language, say, stamp

FORMAT = "2.0.0"  # of sync-dashboard.json, as RooSync 2 wrote it
BLOCK_START, BLOCK_END = "<!-- DECISION_BLOCK_START -->", "<!-- DECISION_BLOCK_END -->"

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
    nothing = say(language, "No decision.", "Aucune décision.")
    body = "\n\n".join(blocks) if blocks else nothing
    return f"# Roadmap RooSync\n\n## Décisions de Synchronisation\n\n{body}\n"


def _block(decision: Decision, language: Language) -> str:
    verdict = TITLES.get(decision.verdict, (decision.verdict, decision.verdict))
    source = decision.reference.removeprefix("machine:")
    lines = (
        BLOCK_START,
        f"**ID:** {code(decision.id)}",
        f"**Titre:** {plain(decision.entity)}: {plain(say(language, *verdict))}",
        f"**Statut:** {decision.status}",
        f"**Type:** {decision.category}",
        f"**Chemin:** {code(decision.entity)}",
        f"**Machine Source:** {plain(source)}",
        f"**Machines Cibles:** {plain(decision.machine)}",
        f"**Créé:** {stamp(decision.created)}",
        BLOCK_END,
    )
    return "\n".join(lines)
