"""How much of its fleet an agent follows, and that what it did not follow is known when it is needed.

Session and Following are the real ones, over the bus in memory.
"""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.operations.membership import lawmaking
from roosync_agent.running import following
from roosync_agent.running.changes import Changes
from roosync_agent.running.following import Following
from roosync_agent.session import Session
from roosync_agent.state import LawRead, State
from roosync_broker import permissions, topology
from roosync_broker.errors import RefusedError, UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.diff import Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import StatusReport, UpdateReport
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.subjects import Subjects

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEYS = {name: KeyPair.generate() for name in ("op-ann", "alpha", "beta")}
STATUS = StatusReport(agent="alpha", timestamp=NOW, machines_detected=2, status="diverged", divergences_count=1)


@pytest.fixture
async def bus():
    made = MemoryBus()
    await topology.ensure(made.link("keeper"), "home")
    operator = session(made, "op-ann")
    await lawmaking.found(operator, "alpha", KEYS["alpha"].public, None)
    await lawmaking.admit(operator, "beta", KEYS["beta"].public)
    return made


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(following, "SMALL", 1)


def session(bus, name):
    law = Law(fleet="home", root=KEYS["op-ann"].public)
    made = Session(bus.link(name), Subjects("home"), KEYS[name], name, Fleet(law, verify))
    made.now = lambda: NOW
    return made


async def started(bus, name, running=()):
    """An agent's ears, and what they heard."""
    made, heard = session(bus, name), []
    cycles = SimpleNamespace(running=list(running))
    machine = SimpleNamespace(name=name, session=made, fleet=made.fleet, cycles=cycles, changes=Changes())
    ears = Following(machine)
    await ears.start(lambda one: heard.append(f"{one.subject.split('.')[2]} {one.speaker}"))
    await made.refresh()
    return ears, made, heard


def pending(machine):
    found = Divergence(key="claude.settings/theme", kind=Kind.SETTING, verdict=Verdict.TAKE, local="a", wanted="b")
    return decide(found, Asked(machine=machine, reference="baseline", reference_revision=1, now=NOW), f"o-{machine}")


async def speak(bus, machine):
    """A machine says how it stands, and what diverges."""
    made = session(bus, machine)
    await made.refresh()
    await made.say(replace(STATUS, agent=machine))
    await made.advance(pending(machine), made.fleet.decision(machine, pending(machine).id).sequence)
    await asyncio.sleep(0.01)


async def test_in_a_small_fleet_everybody_follows_everybody(bus):
    _, beta, heard = await started(bus, "beta")
    await speak(bus, "alpha")
    assert beta.whole
    assert heard == ["status alpha", "decision alpha"]


async def test_in_a_large_one_what_concerns_it(bus, large):
    _, beta, heard = await started(bus, "beta")
    await speak(bus, "alpha")
    await speak(bus, "beta")
    await lawmaking.pause(session(bus, "op-ann"), None)
    await asyncio.sleep(0.01)
    assert not beta.whole
    assert heard == ["status beta", "decision beta", "policy op-ann"]
    assert [d.machine for d in beta.fleet.decisions()] == ["beta"]


async def test_whoever_leads_knows_all_from_its_first_step(bus, large):
    ears, beta, heard = await started(bus, "beta")
    await speak(bus, "alpha")
    await ears.widen()
    assert beta.whole
    assert beta.fleet.status("alpha").divergences_count == 1
    assert [d.machine for d in beta.fleet.decisions()] == ["alpha"]
    await speak(bus, "beta")
    assert heard == ["status beta", "decision beta"], "once each"
    await ears.adjust(leads=True)
    assert beta.whole
    await ears.adjust(leads=False)
    assert not beta.whole


async def test_a_leader_that_could_not_read_all_does_not_take_that_for_all(bus, large):
    ears, beta, _ = await started(bus, "beta")
    await speak(bus, "alpha")
    read, known = beta.refresh, []

    async def lost(**more):
        known.append(ears.knows_all)
        raise UnavailableError("the connection was lost")

    beta.refresh = lost
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await ears.widen()
        assert not ears.knows_all
    beta.refresh = read
    await ears.widen()
    assert ears.knows_all
    assert known == [False, False]
    assert beta.fleet.status("alpha") is not None


async def test_a_question_about_the_others_is_answered_by_what_they_said(bus, large):
    ears, beta, _ = await started(bus, "beta")
    for count in (1, 2):
        await (speak(bus, "alpha") if count == 1 else session(bus, "alpha").say(replace(STATUS, divergences_count=2)))
        await ears.look_around()
        assert beta.fleet.status("alpha").divergences_count == count
    assert [d.machine for d in beta.fleet.decisions()] == ["alpha"]
    assert not beta.whole
    await beta.refresh()
    assert list(beta.fleet.decisions()) == [], "it would not hear how it goes on"


async def test_what_was_read_of_the_others_and_forgotten_is_read_again(bus, large):
    """Any command may have the records read again, between two questions or in the middle of one."""
    ears, beta, _ = await started(bus, "beta")
    await speak(bus, "alpha")
    await ears.look_around()
    await beta.refresh()
    await ears.look_around()
    assert [d.machine for d in beta.fleet.decisions()] == ["alpha"]
    read, times = ears._read, []

    async def in_the_middle(stream, after):
        found = await read(stream, after)
        times.append(stream)
        if len(times) == 1:
            await beta.refresh()
        return found

    ears._read = in_the_middle
    await ears.look_around()
    assert [d.machine for d in beta.fleet.decisions()] == ["alpha"]


async def test_a_small_cycle_in_a_large_fleet_is_followed_by_who_takes_part(bus, large):
    cycle = SimpleNamespace(participants=("alpha", "beta"))
    _, beta, _ = await started(bus, "beta", running=[cycle])
    assert beta.whole
    _, other, _ = await started(bus, "beta", running=[SimpleNamespace(participants=("alpha",))])
    assert not other.whole


