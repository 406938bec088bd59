"""What `tail`, `history` and `locks` print: every line within 80 columns, what belongs together below each other."""

from datetime import UTC, datetime, timedelta

import pytest

from roosync_agent.cli import history, locks
from roosync_agent.cli.facts_text import fact_line
from roosync_protocol.messages import Alarm, Arrival, Audit, Cycle, Escalation, Reached

NOW = datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
LATER = NOW + timedelta(seconds=15)
SAID = {"agent": "beta", "timestamp": NOW}
CYCLE = {
    "id": "c-1",
    "revision": 3,
    "operation_id": "o-1",
    "route": "coordination",
    "status": "running",
    "participants": ("alpha", "beta"),
    "checkpoint": "status",
    "timeout_minutes": 5.0,
    "started": NOW,
    "entered": NOW,
    "reached": (Reached(checkpoint="init", round=0, at=NOW, divergences=0),),
}
WARNING = Escalation(level=1, reason="80 %", checkpoint="status", round=0, at=LATER)
FACTS = {
    "a step": (Cycle(**SAID, **CYCLE), "c-1 INIT reached; STATUS awaited from 2 machines"),
    "another leader": (
        Cycle(agent="gamma", timestamp=LATER, **CYCLE),
        "c-1 goes on, led by gamma; STATUS awaited from 2 machines",
    ),
    "a warning": (
        Cycle(agent="beta", timestamp=LATER, escalations=(WARNING,), **CYCLE),
        "c-1 warns; STATUS awaited from 2 machines",
    ),
    "an end": (Cycle(**SAID, **CYCLE | {"status": "done"}), "c-1 done: INIT reached, 2 machines"),
    "an arrival": (Arrival(**SAID, cycle="c-1", checkpoint="init", round=0), "is at INIT of c-1: not compared yet"),
    "before": (Audit(**SAID, action="apply merge", phase="before", about="d-1"), "before: apply merge d-1"),
    "after": (
        Audit(**SAID, action="rolled_back", phase="after", about="d-1", outcome="rolled_back", details="a\nput back"),
        "after: rolled_back d-1 (put back)",
    ),
    "nothing to say": (Audit(**SAID, action="invite", phase="after", about="i-1"), "after: invite i-1 -> done"),
}


@pytest.mark.parametrize(("message", "text"), FACTS.values(), ids=FACTS)
def test_a_fact_is_a_line(message, text):
    kind = type(message).__name__.lower()
    line = fact_line(kind, message, "about", who=6)
    assert line == f"{message.timestamp:%H:%M:%S}  {message.agent:<6}  {kind:<10}  {text}"


def test_a_long_fact_is_folded_under_itself():
    alarm = Alarm(**SAID, id="a-1", level=2, reason="claude.settings/model could not be applied " * 4, about="d-1")
    lines = fact_line("alarm", alarm, "", who=6, room=80).split("\n")
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80
    begins = lines[0].index("level 2")
    assert all(line[:begins].isspace() and not line[begins].isspace() for line in lines[1:])
    assert "\n" not in fact_line("alarm", alarm, "", who=6), "in a pipe a fact is one line"
    assert "\x1b[31m" in fact_line("alarm", alarm, "", colour=True, room=80)


ROW = {"at": "2026-11-21T09:00:05.1Z", "who": "beta", "about": "", "outcome": "done", "details": "", "entity": ""}
ROW |= {"machine": "", "approved_by": [], "content": None}
APPLY = {"action": "apply override_local", "about": "d-52fb750b6a8c", "entity": "claude.settings/cleanupPeriodDays"}
APPLY |= {"machine": "beta", "approved_by": ["op-ana"], "content": "64d3e414aa"}
LOG = "backup made\nwrote it\nthe check refuses it\nput back"


def shown(*rows, **answer):
    given = {"rows": [ROW | row for row in rows], "not_believed": 0, "more": 0, "what": ""}
    return history._text(given | answer).split("\n")


def test_a_history_is_aligned_and_the_newest_comes_last(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = shown(
        {"action": "invite", "about": "i-1", "who": "op-ana"},
        APPLY | {"outcome": "applied", "details": LOG},
        APPLY | {"outcome": "rolled_back", "details": LOG},
        APPLY | {"outcome": "", "at": "2026-11-22T10:00:00Z"},
        {"action": "x \x1b[31m", "about": "d-2", "outcome": "not done", "details": "it \u202e moved"},
    )
    below = "                  d-52fb750b6a8c claude.settings/cleanupPeriodDays (64d3e414),"
    assert lines[:9] == [
        "AT (UTC)  WHO     ACTION                OUTCOME",
        "2026-11-21",
        "09:00:05  op-ana  invite i-1            done",
        "09:00:05  beta    apply override_local  applied",
        below,
        "                  approved by op-ana",
        "09:00:05  beta    apply override_local  rolled_back",
        below,
        "                  approved by op-ana",
    ]
    assert [line.strip() for line in lines[9:11]] == ["the check refuses it", "put back"]
    assert lines[11:13] == ["2026-11-22", "10:00:00  beta    apply override_local  its end was not told"]
    assert max(map(len, lines)) <= 80
    assert not any("\x1b" in line or "\u202e" in line for line in lines)


def test_what_a_history_leaves_out_is_said():
    lines = shown({"action": "invite", "about": "i-1"}, not_believed=2, more=7)
    assert "! 2 lines are not signed by whom they name, and are left out." in lines
    assert lines[-1] == "7 earlier: roosync history --limit 8"
    assert shown(what="roo.mcp/x") == ["Nothing was done about roo.mcp/x in this time."]


def test_what_is_held_stands_with_its_end_within_80_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    silent = {"present": False, "age_seconds": 3.2}
    lease = {"role": "orchestrator", "owner": "beta", "token": 12, "expires": "2026-11-21T09:00:20.5Z", **silent}
    claim = {"kind": "decision", "id": "d-1", "machine": "beta", "about": "x" * 90, "ends": "when it is back " * 6}
    lock = {"kind": "agent", "holder": "process 7", "stale": False, "age_seconds": None, "path": "/a b", "ends": "so"}
    answer = {
        "leases": [lease],
        "claims": [claim | silent],
        "local": [lock],
        "unfinished": [{"label": "d-2", "phase": "writing", "since": None, "ends": "at the next start " * 5}],
        "orphans": ["lease orchestrator of beta"],
    }
    lines = locks._text(answer).split("\n")
    assert lines[:3] == [
        "LEASE         OWNER  SEEN    TOKEN  RENEWED",
        "orchestrator  beta   silent  12     3 s ago",
        "  ends at 2026-11-21 09:00:20 (UTC) unless it is renewed; then another leads",
    ]
    assert "  /a b: ends so" in lines
    assert max(map(len, lines)) <= 80
    assert lines[-3:] == ["Not there: lease orchestrator of beta", "", "Next: roosync ping"]
    nobody = answer | {"leases": [], "claims": [], "unfinished": [], "orphans": []}
    lines = locks._text(nobody).split("\n")
    assert (lines[0], lines[-1]) == ("No lease is held: nobody leads at this moment.", "Next: roosync ping")
    there = nobody | {"leases": [lease | {"present": True}]}
    assert locks._text(there).split("\n")[-1] == "Every holder is there."
