"""UPDATE_REQUIRED on a machine, with real processes, a real git repository of tags, and kills: it ends in the new
version, or back in the old one, and says which."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pytest

from roosync_agent.connect import as_operator
from roosync_agent.operations.membership.lawmaking import enact
from roosync_agent.operations.rollouts import moving
from roosync_agent.running.control import ask
from roosync_agent.session import new_operation
from roosync_agent.settings import load
from roosync_agent.state import State
from roosync_agent.updating.journal import Journal
from roosync_protocol import __version__
from roosync_protocol.messages import Campaign, Rollout

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")

ROOT = Path(__file__).parents[2]
ROOMS = ("protocol", "broker", "agent")
RUN = "agent/roosync_agent/running/agent.py"
BEGINS = "    try:\n        stop = stop_event()\n"


def newer(by):
    major, minor, *_ = __version__.split(".")
    return f"{major}.{int(minor) + by}.0"


GOOD = [newer(by) for by in range(1, 7)]  # each test that ends in a new version takes the next one
UNBUILDABLE, DEAD, HUNG, LIAR = ("90.1.0", "90.2.0", "90.3.0", "90.4.0")
FAULTS = {  # version -> what is put where into a copy of this program
    UNBUILDABLE: (RUN, BEGINS, "    this is no Python\n" + BEGINS),
    DEAD: (RUN, BEGINS, "    raise RuntimeError('no flux capacitor: sk-ant-api03-" + "a1B2" * 12 + "')\n" + BEGINS),
    HUNG: (RUN, BEGINS, "    import time; time.sleep(3600)\n" + BEGINS),
    LIAR: ("protocol/roosync_protocol/__init__.py", f'"{LIAR}"', '"99.0.0"'),
}
SETTINGS = """
[update]
recipe = "git"
source = "{source}"
build = [
    ["{{python}}", "-m", "compileall", "-q", "{{release}}/agent/roosync_agent/running"],
    ["{{python}}", "-c", {slow}, "{wait}"],
]
start = ["{python}", "-P", "-m", "roosync_agent"]
environment = {{ PYTHONPATH = "{{release}}/protocol:{{release}}/broker:{{release}}/agent" }}
health_timeout = {health}
disk_reserve_mb = 1
"""


SLOW = """
import os, subprocess, sys, time
from pathlib import Path
while (wait := Path(sys.argv[1])).exists():
    with open(wait.parent / "pids", "a") as file: print(os.getpid(), file=file)
    time.sleep(0.1)
"""


def git(folder, *words):
    own = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@x", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@x"}
    ran = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env=os.environ | own, text=True)
    return ran.stdout.strip()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A repository of this program in several versions, one of which is good."""
    folder = tmp_path_factory.mktemp("source")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "-q", "-b", "main")
    version = folder / "protocol/roosync_protocol/__init__.py"
    whole = version.read_text()
    for number in (*GOOD, *FAULTS):
        version.write_text(whole.replace(f'"{__version__}"', f'"{number}"'))
        if number in FAULTS:
            name, before, after = FAULTS[number]
            text = (folder / name).read_text()
            assert before in text
            (folder / name).write_text(text.replace(before, after))
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", number)
        git(folder, "tag", f"v{number}")
        if number in FAULTS and FAULTS[number][0] == RUN:
            (folder / RUN).write_text((ROOT / RUN).read_text())
    return folder


def configure(site, source, health=20.0, more=""):
    given = {"source": source, "python": sys.executable, "health": health, "slow": json.dumps(SLOW)}
    site.settings(SETTINGS.format(wait=site.base / "wait", **given) + more)


def require(site, id_, version, *machines, **more):
    """What `roosync update require` signs: a campaign, and the rollout that says who begins when."""

    async def signed():
        settings = load(site.env)
        session = await as_operator(settings, State(settings.state), lambda _: "")
        try:
            now = datetime.now(UTC)
            names = tuple(machines) or (site.name,)
            await session.refresh()
            rollout = Rollout(
                agent=session.name, timestamp=now, id=id_, revision=1, operation_id=new_operation(), purpose="update",
                status="running", waves=(names,), timeout_minutes=5, started=now, opened=now,
                max_fail_percentage=100,
            )  # fmt: skip
            if not more.get("withdrawn"):
                await moving.begin(session, rollout)
            await enact(
                session,
                lambda: Campaign(
                    agent=session.name, timestamp=now, revision=1, id=id_, version=version, machines=names, **more
                ),
            )
        finally:
            await session.close()

    asyncio.run(signed())


def journal(site):
    path = site.state / "update.json"
    return msgspec.json.decode(path.read_bytes(), type=Journal) if path.exists() else None


