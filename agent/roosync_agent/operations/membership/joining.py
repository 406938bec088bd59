"""Invite, join, admit: how a machine becomes a member, with the same fingerprint seen on both sides.

A code is one line: where the broker is, what its certificate and the fleet's root key are, and a key of its
own that may ask to join until it expires, and do nothing else. It is worth as much as the way it travels:
whoever reads it may ask, but is admitted only if the operator confirms the fingerprint.
"""

import asyncio
import platform
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.operations.membership.codes import Code, read_code
from roosync_agent.operations.membership.lawmaking import RefusedRequestError, admit, enact
from roosync_agent.session import Session, new_operation
from roosync_agent.settings import Settings, proposed_machine
from roosync_agent.state import Identity, State
from roosync_broker import keys
from roosync_broker.children import OneAtATime
from roosync_broker.errors import NobodyListensError, RefusedError, UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair, fingerprint, verify
from roosync_broker.link import Link, Stored
from roosync_broker.permissions import joiner_name
from roosync_broker.tls import fetch_pinned
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Enrolment, Invitation, Member
from roosync_protocol.names import machine_id
from roosync_protocol.subjects import Subjects

LIFETIME = timedelta(minutes=15)
INVITED_WITHIN, ADMITTED_WITHIN = 5.0, 10.0  # seconds until what was just signed has to count at the broker


class Asking(Struct, frozen=True, kw_only=True):
    """A machine that asks to be admitted, as the operator sees it."""

    code: str
    machine: str
    fingerprint: str
    key: str
    host: str
    system: str
    may_orchestrate: bool


class Joined(Struct, frozen=True, kw_only=True):
    fleet: str
    machine: str
    fingerprint: str
    broker: str
    admitted_by: str


async def invite(
    session: Session,
    url: str,
    certificate: str | None,
    *,
    machine: str | None = None,
    lifetime: timedelta = LIFETIME,
    may_orchestrate: bool = True,
) -> Code:
    """Signs an invitation into law and returns its code."""
    if machine is not None and machine_id(machine) in session.fleet.law.machines():
        raise RefusedRequestError(f"{machine!r} is a member already; revoke it first, or choose another name")
    pair, expires = KeyPair.generate(), session.now() + lifetime
    invitation = Invitation(
        agent=session.name,
        timestamp=session.now(),
        revision=1,
        expires=expires,
        id="i-" + new_operation()[2:14],
        key=pair.public,
        machine=machine,
        may_orchestrate=may_orchestrate,
    )
    await enact(session, lambda: invitation)
    return Code(
        fleet=session.subjects.fleet,
        url=url,
        certificate=certificate,
        root=session.fleet.law.root,
        id=invitation.id,
        seed=pair.seed,
        expires=int(expires.timestamp()),
        machine=machine,
    )


def waiting(session: Session, now: datetime) -> list[Asking]:
    """Who asks to join with a code that still counts. One code admits one machine."""
    open_codes = {invitation.id: invitation for invitation in session.fleet.law.open_invitations(now)}
    asking = []
    for (code, machine), heard in sorted(session.fleet.enrolments.items()):
        invitation, message = open_codes.get(code), heard.message
        if invitation is None or not isinstance(message, Enrolment) or heard.signer != message.key:
            continue
        if invitation.machine not in (None, machine) or machine in session.fleet.law.machines():
            continue
        asking.append(
            Asking(
                code=code,
                machine=machine,
                fingerprint=fingerprint(message.key),
                key=message.key,
                host=message.host,
                system=message.system,
                may_orchestrate=invitation.may_orchestrate,
            )
        )
    return asking


async def arrivals(session: Session, code: str | None, until: datetime) -> AsyncIterator[Asking]:
    """Each machine that asks, as it asks, until the time is over."""
    wake = asyncio.Event()

    def on_fact(stored: Stored) -> None:
        session.take(stored)
        wake.set()

    subscription = await session.link.follow([session.subjects.fact("enrol")], on_fact)
    told: set[tuple[str, str]] = set()
    try:
        await session.refresh_enrolments()
        while True:
            for asking in waiting(session, session.now()):
                asked_before = (asking.code, asking.key) in told
                if code in (None, asking.code) and not asked_before and asking in waiting(session, session.now()):
                    told.add((asking.code, asking.key))
                    yield asking
            wake.clear()
            left = (until - session.now()).total_seconds()
            try:
                await asyncio.wait_for(wake.wait(), max(0.0, left))
            except TimeoutError:
                return
    finally:
        await subscription.close()


async def confirm(session: Session, asking: Asking) -> Member:
    """Admits the machine whose fingerprint was confirmed; RefusedRequestError when its code was used meanwhile."""
    await session.refresh_law()
    if asking.code in session.fleet.law.used_codes() or asking.machine in session.fleet.law.machines():
        raise RefusedRequestError(
            f"{asking.machine} was not admitted: the code was used by another machine meanwhile, and admits one; "
            "`roosync invite` makes another"
        )
    return await admit(
        session,
        asking.machine,
        asking.key,
        may_orchestrate=asking.may_orchestrate,
        invitation=asking.code,
    )


async def prepare_to_join(
    settings: Settings, state: State, text: str, machine: str | None
) -> tuple[Code, str, KeyPair]:
    """The code, the name and the key this machine will ask with. Nothing was sent yet.

    A machine that was revoked may join its fleet again from the same folder, with another key than the one that
    was taken from it.
    """
    known = state.identity()
    code = read_code(text) if known is None else await _code_to_return(settings, state, known, text)
    name = machine_id(machine or settings.machine or (known or code).machine or proposed_machine())
    if code.machine not in (None, name):
        raise RefusedRequestError(f"the code is for a machine named {code.machine!r}, and this one is {name!r}")
    if known is not None:
        return code, name, KeyPair.generate()
    state.prepare()
    if state.machine_key.exists():
        pair = KeyPair.from_seed(keys.load(state.machine_key))
    else:
        pair = KeyPair.generate()
        keys.save(state.machine_key, pair.seed)
    return code, name, pair


