"""What members say of themselves, as a person sees it: it moves nothing on the screen, and poses as nobody's row."""

import pytest

from roosync_agent.characters import brief, found_in, harmless
from roosync_agent.cli.machines import _all_of, _text
from roosync_agent.cli.rollout_text import events, list_text, rollout_text
from roosync_agent.cli.text import shown_ping
from roosync_agent.cli.update import update_text
from roosync_agent.columns import columns

EVIL = "0.3.0\x1b[2J\x1b]0;x\x07\u202egnp\u2066\u200b\x9b2K\r\nbeta  1  A\u0430"
POSING = f"0.3.0{' ' * 40}gamma    2     0.2.0  0.3.0  confirmed"
MOVES = {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0x200B)}


def machine(evil):
    return {
        "machine": "alpha", "wave": 1, "state": "failed", "reason": evil, "accepted": False, "decisions": [],
        "contradicted": evil, "phase": "returned", "runs": evil, "before": evil, "log": [evil],
    }  # fmt: skip


def rollout(evil):
    return {
        "id": "u-1", "purpose": "update", "status": "waiting", "waves": 1, "wave": 1, "round": 0,
        "machines": [machine(evil)], "counts": {"failed": 1}, "pace": {"pause_seconds": 1}, "waiting_for": evil,
        "next_steps": [{"command": "roosync update show", "does": evil}], "started": "2026-11-21T09:00:00Z",
        "next_wave": None, "not_signed": {"d-1": evil}, "hanging": [], "refused": [evil], "note": evil,
    }  # fmt: skip


def update(evil):
    of = rollout(evil)
    more = {"version": evil, "tag": evil, "withdrawn": False, "in_force": True, "rollout": of}
    return of | more


def known(evil):
    one = {
        "machine": "alpha", "seen": "present", "roosync_version": evil, "facts": {"os": evil}, "state": "synced",
        "labels": {}, "local": {"x": evil}, "has": [evil], "has_known": True, "last_seen": evil, "waiting_for": evil,
        "because": [evil],
    }  # fmt: skip
    return {"agent": "beta", "machines": [one, one | {"because": ["all"]}]}


def ping(evil):
    row = {"machine": "alpha", "answered": True, "milliseconds": 1.0, "version": evil, "reason": evil}
    return {"agent": "beta", "machines": [row], "silent": []}


SHOWN = {
    "an update": lambda evil: update_text(update(evil)),
    "a rollout": lambda evil: rollout_text(rollout(evil)),
    "rollouts": lambda evil: list_text([rollout(evil)]),
    "what happens to one": lambda evil: "\n".join(events(None, rollout(evil))),
    "machines": lambda evil: _text(known(evil)),
    "their facts": lambda evil: _all_of(known(evil)),
    "who answered": lambda evil: shown_ping(ping(evil)),
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_nothing_moves_the_cursor_or_the_direction(monkeypatch, shown):
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(EVIL)
    assert not MOVES & set(text)
    assert "\nbeta" not in text
    assert "\u0430" not in text, "a Cyrillic letter in a Latin word"


@pytest.mark.parametrize("shown", [SHOWN["an update"], SHOWN["machines"]], ids=["an update", "machines"])
def test_no_cell_is_so_wide_that_its_row_looks_like_two(monkeypatch, shown):
    monkeypatch.setenv("COLUMNS", "80")
    row = next(line for line in shown(POSING).split("\n") if line.startswith("alpha"))
    assert columns(row) <= 100
    assert "gamma " not in row


def test_a_word_of_a_machine():
    assert [brief(text) for text in ("0.3.0", "", "a  b", "x" * 31)] == ["0.3.0", "", "a_b", "x" * 27 + "..."]


# -- an approval card

SPELLED = {  # text -> how it is shown, what is told of it
    "an escape": ("a\x1b[2J", "a<U+001B>[2J", ["U+001B ESCAPE"], []),
    "right to left": ("\u202egnp", "<U+202E>gnp", ["U+202E RIGHT-TO-LEFT OVERRIDE"], []),
    "nothing to see": ("a\u200bb", "a<U+200B>b", ["U+200B ZERO WIDTH SPACE"], []),
    "a null": ("a\x00b", "a<U+0000>b", ["U+0000 NULL"], []),
    "a return": ("a\rb", "a<U+000D>b", ["U+000D CARRIAGE RETURN"], []),
    "a letter of another script": ("p\u0430y", "p<U+0430>y", [], ["U+0430 CYRILLIC SMALL LETTER A"]),
    "marks on a letter": ("e" + "\u0301" * 5, "e" + "\u0301" * 4 + "<U+0301>", ["U+0301 COMBINING ACUTE ACCENT"], []),
    "a mark on nothing": ("\u0301x", "<U+0301>x", ["U+0301 COMBINING ACUTE ACCENT"], []),
    "a word of another script": ("\u043f\u0440\u0438", "\u043f\u0440\u0438", [], []),
    "an accent, an emoji, a wide letter": ("caf\u00e9 \u2764\ufe0f \u4e2d", "caf\u00e9 \u2764\ufe0f \u4e2d", [], []),
    "a French colon": ("Note\u00a0: \u00ab\u202fa\u202f\u00bb", "Note<U+00A0>: \u00ab<U+202F>a<U+202F>\u00bb", [], []),
    "a blank that is none": ("npx\u00a0-y", "npx<U+00A0>-y", ["U+00A0 NO-BREAK SPACE"], []),
    "a tab and a line": ("a\tb\nc", "a  b\\nc", [], []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "shown", "hidden", "posing"), SPELLED.values(), ids=SPELLED)
def test_what_is_spelled_out_is_told(text, shown, hidden, posing):
    assert harmless(text) == shown
    found = [one for one in found_in({"env": [text]}) if one.where == "env[0]"]
    assert [(list(one.hidden), list(one.posing)) for one in found] == ([(hidden, posing)] if hidden or posing else [])


def test_names_are_looked_through_too_and_the_list_is_bounded():
    assert [one.where for one in found_in({"A\u200b": {"b": "c"}})] == ["A\u200b"]
    assert len(found_in(["\u200b"] * 1_000)) == 50
