"""How long is a letter on its way to another agent, and does any get lost or doubled when many write at once?

    python benchmarks/mail.py [--letters 300] [--races 2x40 10x200]

Real agents on loopback, a process each. Posted to in the agent: from the moment before the letter is signed and posted
until the recipient's agent says in its log that it has opened and checked the letter, and that it can be read there.
The broker stores it on the disk in between (what that costs alone is told beside it: a report before each letter).
One letter after another, each when the one before arrived; then in bursts of `--burst` at once.

A race is so many agents that each send so many letters, all at once, to one recipient: every letter whose sending was
acknowledged is looked for in the recipient's mailbox.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from figures import against, median, share, tell
from fleet import Fleet, Node

from roosync_agent.connect import as_machine
from roosync_agent.operations import mail
from roosync_agent.running.control import ask
from roosync_agent.running.mail import Desk
from roosync_agent.running.mailbox import Mailbox
from roosync_agent.session import Session
from roosync_agent.state import State
from roosync_protocol.messages import Audit, Message

P50, P99 = 5.0, 50.0  # milliseconds (8-measures)
AT_ONCE = 8  # commands under way at each sender of a race


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=300)
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--races", nargs="*", default=["2x40", "10x200"])
    given = parser.parse_args()
    races = [tuple(map(int, race.split("x"))) for race in given.races]
    async with Fleet(1 + max([1, *(writers for writers, _ in races)])) as fleet:
        await latency(fleet, given.letters, given.burst)
        for writers, letters in races:
            await race(fleet, writers, letters)


async def latency(fleet: Fleet, letters: int, burst: int) -> None:
    """From m00 to the agent of m01."""
    sender, recipient = fleet.nodes[0], fleet.nodes[1]
    session = await as_machine(sender.settings, State(sender.state))
    await session.refresh()
    began: list[float] = []
    hand_over = session.telling.hand_over

    async def timed(message: Message, operation: str) -> bool:
        began.append(time.time())
        return await hand_over(message, operation)

    session.telling.hand_over = timed  # type: ignore[method-assign]
    desk, log = Desk(session, State(sender.state)), Log(recipient)
    try:
        floor: list[float] = []
        for name, size in (("one_by_one", 1), (f"burst_of_{burst}", burst)):
            taken: list[float] = []
            for _ in range(letters // size):
                floor.append(await report(session))
                began.clear()
                text = "A few lines of **Markdown**.\n" * 10
                await asyncio.gather(*(mail.send(desk, [recipient.name], "letter", text) for _ in range(size)))
                arrived = await log.next(size)
                taken += [1000 * (end - start) for start, end in zip(began, arrived, strict=True)]
            tell(f"mail_{name}_letters", len(taken))
            judge = against if size == 1 else lambda figure, value, _: tell(figure, value)
            judge(f"mail_{name}_posted_to_in_the_agent_p50_ms", median(taken), P50)
            judge(f"mail_{name}_posted_to_in_the_agent_p99_ms", share(taken, 0.99), P99)
        tell("mail_report_posted_to_stored_p50_ms", median(floor))
        tell("mail_report_posted_to_stored_p99_ms", share(floor, 0.99))
    finally:
        await session.close()


async def report(session: Session) -> float:
    """Milliseconds for what any persisted message costs here: signed, posted, on the broker's disk."""
    entry = Audit(agent=session.name, timestamp=session.now(), action="benchmark", phase="before")
    began = time.perf_counter()
    await session.say(entry)
    return 1000 * (time.perf_counter() - began)


class Log:
    """When an agent had each letter, in seconds of the wall clock, which all processes here share."""

    def __init__(self, node: Node) -> None:
        self._file = (node.state / "log").open("r", encoding="utf-8", errors="replace")
        self._file.seek(0, 2)
        self._rest = ""

    async def next(self, count: int) -> list[float]:
        found: list[float] = []
        end = time.monotonic() + 30
        while len(found) < count:
            if time.monotonic() > end:
                raise RuntimeError(f"{count - len(found)} letters did not arrive")
            await asyncio.sleep(0.002)
            *lines, self._rest = (self._rest + self._file.read()).split("\n")
            told = [json.loads(line)["time"] for line in lines if '"mail from ' in line]
            found += [datetime.fromisoformat(time_).timestamp() for time_ in told]
        return found


async def race(fleet: Fleet, writers: int, letters: int) -> None:
    recipient, senders = fleet.nodes[0], fleet.nodes[1 : writers + 1]
    box = Mailbox(recipient.state / "mail" / recipient.name)
    subject = f"race {writers} x {letters} {time.time()}"
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE * writers) as pool:
        loop = asyncio.get_running_loop()
        work = [
            loop.run_in_executor(pool, send, sender, recipient.name, subject, number)
            for number in range(letters)
            for sender in senders
        ]
        acknowledged = [id_ for id_ in await asyncio.gather(*work) if id_]
    sent = time.perf_counter() - began

    def arrived() -> Counter[str]:
        return Counter(kept.letter.id for _, kept in box.listed() if kept.letter.subject == subject)

    deadline = time.monotonic() + 60
    while len(found := arrived()) < len(acknowledged) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - began
    await asyncio.sleep(1.0)  # for one that comes twice
    files = sum(1 for status in ("unread", "read", "archived") for path in (box.folder / status).glob("*.json")
                if path.name.split(".")[2] in found)  # fmt: skip
    name = f"mail_race_{writers}x{letters}"
    tell(f"{name}_sent", writers * letters)
    tell(f"{name}_acknowledged", len(acknowledged))
    tell(f"{name}_lost", len(set(acknowledged) - found.keys()))
    tell(f"{name}_doubled", files - len(found))
    tell(f"{name}_sent_in_s", sent)
    tell(f"{name}_arrived_in_s", seconds)


def send(sender: Node, to: str, subject: str, number: int) -> str:
    """Through the sender's agent, as a command does; the id when it was acknowledged."""
    answer = ask(sender.state, "message_send", {"to": [to], "subject": subject, "body": f"{sender.name} {number}"}, 60)
    result = answer.get("result", {})
    return result.get("id", "") if result.get("stored") == 1 else ""


if __name__ == "__main__":
    asyncio.run(main())
