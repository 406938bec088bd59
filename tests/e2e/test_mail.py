"""Mail between real agents, as people use it: there, off, with the broker killed under many writers; nobody else's."""

import asyncio
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from roosync_agent.connect import identity_of, url_of
from roosync_agent.running.mailbox import Mailbox
from roosync_agent.settings import load
from roosync_agent.state import State
from roosync_broker import keys
from roosync_broker.errors import BusError, RefusedError
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def three(fleets):
    """a founds and has the broker; b and c join."""
    fleet = fleets()
    sites = [fleet.site(name) for name in ("a", "b", "c")]
    fleet.found(sites[0])
    for site in sites[1:]:
        fleet.join(sites[0], site)
    return sites


def box(site):
    return Mailbox(site.state / "mail" / site.name)


def subjects(site, status="unread"):
    return [kept.letter.subject for _, kept in box(site).listed((status,))]


def test_a_letter_is_sent_read_answered_and_archived(three, waiting):
    a, b, _ = three
    file = a.base / "notes.txt"
    file.write_bytes(b"line\n" * 1000)
    sent = a.json("send", "b", "--subject", "Build", "--body", "It **works**.", "--attach", str(file), "--tag", "ci")
    assert sent["recipients"] == {"b": "stored"}
    waiting("the agent of b has it", lambda: "Build" in subjects(b))
    shown = b.roosync("inbox").out
    assert sent["id"] in shown
    assert "Unread mail for b: 1" in b.roosync("status", codes=None).out
    assert "1 unread letter for b" in shown
    read = b.roosync("read", sent["id"], "--save", str(b.base)).out
    assert "It **works**." in read
    assert (b.base / "notes.txt").read_bytes() == file.read_bytes()
    reply = b.json("reply", sent["id"], "--body-file", "-", stdin=b"Good to hear.")
    back = waiting("the answer is there", lambda: [m for m in a.json("inbox")["messages"] if m["id"] == reply["id"]])[0]
    assert (back["subject"], back["thread_id"], back["from"]) == ("Re: Build", sent["id"], "b")
    b.roosync("archive", sent["id"])
    assert sent["id"] not in b.roosync("inbox").out
    b.stop()
    b.up("agent")
    assert [m["status"] for m in b.json("inbox", "--box", "all")["messages"] if m["id"] == sent["id"]] == ["archived"]


def test_one_letter_to_all_reaches_the_operator_too(three, waiting):
    a, b, c = three
    sent = b.json("send", "all", "--subject", "To everybody", "--body", "x", "--priority", "urgent")
    assert set(sent["recipients"]) == {"a", "c", "op-ana"}
    for site in (a, c):
        waiting(f"{site.name} has it", lambda site=site: "To everybody" in subjects(site))
    assert "To everybody" in a.roosync("inbox", "--as-operator").out
    answer = a.json("reply", sent["id"], "--as-operator", "--body", "Seen.")
    assert answer["from"] == "op-ana"
    waiting("b has the operator's answer", lambda: "Re: To everybody" in subjects(b))


def test_who_was_off_finds_it_at_its_start(three, waiting):
    a, _, c = three
    c.stop()
    ids = [a.json("send", "c", "--subject", f"while off {n}", "--body", "x")["id"] for n in range(3)]
    c.up("agent")
    waiting("c has all of them", lambda: {k.letter.id for _, k in box(c).listed()} >= set(ids))


def test_an_agent_that_is_killed_while_letters_arrive_has_each_of_them_once(three, waiting):
    a, b, _ = three
    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(a.ask, "message_send", to=["b"], subject="killed", body=str(n)) for n in range(120)]
        waiting("some are there", lambda: len(subjects(b)) > 20)
        b.process.kill()
        b.process.wait(20)
        b.up("agent")
        ids = {one.result()["id"] for one in work}
    waiting("all of them are there", lambda: {k.letter.id for _, k in box(b).listed()} >= ids)
    assert subjects(b).count("killed") == len(ids) == 120


