"""How much slower is a persisted and signed report than the same bytes published with nats-py alone?

    python benchmarks/publish_rate.py [--messages 512] [--rounds 7] [--window 64]

Both speak to the same nats-server (each acknowledged message is on the disk, `sync_interval: always`), with the same
key, on the same subject, in rounds that take turns: one message after another, and `--window` of them under way at
once. Ours is `Session.say`: it encodes, checks, signs, posts with an id until stored. Theirs is `js.publish` of the
same bytes without headers, and once more with an id and a signature made before, to tell what the headers alone cost.

The server's disk is most of the time, so the processor time of this process for each message is told as well.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

import nats
from figures import against, median, tell
from fleet import Fleet
from nats.js import JetStreamContext

from roosync_agent.connect import as_machine, identity_of
from roosync_agent.session import Session, new_operation
from roosync_agent.state import State
from roosync_broker import keys
from roosync_broker.permissions import inbox
from roosync_protocol import envelope
from roosync_protocol.messages import StatusReport

BAR = 2.0  # times raw nats-py (8-measures)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=512, help="of a round, windowed; a quarter one by one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--window", type=int, default=64)
    given = parser.parse_args()
    async with Fleet(1) as fleet:
        state = State(fleet.first.state)
        identity, seed = identity_of(state), keys.load(state.machine_key)
        session = await as_machine(fleet.first.settings, state)
        raw = await nats.connect(identity.url, nkeys_seed_str=seed, inbox_prefix=inbox(identity.machine).encode())
        try:
            await compare(session, raw.jetstream(), given.messages, given.rounds, given.window)
        finally:
            await raw.close()
            await session.close()


async def compare(session: Session, js: JetStreamContext, messages: int, rounds: int, window: int) -> None:
    report = StatusReport(
        agent=session.name,
        timestamp=session.now(),
        machines_detected=5,
        status="synced",
        divergences_count=0,
        baseline_version="1.2.0",
        baseline_revision=7,
        roosync_version="0.1.0",
    )
    sealed = envelope.seal(session.subjects, report, new_operation(), session.keys.public, session.keys.sign)

    async def ours() -> None:
        await session.say(report)

    async def theirs() -> None:
        await js.publish(sealed.subject, sealed.data)

    async def theirs_with_headers() -> None:
        await js.publish(sealed.subject, sealed.data, headers={**sealed.headers, envelope.ID: new_operation()})

    tell("report_bytes", len(sealed.data))
    for name, width, count in (("one_by_one", 1, messages // 4), (f"window_{window}", window, messages)):
        count -= count % width
        taken: dict[str, list[float]] = {"ours": [], "raw": [], "raw_with_headers": []}
        busy: dict[str, list[float]] = {who: [] for who in taken}
        for turn in range(rounds + 1):
            for who, work in (("ours", ours), ("raw", theirs), ("raw_with_headers", theirs_with_headers)):
                processor = time.process_time()
                seconds = await timed(work, count, width)
                if turn:  # the first one warms up
                    taken[who].append(seconds)
                    busy[who].append(time.process_time() - processor)
        for who, values in taken.items():
            tell(f"publish_{name}_{who}_per_s", count / median(values))
            tell(f"publish_{name}_{who}_processor_us", median(busy[who]) / count * 1e6)
        ratio = median([a / b for a, b in zip(taken["ours"], taken["raw"], strict=True)])
        against(f"publish_{name}_times_raw", ratio, BAR)
    started = time.perf_counter()
    for _ in range(1000):
        envelope.seal(session.subjects, report, "o-1", session.keys.public, session.keys.sign)
    tell("seal_us", (time.perf_counter() - started) * 1000)


async def timed(work: Callable[[], Awaitable[None]], count: int, width: int) -> float:
    """Seconds for `count` messages, `width` of them under way at once."""

    async def worker(share: int) -> None:
        for _ in range(share):
            await work()

    began = time.perf_counter()
    if width == 1:
        await worker(count)
    else:
        await asyncio.gather(*(worker(count // width) for _ in range(width)))
    return time.perf_counter() - began


if __name__ == "__main__":
    asyncio.run(main())