# -- the law is read on from where it was read


def reads(made):
    """Sequences after which the law was read from then on."""
    found, read = [], made.link.read

    def noted(stream, subject, after=0):
        found.append(after)
        return read(stream, subject, after)

    made.link.read = noted
    return found


async def test_law_is_read_on(bus):
    beta = session(bus, "beta")
    await beta.refresh_law()
    asked, known = reads(beta), beta.law_read
    await lawmaking.pause(session(bus, "op-ann"), None)
    await beta.refresh_law()
    assert asked == [known.sequence - 1]
    assert beta.fleet.law.policy.paused


@pytest.mark.parametrize("place", [LawRead(2, "of another story"), LawRead(99, "of what is gone")])
async def test_law_that_does_not_go_on_from_there_is_read_from_its_beginning(bus, place):
    beta = session(bus, "beta")
    beta.law_read = place
    asked = reads(beta)
    await beta.refresh_law()
    assert asked == [place.sequence - 1, 0]
    assert beta.fleet.law.machines() == ["alpha", "beta"]


@pytest.mark.parametrize("whole", [True, False])
async def test_a_record_that_was_cleared_away_is_not_kept_for_being_the_newest(bus, whole):
    """Nothing newer is left that would show that it is gone (seed 6149)."""
    await speak(bus, "alpha")
    made, stream = session(bus, "alpha"), bus.streams["home-WORK"]
    made.whole = whole
    await made.refresh()
    assert [one.machine for one in made.fleet.decisions()] == ["alpha"]
    for sequence in list(stream.messages):
        stream._drop(sequence)
    await made.refresh()
    assert list(made.fleet.decisions()) == []


async def test_the_same_message_at_the_same_place_of_a_stream_that_was_put_back_hides_nothing(bus):
    """Put back to two messages before; then a pause, and somebody repeats what lay behind it (seed 4401)."""
    beta, stream = session(bus, "beta"), bus.streams["home-LAW"]
    await beta.refresh_law()
    last = stream.messages[beta.law_read.sequence]
    for sequence in (last.sequence, last.sequence - 1):
        stream._drop(sequence)
    stream.last_sequence -= 2
    stream._ids.clear()
    await lawmaking.pause(session(bus, "op-ann"), None)
    await bus.link("op-ann").post(last.subject, last.data, last.headers)
    again = stream.messages[last.sequence]
    assert (again.data, again.headers) == (last.data, last.headers)
    await beta.refresh_law()
    assert beta.fleet.law.policy.paused


async def test_the_place_belongs_to_the_law_that_is_kept(bus, tmp_path):
    beta, state = session(bus, "beta"), State(tmp_path)
    await beta.refresh_law()
    state.save_law(beta.fleet.law, beta.law_read)
    assert state.law_read() == beta.law_read
    state.save_law(Law(fleet="home", root=KEYS["op-ann"].public))  # an older one, brought back
    assert state.law_read() is None
    (tmp_path / "law.json").unlink()
    assert state.law_read() is None


NEWER = ("campaign", "rollout", "update")  # kinds that the keeper of an older release permits nobody to hear


async def older_broker(bus, machine):
    """A machine on a broker whose permissions were made before these kinds were there; and what makes them of today."""
    law = Law(fleet="home", root=KEYS["op-ann"].public)
    rights = permissions.member("home", machine, KEYS[machine].public)
    hear = tuple(one for one in rights.subscribe if not set(NEWER) & set(one.split(".")))
    link = bus.link(machine, rights=replace(rights, subscribe=hear))
    made = Session(link, Subjects("home"), KEYS[machine], machine, Fleet(law, verify))
    made.now = lambda: NOW
    cycles = SimpleNamespace(running=[])
    told = SimpleNamespace(name=machine, session=made, fleet=made.fleet, cycles=cycles, changes=Changes())

    def updated():
        link.rights = rights
        link.drop()
        link.restore()

    return Following(told), made, updated


async def test_a_large_one_is_known_while_somebody_watches_it(bus, large):
    ears, _, _ = await started(bus, "beta")
    assert not ears.needed
    ears._machine.changes.waiting = 1
    assert ears.needed


@pytest.mark.parametrize("small", [True, False])
async def test_what_an_older_broker_lets_nobody_hear_keeps_nothing_else_from_being_heard(bus, monkeypatch, small):
    monkeypatch.setattr(following, "SMALL", 64 if small else 1)
    ears, beta, updated = await older_broker(bus, "beta")
    heard = []
    await ears.start(lambda one: heard.append(f"{one.subject.split('.')[2]} {one.speaker}"))
    assert {name.split(".")[2] for name in beta.unheard} == set(NEWER)
    await beta.refresh()
    await speak(bus, "beta")
    assert heard == ["status beta", "decision beta"]
    unheard = beta.unheard
    await ears.adjust(leads=False)  # nothing changed, and it is not asked for in each turn
    assert beta.unheard == unheard
    updated()
    await asyncio.sleep(0.01)
    await ears.adjust(leads=False)
    assert not beta.unheard
    update = UpdateReport(agent="beta", timestamp=NOW, campaign="u-1", phase="waiting", version="0.2.0")
    await session(bus, "beta").say(update)
    await asyncio.sleep(0.01)
    assert heard[-1] == "update beta"


async def test_a_broker_that_lets_nothing_be_heard_is_an_error(bus):
    rights = replace(permissions.member("home", "beta", KEYS["beta"].public), subscribe=())
    made = session(bus, "beta")
    made.link = bus.link("beta", rights=rights)
    with pytest.raises(RefusedError):
        await made.follow(lambda _: None)
