"""The law of a fleet, folded from what its operators signed, as one machine believes it.

A machine pins one key, the root. From there each step proves the next: the first roster is signed by
the root, later ones by an operator of the roster before. Every kind has a revision that only grows;
a machine keeps the highest it saw, so a broker restored from a backup can not lead it back (6-trust).
"""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.envelope import Heard
from roosync_protocol.messages import Baseline, Invitation, Member, Policy, Roster
from roosync_protocol.messages.base import Law as LawMessage
from roosync_protocol.names import is_operator

LIFETIME = timedelta(days=90)  # of roster and memberships; past it a machine stops applying by itself
WARN_BEFORE = timedelta(days=14)
DEFAULT_POLICY = Policy(agent="op-none", timestamp=datetime.fromisoformat("2026-01-01T00:00:00+00:00"), revision=1)


class LawRefusedError(ValueError):
    """A law message that does not count: not by an operator, or not newer than what is known."""


class OlderLawError(LawRefusedError):
    """The bus offers a revision that this machine already knows, or an older one."""


class Law(Struct, frozen=True, kw_only=True):
    fleet: str
    root: str  # the pinned public key
    roster: Roster | None = None
    members: dict[str, Member] = {}
    invitations: dict[str, Invitation] = {}
    policy: Policy = DEFAULT_POLICY
    policy_known: bool = False
    baseline: Baseline | None = None

    def admit(self, heard: Heard) -> "Law":
        """The law with this message in it; LawRefusedError says why it does not count."""
        message = heard.message
        if not isinstance(message, LawMessage):
            raise LawRefusedError(f"{type(message).__name__} is not law")
        self._check_signer(heard)
        known = self._revision_known(message)
        if message.revision <= known:
            raise OlderLawError(f"{heard.subject} has revision {message.revision}; {known} is known already")
        match message:
            case Roster():
                if heard.speaker not in message.operators:
                    raise LawRefusedError("a roster that leaves out the operator who signs it would lock the fleet")
                if self.roster and (gone := self.roster.operators.keys() - message.operators.keys()):
                    raise LawRefusedError(f"operators are revoked, never dropped: {', '.join(sorted(gone))}")
                return replace(self, roster=message)
            case Member():
                if is_operator(message.machine):
                    raise LawRefusedError(f"{message.machine!r} is a name of an operator, not of a machine")
                return replace(self, members={**self.members, message.machine: message})
            case Invitation():
                return replace(self, invitations={**self.invitations, message.id: message})
            case Policy():
                return replace(self, policy=message, policy_known=True)
            case Baseline():
                return replace(self, baseline=message)
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

    def may_orchestrate(self, machine: str) -> bool:
        member = self.members.get(machine)
        return bool(member and not member.revoked and member.may_orchestrate)

    def paused(self, machine: str) -> bool:
        return self.policy.paused or machine in self.policy.paused_machines

    def open_invitations(self, now: datetime) -> list[Invitation]:
        """Codes that may still be used: not expired, not withdrawn, and nobody joined with them."""
        used = {member.invitation for member in self.members.values()}
        return [
            invitation
            for invitation in self.invitations.values()
            if not invitation.withdrawn
            and invitation.id not in used
            and (invitation.expires is None or invitation.expires > now)
        ]

    def expiry(self, machine: str) -> datetime | None:
        """When this machine must stop applying by itself, unless the law is renewed."""
        dates = [law.expires for law in (self.roster, self.members.get(machine)) if law and law.expires]
        return min(dates, default=None)

    def next_revision(self, message: LawMessage) -> int:
        return self._revision_known(message) + 1

    def _check_signer(self, heard: Heard) -> None:
        if self.roster is None:
            if heard.signer != self.root:
                raise LawRefusedError(f"{heard.subject} is not signed by the root key this machine pinned")
            if not isinstance(heard.message, Roster):
                raise LawRefusedError("law before the first roster")
        elif self.operator_key(heard.speaker) != heard.signer:
            raise LawRefusedError(f"{heard.speaker!r} is no operator of this fleet with that key")

    def _revision_known(self, message: LawMessage) -> int:
        known: LawMessage | None
        match message:
            case Roster():
                known = self.roster
            case Member():
                known = self.members.get(message.machine)
            case Invitation():
                known = self.invitations.get(message.id)
            case Policy():
                known = self.policy if self.policy_known else None
            case Baseline():
                known = self.baseline
            case _:
                known = None
        return known.revision if known else 0
