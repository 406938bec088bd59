"""Yes and no are understood in the person's language, and the English ones as ever."""

import io

import click
import pytest

from roosync_agent.yes_no import confirm, understood

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
