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

from roosync_protocol.decision import ENDED, RENEWED, decision_id, declined_after, same_question
from roosync_protocol.diff import ABSENT, DIVERGENT, Absent, Divergence, State, Verdict
from roosync_protocol.digest import canonical, digest_bytes
from roosync_protocol.entity import Kind, target_of
from roosync_protocol.envelope import Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision, PolicyProof, Side
from roosync_protocol.messages.work import Action
from roosync_protocol.names import Value
from roosync_protocol.proof import RISKS, policy_may, shown, void
from roosync_protocol.risk import Assessment, assess, surface_digest

LIFETIME = timedelta(days=30)  # of a pending or approved decision
SHOWN = 64 * 1024  # bytes of a value that travels inside a decision; beyond, only its digest does

# What a person is offered first. (6-trust: nothing here is approved by being suggested.)
SUGGESTED: dict[Verdict, tuple[Action, str]] = {
    Verdict.TAKE: ("override_local", "The baseline changed; this machine still has the value agreed before."),
    Verdict.JOIN_ADD: ("override_local", "The baseline has it and this machine does not."),
    Verdict.DRIFT: (
        "override_local",
        "It was changed on this machine. Approve to restore the agreed value; override_remote makes it the agreed one.",
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
        "This machine had another value before it joined. Approve to take the other one; keep_special keeps it here.",
    ),
}
# The same about another machine, with which there is no value agreed before.
BESIDE: dict[Verdict, str] = {
    Verdict.JOIN_ADD: "{other} has it and this machine does not. Approve to take it over.",
    Verdict.JOIN_DIFFERS: "This machine and {other} have different values. Approve to take that of {other}.",
}

Judge = Callable[[Divergence, State, Assessment], Assessment]  # what is asked, what would stand, the rules' answer


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


def decide(divergence: Divergence, asked: Asked, operation: str, judge: Judge | None = None) -> Decision:
    """The pending decision of one divergence, as its machine first posts it. `judge` may raise its class."""
    action, why = SUGGESTED[divergence.verdict]
    if asked.reference != "baseline" and divergence.verdict in BESIDE:
        why = BESIDE[divergence.verdict].format(other=asked.reference.removeprefix("machine:"))
    wanted = divergence.wanted
    if divergence.merged is not ABSENT and divergence.verdict is Verdict.CONFLICT:
        action, why, wanted = (
            "merge",
            "Both sides changed it, in different places; the two fit together.",
            (divergence.merged),
        )
    if divergence.special and divergence.verdict in (Verdict.JOIN_DIFFERS, Verdict.CONFLICT):
        right = "keep_special may be right" if asked.reference == "baseline" else "each may be right where it is"
        why += f" The values differ only at paths or names of this machine, so {right}."
    before, after = (None if value is ABSENT else value for value in (divergence.local, wanted))
    judged = assess(divergence.key, divergence.kind, before, after)
    judged = judge(divergence, wanted, judged) if judge else judged
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
        risk=RISKS[judged.risk],
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
    verify: Verify | None = None,
    ended_attempts: Mapping[str, int] = {},
    unseen: frozenset[str] = frozenset(),
    judge: Judge | None = None,
) -> Iterator[list[Decision]]:
    """For each decision that has to move, the states to post one after the other.

    `known` are this machine's decisions by id. Policy approvals come with the state before them. With `verify`, an
    approval that no longer counts is asked for again. `ended_attempts`: the highest attempt by id that this machine's
    journal knows, which outlives the record, so that no approval of a record that was swept is used twice.
    `unseen`: targets that could not be looked at now; what is undecided about them stays as it is.
    `judge` gives the class of a change after the rules did: a machine may call more dangerous what is its own.
    """
    seen = set()
    frame = _Frame(asked=asked, law=law, new_operation=new_operation, verify=verify, ended=ended_attempts)
    for divergence in divergences:
        if divergence.verdict not in DIVERGENT:
            continue
        fresh = decide(divergence, asked, new_operation(), judge)
        seen.add(fresh.id)
        if fresh.id not in known:
            fresh = replace(fresh, attempt=ended_attempts.get(fresh.id, 0) + 1)
        steps = list(_steps(known.get(fresh.id), fresh, frame))
        last = steps[-1] if steps else known.get(fresh.id)
        if last and last.status == "pending" and not paused and by_policy(last, divergence, law):
            proof = PolicyProof(policy_revision=law.policy_revision, risk=last.risk)
            steps.append(frame.next(last, status="approved", policy_proof=proof))
        if steps:
            yield steps
    for id_, decision in sorted(known.items()):
        stale = decision.status in ("pending", "approved", "expired") and _about(decision, asked, law)
        if stale and id_ not in seen and target_of(decision.entity) not in unseen:
            renewed = [frame.renewed(decision)] if decision.status == "expired" else []
            yield [*renewed, frame.next((renewed or [decision])[-1], status="superseded")]


