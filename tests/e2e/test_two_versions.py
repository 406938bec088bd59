"""A fleet on its way from the release before to this one: machine by machine, and back, on real processes of both.

The release before comes out of the history of a clone, or from a checkout at ROOSYNC_TEST_PREVIOUS; a copy without
history has neither, and skips this by name. Its words on the wire are kept as files and always tested
(tests/protocol/test_wire_compat.py). Each test goes on from where the one before left the fleet.
"""

import asyncio
import itertools
import json
import os
import subprocess
import tarfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from msgspec.structs import replace

from roosync_agent.connect import as_operator
from roosync_agent.session import new_operation
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_protocol.messages import Campaign, Rollout

ROOT = Path(__file__).parents[2]
BEFORE = "1faf325"  # the commit of 0.1.0
NUMBERS = itertools.count(1)
ROOMS = ("protocol", "broker", "agent")
SETTINGS, MODEL = ".claude/settings.json", "claude.settings/model"


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """PYTHONPATH of the release before, and of this one."""
    if told := os.environ.get("ROOSYNC_TEST_PREVIOUS"):
        before = Path(told)
    else:
        before = tmp_path_factory.mktemp("before")
        git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "archive", BEFORE, *ROOMS]
        done = subprocess.run(git, capture_output=True, check=False) if (ROOT / ".git").exists() else None
        if done is None or done.returncode:
            pytest.skip("the release before is in no history here; ROOSYNC_TEST_PREVIOUS names a checkout of it")
        with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
            archive.extractall(before, filter="data")
    return tuple(os.pathsep.join(str(folder / room) for room in ROOMS) for folder in (before, ROOT))


@pytest.fixture(scope="module")
def three(fleets, homes, releases):
    """alpha has the broker; all of the release before, and in step."""
    fleet = fleets()
    sites = [homes.lay(fleet.site(name)) for name in ("alpha", "beta", "gamma")]
    for site in sites:
        site.extra["PYTHONPATH"] = releases[0]
    fleet.in_step(*sites)
    return fleet, *sites


def become(site, release, *words):
    """Stopped, and started again as this release on the same state folder."""
    site.stop()
    site.extra["PYTHONPATH"] = release
    site.up(*words)


def versions(site):
    return {row["machine"]: row["roosync_version"] for row in site.status()["machines"]}


def works(fleet, site, waiting):
    """What is changed on `site` is seen by alpha, and put back there when its operator says so."""
    alpha, agreed = fleet.sites["alpha"], site.read(SETTINGS)
    site.write(SETTINGS, agreed.replace(b'"opus"', f'"model-{next(NUMBERS)}"'.encode()))  # one that it never had
    asked = alpha.decision("pending", machine=site.name, entity=MODEL)
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("it is put back", lambda: site.read(SETTINGS) == agreed)
    for one in fleet.sites.values():
        one.until_synced()


def cycle(fleet, waiting):
    fleet.sites["alpha"].roosync("cycle", "start", "--timeout", "2")
    for site in fleet.sites.values():
        waiting("the cycle is done", lambda site=site: site.ask("cycle_show", id_=None)["status"] == "done")


def unheard(site):
    return [line for line in site.told().splitlines() if "does not permit" in line and "listen to" in line]


def test_a_machine_may_be_updated_before_the_one_with_the_broker(three, releases, waiting):
    fleet, alpha, beta, gamma = three
    become(beta, releases[1], "agent")
    waiting("alpha sees its version", lambda: versions(alpha)["beta"] != versions(alpha)["alpha"])
    works(fleet, beta, waiting)
    works(fleet, gamma, waiting)
    cycle(fleet, waiting)
    told = [line for line in unheard(beta) if "The rest is followed" in line]
    assert len(told) == 1, "what its broker does not let it hear is told once"
    refused = beta.json("send", "alpha", "--subject", "s", "--body", "x", codes=(5,))
    assert "does not permit" in refused["recipients"]["alpha"]


