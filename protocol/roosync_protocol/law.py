"""The law of a fleet, folded from what its operators signed, as one machine believes it.

A machine pins one key, the root. From there each step proves the next: the first roster is signed by
the root, later ones by an operator of the roster before. Every kind has a revision that only grows;
a machine keeps the highest it saw, so a broker restored from a backup can not lead it back (6-trust).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields, replace

from roosync_protocol.envelope import Heard
from roosync_protocol.messages import Baseline, Campaign, Invitation, Member, Policy, Roster
from roosync_protocol.messages.base import Law as LawMessage
from roosync_protocol.messages.law import Answer
from roosync_protocol.names import is_operator
from roosync_protocol.risk_names import RiskName

LIFETIME = timedelta(days=90)  # of roster and memberships; past it a machine stops applying by itself
WARN_BEFORE = timedelta(days=14)
REMEMBERED = 100  # policies that were replaced: what they allowed then stays allowed in the story
DEFAULT_POLICY = Policy(agent="op-none", timestamp=datetime.fromisoformat("2026-01-01T00:00:00+00:00"), revision=1)


class LawRefusedError(ValueError):
    """A law message that does not count: not by an operator, or not newer than what is known."""


class OlderLawError(LawRefusedError):
    """The bus offers a revision that this machine already knows, or an older one."""


class ForkedLawError(LawRefusedError):
    """Two different messages of one revision, both genuine: somebody shows each machine another law."""


class Answers(Struct, frozen=True, kw_only=True):
    """What one revision of the policy said, and from when on."""

    revision: int
    since: datetime
    answers: dict[RiskName, Answer]


class Law(Struct, frozen=True, kw_only=True):
    fleet: str
    root: str  # the pinned public key
    roster: Roster | None = None
    members: dict[str, Member] = {}
    invitations: dict[str, Invitation] = {}
    used: frozenset[str] = frozenset()  # codes of memberships that were replaced since: they stay used
    policy: Policy = DEFAULT_POLICY
    policy_known: bool = False
    policies: tuple[Answers, ...] = ()  # the replaced ones, oldest first
    baseline: Baseline | None = None
    campaign: Campaign | None = None
    partial: bool = False  # it was kept by another version of roosync, which may not have known every field of it

    def admit(self, heard: Heard) -> "Law":
        """The law with this message in it; LawRefusedError says why it does not count."""
        message = heard.message
        if not isinstance(message, LawMessage):
            raise LawRefusedError(f"{type(message).__name__} is not law")
        known = self._known(message)
        if known and (message.revision < known.revision or message == known):
            if isinstance(message, Policy) and (policies := self._with_missed(message, heard)):
                return replace(self, policies=policies)
            # Before the signer is looked at: the whole law is read again, also what a revoked operator signed in time.
            raise OlderLawError(f"{heard.subject} has revision {message.revision}; {known.revision} is known already")
        self._check_signer(heard)
        if known and message.revision == known.revision and not (self.partial and _completes(message, known)):
            raise ForkedLawError(
                f"there are two different revisions {known.revision} on {heard.subject}, both genuine: the broker may "
                "show each machine another law; the first one seen is kept until an operator signs a newer one"
            )
        match message:
            case Roster():
                self._check_roster(message, heard)
                return replace(self, roster=message)
            case Member():
                if is_operator(message.machine):
                    raise LawRefusedError(f"{message.machine!r} is a name of an operator, not of a machine")
                before, used = self.members.get(message.machine), self.used
                if before and before.invitation and before.invitation != message.invitation:
                    used |= {before.invitation}
                return replace(self, members={**self.members, message.machine: message}, used=used)
            case Invitation():
                return replace(self, invitations={**self.invitations, message.id: message})
            case Policy():
                return replace(self, policy=message, policy_known=True, policies=self._policies()[-REMEMBERED:])
            case Baseline():
                return replace(self, baseline=message)
            case Campaign():
                return replace(self, campaign=message)
        raise LawRefusedError(f"{type(message).__name__} is a law this version does not know")

    def operator_key(self, name: str) -> str | None:
        operator = self.roster.operators.get(name) if self.roster else None
        return operator.key if operator and not operator.revoked else None

    def speaker_key(self, name: str) -> str | None:
        """The key that may speak as `name`, operator or machine; None when nobody may."""
        if is_operator(name):
            return self.operator_key(name)
        member = self.members.get(name)
        return member.key if member and not member.revoked else None

    def ever_key(self, name: str) -> str | None:
        """The key of a speaker, also of one revoked since: what was said before still stands."""
        if is_operator(name):
            operator = self.roster.operators.get(name) if self.roster else None
            return operator.key if operator else None
        member = self.members.get(name)
        return member.key if member else None

    def genuine(self, heard: Heard) -> bool:
        """Was it said by whom the subject says?"""
        return self.ever_key(heard.speaker) == heard.signer

    def machines(self) -> list[str]:
        """The machines that are expected: members not revoked, by name."""
        return sorted(name for name, member in self.members.items() if not member.revoked)

    @property
    def founder(self) -> str:
        """The machine where the fleet was founded: the one that joined without a code; "" when that is not known."""
        found = [name for name, member in self.members.items() if member.invitation is None]
        return found[0] if len(found) == 1 else ""

    def may_orchestrate(self, machine: str) -> bool:
        member = self.members.get(machine)
        return bool(member and not member.revoked and member.may_orchestrate)

    def paused(self, machine: str) -> bool:
        return self.policy.paused or machine in self.policy.paused_machines

    @property
    def policy_revision(self) -> int:
        """0 while the fleet has no policy and the default one holds."""
        return self.policy.revision if self.policy_known else 0

    def answers_of(self, revision: int) -> Mapping[RiskName, Answer] | None:
        """What that revision of the policy said; None when this machine does not remember it.

        Revision 0 is what holds while no operator has signed one; afterwards nothing rests on it.
        """
        if revision == 0 and self.policy_known:
            return None
        return next((known.answers for known in self._policies() if known.revision == revision), None)

    def forgot(self, revision: int) -> bool:
        """Is that revision of the policy past, and not remembered here?

        It is older than all that is remembered; or the broker lost it when it was put back to a backup. Revisions have
        no gaps, so an operator signed it: only who heard it in its time knows what it said.
        """
        return 0 < revision < self.policy_revision and self.answers_of(revision) is None

    def answers_at(self, when: datetime) -> Mapping[RiskName, Answer]:
        """What the policy said at a moment of the past, as far as this machine remembers."""
        policies = self._policies()
        return next((known.answers for known in reversed(policies) if known.since <= when), policies[0].answers)

    def _policies(self) -> tuple[Answers, ...]:
        """All that are remembered, oldest first, with the one in force."""
        since = self.policy.timestamp if self.policy_known else datetime.min.replace(tzinfo=UTC)
        return (*self.policies, Answers(revision=self.policy_revision, since=since, answers=self.policy.answers))

    def _with_missed(self, policy: Policy, heard: Heard) -> tuple[Answers, ...] | None:
        """The replaced policies with one that was not heard in its time; None when it adds nothing, or is not genuine.

        It is in force no more, and yet what rests on it stays allowed in the story: without it this machine would read
        records in another way than those who heard it.
        """
        here = Answers(revision=policy.revision, since=policy.timestamp, answers=policy.answers)
        if self.operator_key(heard.speaker) != heard.signer or policy.revision >= self.policy.revision:
            return None
        if any(known.revision == policy.revision for known in self.policies):
            return None
        policies = tuple(sorted((*self.policies, here), key=lambda one: one.revision))[-REMEMBERED:]
        return policies if here in policies else None

    def open_invitations(self, now: datetime) -> list[Invitation]:
        """Codes that may still be used: not expired, not withdrawn, and nobody joined with them."""
        used = self.used_codes()
        return [
            invitation
            for invitation in self.invitations.values()
            if not invitation.withdrawn
            and invitation.id not in used
            and (invitation.expires is None or invitation.expires > now)
        ]

    def used_codes(self) -> frozenset[str]:
        """Codes with which somebody joined, ever: whoever was revoked and came back does not open the first one."""
        return self.used | {member.invitation for member in self.members.values() if member.invitation}

    def expiry(self, machine: str) -> datetime | None:
        """When this machine must stop applying by itself, unless the law is renewed."""
        dates = [_end(law) for law in (self.roster, self.members.get(machine)) if law]
        return min(dates, default=None)

    def next_revision(self, message: LawMessage) -> int:
        known = self._known(message)
        return known.revision + 1 if known else 1

    def _check_signer(self, heard: Heard) -> None:
        if self.roster is None:
            if heard.signer != self.root:
                raise LawRefusedError(f"{heard.subject} is not signed by the root key this machine pinned")
            if not isinstance(heard.message, Roster):
                raise LawRefusedError("law before the first roster")
        elif self.operator_key(heard.speaker) != heard.signer:
            raise LawRefusedError(f"{heard.speaker!r} is no operator of this fleet with that key")

    def _check_roster(self, roster: Roster, heard: Heard) -> None:
        if self.roster and (gone := self.roster.operators.keys() - roster.operators.keys()):
            raise LawRefusedError(f"operators are revoked, never dropped: {', '.join(sorted(gone))}")
        signer = roster.operators.get(heard.speaker)
        if signer is None or (self.roster is None and signer.key != self.root):
            raise LawRefusedError("a roster that leaves out the operator who signs it would lock the fleet")
        if all(operator.revoked for operator in roster.operators.values()):
            raise LawRefusedError("a roster in which every operator is revoked would lock the fleet")
        if len({operator.key for operator in roster.operators.values()}) < len(roster.operators):
            raise LawRefusedError("two operators with one key would be two approvals by one person")

    def _known(self, message: LawMessage) -> LawMessage | None:
        match message:
            case Roster():
                return self.roster
            case Member():
                return self.members.get(message.machine)
            case Invitation():
                return self.invitations.get(message.id)
            case Policy():
                return self.policy if self.policy_known else None
            case Baseline():
                return self.baseline
            case Campaign():
                return self.campaign
        return None


def _completes(message: LawMessage, known: LawMessage) -> bool:
    """Is it the same law, with what the version that kept it did not know yet?"""
    return all(
        getattr(message, one.name) == (had := getattr(known, one.name)) or had == _default(one)
        for one in fields(type(known))
    )


def _default(field: FieldInfo) -> object:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def _end(law: LawMessage) -> datetime:
    """Nothing that must be renewed lives for ever, also when whoever signed it named no end."""
    return law.timestamp + LIFETIME if law.expires is None else law.expires
