"""The page of questions: where values differ is seen, and what is suggested is what would happen."""

import asyncio
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from roosync_agent.cli import baseline as command
from roosync_agent.cli.decision import decisions
from roosync_agent.cli.questions import question_lines
from roosync_agent.operations.baseline import promoting

SPECIAL, UNION, OWN = {"take": "special"}, -1, -2


def question(**more):
    return {"key": "a.b/c", "reason": "2 values", "suggestion": SPECIAL, "candidates": [], **more}


def side(machine, *value):
    return {"machines": [machine], "value": list(value)}


def test_texts_are_shown_from_the_line_where_they_differ():
    texts = ["# A\n\nx\n", "# A\n\nx\n? evil/x: 2 values\n" + "y\n" * 20]
    candidates = [{"machines": [name], "value": text} for name, text in zip("mn", texts, strict=True)]
    taken = {"take": "machine", "machine": "n"}
    assert question_lines(question(candidates=candidates, suggestion=taken))[1:-1] == [
        "        m:    (below 3 lines that are the same)",
        "          (ends here)",
        "      * n:    (below 3 lines that are the same)",
        "          | ? evil/x: 2 values",
        *["          | y"] * 7,
        "          ... 13 more of 24 lines",
    ]


def test_a_list_that_has_nothing_more_says_so():
    leaves = [
        {"path": ["allow"], "shared": 1, "pick": OWN, "sides": [side("m", "x"), side("n", "y")]},
        {"path": ["deny"], "shared": 1, "pick": UNION, "sides": [side("m", "z"), side("n")]},
    ]
    lines = question_lines(question(leaves=leaves))
    assert "      n has nothing more" in lines
    assert not any("all of them" in line for line in lines)  # the whole is suggested to stay as it is on each
    assert any(
        "all of them" in line for line in question_lines(question(leaves=leaves[1:], suggestion={"take": "union"}))
    )


@pytest.mark.parametrize(
    ("words", "answered"),
    [
        (["--suggested"], ["a.b/c", "a.b/d"]),
        (["a.b/c", "--suggested"], ["a.b/c"]),
        (["a.b/x", "--suggested"], "no question about 'a.b/x' is open"),
        (["a.b/c", "--suggested", "--omit"], "name a FIELD and one of"),
        (["--union"], "name a FIELD and one of"),
    ],
)
def test_only_the_question_that_was_named_is_answered(monkeypatch, words, answered):
    said = []

    async def arbitrate(session, answers):
        said.append(sorted(answers))
        return SimpleNamespace(arbitrations=0)

    questions = [question(), question(key="a.b/d")]
    monkeypatch.setattr(command, "ask_machine", lambda _: {"arbitrations": questions})
    monkeypatch.setattr(command, "signed", lambda work, *_: asyncio.run(work(None)))

    async def nothing(*_):
        return []

    monkeypatch.setattr(promoting, "arbitrate", arbitrate)
    monkeypatch.setattr(promoting, "in_the_way", nothing)
    monkeypatch.setattr(command, "_told", lambda *_: None)
    ran = CliRunner().invoke(command.baseline, ["choose", *words])
    assert said == ([] if isinstance(answered, str) else [answered])
    assert not isinstance(answered, str) or answered in ran.output


def test_that_no_question_is_open_is_an_answer(monkeypatch):
    shown = {"kind": "proposal", "status": "arbitrated", "arbitrations": []}
    monkeypatch.setattr(command, "ask_machine", lambda _: shown)
    ran = CliRunner().invoke(command.baseline, ["choose", "--suggested"])
    assert (ran.exit_code, ran.output) == (0, "No question is open.\n\nNext: roosync baseline validate\n")


def test_what_is_in_the_way_is_told_with_the_command_that_ends_it(monkeypatch):
    shown = {"kind": "proposal", "status": "arbitrated", "arbitrations": [], "mends": {"a.b/c d": "special"}}
    monkeypatch.setattr(command, "ask_machine", lambda _: shown)
    ran = CliRunner().invoke(command.baseline, ["choose", "--suggested"])
    assert ran.output.endswith("Next: roosync baseline choose 'a.b/c d' --special\n")


@pytest.mark.parametrize(
    ("changed", "heads", "several"),
    [
        ({}, ["DECISION", "MACHINE", "FIELD", "RISK", "STATUS"], True),
        ({"reference": "machine:n"}, ["COMPARED"], True),
        ({"attempt": 2, "status": "approved"}, ["TRY"], False),
    ],
)
def test_decisions_are_a_table_without_columns_that_say_nothing(monkeypatch, changed, heads, several):
    one = {"id": "d-1", "machine": "m", "entity": "a.b/c", "reference": "baseline", "risk": "low", "status": "pending"}
    one |= {"action": "override_local", "attempt": 1, "failed": False, "log": []}
    answer = {"pending": 1, "failed": 0, "decisions": [one, one | {"id": "d-2"} | changed]}
    monkeypatch.setattr("roosync_agent.cli.decision.ask_machine", lambda *_, **__: answer)
    ran = CliRunner().invoke(decisions)
    first = ran.output.splitlines()[0].split()
    assert set(heads) <= set(first)
    assert len(first) == 5 if not changed else len(first) > 5
    assert ("roosync approve --all --risk low" in ran.output) is several
