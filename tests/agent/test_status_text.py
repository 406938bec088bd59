"""What `roosync status` says last: nothing is called in step when nobody could see who is there."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from roosync_agent.cli.status_text import shown_status
from roosync_agent.columns import folded
from roosync_protocol.messages import Rollout
from roosync_protocol.rollout.gate import opens


def row(machine, seen):
    return {
        "machine": machine, "seen": seen, "roosync_version": "0.1.0", "baseline_version": "1.0.0", "state": "synced",
        "divergences_count": 0, "pending_decisions": 0, "waiting_for": "", "unread": {}, "skipped": 0, "only_here": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "last"),
    [
        ("present", "In step: nothing to do."),
        ("silent", "Next: roosync up    (on pc-b)"),
        ("unknown", "Next: roosync up    (where the broker runs)"),
    ],
)
def test_the_last_line(seen, last):
    told = {
        "fleet": "home", "agent": "pc-a", "status": "synced", "machines_detected": 2, "divergences_count": 0,
        "pending_decisions": 0, "baseline_version": "1.0.0", "machines": [row("pc-a", "present"), row("pc-b", seen)],
    }  # fmt: skip
    assert shown_status(told).split("\n")[-1] == last


WARNING = "the fleet has no roster yet: nobody may sign for it"
FRENCH = {
    "in step": ("present", {}, "En phase : rien à faire."),
    "somebody is away": ("silent", {}, "Ensuite : roosync up    (sur pc-b)"),
    "mail": ("present", {"mail_unread": 3}, "Courrier non lu pour pc-a : 3    (roosync message inbox)"),
    "what another room said": ("present", {"warnings": [WARNING]}, "! la flotte n'a pas encore de registre"),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "more", "said"), FRENCH.values(), ids=FRENCH)
def test_it_speaks_the_language_of_the_person(seen, more, said, monkeypatch):
    monkeypatch.setenv("LANGUAGE", "fr")
    told = {
        "fleet": "home", "agent": "pc-a", "status": "synced", "machines_detected": 2, "divergences_count": 0,
        "pending_decisions": 0, "baseline_version": "1.0.0", "machines": [row("pc-a", "present"), row("pc-b", seen)],
    } | more  # fmt: skip
    lines = shown_status(told).split("\n")
    assert lines[0] == "Flotte home, vue par pc-a"
    assert [line for line in lines if line.startswith(said)]
    assert not [line for line in lines if "Next:" in line or "SEEN" in line]


ASKED = "claude.settings/model on workstation-2 (d-ec793f901a20): approve it again, or reject it"
STOPPED = {
    "id": "c-6aa1dddf2c", "route": "coordination", "status": "waiting", "checkpoint": "DIFFS", "stopped": 2,
    "waiting_for": f"answer {ASKED}",
    "next_step": "roosync decision approve d-ec793f901a20, or roosync decision reject d-ec793f901a20",
}  # fmt: skip


def stopped_fleet(**more):
    rows = [row("workstation-1", "present"), row("workstation-2", "present")]
    rows[1] |= {
        "state": "diverged", "divergences_count": 1, "failed_decisions": 1, "notes": ["a note of some length " * 5],
        "waiting_for": "a person: d-ec793f901a20 failed, and was put back", "only_here": 3,
    }  # fmt: skip
    return {
        "fleet": "home", "agent": "workstation-1", "status": "diverged", "machines_detected": 2, "divergences_count": 1,
        "pending_decisions": 0, "baseline_version": "1.0.0", "machines": rows, "cycles": [STOPPED | more],
    }  # fmt: skip


def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    whole = shown_status(stopped_fleet())
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown_status(stopped_fleet()).split("\n")
    assert max(map(len, lines)) <= 80
    assert set(whole.replace("WAITING FOR", "").split()) - {"-"} <= set(" ".join(lines).split())
    assert "1 failed" in whole
    assert lines[-2].startswith("Next: roosync decision approve d-ec793f901a20, or")
    assert lines[-1].startswith("      ")


def test_a_stop_that_nothing_keeps_is_no_question(monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    told = shown_status(stopped_fleet(waiting_for="", next_step="roosync cycle resume c-6aa1dddf2c"))
    assert "at CHECKPOINT-DIFFS; what it waited for is there\n" in told
    assert told.endswith("Next: roosync cycle resume c-6aa1dddf2c")


HALTED = {
    "id": "ro-1", "purpose": "decisions", "status": "waiting", "wave": 2, "waves": 3,
    "waiting_for": "1 did not end well: workstation-2 (failed)",
    "next_step": "roosync rollout show ro-1",
}  # fmt: skip
TOLD = {
    "halted": (
        HALTED,
        "halted, wave 2 of 3; 1 did not end well: workstation-2 (failed): `roosync rollout show ro-1`",
        "Next: roosync rollout show ro-1",
    ),
    "running": (HALTED | {"status": "running", "next_step": ""}, "wave 2 of 3 is open", "Next: roosync decisions"),
    "prepared": (
        HALTED | {"status": "prepared", "next_step": "roosync rollout resume ro-1"},
        "prepared; a person is asked",
        "Next: roosync rollout resume ro-1",
    ),
}


@pytest.mark.parametrize(("one", "says", "following"), TOLD.values(), ids=TOLD)
def test_a_rollout_that_has_not_ended_is_told(monkeypatch, one, says, following):
    monkeypatch.setenv("COLUMNS", "0")
    told = shown_status(stopped_fleet() | {"cycles": [], "rollouts": [one]})
    assert says in told
    assert told.split("\n")[-1].startswith(following)
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, shown_status(stopped_fleet() | {"cycles": [], "rollouts": [one]}).split("\n"))) <= 80


def wave(status, name):
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    rollout = Rollout(
        agent="a", timestamp=moment, id="ro-1", revision=1, operation_id="o", purpose="decisions", status=status,
        waves=(("a",), ("b",), ("c", "d")), wave=0, timeout_minutes=1, started=moment, opened=moment,
    )  # fmt: skip
    return f"claude.settings/model waits: {opens(rollout, name)}"


@pytest.mark.parametrize("status", ["running", "waiting"])
def test_all_that_wait_for_a_rollout_are_one_line(monkeypatch, status):
    monkeypatch.setenv("COLUMNS", "0")
    fleet = stopped_fleet()
    fleet["machines"] = [row(name, "present") | {"notes": [wave(status, name)] * 2} for name in ("b", "c", "d")]
    fleet["machines"][0]["notes"] += ["roo.mcp waits: the file is locked"]
    told = shown_status(fleet).split("\n")
    assert [line for line in told if line.startswith("!")] == [
        "! b: roo.mcp waits: the file is locked",
        "! b, c, d: waiting for ro-1",
    ]


@pytest.mark.parametrize("room", range(20, 40))
def test_no_line_ends_before_a_stop_that_has_a_blank_in_front_of_it(room):
    text = "Ensuite : roosync up ; puis « roosync status » ? Oui : tout concorde, sauf : ceci !"
    lines = folded(text, room, 0)
    assert " ".join(lines) == text
    assert not [line for line in lines if line[0] in ":;?!»" or line[-1] == "«"]


def test_english_needs_no_catalogue():
    """`status` answers in a tenth of a second, and loading what translates takes a tenth of that."""
    code = "import sys, roosync_agent.cli.quick as q; q.shown_ping({'agent': 'a', 'machines': [], 'silent': []}); "
    code += "print(*(n for n in ('gettext', 'roosync_agent.heard_words', 'click') if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