async def _code_to_return(settings: Settings, state: State, known: Identity, text: str) -> Code:
    """The code with which a revoked machine joins its fleet again; RefusedRequestError when it does not need one."""
    belongs = RefusedRequestError(
        f"{state.folder} belongs to the fleet {known.fleet!r} already; another fleet needs another ROOSYNC_STATE"
    )
    try:
        code = read_code(text)
    except RefusedRequestError:
        raise belongs from None
    if known.embedded or (code.fleet, code.root) != (known.fleet, known.root):
        raise belongs
    url, taken = settings.nats or code.url, KeyPair.from_seed(keys.load(state.machine_key))
    certificate = await fetch_pinned(url, code.certificate) if code.certificate else None
    try:
        link = await connect(url, taken, name=known.machine, certificate=certificate, keyless=known.keyless, timeout=10)
    except RefusedError:
        return code
    await link.close()
    law = state.law()  # a broker that asks nobody for a key refuses nobody
    member = law.members.get(known.machine) if law else None
    if member is not None and member.revoked:
        return code
    raise belongs


async def join(settings: Settings, state: State, code: Code, name: str, pair: KeyPair) -> Joined:
    """Asks, waits for the operator, and keeps what proves the fleet. Times out with the code."""
    url = settings.nats or code.url
    certificate = await fetch_pinned(url, code.certificate) if code.certificate else None
    guest = KeyPair.from_seed(code.seed)
    state.prepare()
    lock = OneAtATime(state.run / "agent.lock")
    if not lock.acquire():
        raise RefusedRequestError(f"an agent runs on {state.folder} with the old key: stop it, then join again")
    try:
        try:
            link = await _patiently(url, guest, joiner_name(code.id), certificate, INVITED_WITHIN, there=True)
        except RefusedError as error:
            raise RefusedRequestError("the code is over, was used, or was withdrawn; ask for a new one") from error
        known = state.law()  # of who comes back: nobody offers it an older law than it believed
        same = known is not None and (known.fleet, known.root) == (code.fleet, code.root)
        law = known if known and same else Law(fleet=code.fleet, root=code.root)
        session = Session(link, Subjects(code.fleet), pair, name, Fleet(law, verify))
        try:
            member = await _ask(session, code, name, pair)
        finally:
            await session.close()
        roster = session.fleet.law.roster
        identity = Identity(
            fleet=code.fleet,
            machine=name,
            root=code.root,
            url=url,
            certificate=certificate or (roster.certificate if roster else None),
        )
        identity = replace(identity, keyless=await _first_connection(identity, pair))
        keys.save(state.machine_key, pair.seed)
        state.save_law(session.fleet.law)
        state.save_identity(identity)
    finally:
        lock.release()
    return Joined(
        fleet=code.fleet, machine=name, fingerprint=fingerprint(pair.public), broker=url, admitted_by=member.agent
    )


async def _ask(session: Session, code: Code, name: str, pair: KeyPair) -> Member:
    answered = asyncio.Event()

    def on_fact(stored: Stored) -> None:
        session.take(stored)
        answered.set()

    facts = [session.subjects.fact("member"), session.subjects.fact("roster")]
    facts = [fact.rsplit(".", 2)[0] + ".>" for fact in facts]
    await session.link.follow(facts, on_fact)
    await session.refresh_law()
    if session.fleet.law.roster is None:
        raise RefusedRequestError(
            "the broker shows no roster signed by the root key of this code: it is not the fleet's broker, "
            "or the code is not from its operator. Nothing was changed here."
        )
    await session.say(
        Enrolment(
            agent=name,
            timestamp=session.now(),
            code=code.id,
            key=pair.public,
            host=platform.node()[:200],
            system=f"{platform.system()} {platform.release()}"[:200],
        )
    )
    while True:
        member = session.fleet.law.members.get(name)
        if member and not member.revoked and member.key == pair.public:
            return member
        answered.clear()
        left = code.expires - session.now().timestamp()
        try:
            await asyncio.wait_for(answered.wait(), max(0.0, left))
        except TimeoutError:
            raise RefusedRequestError(
                "nobody confirmed this machine before the code was over. Ask the operator for a new one."
            ) from None


async def _first_connection(identity: Identity, pair: KeyPair) -> bool:
    """Whether the broker asks nobody for a key."""
    link = await _patiently(identity.url, pair, identity.machine, identity.certificate, ADMITTED_WITHIN)
    keyless = link.keyless
    await link.close()
    return keyless


async def _patiently(
    url: str, pair: KeyPair, name: str, certificate: str | None, seconds: float, *, there: bool = False
) -> Link:
    """A first connection with rights that were signed a moment ago: the keeper has to read them and write them.

    It does within milliseconds; longer when it has to come back itself, after `invite` turned the listener to TLS.
    `there`: the broker is up since before the code was printed, so it is not waited for where nobody listens.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            return await connect(
                url,
                pair,
                name=name,
                certificate=certificate,
                keyless=certificate is None,
                timeout=5,
                patient=not there,
                on_error=lambda error: None,  # until the permissions are there a refusal is no news
            )
        except (RefusedError, UnavailableError) as error:
            if loop.time() > deadline or (there and isinstance(error, NobodyListensError)):
                raise
            await asyncio.sleep(0.25)
