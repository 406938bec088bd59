"""The questions that wait, and the socket they come by: over a Unix socket, and as on Windows over loopback."""

import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from roosync_agent.cli.unlock import command_line
from roosync_agent.running.control import connect, token
from roosync_agent.unlocking import desk as desk_module
from roosync_agent.unlocking import door as door_module
from roosync_agent.unlocking.asking import Answer, ask_to_sign, unlocked
from roosync_agent.unlocking.desk import MOST, Desk, Outlet, Question
from roosync_agent.unlocking.door import Door, name_of
from roosync_agent.unlocking.rules import read as read_by

WORDS = ["label", "beta", "role=dev"]


def read(words):
    return read_by(words, command_line())


def question(*words):
    return Question(read(words or WORDS), "somebody", "x")


def outlet(stays=False):
    one = Outlet(stays, lambda: one.went)
    one.went = False
    return one


def told(one):
    """The answer that an asker was told, if any."""
    lines = [one.lines.get_nowait() for _ in range(one.lines.qsize())]
    return next((line["answer"]["outcome"] for line in lines if "answer" in line), None)


def test_one_after_the_other_and_the_same_words_once():
    desk = Desk()
    first, again, other = outlet(), outlet(), outlet()
    assert desk.put(question(), first) == 0
    assert desk.put(question(), again) == 0
    assert desk.put(question("renew"), other) == 1
    taken = desk.take(0)
    assert taken.asked.words == tuple(WORDS)
    assert desk.waiting() == 1
    desk.finish(taken, Answer("done"))
    assert [told(first), told(again), told(other)] == ["done", "done", None]
    assert desk.take(0).asked.words == ("renew",)


def test_what_was_allowed_already_is_another_question():
    desk = Desk()
    desk.put(question(), outlet())
    taken = desk.take(0)
    taken.allowed = True
    assert desk.put(question(), outlet()) == 1


def test_too_many_are_turned_away_and_room_comes_back():
    desk = Desk()
    outlets = [outlet() for _ in range(MOST)]
    for n, one in enumerate(outlets):
        assert desk.put(question("label", "beta", f"role={n}"), one) == n
    assert desk.put(question("renew"), outlet()) is None
    assert desk.turned_away == 1
    outlets[3].went = True
    assert desk.put(question("renew"), outlet()) == MOST - 1


def test_who_went_away_is_not_shown_and_who_stays_is():
    desk = Desk()
    gone, kept = outlet(), outlet(stays=True)
    desk.put(question(), gone)
    desk.put(question("renew"), kept)
    gone.went = True
    desk.leave(question("renew"), kept, heard=False)
    assert desk.take(0).asked.words == ("renew",)


def test_a_question_does_not_stay_for_ever(monkeypatch):
    monkeypatch.setattr(desk_module, "STAYS", 0.0)
    desk, one = Desk(), outlet(stays=True)
    desk.put(question(), one)
    desk.leave(question(), one, heard=False)
    assert desk.take(0) is None


def test_an_answer_is_kept_for_who_asks_in_turns_once():
    desk, first, second, third = Desk(), outlet(stays=True), outlet(stays=True), outlet(stays=True)
    desk.put(question(), first)
    taken = desk.take(0)
    desk.leave(taken, first, heard=False)
    desk.finish(taken, Answer("done"))
    assert desk.put(question(), second) == 0
    assert told(second) == "done"
    assert desk.put(question(), third) == 0
    assert told(third) is None, "asked anew"


def test_no_means_no_to_an_assistant_and_not_to_the_person(monkeypatch):
    desk, first, again, person = Desk(), outlet(stays=True), outlet(stays=True), outlet()
    desk.put(question(), first)
    desk.finish(desk.take(0), Answer("declined"))
    desk.put(question(), again)
    desk.put(question(), person)
    assert (told(again), told(person)) == ("declined", None)
    monkeypatch.setattr(desk_module, "NO_MEANS_NO", 0.0)
    later = outlet(stays=True)
    desk.put(question(), later)
    assert told(later) is None


def test_when_the_key_is_locked_everybody_is_told():
    desk, shown, behind = Desk(), outlet(), outlet()
    desk.put(question(), shown)
    desk.put(question("renew"), behind)
    desk.take(0)
    desk.close("locked")
    assert (told(shown), told(behind)) == ("nobody", "nobody")
    assert desk.put(question(), outlet()) is None


