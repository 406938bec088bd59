"""The life of a decision: who may move it from where to where. 5-protocols, "Decision".

    pending -> approved -> applying -> applied
                               \\-> failed -> rolled_back | rollback_failed

TRANSITIONS is the grammar; `judge` checks one step against it and against the proofs inside the new
state (`proof`); `fold` makes a record of what was said, in the order of the stream. What does not count is
counted by its reason, never believed: a writer may skip compare-and-swap, so the last word proves nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from enum import Flag, auto
from functools import reduce
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.digest import canonical
from roosync_protocol.envelope import Heard, Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision
from roosync_protocol.names import is_operator
from roosync_protocol.proof import applicable as applicable
from roosync_protocol.proof import fault_of, question, sides_fault
from roosync_protocol.proof import needed_approvals as needed_approvals


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
UPSTREAM = frozenset({"promoted", "kept_special"})  # the answer was a new revision of the baseline
for _ended in ENDED:  # a different divergence of the same entity opens a new attempt
    TRANSITIONS.setdefault(_ended, {})["pending"] = By.MACHINE | (By.OPERATOR if _ended in AGAIN else By(0))

IDENTITY = ("machine", "id", "entity", "reference", "kind")
CONTENT = ("local", "remote", "wanted", "surface", "risk", "verdict", "action")
PROOF = (*CONTENT, "approvals", "policy_proof")
KEPT = 50  # declined questions that a record remembers
RETAINED = 8  # messages of one speaker about one record that the broker keeps; its older ones may be gone
Place = tuple[str, int]  # of a message in the stream: who said it, and its sequence
NEEDS_APPROVAL = {"approved", "applying", "applied", "failed"}


class Folded(Struct, frozen=True, kw_only=True):
    """A decision as the bus proves it, and what was said about it that does not count."""

    state: Decision | None = None
    sequence: int = 0  # of the last message seen, valid or not: for compare-and-swap
    since: int = 0  # of the message that made the state
    refused: tuple[str, ...] = ()


def decision_id(machine: str, entity: str, reference: str) -> str:
    """Deterministic, so that two finders make one decision."""
    return "d-" + hashlib.sha256(canonical([machine, entity, reference])).hexdigest()[:12]


def fold(heard: Iterable[Heard], law: Law, verify: Verify, unread: Iterable[Place] = ()) -> Folded:
    """The record of these messages, which may come in any order and more than once.

    `unread`: the messages of it that nobody can open, which the broker keeps in the place of others all the same.
    """
    ordered = sorted(heard, key=lambda one: one.sequence)

    def further(folded: Folded, one: Heard, whole: int) -> Folded:
        return advance(folded, one, law, verify, whole=whole)

    return best_told(Folded(), ordered, further, whole_from(ordered, unread))


class Told(Protocol):
    """A record as one reading tells it."""

    @property
    def sequence(self) -> int: ...
    @property
    def since(self) -> int: ...


ToldT = TypeVar("ToldT", bound=Told)


def best_told(
    empty: ToldT, ordered: Sequence[Heard], further: Callable[[ToldT, Heard, int], ToldT], whole: int
) -> ToldT:
    """The reading of a record whose beginning is gone, with what is complete from the sequence `whole` on.

    `further`: one message further than a reading, when what came before a sequence may be gone.
    Did the message at `whole` itself count in its time? What it had to follow is gone. Most often it did: then nothing
    is missing behind it, and what leaps over a revision there did not count. If that leads nowhere, it did not.
    """

    def told(whole: int) -> ToldT:
        return reduce(lambda folded, one: further(folded, one, whole), ordered, empty)

    counted = told(whole - 1)
    if counted.since == counted.sequence:
        return counted
    stray = told(whole)
    return stray if stray.since > counted.since else counted


def whole_from(heard: Iterable[Heard], unread: Iterable[Place] = ()) -> int:
    """The sequence from which on nothing that was said is missing.

    The broker keeps RETAINED messages of each speaker, so what one of them said before may be gone while another's
    older words are still there.
    """
    oldest: dict[str, list[int]] = {}
    for speaker, sequence in (*((one.speaker, one.sequence) for one in heard), *unread):
        oldest.setdefault(speaker, []).append(sequence)
    return max((min(said) for said in oldest.values() if len(set(said)) >= RETAINED), default=0)


def advance(folded: Folded, heard: Heard, law: Law, verify: Verify, *, whole: int = 0) -> Folded:
    """One message further. A state that was made up to the sequence `whole` may have had successors that are gone."""
    if heard.sequence <= folded.sequence:
        return folded  # delivered twice
    reason = judge(folded.state, heard, law, verify, gap=folded.since <= whole)
    if reason is None and isinstance(heard.message, Decision):
        return Folded(state=heard.message, sequence=heard.sequence, since=heard.sequence, refused=folded.refused)
    refused = (*folded.refused, f"{heard.speaker}: {reason}")[-20:]
    return replace(folded, sequence=heard.sequence, refused=refused)


def judge(before: Decision | None, heard: Heard, law: Law, verify: Verify, *, gap: bool = False) -> str | None:
    """Why this message is not the next state of the record; None when it is. `gap`: states between may be gone."""
    after = heard.message
    if not isinstance(after, Decision):
        return f"{type(after).__name__} is no decision"
    if not law.genuine(heard):
        return f"not signed with the key of {heard.speaker!r}"
    if after.id != decision_id(after.machine, after.entity, after.reference):
        return "its id does not belong to its machine, entity and reference"
    by = By.MACHINE if heard.speaker == after.machine else By.OPERATOR if is_operator(heard.speaker) else None
    if by is None:
        return f"{heard.speaker!r} may not speak about a decision of {after.machine!r}"
    if gap and before is not None and after.revision > before.revision + 1:
        if fault := _leap_fault(before, after):
            return fault
        before = None  # like the first one kept: it has to prove itself
    return sides_fault(after) or _step_fault(before, after, by) or _proof_fault(before, after, by, law, verify)


def _leap_fault(before: Decision, after: Decision) -> str | None:
    """What no steps in between, however many are gone, can have changed: above all, what was declined."""
    over = before.status in ENDED and before.status != "applied"
    if after.kind != before.kind or after.attempt < before.attempt + over:
        return "it does not go on from what is known of the record"
    declined = {*before.declined}
    if before.status in AGAIN and not after.reopened:
        declined.add(question(before))
    if len(after.declined) < KEPT and not declined <= {*after.declined}:
        return "the questions declined before may not be told differently"
    return None


def _step_fault(before: Decision | None, after: Decision, by: By) -> str | None:
    if after.status == "pending" and after.policy_proof:
        return "what is pending was approved by nobody, also not by a policy"
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
    if (after.reopened, after.declined) != (before.reopened, before.declined):
        return "what happened to earlier attempts may not be told differently"
    return _rollback_fault(before, after, by) or _content_fault(before, after, by)


def _again_fault(before: Decision, after: Decision, by: By) -> str | None:
    if after.approvals or after.policy_proof or after.rollback_requested:
        return "a new attempt begins without approvals"
    if after.reopened != (by is By.OPERATOR):
        return "whether an operator opened the attempt again is not for the speaker to choose"
    if by is By.OPERATOR:
        same = after.declined == before.declined and _content_fault(before, after, By.MACHINE) is None
        return None if same else "an operator may not change what is decided"
    if after.declined != declined_after(before):
        return "the questions declined before may not be told differently"
    if before.status not in RENEWED and same_question(before, after):
        return f"it ended as {before.status!r}, and only an operator opens the same question again"
    return None


def declined_after(before: Decision) -> tuple[str, ...]:
    """What the machine's next attempt remembers: the questions to which a policy may not say yes any more."""
    asked = question(before)
    if (before.status not in AGAIN and not before.reopened) or asked in before.declined:
        return before.declined
    return (*before.declined, asked)[-KEPT:]


