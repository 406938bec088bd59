"""The life of a baseline proposal: open -> arbitrated -> validated -> published | superseded.

Machines that may orchestrate open one; operators arbitrate, validate (a signature over the hash of the
whole report) and publish, which is a law message of its own. Whoever opened it is not believed: the
operator's command consolidates the same packages again and compares.
"""

import hashlib
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol import approval
from roosync_protocol.decision import By, Place, best_told, whole_from
from roosync_protocol.envelope import Heard, Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import PackageRef, Proposal
from roosync_protocol.names import is_operator

TRANSITIONS: dict[str, dict[str, By]] = {
    "": {"open": By.MACHINE | By.OPERATOR, "arbitrated": By.MACHINE | By.OPERATOR},
    "open": {"open": By.OPERATOR, "arbitrated": By.OPERATOR, "superseded": By.MACHINE | By.OPERATOR},
    "arbitrated": {
        "open": By.OPERATOR,  # an answer that no operator gave is a question again
        "arbitrated": By.OPERATOR,
        "validated": By.OPERATOR,
        "superseded": By.MACHINE | By.OPERATOR,
    },
    "validated": {"published": By.OPERATOR, "superseded": By.OPERATOR},
    "published": {},
    "superseded": {},
}
ENDED = frozenset({"published", "superseded"})


class FoldedProposal(Struct, frozen=True, kw_only=True):
    state: Proposal | None = None
    sequence: int = 0
    since: int = 0  # of the message that made the state
    refused: tuple[str, ...] = ()


def proposal_id(packages: Iterable[PackageRef], after_revision: int) -> str:
    """Deterministic over the packages and the baseline it follows, so that two orchestrators open one proposal."""
    text = "\n".join([str(after_revision), *sorted(f"{p.machine} {p.manifest}" for p in packages)])
    return "p-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def fold(heard: Iterable[Heard], law: Law, verify: Verify, unread: Iterable[Place] = ()) -> FoldedProposal:
    """The record of these messages, which may come in any order and more than once."""
    ordered = sorted(heard, key=lambda one: one.sequence)

    def further(folded: FoldedProposal, one: Heard, whole: int) -> FoldedProposal:
        return advance(folded, one, law, verify, whole=whole)

    return best_told(FoldedProposal(), ordered, further, whole_from(ordered, unread))


def advance(folded: FoldedProposal, heard: Heard, law: Law, verify: Verify, *, whole: int = 0) -> FoldedProposal:
    """As in `decision`: a state from before the sequence `whole` may have had successors that are gone."""
    if heard.sequence <= folded.sequence:
        return folded
    reason = judge(folded.state, heard, law, verify, gap=folded.since <= whole)
    if reason is None and isinstance(heard.message, Proposal):
        return FoldedProposal(
            state=heard.message, sequence=heard.sequence, since=heard.sequence, refused=folded.refused
        )
    refused = (*folded.refused, f"{heard.speaker}: {reason}")[-20:]
    return replace(folded, sequence=heard.sequence, refused=refused)


def judge(before: Proposal | None, heard: Heard, law: Law, verify: Verify, *, gap: bool = False) -> str | None:
    """Why this message is not the next state of the proposal; None when it is. `gap`: states between may be gone."""
    after = heard.message
    if not isinstance(after, Proposal):
        return f"{type(after).__name__} is no proposal"
    if not law.genuine(heard):
        return f"not signed with the key of {heard.speaker!r}"
    by = By.OPERATOR if is_operator(heard.speaker) else By.MACHINE
    if by is By.MACHINE and not law.may_orchestrate(heard.speaker):
        return f"{heard.speaker!r} may not orchestrate"
    if after.id != proposal_id(after.packages, after.after_revision):
        return "its id does not belong to its packages and the baseline it follows"
    if gap and before is not None and before.status not in ENDED and after.revision > before.revision + 1:
        before = None  # like the first one kept: only an operator's word proves itself
    return _step_fault(before, after, by) or _content_fault(after, law, verify)


def _step_fault(before: Proposal | None, after: Proposal, by: By) -> str | None:
    if before is None and after.revision > 1:
        return None if by is By.OPERATOR else "its beginning is gone, and only an operator's word proves itself"
    allowed = TRANSITIONS[before.status if before else ""].get(after.status, By(0))
    if not allowed & by:
        return f"{by.name} may not move it from {before.status if before else 'nothing'!r} to {after.status!r}"
    if before is not None and after.revision != before.revision + 1:
        return f"revision {after.revision} does not follow {before.revision}"
    if before is not None and after.packages != before.packages:
        return "the packages it rests on may not change"
    return None


def _content_fault(after: Proposal, law: Law, verify: Verify) -> str | None:
    machines = [package.machine for package in after.packages]
    if len(set(machines)) < len(machines):
        return "it rests on two packages of one machine"
    if (after.status == "open" and not after.arbitrations) or (after.status == "arbitrated" and after.arbitrations):
        return "its status does not agree with its open questions"
    if after.status in ("validated", "published"):
        return _validation_fault(after, law, verify)
    return None


def _validation_fault(after: Proposal, law: Law, verify: Verify) -> str | None:
    signed = after.validated
    if signed is None or not approval.genuine(approval.VALIDATION, signed, verify):
        return "it carries no valid signature of an operator"
    if signed.payload != validation_text(after):
        return "what was validated is not what it holds"
    # What was published is the past, and law of its own; what only waits for that needs an operator of today.
    past, operators = after.status == "published", law.roster.operators.values() if law.roster else ()
    keys = {operator.key for operator in operators if past or not operator.revoked}
    return None if signed.signer in keys else "whoever validated it is no operator of this fleet"


def validation_text(proposal: Proposal) -> str:
    """What an operator signs when validating: this proposal, this report."""
    return f"{proposal.id} {proposal.report}"
