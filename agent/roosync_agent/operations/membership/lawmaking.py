"""What only an operator can do: sign law. Each function needs a session opened with the operator's key.

A law message is posted by compare-and-swap on its subject, so of two operators at once one is told to look
again. Roster and memberships are renewed in passing, long before they expire.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from roosync_agent.operations.audited import audited
from roosync_agent.session import Session
from roosync_broker.errors import UnavailableError
from roosync_broker.keys import KeyPair
from roosync_broker.link import Expect
from roosync_protocol.law import LIFETIME, Law
from roosync_protocol.messages import Baseline, Campaign, Invitation, Member, Operator, Policy, Roster
from roosync_protocol.messages import Law as LawMessage
from roosync_protocol.names import known as known_names
from roosync_protocol.names import machine_id, token

BEHIND = 5.0  # seconds that a copy of the law on another node may be behind
RENEW_BEFORE = timedelta(days=75)  # what has less time left than this is renewed in passing


class RefusedRequestError(Exception):
    """The request makes no sense as things stand; says why, and what would."""


class NotYetError(RefusedRequestError):
    """Nobody did anything wrong: something has to come first, and the message says what."""


async def enact(session: Session, make: Callable[[], LawMessage]) -> LawMessage:
    """Posts a law message as its next revision. `make` is called with the law read from the bus just now, and again.

    The sequence that is compared is read before the law that the message rests on: what another operator signed in
    between makes the comparison fail, and not a second message of one revision. StaleError when another operator was
    faster: nothing was changed, and the caller may ask again.
    """
    await session.refresh_law()
    record = session.subjects.of(make()).rsplit(".", 1)[0] + ".*"
    known = await session.link.last(session.subjects.stream("LAW"), [record])
    sequence = max((stored.sequence for stored in known), default=0)
    await session.refresh_law()
    message = make()
    message = replace(message, revision=session.fleet.law.next_revision(message))
    action, about = _told(message, session.fleet.law)
    async with audited(session, action, about):
        receipt = await session.say(message, expect=Expect(sequence, record))
    await _read_back(session, receipt.sequence)
    if session.fleet.law.next_revision(message) <= message.revision:
        raise RefusedRequestError(
            f"this was stored, and is no law for anybody: {session.name} is no operator of this fleet with that key, or"
            " another law of the same revision was first; `roosync history` names who changes the law"
        )
    return message


async def _read_back(session: Session, sequence: int) -> None:
    """Reads the law until what was stored there is among it: another node's copy may be behind for a moment."""
    end = asyncio.get_running_loop().time() + BEHIND
    await session.refresh_law()
    while (
        session.law_read is None or session.law_read.sequence < sequence
    ) and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)
        await session.refresh_law()
    if session.law_read is None or session.law_read.sequence < sequence:
        raise UnavailableError(
            "this was stored, and can not be read back yet: the broker's nodes are not in step; look whether it counts"
            " with `roosync history`, before it is asked again"
        )


def _told(message: LawMessage, law: Law) -> tuple[str, str]:
    """What this law does, and to whom, in the words of the audit."""
    match message:
        case Member(machine=machine, revoked=revoked):
            known = law.members.get(machine)
            if known is None or known.revoked:
                return ("revoke" if revoked else "enrol"), machine
            labels = _label_changes(known.labels, message.labels)
            return ("revoke" if revoked else f"label {labels}"[:400] if labels else "renew membership"), machine
        case Policy(paused=paused, paused_machines=machines) as policy:
            old, whole = law.policy, law.fleet
            if (paused, machines) != (old.paused, old.paused_machines) or policy.resumed != old.resumed:
                more = paused > old.paused or machines > old.paused_machines
                changed = sorted(machines ^ old.paused_machines) or [m for m in policy.resumed if m not in old.resumed]
                return ("pause" if more else "release pause"), whole if paused != old.paused else " ".join(changed)
            return "set policy", f"policy {message.revision}"
        case Baseline(version=version, revision=revision):
            return "publish baseline", f"{version} revision {revision}"
        case Campaign(id=id_, version=version, withdrawn=withdrawn):
            return ("withdraw update" if withdrawn else "require update"), f"{version} {id_}"
        case Invitation(id=id_):
            return "invite", id_
    return "set roster" if law.roster else "found fleet", law.fleet


def _label_changes(before: dict[str, str], after: dict[str, str]) -> str:
    """As a person writes them: `role=dev site-`."""
    given = [f"{key}={value}" for key, value in sorted(after.items()) if before.get(key) != value]
    return " ".join([*given, *(f"{key}-" for key in sorted(before.keys() - after.keys()))])


async def found(session: Session, machine: str, machine_key: str, certificate: str | None) -> None:
    """The first law of a fleet: its roster, its policy, and its first member."""
    now = session.now()
    roster = Roster(
        agent=session.name,
        timestamp=now,
        revision=1,
        expires=now + LIFETIME,
        operators={session.name: Operator(key=session.keys.public)},
        certificate=certificate,
    )
    await enact(session, lambda: roster)
    await enact(session, lambda: Policy(agent=session.name, timestamp=now, revision=1))
    await admit(session, machine, machine_key)