def report(waiting, site, id_, *phases, of=None):
    """The machine's own report of this campaign, as the bus has it, waited for."""

    async def last():
        settings = load(site.env)
        session = await as_operator(settings, State(settings.state), lambda _: "")
        try:
            await session.refresh()
            return session.fleet.update((of or site).name)
        finally:
            await session.close()

    def ended():
        known = journal(of or site)
        if known is not None and known.phase in ("staged", "trying", "returning"):
            return None
        found = asyncio.run(last())
        return found if found is not None and found.campaign == id_ and found.phase in phases else None

    return waiting(lambda: f"{(of or site).name} reports {phases}; {journal(of or site)}", ended, 60)


def agent_of(site):
    return next(p for p in site.tree() if "agent" in p.cmdline() and "--part-of-up" in p.cmdline())


def environ(process):
    return process.environ().get("PYTHONPATH", "")


@pytest.fixture(scope="module")
def machine(fleets, source):
    fleet = fleets()
    site = fleet.site("alpha")
    configure(site, source)
    return fleet.found(site)


BAD = {
    "one that does not build": (UNBUILDABLE, "returned", "exit code 1", "SyntaxError"),
    "one that builds and does not start": (DEAD, "returned", "it ended with exit code 1", "no flux capacitor"),
    "one that starts and says another version": (LIAR, "returned", "it says that it is version 99.0.0", ""),
}


@pytest.mark.parametrize(("version", "phase", "reason", "said"), BAD.values(), ids=BAD)
def test_what_is_not_well_is_put_back(waiting, machine, version, phase, reason, said):
    id_ = f"u-{version.replace('.', '-')}"
    require(machine, id_, version)
    found = report(waiting, machine, id_, phase)
    assert reason in found.reason
    assert found.version == found.before == __version__
    assert found.wanted == version
    assert said in "\n".join(found.log)
    assert "sk-ant" not in "\n".join(found.log)
    assert not environ(agent_of(machine))
    assert not (machine.state / "releases" / version).exists()


def running(site):
    """The version that answers, None while nobody does."""
    with contextlib.suppress(OSError, AssertionError, json.JSONDecodeError):
        return ask(site.state, "update_health", {}, timeout=5.0).get("result", {}).get("version")
    return None


def test_the_good_one_is_confirmed(waiting, machine):
    broker = next(p for p in machine.tree() if "broker" in p.cmdline())
    require(machine, "u-good", GOOD[0])
    found = report(waiting, machine, "u-good", "confirmed")
    assert (found.version, found.before) == (GOOD[0], __version__)
    assert str(machine.state / "releases" / GOOD[0]) in environ(agent_of(machine))
    assert broker.is_running()
    machine.stop()
    machine.up()
    assert running(machine) == GOOD[0]


@pytest.mark.parametrize(
    ("version", "more", "reason"),
    [
        ("90.9.0", {}, "there is no tag v90.9.0"),
        ("90.9.0", {"tag": "a/../b"}, "there is no tag a/../b"),
        (GOOD[1], {"commit": "a" * 40}, "the tag was moved"),
        ("0.0.1", {}, "older: this machine runs"),
    ],
    ids=["no tag", "a tag that goes up", "a moved tag", "older"],
)
def test_what_can_not_be_taken_is_refused(waiting, machine, version, more, reason):
    id_ = f"u-{abs(hash((version, *more)))}"
    agent = agent_of(machine)
    require(machine, id_, version, **more)
    assert reason in report(waiting, machine, id_, "refused").reason
    assert agent_of(machine) == agent


def killed(site, *processes):
    """As a power cut does it: nobody says anything any more."""
    for process in processes:
        process.send_signal(signal.SIGKILL)
    if site.process in processes:
        site.process.wait()
        psutil.wait_procs([p for p in site.started if p.pid != site.process.pid], 20)


def slow(site):
    """The recipe waits from here on. Returns the ids of the processes that wait."""
    (site.base / "pids").unlink(missing_ok=True)
    (site.base / "wait").touch()

    def pids():
        path = site.base / "pids"
        return {int(line) for line in path.read_text().split()} if path.exists() else set()

    return pids


@pytest.mark.parametrize("whom", ["agent", "up", "both"])
def test_killed_while_the_recipe_runs_it_goes_on(waiting, machine, whom):
    """And what the recipe had started is ended. A clean end of the agent counts for nothing."""
    pids = slow(machine)
    version = GOOD[["agent", "up", "both"].index(whom) + 1]
    require(machine, f"u-{whom}", version)
    first = waiting("the recipe runs", pids)
    agent = agent_of(machine)
    killed(machine, *{"agent": [agent], "up": [machine.process], "both": [agent, machine.process]}[whom])
    if whom != "agent":
        machine.up()
    second = waiting("the recipe runs again", lambda: pids() - first)
    assert not any(psutil.pid_exists(p) and psutil.Process(p).status() != "zombie" for p in first), (first, second)
    (machine.base / "wait").unlink()
    report(waiting, machine, f"u-{whom}", "confirmed")
    assert running(machine) == version


