"""What the machines lack for a change, each asked directly at this moment; and the answer of this one.

A baseline may bring a server whose program is not on a machine's path, or whose secret that machine never had. A
person who answers should know it before, and not from a failed apply. Each machine looks for itself: on the path of
its agent, in its own files, in its list of what the keyring keeps. Silence is silence, and is told as that.
"""

import asyncio
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace as with_fields
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct

from roosync_agent.applying.known_secrets import secrets_for
from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.reference import BASELINE, NothingToCompareError
from roosync_agent.keyring_store import KeyringError, KeyringStore
from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.decisions.seen import whole
from roosync_broker.errors import BusError, NoResponderError
from roosync_broker.keys import verify
from roosync_broker.link import Stored, Subscription
from roosync_broker.tasks import end
from roosync_protocol import needs
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.messages import Decision
from roosync_protocol.names import Value
from roosync_protocol.needs import Asked, Need, NotSaidError, Told, needs_of
from roosync_protocol.package import HostilePackageError
from roosync_protocol.portable import UnknownTokenError, to_local
from roosync_protocol.programs import Program, programs
from roosync_protocol.secrets import addresses
from roosync_protocol.servers.sharing import shared

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

PATIENCE = 1.0  # seconds for an answer
ALTOGETHER = 4  # times that, for all machines of one question
AT_ONCE = 64  # machines that are asked at the same time
ANSWERED_AT_ONCE = 2  # questions that this machine works on
WAITING = 20  # questions that wait for that; whoever comes then is left without an answer
OF_ONE = 8  # of those by one asker: nobody's flood keeps the others from an answer
OLD = "its agent is of a version before this question"
AWAY = "the broker does not answer at this moment, so it could not be asked"


class Item(Struct, frozen=True, kw_only=True):
    """One thing to ask a machine about, and the value it is about, as the asker knows it."""

    asked: Asked
    entity: Entity
    digest: str


class Said(Struct, frozen=True, kw_only=True):
    """What one machine said of one thing. `why`: it said nothing."""

    lacks: tuple[Need, ...] = ()
    unsure: tuple[Need, ...] = ()
    why: str = ""


# -- asking


async def ask_each(
    machine: "Machine", asked: Mapping[str, Sequence[Item]], patience: float = PATIENCE
) -> dict[str, list[Said]]:
    """What each machine says of each of its items, in their order. About what needs nothing nobody is asked.

    A thousand machines that hang keep nobody waiting: after ALTOGETHER times `patience` who has not answered is silent.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, items: Sequence[Item]) -> list[Said]:
        async with room:
            return await _ask(machine, name, items, patience)

    tasks = {name: asyncio.create_task(one(name, items)) for name, items in asked.items()}
    late: set[asyncio.Task[list[Said]]] = set()
    try:
        if tasks:
            _, late = await asyncio.wait(tasks.values(), timeout=ALTOGETHER * patience)
    finally:
        await end(tasks.values())
    silent = Said(why=f"no answer within {ALTOGETHER * patience:g} s, with many others to be asked")
    return {name: [silent] * len(asked[name]) if task in late else task.result() for name, task in tasks.items()}


async def _ask(machine: "Machine", name: str, items: Sequence[Item], patience: float) -> list[Said]:
    needed = [frozenset(needs_of(item.entity)) for item in items]
    left = [at for at, of in enumerate(needed) if of]
    said = [Said()] * len(items)
    for start in range(0, len(left), needs.MOST_ASKED):
        part = left[start : start + needs.MOST_ASKED]
        try:
            told = await _told(machine, name, [items[at].asked for at in part], [needed[at] for at in part], patience)
        except (BusError, NotSaidError) as error:
            why = await _silence(machine, name, error, patience)
            for at in left[start:]:
                said[at] = Said(why=why)
            break
        for at, one in zip(part, told, strict=True):
            said[at] = _said(one, items[at].digest)
    return said


def _said(told: Told, digest: str) -> Said:
    if told.why:
        return Said(why=told.why)
    if told.wanted != digest:
        return Said(why="it is asked for another value by now: look again")
    return Said(lacks=told.lacks, unsure=told.unsure)


async def _told(
    machine: "Machine", name: str, asked: list[Asked], needed: list[frozenset[Need]], patience: float
) -> Sequence[Told]:
    session, law = machine.session, machine.fleet.law
    nonce = secrets.token_hex(16)
    question = needs.Question(fleet=law.fleet, machine=name, asker=session.name, nonce=nonce, asked=tuple(asked))
    if name == machine.name:
        return await Answering(machine).about(question)
    subject = session.subjects.call(name, needs.VERB, session.name)
    data = await session.link.request(subject, needs.ask(question, session.keys.public, session.keys.sign), patience)
    return needs.read_reply(data, question, needed, law, verify)


async def _silence(machine: "Machine", name: str, error: Exception, patience: float) -> str:
    """Why nothing was said, for a person: an agent of the release before serves pings, and not this."""
    if isinstance(error, NotSaidError):
        return str(error)
    if not machine.session.reachable:
        return AWAY
    if isinstance(error, NoResponderError):
        row = (await pinging.ping_all(machine, [name], patience))[0]
        return OLD if row.answered else row.reason
    return f"no answer within {patience:g} s"


# -- answering


async def serve(machine: "Machine") -> Subscription:
    """Answers for as long as the link lives; what is no question of a member is left without an answer."""
    session, answering = machine.session, Answering(machine)

    async def answer(stored: Stored) -> bytes:
        caller = stored.subject.rsplit(".", 1)[-1]
        question = needs.read_question(stored.data, machine.name, caller, machine.fleet.law, verify)
        given = needs.Answer(
            fleet=question.fleet,
            machine=machine.name,
            nonce=question.nonce,
            told=needs.fitting(await answering.about(question)),
        )
        return needs.reply(given, session.keys.public, session.keys.sign)

    return await session.link.serve(session.subjects.call(machine.name, needs.VERB, "*"), answer)


class Answering:
    """This machine's side. Looks at what the last look found; reads no file for a question."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._room = asyncio.Semaphore(ANSWERED_AT_ONCE)
        self._waiting: Counter[str] = Counter()  # asker -> its questions

    async def about(self, question: needs.Question) -> list[Told]:
        """ValueError when too many ask at once; TimeoutError when the broker gives too slowly what it is about."""
        if self._waiting.total() >= WAITING or self._waiting[question.asker] >= OF_ONE:
            raise ValueError("too many questions at once")
        self._waiting[question.asker] += 1
        try:
            async with self._room, asyncio.timeout(2 * PATIENCE):  # nobody waits for it any longer
                kept = await asyncio.to_thread(_kept, self._machine)
                return [await self._one(asked, kept) for asked in question.asked]
        finally:
            self._waiting[question.asker] -= 1

    async def _one(self, asked: Asked, kept: dict[str, str]) -> Told:
        if self._machine.looked is None:
            return Told(why="it has not looked at its files yet")
        try:
            found = await self._entity(asked)
        except (BusError, NothingToCompareError, HostilePackageError, ValueError):
            found = None
        if found is None:
            return Told(why="it knows no such change")
        entity, wanted, by_path = found
        collection = with_fields(self._machine.looked.collection, stored=kept.get)
        lacks, unsure = await asyncio.to_thread(missing, collection, entity, by_path=by_path)
        return Told(wanted=wanted, lacks=tuple(lacks), unsure=tuple(unsure))

    async def _entity(self, asked: Asked) -> tuple[Entity, str | None, bool] | None:
        """What is asked about, its digest, and whether paths in it may be looked at.

        They may in what operators signed for this machine. A member could publish any path, to learn whether it exists.
        """
        machine = self._machine
        if asked.decision:
            decision = machine.fleet.decision(machine.name, asked.decision).state
            if decision is None:
                return None
            entity = entity_of(await whole(machine.library, decision))
            return (entity, decision.wanted.digest, decision.reference == BASELINE) if entity else None
        if asked.source == BASELINE:
            entity = (await machine.library.of_baseline(machine.name)).entities.get(asked.entity)
        else:
            entity = await machine.library.published(asked.source.removeprefix("machine:"), asked.entity)
        if entity is None or (asked.target and entity.kind is not Kind.MCP_SERVER):
            return None
        entity = shared(entity, asked.target) if asked.target else entity
        return entity, digest(entity.value), asked.source == BASELINE


