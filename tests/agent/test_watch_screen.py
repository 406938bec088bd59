"""The screen of `roosync watch` fits every terminal, nothing a machine says moves it, and long lists are short work."""

import itertools
import time
from datetime import UTC, datetime

import pytest

from roosync_agent.cli.watch import plain
from roosync_agent.cli.watch.following import Seen, _urgent
from roosync_agent.cli.watch.keys import Keys
from roosync_agent.cli.watch.lines import cut, drawn, folded_lines, padded
from roosync_agent.cli.watch.screen import frame, machine_text
from roosync_agent.cli.watch.view import View
from roosync_agent.columns import columns

EVIL = "x\x1b[2J\x1b]0;t\x07\u202egnp\u2066\u200b\x9b2K\r\nbeta\ud800 日本語" + "y" * 300
SIZES = list(itertools.product((1, 2, 5, 20, 61, 80, 400), (1, 2, 3, 5, 10, 24, 60)))


def machine(name, state="synced", seen="present", says=""):
    return {
        "machine": name, "seen": seen, "state": state, "roosync_version": says or "0.2.0", "baseline_version": says,
        "waiting_for": says, "paused": bool(says), "divergences_count": None, "pending_decisions": 1,
        "notes": [says] if says else [],
    }  # fmt: skip


def decision(number, risk="high", entity="roo.mcp/github", status="pending", name="beta"):
    return {
        "id": f"d-{number:012}", "machine": name, "entity": entity, "risk": risk, "status": status, "failed": False,
    }  # fmt: skip


def fleet(machines=(), decisions=(), says="", **more):
    cycle = {
        "id": "c-1" + says, "route": "coordination", "checkpoint": "diffs", "waits_for": ["gamma" + says], "stopped": 0,
        "waiting_for": says, "next_step": says, "status": "running",
    }  # fmt: skip
    rollout = {"id": "r-1", "status": "running", "wave": 1, "waves": 3, "waiting_for": says, "next_step": says}
    overview = {
        "fleet": "home" + says, "agent": "alpha", "status": "diverged", "divergences_count": 2, "mail_unread": 3,
        "pending_decisions": len(decisions), "baseline_version": "1.0.0", "machines": list(machines),
        "cycles": [cycle], "rollouts": [rollout], "warnings": [says] if says else [],
        "proposal": {"open_questions": 2}, "requests_waiting": 1, "paused": True,
    }  # fmt: skip
    at = datetime(2026, 11, 21, 9, tzinfo=UTC)
    return Seen(overview, tuple(sorted(decisions, key=_urgent)), (cycle,), at=at, **more)


def bare(line):
    for code in ("0", "1", "2", "7", "31", "32", "33"):
        line = line.replace(f"\x1b[{code}m", "")
    return line


SEEN = {
    "empty": fleet(),
    "usual": fleet([machine("alpha"), machine("beta", "diverged")], [decision(1), decision(2, "low")]),
    "hostile": fleet(
        [machine("alpha" + EVIL, says=EVIL)], [decision(1, entity=EVIL, name=EVIL)], EVIL, trouble=EVIL, away=True
    ),
    "many": fleet([machine(f"m{n:04}") for n in range(1000)], [decision(n) for n in range(10_000)]),
}


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("colour", [True, False])
def test_it_fits_every_terminal_and_nothing_moves_it(seen, colour):
    for wide, high in SIZES:
        view = View()
        for keys in ((), ("tab", "j", "end"), ("/", "x", "y"), ("enter", "escape", "?", "j", "G")):
            for key in keys:
                view.press(key, seen)
            lines = frame(view, seen, wide, high, colour=colour)
            assert len(lines) == high, (wide, high, keys)
            for line in lines:
                assert columns(bare(line)) <= wide, (wide, high, line)
                assert bare(line).isprintable(), line
                assert colour or "\x1b" not in line


def test_what_is_awaited_stands_out_and_whoever_is_awaited_is_named():
    text = "\n".join(frame(View(), SEEN["usual"], 120, 30, colour=False))
    assert "init - status - [DIFFS] - resolution - final   awaited: gamma" in text
    assert "DECISIONS 2: 1 high, 1 low" in text
    assert "unread mail 3" in text
    assert text.index("\n  beta") < text.index("\n  alpha"), "who is not in step comes first"