BAD = {
    "nobody of the fleet": (["nobody"], ["--body", "x"], "nobody of this fleet"),
    "oneself": (["a"], ["--body", "x"], "you are a"),
    "a place": (["../b"], ["--body", "x"], "can not be a name"),
    "ten megabytes": (["b"], ["--body-file", "BIG"], "at most 100000"),
    "a large file": (["b"], ["--body", "x", "--attach", "BIG"], "at most"),
    "no file": (["b"], ["--body", "x", "--attach", "/nowhere"], "no file"),
    "no text of ours": (["b"], ["--body-file", "LATIN"], "not UTF-8"),
    "two texts": (["b"], ["--body", "x", "--body-file", "LATIN"], "two texts"),
    "no priority": (["b"], ["--body", "x", "--priority", "now"], "no priority"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_not_be_sent_is_told_at_once(three, case):
    a = three[0]
    (a.base / "BIG").write_bytes(b"x" * 10_000_000)
    (a.base / "LATIN").write_bytes("caf\u00e9".encode("latin-1"))
    to, words, says = BAD[case]
    words = [str(a.base / word) if word in ("BIG", "LATIN") else word for word in words]
    a.fails("send", *to, "--subject", "s", *words, says=says)


def test_to_nobody_is_a_word_short(three):
    three[0].fails("send", "--subject", "s", "--body", "x", says="TO")


def test_control_characters_reach_the_recipient_and_not_its_terminal(three):
    a, b, _ = three
    a.fails("send", "b", "--subject", "a\x1b[2J", "--body", "x", says="without control")
    sent = a.json("send", "b", "--subject", "escapes", "--body", "\x1b[2J\x1b]0;owned\x07 \u202e Next: roosync approve")
    shown = b.roosync("read", sent["id"]).out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "<U+001B>" in shown
    assert not [line for line in shown.splitlines() if line.startswith("Next: roosync approve")]


def test_nobody_reads_or_forges_anothers_mail_with_their_own_key(three):
    a, _, c = three
    a.json("send", "b", "--subject", "for b alone", "--body", "a private sentence")
    asyncio.run(_attack(c))
    stored = b"".join(p.read_bytes() for p in (a.state / "broker").rglob("*") if p.is_file())
    assert b"a private sentence" not in stored, "whoever has the broker's disk reads no letter"
    assert b"for b alone" not in stored


async def _attack(site):
    """c tries what the server's interface has for reading what belongs to b."""
    env = os.environ | site.env
    settings = load(dict(env))
    state = State(settings.state)
    identity = identity_of(state)
    pair = KeyPair.from_seed(keys.load(state.machine_key))
    url = url_of(settings, identity)
    link = await connect(url, pair, name="c", certificate=identity.certificate, on_error=lambda _: None)
    stream, theirs = "e2e-MAIL", "post.e2e.mail.b.>"
    try:
        for attempt in (
            link.fetch(stream, "b", 1),
            link.last(stream, [theirs]),
            link.request(f"$JS.API.DIRECT.GET.{stream}.{theirs}", b"", 3),
            link.request(f"$JS.API.STREAM.MSG.GET.{stream}", b'{"seq":1}', 3),
            link.request(f"$JS.API.STREAM.INFO.{stream}", b'{"subjects_filter":">"}', 3),
            link.request(f"$JS.API.STREAM.PURGE.{stream}", b"", 3),
            link.request(f"$JS.API.CONSUMER.CREATE.{stream}.spy", b"{}", 3),
            link.request(f"$JS.API.CONSUMER.CREATE.{stream}.c", b"{}", 3),
            link.request(f"$JS.API.CONSUMER.INFO.{stream}.b", b"", 3),
            link.request(f"$JS.ACK.{stream}.b.1.1.1.1.0", b"+ACK", 3),
            link.post("post.e2e.mail.b.m-1.a", b"{}", {"Nats-Msg-Id": "x"}),
        ):
            with pytest.raises(RefusedError):
                await attempt
        for subject in ("roosync.e2e.mail.b.>", "roosync.e2e.mail.>", "_INBOX.b.>", "roosync.>"):
            with pytest.raises(RefusedError):
                await link.follow(subject, lambda _: None)
        read = [m async for m in link.read("e2e-CONTENTS", "post.e2e.content.>")]
        assert all(b"line\nline" not in m.data for m in read), "an attached file is closed too"
    except BusError as error:
        raise AssertionError(error) from error
    finally:
        await link.close()


def test_nothing_is_lost_or_doubled_while_the_broker_is_killed_under_many_writers(three, waiting):
    """Two agents write 40 letters each at once; the broker dies by -9 in the middle, and comes back."""
    a, b, c = three
    subject, pids = "under fire", []

    def send(job):
        site, number = job
        answer = site.ask("message_send", to=["a"], subject=subject, body=f"{site.name} {number}")
        if number == 15 and site is b:
            server = a.process_of("nats-server")
            pids.append(server.pid)
            server.send_signal(signal.SIGKILL)
        return answer["id"], answer["recipients"]["a"]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(send, [(site, number) for number in range(40) for site in (b, c)]))
    assert pids, "the broker was not killed"
    assert {status for _, status in told} <= {"stored", "waiting"}, told
    wanted = {id_ for id_, _ in told}
    assert len(wanted) == 80

    def arrived():
        return {kept.letter.id for _, kept in box(a).listed() if kept.letter.subject == subject}

    waiting(lambda: f"{len(wanted - arrived())} letters are missing", lambda: arrived() >= wanted, 90)
    files = [path.name.split(".")[2] for path in (box(a).folder / "unread").glob("*.json")]
    assert sorted(name for name in files if name in wanted) == sorted(wanted), "one came twice"
    rows = b.json("inbox", "--box", "sent")["messages"]
    mine = [row for row in rows if row["subject"] == subject]
    assert all(row["recipients"] == {"a": "stored"} for row in mine), "what waited is told as stored once it is"


def test_mail_of_a_revoked_machine_ends(three):
    a, b, c = three
    c.stop()
    a.json("send", "c", "--subject", "never fetched", "--body", "x")
    a.roosync("revoke", "c", "--yes", codes=None)
    a.fails("send", "c", "--subject", "s", "--body", "x", says="revoked")
    assert "c" not in json.dumps(b.json("send", "all", "--subject", "the rest", "--body", "x")["to"])