def test_a_new_version_that_is_killed_on_trial_goes_back(waiting, machine):
    before = running(machine)
    require(machine, "u-hung", HUNG)
    waiting("the trial", lambda: (known := journal(machine)) and (known.campaign, known.phase) == ("u-hung", "trying"))
    waiting("the new agent", lambda: f"releases/{HUNG}" in environ(agent_of(machine)))
    killed(machine, agent_of(machine))
    found = report(waiting, machine, "u-hung", "returned")
    assert "exit code -9" in found.reason
    assert running(machine) == before


def test_one_that_hangs_goes_back_also_when_everybody_was_killed_meanwhile(waiting, machine, source):
    before = running(machine)
    configure(machine, source, health=3.0)
    machine.stop()
    machine.up()
    require(machine, "u-hangs", HUNG)
    waiting("the trial", lambda: (known := journal(machine)) and (known.campaign, known.phase) == ("u-hangs", "trying"))
    killed(machine, machine.process)
    machine.process = machine.begin("up", "--port", "0")
    found = report(waiting, machine, "u-hangs", "returned")
    assert found.reason == "it was not well within 3 s: it did not answer"
    assert running(machine) == before


def test_killed_on_trial_the_good_one_is_confirmed_in_the_end(waiting, machine, source):
    configure(machine, source)
    machine.stop()
    machine.up()
    require(machine, "u-trial", GOOD[4])
    waiting("the trial", lambda: (known := journal(machine)) and (known.campaign, known.phase) == ("u-trial", "trying"))
    killed(machine, machine.process)
    machine.up()
    report(waiting, machine, "u-trial", "confirmed")
    assert running(machine) == GOOD[4]


def test_the_journal_and_the_alarms_tell_the_story(machine):
    history = machine.roosync("history", "--json", codes=None).out
    assert '"update"' in history
    kept = sorted(path.name for path in (machine.state / "releases").iterdir())
    assert kept == sorted([GOOD[3], GOOD[4], "current.json", "source.git"])


class Service:
    """A service manager: whenever the agent ends, it starts it again."""

    def __init__(self, site):
        self._site, self._stop, self.starts = site, threading.Event(), 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._stop.is_set():
            self._site.process = self._site.begin("agent")
            self.starts += 1
            while self._site.process.poll() is None and not self._stop.wait(0.05):
                pass

    def stop(self):
        self._stop.set()
        self._thread.join()
        self._site.process.terminate()
        self._site.process.wait(40)


@pytest.fixture(scope="module")
def member(fleets, source):
    """A machine that joined, without an agent yet, and the one that runs the broker and signs."""
    fleet = fleets()
    host, member = fleet.site("host"), fleet.site("member")
    fleet.found(host)
    fleet.join(host, member, start=False)
    return host, member


def told(waiting, host, site, id_, *phases):
    """The report of another machine, as the one that signs sees it."""
    return report(waiting, host, id_, *phases, of=site)


def test_a_machine_that_was_off_finds_it_at_its_start_and_without_a_recipe_refuses(waiting, member):
    host, site = member
    require(host, "u-off", GOOD[0], site.name)
    site.up("up")
    found = told(waiting, host, site, "u-off", "refused")
    assert found.reason == "no recipe is set up on this machine; see docs/updates.md"
    waiting("its status tells it", lambda: f"update to {GOOD[0]}: refused" in str(site.row()["notes"]))
    site.stop()


def test_an_agent_that_nobody_would_start_again_refuses(waiting, member, source):
    host, site = member
    configure(site, source)
    site.up("agent")
    require(host, "u-alone", GOOD[0], site.name)
    assert "nobody would start the new version" in told(waiting, host, site, "u-alone", "refused").reason
    site.stop()


KILLS = """
[update]
recipe = "custom"
build = [["{python}", "-c", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"]]
start = ["{python}", "-P", "-m", "roosync_agent"]
disk_reserve_mb = 1
"""


def test_a_recipe_that_kills_its_agent_is_given_up(waiting, member):
    host, site = member
    site.settings(KILLS)
    site.up("up")
    require(host, "u-kills", GOOD[0], site.name)
    found = told(waiting, host, site, "u-kills", "returned")
    assert found.reason == "the agent ended 3 times while the recipe ran"
    assert running(site) == __version__
    assert not list((site.state / "releases").glob("*.0"))
    site.stop()


def test_a_service_manager_starts_the_new_version_and_the_old_one_again(waiting, member, source):
    host, site = member
    configure(site, source, more='supervisor = "service"\n')
    service = Service(site)
    try:
        waiting("the agent answers", lambda: running(site) == __version__)
        require(host, "u-dead", DEAD, site.name)
        found = told(waiting, host, site, "u-dead", "returned")
        assert found.reason == "it was started 3 times, and never got well"
        assert running(site) == __version__
        require(host, "u-serve", GOOD[0], site.name)
        told(waiting, host, site, "u-serve", "confirmed")
        assert running(site) == GOOD[0]
        before = service.starts
        killed(site, psutil.Process(site.process.pid))
        waiting("it is started again", lambda: service.starts > before and running(site) == GOOD[0])
    finally:
        service.stop()
