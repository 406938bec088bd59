"""The person's terminal: what is written to it can do nothing, and an answer is read with care."""

import io
import os
import sys
import threading
import time

import pytest

from roosync_agent.unlocking import terminal
from roosync_agent.unlocking.terminal import Keyboard, NoAnswerError, Tee

WRITTEN = {  # text -> as it reaches the terminal
    "plain": ("a\tb\n", "a\tb\n"),
    "colour": ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    "the screen cleared": ("\x1b[2Jx", "[2Jx"),
    "a question to the terminal": ("\x1b[6n\x1b[c\x1bZ", "[6n[cZ"),
    "letters that nobody sees": ("\x1b[8mx\x1b[30;40my", "[8mx[30;40my"),
    "a title": ("\x1b]0;evil\x07", "]0;evil"),
    "a line written over": ("approve no\rapprove yes\b\b", "approve noapprove yes"),
    "C1": ("\x9b2J\x85", "2J"),
    "French": ("déjà ; œ — «», 漢字", "déjà ; œ — «», 漢字"),
}


@pytest.mark.parametrize(("text", "shown"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_moves_and_asks_nothing(text, shown):
    there, told = io.StringIO(), []
    tee = Tee(there, told.append)
    tee.write(text)
    assert there.getvalue() == shown
    assert told == [shown]
    with pytest.raises(OSError):
        tee.fileno()


def test_a_terminal_that_hung_up_is_no_error():
    class Gone(io.StringIO):
        def write(self, _text):
            raise OSError(5, "gone")

        flush = write

    told = []
    Tee(Gone(), told.append).write("x")
    assert told == ["x"]


@pytest.fixture
def person(monkeypatch, capsys):
    """A pseudo terminal: `typed` goes in at its other end."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    monkeypatch.setattr(sys, "__stdin__", os.fdopen(theirs, "r"))
    monkeypatch.setattr(terminal, "QUIET", 0.1)
    monkeypatch.setattr(terminal, "LOOK", 0.02)

    class Person:
        over, wanted = False, True
        keyboard = Keyboard(lambda: Person.over, lambda: Person.wanted)

        def type(self, text):
            os.write(ours, text.encode())

        def line_of(self, text, what="[y/N]: "):
            """What is read, when `text` is typed after the prompt."""
            found = []
            reading = threading.Thread(target=lambda: found.append(self.keyboard.line(what)))
            reading.start()
            end, said = time.monotonic() + 10, ""
            while what not in said and time.monotonic() < end:
                said += capsys.readouterr().out
                time.sleep(0.01)
            self.type(text)
            reading.join(10)
            return found[0]

    yield Person()
    os.close(ours)


def test_what_was_typed_before_the_question_is_no_answer(person):
    person.type("y\n" * 50 + "y")
    assert person.line_of("n\n") == "n\n"


def test_a_finger_that_stays_on_the_keys_holds_the_question_back(person, capsys):
    end = time.monotonic() + 0.5

    def lean():
        while time.monotonic() < end:
            person.type("y\n")
            time.sleep(0.03)

    leaning = threading.Thread(target=lean)
    leaning.start()
    assert person.line_of("no\n") == "no\n"
    leaning.join()
    assert time.monotonic() > end


ENDINGS = {"the key is locked": {"over": True}, "nobody asks any more": {"wanted": False}}


@pytest.mark.parametrize("change", ENDINGS.values(), ids=ENDINGS)
def test_a_question_ends_without_an_answer(person, change):
    for name, value in change.items():
        setattr(type(person), name, value)
    with pytest.raises(NoAnswerError):
        person.keyboard.line("[y/N]: ")


def test_who_was_about_to_answer_a_question_that_vanished_does_not_answer_the_next(person, monkeypatch):
    """Another process can take its question back at any moment, and have a worse one wait behind it."""
    monkeypatch.setattr(terminal, "QUIET_AFTER_GONE", 1.0)
    type(person).wanted = False
    with pytest.raises(NoAnswerError):
        person.keyboard.line("[y/N]: ")
    type(person).wanted = True
    began = time.monotonic()
    late = threading.Timer(0.6, person.type, ["y\n"])
    late.start()
    assert person.line_of("n\n") == "n\n"
    assert time.monotonic() - began > 1.5, "the quiet begins anew with each key"
    late.join()
    began = time.monotonic()
    assert person.line_of("n\n") == "n\n"
    assert time.monotonic() - began < 1.0, "only the question after it waits"
