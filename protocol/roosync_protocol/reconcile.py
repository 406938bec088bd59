"""From what differs to what is said about it: the next states of a machine's own decisions.

Level-triggered: given the divergences that stand now and the decisions that are known, the answer is what
still has to be posted; asked again after that, nothing. So a lost wake-up, a doubled one or a crash in
between changes nothing but the moment.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from roosync_protocol.decision import ENDED, RENEWED, decision_id, same_question
from roosync_protocol.diff import ABSENT, DIVERGENT, Absent, Divergence, Verdict
from roosync_protocol.digest import canonical, digest_bytes
from roosync_protocol.entity import Kind
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision, PolicyProof, Side
from roosync_protocol.messages.work import Action
from roosync_protocol.names import Value
from roosync_protocol.risk import Risk, assess, surface_digest

LIFETIME = timedelta(days=30)  # of a pending or approved decision
SHOWN = 64 * 1024  # bytes of a value that travels inside a decision; beyond, only its digest does
BASELINE = "baseline"

# What a person is offered first. (6-trust: nothing here is approved by being suggested.)
SUGGESTED: dict[Verdict, tuple[Action, str]] = {
    Verdict.TAKE: ("override_local", "The baseline changed; this machine still has the value agreed before."),
    Verdict.JOIN_ADD: ("override_local", "The baseline has it and this machine does not."),
    Verdict.DRIFT: (
        "override_local",
        "It was changed on this machine. Approve to restore the agreed value; "
        "override_remote makes this machine's value the agreed one, keep_special keeps it here only.",
    ),
    Verdict.LOCAL_DELETION: (
        "override_local",
        "It was removed on this machine. Approve to bring it back; override_remote removes it from the baseline.",
    ),
    Verdict.BASELINE_DELETION: ("override_local", "The approved baseline removes it."),
    Verdict.DELETE_MODIFY: ("override_local", "One side removed it and the other changed it."),
    Verdict.CONFLICT: ("override_local", "It was changed here and in the baseline, to different values."),
    Verdict.JOIN_DIFFERS: (
        "override_local",
        "This machine had another value before it joined. Approve to take the other one; "
        "keep_special keeps this one here only.",
    ),
}
AUTOMATIC = frozenset({Verdict.TAKE, Verdict.JOIN_ADD})  # and merges without a conflict


class Asked(Struct, frozen=True, kw_only=True):
    """The frame of a comparison: who compares with what, and when."""

    machine: str
    reference: str  # BASELINE or "machine:<id>"
    reference_revision: int
    now: datetime


def side(value: Value | Absent) -> Side:
    if value is ABSENT:
        return Side(digest=None)
    data = canonical(value)
    return Side(digest=digest_bytes(data), value=value if len(data) <= SHOWN else UNSET, size=len(data))


def decide(divergence: Divergence, asked: Asked, operation: str) -> Decision:
    """The pending decision of one divergence, as its machine first posts it."""
    action, why = SUGGESTED[divergence.verdict]
    wanted = divergence.wanted
    if divergence.merged is not ABSENT and divergence.verdict is Verdict.CONFLICT:
        action, why, wanted = (
            "merge",
            "Both sides changed it, in different places; the two fit together.",
            (divergence.merged),
        )
    if divergence.special and divergence.verdict in (Verdict.JOIN_DIFFERS, Verdict.CONFLICT):
        why += " The values differ only at paths or names of this machine, so keep_special may be right."
    before, after = (None if value is ABSENT else value for value in (divergence.local, wanted))
    judged = assess(divergence.key, divergence.kind, before, after)
    return Decision(
        agent=asked.machine,
        timestamp=asked.now,
        id=decision_id(asked.machine, divergence.key, asked.reference),
        revision=1,
        operation_id=operation,
        machine=asked.machine,
        entity=divergence.key,
        kind=divergence.kind,
        category=category(divergence.kind),
        reference=asked.reference,
        reference_revision=asked.reference_revision,
        verdict=divergence.verdict.value,
        local=side(divergence.local),
        remote=side(divergence.wanted),
        wanted=side(wanted),
        action=action,
        justification=why,
        risk=risk_name(judged.risk),
        reasons=tuple(reason[:500] for reason in judged.reasons[:20]),
        surface=surface_digest(divergence.kind, after),
        status="pending",
        created=asked.now,
        expires=asked.now + LIFETIME,
    )


def settle(
    divergences: list[Divergence],
    known: Mapping[str, Decision],
    asked: Asked,
    law: Law,
    new_operation: Callable[[], str],
    *,
    paused: bool = False,
) -> Iterator[list[Decision]]:
    """For each decision that has to move, the states to post one after the other.

    `known` are this machine's decisions by id. Policy approvals come with the state before them.
    """
    seen = set()
    for divergence in divergences:
        if divergence.verdict not in DIVERGENT:
            continue
        fresh = decide(divergence, asked, new_operation())
        seen.add(fresh.id)
        steps = list(_steps(known.get(fresh.id), fresh, asked, new_operation))
        last = steps[-1] if steps else known.get(fresh.id)
        if last and last.status == "pending" and not paused and by_policy(last, divergence, law):
            proof = PolicyProof(policy_revision=law.policy.revision, risk=last.risk)
            steps.append(_next(last, asked, new_operation(), status="approved", policy_proof=proof))
        if steps:
            yield steps
    for id_, decision in sorted(known.items()):
        stale = decision.status in ("pending", "approved", "expired") and decision.reference == asked.reference
        if stale and id_ not in seen:
            if decision.status == "expired":  # only a pending decision can be superseded
                decision = _next(decision, asked, new_operation(), status="pending", expires=asked.now + LIFETIME)
                yield [decision, _next(decision, asked, new_operation(), status="superseded")]
            else:
                yield [_next(decision, asked, new_operation(), status="superseded")]


def by_policy(decision: Decision, divergence: Divergence, law: Law) -> bool:
    """May the machine say yes by itself? Only to what the baseline brings, never to its own drift."""
    merged = divergence.verdict is Verdict.CONFLICT and decision.action == "merge"
    return (
        decision.reference == BASELINE
        and not decision.reopened
        and (divergence.verdict in AUTOMATIC or merged)
        and law.policy.answers.get(decision.risk) == "automatic"
        and not law.paused(decision.machine)
    )


def accepted(divergence: Divergence, known: Mapping[str, Decision], asked: Asked) -> bool:
    """A person said no to exactly this change: from then on it is an accepted difference."""
    decision = known.get(decision_id(asked.machine, divergence.key, asked.reference))
    if decision is None or decision.status != "rejected":
        return False
    return (decision.local.digest, decision.remote.digest) == (
        side(divergence.local).digest,
        side(divergence.wanted).digest,
    )


def category(kind: Kind) -> Literal["config", "files", "settings"]:
    """The founding protocol's three kinds of divergence."""
    match kind:
        case Kind.TEXT:
            return "files"
        case Kind.SETTING:
            return "settings"
    return "config"


