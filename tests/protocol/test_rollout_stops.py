"""A stop is an operator's last word, also when the bus that has it is put back to a backup from before it."""

from datetime import timedelta

import pytest

from roosync_broker.keys import verify
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Rollout
from roosync_protocol.record_kinds import KINDS

WAVES = (("pc-a",), ("pc-b",))


@pytest.fixture
def world(make_world):
    return make_world(machines=("pc-a", "pc-b"))


def said(world, status, revision, **more):
    fields = {
        "agent": "op-ann",
        "timestamp": world.now + timedelta(seconds=revision),
        "id": "r-1",
        "revision": revision,
        "operation_id": world.new_operation(),
        "purpose": "update",
        "status": status,
        "waves": WAVES,
        "started": world.now,
        "opened": world.now,
        "timeout_minutes": 10,
    }
    return world.raw(Rollout(**{**fields, **more}))


def test_what_was_stopped_stays_so_until_the_bus_knows_it_again(world):
    fleet = Fleet(world.law, verify)
    begun, stopped = said(world, "running", 1), said(world, "stopped", 2)
    fleet.hear(begun)
    fleet.hear(stopped)
    fleet.forget_records(KINDS)
    assert fleet.rollouts() == []
    fleet.hear(begun)
    assert [one.status for one in fleet.rollouts()] == ["stopped"]
    assert [one.status for one in fleet.lost_stops()] == ["running"]
    fleet.hear(stopped)
    assert fleet.lost_stops() == []


def test_what_was_not_stopped_is_as_the_bus_has_it(world):
    fleet = Fleet(world.law, verify)
    fleet.hear(said(world, "running", 1))
    fleet.forget_records(KINDS)
    fleet.hear(said(world, "running", 1))
    assert [one.status for one in fleet.rollouts()] == ["running"]
    assert not fleet.stopped
