"""The law becomes permissions, on a real server: who is admitted, and who is cut off at once."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest

from roosync_broker import permissions, topology
from roosync_broker.errors import RefusedError, ServerError, UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.keeper import Keeper
from roosync_broker.keys import KeyPair, verify
from roosync_broker.leases import Lease
from roosync_broker.link import post_until_stored
from roosync_broker.presence import Presence
from roosync_broker.server import EmbeddedServer
from roosync_protocol import envelope, micro
from roosync_protocol.law import Law
from roosync_protocol.messages import Invitation, Member, Operator, Policy, Roster
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 1, 16, tzinfo=UTC)
FLEET = "home"
HOME = Subjects(FLEET)
ROOT, A, B, CODE, WATCHER = (KeyPair.generate() for _ in range(5))


async def eventually(condition, timeout=5.0):
    end = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


class Bench:
    """A server with its keeper, and an operator who speaks law."""

    def __init__(self, folder):
        self.server = EmbeddedServer(folder, fleet=FLEET, port=0)
        self.keeper = None
        self.links = []
        self.errors = []
        self.count = 0

    async def start(self):
        await self.server.start()
        self.keeper = Keeper(self.server, FLEET, ROOT.public)
        await self.keeper.start()

    async def stop(self):
        for link in self.links:
            await link.close()
        if self.keeper:
            await self.keeper.stop()
        await self.server.stop()

    async def link(self, name, pair, **more):
        report = self.errors.append
        more = {"certificate": self.server.certificate, "timeout": 5, "on_error": report} | more
        link = await connect(self.server.url, pair, name=name, **more)
        self.links.append(link)
        return link

    async def say(self, link, pair, message):
        self.count += 1
        posting = envelope.seal(HOME, message, f"o-{self.count}", pair.public, pair.sign)
        return await post_until_stored(link, posting.subject, posting.data, posting.headers)  # as everybody posts

    async def found(self):
        """The first law: an operator, two machines (b may not orchestrate), an observer and a code."""
        root = await self.link("op-x", ROOT)
        observers = {"wall": WATCHER.public}
        roster = Roster(
            agent="op-x",
            timestamp=NOW,
            revision=1,
            operators={"op-x": Operator(key=ROOT.public)},
            observers=observers,
        )
        await self.say(root, ROOT, roster)
        await self.say(root, ROOT, member("a", A))
        await self.say(root, ROOT, member("b", B, may_orchestrate=False))
        code = Invitation(
            agent="op-x",
            timestamp=NOW,
            revision=1,
            id="c1",
            key=CODE.public,
            expires=datetime.now(UTC) + timedelta(minutes=10),
        )
        await self.say(root, ROOT, code)
        await self.keeper.settled()
        return root


def member(name, pair, revision=1, **more):
    return Member(agent="op-x", timestamp=NOW, revision=revision, machine=name, key=pair.public, **more)


@pytest.fixture
async def bench(tmp_path):
    bench = Bench(tmp_path / "broker")
    await bench.start()
    yield bench
    await bench.stop()


async def test_a_fleet_is_founded_and_a_machine_is_revoked_at_once(bench):
    with pytest.raises(RefusedError):
        await bench.link("a", A)
    root = await bench.found()
    a, b = await bench.link("a", A), await bench.link("b", B)
    assert root.connected
    heard = []
    await root.follow(HOME.heard(), heard.append)
    await b.post("post.home.status.b", b"1")
    await eventually(lambda: heard)

    with pytest.raises(RefusedError) as raised:  # it names what is not permitted, so that the rest can be followed
        await a.follow(["roosync.home.status.*", "roosync.home.tomorrow.*"], heard.append)
    assert raised.value.subjects == {"roosync.home.tomorrow.*"}

    loop = asyncio.get_running_loop()
    began = loop.time()
    await bench.say(root, ROOT, member("b", B, revision=2, revoked=True))
    await eventually(lambda: not b.connected)
    assert loop.time() - began < 1
    assert a.connected
    assert root.connected
    with pytest.raises(RefusedError):
        await b.post("post.home.status.b", b"2", timeout=3)
    assert (await a.post("post.home.status.a", b"1")).sequence == 2

    await bench.say(root, ROOT, member("b", B, revision=3))  # admitted again, it comes back by itself
    await eventually(lambda: b.connected, 10)


PUBLISHES = {  # who, subject -> may they?
    ("a", "post.home.status.a"): True,
    ("a", "post.home.status.b"): False,
    ("a", "post.home.decision.a.d1.a"): True,
    ("a", "post.home.decision.b.d1.a"): False,
    ("a", "post.home.decision.b.d1.b"): False,
    ("a", "post.home.proposal.p1.a"): True,
    ("b", "post.home.proposal.p1.b"): False,
    ("a", "post.home.member.a.a"): False,
    ("a", "post.home.member.a.op-x"): False,
    ("a", "post.home.roster.main.a"): False,
    ("a", "roosync.home.status.a"): False,
    ("a", "post.home.enrol.c1.a"): False,
    ("a", f"post.home.content.{'0' * 64}.0.a"): True,
    ("a", f"post.home.content.{'0' * 64}.0.b"): False,
    ("a", "$KV.home-presence.a"): True,
    ("a", "$KV.home-presence.b"): False,
    ("a", "$KV.home-leases.orchestrator.a"): True,
    ("a", "$KV.home-leases.orchestrator.b"): False,
    ("b", "$KV.home-leases.orchestrator.b"): False,
    ("op-x", "post.home.policy.main.op-x"): True,
    ("op-x", "post.home.policy.main.op-y"): False,
    ("op-x", "post.home.decision.a.d1.op-x"): True,
    ("op-x", "post.home.status.a"): False,
    ("op-x", "roosync.home.policy.main.op-x"): False,
    ("join-c1", "post.home.enrol.c1.c"): True,
    ("join-c1", "post.home.enrol.c2.c"): False,
    ("join-c1", "post.home.status.c"): False,
    ("join-c1", "post.home.member.c.op-x"): False,
    ("observer-wall", "post.home.status.a"): False,
    ("observer-wall", "roosync.home.status.a"): False,
    ("observer-wall", "$SRV.PING.roosync-other"): False,
    ("observer-wall", "$SRV.SCHEMA"): False,
    ("a", "$SRV.PING"): False,
}
ASKS = {  # who, API subject -> may they ask it?
    ("a", "$JS.API.DIRECT.GET.home-WORK"): True,
    ("a", "$JS.API.STREAM.INFO.home-LAW"): True,
    ("a", "$JS.API.DIRECT.GET.home-ENROL"): False,
    ("a", "$JS.API.CONSUMER.CREATE.home-WORK"): False,
    ("a", "$JS.API.CONSUMER.CREATE.home-WORK.x.post.home.>"): False,
    ("a", "$JS.API.CONSUMER.DURABLE.CREATE.home-WORK.x"): False,
    ("a", "$JS.API.STREAM.PURGE.home-WORK"): False,
    ("a", "$JS.API.STREAM.DELETE.home-WORK"): False,
    ("a", "$JS.API.STREAM.MSG.DELETE.home-WORK"): False,
    ("a", "$JS.API.STREAM.MSG.GET.home-WORK"): False,
    ("a", "$JS.API.STREAM.UPDATE.home-WORK"): False,
    ("a", "$JS.API.STREAM.CREATE.mine"): False,
    ("a", "$SYS.REQ.SERVER.PING"): False,
    ("op-x", "$JS.API.DIRECT.GET.home-ENROL"): True,
    ("op-x", "$JS.API.STREAM.PURGE.home-LAW"): False,
    ("op-x", "$JS.API.CONSUMER.CREATE.home-LAW"): False,
    ("join-c1", "$JS.API.DIRECT.GET.home-LAW"): True,
    ("join-c1", "$JS.API.DIRECT.GET.home-WORK"): False,
    ("join-c1", "$JS.API.STREAM.INFO.home-LAW"): False,
    ("observer-wall", "$JS.API.DIRECT.GET.home-WORK"): False,
}
SERVICES = {  # who, subject -> may they answer it?
    ("a", "$SRV.PING"): True,
    ("a", "$SRV.INFO.roosync-home"): True,
    ("a", "$SRV.STATS.roosync-home.a"): True,
    ("a", "$SRV.PING.roosync-home.b"): False,
    ("a", "$SRV.PING.roosync-home.*"): False,
    ("a", "$SRV.PING.>"): False,
    ("a", "$SRV.>"): False,
    ("a", "$SRV.INFO.other"): False,
    ("op-x", "$SRV.PING"): False,
    ("observer-wall", "$SRV.PING"): False,
    ("join-c1", "$SRV.PING"): False,
}
HEARS = SERVICES | {  # who, subject -> may they listen to it?
    ("a", "roosync.home.status.>"): True,
    ("a", "roosync.home.>"): False,
    ("a", "roosync.home.mail.b.>"): False,
    ("a", "roosync.home.mail.a.>"): True,
    ("a", "post.home.>"): False,
    ("a", "_INBOX.b.>"): False,
    ("a", "_INBOX.>"): False,
    ("a", "roosync-rpc.home.a.>"): True,
    ("a", "roosync-rpc.home.b.>"): False,
    ("a", "$KV.home-leases.>"): False,
    ("a", "$SYS.>"): False,
    ("a", "$JS.EVENT.>"): False,
    ("op-x", "roosync.home.enrol.>"): True,
    ("op-x", "roosync.home.mail.a.>"): False,
    ("op-x", "_INBOX.a.>"): False,
    ("join-c1", "roosync.home.member.>"): True,
    ("join-c1", "roosync.home.status.>"): False,
    ("join-c1", "_INBOX.a.>"): False,
    ("observer-wall", "roosync.home.decision.>"): True,
    ("observer-wall", "roosync.>"): True,
    ("observer-wall", "roosync.home.>"): True,
    ("observer-wall", "roosync.home.mail.a.>"): False,
    ("observer-wall", "roosync-rpc.>"): False,
}


async def test_the_permission_matrix(bench):
    await bench.found()
    pairs = {"a": A, "b": B, "op-x": ROOT, "join-c1": CODE, "observer-wall": WATCHER}
    links = {name: await bench.link(name, pair) for name, pair in pairs.items()}
    wrong = []
    for (who, subject), allowed in PUBLISHES.items():
        try:
            await links[who].post(subject, b"{}", timeout=2)
            done = True
        except RefusedError:
            done = False
        if done is not allowed:
            wrong.append(f"{who} posts on {subject}: {done}")
    for (who, subject), allowed in ASKS.items():
        try:
            await links[who].request(subject, b'{"last_by_subj":"x"}', 2)
            done = True
        except RefusedError:
            done = False
        if done is not allowed:
            wrong.append(f"{who} asks {subject}: {done}")
    for (who, subject), allowed in HEARS.items():
        try:
            subscription = await links[who].follow(subject, lambda _: None)
            await subscription.close()
            done = True
        except RefusedError:
            done = False
        if done is not allowed:
            wrong.append(f"{who} listens to {subject}: {done}")
    assert wrong == []


def test_the_twin_refuses_what_the_server_refuses():
    everybody = {
        "a": permissions.member(FLEET, "a", A.public, orchestrates=True),
        "b": permissions.member(FLEET, "b", B.public),
        "op-x": permissions.member(FLEET, "op-x", ROOT.public),
        "join-c1": permissions.joiner(FLEET, "c1", CODE.public),
        "observer-wall": permissions.observer(FLEET, "wall", WATCHER.public),
    }
    for (who, subject), allowed in {**PUBLISHES, **ASKS}.items():
        assert any(permissions.matches(p, subject) for p in everybody[who].publish) is allowed, (who, subject)
    for (who, subject), allowed in HEARS.items():
        rights = everybody[who]
        heard = any(permissions.matches(p, subject) for p in rights.subscribe)
        unheard = any(permissions.matches(p, subject) for p in rights.unheard)
        assert (heard and not unheard) is allowed, (who, subject)


async def test_a_member_can_not_make_the_server_speak_a_fact_that_is_believed(bench):
    """The reply subject of a request is not checked by the server; what is sent there is told from a fact."""
    root = await bench.found()
    a, victim = await bench.link("a", A), await bench.link("b", B)
    heard = []
    await victim.follow(HOME.heard(), heard.append)
    wire = a._connection.wire
    await wire.publish("post.home.status.a", b"{}", reply="roosync.home.policy.main.op-x")
    ask = b'{"seq":1,"next_by_subj":"post.home.roster.>","batch":2}'
    await wire.publish("$JS.API.DIRECT.GET.home-LAW", ask, reply="roosync.home.policy.main.op-x")
    await wire.flush()
    await bench.say(root, ROOT, Policy(agent="op-x", timestamp=NOW, revision=1, paused=True))
    await eventually(lambda: len(heard) == 2)
    await victim._connection.wire.settle(5)
    assert {m.subject for m in heard} == {"post.home.status.a", "post.home.policy.main.op-x"}
    assert len(heard) == 2
    assert all(message.sequence > 0 for message in heard)
    assert any("is no fact" in str(error) for error in bench.errors)


async def test_an_observer_hears_everything_but_mail(bench):
    root = await bench.found()
    observer = await bench.link("observer-wall", WATCHER)
    heard = []
    await observer._connection.wire.listen("roosync.>", lambda message: heard.append(message.subject))
    await observer._connection.wire.settle(5)
    keeper = await bench.link("keeper-2", bench.server.keeper_keys)
    await keeper._connection.wire.publish("roosync.home.mail.a.m1.b", b"private")
    await keeper._connection.wire.settle(5)
    await root.post("post.home.audit.op-x", b"{}")
    await eventually(lambda: heard)
    assert heard == ["roosync.home.audit.op-x"]


async def test_calls_between_members(bench):
    root = await bench.found()
    a, b = await bench.link("a", A), await bench.link("b", B)

    async def answer(message):
        return b"yes"

    await b.serve("roosync-rpc.home.b.>", answer)
    assert await a.request("roosync-rpc.home.b.ping.a", b"", 2) == b"yes"
    assert await root.request("roosync-rpc.home.b.ping.op-x", b"", 2) == b"yes"
    with pytest.raises(RefusedError):
        await a.request("roosync-rpc.home.b.ping.op-x", b"", 2)


async def test_roles_and_presence_under_permissions(bench):
    await bench.found()
    a, b = await bench.link("a", A), await bench.link("b", B)
    assert await Lease(a, FLEET, "orchestrator", "a").acquire()
    with pytest.raises(RefusedError):
        await Lease(b, FLEET, "watchman", "b").acquire()
    assert (await Lease(b, FLEET, "orchestrator", "b").holder()).owner == "a"
    await Presence(a, FLEET).beat("a")
    assert set(await Presence(b, FLEET).present()) == {"a"}


async def test_law_that_does_not_count_changes_nothing(bench):
    await bench.found()
    keeper_link = await bench.link("keeper-2", bench.server.keeper_keys)
    stranger = KeyPair.generate()
    await bench.say(keeper_link, stranger, member("evil", stranger))
    await keeper_link.post("post.home.member.evil.op-x", b"\xff not json")
    await bench.keeper.settled()
    assert "evil" not in bench.keeper.law.members
    assert "post.home.member.evil.op-x" in bench.keeper.refused
    with pytest.raises(RefusedError):
        await bench.link("evil", stranger)


async def test_a_broker_restored_from_a_backup_does_not_bring_back_who_was_revoked(bench):
    root = await bench.found()
    await bench.say(root, ROOT, member("b", B, revision=2, revoked=True))
    await bench.keeper.settled()
    admin = await bench.link("keeper-2", bench.server.keeper_keys)
    old = [stored async for stored in admin.read("home-LAW", "post.>")][:-1]
    await bench.keeper.stop()
    await admin.request("$JS.API.STREAM.DELETE.home-LAW", b"", 5)
    await topology.ensure(admin, FLEET)
    for stored in old:
        await admin.post(stored.subject, stored.data, stored.headers)
    bench.keeper = Keeper(bench.server, FLEET, ROOT.public)
    await bench.keeper.start()
    assert bench.keeper.law.members["b"].revoked
    with pytest.raises(RefusedError):
        await bench.link("b", B)


async def test_a_code_ends(bench):
    root = await bench.found()
    joiner = await bench.link("join-c1", CODE)
    code = Invitation(
        agent="op-x", timestamp=NOW, revision=2, id="c1", key=CODE.public, expires=datetime.now(UTC), withdrawn=True
    )
    await bench.say(root, ROOT, code)
    await eventually(lambda: not joiner.connected)


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(bench):
    await bench.found()
    a = await bench.link("a", A)
    acknowledged, stop = [], False

    async def post():
        number = 0
        while not stop:
            number += 1
            headers = {"Nats-Msg-Id": f"n-{number}"}
            while True:
                try:
                    await a.post(f"post.home.content.{number:064}.0.a", b"%d" % number, headers, timeout=3)
                except UnavailableError:
                    await asyncio.sleep(0.01)
                    continue
                acknowledged.append(number)
                break

    task = asyncio.create_task(post())
    for _ in range(2):
        count = len(acknowledged)
        await eventually(lambda count=count: len(acknowledged) > count + 50, 15)
        os.kill(bench.server.pid, 9)
    count = len(acknowledged)
    await eventually(lambda: len(acknowledged) > count + 20, 15)
    stop = True
    await task
    stored = [int(message.data) async for message in a.read("home-CONTENTS", "post.>")]
    assert stored == acknowledged  # all of it, once, in order
    assert await bench.keeper.settled() is None


async def test_facts_flow_again_after_the_server_was_killed(bench):
    await bench.found()
    a, b = await bench.link("a", A), await bench.link("b", B)
    heard, connected = [], []
    await b.follow(HOME.heard(), heard.append)
    b.on_connected(lambda: connected.append(1))
    await eventually(lambda: connected)
    os.kill(bench.server.pid, 9)
    await eventually(lambda: not b.connected)
    await eventually(lambda: len(connected) == 2, 10)
    await a.post("post.home.status.a", b"{}")
    await eventually(lambda: heard)


async def test_a_law_posted_while_the_keeper_was_away_counts_when_it_is_back(bench):
    root = await bench.found()
    await bench.keeper.stop()
    c = KeyPair.generate()
    await bench.say(root, ROOT, member("c", c))
    bench.keeper = Keeper(bench.server, FLEET, ROOT.public)
    await bench.keeper.start()
    assert (await bench.link("c", c)).connected


async def test_tls_from_the_moment_the_listener_leaves_loopback(bench):
    await bench.found()
    a = await bench.link("a", A)
    await bench.server.restart(listen="0.0.0.0")
    assert bench.server.tls
    assert (await a.post("post.home.status.a", b"{}", timeout=10)).sequence == 1
    with pytest.raises(RefusedError, match="certificate"):
        await bench.link("a", A, certificate=EmbeddedServerCertificate.other())


class EmbeddedServerCertificate:
    @staticmethod
    def other():
        from roosync_broker.tls import make_certificate

        return make_certificate("home").pem


async def test_two_brokers_on_one_folder(bench):
    with pytest.raises(ServerError, match="already runs"):
        await EmbeddedServer(bench.server.state, fleet=FLEET, port=0).start()


ANSWERED_INTO = (
    "post.home.status.b",
    "post.home.decision.b.d-1.b",
    "post.home.roster.main.op-x",
    "$KV.home-leases.orchestrator.b",
    "$KV.home-presence.b",
)


async def test_an_answer_of_the_server_is_never_stored_in_somebody_elses_name(bench):
    """Who asks names the address of the answer, and the server asks nobody whether that is a place of its own."""
    root = await bench.found()
    a = await bench.link("a", A)
    await a.post("post.home.status.a", b"1", {"Nats-Msg-Id": "o-a"})
    await root.post("post.home.mail.a.m-1.op-x", b"1", {"Nats-Msg-Id": "o-m"})
    await bench.keeper.settled()
    wire, joiner = await a._connection.ready(5), await bench.link(permissions.joiner_name("c1"), CODE)
    theirs = await joiner._connection.ready(5)
    last, facts = b'{"last_by_subj":"post.home.%s"}', []
    await root.follow(HOME.heard(), facts.append)
    for address in ANSWERED_INTO:
        await wire.publish("$JS.API.DIRECT.GET.home-REPORTS", last % b"status.a", reply=address)
        await wire.publish("$JS.API.STREAM.INFO.home-REPORTS", b"", reply=address)
        await wire.publish("$JS.API.CONSUMER.MSG.NEXT.home-MAIL.a", b"", reply=address)
        await wire.publish("post.home.status.a", b"2", reply=address)
        await theirs.publish("$JS.API.DIRECT.GET.home-LAW", last % b"member.a.op-x", reply=address)
    await wire.settle(5)
    await theirs.settle(5)
    await asyncio.sleep(0.3)
    admin, found = bench.keeper._admin, []
    for stream in ("LAW", "WORK", "REPORTS", "MAIL"):
        found += [m.subject async for m in admin.read(f"home-{stream}", "post.>")]
    assert set(found) == {
        "post.home.status.a",
        "post.home.mail.a.m-1.op-x",
        "post.home.roster.main.op-x",
        "post.home.member.a.op-x",
        "post.home.member.b.op-x",
        "post.home.invitation.c1.op-x",
    }
    assert found.count("post.home.roster.main.op-x") == 1
    for bucket in ("leases", "presence"):
        assert [m.subject async for m in admin.read(f"KV_home-{bucket}", "$KV.>")] == []
    assert {fact.subject for fact in facts} == {"post.home.status.a"}


def test_everybody_is_in_the_users_text_once():
    law = Law(fleet=FLEET, root=ROOT.public)
    assert "founder" in permissions.users_text("UKEEPER", permissions.rights(law, NOW))
    roster = Roster(agent="op-x", timestamp=NOW, revision=1, operators={"op-x": Operator(key=ROOT.public)})
    heard = envelope.unseal(HOME, *_sealed(roster), verify)
    law = law.admit(heard)
    for message in (member("a", A), member("b", A), Member(**_fields("z"), key="U" + "A" * 55)):
        law = law.admit(envelope.unseal(HOME, *_sealed(message), verify))
    text = permissions.users_text("UKEEPER", permissions.rights(law, NOW))
    assert text.count(A.public) == 1
    assert "# z" not in text
    assert "founder" not in text


def _fields(name):
    return {"agent": "op-x", "timestamp": NOW, "revision": 1, "machine": name}


def _sealed(message):
    posting = envelope.seal(HOME, message, "o-1", ROOT.public, ROOT.sign)
    return posting.subject, posting.data, posting.headers


async def test_nats_tools_see_who_serves_and_get_no_further(bench):
    """An observer asks as `nats micro ls` does: everybody at once, answers collected below its own inbox."""
    await bench.found()
    watcher = await bench.link("observer-wall", WATCHER)
    a, b = await bench.link("a", A), await bench.link("b", B)
    for name, link in (("a", a), ("b", b)):
        for subject in micro.answered(FLEET, name):

            async def answer(asked, name=name):
                return f"{name} {micro.verb_of(asked.subject)}".encode()

            await link.serve(subject, answer)
    got = []
    wire = watcher._connection.wire
    await wire.listen("_INBOX.observer-wall.>", lambda message: got.append((message.subject, message.data)))
    for subject, answers in (("$SRV.PING", 2), ("$SRV.INFO.roosync-home", 2), ("$SRV.STATS.roosync-home.b", 1)):
        reply = "_INBOX.observer-wall.rpc.x.1"
        await wire.publish(subject, b"{}", reply=reply)
        await eventually(lambda answers=answers: len(got) == answers)
        verb = micro.verb_of(subject).encode()
        assert {data for _, data in got} == {name + b" " + verb for name in ((b"a", b"b") if answers == 2 else (b"b",))}
        got.clear()
    for elsewhere in ("_INBOX.observer-wall.x", "roosync.home.status.a", "post.home.status.a", "$SRV.PING"):
        await wire.publish("$SRV.PING.roosync-home.a", b"{}", reply=elsewhere)
    await wire.settle(5)
    await a._connection.wire.settle(5)
    await wire.settle(5)
    assert got == [], "answers go to inboxes of callers, and nowhere else"


async def test_a_law_that_was_heard_of_is_read_until_it_is_there(bench, monkeypatch):
    """A direct get of a cluster may be answered by a node that is some moments behind the fact."""
    root = await bench.found()
    read, behind = bench.keeper._admin.read, [True, True]

    async def late(*args):
        if not (behind and behind.pop()):
            async for stored in read(*args):
                yield stored

    monkeypatch.setattr(bench.keeper._admin, "read", late)
    await bench.say(root, ROOT, member("b", B, revision=2, revoked=True))
    await eventually(lambda: bench.keeper.law.members["b"].revoked)
    assert not behind
