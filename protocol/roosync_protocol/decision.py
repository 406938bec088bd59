"""The life of a decision: who may move it from where to where. 5-protocols, "Decision".

    pending -> approved -> applying -> applied
                               \\-> failed -> rolled_back | rollback_failed

TRANSITIONS is the grammar; `judge` checks one step against it and against the proofs inside the new
state; `fold` makes a record of what was said, in the order of the stream. What does not count is
counted by its reason, never believed: a writer may skip compare-and-swap, so the last word proves nothing.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import Flag, auto

from msgspec import UNSET, Struct

from roosync_protocol import approval
from roosync_protocol.digest import digest
from roosync_protocol.envelope import Heard, Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision, Side
from roosync_protocol.risk import surface_digest


class By(Flag):
    MACHINE = auto()  # the designated machine
    OPERATOR = auto()


ENDED = frozenset(
    {
        "rejected",
        "promoted",
        "kept_special",
        "superseded",
        "applied",
        "rolled_back",
        "rollback_failed",
        "overwritten",
    }
)
OPEN = frozenset({"pending", "approved", "applying", "failed", "expired"})

# from -> to -> who. "" is "no record yet".
TRANSITIONS: dict[str, dict[str, By]] = {
    "": {"pending": By.MACHINE},
    "pending": {
        "pending": By.OPERATOR,  # the first of two approvals
        "approved": By.OPERATOR | By.MACHINE,  # the machine: by policy
        "rejected": By.OPERATOR,
        "promoted": By.OPERATOR,
        "kept_special": By.OPERATOR,
        "superseded": By.MACHINE,
        "expired": By.MACHINE,
    },
    "approved": {
        "applying": By.MACHINE,
        "rejected": By.OPERATOR,
        "promoted": By.OPERATOR,
        "kept_special": By.OPERATOR,
        "superseded": By.MACHINE,
        "expired": By.MACHINE,
    },
    "expired": {"pending": By.MACHINE},
    "applying": {"applied": By.MACHINE, "failed": By.MACHINE, "pending": By.MACHINE},
    "failed": {"rolled_back": By.MACHINE, "rollback_failed": By.MACHINE},
    "applied": {
        "applied": By.OPERATOR,  # asks for a rollback
        "overwritten": By.MACHINE,
        "rolled_back": By.MACHINE,
        "rollback_failed": By.MACHINE,
    },
}
RENEWED = frozenset({"applied", "superseded"})  # after these every divergence is a new one
AGAIN = {"rolled_back", "rejected", "overwritten", "rollback_failed"}  # an operator may open a new attempt
for _ended in ENDED:  # a different divergence of the same entity opens a new attempt
    TRANSITIONS.setdefault(_ended, {})["pending"] = By.MACHINE | (By.OPERATOR if _ended in AGAIN else By(0))

IDENTITY = ("machine", "id", "entity", "reference", "kind")
CONTENT = ("local", "remote", "wanted", "surface", "risk", "verdict")
NEEDS_APPROVAL = {"approved", "applying", "applied", "failed"}


class Folded(Struct, frozen=True, kw_only=True):
    """A decision as the bus proves it, and what was said about it that does not count."""

    state: Decision | None = None
    sequence: int = 0  # of the last message seen, valid or not: for compare-and-swap
    refused: tuple[str, ...] = ()


def decision_id(machine: str, entity: str, reference: str) -> str:
    """Deterministic, so that two finders make one decision."""
    text = "\n".join((machine, entity, reference))
    return "d-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def fold(heard: Iterable[Heard], law: Law, verify: Verify) -> Folded:
    folded = Folded()
    for one in heard:
        folded = advance(folded, one, law, verify)
    return folded


def advance(folded: Folded, heard: Heard, law: Law, verify: Verify) -> Folded:
    if heard.sequence <= folded.sequence:
        return folded  # delivered twice
    reason = judge(folded.state, heard, law, verify)
    if reason is None and isinstance(heard.message, Decision):
        return Folded(state=heard.message, sequence=heard.sequence, refused=folded.refused)
    refused = (*folded.refused, f"{heard.speaker}: {reason}")[-20:]
    return Folded(state=folded.state, sequence=heard.sequence, refused=refused)


def judge(before: Decision | None, heard: Heard, law: Law, verify: Verify) -> str | None:
    """Why this message is not the next state of the record; None when it is."""
    after = heard.message
    if not isinstance(after, Decision):
        return f"{type(after).__name__} is no decision"
    if not law.genuine(heard):
        return f"not signed with the key of {heard.speaker!r}"
    if after.id != decision_id(after.machine, after.entity, after.reference):
        return "its id does not belong to its machine, entity and reference"
    by = By.MACHINE if heard.speaker == after.machine else By.OPERATOR if heard.speaker.startswith("op-") else None
    if by is None:
        return f"{heard.speaker!r} may not speak about a decision of {after.machine!r}"
    return _side_fault(after) or _step_fault(before, after, by) or _proof_fault(before, after, by, law, verify)


def _side_fault(after: Decision) -> str | None:
    """A person reads the values and signs the digests, so the two must be of the same thing."""
    for name in ("local", "remote", "wanted"):
        side: Side = getattr(after, name)
        if side.value is not UNSET and side.digest != digest(side.value):
            return f"the {name} value shown is not the one its digest names"
    wanted = after.wanted
    shown = None if wanted.digest is None else wanted.value
    if shown is not UNSET and after.surface != surface_digest(after.kind, shown):
        return "the surface digest is not that of the wanted value"
    return None


def _step_fault(before: Decision | None, after: Decision, by: By) -> str | None:
    if before is None:  # the beginning, or older messages are gone: then it must prove itself
        if after.revision == 1 and (after.status != "pending" or by is not By.MACHINE):
            return f"a decision begins as 'pending', by its machine, and not as {after.status!r}"
        if not any(to.get(after.status, By(0)) & by for to in TRANSITIONS.values()):
            return f"{by.name} may never move a decision to {after.status!r}"
        return None
    allowed = TRANSITIONS.get(before.status, {}).get(after.status, By(0))
    if not allowed & by:
        return f"{by.name} may not move it from {before.status!r} to {after.status!r}"
    if after.revision != before.revision + 1:
        return f"revision {after.revision} does not follow {before.revision}"
    for field in IDENTITY:
        if getattr(after, field) != getattr(before, field):
            return f"{field} may not change"
    again = after.status == "pending" and before.status in ENDED
    if after.attempt != before.attempt + again:
        return f"attempt {after.attempt} does not follow {before.attempt}"
    if again:
        return _again_fault(before, after, by)
    if by is By.OPERATOR and not _same_content(before, after):
        return "an operator answers a decision; its content is the machine's"
    return None


def _again_fault(before: Decision, after: Decision, by: By) -> str | None:
    if after.approvals or after.policy_proof:
        return "a new attempt begins without approvals"
    if after.reopened != (by is By.OPERATOR):
        return "whether an operator opened the attempt again is not for the speaker to choose"
    if by is By.OPERATOR:
        return None if _same_content(before, after) else "an operator may not change what is decided"
    if before.status not in RENEWED and same_question(before, after):
        return f"it ended as {before.status!r}, and only an operator opens the same question again"
    return None


def same_question(a: Decision, b: Decision) -> bool:
    """The same change of the same thing: then an earlier answer still holds."""
    return (a.local.digest, a.remote.digest) == (b.local.digest, b.remote.digest)


def _same_content(before: Decision, after: Decision) -> bool:
    """An operator may take the other side instead of a merge; nothing else of the content is theirs to change."""
    fields: tuple[str, ...] = CONTENT
    if before.action == "merge" and after.action == "override_local" and after.wanted == before.remote:
        fields = ("local", "remote", "verdict")
    return all(getattr(after, field) == getattr(before, field) for field in fields)


def _proof_fault(before: Decision | None, after: Decision, by: By, law: Law, verify: Verify) -> str | None:
    if after.status not in NEEDS_APPROVAL:
        return None
    if before is not None and before.status in NEEDS_APPROVAL:  # already proven: it must carry the same content
        changed = [f for f in (*CONTENT, "approvals", "policy_proof") if getattr(before, f) != getattr(after, f)]
        return f"{', '.join(changed)} changed after the approval" if changed else None
    if after.policy_proof:
        return _policy_fault(after, by, law)
    needed = needed_approvals(after, law)
    given = approval.approvers(after, law, verify, None)
    return None if len(given) >= needed else f"{needed} valid approval(s) are needed, {len(given)} given"


def _policy_fault(after: Decision, by: By, law: Law) -> str | None:
    if by is not By.MACHINE:
        return "only the machine itself applies by policy"
    proof = after.policy_proof
    if proof is None or proof.risk != after.risk:
        return "the policy proof is for another risk"
    if after.reopened:
        return "a change that failed or was refused is never approved by a policy"
    if proof.policy_revision == law.policy.revision and law.policy.answers.get(after.risk) != "automatic":
        return f"the policy does not let {after.risk} changes apply by themselves"
    return None


def needed_approvals(decision: Decision, law: Law) -> int:
    return 2 if law.policy.answers.get(decision.risk, "one") == "two" else 1


def applicable(decision: Decision, law: Law, verify: Verify, now: datetime) -> str | None:
    """The check a machine makes again just before it writes: why it may not; None when it may."""
    if decision.expires <= now:
        return f"the decision expired at {decision.expires:%Y-%m-%d %H:%M} UTC; it is renewed at the next comparison"
    expiry = law.expiry(decision.machine)
    if expiry and expiry <= now:
        return f"the fleet's law expired at {expiry:%Y-%m-%d}; an operator renews it with any signed command"
    if decision.policy_proof:
        if law.paused(decision.machine):
            return "automatic application is paused; `roosync resume` turns it on"
        if law.policy.answers.get(decision.risk) != "automatic":
            return f"the policy no longer lets {decision.risk} changes apply by themselves"
        return _policy_fault(decision, By.MACHINE, law)
    given = approval.approvers(decision, law, verify, now)
    needed = needed_approvals(decision, law)
    if len(given) >= needed:
        return None
    faults = [f for s in decision.approvals if (f := approval.fault(s, decision, law, verify, now))]
    return f"{needed} valid approval(s) are needed, {len(given)} given" + (f" ({'; '.join(faults)})" if faults else "")
