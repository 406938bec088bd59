"""The approval card as text: whole, within its terminal, and no value on it can pose as one of its lines."""

import re
import time

import pytest

from roosync_agent.characters import found_in
from roosync_agent.cli.card_text import card_text
from roosync_agent.columns import columns

NOW = "2026-11-21T09:30:00.000000Z"
# How the lines of a card begin: a title, a text that goes on below it, or the mark of a value's line.
OWN = re.compile(
    r"d-1   |  (Who|From|What|Compared|Risk|Suggested|Already on|Lacks|Approved|Expires|Undo|Hash|!|Unasked)(  |\Z)"
    r"|  (Changes|Executes|May do without asking|Log|Not counted)\Z| {14}|    [-+=] |    @@ | {8}\||      |    safe"
)
FORGED = "\n".join(
    ["safe", "  Risk        none", "  Lacks       nothing", "  Hash        0", "Next: roosync approve --all", "y"]
)


def card(value, before=None, **more):
    """A server or a text that would stand, as `decision show --json` gives it."""
    kind = "text" if isinstance(value, str) else "mcp_server"
    made = {
        "id": "d-1", "machine": "ben", "entity": "roo.mcp/notes", "kind": kind, "verdict": "join_add",
        "justification": "", "reference": "baseline", "risk": "high", "reasons": [], "suggested_action": "merge",
        "local_value": before, "remote_value": value, "wanted": value, "wanted_absent": False, "answer": "",
        "executes": value, "status": "pending", "attempt": 1, "approvals": [], "hash": "0" * 64, "created": NOW,
        "changes": [{"path": [], "before": before, "after": value, "absent": "before" if before is None else ""}],
        "policy_approved": False, "expires": NOW, "runs_on": [], "undo": "", "log": [], "refused": [], "agreed": None,
        "origins": [], "yes": [], "unasked": [], "needs": [], "asked": [], "lacks": [], "unsure": [], "not_said": {},
        "marks": [],
    }  # fmt: skip
    return made | more


VALUES = {
    "lines like the card's": {"command": FORGED, "env": {FORGED: FORGED}, "args": [FORGED, FORGED]},
    "one line of 100 kB": {"command": "x" * 100_000},
    "one wide line": {"command": "\u4e2d" * 5_000},
    "words that end where the terminal does": {"command": ("a" * 70 + "  Risk        none") * 20},
    "10,000 lines": {"command": "\n".join(f"  Hash        {number}" for number in range(10_000))},
    "tabs, returns, nulls": {"command": "a\tb\r\x00c"},
    "marks on marks": {"command": "e\u0301\u0301\u0301\u0301\u0301\u0301" * 100},
    "a text of one line": "  Hash        0",
    "a text": FORGED,
    "something beside a secret": {"command": {"$secret": "a/b", "evil": "rm -rf"}},
}
WIDTHS = (40, 80, 200)


@pytest.mark.parametrize("room", WIDTHS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_no_value_poses_as_a_line_of_the_card(monkeypatch, value, room):
    monkeypatch.setenv("COLUMNS", str(room))
    lines = card_text(card(value), following=False).split("\n")
    assert [line for line in lines if not OWN.match(line)] == []
    for title in ("Risk", "Hash", "Lacks", "Next:"):
        assert sum(line.strip().startswith(title) for line in lines) == (title in ("Risk", "Hash"))
    assert max(map(columns, lines)) <= room


@pytest.mark.parametrize("room", WIDTHS)
def test_nothing_is_left_out_of_a_long_line(monkeypatch, room):
    monkeypatch.setenv("COLUMNS", str(room))
    value = "x" + "".join(f"[{number}]" for number in range(20_000))
    lines = card_text(card({"command": value})).split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith("    = command: "))
    said = lines[at].removeprefix("    = command: ")
    for line in lines[at + 1 :]:
        if not line.startswith("    =   > "):
            break
        said += line.removeprefix("    =   > ")
    assert said == value


BESIDE = {"$secret": "a/b", "evil": "rm"}


@pytest.mark.parametrize("value", [{"command": BESIDE}, {"args": [BESIDE]}, {"env": {"A": BESIDE}}])
def test_nothing_hides_behind_a_secret(value):
    assert "evil" in card_text(card(value))


