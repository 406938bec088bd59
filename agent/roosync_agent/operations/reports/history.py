"""What was done in this fleet, in the order of time: who asked, who approved, which content, and what came of it.

Read from the audit stream, where every action is told before it is done and after it; what is known of the decision or
the baseline that it was about stands beside it. What is not signed by whom it names is left out, and counted.
"""

import re
from collections import deque
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.approvals import ASKS
from roosync_broker.keys import verify
from roosync_protocol import approval
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Audit, Decision

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
OPEN = 10_000  # actions of which the end is awaited while reading; the oldest are given up first


class HistoryRow(Struct, kw_only=True):
    """One action: its beginning, and its end when that was told."""

    at: datetime
    who: str
    action: str
    about: str
    outcome: str = ""  # "": its end was not told; the agent may have stopped in the middle of it
    ended: datetime | None = None
    details: str = ""
    entity: str = ""  # of the decision that it was about
    machine: str = ""  # that the decision is for
    approved_by: list[str] = []
    content: str | None = None  # SHA-256 of the value that the decision wants; None: none, or the entity goes


class HistoryAnswer(Struct, frozen=True, kw_only=True):
    agent: str
    what: str
    since: datetime | None
    rows: list[HistoryRow]
    more: int  # earlier actions that match and are not shown
    not_believed: int  # lines that are not signed by whom they name


async def history(machine: "Machine", what: str = "", since: str = "", limit: int = 50) -> HistoryAnswer:
    """The last `limit` actions about `what`: an entity (globs allowed), a machine, an operator, an id, a version."""
    if limit < 1:
        raise RefusedRequestError(f"a limit of {limit} shows nothing; give one of at least 1")
    session, fleet = machine.session, machine.fleet
    session.require_bus()
    begin = moment(since, session.now())
    known = {decision.id: decision for decision in fleet.decisions()}
    rows: deque[HistoryRow] = deque(maxlen=limit)
    begun: dict[tuple[str, str], HistoryRow] = {}
    matching = strange = 0
    async for stored in session.link.read(session.subjects.stream("AUDIT"), session.subjects.post("audit")):
        heard = session.open(stored)
        if heard is None or not isinstance(heard.message, Audit) or not fleet.law.genuine(heard):
            strange += 1
            continue
        said = heard.message
        if _ends(begun, said) or (begin is not None and said.timestamp < begin):
            continue
        row = _row(said, known, fleet)
        if said.phase == "before":
            begun[said.agent, said.about] = row
            if len(begun) > OPEN:
                del begun[next(iter(begun))]
        if _meant(what, row):
            matching += 1
            rows.append(row)
    found = sorted(rows, key=lambda row: row.at)
    return HistoryAnswer(
        agent=machine.name, what=what, since=begin, rows=found, more=matching - len(found), not_believed=strange
    )


def moment(text: str, now: datetime) -> datetime | None:
    """ "2h", "3d", or a date and time of ISO 8601 (UTC unless it says otherwise); None for no text."""
    if not text:
        return None
    if short := re.fullmatch(r"(\d{1,6})([smhdw])", text.strip()):
        try:
            return now - timedelta(**{UNITS[short[2]]: int(short[1])})
        except OverflowError:
            raise RefusedRequestError(f"{text!r} is before there was anything") from None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise RefusedRequestError(f"{text!r} is no time: write 30m, 2h, 3d, or 2026-01-31T12:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ends(begun: dict[tuple[str, str], HistoryRow], said: Audit) -> bool:
    """Is this the end of an action that was begun? Then it is written down there."""
    row = begun.pop((said.agent, said.about), None) if said.phase == "after" else None
    if row is None:
        return False
    row.outcome, row.ended = said.outcome or "done", said.timestamp
    row.details = said.details or row.details
    return True


def _row(said: Audit, known: dict[str, Decision], fleet: Fleet) -> HistoryRow:
    ended = said.phase == "after"
    row = HistoryRow(
        at=said.timestamp,
        who=said.agent,
        action=said.action,
        about=said.about,
        outcome=(said.outcome or "done") if ended else "",
        ended=said.timestamp if ended else None,
        details=said.details,
    )
    decision = next((known[word] for word in said.about.split() if word in known), None)
    if decision is not None:
        row.entity, row.machine, row.content = decision.entity, decision.machine, decision.wanted.digest
        asks = said.action == ASKS  # of that moment: the answer came later, and others may have said yes before
        given = approval.given(decision, fleet.law, verify, None)
        row.approved_by = sorted(one.operator for one in given if not asks or one.issued <= said.timestamp)
        if decision.policy_proof is not None and not asks:
            row.approved_by.append(f"policy {decision.policy_proof.policy_revision}")
    return row


def _meant(what: str, row: HistoryRow) -> bool:
    if not what:
        return True
    if what in (row.who, row.machine, row.about, row.entity):
        return True
    return any(word == what or (len(what) > 3 and word.startswith(what)) for word in row.about.split()) or (
        "/" in what and bool(row.entity) and fnmatchcase(row.entity, what)
    )
