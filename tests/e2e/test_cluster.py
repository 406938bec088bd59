"""Three machines on three nats-servers: the cluster goes on while its leaders die, and says when it can not.

The servers run from the folders that `roosync broker nodes` makes, and `roosync broker keep` keeps them.
"""

import asyncio
import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from roosync_broker.clearing import clear_records
from roosync_broker.errors import RefusedError
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair
from roosync_broker.nodes import node_note, open_node
from roosync_broker.server import find_server
from roosync_protocol.law import Law

SETTINGS = ".claude/settings.json"
NAMES = ("n1", "n2", "n3")


def settings(model):
    return json.dumps({"model": model, "cleanupPeriodDays": 30}, indent=2) + "\n"


class Servers:
    """The nats-servers, as the person runs them who has them; killed by process id."""

    def __init__(self, folder: Path, replicas: int):
        self.folder, self.replicas = folder, replicas
        self.running = {}

    def start(self, *names):
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                command = [str(find_server()), "-c", "nats-server.conf"]
                self.running[name] = subprocess.Popen(command, cwd=self.folder / name, stdout=log, stderr=log)

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait(10)

    def close(self):
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(20)

    def run(self, work):
        """`work(link)` with the rights of the keeper, over a node that runs."""

        async def here():
            broker = open_node(self.folder / next(iter(self.running)))
            link = await connect(broker.url, broker.keeper_keys, name="test", certificate=broker.certificate)
            try:
                return await work(link)
            finally:
                await link.close()

        return asyncio.run(here())

    def info(self, stream):
        async def work(link):
            return json.loads(await link.request(f"$JS.API.STREAM.INFO.{stream}", b"", 3))

        try:
            return self.run(work)
        except Exception:  # no leader yet: it is asked again
            return {}

    def leader(self, stream):
        """The node that leads a stream, "" while there is none."""
        return self.info(stream).get("cluster", {}).get("leader", "").removeprefix("e2e-")

    def in_step(self, stream):
        cluster = self.info(stream).get("cluster", {})
        replicas = cluster.get("replicas", [])
        return cluster.get("leader") and len(replicas) == self.replicas - 1 and all(r["current"] for r in replicas)

    def stored(self, stream):
        async def work(link):
            return [message async for message in link.read(stream, "post.>")]

        return self.run(work)


@pytest.fixture(scope="module")
def cluster(fleets, new_port):
    """alpha, beta and gamma in step, on the nodes n1, n2 and n3."""
    fleet = fleets()
    alpha, beta, gamma = (fleet.site(name) for name in ("alpha", "beta", "gamma"))
    for site in (alpha, beta, gamma):
        site.write(SETTINGS, settings("opus"))
        site.write(".claude/CLAUDE.md", "# Memory\n")
    nodes = [word for name in NAMES for word in ("--node", f"{name}=127.0.0.1:{new_port()}/{new_port()}")]
    made = alpha.json("broker", "nodes", str(fleet.folder / "nodes"), "--fleet", "e2e", *nodes)
    servers = Servers(fleet.folder / "nodes", made["replicas"])
    servers.start(*NAMES)
    try:
        named = [word for path in made["folders"] for word in ("--node", path)]
        alpha.roosync("init", "--no-passphrase", "--operator", "ana", *named)
        servers.keep = alpha.begin("broker", "keep", *made["folders"])
        alpha.up("up")
        for site in (beta, gamma):
            fleet.join(alpha, site)
        fleet.agree(alpha)
        fleet.servers = servers
        yield fleet
    finally:
        fleet.close()
        servers.close()


def test_the_streams_have_three_copies_and_everybody_knows_every_node(cluster):
    servers = cluster.servers
    urls = node_note(servers.folder / "n1").urls
    assert len(urls.split(",")) == 3
    for site in cluster.sites.values():
        assert json.loads((site.state / "identity.json").read_text())["url"] == urls
    for stream in ("LAW", "WORK", "REPORTS", "AUDIT", "CONTENTS"):
        assert servers.info(f"e2e-{stream}")["config"]["num_replicas"] == 3, stream
    assert servers.info("KV_e2e-leases")["config"]["num_replicas"] == 3


