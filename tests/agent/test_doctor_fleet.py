"""What `roosync doctor` says of the fleet: clocks, law, work that stands still, versions, secrets, the store."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from roosync_agent.operations import secrets_seen
from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.coordination.pinging import PingRow
from roosync_agent.operations.doctoring import (
    fleet_clock,
    fleet_law,
    fleet_machines,
    fleet_secrets,
    fleet_store,
    fleet_work,
)
from roosync_agent.operations.secrets_seen import SecretRow, SecretsAnswer
from roosync_agent.running.own_reports import TWIN
from roosync_broker import topology
from roosync_broker.leases import Holder
from roosync_broker.link import Stored
from roosync_protocol import __version__
from roosync_protocol.law import Law
from roosync_protocol.messages import Decision, Member, Roster, StatusReport, encode
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=60)


def seconds(number):
    return timedelta(seconds=number)


def report(name="ben", at=NOW, **fields):
    plain = {"machines_detected": 2, "status": "synced", "divergences_count": 0, "roosync_version": __version__}
    return StatusReport(agent=name, timestamp=at, **plain | fields)


def law(*names, roster=LATER, ends=LATER):
    members = {
        name: Member(agent="op-ana", timestamp=NOW, revision=1, machine=name, key="U", expires=ends) for name in names
    }
    first = Roster(agent="op-ana", timestamp=NOW, revision=1, expires=roster, operators={}) if roster else None
    return Law(fleet="home", root="U", roster=first, members=members)


class World:
    """As much of a machine as the checks ask for; `ana` looks, `ben` is another."""

    def __init__(self, known=None, reports=(), decisions=(), present=("ana", "ben"), refused=()):
        reported = {one.agent: one for one in reports}
        self.fleet = SimpleNamespace(
            law=known or law("ana", "ben"),
            status=reported.get,
            decisions=lambda machine=None: iter(decisions),
            refusals=lambda: Counter(dict(refused)),
        )
        self.name = "ana"
        self.stored = []
        self.session = SimpleNamespace(
            now=lambda: NOW, reachable=True, whole=True, subjects=Subjects("home"), link=SimpleNamespace(last=self.last)
        )
        self.presence = SimpleNamespace(twin=False)
        self.mail = SimpleNamespace(trouble="")
        self.looked = object()
        self.there = present

    async def last(self, stream, subjects):
        return self.stored

    async def present(self):
        return dict.fromkeys(self.there, NOW)


async def kinds(check, world):
    return [(one.kind, one.severity, one.about) for one in (await check(world)).findings]


# -- clocks


@pytest.mark.parametrize(
    ("ahead", "severity"),
    [(0, None), (59, None), (61, "warning"), (-61, "warning"), (601, "error"), (-86_400, "error"), (None, None)],
)
async def test_the_own_clock(monkeypatch, ahead, severity):
    async def clock(link, fleet):
        return None if ahead is None else NOW - seconds(ahead)

    monkeypatch.setattr(topology, "clock", clock)
    seen = await fleet_clock.check(World())
    assert [one.severity for one in seen.findings] == ([severity] if severity else [])
    if severity:
        which = "ahead of" if ahead > 0 else "behind"
        assert f"the clock of ana is {abs(ahead)} s {which} the broker's" in seen.findings[0].says


@pytest.mark.parametrize(
    ("ahead", "severity"),
    [(0, None), (-10, None), (-70, None), (-90, "warning"), (61, "warning"), (700, "error"), (-700, "error")],
)
async def test_the_clocks_of_others(monkeypatch, ahead, severity):
    async def clock(link, fleet):
        return NOW

    monkeypatch.setattr(topology, "clock", clock)
    world = World()
    data = encode(report(at=NOW + seconds(ahead)))
    world.stored = [Stored(subject="post.home.status.ben", sequence=1, data=data, time=NOW)]
    assert await kinds(fleet_clock.check, world) == ([("clock", severity, "ben")] if severity else [])


async def test_garbage_and_who_left_say_nothing_of_clocks(monkeypatch):
    async def clock(link, fleet):
        return NOW

    monkeypatch.setattr(topology, "clock", clock)
    world = World()
    gone = encode(report("eve", at=NOW + seconds(9_000)))
    world.stored = [
        Stored(subject="post.home.status.ben", sequence=1, data=b"\xff{", time=NOW),
        Stored(subject="post.home.status.ben", sequence=2, data=encode(report(at=NOW + seconds(9_000))), time=None),
        Stored(subject="post.home.status.eve", sequence=3, data=gone, time=NOW),
    ]
    assert await kinds(fleet_clock.check, world) == []


# -- law


@pytest.mark.parametrize(
    ("roster", "ends", "expected"),
    [
        (LATER, LATER, []),
        (NOW + timedelta(days=13), LATER, [("law", "warning", "the roster")]),
        (NOW - timedelta(days=1), LATER, [("law", "error", "the roster")]),
        (
            LATER,
            NOW + timedelta(days=1),
            [("law", "warning", "the membership of ana"), ("law", "warning", "the membership of ben")],
        ),
        (None, LATER, [("no-roster", "error", "ana")]),
    ],
)
async def test_the_law(roster, ends, expected):
    assert await kinds(fleet_law.check, World(law("ana", "ben", roster=roster, ends=ends))) == expected


@pytest.mark.parametrize(("count", "told"), [(3, []), (30, [("refused", "warning", "ana")])])
async def test_messages_that_do_not_count(count, told):
    assert await kinds(fleet_law.check, World(refused={"not signed by its speaker": count})) == told


# -- work


def decision(status="applying", age=0.0, machine="ben", **fields):
    plain = dict.fromkeys(Decision.__struct_fields__)
    known = {"id": "d-1", "entity": "roo.mcp/a", "reference": "baseline", "rollback_requested": None}
    moment = NOW - timedelta(minutes=age)
    return SimpleNamespace(**plain | known | {"status": status, "machine": machine, "timestamp": moment} | fields)


@pytest.fixture
def pings(monkeypatch):
    silent, held = set(), []

    async def ping_all(machine, names, timeout=1.0):
        return [PingRow(machine=name, answered=name not in silent) for name in names]

    async def holders(link, fleet):
        return held

    monkeypatch.setattr(pinging, "ping_all", ping_all)
    monkeypatch.setattr(fleet_work, "holders", holders)
    return SimpleNamespace(silent=silent, held=held)


async def test_a_lease_of_who_is_not_there(pings):
    pings.held.append(Holder(role="orchestrator", owner="ben", token=1, renewed=NOW))
    assert await kinds(fleet_work.check, World()) == []
    pings.silent.add("ben")
    assert await kinds(fleet_work.check, World()) == [("lease", "warning", "ben")]


@pytest.mark.parametrize(
    ("age", "there", "told"), [(1, True, False), (11, True, True), (1, False, True)], ids=["now", "long", "away"]
)
async def test_a_decision_that_is_stuck(pings, age, there, told):
    if not there:
        pings.silent.add("ben")
    found = await kinds(fleet_work.check, World(decisions=[decision(age=age)]))
    assert found == ([("stuck", "warning", "d-1")] if told else [])


@pytest.mark.parametrize(
    ("status", "severity"), [("failed", "warning"), ("rolled_back", "warning"), ("rollback_failed", "error")]
)
async def test_a_decision_that_failed(pings, status, severity):
    assert await kinds(fleet_work.check, World(decisions=[decision(status)])) == [("failed", severity, "d-1")]


async def test_many_that_failed_are_counted(pings):
    listed = (await fleet_work.check(World(decisions=[decision("failed")] * 30))).findings
    assert len(listed) == fleet_work.LISTED + 1
    assert listed[-1].says.startswith("25 more")


async def test_a_quarantine_elsewhere(pings):
    world = World(reports=[report(quarantine={"roo.modes": "9 of 10 are gone"})])
    assert await kinds(fleet_work.check, world) == [("quarantine", "error", "ben:roo.modes")]


# -- machines


@pytest.mark.parametrize(
    ("old", "new", "close"),
    [
        ("0.1.0", "0.2.0", True),
        ("0.1.0", "0.1.9", True),
        ("0.1.0", "0.3.0", False),
        ("0.9.1", "1.0.0", True),
        ("0.9.1", "1.1.0", False),
        ("v1.2", "1.3.4", True),
        ("nonsense", "0.2.0", False),
    ],
)
def test_how_far_two_versions_are_apart(old, new, close):
    assert fleet_machines.one_release_apart(old, new) is close


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (__version__, []),
        ("0.1.0", [("version", "note", "ben")]),
        ("0.0.1", [("version", "warning", "ben")]),
        ("0.3.0", [("version", "note", "ben")]),
        ("7.0.0", [("version", "warning", "ben")]),
    ],
)
async def test_versions(monkeypatch, version, expected):
    if version != __version__:
        monkeypatch.setattr(fleet_machines, "__version__", "0.2.0")
    world = World(reports=[report(roosync_version=version), report("ana", roosync_version="")])
    assert await kinds(fleet_machines.check, world) == expected
    for command in [one.command for one in (await fleet_machines.check(world)).findings if "update" in one.command]:
        assert command == "roosync update require 0.2.0 --on ben"


async def test_two_agents_in_one_name():
    world = World(reports=[report(notes=(TWIN,)), report("ana")])
    assert await kinds(fleet_machines.check, world) == [("two-agents", "error", "ben")]
    world.presence.twin = True
    assert [about for _, _, about in await kinds(fleet_machines.check, world)] == ["ana", "ben"]


@pytest.mark.parametrize(
    ("present", "expected"),
    [(("ana", "ben"), ("mute", "warning", "ben")), (("ana",), ("never-seen", "note", "ben"))],
)
async def test_who_never_reported(present, expected):
    assert await kinds(fleet_machines.check, World(reports=[report("ana")], present=present)) == [expected]


async def test_mail_that_is_not_fetched():
    world = World(reports=[report("ana"), report()])
    world.mail.trouble = "the broker has no mailbox"
    assert await kinds(fleet_machines.check, world) == [("mail", "warning", "ana")]


# -- secrets, and room


async def test_secrets_that_are_missing(monkeypatch):
    async def of_look(machine, looked):
        rows = [
            SecretRow(address=f"roo.mcp/{at}/env/T", entity="e", machines={"ana": "set", "ben": "missing"})
            for at in range(7)
        ]
        return SecretsAnswer(machine="ana", machines=["ana", "ben"], rows=rows, unknown={})

    monkeypatch.setattr(secrets_seen, "of_look", of_look)
    (one,) = (await fleet_secrets.check(World())).findings
    assert (one.kind, one.about) == ("secret", "ben")
    assert one.says.endswith("and 2 more")


@pytest.mark.parametrize(
    ("held", "name", "severity"),
    [(10, "LAW", None), (86, "LAW", "warning"), (99, "WORK", "error"), (99, "AUDIT", None)],
    ids=["room", "nearly full", "full", "forgets the oldest"],
)
async def test_a_stream_that_is_full(monkeypatch, held, name, severity):
    async def usage(link, fleet):
        return {name: (held, 100)}

    monkeypatch.setattr(topology, "usage", usage)
    assert await kinds(fleet_store.check, World()) == ([("store", severity, name)] if severity else [])
