"""`roosync doctor` on real machines: well, and with one thing broken after the other."""

import json
import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from roosync_agent.state import State

WELL = {"unprotected"}  # the sample fleet is founded without a passphrase, and the doctor keeps saying it


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    alpha, beta = homes.lay(made.site("alpha")), homes.lay(made.site("beta"))
    for site in (alpha, beta):  # programs that every computer of the tests has
        site.write(homes.mcp, '{"mcpServers": {"shell": {"command": "sh", "args": ["-c", "true"]}}}')
        (site.base / "nobody").mkdir()
    made.in_step(alpha, beta)
    return made


@pytest.fixture
def alpha(fleet):
    return fleet.sites["alpha"]


@pytest.fixture
def beta(fleet):
    return fleet.sites["beta"]


def doctor(site, *words, **options):
    return site.roosync("doctor", *words, "--json", codes=(0, 1, 2), **options).json


def kinds(answer):
    return {one["kind"] for one in answer["findings"]} - {"two-states"}  # other tests' agents run on this computer


def states(answer):
    return {area["name"]: area["state"] for area in answer["areas"]}


def test_a_fleet_that_is_well(alpha, beta):
    for site, expected in ((alpha, WELL), (beta, set())):
        answer = doctor(site)
        assert kinds(answer) == expected
        assert answer["agent"] == "resident"
        assert answer["exit_code"] == (2 if expected else 0)
        assert "not looked at" not in states(answer).values() or site is beta, answer["areas"]
    assert "✓ clocks" in beta.roosync("doctor", env={"PYTHONIOENCODING": "utf-8"}).out
    assert "ok clocks" in beta.roosync("doctor", env={"PYTHONIOENCODING": "ascii"}).out


def test_it_is_quick_when_all_is_well(beta):
    assert min(doctor(beta)["seconds"] for _ in range(3)) < 2


def test_the_agent_answers_the_same_over_its_socket(beta):
    answer = beta.ask("doctor")
    assert {area["name"] for area in answer["areas"]} == {area["name"] for area in doctor(beta)["areas"]}


def test_no_agent_runs(beta):
    beta.process.kill()  # it leaves its socket behind
    beta.process.wait()
    answer = doctor(beta)
    assert {"agent-away", "socket"} <= kinds(answer)
    assert (answer["agent"], answer["exit_code"]) == ("none", 1)
    assert states(answer)["law"] == states(answer)["clocks"] == "well"  # looked at over a connection of its own
    shown = beta.roosync("doctor", "--mend", "--dry-run", codes=(0,)).out
    assert "control.sock" in shown
    assert "socket" in kinds(doctor(beta))
    assert beta.roosync("doctor", "--mend", "--yes", codes=(1,)).out.count("control.sock") >= 2
    assert "socket" not in kinds(doctor(beta))
    beta.up("agent")


def test_an_agent_that_hangs(beta):
    agent = beta.process_of("roosync_agent", "agent")
    agent.suspend()
    try:
        answer = doctor(beta)
        assert "agent-hangs" in kinds(answer)
        assert answer["seconds"] < 6
        assert states(answer)["broker"] == "well"
        (told,) = (one["command"] for one in answer["findings"] if one["kind"] == "agent-hangs")
        assert told == f"kill -CONT {agent.pid}"
        subprocess.run(shlex.split(told), check=True)
        assert "agent-hangs" not in kinds(doctor(beta))
    finally:
        agent.resume()


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_permissions_are_mended(alpha):
    key = alpha.state / "keys" / "machine.nk"
    key.chmod(0o644)
    alpha.state.chmod(0o755)
    assert doctor(alpha)["exit_code"] == 1
    refused = alpha.roosync("doctor", "--mend", "permissions", codes=(0,), stdin=b"n\nn\n")
    assert "Do it" in refused.out
    assert stat.S_IMODE(key.stat().st_mode) == 0o644
    done = alpha.roosync("doctor", "--mend", "permissions", "--yes", "--json", codes=(0,)).json
    assert len(done["mended"]) == 2
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(alpha.state.stat().st_mode) == 0o700
    assert kinds(doctor(alpha)) == WELL