def test_then_the_one_with_the_broker(three, releases, waiting):
    fleet, alpha, beta, gamma = three
    become(alpha, releases[1])
    works(fleet, beta, waiting)
    works(fleet, gamma, waiting)
    cycle(fleet, waiting)
    alpha.json("send", "beta", "gamma", "--subject", "s", "--body", "x", codes=(0,))
    waiting("mail is there", lambda: beta.json("inbox")["messages"])


def test_words_that_the_release_before_does_not_know_stop_nothing(three, releases, waiting):
    """A campaign, a rollout, labels: what today's operators post while gamma is of the release before."""
    fleet, alpha, _, gamma = three
    asyncio.run(_post(alpha))
    works(fleet, gamma, waiting)
    become(gamma, releases[0], "agent")  # and now it reads them too
    works(fleet, gamma, waiting)
    refused = " ".join(gamma.json("status")["refused"])
    assert "roosync.v1.campaign" in refused
    assert "roosync.v1.rollout" in refused
    cycle(fleet, waiting)
    alpha.roosync("renew", codes=None)
    works(fleet, gamma, waiting)
    assert versions(alpha)["gamma"] == "0.1.0"


async def _post(site):
    settings = Settings(state=site.state, home=site.home, machine=site.name, config=site.state / "config.toml")
    session = await as_operator(settings, State(site.state), lambda _: "")
    try:
        await session.refresh()
        now, frame = datetime.now(UTC), {"agent": session.name, "timestamp": datetime.now(UTC)}
        member = session.fleet.law.members["gamma"]
        await session.say(replace(member, labels={"role": "build"}, revision=member.revision + 1, **frame))
        machines = ("alpha", "beta", "gamma")
        await session.say(Campaign(revision=1, id="u-1", version="9.9.9", machines=machines, withdrawn=True, **frame))
        prepared = {"id": "u-1", "operation_id": new_operation(), "revision": 1, "status": "prepared", **frame}
        waves = (machines[:1], machines[1:])
        times = {"timeout_minutes": 1, "started": now, "opened": now}
        await session.say(Rollout(purpose="update", waves=waves, **prepared, **times))
    finally:
        await session.close()


def test_a_machine_that_waits_for_no_wave_is_in_no_rollout(three, waiting):
    _, alpha, _, gamma = three
    agreed = gamma.read(SETTINGS)
    gamma.write(SETTINGS, agreed.replace(b'"opus"', b'"haiku"'))
    asked = alpha.decision("pending", machine="gamma", entity=MODEL)
    alpha.fails("rollout", "start", asked["id"], "--yes", says="gamma (0.1.0)")
    assert alpha.decision("pending", machine="gamma", entity=MODEL)["id"] == asked["id"], "nothing was signed"
    gamma.write(SETTINGS, agreed)
    alpha.until_synced()


def test_any_of_them_may_go_back(three, releases, waiting):
    fleet, alpha, beta, gamma = three
    become(beta, releases[0], "agent")
    works(fleet, beta, waiting)
    become(alpha, releases[0])
    works(fleet, beta, waiting)
    works(fleet, gamma, waiting)


def test_and_forward_again_with_everything_that_was_said_meanwhile(three, releases, waiting):
    fleet, alpha, beta, gamma = three
    for site, words in ((gamma, ("agent",)), (alpha, ()), (beta, ("agent",))):
        become(site, releases[1], *words)
    for site in (alpha, beta, gamma):
        works(fleet, site, waiting)
        law = json.loads((site.state / "law.json").read_bytes())
        assert law["campaign"]["id"] == "u-1", f"{site.name} could not know it when it was said"
        assert law["members"]["gamma"]["labels"] == {"role": "build"}
    waiting("its mail is there", lambda: len(gamma.json("inbox")["messages"]) == 1)
    assert len(beta.json("inbox")["messages"]) == 1
