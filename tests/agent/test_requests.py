"""A machine that is asked: what it does once, what it refuses, what a crash leaves; who answers a ping; what was done.

The machine, its session and its journal are the real ones; the bus is in memory.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.operations.coordination import pinging
from roosync_agent.operations.coordination import requests as asking
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.reports import history, locks
from roosync_agent.running import requests as running
from roosync_agent.running.machine import Machine
from roosync_agent.running.requests import JOURNAL, Done, Requests
from roosync_agent.session import Session, new_operation
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.errors import UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.leases import Lease
from roosync_broker.link import Expect
from roosync_broker.memory import MemoryBus
from roosync_protocol import ping
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import Audit, Request
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class World:
    """A fleet of a person and two machines."""

    bus: MemoryBus
    operator: Session
    alpha: Machine
    beta: Machine
    keys: dict
    now: datetime = NOW

    async def read(self):
        for session in (self.operator, self.alpha.session, self.beta.session):
            await session.refresh()

    async def asked(self, action="report", **more):
        answer = await asking.ask(self.alpha, more.pop("to", "beta"), action=action, **more)
        await self.read()
        return answer.id

    async def turn(self):
        """What the agent of beta does with requests in a turn; `Requests` is made anew, as at a start."""
        await self.read()
        await Requests(self.beta).answer()
        await self.read()

    def record(self, id_, to="beta"):
        return self.operator.fleet.request(to, id_).state

    async def audit(self):
        stream = self.operator.subjects.stream("AUDIT")
        found = [self.operator.open(s) async for s in self.operator.link.read(stream, "post.home.audit.*")]
        return [(h.speaker, h.message.phase, h.message.action, h.message.outcome) for h in found]


@pytest.fixture
async def world(tmp_path):
    bus = MemoryBus()
    await topology.ensure(bus.link("keeper"), "home")
    keys = {name: KeyPair.generate() for name in ("op-ann", "alpha", "beta")}
    law = Law(fleet="home", root=keys["op-ann"].public)

    def session(name):
        made = Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: found.now if found else NOW
        return made

    def machine(name):
        home, state = tmp_path / name / "home", State(tmp_path / name / "state")
        (home / ".claude").mkdir(parents=True)
        state.prepare()
        settings = Settings(state=state.folder, home=home, machine=name, os="posix", home_as="/home/ana")
        return Machine(settings, state, session(name))

    found = None
    operator = session("op-ann")
    await lawmaking.found(operator, "alpha", keys["alpha"].public, None)
    await lawmaking.admit(operator, "beta", keys["beta"].public)
    found = World(bus, operator, machine("alpha"), machine("beta"), keys)
    await found.read()
    for one in (found.alpha, found.beta):
        await one.look()
    return found


@pytest.fixture
def done(monkeypatch):
    """What the machine does when it is asked to report, as often as it does it; `done.fails` is raised instead."""

    class Doing(list):
        fails = None

        async def __call__(self, machine):
            if self.fails:
                raise self.fails
            self.append(machine.name)
            return "so it was"

    doing = Doing()
    monkeypatch.setitem(running.ACTIONS, "report", doing)
    return doing


# -- asked, done, answered


@pytest.mark.parametrize("action", sorted(set(running.ACTIONS) - {"compare"}))
async def test_everything_in_the_table_is_done(world, action):
    kind = "verification" if action == "verify" else "execution"
    id_ = await world.asked(action, kind=kind)
    await world.turn()
    record = world.record(id_)
    assert (record.status, record.agent) == ("done", "beta"), record
    assert record.outcome


def test_what_is_asked_is_what_is_done():
    assert running.ACTIONS.keys() == asking.life.ACTIONS.keys()


async def test_what_is_missing_makes_it_fail_with_the_reason(world):
    id_ = await world.asked("compare")
    await world.turn()
    assert world.record(id_).status == "failed"
    assert "baseline" in world.record(id_).outcome


async def test_it_is_done_once_and_told_before_and_after(world, done):
    id_ = await world.asked()
    for _ in range(3):
        await world.turn()
    assert done == ["beta"]
    assert world.record(id_).outcome == "so it was"
    told = [line for line in await world.audit() if "report" in line[2]]
    assert told == [
        ("alpha", "before", "ask beta for execution: report", ""),
        ("alpha", "after", "ask beta for execution: report", "done"),
        ("beta", "before", "report, asked by alpha", ""),
        ("beta", "after", "report, asked by alpha", "done"),
    ]


async def test_a_request_to_another_is_not_done(world, done):
    await world.asked(to="op-ann")
    await world.asked(to="alpha")
    await world.turn()
    assert done == []


async def test_time_is_over_when_it_is_found(world, done):
    id_ = await world.asked(timeout=5)
    world.now += timedelta(minutes=5)
    assert (await asking.show(world.alpha, id_)).status == "expired"
    await world.turn()
    assert done == []
    assert world.record(id_).status == "expired"


async def test_it_waits_until_it_may_begin(world, done):
    id_ = await world.asked(waiting=True)
    await world.turn()
    assert done == []
    await asking.ready(world.alpha, id_)
    await world.turn()
    assert world.record(id_).status == "done"
    with pytest.raises(RefusedRequestError, match="waits for nothing"):
        await asking.ready(world.alpha, id_)


# -- crashes: at each step, the process ends and another one starts


class CrashError(BaseException):
    """The process ends here."""


async def test_killed_after_it_accepted_it_does_it_at_its_next_start(world, done, monkeypatch):
    id_ = await world.asked()
    monkeypatch.setattr(Requests, "_do", _crash)
    with pytest.raises(CrashError):
        await world.turn()
    monkeypatch.undo()
    monkeypatch.setitem(running.ACTIONS, "report", done)
    await world.turn()
    assert (done, world.record(id_).status) == (["beta"], "done")


async def _crash(*_):
    raise CrashError


async def test_killed_between_doing_and_answering_it_answers_and_does_nothing_again(world, done, monkeypatch):
    id_ = await world.asked()
    monkeypatch.setattr(Requests, "_told", _crash)
    with pytest.raises(CrashError):
        await world.turn()
    monkeypatch.undo()
    await world.read()
    assert done == ["beta"]
    assert world.record(id_).status == "accepted"
    await world.turn()
    assert (done, world.record(id_).status, world.record(id_).outcome) == (["beta"], "done", "so it was")


async def test_what_ends_the_agent_twice_is_not_begun_a_third_time(world, done):
    id_ = await world.asked()
    done.fails = CrashError()
    for _ in range(2):
        with pytest.raises(CrashError):
            await world.turn()
    done.fails = None
    await world.turn()
    assert done == []
    assert world.record(id_).status == "failed"
    assert "ended 2 times" in world.record(id_).outcome


@pytest.mark.parametrize("error", [UnavailableError("away"), asyncio.CancelledError()], ids=["bus", "stopped"])
async def test_a_bus_that_went_away_and_a_stop_are_no_crash(world, done, error):
    id_ = await world.asked()
    done.fails = error
    for _ in range(4):
        with pytest.raises(type(error)):
            await world.turn()
    done.fails = None
    await world.turn()
    assert world.record(id_).status == "done"


async def test_a_broker_that_forgot_the_answer_makes_nothing_be_done_again(world, done):
    world.beta.state.write(JOURNAL, {})
    id_ = await world.asked()
    world.beta.state.write(JOURNAL, {id_: Done(tries=1, status="done", outcome="long ago")})
    await world.turn()
    assert done == []
    assert world.record(id_).outcome == "long ago"


async def test_the_journal_is_bounded(world, done, monkeypatch):
    monkeypatch.setattr(running, "KEPT", 3)
    for _ in range(5):
        await world.asked()
    await world.turn()
    assert len(world.beta.state.read(JOURNAL, dict[str, Done])) == 3


async def test_who_asks_for_much_is_answered_over_several_turns(world, done, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 2)
    for _ in range(3):
        await world.asked()
    await world.read()
    requests = Requests(world.beta)
    assert await requests.answer()
    assert len(done) == 2
    assert not await requests.answer()
    assert len(done) == 3


# -- what can not be asked, and who can not answer

BAD = {
    "nobody": ({"to": "pc-x", "action": "report"}, "is nobody of this fleet"),
    "nearly somebody": ({"to": "betta", "action": "report"}, "did you mean beta"),
    "no name": ({"to": "../x", "action": "report"}, "can not be a name"),
    "no time": ({"to": "beta", "action": "report", "timeout": 0}, "give a number of minutes"),
    "not a number": ({"to": "beta", "action": "report", "timeout": float("nan")}, "give a number of minutes"),
    "for ever": ({"to": "beta", "action": "report", "timeout": 1e9}, "give a number of minutes"),
    "a command": ({"to": "beta", "action": "rm -rf ~"}, "is not asked for"),
    "no action": ({"to": "beta"}, "for what"),
    "no type": ({"to": "beta", "action": "report", "kind": "magic"}, "no request of type"),
    "an approval": ({"to": "beta", "action": "report", "kind": "approval"}, "approves nothing"),
}


@pytest.mark.parametrize(("asked", "says"), BAD.values(), ids=BAD)
async def test_what_can_not_be_asked_is_said_at_once(world, asked, says):
    with pytest.raises(RefusedRequestError, match=says):
        await asking.ask(world.alpha, **asked)
    assert world.alpha.fleet.requests() == []


def raw(world, speaker, **more):
    given = {
        "agent": speaker, "timestamp": world.now, "id": "r-1", "revision": 1, "operation_id": new_operation(),
        "to": "beta", "kind": "execution", "target": "beta", "action": "report", "status": "requested",
        "asker": speaker, "asked": world.now, "timeout_minutes": 60,
    }  # fmt: skip
    return Request(**given | more)


async def test_what_no_command_of_ours_would_ask_is_refused_by_the_machine(world, done):
    await world.alpha.session.advance(raw(world, "alpha", action="sh -c evil"), 0)
    await world.turn()
    assert (done, world.record("r-1").status) == ([], "refused")


async def test_nobody_answers_for_another(world, done):
    id_ = await world.asked()
    asked = world.record(id_)
    lie = replace(asked, agent="alpha", revision=2, operation_id=new_operation(), status="done", outcome="believe me")
    record = world.alpha.session.subjects.record("request", "beta", id_)
    await world.alpha.session.say(lie, expect=Expect(world.alpha.fleet.request("beta", id_).sequence, record))
    await world.read()
    assert world.record(id_).status == "requested"
    assert "may not move" in (await asking.show(world.alpha, id_)).refused[0]
    await world.turn()
    assert (done, world.record(id_).outcome) == (["beta"], "so it was")


async def test_a_person_answers_once_and_only_what_people_are_asked(world):
    mine = await world.asked("may I?", to="operators", kind="approval")
    made = await asking.conclude(world.operator, mine, "done", "yes")
    assert (made.status, made.agent, made.outcome) == ("done", "op-ann", "yes")
    with pytest.raises(RefusedRequestError, match="is done already"):
        await asking.conclude(world.operator, mine, "refused")
    theirs = await world.asked()
    with pytest.raises(RefusedRequestError, match="only that machine answers"):
        await asking.conclude(world.operator, theirs, "done")


# -- pings


async def test_who_is_there_answers_and_who_is_not_is_named(world):
    await pinging.serve(world.alpha)
    answer = await pinging.ask(world.alpha, timeout=0.2)
    assert [row.machine for row in answer.machines] == ["alpha", "beta"]
    assert answer.silent == ["beta"]
    assert answer.machines[0].milliseconds is not None
    await pinging.serve(world.beta)
    assert (await pinging.ask(world.alpha, timeout=0.2)).silent == []


async def test_an_answer_in_another_name_is_silence(world):
    async def lie(asked):
        nonce = ping.read_question(asked.data).nonce
        pong = ping.Pong(fleet="home", machine="beta", nonce=nonce, version="9.9")
        return ping.reply(pong, world.keys["alpha"].public, world.keys["alpha"].sign)

    await world.alpha.session.link.serve("roosync-rpc.home.beta.ping.*", lie)
    row = (await pinging.ask(world.alpha, ["beta"], timeout=0.2)).machines[0]
    assert (row.answered, row.reason) == (False, "an answer that is not signed with the key of beta")


async def test_one_that_hangs_is_named_in_time(world):
    async def hang(asked):
        await asyncio.sleep(60)

    await world.beta.session.link.serve("roosync-rpc.home.beta.ping.*", hang)
    async with asyncio.timeout(1):
        row = (await pinging.ask(world.alpha, ["beta"], timeout=0.1)).machines[0]
    assert (row.reason, row.hangs) == ("no answer within 0.1 s", True)


@pytest.mark.parametrize(("asked", "says"), [({"machines": ["x"]}, "no machine"), ({"timeout": 0}, "no time to wait")])
async def test_what_can_not_be_pinged(world, asked, says):
    with pytest.raises(RefusedRequestError, match=says):
        await pinging.ask(world.alpha, **asked)


# -- history and locks


async def test_history_pairs_beginnings_with_ends_and_says_whose_end_was_not_told(world, done):
    id_ = await world.asked()
    await world.turn()
    await world.beta.audit("publish package", "before", "beta")
    answer = await history.history(world.alpha, id_)
    assert [(row.who, row.outcome) for row in answer.rows] == [("alpha", "done"), ("beta", "done")]
    every = await history.history(world.alpha)
    assert every.rows[0].action == "found fleet"
    assert (every.rows[-1].action, every.rows[-1].outcome) == ("publish package", "")
    assert [row.action for row in (await history.history(world.alpha, "beta")).rows][-1] == "publish package"
    few = await history.history(world.alpha, limit=2)
    assert (len(few.rows), few.more) == (2, len(every.rows) - 2)
    assert (await history.history(world.alpha, since="2026-11-21T09:00:01")).rows == []


SAID_YES = {  # action, seconds after the first yes and before the second -> who is told to have approved it
    "asked before anybody": ("ask for approval", -1, []),
    "asked for the second yes": ("ask for approval", 1, ["op-ann"]),
    "the approval": ("approve override_local", -1, ["op-ann", "op-bob", "policy 3"]),
    "the apply": ("apply override_local", 60, ["op-ann", "op-bob", "policy 3"]),
}


@pytest.mark.parametrize(("action", "seconds", "names"), SAID_YES.values(), ids=SAID_YES)
def test_who_asks_for_an_approval_is_not_told_as_approved_by_what_came_later(action, seconds, names, monkeypatch):
    given = [
        SimpleNamespace(operator="op-ann", issued=NOW),
        SimpleNamespace(operator="op-bob", issued=NOW + 30 * SECOND),
    ]
    monkeypatch.setattr(history.approval, "given", lambda *_: given)
    wanted, proof = SimpleNamespace(digest=None), SimpleNamespace(policy_revision=3)
    known = {"d-1": SimpleNamespace(entity="x", machine="beta", wanted=wanted, policy_proof=proof)}
    said = Audit(agent="alpha", timestamp=NOW + seconds * SECOND, action=action, phase="before", about="r-1 d-1")
    assert history._row(said, known, SimpleNamespace(law=None)).approved_by == names


async def test_history_leaves_out_what_is_not_signed_by_whom_it_names(world):
    stranger = Session(
        world.bus.link("x"), Subjects("home"), KeyPair.generate(), "beta", Fleet(Law(fleet="home", root="U"), verify)
    )
    await stranger.say(Audit(agent="beta", timestamp=NOW, action="forged", phase="before"))
    answer = await history.history(world.alpha)
    assert answer.not_believed == 1
    assert all(row.action != "forged" for row in answer.rows)


TIMES = {
    "2h": NOW - timedelta(hours=2),
    "30m": NOW - timedelta(minutes=30),
    "2026-01-31": datetime(2026, 1, 31, tzinfo=UTC),
    "2026-01-31T12:00+02:00": datetime(2026, 1, 31, 10, tzinfo=UTC),
    "": None,
}


@pytest.mark.parametrize(("text", "moment"), TIMES.items())
def test_times_as_people_write_them(text, moment):
    assert history.moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "h", "-2h", "999999w", "2026-13-01"])
def test_what_is_no_time(text):
    with pytest.raises(RefusedRequestError):
        history.moment(text, NOW)


async def test_what_is_held_by_whom_and_who_of_them_is_not_there(world, done, monkeypatch):
    world.now = datetime.now(UTC)
    lease = Lease(world.beta.session.link, "home", "orchestrator", "beta")
    assert await lease.acquire()
    serving = await pinging.serve(world.beta)
    id_ = await world.asked()
    monkeypatch.setattr(Requests, "_do", _crash)
    with pytest.raises(CrashError):
        await world.turn()
    await world.read()
    answer = await locks.locks(world.alpha)
    held = answer.leases[0]
    assert (held.role, held.owner, held.token, held.present) == ("orchestrator", "beta", lease.token, True)
    assert [(row.kind, row.id, row.machine) for row in answer.claims] == [("request", id_, "beta")]
    assert answer.orphans == []
    await serving.close()
    answer = await locks.locks(world.alpha)
    assert answer.orphans == ["lease orchestrator of beta", f"request {id_} of beta"]
    await lease.release()
    assert (await locks.locks(world.alpha)).leases == []


async def test_locks_of_assistants_and_an_interrupted_change_are_shown(world):
    path = world.alpha.settings.home / ".claude" / "CLAUDE.md"
    path.write_text("# M\n")
    (path.parent / "CLAUDE.md.lock").mkdir()
    journal = world.alpha.state.folder / "journal" / "journal.json"
    journal.parent.mkdir()
    journal.write_text('{"transaction":"t","label":"d-1","snapshot":"s-1","phase":"committed","steps":[]}')
    await world.alpha.look()
    answer = await locks.locks(world.alpha)
    assert [(row.kind, row.stale) for row in answer.local] == [("agent", False), ("assistant", False)]
    assert (answer.unfinished[0].label, answer.unfinished[0].phase) == ("d-1", "committed")
    journal.write_text("{")
    assert "can not be read" in (await locks.locks(world.alpha)).unfinished[0].label
