"""Is anything lost when the leader of a cluster dies, and how long does it take until a post is acknowledged again?

    python benchmarks/cluster.py [--kills 2] [--writers 8] [--seconds 4]

Three nats-servers on loopback, from the folders that `roosync broker nodes` makes, kept by the product's keepers.
Several writers post one after another (`post_until_stored`: one message id for each, tried again while nobody
acknowledges). Meanwhile the node that leads the stream is killed (SIGKILL), started again, and so on; before each kill
all nodes have caught up. At the end the stream is read on every node: what was acknowledged and is not there was lost,
and what is there twice was stored twice.

The kills are of processes: what a machine's own loss of power does to a disk is not measured here.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

from figures import median, tell

from roosync_agent.running.broker_keep import keepers
from roosync_broker.errors import BusError
from roosync_broker.jetstream import JetStreamLink, connect
from roosync_broker.keeper import Keeper
from roosync_broker.keys import KeyPair
from roosync_broker.link import MESSAGE_ID, post_until_stored
from roosync_broker.nodes import make_nodes, node_note, open_node, read_node
from roosync_broker.server import find_server, free_port

FLEET, STREAM = "bench", "bench-AUDIT"
NAMES = ("n1", "n2", "n3")
PATIENCE = 60.0


class Cluster:
    """Three servers as child processes, killed by process id, with a keeper beside each."""

    def __init__(self, folder: Path) -> None:
        nodes = [read_node(f"{name}=127.0.0.1:{free_port()}/{free_port()}") for name in NAMES]
        self.folders = dict(zip(NAMES, make_nodes(folder, FLEET, nodes), strict=True))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.keepers: list[Keeper] = []
        self.root = KeyPair.generate()  # a fleet without law: its root key may post everywhere

    def start(self, name: str) -> None:
        with (self.folders[name] / "log").open("ab") as log:
            command = [str(find_server()), "-c", "nats-server.conf"]
            self.processes[name] = subprocess.Popen(command, cwd=self.folders[name], stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    async def __aenter__(self) -> "Cluster":
        for name in NAMES:
            self.start(name)
        self.keepers = keepers(list(self.folders.values()), self.root.public)
        for keeper in self.keepers:
            await tried(keeper.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        for keeper in self.keepers:
            await keeper.stop()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()

    async def link(self, name: str, via: str) -> JetStreamLink:
        """With the rights of the keeper of the node `via`."""
        broker = open_node(self.folders[via])
        return await connect(
            broker.url, broker.keeper_keys, name=name, certificate=broker.certificate, timeout=PATIENCE
        )

    async def info(self) -> dict[str, dict[str, object]]:
        """What the stream's leader says of it; {} while there is none."""
        link = await self.link("asks", next(iter(self.processes)))
        try:
            found: dict[str, dict[str, object]] = json.loads(
                await link.request(f"$JS.API.STREAM.INFO.{STREAM}", b"", 2)
            )
            return found
        except BusError:
            return {}
        finally:
            await link.close()

    async def leader(self) -> str:
        """The node that leads, when all others follow it closely."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            cluster = (await self.info()).get("cluster") or {}
            others = cluster.get("replicas")
            if cluster.get("leader") and isinstance(others, list) and all(other.get("current") for other in others):
                return str(cluster["leader"]).removeprefix(f"{FLEET}-")
            await asyncio.sleep(0.2)
        raise SystemExit("the cluster did not become whole again")


async def tried(start: Callable[[], Awaitable[None]]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return await start()
        except BusError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.5)


class Writers:
    """Post one line after another. `acknowledged`: message id -> sequence; `when`: each acknowledgement's time."""

    def __init__(self, link: JetStreamLink) -> None:
        self.link = link
        self.acknowledged: dict[str, int] = {}
        self.when: list[float] = []
        self.failed = 0  # posts that were given up: their writer was told so, and nothing was promised
        self._numbers = count(1)

    async def write(self, writer: int) -> None:
        while True:
            number = next(self._numbers)
            name = f"w{writer}-{number}"
            try:
                data = json.dumps({"said": name}).encode()
                subject = f"post.{FLEET}.audit.w{writer}-{number // 50_000}"  # the stream keeps 10,000 of a subject
                receipt = await post_until_stored(self.link, subject, data, {MESSAGE_ID: name})
            except BusError:
                self.failed += 1
                continue
            self.acknowledged[name] = receipt.sequence
            self.when.append(time.monotonic())


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="of undisturbed posting before and after each kill")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        async with Cluster(Path(folder)) as cluster:
            await measure(cluster, given.kills, given.writers, given.seconds)


async def measure(cluster: Cluster, kills: int, writers: int, seconds: float) -> None:
    urls = node_note(cluster.folders[NAMES[0]]).urls
    link = await connect(urls, cluster.root, name="founder", timeout=PATIENCE, on_error=lambda error: None)
    work = Writers(link)
    tasks = [asyncio.create_task(work.write(number)) for number in range(writers)]
    stalls: list[float] = []
    try:
        await asyncio.sleep(seconds)
        for _ in range(kills):
            leader = await cluster.leader()
            began = time.monotonic()
            cluster.kill(leader)
            known = len(work.when)
            while len(work.when) == known or work.when[-1] < began + 0.05:  # not one that was on its way to us
                await asyncio.sleep(0.005)
            stalls.append(next(at for at in work.when[known:] if at >= began + 0.05) - began)
            await asyncio.sleep(seconds)
            cluster.start(leader)
        await cluster.leader()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await link.close()
    await told(cluster, work, stalls)


async def told(cluster: Cluster, work: Writers, stalls: list[float]) -> None:
    tell("leader_kills", len(stalls))
    tell("messages_acknowledged", len(work.acknowledged))
    tell("messages_given_up_and_told", work.failed)
    lost = twice = 0
    for name in NAMES:
        link = await cluster.link("reads", name)
        stored: dict[str, list[int]] = {}
        async for message in link.read(STREAM, "post.>"):
            stored.setdefault(json.loads(message.data)["said"], []).append(message.sequence)
        await link.close()
        lost = max(lost, sum(sequence not in stored.get(key, ()) for key, sequence in work.acknowledged.items()))
        twice = max(twice, sum(len(found) > 1 for found in stored.values()))
    tell("messages_acknowledged_and_lost", lost)
    tell("messages_acknowledged_and_lost_bar", 0)
    tell("messages_stored_twice", twice)
    for number, stall in enumerate(stalls, 1):
        tell(f"kill_{number}_until_acknowledged_s", stall)
    tell("kill_until_acknowledged_median_s", median(stalls))


if __name__ == "__main__":
    asyncio.run(main())
