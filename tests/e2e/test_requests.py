"""What is asked waits until its addressee is there, is done once, and is answered by nobody else; and who is there."""

import json
import signal
import time

import pytest

from roosync_agent.running.requests import JOURNAL


@pytest.fixture(scope="module")
def three(fleets, homes):
    """A founder and two machines; nobody is asked for a baseline here."""
    fleet = fleets()
    a, b, c = (homes.lay(fleet.site(name)) for name in ("pc-a", "pc-b", "pc-c"))
    fleet.found(a)
    fleet.join(a, b)
    fleet.join(a, c)
    return fleet, a, b, c


def test_a_machine_does_what_it_is_asked_for(three):
    _, a, _, _ = three
    asked = a.json("request", "pc-b", "--action", "verify", "--type", "verification", "--wait", "20", codes=(0,))
    assert (asked["status"], asked["answered_by"]) == ("done", "pc-b"), asked
    assert "divergences" in asked["outcome"]
    asked = a.json("request", "pc-b", "--action", "publish", "--wait", "20", codes=(0,))
    assert asked["outcome"].startswith("published "), asked
    assert a.json("requests") == []
    assert len(a.json("requests", "--all")) == 2
    form = a.roosync("request", "show", asked["id"], "--markdown").out
    assert form.startswith("## Coordination Request - pc-a - ")


def test_a_machine_that_was_off_finds_it_at_its_start(three, waiting):
    _, a, b, c = three
    c.stop()
    began = time.monotonic()
    asked = a.json("request", "pc-c", "--action", "publish", codes=(0,))
    assert asked["status"] == "requested"
    assert a.json("request", "show", asked["id"], codes=(5,))["status"] == "requested"
    late = a.json("request", "pc-c", "--action", "publish", "--timeout", "0.001", codes=(0,))
    waits = a.json("request", "pc-c", "--action", "collect", "--waiting", codes=(0,))
    c.up("agent")
    waiting("pc-c answers", lambda: b.ask("request_show", id_=asked["id"])["status"] == "done")
    assert time.monotonic() - began < 60
    assert b.ask("request_show", id_=late["id"])["status"] == "expired"
    assert b.ask("request_show", id_=waits["id"])["status"] == "requested"
    a.roosync("request", "ready", waits["id"])
    waiting("it begins when it may", lambda: b.ask("request_show", id_=waits["id"])["status"] == "done")


def test_killed_between_doing_and_answering_it_is_not_done_again(three, waiting):
    _, a, b, _ = three
    b.process.send_signal(signal.SIGKILL)
    b.process.wait(20)
    asked = a.json("request", "pc-b", "--action", "publish", codes=(0,))
    journal = json.loads((b.state / JOURNAL).read_text())
    journal[asked["id"]] = {"tries": 1, "status": "done", "outcome": "published before the kill"}
    (b.state / JOURNAL).write_text(json.dumps(journal))
    b.up("agent")
    answer = waiting("it is answered", lambda: (r := a.ask("request_show", id_=asked["id"]))["status"] == "done" and r)
    assert answer["outcome"] == "published before the kill"


BAD = {
    "a machine that is none": (("pc-x", "--action", "publish"), "is nobody of this fleet"),
    "no time": (("pc-b", "--action", "publish", "--timeout", "0"), "is none; give a number of minutes"),
    "a command": (("pc-b", "--action", "rm -rf /"), "a machine is not asked for"),
    "an approval of a machine": (("pc-b", "--type", "approval", "--action", "publish"), "approves nothing"),
    "the wrong type": (("pc-b", "--type", "verification", "--action", "publish"), "is asked as execution"),
    "nothing": (("pc-b",), "for what?"),
    "no name": (("PC B", "--action", "publish"), "can not be a name"),
}


@pytest.mark.parametrize(("words", "says"), BAD.values(), ids=BAD)
def test_what_can_not_be_asked(three, words, says):
    three[1].fails("request", *words, says=says)


def test_a_person_answers_once(three):
    _, a, b, _ = three
    asked = b.json("request", "operators", "--type", "approval", "--action", "may I?", codes=(0,))
    assert a.json("requests", codes=(3,))[0]["id"] == asked["id"]
    assert asked["id"] in a.roosync("requests", codes=(3,)).out
    b.fails("request", "done", asked["id"], says="no operator's key")
    done = a.json("request", "done", asked["id"], "--note", "yes", codes=(0,))
    assert (done["status"], done["answered_by"], done["outcome"]) == ("done", "op-ana", "yes")
    a.fails("request", "refuse", asked["id"], says="is done already")
    off = a.json("request", "pc-b", "--action", "publish", "--waiting", codes=(0,))
    a.fails("request", "done", off["id"], says="only that machine answers it")


def test_who_is_there_answers_and_who_is_not_is_named(three):
    _, a, _, c = three
    seen = a.json("ping", codes=(0,))
    assert [row["machine"] for row in seen["machines"]] == ["pc-a", "pc-b", "pc-c"]
    assert all(row["milliseconds"] < 500 and row["version"] for row in seen["machines"])
    hung = c.process_of("agent")
    hung.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        seen = a.json("ping", codes=(5,))
        assert time.monotonic() - began < 2.5
        assert seen["silent"] == ["pc-c"]
        assert "no answer within 1.5 s" in seen["machines"][2]["reason"]
        assert seen["machines"][2]["hangs"]
    finally:
        hung.send_signal(signal.SIGCONT)
    a.fails("ping", "pc-x", says="is no machine of this fleet")
    a.fails("ping", "--timeout", "0", says="no time to wait")
    c.stop()
    assert a.json("ping", "pc-c", codes=(5,))["machines"][0]["reason"] == "no agent of it is connected"
    c.up("agent")


def test_what_happens_is_told_in_lines_and_can_be_read_afterwards(three, waiting):
    _, a, _, _ = three
    following = a.talk("tail", "request", "--count", "4")  # one request is three lines
    asked = {}

    def line():
        asked.update(a.json("request", "pc-b", "--action", "report", "--wait", "10", codes=(0,)))
        return following.poll() is not None

    waiting("some lines", line)
    assert "asks pc-b for execution: report" in following.stdout.read()
    told = a.roosync("history", asked["id"]).out
    assert "report, asked by pc-a" in told
    enrolled = a.json("history", "pc-b")["rows"]
    assert ("op-ana", "enrol", "done") in {(row["who"], row["action"], row["outcome"]) for row in enrolled}
    assert a.roosync("history", "nothing-like-it").out.startswith("Nothing was done about")
    a.fails("history", "--since", "yesterday", says="is no time")
    a.fails("tail", "alarms", says="there is no kind")


def test_who_holds_what_and_is_not_there(three):
    _, a, _, c = three
    seen = a.json("locks", codes=(0,))
    assert [(row["role"], row["present"]) for row in seen["leases"]] == [("orchestrator", True)]
    assert "agent.lock" in a.roosync("locks").out
    c.stop()
    left = a.json("request", "pc-c", "--action", "publish", codes=(0,))
    assert a.json("locks", codes=(0,))["claims"] == [], "what nobody took is nobody's claim"
    a.roosync("request", "show", left["id"], codes=(5,))
    c.up("agent")
