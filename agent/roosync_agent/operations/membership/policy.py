"""The policy: which changes apply by themselves, and for which a person, or two, have to say yes.

It is law: an operator signs it, every machine keeps the newest revision and refuses older ones. What can be asked for
here has limits, because whoever may publish a baseline may cause everything that is automatic, on every machine:

- critical is never automatic (machines refuse it too, whatever is signed), nor is high: a field that no rule knows is
  high, and so is every new command, so that would be code on every machine that nobody read;
- a graver class is never answered more easily than a lesser one;
- two approvals need two operators, or nothing of that class could ever be approved.
"""

from datetime import datetime
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.operations.membership.lawmaking import RefusedRequestError, enact
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_protocol.law import Law
from roosync_protocol.messages import Policy
from roosync_protocol.messages.law import DEFAULT_ANSWERS, Answer
from roosync_protocol.risk_names import RiskName
from roosync_protocol.secrets.names import fold, says_secret

NEVER_AUTOMATIC: dict[RiskName, str] = {
    "high": "a new command, and every field that no rule knows, is high: somebody has to have read it",
    "critical": "it can run anything, with nobody asked",
}
STRICTNESS: dict[Answer, int] = {"automatic": 0, "one": 1, "two": 2}
MANY_NAMES = 1_000


class PolicyShown(Struct, frozen=True, kw_only=True):
    """The policy in force, as this machine knows it."""

    fleet: str
    revision: int  # 0: none was ever signed, the default holds
    signed_by: str
    signed_at: datetime | None
    answers: dict[RiskName, Answer]
    operators: list[str]  # who can approve
    paused: bool  # the whole fleet
    paused_machines: list[str]  # by an operator
    paused_here: bool  # by this machine's own `roosync pause`, or one of the above
    public_names: list[str]


async def show(machine: Machine) -> PolicyShown:
    return shown(machine.fleet.law, here=machine.paused)


def shown(law: Law, *, here: bool = False) -> PolicyShown:
    policy, known = law.policy, law.policy_known
    return PolicyShown(
        fleet=law.fleet,
        revision=law.policy_revision,
        signed_by=policy.agent if known else "",
        signed_at=policy.timestamp if known else None,
        answers={risk: policy.answers.get(risk, "one") for risk in DEFAULT_ANSWERS},
        operators=operators(law),
        paused=policy.paused,
        paused_machines=sorted(policy.paused_machines),
        paused_here=here,
        public_names=sorted(policy.public_names),
    )


def operators(law: Law) -> list[str]:
    """Who can approve now."""
    return sorted(name for name, one in law.roster.operators.items() if not one.revoked) if law.roster else []


async def change(
    session: Session,
    answers: dict[RiskName, Answer],
    *,
    add: frozenset[str] = frozenset(),
    remove: frozenset[str] = frozenset(),
) -> PolicyShown:
    """Signs the policy with these answers and public names changed. RefusedRequestError says what can not be."""

    await enact(session, lambda: changed(session, answers, add=add, remove=remove))
    return shown(session.fleet.law)


def changed(
    session: Session,
    answers: dict[RiskName, Answer],
    *,
    add: frozenset[str] = frozenset(),
    remove: frozenset[str] = frozenset(),
) -> Policy:
    """The policy that would be signed. RefusedRequestError as `change`: nobody is asked about what can not be."""
    policy = session.fleet.law.policy
    wanted = {risk: policy.answers.get(risk, "one") for risk in DEFAULT_ANSWERS} | answers
    check(wanted, len(operators(session.fleet.law)))
    names = _names(policy.public_names, add, remove)
    return replace(policy, agent=session.name, timestamp=session.now(), answers=wanted, public_names=names)


def check(answers: dict[RiskName, Answer], people: int) -> None:
    """RefusedRequestError when nobody should sign this. `people`: how many operators there are."""
    for risk, why in NEVER_AUTOMATIC.items():
        if answers[risk] == "automatic":
            raise RefusedRequestError(f"{risk} changes never apply by themselves: {why}; use one or two")
    ordered = list(answers.items())
    for (lesser, before), (graver, after) in pairwise(ordered):
        if STRICTNESS[after] < STRICTNESS[before]:
            raise RefusedRequestError(
                f"{graver}={after} would be easier than {lesser}={before}, and {graver} is the graver one: "
                f"set both, such as {lesser}={after} {graver}={after} or {graver}={before}"
            )
    if people < STRICTNESS["two"] and "two" in answers.values():
        raise RefusedRequestError(
            "two approvals need two operators, and this fleet has one: nothing of that class could ever be approved"
        )


def loosened(before: PolicyShown, answers: dict[RiskName, Answer], add: frozenset[str]) -> list[str]:
    """What of the wish makes something easier than it is, in words for the person who is about to sign."""
    told = [
        f"{risk}: {before.answers[risk]} becomes {answer}"
        for risk, answer in answers.items()
        if STRICTNESS[answer] < STRICTNESS[before.answers[risk]]
    ]
    new = sorted(add - set(before.public_names))
    return told + [f"values of {name} are published by every machine" for name in new]


def _names(known: frozenset[str], add: frozenset[str], remove: frozenset[str]) -> frozenset[str]:
    for name in sorted(add):
        if says_secret(name):
            raise RefusedRequestError(f"{name!r} names a secret, and what is named so is never published")
    here = {fold(name): name for name in known}
    if unknown := sorted(name for name in remove if fold(name) not in here):
        raise RefusedRequestError(f"{unknown[0]!r} is no public name; they are {', '.join(sorted(known)) or 'none'}")
    kept = frozenset(name for name in known if fold(name) not in {fold(gone) for gone in remove})
    result = kept | {name for name in add if fold(name) not in here}
    if len(result) > MANY_NAMES:
        raise RefusedRequestError(f"{len(result)} public names are more than {MANY_NAMES}")
    return result
