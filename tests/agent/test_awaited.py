"""How long a checkpoint is awaited: by this machine's own clock, and only while it could have gone on."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from roosync_agent.running.awaited import ASLEEP, Awaited, checkpoint_of
from roosync_protocol.messages import Cycle

T0 = datetime(2026, 1, 16, 12, tzinfo=UTC)
CYCLE = Cycle(
    agent="pc-a", timestamp=T0, id="c-1", revision=1, operation_id="o-1", route="coordination", status="running",
    participants=("pc-a", "pc-b"), checkpoint="init", timeout_minutes=10, started=T0, entered=T0,
)  # fmt: skip

LIVES = {  # (seconds, is the bus there) of each sample -> seconds awaited, seconds without the bus
    "often": ([(0, True), (2, True), (5, True)], (5.0, 0.0)),
    "the bus goes and comes": ([(0, True), (2, True), (3, False), (8, False), (9, True), (10, True)], (3.0, 7.0)),
    "this process was stopped": ([(0, True), (1, True), (500, True), (501, True)], (ASLEEP + 2, 0.0)),
    "stopped, and the connection did not outlive it": (
        [(0, True), (1, True), (500, False), (502, True)],
        (1.0, ASLEEP + 2),
    ),
    "never there": ([(at, False) for at in range(0, 701, 5)], (0.0, 700.0)),
    "seen for the first time": ([(50, True)], (0.0, 0.0)),
}


@pytest.mark.parametrize(("samples", "counted"), LIVES.values(), ids=LIVES)
def test_what_is_counted(samples, counted):
    now = [0.0]
    awaited = Awaited(lambda: now[0], checkpoint_of)
    for at, there in samples:
        now[0] = float(at)
        awaited.sample([CYCLE], there=there)
    assert awaited.of(CYCLE) == counted


MOVED = [{"checkpoint": "status"}, {"round": 1}, {"status": "waiting"}, {"entered": datetime(2030, 1, 1, tzinfo=UTC)}]


@pytest.mark.parametrize("change", MOVED, ids=[next(iter(change)) for change in MOVED])
def test_each_place_is_counted_from_its_beginning_whatever_the_record_says_of_time(change):
    now = [0.0]
    awaited = Awaited(lambda: now[0], checkpoint_of)
    for at, cycle in ((0, CYCLE), (5, CYCLE), (8, replace(CYCLE, **change)), (9, replace(CYCLE, **change))):
        now[0] = float(at)
        awaited.sample([cycle], there=True)
    assert awaited.of(CYCLE)[0] == 1.0
    awaited.sample([], there=True)
    assert awaited.of(CYCLE) == (0.0, 0.0), "what ended is forgotten"