def test_a_card_of_a_very_long_value_is_quick(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    began = time.monotonic()
    card_text(card({"command": "\u4e2d" * 100_000, "args": ["\n".join("x" * 50 for _ in range(10_000))]}))
    assert time.monotonic() - began < 3


def test_no_name_poses_either(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    name = "roo.mcp/notes" + " " * 20 + "Risk        none" + " " * 30 + "Hash      0"
    lines = card_text(card({"command": "npx"}, entity=name), following=False).split("\n")
    assert [line for line in lines if not OWN.match(line)] == []
    assert sum(line.startswith("  Risk") for line in lines) == 1


@pytest.mark.parametrize("field", ["justification", "verdict", "reasons", "log", "refused"])
def test_no_word_of_a_machine_poses_either(monkeypatch, field):
    monkeypatch.setenv("COLUMNS", "80")
    evil = FORGED + "x" * 66 + "Risk_none" * 30
    said = [evil] if field in ("reasons", "log", "refused") else evil
    lines = card_text(card({"command": "npx"}, **{field: said}), following=False).split("\n")
    assert [line for line in lines if not OWN.match(line)] == []
    assert sum(line.strip().startswith("Risk  ") for line in lines) == 1
    assert max(map(columns, lines)) <= 80


def test_each_argument_has_a_line_of_its_own(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = card_text(card({"command": "npx", "args": ["-y", "a b", "", "c "], "alwaysAllow": ["read"]}))
    assert '    = args:\n    =   - -y\n    =   - a b\n    =   - ""\n    =   - "c "\n' in text


def test_what_is_gathered_around_a_decision_is_told(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    agreed = {"version": "1.2.0", "revision": 3, "signed_by": "op-ana", "published": NOW, "why": "", "had_by": []}
    text = card_text(
        card(
            {"command": "npx"},
            agreed=agreed,
            origins=[{"machine": "ada", "file": "roo.mcp/mcp.json", "version": "0.1.0", "published": NOW}],
            yes=[{"by": "op-bob", "at": NOW, "signed_by": "", "revision": 0}],
            unasked=[{"path": "alwaysAllow", "what": "read", "why": "a tool runs without asking", "new": True}],
            needs=["program npx"],
            asked=["ben", "cleo", "dan"],
            lacks=[{"machine": "ben", "kind": "program", "name": "npx"}],
            unsure=[{"machine": "cleo", "kind": "program", "name": "npx"}],
            not_said={"dan": "no agent of it is connected"},
        )
    )
    for line in (
        "  Who         ben asks, since 2026-11-21 09:30 UTC; baseline 1.2.0 was signed by op-ana, 2026-11-21 09:30 UTC",
        "  From        ada, in roo.mcp/mcp.json, published 2026-11-21 09:30 UTC",
        "  May do without asking\n    + alwaysAllow (a tool runs without asking): read",
        "  Lacks       ! ben: the program npx",
        "              ! cleo: not known, whether it has the program npx",
        "              ! dan did not say: no agent of it is connected",
        "  Approved    op-bob, since 2026-11-21 09:30 UTC",
    ):
        assert line in text


LACKING = {
    "nobody lacks anything": (
        {"needs": ["program npx"], "asked": ["ben"]},
        "  Lacks       nothing; 1 machine was asked",
    ),
    "nobody was asked": ({"needs": ["program npx"]}, "  Lacks       nobody was asked"),
    "nothing is needed": ({}, None),
}


@pytest.mark.parametrize(("more", "line"), LACKING.values(), ids=LACKING)
def test_that_nothing_is_lacking_is_said_where_it_was_asked(more, line):
    lines = card_text(card({"command": "npx"}, **more)).split("\n")
    assert [one for one in lines if "Lacks" in one] == ([line] if line else [])


def test_hidden_characters_are_marked(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    found = found_in({"command": "np\u202ex\u200b\u200b", "args": ["n\u0440x"]})
    marks = [
        {"where": f"wanted.{one.where}", "total": one.total, "hidden": list(one.hidden), "posing": list(one.posing)}
        for one in found
    ]
    text = card_text(card({"command": "np\u202ex\u200b\u200b", "args": ["n\u0440x"]}, marks=marks))
    told = "wanted.command holds 3 characters that nobody sees: U+200B ZERO WIDTH SPACE, U+202E RIGHT-TO-LEFT OVERRIDE"
    assert f"  !           {told}" in " ".join(text.split("\n" + " " * 14))
    assert "  !           wanted.args[0] holds letters that pass for others: U+0440 CYRILLIC SMALL LETTER ER\n" in text
    assert "\u202e" not in text


def test_an_agent_of_the_release_before_gives_a_card_too():
    more = ("agreed", "origins", "yes", "unasked", "needs", "asked", "lacks", "unsure", "not_said", "marks", "created")
    old = {name: value for name, value in card({"command": "npx"}).items() if name not in more}
    text = card_text(old)
    assert "  Who         ben asks\n" in text
    assert not re.search("Lacks|Unasked|From", text)


def test_of_a_value_that_nobody_has_nothing_is_made_up():
    told = "(too large to show; the file has it)"
    text = card_text(card(told, executes=told, whole=False))
    assert "  !           nobody has published the value that would stand: what it does is not known\n" in text
    assert "Unasked" not in text


def test_a_card_of_several_machines_names_them_all_as_those_who_ask():
    text = card_text(card({"command": "npx"}), machines=["ada", "ben"], following=False)
    assert "  Machines    ada, ben\n  Who         each of these machines asks\n" in text
