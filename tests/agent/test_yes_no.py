"""Yes and no are understood in the person's language, and the English ones as ever."""

import ast
import asyncio
import io
import sys
from pathlib import Path

import click
import pytest

import roosync_agent
from roosync_agent.wording import tr
from roosync_agent.yes_no import DeclinedError, asked, confirm, shown_to_person, understood

ANSWERS = {  # language, what is typed, the answer without one -> what is understood, how it is asked
    "yes": ("en", "y\n", False, True, "Sign it [y/N]: "),
    "the whole word": ("en", "Yes \n", False, True, "Sign it [y/N]: "),
    "no": ("en", "n\n", True, False, "Sign it [Y/n]: "),
    "nothing is no": ("en", "\n", False, False, "Sign it [y/N]: "),
    "nothing is yes": ("en", "\n", True, True, "Sign it [Y/n]: "),
    "French is no English": ("en", "oui\ny\n", False, True, "Answer y or n.\n"),
    "yes in French": ("fr", "o\n", False, True, "Sign it [o/N]: "),
    "the whole word in French": ("fr", "OUI\n", False, True, "Sign it [o/N]: "),
    "no in French": ("fr", "non\n", True, False, "Sign it [O/n]: "),
    "English in French": ("fr", "yes\n", False, True, "Sign it [o/N]: "),
    "something else in French": ("fr", "peut-être\nn\n", False, False, "Répondez o ou n.\n"),
}


@pytest.mark.parametrize(("language", "typed", "default", "answer", "asked"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_understood(language, typed, default, answer, asked, monkeypatch, capsys):
    monkeypatch.setenv("LANGUAGE", language)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert confirm("Sign it", default=default) is answer
    assert asked in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["n\n", "\n", ""], ids=["no", "nothing", "the end of the input"])
def test_no_ends_a_command_that_says_so(typed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(click.Abort):
        confirm("Sign it", abort=True)


def test_it_is_asked_as_click_asks(monkeypatch, capsys):
    asked = []
    for ask in (click.confirm, confirm):
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        ask("\nWrite this", default=True, err=True)
        asked.append(capsys.readouterr())
    assert asked[0] == asked[1]


@pytest.mark.parametrize("word", ["", "yn", "2", "jein"])
def test_what_is_neither_is_not_understood(word):
    assert understood(word) is None


class Stream(io.StringIO):
    def __init__(self, text="", *, terminal=False):
        super().__init__(text)
        self._terminal = terminal

    def isatty(self):
        return self._terminal


WHERE = {  # standard input is a terminal, standard output is one, --json -> is standard error where it is asked?
    "a terminal": (True, True, False, False),
    "into a pipe": (True, False, False, True),
    "for a program": (True, True, True, True),
    "answered by a program": (False, False, False, False),
}


@pytest.mark.parametrize(("typed", "seen", "as_json", "aside"), WHERE.values(), ids=WHERE)
def test_who_is_asked_sees_what_they_are_asked_about(typed, seen, as_json, aside, monkeypatch):
    out, err = Stream(terminal=seen), Stream(terminal=True)
    monkeypatch.setattr("sys.stdin", Stream("n\n", terminal=typed))
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    with shown_to_person(as_json=as_json) as there:
        click.echo("the card", err=there)
        assert confirm("Sign it", err=there) is False
    asked_, other = (err, out) if aside else (out, err)
    assert ("the card\nSign it [y/N]: " in asked_.getvalue(), other.getvalue()) == (True, "")


def test_beside_json_a_person_is_asked_in_their_language(monkeypatch, capsys):
    monkeypatch.setenv("LANGUAGE", "fr")
    monkeypatch.setattr("sys.argv", ["roosync", "approve", "--json"])
    monkeypatch.setattr("sys.stdin", io.StringIO("o\n"))
    with shown_to_person(as_json=True) as err:
        assert confirm(tr("Approve this"), err=err) is True
    assert capsys.readouterr() == ("", "Approuver ceci [o/N]: ")
    assert tr("Approve this") == "Approve this"  # what comes after it is the program's


ANSWERED = {"yes": ("y\n", True), "no": ("n\n", DeclinedError), "the end of the input": ("", click.Abort)}


@pytest.mark.parametrize(("typed", "end"), ANSWERED.values(), ids=ANSWERED)
@pytest.mark.parametrize("real", [True, False], ids=["read at once", "read in a thread"])
def test_a_question_inside_async_work_ends_as_any_other(typed, end, real, monkeypatch):
    stream = io.StringIO(typed)
    monkeypatch.setattr("sys.stdin", stream)
    if real:
        monkeypatch.setattr(sys, "__stdin__", stream)
    if end is True:
        assert asyncio.run(asked("Sign it", abort=True)) is True
    else:
        with pytest.raises(end) as found:
            asyncio.run(asked("Sign it", abort=True))
        assert found.type is end


def test_no_async_work_asks_in_another_way():
    """`confirm` blocks the event loop, or, in a thread of asyncio's, keeps the process after Ctrl-C."""
    found = []
    for path in Path(roosync_agent.__file__).parent.rglob("*.py"):
        for work in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(work, ast.AsyncFunctionDef) and path.name != "yes_no.py":
                names = [one.id for one in ast.walk(work) if isinstance(one, ast.Name)]
                found += [f"{path}: {work.name}" for name in names if name == "confirm"]
    assert not found