def same_question(before: Decision, after: Decision) -> bool:
    """The same change of the same thing: then an earlier answer still holds.

    An answer that changed the baseline holds until a later revision says otherwise again (a restored version).
    """
    over = before.status in UPSTREAM and after.reference_revision > before.reference_revision
    return question(before) == question(after) and not over


def _rollback_fault(before: Decision, after: Decision, by: By) -> str | None:
    asks = after.rollback_requested and not before.rollback_requested
    if asks and not (by is By.OPERATOR and before.status == after.status == "applied"):
        return "only an operator asks for a rollback, and of what is applied"
    if before.status == "applied" and after.status in ("rolled_back", "rollback_failed"):
        return None if before.rollback_requested else "nobody asked for a rollback"
    if by is By.OPERATOR and after.snapshot != before.snapshot:
        return "which snapshot it was is the machine's to say"
    return None


def rollback_due(decision: Decision, law: Law) -> bool:
    """Must the machine roll back now? The request counts as long as whoever made it is an operator."""
    asked = decision.status == "applied" and decision.rollback_requested
    return asked and is_operator(decision.agent) and law.operator_key(decision.agent) is not None


def _content_fault(before: Decision, after: Decision, by: By) -> str | None:
    """An operator may take the other side instead of a merge; nothing else of a content changes within an attempt."""
    fields: tuple[str, ...] = CONTENT
    narrowed = before.action == "merge" and after.action == "override_local" and after.wanted == before.remote
    if by is By.OPERATOR and narrowed:
        fields = ("local", "remote", "verdict", "risk")
    elif by is By.OPERATOR and after.status in ENDED:
        fields = tuple(field for field in CONTENT if field != "action")  # which answer it was
    changed = [field for field in fields if getattr(after, field) != getattr(before, field)]
    return f"{', '.join(changed)} may not change within an attempt" if changed else None


def _proof_fault(before: Decision | None, after: Decision, by: By, law: Law, verify: Verify) -> str | None:
    if after.status not in NEEDS_APPROVAL:
        return None
    if before is not None and before.status in NEEDS_APPROVAL:  # proven already: it goes on with the same proof
        changed = [f for f in PROOF if getattr(before, f) != getattr(after, f)]
        return f"{', '.join(changed)} changed after the approval" if changed else None
    return fault_of(after, by is By.MACHINE, law, verify)
