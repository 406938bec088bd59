"""What this machine lacks for a change that another one asks about: its side of `needing`.

It looks on the path of its agent, in its own files, and in its list of what the keyring keeps; what was looked at last
answers, and no file is read for a question. No value is told, only what is there.
"""

import asyncio
import os
import shutil
from collections import Counter
from dataclasses import replace as with_fields
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET

from roosync_agent.applying.known_secrets import secrets_for
from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.reference import BASELINE, NothingToCompareError
from roosync_agent.keyring_store import KeyringError, KeyringStore
from roosync_agent.operations.decisions.seen import whole
from roosync_broker.errors import BusError
from roosync_broker.keys import verify
from roosync_broker.link import Stored, Subscription
from roosync_protocol import needs
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.messages import Decision
from roosync_protocol.names import Value
from roosync_protocol.needs import Asked, Need, Told, needs_of
from roosync_protocol.package import HostilePackageError
from roosync_protocol.portable import UnknownTokenError, to_local
from roosync_protocol.programs import Program, programs
from roosync_protocol.secrets import addresses
from roosync_protocol.servers.sharing import shared

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

PATIENCE = 1.0  # seconds that an asker waits for an answer
ANSWERED_AT_ONCE = 2  # questions that this machine works on
WAITING = 20  # questions that wait for that; whoever comes then is left without an answer
OF_ONE = 8  # of those by one asker: nobody's flood keeps the others from an answer


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
