"""Who may do what, tried with real processes, a real server, and clients that keep to no rule of ours.

One fleet serves the module: alpha founded it, beta joined, a baseline stands, and an observer listens from the
first minute. `Raw` is plain nats-py with somebody's key: it posts whatever it likes, and the broker and the
agents have to bear it.
"""

import asyncio
import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import nats
import pytest
from msgspec.structs import replace

from roosync_agent.operations.membership.codes import read_code, write_code
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.state import State
from roosync_broker.keys import KeyPair, verify
from roosync_protocol import approval, envelope
from roosync_protocol.messages import Approval, Decision, Enrolment, StatusReport, decode
from roosync_protocol.messages.work import PolicyProof
from roosync_protocol.subjects import Subjects

SUBJECTS = Subjects("e2e")
STALE = (10071, 10164)  # JetStream's codes of a lost compare-and-swap


class Raw:
    """Plain nats-py in a thread of its own, so that the story goes on while commands run."""

    def __init__(self, url, seed, name):
        self.keys, self.name = KeyPair.from_seed(seed), name
        self.errors, self.heard, self.closed = [], [], None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = self._run(self._connect(url, seed))

    async def _connect(self, url, seed):
        async def on_error(error):
            self.errors.append(str(error).lower())

        async def on_closed():
            self.closed = time.monotonic()

        return await nats.connect(
            url,
            nkeys_seed_str=seed,
            inbox_prefix=f"_INBOX.{self.name}".encode(),
            allow_reconnect=False,
            connect_timeout=5,
            error_cb=on_error,
            closed_cb=on_closed,
        )

    def _run(self, work, timeout=15):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    @property
    def connected(self):
        return self._client.is_connected

    def refused(self, subject, data=b"{}", **headers):
        """Whether the broker refuses to take this at all."""
        before = len(self.errors)

        async def work():
            await self._client.publish(subject, data, headers=headers or None)
            for _ in range(2):  # nats-py's first PING may overtake what it is to prove
                await self._client.flush()

        self._run(work())
        return any("publish" in error and subject.lower() in error for error in self.errors[before:])

    def deaf(self, subject):
        """Whether the broker refuses to let this be listened to."""
        before = len(self.errors)

        async def work():
            await self._client.subscribe(subject)
            for _ in range(2):
                await self._client.flush()

        self._run(work())
        return any("subscription" in error and subject.lower() in error for error in self.errors[before:])

    def follow(self, subject):
        async def take(message):
            self.heard.append((time.monotonic(), message))

        async def work():
            await self._client.subscribe(subject, cb=take)
            await self._client.flush()

        self._run(work())
        return self.heard

    def ask(self, subject, data=b"", headers=None):
        return self._run(self._client.request(subject, data, timeout=5, headers=headers))

    def post(self, message, *, by=None, **headers):
        """Posts a message signed with this key, or with another; what JetStream answers."""
        keys = by or self.keys
        operation = getattr(message, "operation_id", None) or f"o-raw-{time.monotonic_ns()}"
        made = envelope.seal(SUBJECTS, message, operation, keys.public, keys.sign)
        return json.loads(self.ask(made.subject, made.data, made.headers | headers).data)

    def close(self):
        with contextlib.suppress(Exception):
            self._run(self._client.close(), 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()


def url_of(site):
    return State(site.state).identity().url


def seed_of(site):
    return State(site.state).machine_key.read_text().strip()


def operator_seed(site):
    return State(site.state).operator_key.read_text().strip()


def now():
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    alpha, beta = made.site("alpha"), made.site("beta")
    homes.lay(alpha)
    homes.lay(beta, crlf=True)
    made.found(alpha)
    made.overdue = made.invite(alpha, "--machine", "late", "--minutes", "0.1")  # over by the time it is used
    made.late = read_code(made.overdue)
    made.credential = alpha.json("observer", "create", "wall")
    made.observer = Raw(url_of(alpha), made.credential["seed"], "observer-wall")
    made.observer.follow("roosync.>")
    made.join(alpha, beta)
    made.publish(alpha)
    made.settle(alpha)
    yield made
    made.observer.close()


@pytest.fixture
def two(fleet):
    """alpha and beta, in step before the test and after it."""
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    alpha.until_synced()
    yield alpha, beta
    alpha.until_synced()


@pytest.fixture
def raw(fleet):
    """Makes a raw client with somebody's seed; all of them go with the test."""
    made = []

    def make(seed, name):
        made.append(Raw(url_of(fleet.sites["alpha"]), seed, name))
        return made[-1]

    yield make
    for one in made:
        one.close()


def facts(observer, kind):
    return [message for _, message in list(observer.heard) if message.subject.split(".")[2] == kind]


def law_of(site):
    """What the machine believes: the revision of every roster and membership, from its state folder."""
    law = State(site.state).law()
    return {"roster": law.roster.revision} | {name: member.revision for name, member in law.members.items()}


# -- revoke


def test_revoke_cuts_off_at_once_and_a_new_code_brings_the_name_back(two, fleet, homes, waiting, raw):
    alpha, _beta = two
    gamma = fleet.site("gamma")
    homes.lay(gamma)
    fleet.join(alpha, gamma)
    fleet.settle(alpha)
    assert alpha.json("status")["machines_detected"] == 3
    edited = gamma.read(homes.memory) + b"Be short.\n"
    gamma.write(homes.memory, edited)
    asked = alpha.decision("pending", machine="gamma", entity="claude.memory/CLAUDE.md")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.until_synced()
    stolen = seed_of(gamma)
    thief, others = raw(stolen, "gamma"), [raw(seed_of(site), site.name) for site in two]
    thief.follow("roosync.e2e.member.>")
    processes = {process.pid for site in two for process in site.tree()}

    alpha.roosync("revoke", "gamma", "--yes")
    waiting("the thief is cut off", lambda: thief.closed)
    told = next(when for when, m in thief.heard if m.subject == "roosync.e2e.member.gamma.op-ana")
    assert thief.closed - told < 1.0
    waiting("its agent says so", lambda: "does not accept this key" in gamma.told())
    with pytest.raises(Exception, match=r"(?i)authorization"):
        raw(stolen, "gamma")
    assert all(other.connected and other.closed is None for other in others)
    assert {process.pid for site in two for process in site.tree()} == processes
    for site in two:
        waiting(f"{site.name} forgets it", lambda site=site: site.row("gamma") is None)
    alpha.until_synced()
    seen = alpha.json("status")
    assert [row["machine"] for row in seen["machines"]] == ["alpha", "beta"]
    assert (seen["machines_detected"], alpha.roosync("status").code) == (2, 0)
    alpha.fails("revoke", "gamma", "--yes", says="was revoked already")

    assert gamma.stop() == 0
    gamma.fails("publish", says=["does not accept this key", "revoked"])
    gamma.roosync("status", codes=None)
    gamma.fails("join", fleet.invite(alpha, "--machine", "delta"), says="for a machine named 'delta'")
    (gamma.state / "attempts.json").unlink()  # nothing here knows what was applied before
    gamma.write(homes.memory, edited)
    fleet.join(alpha, gamma)  # the same folder, the same name
    assert seed_of(gamma) != stolen, "the key that was revoked is not used again"
    assert [row["machine"] for row in alpha.json("status")["machines"]] == ["alpha", "beta", "gamma"]
    with pytest.raises(Exception, match=r"(?i)authorization"):
        raw(stolen, "gamma")
    alpha.decision("pending", machine="gamma", entity="claude.memory/CLAUDE.md")
    assert gamma.read(homes.memory) == edited, "what was approved before is not approved now"
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.until_synced()
    assert gamma.read(homes.memory) != edited
    alpha.roosync("revoke", "gamma", "--yes")
    gamma.stop()


# -- join


def _spoiled(text, **changes):
    return write_code(replace(read_code(text), **changes))


def _flipped(text, at):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


BAD = {  # what is made of a good code -> what the person is told
    "cut": (lambda good: good[: len(good) // 2], "damaged or not whole"),
    "no code": (lambda good: "https://example.org/join", "no code of `roosync invite`"),
    "empty": (lambda good: "", "no code of `roosync invite`"),
    "one letter": (lambda good: _flipped(good, len(good) * 2 // 3), "damaged or not whole"),
    "over": (lambda good: _spoiled(good, expires=int(time.time()) - 1), "the code is over"),
    "another root": (lambda good: _spoiled(good, root=KeyPair.generate().public), "not the fleet's broker"),
    "another fleet": (lambda good: _spoiled(good, fleet="other"), "permit"),
    "no seed": (lambda good: _spoiled(good, seed="SUAAAA"), "seed"),
    "no address": (lambda good: _spoiled(good, url="nats://:x"), "no address of a broker"),
}


@pytest.fixture(scope="module")
def good(fleet):
    return fleet.invite(fleet.sites["alpha"])


@pytest.fixture(scope="module")
def stranger(fleets):
    return fleets().site("stranger")


def joins_not(site, code, says):
    site.fails("join", code, says=says)
    found = {path.name for path in site.state.rglob("*") if path.is_file()}
    assert found <= {"machine.nk", "agent.lock"}, "of the fleet nothing is kept"


@pytest.mark.parametrize("how", BAD)
def test_a_bad_code_is_told_and_leaves_nothing(good, stranger, how):
    spoil, says = BAD[how]
    joins_not(stranger, spoil(good), says)


def test_one_wrong_letter_anywhere_is_noticed_before_anybody_is_asked(good):
    for at in range(len(good)):
        with pytest.raises(RefusedRequestError, match=r"damaged|no code"):
            read_code(_flipped(good, at) if at >= len("roosync1-") else good[:at] + "#" + good[at + 1 :])


def test_a_code_that_is_over_admits_nobody(two, fleet, stranger, raw):
    alpha, _ = two
    joins_not(stranger, fleet.overdue, "the code is over")
    late, pair = fleet.late, KeyPair.generate()
    with contextlib.suppress(nats.errors.Error):  # the server may know the code a minute longer than the operator
        thief = raw(late.seed, f"join-{late.id}")
        thief.post(Enrolment(agent="late", timestamp=now(), code=late.id, key=pair.public), by=pair)
    assert "Nobody asked" in alpha.roosync("admit", "--yes", codes=(1,)).err
    assert "late" not in law_of(alpha)


def test_a_code_is_used_once(two, fleet, stranger, raw, waiting):
    alpha, _ = two
    delta, text = fleet.site("delta"), fleet.invite(alpha)
    code = read_code(text)
    thief = raw(code.seed, f"join-{code.id}")
    admitting = alpha.begin("admit", "--yes", "--minutes", "1")
    delta.roosync("join", text)
    admitting.terminate()
    waiting("the code's connections end", lambda: thief.closed)
    joins_not(stranger, text, "over, was used, or was withdrawn")
    assert State(delta.state).identity().fleet == "e2e"
    alpha.roosync("revoke", "delta", "--yes")


def test_whoever_holds_a_code_may_ask_to_join_and_nothing_else(two, fleet, raw):
    alpha, _ = two
    code = read_code(fleet.invite(alpha, "--machine", "eve"))
    other = read_code(fleet.invite(alpha, "--machine", "mallory"))
    eve, pair = raw(code.seed, f"join-{code.id}"), KeyPair.generate()
    posts = (
        f"post.e2e.enrol.{other.id}.eve",
        f"post.e2e.enrol.{code.id}.mallory",  # the code is for eve
        "post.e2e.status.eve",
        "post.e2e.status.alpha",
        "post.e2e.member.eve.op-ana",
        "post.e2e.decision.beta.d-1.op-ana",
        "post.e2e.audit.op-ana",
        f"post.e2e.content.{'0' * 64}.0.eve",
        "roosync.e2e.member.eve.op-ana",
        "$KV.e2e-presence.eve",
        "roosync-rpc.e2e.alpha.status.eve",
        "_INBOX.alpha.rpc.x",
        "$JS.API.DIRECT.GET.e2e-ENROL",
        *(f"$JS.API.DIRECT.GET.e2e-{stream}" for stream in ("WORK", "CONTENTS", "REPORTS", "AUDIT")),
        *(f"$JS.API.{verb}.e2e-LAW" for verb in ("STREAM.INFO", "STREAM.PURGE", "CONSUMER.CREATE", "STREAM.MSG.GET")),
    )
    assert [subject for subject in posts if not eve.refused(subject)] == []
    hears = ("roosync.>", "roosync.e2e.decision.>", "roosync.e2e.enrol.>", "post.e2e.>", "_INBOX.>", "$SYS.>")
    assert [subject for subject in hears if not eve.deaf(subject)] == []
    asked = eve.post(Enrolment(agent="eve", timestamp=now(), code=code.id, key=pair.public), by=pair)
    assert asked["stream"] == "e2e-ENROL"
    assert "eve" not in law_of(alpha), "to ask is not to be admitted"


# -- a member's key


def test_a_member_speaks_for_itself_alone(two, fleet, raw):
    alpha, beta = two
    client = raw(seed_of(beta), "beta")
    posts = (
        "post.e2e.status.alpha",
        "post.e2e.audit.alpha",
        "post.e2e.decision.alpha.d-1.beta",
        "post.e2e.decision.alpha.d-1.alpha",
        "post.e2e.decision.beta.d-1.op-ana",
        "post.e2e.proposal.p-1.op-ana",
        "post.e2e.enrol.i-1.beta",
        *(f"post.e2e.{kind}.main.{who}" for kind in ("roster", "policy", "baseline") for who in ("op-ana", "beta")),
        *(f"post.e2e.{kind}.beta.{who}" for kind in ("member", "invitation") for who in ("op-ana", "beta")),
        "roosync.e2e.policy.main.op-ana",
        "$KV.e2e-presence.alpha",
        "$KV.e2e-leases.orchestrator.alpha",
        "$JS.API.CONSUMER.CREATE.e2e-WORK",
        "$JS.API.STREAM.PURGE.e2e-WORK",
        "$JS.API.STREAM.DELETE.e2e-LAW",
        "$SYS.REQ.SERVER.PING",
    )
    assert [subject for subject in posts if not client.refused(subject)] == []
    assert [subject for subject in ("roosync.>", "post.>", "_INBOX.alpha.>") if not client.deaf(subject)] == []
    before = alpha.status()["refused_total"]
    said = StatusReport(agent="beta", timestamp=now(), machines_detected=1, status="synced", divergences_count=0)
    assert client.post(said, by=KeyPair.generate())["stream"] == "e2e-REPORTS"
    assert client.ask("post.e2e.status.beta", b"\xff{no json").data
    until_counted(alpha, before + 2)
    assert alpha.row("beta")["state"] == "synced"
    assert fleet.observer.connected


def until_counted(site, total):
    end = time.monotonic() + 20
    while site.status()["refused_total"] < total:
        assert time.monotonic() < end, site.status()["refused"]
        time.sleep(0.05)


def _forged(decision, beta, root, genuine):
    """What beta's own key may post about a decision about beta: approvals that nobody gave."""
    named = Approval(
        fleet="e2e",
        operator="op-ana",
        machine="beta",
        decision=decision.id,
        entity=decision.entity,
        attempt=decision.attempt,
        action=decision.action,
        wanted=decision.wanted.digest,
        surface=decision.surface,
        issued=now(),
        expires=now() + timedelta(days=1),
    )
    own = approval.approve(named, beta.public, beta.sign)
    itself = approval.approve(replace(named, operator="beta"), beta.public, beta.sign)
    return {
        "in the operator's name": {"approvals": (own,)},
        "with the operator's key and another signature": {"approvals": (replace(own, signer=root),)},
        "by itself as an operator": {"approvals": (itself,)},
        "given to another decision": {"approvals": (genuine,)},
        "by policy": {"policy_proof": PolicyProof(policy_revision=1, risk=decision.risk)},
        "and it was applied already": {"approvals": (itself,), "status": "applied"},
    }


def test_an_approval_that_nobody_gave_is_believed_by_nobody(two, fleet, homes, raw):
    alpha, beta = two
    agreed = {path: beta.read(path) for path in (homes.memory, homes.rule)}
    beta.write(homes.rule, agreed[homes.rule] + b"- Once.\r\n")
    other = alpha.decision("pending", machine="beta", entity="roo.rules/rules/00-base.md")
    alpha.roosync("decision", "approve", other["id"], "--yes")
    alpha.until_synced()
    genuine = next(d for d in _decisions(fleet.observer) if d.id == other["id"] and d.approvals).approvals[0]
    assert approval.genuine(approval.PURPOSE, genuine, verify)

    edited = agreed[homes.memory] + b"Be short.\r\n"
    beta.write(homes.memory, edited)
    asked = alpha.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")
    pending = next(d for d in _decisions(fleet.observer) if d.id == asked["id"] and d.status == "pending")
    client = raw(seed_of(beta), "beta")
    root = KeyPair.from_seed(operator_seed(alpha)).public
    forged = _forged(pending, client.keys, root, genuine)
    before = {site.name: site.status()["refused_total"] for site in two}
    for number, (how, changes) in enumerate(forged.items()):
        step = {"agent": "beta", "revision": pending.revision + 1, "operation_id": f"o-f{number}", "status": "approved"}
        assert client.post(replace(pending, **(step | changes)))["stream"] == "e2e-WORK", how
    for site in two:
        until_counted(site, before[site.name] + len(forged))
    beta.roosync("apply", codes=None)
    for site in two:
        card = site.json("decision", "show", asked["id"])
        assert (card["status"], len(card["refused"])) == ("pending", len(forged)), card
    assert beta.read(homes.memory) == edited
    assert "messages were refused" in " ".join(alpha.row("beta")["notes"])
    beta.stop()  # a fresh look believes it no more
    beta.up("agent")
    assert beta.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")["id"] == asked["id"]
    assert beta.read(homes.memory) == edited
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.until_synced()
    assert {path: beta.read(path) for path in agreed} == agreed


def _decisions(observer):
    return [found for m in facts(observer, "decision") if isinstance(found := decode(m.data), Decision)]


# -- pause, resume, renew


def test_a_paused_machine_takes_nothing_by_itself(two, homes, waiting):
    alpha, beta = two
    agreed = {site.name: site.read(homes.mcp) for site in two}
    assert not State(beta.state).operator_key.exists()
    beta.roosync("pause")
    beta.fails("resume", says="no operator's key lies on this machine")
    beta.fails("pause", "alpha", says="no operator's key lies on this machine")
    beta.stop()
    beta.up("agent")  # it holds over a restart
    alpha.write(homes.mcp, agreed["alpha"].replace(b'"timeout": 60', b'"timeout": 61'))
    own = alpha.decision("pending", machine="alpha", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", own["id"], "--action", "override_remote", "--yes")
    held = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    assert held["risk"] in ("none", "low")
    beta.roosync("apply", codes=None)
    waiting("beta says that it is paused", lambda: (alpha.row("beta") or {}).get("paused"))
    assert (alpha.row("beta")["state"], beta.read(homes.mcp)) == ("diverged", agreed["beta"])
    alpha.roosync("pause", "--fleet")
    alpha.roosync("resume", "beta")
    waiting("the fleet is paused", lambda: beta.status()["paused"])
    beta.roosync("apply", codes=None)
    assert beta.read(homes.mcp) == agreed["beta"], "the whole fleet is paused"
    alpha.roosync("resume", "--fleet")
    alpha.until_synced()
    assert beta.read(homes.mcp) == agreed["beta"].replace(b'"timeout": 60', b'"timeout": 61')
    assert not alpha.row("beta")["paused"]


def test_renewed_law_has_a_new_revision_everywhere(two, waiting):
    alpha, beta = two
    before = {site.name: law_of(site) for site in two}
    ends = State(alpha.state).law().roster.expires
    renewed = alpha.json("renew")["renewed"]
    assert sorted(renewed) == ["alpha", "beta", "roster"]
    for site in two:
        expected = {k: v + (k in renewed) for k, v in before[site.name].items()}
        waiting(f"{site.name} believes it", lambda site=site, expected=expected: law_of(site) == expected)
    assert State(beta.state).law().roster.expires > ends
    beta.fails("renew", says="no operator's key lies on this machine")


# -- the observer


def test_of_two_answers_at_once_one_is_told_and_one_counts(two, fleet, homes, raw):
    alpha, beta = two
    agreed = beta.read(homes.modes)
    beta.write(homes.modes, agreed.replace(b"name: Docs", b"name: Writer"))
    asked = alpha.decision("pending", machine="beta", entity="roo.modes/docs")
    alpha.roosync("pause", "--fleet")
    with ThreadPoolExecutor(2) as pool:
        words = ("decision", "approve", asked["id"], "--yes")
        rans = list(pool.map(lambda _: alpha.roosync(*words, codes=(0, 1)), range(2)))
    alpha.roosync("resume", "--fleet")
    assert sorted(ran.code for ran in rans) == [0, 1], rans
    alpha.until_synced()
    said = [d for d in _decisions(fleet.observer) if d.id == asked["id"]]
    assert [d.status for d in said] == ["pending", "approved", "applying", "applied"]

    # the same without luck: who posts after an old sequence is refused, and nobody hears of it
    operator = raw(operator_seed(alpha), "op-ana")
    late = replace(said[0], agent="op-ana", revision=2, operation_id="o-late", status="rejected", timestamp=now())
    record = f"post.e2e.decision.beta.{late.id}.*"
    first = next(m for m in facts(fleet.observer, "decision") if json.loads(m.data)["id"] == late.id)
    expect = {
        "Nats-Expected-Last-Subject-Sequence": first.headers["Nats-Sequence"],
        "Nats-Expected-Last-Subject-Sequence-Subject": record,
    }
    assert operator.post(late, **expect)["error"]["err_code"] in STALE
    assert operator.refused("post.e2e.status.op-ana")
    alpha.roosync("publish")  # something later, that is heard
    heard = len(facts(fleet.observer, "package"))
    alpha.roosync("publish")
    while len(facts(fleet.observer, "package")) <= heard:
        time.sleep(0.02)
    assert "o-late" not in [d.operation_id for d in _decisions(fleet.observer)]
    assert beta.read(homes.modes) == agreed


def test_the_observer_says_nothing(fleet):
    law = law_of(fleet.sites["alpha"])
    posts = (
        "post.e2e.status.alpha",
        "post.e2e.status.observer-wall",
        "post.e2e.policy.main.op-ana",
        "post.e2e.audit.wall",
        "roosync.e2e.status.alpha",
        "roosync.anything",
        "$JS.API.INFO",
        "_INBOX.alpha.rpc.x",
        "_INBOX.observer-wall.x",
        "anything",
        "$JS.API.DIRECT.GET.e2e-WORK",
        "$JS.API.STREAM.INFO.e2e-LAW",
        "$KV.e2e-presence.alpha",
        "roosync-rpc.e2e.alpha.status.wall",
    )
    assert [subject for subject in posts if not fleet.observer.refused(subject)] == []
    hears = ("post.>", ">", "$KV.>", "_INBOX.>", "roosync-rpc.>", "$SYS.>")
    assert [subject for subject in hears if not fleet.observer.deaf(subject)] == []
    assert law_of(fleet.sites["alpha"]) == law
    assert fleet.observer.connected


def test_the_observer_read_the_whole_story(fleet):
    heard = [message for _, message in list(fleet.observer.heard)]
    kinds = {message.subject.split(".")[2] for message in heard}
    assert kinds == {
        *("status", "package", "inventory", "divergence", "audit", "decision", "proposal"),
        *("roster", "policy", "baseline", "member", "invitation", "enrol"),
    }
    last: dict[str, int] = {}
    by_hand = 0
    for message in heard:
        assert message.subject.startswith("roosync.e2e."), message.subject
        assert {"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"} <= message.headers.keys()
        assert message.headers["Nats-Subject"] == message.subject.replace("roosync.", "post.", 1)
        stream, sequence = message.headers["Nats-Stream"], int(message.headers["Nats-Sequence"])
        assert sequence == last.get(stream, sequence - 1) + 1, "all of the stream, in its order, each once"
        last[stream] = sequence
        if message.data == b"\xff{no json":
            by_hand += 1
            continue
        body = json.loads(message.data)
        assert body["type"].startswith("roosync.v1."), body
        assert message.subject.rsplit(".", 1)[-1] == body["agent"], (message.subject, body)
        assert body["timestamp"]
        assert {"Nats-Msg-Id", "Roosync-Signer", "Roosync-Signature"} <= message.headers.keys(), message.subject
    assert by_hand == 1, "what is stored is shown, also what nobody believes"
    assert ["pending", "approved", "applying", "applied"] in _stories(heard)
    assert not any(seed in message.data.decode("utf-8", "replace") for seed in _seeds(fleet) for message in heard)


def _stories(heard):
    stories: dict[str, list[str]] = {}
    for message in heard:
        if message.subject.split(".")[2] == "decision":
            body = json.loads(message.data)
            stories.setdefault(body["id"], []).append(body["status"])
    return [story[-4:] for story in stories.values()]


def _seeds(fleet):
    return [operator_seed(fleet.sites["alpha"]), *(seed_of(site) for site in fleet.sites.values())]
