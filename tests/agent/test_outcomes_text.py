"""The account of every machine: words, exit codes, what fits 80 columns, and what happened between two looks."""

import pytest
from click.testing import CliRunner

from roosync_agent.cli import rollout as rollout_cli
from roosync_agent.cli.outcomes_text import WORDS, accounted, counted, exit_code
from roosync_agent.cli.rollout_text import code_of, events, list_text, rollout_text, waves_lines
from roosync_protocol.messages import work

CODES = {  # how the machines ended -> exit code
    "all changed": (["changed", "ok", "done"], 0),
    "nobody": ([], 0),
    "one failed": (["changed", "failed"], 4),
    "one refused": (["ok", "refused"], 4),
    "one failed and one is silent": (["unreachable", "failed"], 4),
    "one is silent": (["changed", "unreachable"], 5),
    "one is late": (["timed_out"], 5),
    "one is awaited": (["awaited", "not_begun"], 5),
    "one was not begun": (["changed", "not_begun"], 2),
    "one waits for a signature": (["changed", "unsigned"], 3),
}


@pytest.mark.parametrize(("states", "code"), CODES.values(), ids=CODES)
def test_the_exit_code_is_the_worst_end(states, code):
    assert exit_code(states) == code


def test_every_outcome_has_a_word():
    assert {*work.Outcome.__args__} <= {*WORDS}


def row(machine, state, wave=1, **more):
    return {"machine": machine, "state": state, "wave": wave, "reason": "", "accepted": False, "decisions": []} | more


MANY = [row(f"machine-{number:03}", "changed", 2) for number in range(200)]
BAD = [
    row("pc-a", "failed", reason="the check refuses it: " + "a long word of it " * 12, accepted=True),
    row("pc-b", "unreachable", reason="\x1b[2Jit does not\nanswer"),
    row("pc-c", "not_begun", 3),
]


def test_every_machine_is_named_and_counted_within_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = accounted([*MANY, *BAD])
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert all(one["machine"] in text for one in (*MANY, *BAD))
    assert "\x1b" not in text
    assert "the others go on without it" in " ".join(text.split())
    assert counted([*MANY, *BAD]) == "200 changed, 1 not begun, 1 unreachable, 1 FAILED (of 203 machines)"
    assert counted([row("a", "ok")]) == "1 nothing to change (of 1 machine)"