def test_a_cycle_outlives_two_deaths_of_the_leader(cluster, waiting):
    alpha, beta, gamma = (cluster.sites[name] for name in ("alpha", "beta", "gamma"))
    servers = cluster.servers
    before = {(m.stream, m.sequence): m.data for s in ("WORK", "AUDIT") for m in servers.stored(f"e2e-{s}")}
    gamma.write(SETTINGS, settings("sonnet"))
    asked = alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    alpha.roosync("cycle", "start", "--timeout", "2")

    first = waiting("somebody leads", lambda: servers.leader("e2e-WORK"))
    servers.kill(first)
    waiting("everybody compared", lambda: alpha.ask("cycle_show")["checkpoint"] == "resolution")
    servers.start(first)
    waiting("the node caught up", lambda: servers.in_step("e2e-WORK"))

    second = servers.leader("e2e-WORK")
    servers.kill(second)
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    done = waiting("the cycle is done", lambda: (c := alpha.ask("cycle_show"))["status"] == "done" and c)
    servers.start(second)
    waiting("the node caught up", lambda: servers.in_step("e2e-WORK"))

    assert [one["checkpoint"] for one in done["reached"]] == ["init", "status", "diffs", "resolution", "final"]
    assert json.loads(gamma.read(SETTINGS))["model"] == "opus"
    for site in (alpha, beta, gamma):
        site.until_synced()
        waiting("it knows the end", lambda site=site: site.ask("cycle_show")["status"] == "done")
    applied = alpha.decision("applied", machine="gamma", entity="claude.settings/model")
    assert (applied["id"], applied["attempt"]) == (asked["id"], 1)

    after = {(m.stream, m.sequence): m.data for s in ("WORK", "AUDIT") for m in servers.stored(f"e2e-{s}")}
    assert before.items() <= after.items(), "what was stored before is what is stored"
    said = [json.loads(data) for key, data in sorted(after.items()) if key not in before]
    steps = [s["status"] for s in said if s.get("id") == asked["id"] and s["type"] == "roosync.v1.decision"]
    assert steps == ["pending", "approved", "applying", "applied"], "no step twice"
    operations = [s["operation_id"] for s in said if "operation_id" in s]
    assert len(operations) == len(set(operations)), "nothing is stored twice"
    applies = [s["phase"] for s in said if s["type"] == "roosync.v1.audit" and s["about"] == asked["id"]]
    assert applies.count("before") == applies.count("after")


def test_without_a_majority_it_is_said_and_with_one_it_goes_on(cluster, waiting):
    alpha, gamma = cluster.sites["alpha"], cluster.sites["gamma"]
    servers = cluster.servers
    lost = NAMES[:2]
    for name in lost:
        servers.kill(name)
    gamma.write(SETTINGS, settings("haiku"))
    began = time.monotonic()
    try:
        told = alpha.fails("pause", "--fleet", says="more than half")
    finally:
        servers.start(*lost)
    assert time.monotonic() - began < 40, told
    asked = alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("gamma has it", lambda: json.loads(gamma.read(SETTINGS))["model"] == "opus")
    alpha.until_synced()
    assert not alpha.json("policy", "show")["paused"], "what was said to have failed was not done later"


