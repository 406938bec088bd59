"""How long from a campaign that an operator signs until every machine has acknowledged it, on a thousand connections?

    python benchmarks/broadcast.py [--connections 1000] [--rounds 3] [--blocks 3]

One real broker, and so many connections of this process to it. Ours: UPDATE_REQUIRED is signed and stored; each
connection hears it, checks its signature and its place in the law, and posts a signed report of what it makes of it; an
operator's session opens them all. Beside it, in turn, nats-py alone with the same bytes on the same subjects: stored,
heard by as many connections, each of which stores an answer, all heard by one. That is the ratio with the bar. The
same once more without storing anything (`raw_core`): what is the least that a broadcast with so many answers costs.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

import nats
from figures import against, median, tell
from fleet import Fleet
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from roosync_agent.connect import identity_of
from roosync_agent.operations.membership import lawmaking
from roosync_agent.session import Session
from roosync_agent.state import State
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair, load, verify
from roosync_broker.link import Stored
from roosync_broker.permissions import inbox
from roosync_protocol.fleet import Fleet as View
from roosync_protocol.messages import Campaign, UpdateReport, encode
from roosync_protocol.subjects import Subjects

BAR = 2.0  # times raw nats-py (8-measures)
AT_ONCE = 32  # connections that are being made at the same time
PATIENCE = 60.0
MEMBER = "many"  # all connections are of one member, which may post reports like any other
REASON = "this machine has no recipe for updates"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="of each way, one after the other")
    parser.add_argument("--blocks", type=int, default=3, help="in which the three ways take turns")
    given = parser.parse_args()
    async with Fleet(1) as fleet, fleet.operator() as operator:
        keys = KeyPair.generate()
        await lawmaking.admit(operator, MEMBER, keys.public)
        await asyncio.sleep(1.0)  # the server has read the users that the keeper wrote
        identity = identity_of(State(fleet.first.state))
        first = KeyPair.from_seed(load(State(fleet.first.state).machine_key))
        bench = Bench(operator, keys, first, identity.url, given.connections)
        tell("broadcast_connections", given.connections)
        tell("broadcast_campaign_bytes", len(encode(bench.campaign(1))))
        taken: dict[str, tuple[list[float], list[float]]] = {"ours": ([], []), "raw": ([], []), "raw_core": ([], [])}
        for _ in range(given.blocks):
            for (seconds, processor), way in zip(taken.values(), (bench.ours, bench.raw, bench.raw_core), strict=True):
                more_seconds, more_processor = await way(given.rounds)
                seconds += more_seconds
                processor += more_processor
    for who, (seconds, processor) in taken.items():
        tell(f"broadcast_{who}_s", median(seconds))
        tell(f"broadcast_{who}_worst_s", max(seconds))
        tell(f"broadcast_{who}_processor_s", median(processor))
    against("broadcast_times_raw", median(taken["ours"][0]) / median(taken["raw"][0]), BAR)
    tell("broadcast_times_raw_core", median(taken["ours"][0]) / median(taken["raw_core"][0]))


class Bench:
    """Each way to broadcast: connects, takes so many rounds and one before that warms up, and disconnects."""

    def __init__(self, operator: Session, keys: KeyPair, first: KeyPair, url: str, count: int) -> None:
        self.operator, self.keys, self.first, self.url, self.count = operator, keys, first, url, count
        self.subjects = Subjects(operator.subjects.fleet)
        self.heard = self.revision = 0
        self._all = asyncio.Event()

    def campaign(self, revision: int) -> Campaign:
        """It names as many machines as there are connections, and is withdrawn: nobody is to act on it."""
        names = tuple(f"s{number:04}" for number in range(self.count))
        return Campaign(
            agent=self.operator.name,
            timestamp=self.operator.now(),
            id=f"u-{revision}",
            revision=revision,
            version="9.9.9",
            machines=names,
            withdrawn=True,
        )

    def report(self, campaign: str) -> UpdateReport:
        now = self.operator.now()
        return UpdateReport(
            agent=MEMBER,
            timestamp=now,
            campaign=campaign,
            version="0.2.0",
            before="0.2.0",
            phase="refused",
            reason=REASON,
        )

    async def ours(self, rounds: int) -> tuple[list[float], list[float]]:
        async def one() -> Session:
            link = await connect(self.url, self.keys, name=MEMBER, timeout=PATIENCE)
            session = Session(link, self.subjects, self.keys, MEMBER, View(self.operator.fleet.law, verify))

            async def answer(heard: object) -> None:
                campaign = session.fleet.law.campaign
                assert campaign is not None
                await session.say(self.report(campaign.id))

            await session.follow(answer, [self.subjects.fact("campaign")])
            return session

        def take(stored: Stored) -> None:
            assert self.operator.take(stored) is not None
            self._count()

        async def say() -> None:
            self.revision += 1
            await self.operator.say(self.campaign(self.revision))

        sessions = await many(self.count, one)
        following = await self.operator.link.follow(self.subjects.fact("update"), take)
        try:
            return await self._rounds(rounds, say)
        finally:
            await following.close()
            await asyncio.gather(*(session.close() for session in sessions))

    async def raw(self, rounds: int) -> tuple[list[float], list[float]]:
        body = encode(self.report("u-1"))

        async def answer(client: Client) -> None:
            await client.jetstream().publish(self.subjects.post("update", speaker=MEMBER), body)

        async def say(client: Client) -> None:
            self.revision += 1
            subject = self.subjects.of(self.campaign(1))
            await client.jetstream().publish(subject, encode(replace(self.campaign(1), revision=self.revision)))

        return await self._by_nats(rounds, self.subjects.fact("update"), answer, say)

    async def raw_core(self, rounds: int) -> tuple[list[float], list[float]]:
        """The answers are heard by nobody's stream; the question is stored, for that is the only way to be heard."""
        body = encode(self.report("u-1"))
        where = f"roosync-rpc.{self.subjects.fleet}.m00.bench.{MEMBER}"  # what a member may say without being stored

        async def answer(client: Client) -> None:
            await client.publish(where, body)

        async def say(client: Client) -> None:
            self.revision += 1
            subject = self.subjects.of(self.campaign(1))
            await client.jetstream().publish(subject, encode(replace(self.campaign(1), revision=self.revision)))

        return await self._by_nats(rounds, where, answer, say)

    async def _by_nats(
        self,
        rounds: int,
        answers: str,
        answer: Callable[[Client], Awaitable[None]],
        say: Callable[[Client], Awaitable[None]],
    ) -> tuple[list[float], list[float]]:
        async def one() -> Client:
            client = await self._raw(MEMBER, self.keys)

            async def heard(_: Msg) -> None:
                await answer(client)

            await client.subscribe(self.subjects.fact("campaign"), cb=heard)
            await client.flush()
            return client

        async def count(_: Msg) -> None:
            self._count()

        clients = await many(self.count, one)
        operator = await self._raw(self.operator.name, self.operator.keys)
        hearing = operator if answers.startswith("roosync.") else await self._raw("m00", self.first)
        await hearing.subscribe(answers, cb=count)
        await hearing.flush()
        try:
            return await self._rounds(rounds, lambda: say(operator))
        finally:
            await asyncio.gather(*(client.close() for client in {*clients, operator, hearing}))

    async def _raw(self, name: str, keys: KeyPair) -> Client:
        prefix = f"{inbox(name)}.{len(name)}"
        return await nats.connect(self.url, nkeys_seed_str=keys.seed, inbox_prefix=prefix.encode())

    async def _rounds(self, rounds: int, say: Callable[[], Awaitable[None]]) -> tuple[list[float], list[float]]:
        seconds, busy = [], []
        gc.collect()
        gc.freeze()  # a machine has one of these connections: nobody walks through a thousand of them for garbage
        for turn in range(rounds + 1):
            self.heard, self._all = 0, asyncio.Event()
            began, processor = time.perf_counter(), time.process_time()
            await say()
            await asyncio.wait_for(self._all.wait(), PATIENCE)
            if turn:
                seconds.append(time.perf_counter() - began)
                busy.append(time.process_time() - processor)
            await asyncio.sleep(0.2)
        return seconds, busy

    def _count(self) -> None:
        self.heard += 1
        if self.heard == self.count:
            self._all.set()


async def many(count: int, one: Callable[[], Awaitable[Any]]) -> list[Any]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def made() -> Any:
        async with gate:
            return await one()

    return list(await asyncio.gather(*(made() for _ in range(count))))


if __name__ == "__main__":
    asyncio.run(main())
