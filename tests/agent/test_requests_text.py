"""The table of requests fits a terminal of 80 columns, and nothing of a request is cut off."""

import pytest

from roosync_agent.cli.requests import _list

ROW = {
    "id": "r-14d93988f38f",
    "to": "operators",
    "type": "verification",
    "status": "requested",
    "asked_by": "pc-a",
    "expires": "2026-11-21T15:28:37Z",
    "target": "d-3e8b79c00d0e",
    "action": "override_local: claude.settings/permissions.allow on pc-b, risk medium",
    "outcome": "",
}
LONG = {"action": "word " * 40, "status": "refused", "outcome": "no, because of " + "reasons " * 20}


@pytest.mark.parametrize("more", [{}, LONG, {"action": "", "status": "expired"}], ids=["usual", "long", "no action"])
def test_it_fits_and_cuts_nothing(monkeypatch, more):
    monkeypatch.setenv("COLUMNS", "80")
    row = {**ROW, **more}
    lines = _list([row], everything=True).split("\n")
    rows = [line for line in lines if not line.startswith(("Next", "1 request"))]
    assert max(map(len, rows)) <= 80
    told = " ".join(" ".join(rows).split())
    assert all(" ".join(row[field].split()) in told for field in ("action", "outcome"))


def test_what_a_request_says_does_not_move_the_table(monkeypatch):
    text = _list([{**ROW, "action": "one\nREQUEST  x\x1b[2J"}], everything=False)
    assert "\x1b" not in text
    assert len(text.split("\n")) == 5