def test_agents_that_come_back_after_old_records_were_cleared_do_nothing_again(cluster, waiting):
    """As the keeper clears them a month later: the machine's own journal outlives what the bus forgot."""
    alpha, gamma = cluster.sites["alpha"], cluster.sites["gamma"]
    servers = cluster.servers
    model = alpha.decision("applied", machine="gamma", entity="claude.settings/model")
    law = msgspec.json.decode((servers.folder / "n1" / "law.json").read_bytes(), type=Law)
    gamma.write(".claude/CLAUDE.md", "# Memory\n\nOf gamma.\n")
    refused = alpha.decision("pending", machine="gamma", entity="claude.memory/CLAUDE.md")
    alpha.roosync("decision", "reject", refused["id"])
    waiting("everybody knows", lambda: alpha.decisions(machine="gamma", status="rejected"))
    audited = len(servers.stored("e2e-AUDIT"))
    assert servers.run(lambda link: clear_records(link, law, datetime.now(UTC))) == [], "all of it is young"
    cleared = servers.run(lambda link: clear_records(link, law, datetime.now(UTC) + timedelta(days=40)))
    assert ("decision", "gamma", model["id"]) in cleared
    assert {key[0] for key in cleared} >= {"cycle", "request"}

    def left(stream="e2e-WORK"):  # as any node tells it, which may be some moments behind
        return {tuple(message.subject.split(".")[2:-1]) for message in servers.stored(stream)}

    waiting("they are gone on every node", lambda: not any(left() & set(cleared) for _ in range(5)))
    assert ("decision", "gamma", refused["id"]) in left()
    waiting("so are the arrivals", lambda: not [key for key in left("e2e-REPORTS") if key[0] == "arrival"])
    assert len(servers.stored("e2e-AUDIT")) == audited, "the history stays"

    files = {name: gamma.read(name) for name in (SETTINGS, ".claude/CLAUDE.md")}
    for site in (alpha, gamma):
        site.stop()
        site.up("up")
    alpha.until_synced()
    assert {name: gamma.read(name) for name in files} == files
    assert [(d["id"], d["status"]) for d in alpha.decisions(machine="gamma")] == [(refused["id"], "rejected")]
    assert alpha.roosync("history", "gamma").out.count(model["id"]) > 0

    gamma.write(SETTINGS, settings("fable"))
    again = alpha.decision("pending", machine="gamma", entity="claude.settings/model")
    assert (again["id"], again["attempt"]) == (model["id"], model["attempt"] + 1), "no yes of before counts for it"
    alpha.roosync("decision", "approve", again["id"], "--yes")
    waiting("gamma is as agreed", lambda: gamma.read(SETTINGS) == files[SETTINGS])
    alpha.until_synced()


def test_nats_tools_list_the_agents(cluster, waiting):
    """Raw requests of ADR-32, with the credential of an observer, on any node."""
    alpha = cluster.sites["alpha"]
    made = alpha.json("observer", "create", "wall")
    alpha.roosync("ping")

    async def ask(subject):
        link = await connect(
            node_note(cluster.servers.folder / "n2").url, KeyPair.from_seed(made["seed"]), name="observer-wall"
        )
        try:
            said, wire = [], link._connection.wire
            await wire.listen(f"{made['inbox_prefix']}.>", lambda message: said.append(json.loads(message.data)))
            await wire.publish(subject, b"{}", reply=f"{made['inbox_prefix']}.nuid.token")
            await asyncio.sleep(0.5)  # as the tool does: nobody knows how many will answer
            return sorted(said, key=lambda one: one["id"])
        finally:
            await link.close()

    seen = []

    def everybody():
        try:
            seen[:] = [one["id"] for one in asyncio.run(ask("$SRV.PING"))]
        except RefusedError as error:  # the keeper of that node has not written the new credential yet
            seen[:] = [error]
        return seen == ["alpha", "beta", "gamma"]

    waiting(lambda: f"everybody answers, and not only {seen}", everybody)
    assert [one["id"] for one in asyncio.run(ask("$SRV.INFO.roosync-e2e"))] == ["alpha", "beta", "gamma"]
    (beta,) = asyncio.run(ask("$SRV.STATS.roosync-e2e.beta"))
    assert beta["endpoints"][0]["num_requests"] >= 1


def test_everything_ends_when_it_is_told_to(cluster):
    servers = cluster.servers
    assert cluster.sites["alpha"].stop() == 0
    servers.keep.terminate()
    assert servers.keep.wait(30) == 0
    assert [process.poll() for process in servers.running.values()] == [None] * len(servers.running), "not ours to end"
