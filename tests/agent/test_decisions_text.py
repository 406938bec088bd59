"""`roosync decisions`: a change whose apply failed waits for a person like one that was never tried."""

import pytest

from roosync_agent.cli.decision import _code
from roosync_agent.cli.decisions_text import listed_text as _listed


def row(id_="d-1", status="pending", failed=False, log=()):
    return {
        "id": id_, "machine": "pc-b", "entity": "claude.settings/model", "reference": "baseline", "risk": "medium",
        "status": status, "action": "override_local", "attempt": 1, "failed": failed, "log": list(log),
    }  # fmt: skip


FAILED = row("d-2", "rolled_back", True, ["the check refuses it"])
LISTS = {  # rows -> exit code, what is counted, the next command
    "one is pending": ([row()], 3, "1 pending.", "Next: roosync decision show d-1"),
    "one failed": ([FAILED], 4, "0 pending, 1 failed.", "Next: roosync decision show d-2"),
    "both": ([row(), FAILED], 4, "1 pending, 1 failed.", "Next: roosync decision show ID"),
    "one was taken back by a person": ([row(status="rolled_back")], 0, "0 pending.", "Next: roosync decision show ID"),
}


@pytest.mark.parametrize(("rows", "code", "counted", "following"), LISTS.values(), ids=LISTS)
def test_what_waits_is_counted_and_the_next_command_named(rows, code, counted, following, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    pending, failed = sum(d["status"] == "pending" for d in rows), sum(d["failed"] for d in rows)
    answer = {"decisions": rows, "pending": pending, "failed": failed}
    lines = _listed(answer).split("\n")
    assert (_code(answer), *lines[-2:]) == (code, counted, following)
    told = [line.strip() for line in lines if "failed:" in line]
    assert told == ["failed: approve again or reject (the check refuses it)"] * failed
    assert max(map(len, lines)) <= 80
