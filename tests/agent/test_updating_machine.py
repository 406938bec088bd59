"""What a machine makes of a campaign, turn by turn: when it begins, when it waits, what it refuses, what it tells."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roosync_agent.running.updating import Updating
from roosync_agent.settings import UpdateSettings
from roosync_agent.state import State, StateError
from roosync_agent.updating import journal as journals
from roosync_agent.updating import recipes
from roosync_agent.updating.handover import INSTALLED
from roosync_agent.updating.journal import Journal, Release
from roosync_agent.updating.judging import NOBODY
from roosync_protocol import __version__
from roosync_protocol.messages import Campaign, Rollout

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
NEW = "99.1.0"
MADE = Release(version=NEW, folder=NEW, start=("x",))


def campaign(**changed):
    given = {
        "agent": "op-ana", "timestamp": NOW, "revision": 1, "id": "u-1", "version": NEW, "machines": ("pc-a", "pc-b"),
    }  # fmt: skip
    return Campaign(**given | changed)


def rollout(**changed):
    given = {
        "agent": "op-ana", "timestamp": NOW, "id": "u-1", "revision": 1, "operation_id": "o-1", "purpose": "update",
        "status": "running", "waves": (("pc-a",), ("pc-b",)), "timeout_minutes": 5.0, "started": NOW, "opened": NOW,
    }  # fmt: skip
    return Rollout(**given | changed)


class Machine:
    """As much of a machine as an update has to do with."""

    name = "pc-a"

    def __init__(self, folder):
        self.keys, self.expiry = {"op-ana": "U"}, NOW + timedelta(days=1)
        self.state = State(folder)
        self.state.prepare()
        self.settings = SimpleNamespace(update=UpdateSettings(recipe="custom", health_timeout=7.0))
        self.session = SimpleNamespace(now=lambda: NOW)
        self.fleet = SimpleNamespace(
            law=SimpleNamespace(campaign=campaign(), operator_key=self.keys.get, expiry=lambda _: self.expiry),
            rollout=lambda id_: SimpleNamespace(state=self.rollout),
        )
        self.rollout = rollout()
        self.cycles = SimpleNamespace(stopped=0)
        self.paused = False
        self.turn = asyncio.Lock()
        self.said, self.alarms, self.told = [], [], []
        self.made = []
        self.updating = self.restarted()

    def restarted(self, supervisor="up", version=__version__):
        self.updating = Updating(self)
        self.updating.supervisor, self.updating.version = supervisor, version
        self.left = 0
        self.updating.leave = self.leave
        return self.updating

    def leave(self):
        self.left += 1

    def public(self, text):
        return text

    async def audit(self, action, phase, about, outcome="", details=""):
        self.told.append((action, phase, about, outcome))

    async def alarm(self, level, reason, about):
        self.alarms.append((level, reason))

    async def say_if_new(self, report):
        if not self.said or replace(report, timestamp=NOW) != self.said[-1]:
            self.said.append(report)

    @property
    def report(self):
        return self.said[-1]

    @property
    def journal(self):
        return journals.read(self.state)

    def write(self, phase, **changed):
        given = {
            "campaign": "u-1", "revision": 1, "version": NEW, "phase": phase, "old": INSTALLED, "began": NOW,
            "new": MADE, "tries": 1, "reason": "because",
        }  # fmt: skip
        journals.write(self.state, Journal(**given | changed))

    async def look(self):
        """One turn; when a release is staged, the agent would end here."""
        task = asyncio.create_task(self.updating.look())
        while not task.done() and not self.left:
            await asyncio.sleep(0)
        if self.left:
            task.cancel()
        else:
            await task

    async def prepared(self):
        if self.updating._task is not None:
            await asyncio.wait([self.updating._task], timeout=5)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path / "state")

    async def make(state, settings, wanted, environment):
        machine.made.append(wanted)
        return MADE

    monkeypatch.setattr(recipes, "make", make)
    return machine


async def test_it_is_told_done_told_and_handed_over(machine):
    machine.fleet.law.campaign = campaign(tag="v99", commit="a" * 40)
    await machine.look()
    assert machine.told == [("update", "before", "u-1", "")]
    assert (machine.report.phase, machine.report.version, machine.report.before) == (
        "updating",
        __version__,
        __version__,
    )
    assert machine.updating.notes() == [f"update to {NEW}: updating"]
    await machine.prepared()
    assert machine.made == [recipes.Wanted(version=NEW, tag="v99", commit="a" * 40)]
    assert (machine.journal.phase, machine.journal.new) == ("staged", MADE)
    assert (machine.journal.old, machine.journal.health_timeout) == (INSTALLED, 7.0)
    await machine.look()
    assert machine.left == 1
    assert machine.updating.handed_over


REST = {  # what is so -> what the machine says; None: nothing
    "no campaign": ({"campaign": None}, None, ""),
    "not for us": ({"campaign": campaign(machines=("pc-b",))}, None, ""),
    "withdrawn": ({"campaign": campaign(withdrawn=True)}, None, ""),
    "the same version": ({"campaign": campaign(version=__version__)}, "unneeded", ""),
    "the same, in other words": ({"campaign": campaign(version=f"v{__version__}")}, "unneeded", ""),
    "an older one": ({"campaign": campaign(version="0.0.1")}, "refused", f"older: this machine runs {__version__}"),
    "no recipe": ({"settings": UpdateSettings()}, "refused", "no recipe is set up on this machine; see docs"),
    "nobody to start it": ({"supervisor": ""}, "refused", NOBODY),
    "a later wave": ({"rollout": rollout(waves=(("pc-b",), ("pc-a",)))}, "waiting", "wave 2 of u-1"),
    "no rollout": ({"rollout": None}, "waiting", "its rollout is not known here"),
    "a rollout that halted": ({"rollout": rollout(status="waiting")}, "waiting", "u-1 halted"),
    "a rollout that was stopped": ({"rollout": rollout(status="stopped")}, "waiting", "u-1 was stopped"),
    "its operator was revoked": ({"keys": {}}, "refused", "op-ana signed it, and was revoked since"),
    "the law expired": ({"expiry": NOW}, "waiting", "expired on 2026-01-16"),
    "the campaign expired": ({"campaign": campaign(expires=NOW)}, "waiting", "expired on 2026-01-16"),
    "a person paused it": ({"paused": True}, "waiting", "this machine is paused"),
    "a cycle is stopped": ({"stopped": 3}, "waiting", "stopped at level 3"),
    "a cycle waits": ({"stopped": 2}, "updating", ""),
}


@pytest.mark.parametrize(("so", "phase", "reason"), REST.values(), ids=REST)
async def test_when_it_begins_and_when_not(machine, so, phase, reason):
    if "campaign" in so:
        machine.fleet.law.campaign = so["campaign"]
    machine.settings.update = so.get("settings", machine.settings.update)
    machine.updating.supervisor = so.get("supervisor", "up")
    machine.rollout, machine.expiry = so.get("rollout", machine.rollout), so.get("expiry", machine.expiry)
    machine.keys.clear() if "keys" in so else None
    machine.paused, machine.cycles.stopped = so.get("paused", False), so.get("stopped", 0)
    await machine.look()
    if phase is None:
        assert not machine.said
    else:
        assert machine.report.phase == phase
        assert machine.report.reason.startswith(reason) or reason in machine.report.reason
    assert (machine.journal is not None) is (phase == "updating")
    await machine.updating.close()


@pytest.mark.parametrize("so", [{"paused": True}, {"rollout": rollout(status="waiting")}], ids=["paused", "halted"])
async def test_what_is_staged_waits_too(machine, so):
    machine.write("staged")
    machine.paused, machine.rollout = so.get("paused", False), so.get("rollout", machine.rollout)
    await machine.look()
    assert machine.report.phase == "waiting"
    assert machine.report.reason
    assert not machine.left
    machine.paused, machine.rollout = False, rollout()
    await machine.look()
    assert machine.left


async def test_the_splay_is_the_same_each_time_and_another_for_each(machine):
    machine.fleet.law.campaign = campaign(splay_seconds=3_600.0)
    await machine.look()
    assert machine.report.phase == "waiting"
    assert machine.report.reason == "its moment within the 3600 s of the splay"
    loop = asyncio.get_running_loop()
    first = machine.updating._due[2] - loop.time()
    await machine.restarted().look()
    again = machine.updating._due[2] - loop.time()
    machine.name = "pc-b"
    machine.rollout = rollout(wave=1)
    await machine.restarted().look()
    other = machine.updating._due[2] - loop.time()
    assert abs(first - again) < 1 < abs(first - other)
    assert 0 <= first <= 3_600
    assert machine.journal is None


async def test_the_splay_ends(machine):
    machine.fleet.law.campaign = campaign(splay_seconds=0.2)
    woken = asyncio.Event()
    machine.updating.wake = woken.set
    async with asyncio.timeout(2):
        await machine.look()
        while machine.report.phase == "waiting":
            woken.clear()
            await machine.look()
            await woken.wait()
    assert machine.report.phase == "updating"


ENDS = {  # how it ended -> what is told, with which alarm
    "confirmed": None,
    "refused": None,
    "returned": 2,
    "return_failed": 3,
}


@pytest.mark.parametrize(("phase", "level"), ENDS.items(), ids=ENDS)
async def test_an_end_is_told_once(machine, phase, level):
    if phase == "confirmed":
        machine.updating.version = NEW
    machine.write(phase, log=("last words",))
    for _ in range(2):
        await machine.look()
        machine.restarted(version=machine.updating.version)
    assert machine.told == [("update", "after", "u-1", phase)]
    assert [one for one, _ in machine.alarms] == ([level] if level else [])
    assert (machine.report.phase, machine.report.reason, machine.report.log) == (phase, "because", ("last words",))
    assert not machine.made


@pytest.mark.parametrize("phase", ["returned", "refused", "return_failed"])
async def test_it_is_tried_again_only_when_an_operator_says_so(machine, phase):
    machine.write(phase)
    for _ in range(3):
        await machine.restarted().look()
        assert machine.report.phase == phase
    machine.rollout = rollout(round=1)
    await machine.look()
    assert machine.report.phase == "updating"
    assert machine.report.round == machine.journal.round == 1
    await machine.prepared()
    assert machine.journal.phase == "staged"


async def test_a_new_campaign_is_tried(machine):
    machine.write("returned", campaign="u-0")
    await machine.look()
    assert (machine.report.campaign, machine.report.phase) == ("u-1", "updating")
    await machine.prepared()


async def test_a_machine_that_was_taken_back_by_hand_says_so(machine):
    machine.write("confirmed", told=True)
    await machine.look()
    assert machine.report.phase == "refused"
    assert "started by hand since" in machine.report.reason


async def test_a_recipe_in_which_the_agent_is_killed_is_run_three_times_at_most(machine, monkeypatch):
    async def hangs(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(recipes, "make", hangs)
    killed = []
    for tries in (1, 2, 3):
        await machine.look()
        assert (machine.journal.phase, machine.journal.tries) == ("preparing", tries)
        killed.append(machine.updating)  # nobody cleans up after it
        machine.restarted()
    await machine.look()
    assert machine.report.phase == "returned"
    assert machine.report.reason == "the agent ended 3 times while the recipe ran"
    assert machine.alarms[0][0] == 2


async def test_a_full_disk_keeps_the_end_of_a_recipe_from_nobody(machine, monkeypatch):
    """It can not be written down, so the recipe is run again when there is room."""
    write = journals.write

    def full(state, journal):
        if journal.phase == "staged":
            raise StateError("no room")
        return write(state, journal)

    monkeypatch.setattr(journals, "write", full)
    await machine.look()
    await machine.prepared()
    assert machine.journal.phase == "preparing"
    monkeypatch.setattr(journals, "write", write)
    await machine.look()
    await machine.prepared()
    assert machine.journal.phase == "staged"


FAULTS = {
    "the build": (recipes.RecipeError("make ended with exit code 2", ("no rule",)), "returned", "make ended with"),
    "no such tag": (recipes.RecipeError("there is no tag v9", refused=True), "refused", "there is no tag v9"),
    "the disk": (OSError(28, "No space left on device"), "returned", "No space left"),
    "our own": (KeyError("x"), "returned", "a fault of roosync itself: KeyError"),
}


@pytest.mark.parametrize(("error", "phase", "reason"), FAULTS.values(), ids=FAULTS)
async def test_a_recipe_that_fails_is_told_and_the_agent_goes_on(machine, monkeypatch, error, phase, reason):
    async def fails(*_):
        raise error

    monkeypatch.setattr(recipes, "make", fails)
    await machine.look()
    await machine.prepared()
    await machine.look()
    assert machine.report.phase == phase
    assert reason in machine.report.reason
    assert not machine.left


GONE = {"withdrawn": campaign(withdrawn=True), "no more for us": campaign(machines=("pc-b",)),
        "another": campaign(id="u-2", revision=2, version="99.2.0", machines=("pc-b",))}  # fmt: skip


@pytest.mark.parametrize("changed", GONE.values(), ids=GONE)
@pytest.mark.parametrize("phase", ["preparing", "staged"])
async def test_what_is_wanted_no_more_is_dropped(machine, monkeypatch, changed, phase):
    async def hangs(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(recipes, "make", hangs)
    if phase == "staged":
        machine.write("staged")
    else:
        await machine.look()
        await asyncio.sleep(0)
    machine.fleet.law.campaign = changed
    await machine.look()
    assert machine.journal.phase == "returned"
    assert machine.told[-1] == ("update", "after", "u-1", "not done")
    assert not machine.alarms
    assert not machine.left


@pytest.mark.parametrize("phase", ["confirmed", "returned"])
async def test_what_was_withdrawn_while_it_was_on_trial_is_told_with_its_end(machine, phase):
    machine.write(phase)
    machine.fleet.law.campaign = campaign(withdrawn=True)
    machine.updating.version = NEW if phase == "confirmed" else machine.updating.version
    await machine.look()
    assert (machine.report.campaign, machine.report.phase) == ("u-1", phase)


async def test_an_agent_on_trial_leaves_the_journal_alone(machine):
    """Also when another campaign comes meanwhile."""
    machine.write("trying")
    machine.updating.version = NEW
    before = machine.journal
    await machine.look()
    assert machine.report.phase == "updating"
    machine.fleet.law.campaign = campaign(id="u-2", version="99.2.0")
    await machine.look()
    assert (machine.report.phase, machine.report.reason) == ("waiting", f"version {NEW} is on trial here")
    assert machine.journal == before
    woken = asyncio.Event()
    machine.updating.wake = woken.set
    machine.write("confirmed")
    async with asyncio.timeout(2):
        await woken.wait()


@pytest.mark.parametrize("phase", ["staged", "trying", "returning"])
async def test_without_a_supervisor_it_waits_for_one(machine, phase):
    machine.write(phase)
    machine.updating.supervisor = ""
    await machine.look()
    assert (machine.report.phase, machine.report.reason) == ("waiting", NOBODY)
    assert not machine.left


async def test_a_journal_that_can_not_be_read_refuses_and_says_which(machine):
    (machine.state.folder / journals.JOURNAL).write_text("{")
    await machine.look()
    assert machine.report.phase == "refused"
    assert "update.json is damaged" in machine.report.reason


async def test_an_apply_is_finished_before_the_agent_ends(machine):
    machine.write("staged")
    machine.updating._clean = True  # so that nothing else holds the look up
    async with machine.turn:
        task = asyncio.create_task(machine.updating.look())
        for _ in range(200):
            await asyncio.sleep(0)
        assert not machine.left
    while not machine.left:
        await asyncio.sleep(0)
    task.cancel()


async def test_under_a_service_manager_the_new_agent_confirms_itself(machine):
    machine.write("trying")
    machine.restarted("service", NEW)
    await machine.look()
    assert machine.report.phase == "confirmed"
    assert machine.state.read("releases/current.json", dict)["running"]["version"] == NEW


async def test_and_the_old_one_that_it_went_back_to(machine):
    machine.write("returning")
    machine.restarted("service")
    await machine.look()
    assert machine.report.phase == "returned"
