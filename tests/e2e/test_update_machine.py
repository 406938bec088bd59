"""UPDATE_REQUIRED on a machine, with real processes, a real git repository of tags, and kills: it ends in the new
version, or back in the old one, and says which."""

import asyncio
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from roosync_agent.connect import as_operator
from roosync_agent.operations.membership.lawmaking import enact
from roosync_agent.operations.rollouts import moving
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


GOOD, UNBUILDABLE, DEAD, HUNG, LIAR = (newer(by) for by in range(1, 6))
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
build = [["{{python}}", "-m", "compileall", "-q", "{{release}}/agent/roosync_agent/running"]]
start = ["{python}", "-P", "-m", "roosync_agent"]
environment = {{ PYTHONPATH = "{{release}}/protocol:{{release}}/broker:{{release}}/agent" }}
health_timeout = {health}
disk_reserve_mb = 1
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
    for number in (GOOD, *FAULTS):
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


def configure(site, source, health=20.0):
    site.settings(SETTINGS.format(source=source, python=sys.executable, health=health))


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


def report(waiting, site, id_, *phases):
    """The machine's own report of this campaign, as the bus has it, waited for."""

    async def last():
        settings = load(site.env)
        session = await as_operator(settings, State(settings.state), lambda _: "")
        try:
            await session.refresh()
            return session.fleet.update(site.name), list(session.fleet.alarms)
        finally:
            await session.close()

    def ended():
        known = journal(site)
        if known is not None and known.phase in ("staged", "trying", "returning"):
            return None
        found, _ = asyncio.run(last())
        return found if found is not None and found.campaign == id_ and found.phase in phases else None

    return waiting(lambda: f"{site.name} reports {phases}; {journal(site)}", ended, 60)


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


def test_the_good_one_is_confirmed(waiting, machine):
    broker = next(p for p in machine.tree() if "broker" in p.cmdline())
    require(machine, "u-good", GOOD)
    found = report(waiting, machine, "u-good", "confirmed")
    assert (found.version, found.before) == (GOOD, __version__)
    assert str(machine.state / "releases" / GOOD) in environ(agent_of(machine))
    assert broker.is_running()
    machine.stop()
    machine.up()
    assert machine.ask("update_health")["version"] == GOOD
