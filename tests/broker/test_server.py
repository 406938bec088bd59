"""The embedded server: ready when it says so, restarted when it dies, gone when we are."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from roosync_broker import topology
from roosync_broker.children import end_leftover, write_note
from roosync_broker.disk_guard import Disk, DiskGuard
from roosync_broker.errors import ServerError, UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.link import post_until_stored
from roosync_broker.server import EmbeddedServer, find_server, free_port
from roosync_broker.server_config import ServerSettings, config_text


async def eventually(condition, timeout=10.0):
    end = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


async def test_start_stop_and_everything_is_found_again(tmp_path):
    server = EmbeddedServer(tmp_path / "broker", fleet="home", port=0)
    await server.start()
    pid, port = server.pid, server.port
    link = await connect(server.url, server.keeper_keys, name="a", certificate=server.certificate)
    await topology.ensure(link, "home")
    await link.post("post.home.status.a", b"1")
    await link.close()
    await server.stop()
    await server.stop()
    assert not psutil.pid_exists(pid)
    async with EmbeddedServer(tmp_path / "broker", fleet="home") as again:  # no port named: the one of last time
        assert again.port == port
        link = await connect(again.url, again.keeper_keys, name="a")
        assert [m.data async for m in link.read("home-REPORTS", "post.>")] == [b"1"]
        await link.close()
    if os.name == "posix":
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "broker").iterdir() if path.is_file()}
        private = ("keeper.seed", "system.seed", "certificate.key", "users.conf")
        assert {modes[name] for name in private} == {0o600}


async def test_it_is_restarted_when_it_dies(tmp_path):
    told = []
    async with EmbeddedServer(tmp_path / "broker", fleet="home", port=0, report=told.append) as server:
        for _ in range(2):
            pid = server.pid
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda pid=pid: server.pid not in (None, pid))
            link = await connect(server.url, server.keeper_keys, name="a", on_error=lambda _: None)
            await link.close()
    assert len(told) == 2
    assert "started again" in told[0]


async def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = EmbeddedServer(tmp_path / "broker", fleet="home", port=port)
        with pytest.raises(ServerError, match=f"port {port} .* used by another program"):
            await server.start()
        (tmp_path / "broker" / "listen.json").write_text(json.dumps({"port": port}))
        with pytest.raises(ServerError, match=str(port)):
            await EmbeddedServer(tmp_path / "broker", fleet="home").start()
        async with EmbeddedServer(tmp_path / "broker", fleet="home", port=0) as other:
            assert other.port != port


async def test_a_listener_that_is_not_possible_leaves_the_old_one(tmp_path):
    async with EmbeddedServer(tmp_path / "broker", fleet="home", port=0) as server:
        link = await connect(server.url, server.keeper_keys, name="a", certificate=server.certificate)
        for nowhere in ("203.0.113.7", "no host"):
            with pytest.raises(ServerError, match="no address"):
                await server.restart(listen=nowhere)
        assert server.listen == "127.0.0.1"
        await link.request("$JS.API.INFO", b"", 10)
        await link.close()


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from roosync_broker.link import post_until_stored
from roosync_broker.server import EmbeddedServer
async def main():
    server = EmbeddedServer(Path(sys.argv[1]), fleet="home", port=0)
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def supervisor(state):
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(state)], stdout=subprocess.PIPE)
    return process, int(process.stdout.readline())


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_it_does_not_outlive_its_supervisor(tmp_path):
    process, pid = await asyncio.to_thread(supervisor, tmp_path / "broker")
    assert psutil.pid_exists(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    await eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    async with EmbeddedServer(tmp_path / "broker", fleet="home") as server:  # the lock went with it
        assert server.pid


async def test_a_terminals_interrupt_does_not_reach_it(tmp_path):
    async with EmbeddedServer(tmp_path / "broker", fleet="home", port=0) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


async def test_what_an_earlier_run_left_is_ended(tmp_path):
    """As after a power cut of the supervisor alone: a server of ours runs, and nobody holds the lock."""
    told = []
    server = EmbeddedServer(tmp_path / "broker", fleet="home", port=0, report=told.append)
    server.prepare()
    server._choose()
    config = server._write_config()
    orphan = subprocess.Popen([str(find_server()), "-c", str(config)], stderr=subprocess.DEVNULL)
    write_note(server._note, orphan.pid, str(config))
    await eventually(lambda: not _free(server.port))
    reaper = asyncio.create_task(asyncio.to_thread(orphan.wait))
    async with server:
        assert server.pid != orphan.pid
        assert "left behind" in told[0]
    assert await reaper is not None


def _free(port):
    from roosync_broker.server import port_is_free

    return port_is_free("127.0.0.1", port)


def test_a_stranger_with_the_noted_process_id_lives_on(tmp_path):
    note = tmp_path / "server.json"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            created = psutil.Process(stranger.pid).create_time()
            for found in (
                {"pid": stranger.pid, "created": created - 100, "mark": "sleep"},  # the id was used again
                {"pid": stranger.pid, "created": created, "mark": "nats-server.conf"},  # another program
            ):
                note.write_text(json.dumps(found))
                assert end_leftover(note) is None
                assert not note.exists()
            for garbage in (b"", b"\xff", b"[]", b'{"pid":"x"}'):
                note.write_bytes(garbage)
                assert end_leftover(note) is None
            time.sleep(0.05)
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize("program", ["missing", "false"])
async def test_a_server_that_does_not_start(tmp_path, monkeypatch, program):
    path = tmp_path / program
    if program == "false":
        path.write_text("#!/bin/sh\necho 'nats-server: no thanks' >&2\nexit 1\n")
        path.chmod(0o755)
    monkeypatch.setenv("ROOSYNC_NATS_SERVER", str(path))
    server = EmbeddedServer(tmp_path / "broker", fleet="home", port=0)
    with pytest.raises(ServerError, match="no thanks" if program == "false" else "no such file"):
        await server.start()
    monkeypatch.delenv("ROOSYNC_NATS_SERVER")
    async with server:  # nothing is left in the way
        assert server.pid


def test_the_configuration_is_valid_and_durable(tmp_path):
    server = EmbeddedServer(tmp_path / 'with "quotes" and spaces', fleet="home", port=free_port())
    server.prepare()
    server._choose()
    config = server._write_config()
    assert "sync_interval: always" in config.read_text()
    done = subprocess.run([str(find_server()), "-t", "-c", str(config)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_listener_beyond_loopback_without_tls():
    settings = {"name": "b", "store": "/s", "system_key": "U"}
    with pytest.raises(ValueError, match="certificate"):
        config_text(ServerSettings(**settings, listen="0.0.0.0"))
    assert "tls {" in config_text(ServerSettings(**settings, listen="::", certificate="c", certificate_key="k"))
    assert "tls {" not in config_text(ServerSettings(**settings, listen="::1"))
    assert r'"C:\\state"' in config_text(ServerSettings(**settings | {"store": "C:\\state"}))


async def until_nothing_is_stored(link):
    """Posts until a post is not acknowledged; returns how many were."""
    number = 0
    with contextlib.suppress(UnavailableError):
        for number in itertools.count():
            await link.post(f"post.home.content.{number:064}.0.a", b"x" * 300_000, timeout=1)
    return number


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
async def test_a_disk_that_was_full_is_used_again_when_there_is_room(tmp_path, monkeypatch):
    import roosync_broker.disk_guard as disk_guard
    import roosync_broker.server as module

    monkeypatch.setattr(module, "LOOK_AT_DISK", 0.1)
    monkeypatch.setattr(disk_guard, "ROOM", 3_000_000)
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("mounting is not permitted here")
    told = []
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 9_000_000)
        async with EmbeddedServer(disk / "broker", fleet="home", port=0, report=told.append) as server:
            link = await connect(server.url, server.keeper_keys, name="a", on_error=lambda _: None)
            await topology.ensure(link, "home")
            acknowledged = await until_nothing_is_stored(link)
            await eventually(lambda: any("is full" in line for line in told))
            ballast.unlink()
            receipt = await post_until_stored(
                link, "post.home.content.after.0.a", b"x" * 300_000, {"Nats-Msg-Id": "o-1"}
            )
            assert receipt.sequence > acknowledged
            assert len([m async for m in link.read("home-CONTENTS", "post.>")]) >= acknowledged + 1
            await link.close()
    finally:
        subprocess.run(["umount", disk])
    assert any("room on the broker's disk again" in line for line in told)


def test_the_guard_reads_only_what_is_new(tmp_path, monkeypatch):
    log = tmp_path / "log"
    log.write_text("[ERR] critical write error: an old one\n")
    guard, free = DiskGuard(tmp_path, log), [10**12]
    monkeypatch.setattr(guard, "free", lambda: free[0])
    guard.begin()
    assert guard.look() is Disk.FINE
    free[0] = 1000
    assert guard.look() is Disk.NEARLY_FULL
    with log.open("a") as file:
        file.write("[ERR] Filestore [x] Critical write error: no space left on device\n")
    assert guard.look() is Disk.STUCK
    assert guard.look() is Disk.STUCK
    free[0] = 10**12
    assert guard.look() is Disk.RECOVERABLE
    guard.begin()
    log.write_text("")  # turned
    assert guard.look() is Disk.FINE
    log.unlink()
    assert guard.look() is Disk.FINE


async def test_a_hundred_thousand_bytes_of_log_are_not_for_ever(tmp_path, monkeypatch):
    import roosync_broker.server as module

    monkeypatch.setattr(module, "LOG_BYTES", 10)
    server = EmbeddedServer(tmp_path / "broker", fleet="home", port=0)
    async with server:
        pass
    async with server:
        pass
    assert server.log_file.with_suffix(".log.1").exists()