def risk_name(risk: Risk) -> Literal["none", "low", "medium", "high", "critical"]:
    names: dict[Risk, Literal["none", "low", "medium", "high", "critical"]] = {
        Risk.NONE: "none",
        Risk.LOW: "low",
        Risk.MEDIUM: "medium",
        Risk.HIGH: "high",
        Risk.CRITICAL: "critical",
    }
    return names[risk]


def _steps(
    before: Decision | None, fresh: Decision, asked: Asked, new_operation: Callable[[], str]
) -> Iterator[Decision]:
    if before is None:
        yield fresh
        return
    if before.status == "expired":
        before = _next(before, asked, new_operation(), status="pending", expires=asked.now + LIFETIME, approvals=())
        yield before
    if before.status in ("pending", "approved"):
        if not same_question(before, fresh):
            before = _next(before, asked, new_operation(), status="superseded")
            yield before
        elif before.expires <= asked.now:
            before = _next(before, asked, new_operation(), status="expired")
            yield before
            yield _next(before, asked, new_operation(), status="pending", expires=asked.now + LIFETIME, approvals=())
            return
    if before.status in ENDED and (before.status in RENEWED or not same_question(before, fresh)):
        yield replace(fresh, revision=before.revision + 1, attempt=before.attempt + 1)


def _next(decision: Decision, asked: Asked, operation: str, **changes: object) -> Decision:
    return replace(
        decision,
        agent=asked.machine,
        timestamp=asked.now,
        revision=decision.revision + 1,
        operation_id=operation,
        **changes,
    )