async def admit(
    session: Session, machine: str, key: str, *, may_orchestrate: bool = True, invitation: str | None = None
) -> Member:
    """Makes a machine a member. RefusedRequestError when the name belongs to a machine with another key.

    Who is a member keeps its labels; who comes back after a revocation has none: nobody spoke of it as it is now.
    """
    machine_id(machine)

    def make() -> Member:
        known = session.fleet.law.members.get(machine)
        if known and not known.revoked and known.key != key:
            raise RefusedRequestError(
                f"{machine!r} is a member already, with another key: revoke it first, or join under another name"
            )
        return Member(
            agent=session.name,
            timestamp=session.now(),
            revision=1,
            expires=session.now() + LIFETIME,
            machine=machine,
            key=key,
            may_orchestrate=may_orchestrate,
            returned=session.now() if known and known.revoked else known.returned if known else None,
            invitation=invitation,
            labels=known.labels if known and not known.revoked else {},
        )

    made = await enact(session, make)
    assert isinstance(made, Member)
    return made


async def revoke(session: Session, machine: str) -> Member:
    """Ends a membership; the broker ends the machine's connection as soon as its keeper reads this."""

    def make() -> Member:
        known = revocable(session, machine)
        return replace(known, agent=session.name, timestamp=session.now(), revoked=True)

    made = await enact(session, make)
    assert isinstance(made, Member)
    return made


def revocable(session: Session, machine: str) -> Member:
    """The membership that would end. RefusedRequestError when there is none."""
    known = session.fleet.law.members.get(machine)
    if known is None:
        raise _no_member(session, machine)
    if known.revoked:
        raise RefusedRequestError(f"{machine!r} was revoked already, on {known.timestamp:%Y-%m-%d %H:%M} UTC")
    return known


async def pause(session: Session, machine: str | None) -> Policy:
    """Automatic application off, for the fleet or one machine."""
    return await _policy(session, lambda policy: paused(session, policy, machine))


async def resume(session: Session, machine: str | None) -> Policy:
    """Automatic application on again; also ends a pause that a machine made by itself."""
    return await _policy(session, lambda policy: resumed(session, policy, machine))


def resumed(session: Session, policy: Policy, machine: str | None) -> Policy:
    """The policy with a pause ended. RefusedRequestError for a stranger."""
    now = session.now()
    if machine is None:
        everybody = dict.fromkeys(session.fleet.law.machines(), now)
        return replace(policy, paused=False, paused_machines=frozenset(), resumed=everybody)
    _known(session, machine)
    return replace(policy, paused_machines=policy.paused_machines - {machine}, resumed={**policy.resumed, machine: now})


async def add_observer(session: Session, name: str) -> KeyPair:
    """A credential that reads the whole story and can say nothing; its seed is shown once and kept nowhere."""
    token(name)
    pair = KeyPair.generate()

    def make() -> Roster:
        roster = _roster(session)
        return replace(
            roster, agent=session.name, timestamp=session.now(), observers={**roster.observers, name: pair.public}
        )

    await enact(session, make)
    return pair


async def renew(session: Session, *, always: bool = False) -> list[str]:
    """Renews what would expire; returns whose law was renewed. Called at the end of every signed command."""
    renewed = []
    horizon = session.now() + RENEW_BEFORE
    law = session.fleet.law
    due: list[Roster | Member] = [law.roster] if law.roster else []
    due += [member for member in law.members.values() if not member.revoked]
    for old in due:
        if always or (old.expires is not None and old.expires < horizon):
            try:
                await enact(session, lambda old=old: _renewed(session, old))  # type: ignore[misc]
            except _GoneError:
                continue
            renewed.append(old.machine if isinstance(old, Member) else "roster")
    return renewed


class _GoneError(Exception):
    """There is nothing to renew any more."""


def _renewed(session: Session, old: Roster | Member) -> Roster | Member:
    """As it stands at this moment: what others signed since, a revocation or a label, is not taken back."""
    law = session.fleet.law
    now = law.members.get(old.machine) if isinstance(old, Member) else law.roster
    if now is None or (isinstance(now, Member) and now.revoked):
        raise _GoneError
    return replace(now, agent=session.name, timestamp=session.now(), expires=session.now() + LIFETIME)


async def _policy(session: Session, change: Callable[[Policy], Policy]) -> Policy:
    def make() -> Policy:
        return replace(change(session.fleet.law.policy), agent=session.name, timestamp=session.now())

    made = await enact(session, make)
    assert isinstance(made, Policy)
    return made


def paused(session: Session, policy: Policy, machine: str | None) -> Policy:
    """The policy with a pause. RefusedRequestError for a stranger."""
    if machine is None:
        return replace(policy, paused=True)
    _known(session, machine)
    return replace(policy, paused_machines=policy.paused_machines | {machine})


def _known(session: Session, machine: str) -> None:
    if machine not in session.fleet.law.machines():
        raise _no_member(session, machine)


def _no_member(session: Session, machine: str) -> RefusedRequestError:
    there = known_names(machine, session.fleet.law.machines())
    return RefusedRequestError(f"{machine!r} is no member of this fleet; its machines are {there}")


def _roster(session: Session) -> Roster:
    roster = session.fleet.law.roster
    if roster is None:
        raise RefusedRequestError("this fleet has no roster yet; run `roosync init` again")
    return roster