def _about(decision: Decision, asked: Asked, law: Law) -> bool:
    """Is it of this comparison? A baseline also ends what was asked about another machine before it became law."""
    older = law.baseline is not None and decision.created < law.baseline.timestamp
    return decision.reference == asked.reference or (asked.reference == "baseline" and older)


def by_policy(decision: Decision, divergence: Divergence, law: Law) -> bool:
    """May the machine say yes by itself? Only to what the baseline brings, never to its own drift."""
    return (
        divergence.verdict == decision.verdict
        and shown(decision.local, decision.wanted)
        and policy_may(decision) is None
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


class _Frame(Struct, frozen=True, kw_only=True):
    """What every next state is made with."""

    asked: Asked
    law: Law
    new_operation: Callable[[], str]
    verify: Verify | None
    ended: Mapping[str, int]

    def next(self, decision: Decision, **changes: object) -> Decision:
        return replace(
            decision,
            agent=self.asked.machine,
            timestamp=self.asked.now,
            revision=decision.revision + 1,
            operation_id=self.new_operation(),
            **changes,
        )

    def renewed(self, decision: Decision) -> Decision:
        """An expired decision asks again, and nobody has said yes to it."""
        later = self.asked.now + LIFETIME
        return self.next(decision, status="pending", expires=later, approvals=(), policy_proof=None)

    def again(self, before: Decision, fresh: Decision) -> Decision:
        attempt, declined = before.attempt + 1, declined_after(before)
        operation, revision = self.new_operation(), before.revision + 1
        return replace(fresh, revision=revision, attempt=attempt, declined=declined, operation_id=operation)

    def used(self, decision: Decision) -> bool:
        """Did this attempt end here before? Then the bus forgot how, and what was said yes to is done."""
        return decision.attempt <= self.ended.get(decision.id, 0)

    def over(self, decision: Decision) -> bool:
        """Its time is over, or the yes that it carries no longer counts."""
        now = self.asked.now
        if decision.expires <= now:
            return True
        asks = decision.status == "approved" and self.verify
        return bool(asks and void(decision, self.law, asks, now))


def _steps(before: Decision | None, fresh: Decision, frame: _Frame) -> Iterator[Decision]:
    if before is None:
        yield fresh
        return
    if before.status == "expired":
        before = frame.renewed(before)
        yield before
    if before.status in ("pending", "approved"):
        if not _stands(before, fresh) or frame.used(before):
            before = frame.next(before, status="superseded")
            yield before
        elif frame.over(before):
            before = frame.next(before, status="expired")
            yield before
            yield frame.renewed(before)
            return
    if before.status in ENDED and (before.status in RENEWED or not same_question(before, fresh)):
        before = frame.again(before, fresh)
        yield before
        while frame.used(before):
            before = frame.next(before, status="superseded")
            yield before
            before = frame.again(before, fresh)
            yield before


def _stands(before: Decision, fresh: Decision) -> bool:
    """Does the record still ask what this machine sees? Somebody else may have posted it with our key.

    What an operator approved is judged by what would execute; what nobody approved, by all that it says.
    """
    narrowed = before.action == "override_local" and before.wanted.digest == before.remote.digest
    wanted = before.wanted.digest == fresh.wanted.digest and before.surface == fresh.surface
    if not same_question(before, fresh) or not (wanted or (narrowed and fresh.action == "merge")):
        return False
    return bool(before.approvals) or (before.risk, before.verdict) == (fresh.risk, fresh.verdict)
