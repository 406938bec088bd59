"""How an error looks: as wide as the terminal at most, nothing of it lost, and untouched where no terminal is."""

import io

import click
import pytest

from roosync_agent.cli.running import CommandError, guarded
from roosync_agent.yes_no import confirm

LONG = "pc-b can not be asked for that, because it is no machine of this fleet; its machines are " + "pc-long, " * 12
SHOWN = {
    "an error": CommandError("request", f"{LONG}\n  a second line"),
    "what comes first": CommandError("missing", LONG),
    "a usage error": click.UsageError(LONG),
}


@pytest.mark.parametrize("columns", [80, 0])
@pytest.mark.parametrize("error", SHOWN.values(), ids=SHOWN)
def test_a_long_error_is_folded_on_a_terminal_alone(error, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))

    @click.command()
    def fails():
        raise type(error)(*((error.kind, str(error)) if isinstance(error, CommandError) else (error.message,)))

    monkeypatch.setattr("sys.argv", ["roosync"])
    guarded(fails)
    said = "".join(capsys.readouterr())
    assert LONG[1:].split() == said[said.index("c-b can") :].replace("a second line", "").rstrip().rstrip(".").split()
    assert (max(map(len, said.splitlines())) <= 80) is (columns == 80)
    assert "Traceback" not in said


ANSWERS = {  # what stands on the standard input, which is no terminal -> exit code, what is said
    "nobody": ("", 1, "Nobody answered, and nothing further was done; --yes answers beforehand."),
    "no": ("n\n", 1, "You said no; nothing further was done."),
}


@pytest.mark.parametrize(("given", "code", "said"), ANSWERS.values(), ids=ANSWERS)
def test_a_question_that_nobody_can_answer_is_no_keystroke(given, code, said, monkeypatch, capsys):
    @click.command()
    def asks():
        confirm("Sign it", abort=True)

    monkeypatch.setattr("sys.argv", ["roosync"])
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert (guarded(asks), said in capsys.readouterr().err) == (code, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--canary est vide ; dites combien de machines commencent, ou leurs noms ; 0 pour aucune"),
        (["--json"], "--canary is empty; give how many machines go first, or their names; 0 is none"),
    ],
    ids=["a person", "a program"],
)
def test_a_person_is_told_in_their_language_and_a_program_in_english(words, said, monkeypatch, capsys):
    from roosync_agent.cli.pace import pace_of

    @click.command()
    @click.option("--json", is_flag=True)
    def asks(json):
        pace_of("", "1", 0.0, 0.0, 1.0)

    monkeypatch.setenv("LANGUAGE", "fr")
    monkeypatch.setattr("sys.argv", ["roosync", *words])
    guarded(asks)
    assert said in "".join(capsys.readouterr())
