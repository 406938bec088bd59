"""The life of a coordination request: a durable intent that waits for whoever it is addressed to.

    requested -> accepted -> done | failed
             \\-> done | refused | expired

Anybody of the fleet asks; the addressee answers. It is a record, so a machine that was off finds it at its start.
What a machine may be asked for is a closed table (`ACTIONS`): things that it does with its own rights anyway, none of
which executes anything that came with the message. Nothing here reads a clock: expiry is judged at a given moment.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Flag, auto

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.cycle.triggers import DECIDING
from roosync_protocol.envelope import Heard
from roosync_protocol.law import Law
from roosync_protocol.messages import Cycle, Decision, Request
from roosync_protocol.names import is_operator

ANY_OPERATOR = "op-any"  # whoever of the operators is there first

# name -> (types it may be asked as, what the machine does). All of it may be repeated without harm.
ACTIONS: dict[str, tuple[frozenset[str], str]] = {
    "publish": (frozenset({"execution"}), "collects and publishes its package"),
    "collect": (frozenset({"execution"}), "collects its package into its own state folder"),
    "export": (frozenset({"execution"}), "writes dashboard, roadmap and baseline into its own export folder"),
    "compare": (frozenset({"execution", "verification"}), "compares itself with the baseline"),
    "report": (frozenset({"execution", "verification"}), "says its status again"),
    "verify": (frozenset({"verification"}), "looks at its files again now, and says whether it is in step"),
}


class Role(Flag):
    """What somebody is to a request; one may be several."""

    ASKER = auto()
    ADDRESSEE = auto()
    OPERATOR = auto()
    ORCHESTRATOR = auto()  # of the cycle that it belongs to


ENDED = frozenset({"done", "failed", "refused", "expired"})
_CLOSERS = Role.ASKER | Role.ADDRESSEE | Role.OPERATOR | Role.ORCHESTRATOR
TRANSITIONS: dict[str, dict[str, Role]] = {
    "": {"requested": Role.ASKER},
    "requested": {
        "requested": Role.ASKER,  # what it waited for is there
        "accepted": Role.ADDRESSEE,
        "done": Role.ADDRESSEE,
        "refused": Role.ADDRESSEE,
        "expired": _CLOSERS,  # its time is over, or nobody needs it any more
    },
    "accepted": {"done": Role.ADDRESSEE, "failed": Role.ADDRESSEE},
    **{ended: {} for ended in sorted(ENDED)},
}
FIXED = ("to", "kind", "target", "action", "asker", "asked", "timeout_minutes", "cycle", "checkpoint")


class FoldedRequest(Struct, frozen=True, kw_only=True):
    state: Request | None = None
    sequence: int = 0  # of the last message seen, valid or not: for compare-and-swap
    refused: tuple[str, ...] = ()


def fold(heard: Iterable[Heard], law: Law) -> FoldedRequest:
    """The record of these messages, which may come in any order and more than once."""
    folded = FoldedRequest()
    for one in sorted(heard, key=lambda one: one.sequence):
        folded = advance(folded, one, law)
    return folded


def advance(folded: FoldedRequest, heard: Heard, law: Law) -> FoldedRequest:
    if heard.sequence <= folded.sequence:
        return folded
    reason = judge(folded.state, heard, law)
    if reason is None and isinstance(heard.message, Request):
        return FoldedRequest(state=heard.message, sequence=heard.sequence, refused=folded.refused)
    return replace(folded, sequence=heard.sequence, refused=(*folded.refused, f"{heard.speaker}: {reason}")[-20:])


def judge(before: Request | None, heard: Heard, law: Law) -> str | None:
    """Why this message is not the next state of the request; None when it is."""
    new = heard.message
    if not isinstance(new, Request):
        return f"{type(new).__name__} is no request"
    if not law.genuine(heard):
        return f"not signed with the key of {heard.speaker!r}"
    roles = roles_of(heard.speaker, before or new, law)
    if before is None and new.revision > 1:  # what came before was dropped: an answer proves itself by who gives it
        return None if Role.ADDRESSEE in roles and new.status in _ANSWERS else "its beginning is gone"
    status = before.status if before else ""
    if not TRANSITIONS[status].get(new.status, Role(0)) & roles:
        return f"it may not move a request of {new.asker} to {new.to} from {status or 'nothing'!r} to {new.status!r}"
    if before is None:
        return "a request begins without an outcome" if new.outcome else None
    if new.revision != before.revision + 1:
        return f"revision {new.revision} does not follow {before.revision}"
    if any(getattr(before, name) != getattr(new, name) for name in FIXED):
        return "what was asked may not change"
    if new.dependencies != before.dependencies and new.status != "requested":
        return "only the asker says that what it waited for is there"
    return None


_ANSWERS = frozenset({"accepted", "done", "failed", "refused"})


def roles_of(speaker: str, request: Request, law: Law) -> Role:
    roles = Role(0)
    if speaker == request.asker:
        roles |= Role.ASKER
    if speaker == request.to or (request.to == ANY_OPERATOR and is_operator(speaker)):
        roles |= Role.ADDRESSEE
    if is_operator(speaker):
        roles |= Role.OPERATOR
    if request.cycle and law.may_orchestrate(speaker):
        roles |= Role.ORCHESTRATOR
    return roles


def deadline(request: Request) -> datetime:
    return request.asked + timedelta(minutes=request.timeout_minutes)


def standing(request: Request, now: datetime) -> str:
    """Its status for who reads it at `now`: what nobody took up in time is expired, whether that was posted or not."""
    return "expired" if request.status == "requested" and deadline(request) <= now else request.status


def fault(request: Request) -> str | None:
    """Why a machine does not do this; None when it may be asked so. The same words for who asks and who answers."""
    if is_operator(request.to):
        return None
    if request.kind == "approval":
        return "a machine approves nothing: ask an operator"
    kinds, _ = ACTIONS.get(request.action, (frozenset[str](), ""))
    if not kinds:
        return f"a machine is not asked for {request.action!r}; there are {', '.join(ACTIONS)}"
    return None if request.kind in kinds else f"{request.action!r} is asked as {' or '.join(sorted(kinds))}"


def to_be_done(requests: Iterable[Request], machine: str, now: datetime) -> list[Request]:
    """What `machine` has to answer now, oldest first: new ones, those it accepted, and those whose time is over."""
    mine = [r for r in requests if r.to == machine and r.status in ("requested", "accepted")]
    ready = [r for r in mine if r.dependencies == "ready" or r.status == "accepted" or standing(r, now) == "expired"]
    return sorted(ready, key=lambda r: (r.asked, r.id))


def for_person(requests: Iterable[Request], now: datetime) -> list[Request]:
    """What waits for an operator, oldest first."""
    open_ = [r for r in requests if is_operator(r.to) and standing(r, now) in ("requested", "accepted")]
    return sorted(open_, key=lambda r: (r.asked, r.id))


# -- the approvals that a cycle asks for

AT_ONCE = 100  # approvals that one cycle asks for at a time: the next are asked when these are answered


def approval_id(cycle: str, decision: Decision) -> str:
    """One for each attempt at a decision in a cycle, whoever leads."""
    text = f"{cycle}/{decision.machine}/{decision.id}/{decision.attempt}"
    return "r-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def approvals_wanted(cycle: Cycle, decisions: Iterable[Decision], requests: Iterable[Request]) -> list[Decision]:
    """The pending decisions for which the operators have to be asked, and were not."""
    if cycle.checkpoint not in DECIDING or cycle.status not in ("running", "waiting"):
        return []
    mine = {r.id: r for r in requests if r.cycle == cycle.id}
    taking = set(cycle.participants) - cycle.excused.keys()
    pending = [d for d in decisions if d.machine in taking and d.status == "pending" and d.reference == "baseline"]
    fresh = [d for d in pending if approval_id(cycle.id, d) not in mine]
    room = AT_ONCE - sum(r.status not in ENDED for r in mine.values())
    return sorted(fresh, key=lambda d: (d.machine, d.entity, d.id))[: max(0, room)]


def answered_elsewhere(
    cycles: Iterable[Cycle], decisions: Iterable[Decision], requests: Iterable[Request]
) -> list[tuple[Request, str, datetime]]:
    """Open approvals of cycles that nobody needs to give any more, each with the reason, and since when.

    Who answers a decision answers the request in the same command; so it is closed for them only some seconds later.
    """
    every = {c.id: c for c in cycles}
    known: dict[str, Decision] = {}
    for one in decisions:
        known[one.id] = one
    found: list[tuple[Request, str, datetime]] = []
    for request in requests:
        if not request.cycle or request.kind != "approval" or request.status in ENDED:
            continue
        decision = known.get(request.target)
        cycle = every.get(request.cycle)
        if decision is not None and decision.status != "pending":
            found.append((request, f"{decision.id} is {decision.status}", decision.timestamp))
        elif decision is not None and approval_id(request.cycle, decision) != request.id:
            found.append((request, f"{decision.id} is at another attempt", decision.timestamp))
        elif cycle is not None and cycle.status not in ("running", "waiting"):
            found.append((request, f"{cycle.id} is {cycle.status}", cycle.timestamp))
    return found
