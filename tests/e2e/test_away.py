"""The broker is killed and stays away while files change and an approved apply is running; then it is back.

What kept it away is that whoever would start it again is stopped too (SIGSTOP). An apply is held where a test wants it
by the person's own check, which waits for a file.
"""

import contextlib
import json
import os
import shutil
import signal
import time

import pytest

from roosync_agent.running.control import ask

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGSTOP, and sh")

SOON = 5.0  # seconds after the broker is back
CHECK = 'touch "$0/begun"; while [ ! -e "$0/go" ]; do sleep 0.05; done; exit "$(cat "$0/go")"'
KNOWN_AWAY = 4.0  # seconds of an outage after which nobody waits for the broker any more


@pytest.fixture(scope="module")
def three(fleets, homes):
    made = fleets()
    sites = [homes.lay(made.site(name)) for name in ("alpha", "beta", "gamma")]
    beta = sites[1]
    check = json.dumps(["sh", "-c", CHECK, str(beta.base)])
    beta.settings(f"[apply]\ncheck = {check}\ncheck_timeout = 60\n")
    made.in_step(*sites)
    return sites


@contextlib.contextmanager
def away(alpha):
    """The broker's server is killed, and is started again when this ends."""
    server = alpha.process_of("nats-server.conf")
    host = server.parent()
    host.send_signal(signal.SIGSTOP)
    try:
        server.kill()
        yield
    finally:
        host.send_signal(signal.SIGCONT)


@pytest.fixture
def running(three, homes, waiting, edited):
    """beta applies what was approved, and its check waits."""
    alpha, beta, _ = three
    for name in ("begun", "go"):
        (beta.base / name).unlink(missing_ok=True)
    agreed = beta.read(homes.mcp)
    beta.write(homes.mcp, agreed.replace(b'"timeout": 60', edited))
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("the apply runs", (beta.base / "begun").exists)
    assert beta.read(homes.mcp) == agreed, "it is written, and not judged"
    return asked["id"]


def go(site, code):
    part = site.base / "part"
    part.write_text(str(code))
    part.rename(site.base / "go")


def record(site, id_):
    return next(d for d in site.ask("decisions", everything=True)["decisions"] if d["id"] == id_)


def actions(site, what):
    """What beta told of it; [] also while `site` has no broker."""
    rows = ask(site.state, "history", {"what": what}).get("result", {"rows": []})["rows"]
    return [(row["action"], row["outcome"]) for row in rows if row["who"] == "beta"]


@pytest.mark.parametrize(
    ("edited", "code", "ends"), [(b'"timeout": 91', 0, "applied"), (b'"timeout": 92', 1, "rolled_back")]
)
def test_what_was_done_meanwhile_is_told_once_and_everybody_is_in_step_soon(
    three, homes, waiting, running, edited, code, ends
):
    alpha, beta, gamma = three
    wanted = beta.read(homes.mcp)
    memory = {site.name: site.read(homes.memory) for site in (alpha, gamma)}
    with away(alpha):
        for site in (alpha, gamma):
            site.write(homes.memory, memory[site.name] + b"\nMeanwhile.\n")
        time.sleep(KNOWN_AWAY)
        go(beta, code)
        waiting("beta has its outcome", lambda: (beta.state / "outcomes.json").exists())
        began = time.monotonic()
        assert record(beta, running)["status"] == "applying", "nobody could be told"
        assert time.monotonic() - began < 1.0
    began = time.monotonic()
    waiting("it is told", lambda: record(gamma, running)["status"] == ends)
    waiting(
        "what changed meanwhile is asked",
        lambda: (
            {d["machine"] for d in gamma.decisions(status="pending", entity="claude.memory/CLAUDE.md")}
            >= {"alpha", "gamma"}
        ),
    )
    assert time.monotonic() - began < SOON
    waiting("its end is told", lambda: [end for what, end in actions(gamma, running) if what.startswith("apply")])
    done = [end for what, end in actions(gamma, running) if what.startswith("apply")]
    assert done[-1] == ends
    assert done.count(ends) == 1
    assert json.loads((beta.state / "outcomes.json").read_text()) == {}
    assert beta.read(homes.mcp) == (wanted if code == 0 else wanted.replace(b'"timeout": 60', edited))
    for site in (alpha, gamma):
        site.write(homes.memory, memory[site.name])
    if code:
        beta.write(homes.mcp, wanted)
    alpha.until_synced()


def test_without_the_broker_a_command_answers_at_once(three, waiting):
    alpha, beta, gamma = three
    with away(alpha):
        waiting("gamma knows", lambda: gamma.ask("status")["overview"]["warnings"])
        time.sleep(KNOWN_AWAY)
        for words in (("secrets",), ("mcp-servers",), ("baseline", "show"), ("status",), ("history",), ("ping",)):
            began = time.monotonic()
            ran = gamma.roosync(*words, codes=None)
            assert time.monotonic() - began < 2.0, words
            assert ran.code in (0, 1, 5), ran
            assert ran.code != 1 or "roosync up" in ran.err, ran
        beta.roosync("pause")
        untold = beta.ask("status")["overview"]["warnings"]
        assert any("wait for the broker" in line for line in untold), untold
    waiting("the pause is told", lambda: ("pause", "paused") in actions(gamma, "beta"))
    gamma.until_synced()
    assert actions(gamma, "beta").count(("pause", "paused")) == 1
    alpha.roosync("resume", "beta")
    waiting("beta goes on", lambda: not alpha.row("beta")["paused"])
    waiting("nothing is left to warn of", lambda: not beta.ask("status")["overview"]["warnings"])


def test_a_broker_that_comes_back_from_a_backup_is_caught_up(three, homes, waiting, tmp_path):
    """What was said since the backup is gone: everybody says again what holds, and nothing is done twice."""
    alpha, beta, gamma = three
    streams, backup = alpha.state / "broker" / "streams", tmp_path / "backup"
    with away(alpha):
        shutil.copytree(streams, backup)
    gamma.until_synced()
    agreed = {site.name: site.read(homes.memory) for site in three}
    wanted = agreed["beta"] + b"\nAgreed meanwhile.\n"
    beta.write(homes.memory, wanted)
    asked = alpha.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")
    snapshots = sorted(path.name for path in beta.state.glob("snapshots/*"))
    with away(alpha):
        shutil.rmtree(streams)
        shutil.copytree(backup, streams)
    began = time.monotonic()
    again = gamma.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")
    waiting("gamma hears how beta stands", lambda: gamma.row("beta")["state"] == "diverged")
    assert time.monotonic() - began < 3 * SOON
    assert again["id"] == asked["id"]
    assert sorted(path.name for path in beta.state.glob("snapshots/*")) == snapshots
    beta.write(homes.memory, agreed["beta"])
    gamma.until_synced()
