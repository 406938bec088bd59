"""From records to what a person is shown: rows, cards, changes. Reads only."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from roosync_agent import characters
from roosync_agent.operations.answers import Card, DecisionRow, DiffRow, Mark, Missing, Open, Shown, Yes
from roosync_agent.operations.decisions import facts
from roosync_agent.operations.decisions.seen import judged, seen, step
from roosync_agent.operations.files.line_changes import line_opcodes
from roosync_broker.keys import verify
from roosync_protocol import approval
from roosync_protocol.diff import ABSENT, changes
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision, Side
from roosync_protocol.risk import surface
from roosync_protocol.risk.unasked import unasked

MOST_MARKS = 50  # of one card
TOO_LARGE = "(too large to show; the file has it)"


def value_of(side: Side) -> Any:
    if side.digest is None:
        return None
    return TOO_LARGE if side.value is UNSET else side.value


def shown_changes(decision: Decision, action: str | None = None) -> list[Shown]:
    """What this answer would change, leaf by leaf; whole where a side is absent, or too large to be here."""
    local, wanted = step(decision, action)
    hidden = (local.value is UNSET and local.digest) or (wanted.value is UNSET and wanted.digest)
    if hidden or local.digest is None or wanted.digest is None:
        return [
            Shown(
                path=[],
                before=value_of(local),
                after=value_of(wanted),
                absent="before" if local.digest is None else "after" if wanted.digest is None else "",
            )
        ]
    return shown(local.value, wanted.value, decision.kind, decision.entity)


def shown(before: Any, after: Any, kind: Kind, key: str) -> list[Shown]:
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        return _lines(before, after)
    rows = []
    for change in changes(before, after, kind, key):
        absent = "before" if change.before is ABSENT else "after" if change.after is ABSENT else ""
        rows.append(
            Shown(
                path=list(change.path),
                before=None if change.before is ABSENT else change.before,
                after=None if change.after is ABSENT else change.after,
                absent=absent,
            )
        )
    return rows


def _lines(before: str, after: str) -> list[Shown]:
    """Prose, by the lines that differ. Only a line feed ends one: another separator is a character to be shown."""
    old, new = before.split("\n"), after.split("\n")
    if not old[-1] and not new[-1]:
        old, new = old[:-1], new[:-1]
    rows = []
    for tag, i, j, k, m in line_opcodes(old, new):
        if tag != "equal":
            absent = {"insert": "before", "delete": "after"}.get(tag, "")
            place = f"line {i + 1}" if j - i <= 1 else f"lines {i + 1} to {j}"
            rows.append(Shown(path=[place], before="\n".join(old[i:j]), after="\n".join(new[k:m]), absent=absent))
    return rows


def diff_row(decision: Decision) -> DiffRow:
    return DiffRow(
        machine=decision.machine,
        type=decision.category,
        field=decision.entity,
        verdict=decision.verdict,
        risk=judged(decision)[0],
        decision_id=decision.id,
        status=decision.status,
        reference=decision.reference,
        suggested_action=decision.action,
        justification=decision.justification,
        changes=shown_changes(decision),
    )


def decision_row(decision: Decision, *, failed: bool = False) -> DecisionRow:
    return DecisionRow(
        id=decision.id,
        machine=decision.machine,
        entity=decision.entity,
        type=decision.category,
        risk=judged(decision)[0],
        status=decision.status,
        action=decision.action,
        attempt=decision.attempt,
        reference=decision.reference,
        created=decision.created,
        expires=decision.expires,
        failed=failed,
        log=list(decision.log[-1:]) if failed else [],
    )


def card(fleet: Fleet, shown_: "facts.Shown", known: "facts.Facts", missing: Missing) -> Card:
    """The card of a decision as it is when answered so: what is signed is what is on it."""
    decision, action = shown_.decision, shown_.action
    folded = fleet.decision(decision.machine, decision.id)
    before, after = step(decision, action)
    risk, reasons = judged(decision, action)
    origins = known.origins(shown_)
    made = Card(
        id=decision.id,
        machine=decision.machine,
        entity=decision.entity,
        kind=decision.kind.value,
        type=decision.category,
        field=decision.entity,
        verdict=decision.verdict,
        reference=decision.reference,
        local_value=value_of(decision.local),
        remote_value=value_of(decision.remote),
        wanted=value_of(decision.wanted),
        wanted_absent=after.digest is None,
        answer=action or "",
        suggested_action=decision.action,
        justification=decision.justification,
        risk=risk,
        reasons=reasons,
        executes=None if after.digest is None else surface(decision.kind, value_of(after)),
        changes=shown_changes(decision, action),
        seen=seen(decision),
        status=decision.status,
        attempt=decision.attempt,
        approvals=sorted({one.operator for one in approval.given(decision, fleet.law, verify, None)}),
        policy_approved=decision.policy_proof is not None,
        created=decision.created,
        expires=decision.expires,
        runs_on=[origin.machine for origin in origins],
        undo=undo_of(decision, action, fleet.law.baseline.version if fleet.law.baseline else ""),
        snapshot=decision.snapshot,
        log=list(decision.log),
        refused=list(folded.refused),
        hash=decision.surface,
        whole=after.digest is None or after.value is not UNSET,
        agreed=known.agreed(shown_),
        origins=origins,
        yes=_yes(fleet, decision),
        unasked=_unasked(shown_, None if before.digest is None else value_of(before)),
        needs=missing.needs,
        asked=missing.asked,
        lacks=missing.lacks,
        unsure=missing.unsure,
        not_said=missing.not_said,
    )
    return replace(made, marks=marks(made))


def _yes(fleet: Fleet, decision: Decision) -> list[Yes]:
    """Who said yes to it as it stands, and since when."""
    given = approval.given(decision, fleet.law, verify, None)
    found = [Yes(by=one.operator, at=one.issued) for one in given]
    if decision.policy_proof is not None:
        policy, revision = fleet.law.policy, decision.policy_proof.policy_revision
        known = policy.revision == revision  # of an earlier one only the answers are remembered
        at, by = (policy.timestamp, policy.agent) if known else (None, "")
        found.append(Yes(by="policy", at=at, signed_by=by, revision=revision))
    return found


def _unasked(shown_: "facts.Shown", before: Any) -> list[Open]:
    result = shown_.result
    if result is None:
        return []
    return [Open(path=one.path, what=one.what, why=one.why, new=one.new) for one in unasked(result, before)]


MARKED = ("entity", "local_value", "remote_value", "wanted", "justification", "verdict", "reasons", "log", "refused")


def marks(made: Card) -> list[Mark]:
    """Every text on the card with characters that nobody sees, or that pass for others."""
    skip = "wanted" if made.wanted in (made.local_value, made.remote_value) else ""  # told under its own name already
    return found_marks({name.removesuffix("_value"): getattr(made, name) for name in MARKED if name != skip})


def found_marks(named: Mapping[str, Any]) -> list[Mark]:
    """The same of values by their names."""
    found = characters.found_in(dict(named), MOST_MARKS)
    return [Mark(where=one.where, total=one.total, hidden=list(one.hidden), posing=list(one.posing)) for one in found]


def undo_of(decision: Decision, action: str | None = None, version: str = "") -> str:
    """The command that takes it back; `version` is that of the baseline in force, before the answer."""
    if action in ("override_remote", "keep_special"):
        return f"roosync baseline restore {version}    (nothing is written on {decision.machine})"
    if decision.status in ("promoted", "kept_special"):
        return "roosync baseline versions, and roosync baseline restore VERSION"
    if decision.status == "applied" and decision.snapshot:
        return f"roosync decision rollback {decision.id}"
    return f"a snapshot is made before anything is written; afterwards: roosync decision rollback {decision.id}"