def test_nothing_signs_with_yes(alpha):
    """The operator's key stays as it is, and no law is renewed, however often `--yes` is said."""
    before = (alpha.state / "keys" / "operator.json").read_bytes()
    revision = json.loads((alpha.state / "law.json").read_bytes())["roster"]["revision"]
    alpha.roosync("doctor", "--mend", "--yes", codes=(0, 2))
    assert (alpha.state / "keys" / "operator.json").read_bytes() == before
    assert json.loads((alpha.state / "law.json").read_bytes())["roster"]["revision"] == revision
    alpha.fails("doctor", "--mend", "nonsense", says=["no finding is called nonsense", "unprotected"])
    alpha.fails("doctor", "--yes", says="belong to --mend")


def test_a_copied_state_folder_is_seen_from_everywhere(fleet, alpha, beta, waiting):
    copy = fleet.site("copy")
    shutil.rmtree(copy.state)
    shutil.copytree(beta.state, copy.state, ignore=shutil.ignore_patterns("run"))
    (copy.state / "run").mkdir(mode=0o700)
    copy.extra = {"ROOSYNC_MACHINE": "beta", "ROOSYNC_HOME": str(beta.home)}
    copy.up("agent")
    try:
        waiting("beta says that it met its twin", lambda: any("another agent" in n for n in beta.row()["notes"]))
        found = [one for one in doctor(beta)["findings"] if one["kind"] == "two-agents"]
        assert {one["area"] for one in found} == {"settings", "machines"}
        waiting("alpha hears of it", lambda: "two-agents" in kinds(doctor(alpha)))
    finally:
        copy.stop()


def test_a_settings_file_that_nobody_can_read(beta):
    beta.settings("nonsense = 1\n")
    try:
        answer = doctor(beta)
        assert "settings" in kinds(answer)
        assert "nonsense" in answer["findings"][0]["says"]
    finally:
        (beta.state / "config.toml").unlink()


def test_the_state_folder_is_damaged(beta):
    law = beta.state / "law.json"
    whole = law.read_bytes()
    law.write_bytes(b"{")
    try:
        assert "damaged" in kinds(doctor(beta))
    finally:
        law.write_bytes(whole)


def test_who_was_revoked_is_told_so(alpha, beta, waiting):
    alpha.roosync("revoke", "beta", "--yes", codes=None)
    waiting("the broker refuses it", lambda: "broker-key" in kinds(doctor(beta)))
    told = next(one for one in doctor(beta)["findings"] if one["kind"] == "broker-key")
    assert "revoked" in told["says"]
    assert states(doctor(beta))["law"] == "not looked at"


def test_the_broker_is_away_and_then_its_port_is_taken(alpha, beta):
    url = State(alpha.state).identity().url
    alpha.stop()
    there = doctor(beta)
    assert {(one["command"], one["where"]) for one in there["findings"] if one["kind"] == "broker-refused"} == {
        ("roosync up", "alpha")
    }
    sent = beta.roosync("message", "send", "alpha", "--subject", "s", "--body", "b", codes=None).out
    assert "Next: roosync up    (on alpha: brings the broker back; then it goes by itself)" in sent
    answer = doctor(alpha)
    assert {"broker-refused", "agent-away"} <= kinds(answer)
    assert answer["exit_code"] == 1
    port = int(url.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", port)):
        assert "broker-mute" in kinds(doctor(alpha))
    alpha.up("up")
    assert kinds(doctor(alpha)) >= WELL


def test_ctrl_c_in_the_middle(alpha):
    (agent,) = (process for process in alpha.tree() if "agent" in process.cmdline())
    agent.suspend()
    try:
        process = alpha.talk("doctor")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (130, -signal.SIGINT, 1)
    finally:
        agent.resume()
