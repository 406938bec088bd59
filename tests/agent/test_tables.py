"""No line of a table is wider than the terminal, and nothing of it is lost: what does not fit stands below its row."""

import itertools

import pytest

from roosync_agent.cli.text import table, table_with_lines
from roosync_agent.columns import columns, hanging

HEADS = ("MACHINE", "STATE", "WAITING FOR", "NOTE")
ROWS = [
    ("alpha", "synced", "-", ""),
    ("beta-with-a-long-name", "diverged", "a person: 2 decisions, and the third too", "x" * 70),
    ("日本語の機械", "silent", "誰かが答えるまで", "\x1b[2Jgamma\u202e"),
]


@pytest.mark.parametrize(("room", "colour"), list(itertools.product((1, 2, 5, 20, 40, 80, 200, 10_000), (False, True))))
def test_every_line_fits_and_every_cell_is_told(room, colour):
    text = table(ROWS, HEADS, colour=colour, room=room)
    bare = text
    for code in ("\x1b[1m", "\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m"):
        bare = bare.replace(code, "")
    assert "\x1b" not in bare
    if room > 1:  # a wide character is wider than one column
        assert max(columns(line) for line in bare.split("\n")) <= room
    if room >= 20:
        together = bare.replace("\n", "").replace(" ", "")
        for cell in ("beta-with-a-long-name", "aperson:2decisions", "x" * 70, "日本語の機械", "gamma"):
            assert cell in together


def test_without_a_terminal_everything_stands_beside_each_other(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = table(ROWS, HEADS, room=0).split("\n")
    assert len(lines) == 1 + len(ROWS)
    assert lines[2].endswith("x" * 70)


def test_what_stands_below_is_named_by_its_head(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    found = table_with_lines([("a", "b" * 70)], ("ONE", "TWO"), ["why"], colour=False)
    assert found[:2] == ["ONE", "a"]
    assert found[2].startswith("    two: ")
    assert found[-1] == "  why"
    assert max(map(len, found)) <= 60


@pytest.mark.parametrize("text", ["", " " * 30, "x" * 30, "a b " * 20])
@pytest.mark.parametrize("room", [0, 1, 5, 20])
def test_a_line_of_blanks_is_a_line(text, room):
    assert hanging(text, room, 6)
