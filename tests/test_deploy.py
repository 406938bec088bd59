"""What lies in deploy/ and docker-compose.yml: checked as files, and run by hand on loopback (no container engine)."""

import asyncio
import configparser
import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from roosync_agent.cli.app import COMMANDS
from roosync_agent.running.control import NobodyThereError, ask
from roosync_agent.settings import load
from roosync_broker.jetstream import connect
from roosync_broker.keeper import ExternalBroker, Keeper
from roosync_broker.keys import KeyPair
from roosync_broker.server import EmbeddedServer, find_server, free_port
from roosync_protocol.envelope import ID

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
CONFIG = (DEPLOY / "nats-server.conf").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
FOLDER = "/state/broker"

posix = pytest.mark.skipif(os.name != "posix", reason="the containers and the unit are for Linux")


def filled(text: str, environ: dict[str, str]) -> str:
    """`${NAME:-default}` as docker compose fills it in; `$$` is a dollar."""
    inner = re.compile(r"\$\{(\w+)(?::-([^{}$]*))?\}")
    while found := inner.search(text):
        text = text[: found.start()] + (environ.get(found[1]) or found[2] or "") + text[found.end() :]
    return text.replace("$$", "$")


# -- the server's configuration


def test_the_server_configuration_is_what_the_code_writes():
    spec = importlib.util.spec_from_file_location("make_server_config", DEPLOY / "make_server_config.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.text() == CONFIG, "stale: run `python deploy/make_server_config.py`"


def hand_made(folder: Path, port: int) -> EmbeddedServer:
    """The folder of a broker, with deploy/nats-server.conf in it, moved to loopback."""
    prepared = EmbeddedServer(folder, fleet="home")
    prepared.prepare()
    text = CONFIG.replace(FOLDER, folder.as_posix()).replace('"0.0.0.0:4222"', f'"127.0.0.1:{port}"')
    (folder / "by-hand.conf").write_text(text, "utf-8")
    return prepared


async def test_the_broker_itself_writes_the_same(tmp_path):
    folder, port = tmp_path / "broker", free_port()
    async with EmbeddedServer(folder, fleet=fleet_of("broker"), port=port, listen="0.0.0.0") as server:
        written = (folder / "nats-server.conf").read_text("utf-8")
        key, own = server.system_keys.public, f"-{server.keeper_keys.public[-8:].lower()}"
    assert own in written, "the name is of this folder alone"
    written = written.replace(own, "")
    same = written.replace(folder.as_posix(), FOLDER).replace(f":{port}", ":4222").replace(key, "$ROOSYNC_SYSTEM_KEY")
    assert same == "".join(line for line in CONFIG.splitlines(True) if not line.startswith("#"))


async def test_started_by_hand_it_is_a_broker_that_the_keeper_can_keep(tmp_path):
    port = free_port()
    prepared = hand_made(tmp_path / "broker", port)
    environ = {**os.environ, "ROOSYNC_SYSTEM_KEY": prepared.system_keys.public}
    command = [str(find_server()), "-c", str(prepared.state / "by-hand.conf")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        root, url = KeyPair.generate(), f"nats://127.0.0.1:{port}"
        broker = ExternalBroker(
            url=url,
            certificate=prepared.certificate,
            keeper_keys=prepared.keeper_keys,
            system_keys=prepared.system_keys,
            users_file=prepared.users_file,
        )
        await until(lambda: listens(port))
        keeper = Keeper(broker, "home", root.public)
        await keeper.start()  # streams made; users file written and reloaded, with the key from the environment
        link = await connect(url, root, name="founder", certificate=prepared.certificate)
        receipt = await link.post("post.home.status.a", b"{}", {ID: "o-1"})
        await link.close()
        await keeper.stop()
        assert receipt.sequence == 1
        assert "TLS required for client connections" in (tmp_path / "log").read_text("utf-8")
        for name in ("broker", "agent"):
            test = SERVICES[name]["healthcheck"]["test"]
            if test[0] == "CMD":
                assert healthy(test, port) == 0
    finally:
        process.terminate()
        process.wait(20)
    assert healthy(SERVICES["broker"]["healthcheck"]["test"], port) != 0


def healthy(test: list[str], port: int) -> int:
    assert test[:2] == ["CMD", "python"]
    command = [sys.executable, *(word.replace("4222", str(port)) for word in test[2:])]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode


# -- the containers


def fleet_of(service: str) -> str:
    return str(SERVICES[service]["environment"]["ROOSYNC_FLEET"])


def test_every_service_runs_a_command_that_exists():
    assert set(SERVICES) == {"init", "broker", "agent"}
    for name, service in SERVICES.items():
        assert service["command"][0] in COMMANDS, name
        assert service["image"] == "roosync:local", "one image, built from this source"
    assert (ROOT / SERVICES["agent"]["build"]["dockerfile"]).is_file()


def test_services_share_the_state_and_see_the_home_under_its_own_path():
    assert "state" in COMPOSE["volumes"]
    environ = {"HOME": "/home/ana"}
    for name, service in SERVICES.items():
        mounts = dict(filled(volume, environ).split(":") for volume in service["volumes"])
        given = {key: filled(value, environ) for key, value in service["environment"].items()}
        assert mounts["state"] == given["ROOSYNC_STATE"], name
        assert mounts["/home/ana"] == given["ROOSYNC_HOME"] == "/home/ana", name
        settings = load(given)
        assert (settings.fleet, settings.machine) == ("home", "docker-host"), name
    assert SERVICES["broker"]["environment"]["ROOSYNC_STATE"] + "/broker" == FOLDER


def test_nothing_is_open_to_others_unless_asked_for():
    assert SERVICES["agent"]["network_mode"] == "service:broker"
    assert "ports" not in SERVICES["agent"]
    assert [filled(port, {}) for port in SERVICES["broker"]["ports"]] == ["127.0.0.1:4222:4222"]
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
    assert SERVICES["init"]["profiles"] == ["setup"], "founding a fleet is no part of starting it"


def test_the_agent_waits_for_a_healthy_broker():
    assert SERVICES["agent"]["depends_on"]["broker"]["condition"] == "service_healthy"
    for name in ("broker", "agent"):
        check = SERVICES[name]["healthcheck"]
        assert int(check["timeout"].rstrip("s")) <= int(check["interval"].rstrip("s")), name
        assert SERVICES[name]["restart"] == "unless-stopped"


@posix
@pytest.mark.parametrize(("code", "well"), [(0, True), (1, False), (2, True), (3, True), (4, True), (5, True)])
def test_a_fleet_that_is_not_in_step_is_no_sick_agent(tmp_path, code, well):
    (tmp_path / "roosync").write_text(f"#!/bin/sh\nexit {code}\n", "utf-8")
    (tmp_path / "roosync").chmod(0o755)
    kind, line = SERVICES["agent"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    environ = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-c", filled(line, {})], env=environ, check=False)
    assert (done.returncode == 0) is well


def test_the_image_has_what_the_wheel_needs_and_nothing_else():
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    sources = {source for line in copied for source in line}
    assert {"pyproject.toml", "README.md", "LICENSE", "protocol", "broker", "agent"} == sources
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)
    assert 'ENTRYPOINT ["roosync"]' in lines
    assert "USER roosync" in lines
    environment = next(line for line in lines if line.startswith("ENV "))
    assert f"ROOSYNC_STATE={SERVICES['agent']['environment']['ROOSYNC_STATE']}" in environment


@posix
async def test_the_services_run_as_processes(tmp_path):
    """init, then broker and agent as two processes on one state folder, as the containers do."""
    state, home = tmp_path / "state", tmp_path / "home"
    home.mkdir()
    state.mkdir(mode=0o700)
    (state / "config.toml").write_text(f"[broker]\nport = {free_port()}\n", "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROOSYNC_")}
    given = {name: filled(value, {}) for name, value in SERVICES["agent"]["environment"].items()}
    environ = kept | given | {"ROOSYNC_STATE": str(state), "ROOSYNC_HOME": str(home)}

    def command(service: str, *more: str) -> list[str]:
        return [sys.executable, "-m", "roosync_agent", *SERVICES[service]["command"], *more]

    subprocess.run(command("init", "--no-passphrase"), env=environ, check=True, stdin=subprocess.DEVNULL, timeout=60)
    running = []
    try:
        with (tmp_path / "log").open("wb") as log:
            for words in (command("broker"), command("agent")):
                process = subprocess.Popen(words, env=environ, stdout=log, stderr=log)
                running.append(process)
        await until(lambda: status(state) or any(process.poll() is not None for process in running), 30)
        seen = status(state)
        assert seen, (tmp_path / "log").read_text("utf-8")
        assert [row["machine"] for row in seen["machines"]] == ["docker-host"]
        assert seen["machines"][0]["seen"] == "present"
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (tmp_path / "log").read_text("utf-8")
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()


def status(state: Path) -> dict | None:
    try:
        return ask(state, "status", {}, timeout=5)["result"]["overview"]
    except (NobodyThereError, TimeoutError, KeyError):
        return None


# -- the service of one person


def test_the_unit_starts_and_ends_what_there_is():
    unit = configparser.ConfigParser(interpolation=None, comment_prefixes="#", strict=True)
    unit.optionxform = str
    unit.read(DEPLOY / "roosync.service", "utf-8")
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/roosync")
    assert words == ["up"]
    assert unit["Service"]["KillMode"] == "mixed"  # `up` ends its parts itself, in their order
    assert int(unit["Service"]["TimeoutStopSec"]) > 2 * 15  # the supervisor gives each part 15 s
    assert unit["Install"]["WantedBy"] == "default.target"


def listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def until(holds, patience: float = 10.0) -> None:
    end = time.monotonic() + patience
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)