def test_only_what_comes_after_the_yes_is_told():
    one, asked = outlet(), question()
    asked.outlets.append(one)
    asked.tell("the card", err=False)
    asked.allowed = True
    asked.tell("done", err=False)
    asked.tell("x" * 10_000_000, err=True)
    assert asked.said[0] == "done"
    assert sum(map(len, asked.said)) <= desk_module.MOST_SAID


# -- over a socket


@pytest.fixture(params=["a socket of Unix", "loopback, as on Windows"])
def door(request, tmp_path, monkeypatch):
    if request.param.startswith("loopback"):
        monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    elif not hasattr(socket, "AF_UNIX"):
        pytest.skip("none here")
    (tmp_path / "run").mkdir(mode=0o700)
    made = Door(tmp_path, Desk(), {"pid": 1, "terminal": ""}, read)
    made.open()
    made.desk, made.state = made._desk, tmp_path
    yield made
    made.close()
    assert not unlocked(tmp_path)
    assert not list((tmp_path / "run").iterdir())


def test_a_question_and_its_answer(door):
    assert unlocked(door.state)
    heard = []
    asking = threading.Thread(
        target=lambda: heard.append(ask_to_sign(door.state, WORDS, asker="me", wait=20, told=heard.append))
    )
    asking.start()
    taken = door.desk.take(10)
    taken.allowed = True
    taken.tell("beta: role=dev\n", err=False)
    door.desk.finish(taken, Answer("done", "beta: role=dev", taken.asked.command, 3, [{"changed": 1}]))
    asking.join(20)
    assert heard[0] == {"queued": {"pid": 1, "terminal": "", "before": 0, "command": "roosync label beta role=dev"}}
    assert heard[1] == {"text": "beta: role=dev\n", "err": False}
    assert (heard[2].outcome, heard[2].code, heard[2].values) == ("done", 3, [{"changed": 1}])
    if hasattr(socket, "AF_UNIX") and os.name == "posix":
        assert f"(pid {os.getpid()})" in taken.who
    assert taken.claims == "me"


def test_refused_waiting_and_the_wrong_token(door, monkeypatch):
    assert ask_to_sign(door.state, ["unlock"], asker="", wait=5).outcome == "refused"
    assert ask_to_sign(door.state, WORDS, asker="", wait=0.3).outcome == "waiting"
    if not hasattr(socket, "AF_UNIX"):
        path = Path(door.state / "run" / "unlock.token")
        path.write_text(token(door.state, "unlock")[::-1])
        assert ask_to_sign(door.state, ["renew"], asker="", wait=2).outcome == "nobody"
        assert door.desk.waiting() == 1


def test_who_goes_away_is_seen_at_once(door):
    began = time.monotonic()
    connections = []
    asking = threading.Thread(
        target=lambda: ask_to_sign(
            door.state, WORDS, asker="", wait=None, stays=False, opened=connections.append, told=connections.append
        )
    )
    asking.start()
    while len(connections) < 2 and time.monotonic() < began + 10:
        time.sleep(0.01)
    connections[0].shutdown(socket.SHUT_RDWR)
    asking.join(10)
    assert door.desk.take(0) is None


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["/usr/bin/python3", "-P", "/x/tool.py"], "python3 tool.py"),
        (["/usr/bin/python3", "roosync (pid 1) < zsh"], "python3 'roosync (pid 1) < zsh'"),
        (["python (pid 7) < bash"], "'python (pid 7) < bash'"),
        (["node", "a\x1b[2J\nAsked by you"], "node 'a<U+001B>[2J\\nAsked by you'"),
        ([], "'sh (2) < init'"),
    ],
)
def test_a_process_poses_as_no_other(words, name):
    class Process:
        def cmdline(self):
            return words

        def name(self):
            return "sh (2) < init"

    assert name_of(Process()) == name


def test_who_says_a_word_now_and_then_holds_no_place(door, monkeypatch):
    monkeypatch.setattr(door_module, "PATIENCE", 0.3)
    began = time.monotonic()
    with connect(door.state, 5.0, "unlock") as caller, contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 5:
            caller.sendall(b" ")
            time.sleep(0.05)
    assert time.monotonic() - began < 2, "it hung up"