def test_a_list_of_ten_thousand_is_short_work():
    seen, view = SEEN["many"], View()
    frame(view, seen, 80, 24, colour=True)
    began = time.perf_counter()
    for _ in range(20):
        view.press("j", seen)
        frame(view, seen, 80, 24, colour=True)
    assert (time.perf_counter() - began) / 20 < 0.1
    assert view.places["decisions"] == 20
    view.press("end", seen)
    assert view.chosen["decisions"] == seen.decisions[-1]["id"]
    assert seen.decisions[-1]["id"] in "\n".join(frame(view, seen, 80, 24, colour=False))


def test_the_chosen_row_stays_chosen_while_others_come_and_go():
    view, seen = View(), fleet([], [decision(n, "low") for n in (1, 2, 3)])
    view.press("j", seen)
    assert view.chosen["decisions"] == "d-000000000002"
    more = fleet([], [decision(0, "high"), *seen.decisions])
    frame(view, more, 80, 24, colour=False)
    assert view.chosen["decisions"] == "d-000000000002"
    gone = fleet([], [decision(3, "low"), decision(1, "low")])
    frame(view, gone, 80, 24, colour=False)
    assert view.chosen["decisions"] in ("d-000000000003", "d-000000000001")


@pytest.mark.parametrize(
    ("keys", "asks"),
    [
        ("a", ("approve", "d-000000000001")),
        ("ja", ("approve", "d-000000000002")),
        ("jkr", ("reject", "d-000000000001")),
        ("s", ("card", "d-000000000001")),
        (("tab", "enter"), ("machine", "beta")),
        (("tab", "a"), ("", "")),
        (("/", "l", "o", "w", "enter", "a"), ("approve", "d-000000000002")),
        (("/", "a"), ("", "")),
        (("/", "q", "escape", "q"), ("quit", "")),
        (("/", "z", "z", "enter", "a"), ("", "")),
        (("?", "q"), ("", "")),
        ("xyz", ("", "")),
    ],
    ids=str,
)
def test_what_a_key_asks_for(keys, asks):
    view = View()
    for key in keys:
        view.press(key, SEEN["usual"])
    assert view.asks == asks


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ([b"jk"], ["j", "k"]),
        ([b"\x1b[A\x1bOB\x1b[5~\x1b[6~"], ["up", "down", "page up", "page down"]),
        ([b"\x1b", b"[", b"A"], ["up"]),
        (["é日".encode()[:3], "é日".encode()[3:]], ["é", "日"]),
        ([b"\xff\xfe\x00\x01a"], ["a"]),
        ([b"\x1b[200~x\x1b[999;999;999Zq"], ["x", "q"]),
        ([b"\x1bq"], []),
        ([b"\x1b[" + b"1;" * 1000 + b"Hj"], None),
        ([b"\x1b\x1b[A"], ["escape", "up"]),
        ([b"\r\n\t\x7f"], ["enter", "enter", "tab", "erase"]),
    ],
    ids=repr,
)
def test_bytes_of_a_terminal(data, keys):
    reader = Keys()
    found = [key for part in data for key in reader.fed(part)]
    assert found == keys if keys is not None else found[-1] == "j"
    assert not reader.waiting


def test_escape_alone_is_a_key_when_nothing_follows():
    reader = Keys()
    assert reader.fed(b"\x1b") == []
    assert reader.waiting
    assert reader.settle() == ["escape"]
    assert reader.settle() == []


@pytest.mark.parametrize("room", [0, 1, 2, 5, 7, 20])
@pytest.mark.parametrize("text", ["", "abc", "日本語" * 5, "x" * 50])
def test_lines_are_cut_and_folded(text, room):
    assert columns(cut(text, room)) <= room
    assert columns(padded(text, room)) <= room
    assert columns(drawn([(text, "bad"), (text, "")], room, False)) <= room
    if room > 1:
        whole = folded_lines([text], room)
        assert "".join(whole) == text
        assert max(map(columns, whole)) <= room


def test_a_machine_is_told_without_anything_that_moves():
    assert all(line.isprintable() for line in machine_text(machine(EVIL, says=EVIL)))


def test_changes_in_words():
    before = fleet([machine("alpha"), machine("beta")], [decision(1), decision(2)])
    now = fleet(
        [machine("alpha"), machine("beta", "diverged", says="")],
        [decision(1, status="approved"), decision(3)],
        away=True,
    )
    told = list(plain.changed(before, now))
    assert "beta: synced -> diverged" in told
    assert any("d-000000000001  approved" in line for line in told)
    assert any("d-000000000002  ended" in line for line in told)
    assert any("d-000000000003  pending" in line for line in told)
    assert list(plain.changed(now, now)) == []
    assert list(plain.changed(now, fleet(trouble="gone"))) == ["! gone"]
    for line in plain.changed(Seen(), SEEN["hostile"]):
        assert line.isprintable()
