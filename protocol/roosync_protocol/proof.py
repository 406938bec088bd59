"""What a decision must carry before anything executes: the proofs inside a state, and the last look at them.

Two questions, asked by two callers. `fault_of` is about the story: could this state have been reached, by the law
as it was then? It must not change its answer when a policy is tightened or an operator leaves, or records would
fall apart. `applicable` is about this moment: may the machine write now, by the law as it is? It forgives nothing.
"""

from datetime import datetime
from typing import Any

from msgspec import UNSET

from roosync_protocol import approval
from roosync_protocol.diff import Verdict
from roosync_protocol.digest import digest
from roosync_protocol.envelope import Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision, Side
from roosync_protocol.risk import Risk, assess, surface_digest
from roosync_protocol.risk_names import RISK_NAMES, RiskName

BASELINE = "baseline"
AUTOMATIC = frozenset({Verdict.TAKE, Verdict.JOIN_ADD})  # what a policy may allow; and merges without a conflict
RISKS: dict[Risk, RiskName] = dict(zip(Risk, RISK_NAMES, strict=True))
_BY_NAME = {name: risk for risk, name in RISKS.items()}


def question(decision: Decision) -> str:
    """A digest of what is asked: this change of this thing. An earlier answer to the same question still holds."""
    return digest([decision.local.digest, decision.remote.digest])


def sides_fault(decision: Decision) -> str | None:
    """A person reads the values and signs the digests, so the two must be of the same thing."""
    try:
        for name in ("local", "remote", "wanted"):
            side: Side = getattr(decision, name)
            if side.value is not UNSET and side.digest != digest(side.value):
                return f"the {name} value shown is not the one its digest names"
        if shown(decision.wanted) and decision.surface != surface_digest(decision.kind, _value(decision.wanted)):
            return "the surface digest is not that of the wanted value"
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        return f"its values can not be read: {type(error).__name__}"  # foreign values, whatever they do to a rule
    return None


def fault_of(decision: Decision, by_machine: bool, law: Law, verify: Verify) -> str | None:
    """Why this state does not prove that somebody entitled said yes; None when it does."""
    if decision.policy_proof:
        if not by_machine:
            return "only the machine itself applies by policy"
        return _policy_fault(decision, law)
    given = approval.given(decision, law, verify, None)
    when = max((one.issued for one in given), default=decision.timestamp)
    needed = 2 if law.answers_at(when).get(decision.risk) == "two" else 1
    return None if len(given) >= needed else f"{needed} valid approval(s) are needed, {len(given)} given"


def applicable(decision: Decision, law: Law, verify: Verify, now: datetime, *, ended_attempt: int = 0) -> str | None:
    """The check a machine makes again just before it writes: why it may not; None when it may.

    `ended_attempt` is the highest attempt that this machine brought to an end before, by its own journal: a broker
    that forgets, or keeps back, how an attempt ended can not have it made twice.
    """
    if decision.status not in ("approved", "applying"):
        return f"it is {decision.status}, not approved"
    if decision.attempt <= ended_attempt:
        return f"attempt {decision.attempt} ended on this machine before; an approval is used once"
    if law.speaker_key(decision.machine) is None:
        return f"{decision.machine} is no machine of this fleet, or was revoked"
    if decision.expires <= now:
        return f"the decision expired at {decision.expires:%Y-%m-%d %H:%M} UTC; it is renewed at the next comparison"
    expiry = law.expiry(decision.machine)
    if expiry and expiry <= now:
        return f"the fleet's law expired at {expiry:%Y-%m-%d}; an operator renews it with any signed command"
    if decision.policy_proof and law.paused(decision.machine):
        return "automatic application is paused; `roosync resume` turns it on"
    return sides_fault(decision) or void(decision, law, verify, now)


def void(decision: Decision, law: Law, verify: Verify, now: datetime) -> str | None:
    """Why the yes that this decision carries no longer counts; None when it does. A new yes is needed then."""
    if decision.policy_proof:
        if not shown(decision.local, decision.wanted):
            return "the values are too large to be judged again, so a person has to approve them"
        actual = actual_risk(decision)
        if actual == "critical" or law.policy.answers.get(actual) != "automatic":
            return f"the policy does not let {actual} changes apply by themselves"
        return _policy_fault(decision, law)
    needed = needed_approvals(decision, law)
    given = {one.operator for one in approval.given(decision, law, verify, now)}
    if len(given) >= needed:
        return None
    faults = [f for s in decision.approvals if (f := approval.fault(s, decision, law, verify, now))]
    return f"{needed} valid approval(s) are needed, {len(given)} given" + (f" ({'; '.join(faults)})" if faults else "")


def needed_approvals(decision: Decision, law: Law) -> int:
    return 2 if law.policy.answers.get(actual_risk(decision), "one") == "two" else 1


def actual_risk(decision: Decision) -> RiskName:
    """The risk it claims, or the one its values have by this version's rules when that is higher.

    A decision is written by the machine it is about, so what it says of its own danger is not believed.
    """
    claimed = _BY_NAME[decision.risk]
    if not shown(decision.local, decision.wanted):
        return decision.risk
    try:
        judged = assess(decision.entity, decision.kind, _value(decision.local), _value(decision.wanted)).risk
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        judged = Risk.CRITICAL
    return RISKS[max(claimed, judged)]


def shown(*sides: Side) -> bool:
    """Do the values travel inside, so that they can be read and judged?"""
    return all(side.digest is None or side.value is not UNSET for side in sides)


def policy_may(decision: Decision) -> str | None:
    """Why no policy, whatever it says, covers this; None when one may. Only what the baseline brings is covered."""
    if decision.reference != BASELINE:
        return "no policy covers what another machine has"
    if decision.risk == "critical":
        return "no policy covers a critical change, whoever signed it: a person has to have seen it"
    if decision.verdict not in AUTOMATIC and not (decision.verdict == Verdict.CONFLICT and decision.action == "merge"):
        return f"no policy covers {decision.verdict!r}"
    if decision.reopened or question(decision) in decision.declined:
        return "a change that failed or was refused is never approved by a policy"
    return None


def _policy_fault(decision: Decision, law: Law) -> str | None:
    proof = decision.policy_proof
    if proof is None or proof.risk != decision.risk:
        return "the policy proof is for another risk"
    if fault := policy_may(decision):
        return fault
    answers = law.answers_of(proof.policy_revision)
    if answers is None:  # what is not remembered is the past; what is newer than all is invented, or not yet heard
        return None if law.forgot(proof.policy_revision) else "it rests on a policy that is not known here"
    if answers.get(decision.risk) != "automatic":
        return f"the policy does not let {decision.risk} changes apply by themselves"
    return None


def _value(side: Side) -> Any:
    return None if side.digest is None else side.value