def test_in_a_pipe_nothing_is_folded(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert len(accounted(MANY)) == 1


def answer(status="running", rows=(), **more):
    rows = list(rows)
    counts = {one["state"]: sum(other["state"] == one["state"] for other in rows) for one in rows}
    fields = {
        "id": "ro-1", "purpose": "decisions", "status": status, "waves": 3, "wave": 1, "round": 0, "machines": rows,
        "counts": counts, "waiting_for": "", "next_steps": [{"command": "roosync status", "does": ""}],
        "pace": {"pause_seconds": 0.0}, "next_wave": None, "hanging": [], "not_signed": {}, "refused": [],
        "note": "", "started": "2026-11-21T09:00:00Z",
    }  # fmt: skip
    return fields | more


SHOWN = {  # a rollout -> exit code of `show`, what is told
    "prepared": (
        answer("prepared", [row("a", "not_begun")], wave=0, waiting_for="1 to be signed"),
        3,
        "! 1 to be signed",
    ),
    "running": (answer("running", [row("a", "awaited")]), 5, "1 awaited"),
    "halted": (answer("waiting", [row("a", "failed"), row("b", "not_begun", 2)]), 4, "ro-1: halted, wave 1 of 3"),
    "halted by who is away": (answer("waiting", [row("a", "unreachable")]), 5, "1 unreachable"),
    "halted, and all is well by now": (answer("waiting", [row("a", "changed")]), 3, "1 changed"),
    "stopped": (answer("stopped", [row("a", "not_begun")], hanging=["d-1"]), 2, "! 1 decision approved for it"),
    "done": (answer("done", [row("a", "changed")], wave=3), 0, "done, wave 3 of 3"),
    "done, without one": (answer("done", [row("a", "failed", accepted=True)], wave=3), 4, "go on without it"),
    "done, and it came back": (
        answer("done", [row("a", "changed", accepted=True)], wave=3),
        0,
        "changed            a\n",
    ),
    "between two waves": (answer("running", [row("a", "changed"), row("b", "not_begun", 2)]), 5, "1 not begun"),
    "not all was signed": (
        answer("running", [row("a", "changed")], not_signed={"d-1": "moved"}),
        0,
        "d-1 was not signed",
    ),
    "noise": (answer("done", [row("a", "ok")], refused=["op-x: \x1b[2J"]), 0, "! does not count: op-x: <U+001B>"),
}


@pytest.mark.parametrize(("told", "code", "says"), SHOWN.values(), ids=SHOWN)
def test_a_rollout_is_shown_with_its_exit_code(told, code, says, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = rollout_text(told)
    assert (code_of(told), says in text) == (code, True), text
    assert max(map(len, text.splitlines())) <= 80
    assert text.endswith("Next: roosync status")


def test_what_happened_between_two_looks_is_told_once():
    first = answer(rows=[row("a", "awaited"), row("b", "not_begun", 2), row("c", "not_begun", 2)])
    second = answer(wave=2, rows=[row("a", "changed"), row("b", "awaited", 2), row("c", "failed", 2, reason="no")])
    last = second | {"status": "waiting"}
    assert list(events(None, first)) == ["wave 1 of 3: a"]
    assert list(events(first, second)) == ["  changed: a", "wave 2 of 3: b, c", "  FAILED: c (no)"]
    assert list(events(second, last)) == ["halted"]
    assert list(events(last, last)) == []
    paused = second | {"next_wave": "2026-11-21T09:05:00Z", "pace": {"pause_seconds": 60.0}}
    assert list(events(second, paused)) == ["pause until 09:05:00 UTC"]


def test_waves_name_everybody_within_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = waves_lines([["pc-a"], [one["machine"] for one in MANY]])
    assert lines[0] == "Wave 1      1 machine   pc-a"
    assert max(map(len, lines)) <= 80
    assert "machine-199" in lines[-1]


def test_the_open_rollout_is_what_comes_next():
    rows = [answer(status, [row("a", "changed")], id=f"ro-{at}") for at, status in enumerate(["waiting", "done"])]
    assert list_text(rows).endswith("Next: roosync rollout show ro-0")
    assert "halted" in list_text(rows)
    assert list_text([]).endswith("Next: roosync rollout start")


def looks(monkeypatch, *found):
    """What each look at a rollout gives: an answer, None while the agent is away, or a fault."""
    told = iter(found)

    def ask(verb, **args):
        one = next(told)
        if isinstance(one, BaseException):
            raise one
        return one

    monkeypatch.setattr(rollout_cli, "ask_machine", lambda verb, **args: found[0])
    monkeypatch.setattr(rollout_cli, "ask_agent", ask)
    monkeypatch.setattr(rollout_cli, "LOOK", 0.0)
    return CliRunner().invoke(rollout_cli.rollout, ["watch", "ro-1"])


def test_a_watched_rollout_waits_for_an_agent_that_is_updated(monkeypatch):
    first, last = answer(rows=[row("a", "awaited")]), answer("done", [row("a", "changed")])
    ran = looks(monkeypatch, first, None, None, last)
    assert (ran.exit_code, "changed: a" in ran.output) == (0, True), ran.output


def test_who_stops_watching_is_told_that_it_goes_on(monkeypatch):
    ran = looks(monkeypatch, answer(rows=[row("a", "awaited")]), KeyboardInterrupt())
    assert (ran.exit_code, "The rollout goes on. Next: roosync rollout watch ro-1" in ran.output) == (130, True)


def test_as_json_nobody_is_asked_and_so_nothing_is_signed_without_a_yes(monkeypatch):
    pace = {"max_fail_percentage": 0.0, "pause_seconds": 0.0, "timeout_minutes": 1.0}
    plan = {"waves": [["a"]], "cards": [], "nothing_to_do": [], "pace": pace, "claims": [], "note": ""}
    monkeypatch.setattr(rollout_cli, "ask_machine", lambda verb, **args: plan)
    ran = CliRunner().invoke(rollout_cli.rollout, ["start", "--all", "--risk", "low", "--json"])
    assert (ran.exit_code, "add --yes" in ran.output) == (2, True), ran.output


def test_who_is_contradicted_by_the_machine_itself_is_shown_with_it():
    (line,) = accounted([row("pc-a", "changed", contradicted="returned\x1b[2K")], room=200)
    assert "pc-a: BUT IT SAYS ITSELF: returned<U+001B>[2K" in line
