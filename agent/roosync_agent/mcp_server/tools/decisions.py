"""Tools about decisions: list, show, ask a person to approve, reject or roll back, apply what is approved."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct, structs

from roosync_agent.mcp_server.asking import Signing, ask_person, unasked
from roosync_agent.mcp_server.desk import Desk, ToolFault, typed
from roosync_agent.mcp_server.pages import Page, chosen, counted, paged
from roosync_agent.mcp_server.parameters import DecisionId, Limit, Line, Machine, Offset, Risk, Wait
from roosync_agent.mcp_server.tool import ASKS, READS, WRITES, Row
from roosync_agent.mcp_server.tools.cards import Details, card_of, to_sign
from roosync_agent.mcp_server.tools.config import Applied, applied
from roosync_protocol.risk_names import danger

Action = Literal["override_local", "merge", "override_remote", "keep_special"]
APPROVED = ("approved", "applying", "applied", "promoted", "kept_special")  # somebody said yes
ROLLED_BACK = ("rolled_back",)


class DecisionRow(Struct, frozen=True, kw_only=True):
    id: str
    machine: str
    entity: str
    risk: str
    status: str
    action: str
    attempt: int
    reference: str
    expires: str
    failed: bool = False
    log: list[str] = []


class Decisions(Page, frozen=True, kw_only=True):
    pending: int
    failed: int
    by_risk: dict[str, int]
    rows: list[DecisionRow]


async def list_decisions(
    desk: Desk, everything: bool = False, machine: Machine | None = None, risk: Risk | None = None,
    limit: Limit = 20, offset: Offset = 0,
) -> Decisions:  # fmt: skip
    found = await desk.ask("decisions", everything=everything)
    kept = chosen(found["decisions"], machine, risk)
    page = paged(desk, kept, limit, offset)
    if page["rows"]:
        desk.next.append("roosync_get_decision_details with an id; several of low risk: roosync_approve_decisions")
    return typed(Decisions, {**found, **page, "by_risk": counted(one["risk"] for one in kept)})


async def get_decision_details(desk: Desk, decision_id: DecisionId, action: Action | None = None) -> Details:
    card = await card_of(desk, decision_id, action)
    following = {
        "pending": "roosync_approve_decision or roosync_reject_decision: a person confirms it",
        "approved": "roosync_apply_decision, on its machine; its agent does so by itself",
        "applied": "roosync_rollback_decision takes it back",
    }
    desk.next.append(following.get(card.status, ""))
    return card


async def approve_decision(
    desk: Desk, decision_id: DecisionId, action: Action | None = None, wait_seconds: Wait = 45
) -> Signing:
    card = await card_of(desk, decision_id)
    if card.status in APPROVED:
        return _ended(desk, card, ["decision", "approve", card.id])
    if action:
        card = await card_of(desk, card.id, action)
    words = ["decision", "approve", *(["--action", action] if action else []), card.id]
    return await _signed(desk, card, words, wait_seconds)


async def reject_decision(desk: Desk, decision_id: DecisionId, reason: Line = "", wait_seconds: Wait = 45) -> Signing:
    card = await card_of(desk, decision_id)
    words = ["decision", "reject", *(["--reason", reason] if reason else []), card.id]
    if card.status == "rejected":
        return _ended(desk, card, words)
    return await _signed(desk, card, words, wait_seconds)


async def rollback_decision(
    desk: Desk, decision_id: DecisionId, exact: bool = False, wait_seconds: Wait = 45
) -> Signing:
    card = await card_of(desk, decision_id)
    words = ["decision", "rollback", *(["--exact"] if exact else []), card.id]
    if card.status in ROLLED_BACK:
        return _ended(desk, card, words)
    if card.status != "applied":
        raise ToolFault("request", f"{card.id} is {card.status}: only what is applied is rolled back")
    return await _signed(desk, card, words, wait_seconds)


async def approve_decisions(desk: Desk, risk: Risk, machine: Machine | None = None, wait_seconds: Wait = 45) -> Signing:
    words = ["approve", "--all", "--risk", risk, *(["--machine", machine] if machine else [])]
    waiting = await _waiting(desk, risk, machine)
    if not waiting:
        desk.next.append("roosync_list_decisions shows the others")
        return unasked(desk, "done", words, "no decision waits that fits", "0 pending")
    rows = [{name: one[name] for name in ("id", "machine", "entity", "risk")} for one in waiting]
    done = await ask_person(desk, words, wait_seconds, about={"total": len(rows), "decisions": rows[:50]})
    return structs.replace(done, state=f"{len(await _waiting(desk, risk, machine))} pending")


async def apply_decision(desk: Desk, decision_id: DecisionId) -> Applied:
    return applied(desk, await desk.ask("apply_decision", id_=decision_id))


# -- inside


async def _waiting(desk: Desk, risk: str, machine: str | None) -> list[dict[str, Any]]:
    listed = (await desk.ask("decisions"))["decisions"]
    return [
        one
        for one in listed
        if one["status"] == "pending" and machine in (None, one["machine"]) and danger(one["risk"]) <= danger(risk)
    ]


async def _signed(desk: Desk, card: Details, words: Sequence[str], wait: float) -> Signing:
    """The person's answer, and how the decision stands after it."""
    done = await ask_person(desk, words, wait, state=card.status, about=to_sign(card))
    if done.outcome != "prepared":
        done = structs.replace(done, state=(await card_of(desk, card.id)).status)
    if done.outcome == "done":
        desk.next.append("the machine applies it by itself; roosync_get_decision_details tells how it ended")
    return done


def _ended(desk: Desk, card: Details, words: Sequence[str]) -> Signing:
    """Somebody has answered it so already: nobody is asked again."""
    desk.next.append("roosync_get_decision_details tells how it went")
    by = f" by {', '.join(card.approvals)}" if card.approvals else ""
    return unasked(desk, "done", words, f"{card.id} is {card.status}{by}", card.status)


ROWS = (
    Row("roosync_list_decisions", list_decisions, "Decisions", READS,
        "Decisions that wait or are under way, the most dangerous first, with counts by risk; `everything` adds "
        "those that ended."),
    Row("roosync_get_decision_details", get_decision_details, "Decision details", READS,
        "The card of one decision: what differs, what would execute, risk and why, who lacks what, how to undo. "
        "Show it before you ask for an approval."),
    Row("roosync_approve_decision", approve_decision, "Ask to approve", ASKS,
        "Asks the person, where their key is unlocked, to approve a decision, and waits; you can not approve. "
        "`action`: another answer than suggested. Call again to see what became of it."),
    Row("roosync_reject_decision", reject_decision, "Ask to reject", ASKS,
        "Asks the person to reject a decision: the difference is accepted as it is."),
    Row("roosync_apply_decision", apply_decision, "Apply a decision", WRITES,
        "Applies an approved decision of this machine now, with a backup, and tells the result. Its agent does it"
        " by itself anyway."),
    Row("roosync_rollback_decision", rollback_decision, "Ask to roll back", ASKS,
        "Asks the person to take an applied decision back; later edits stay, unless `exact`."),
    Row("roosync_approve_decisions", approve_decisions, "Ask to approve several", ASKS,
        "Asks the person to approve all pending decisions up to a risk, each shown to them."),
)  # fmt: skip
