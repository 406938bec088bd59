"""What `roosync status` says last: nothing is called in step when nobody could see who is there."""

import pytest

from roosync_agent.cli.text import shown_status


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