def entity_of(decision: Decision) -> Entity | None:
    """What would stand; None when it goes, or is too large to be known here."""
    if decision.wanted.digest is None or decision.wanted.value is UNSET:
        return None
    return Entity(key=decision.entity, kind=decision.kind, value=decision.wanted.value)


def missing(collection: Collection, entity: Entity, *, by_path: bool) -> tuple[list[Need], list[Need]]:
    """What this machine lacks for an entity, and what it can not say of itself. No value is looked at."""
    lacks: list[Need] = []
    unsure: list[Need] = []
    for program in programs(entity):
        there = _there(collection, program, by_path=by_path)
        if there is not True:
            (unsure if there is None else lacks).append(Need("program", program.name))
    known = secrets_for(collection, entity)
    lacks += [Need("secret", needs.secret_name(entity.key, a)) for a in addresses(entity.value) if a not in known]
    asked = set(needs_of(entity))
    return [one for one in dict.fromkeys(lacks) if one in asked], [one for one in unsure if one in asked]


def _kept(machine: "Machine") -> dict[str, str]:
    """Address -> "" of what the keyring keeps: its list is enough, for a question may not open a keyring."""
    try:
        return dict.fromkeys(KeyringStore(machine.settings.state).references(), "")
    except KeyringError:
        return {}


def _there(collection: Collection, program: Program, *, by_path: bool) -> bool | None:
    """Is it found as its assistant would find it? None: that can not be said from here, or may not."""
    try:
        name, folder, path = (_local(collection, text) for text in (program.name, program.folder, program.path))
    except (UnknownTokenError, ValueError):
        return False  # it lies in a place that this machine does not have
    if any(sign in name for sign in "$%~") or any(sign in path for sign in "$%"):
        return None  # the assistant fills something in
    is_path = "/" in name or "\\" in name
    if (is_path or path) and not by_path:
        return None  # whoever published it chose where we would look
    if is_path and not _absolute(name):
        if not _absolute(folder):
            return None  # from the folder that is open there
        name = str(Path(folder) / name)
    return shutil.which(name, path=path or os.environ.get("PATH")) is not None


def _local(collection: Collection, text: str) -> str:
    """One path or name as this machine spells it."""
    if not text:
        return ""
    entity = Entity(key="x/x", kind=Kind.SETTING, value=text)
    value: Value = to_local(entity, collection.layout.places).value
    return str(value)


def _absolute(path: str) -> bool:
    return Path(path).is_absolute()
