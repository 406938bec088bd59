"""The control socket under long paths, strangers, garbage and two callers at once."""

import asyncio
import json
import os
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from roosync_agent.cli.quick import quick
from roosync_agent.running import control, control_server
from roosync_agent.running.control import HangsError, NobodyThereError, ask, endpoint
from roosync_agent.running.control_server import ControlServer

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Unix sockets")


async def echo(verb, args):
    if verb == "slow":
        await asyncio.sleep(args["seconds"])
    if verb == "broken":
        raise KeyError("a fault of ours")
    if verb == "odd":
        return {"result": "\ud800"}
    return {"result": {"verb": verb, **args}}


class Serving:
    """A server on a state folder, and questions asked from threads, as other processes would."""

    def __init__(self, state):
        self.state = state

    async def __aenter__(self):
        self.server = ControlServer(self.state, echo)
        await self.server.start()
        return self

    async def __aexit__(self, *_):
        await self.server.stop()

    async def ask(self, verb, timeout=5.0, **args):
        return await asyncio.to_thread(ask, self.state, verb, args, timeout)

    async def raw(self, data):
        reader, writer = await asyncio.open_unix_connection(str(endpoint(self.state)))
        writer.write(data)
        if not data.endswith(b"\n"):
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


async def test_a_question_is_answered(state):
    async with Serving(state) as serving:
        assert await serving.ask("status", x="\u00e9\n") == {"result": {"verb": "status", "x": "\u00e9\n"}}
        path = endpoint(state)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


def test_nobody_there_is_said(state):
    with pytest.raises(NobodyThereError):
        ask(state, "status", {})


async def test_a_long_path_has_a_private_place_of_its_own(tmp_path, monkeypatch):
    state = tmp_path / ("deep" * 30)
    path = endpoint(state)
    assert len(str(path)) < 100
    assert path != endpoint(tmp_path / ("deep" * 31))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a service and a shell have not the same
    assert endpoint(state) == path
    async with Serving(state) as serving:
        assert (await serving.ask("x"))["result"]["verb"] == "x"
    assert not path.exists()


async def test_a_socket_that_a_killed_agent_left_is_replaced(state):
    (state / "run").mkdir(parents=True, mode=0o700)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(endpoint(state)))
    left.close()
    with pytest.raises(NobodyThereError):
        ask(state, "status", {})
    async with Serving(state) as serving:
        assert await serving.ask("status")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
async def test_a_folder_that_somebody_else_made_first_is_not_used(tmp_path, monkeypatch):
    taken = tmp_path / "theirs"
    taken.mkdir(mode=0o700)
    os.chown(taken, 1234, 1234)
    for module in (control, control_server):
        monkeypatch.setattr(module, "endpoint", lambda state, name="control": taken / "x.sock")
    with pytest.raises(PermissionError, match="not private"):
        await ControlServer(tmp_path / "state", echo).start()
    with pytest.raises(NobodyThereError, match="not private"):
        ask(tmp_path / "state", "status", {})


async def test_an_open_folder_of_our_own_is_closed(state):
    (state / "run").mkdir(parents=True)
    (state / "run").chmod(0o755)
    async with Serving(state) as serving:
        assert await serving.ask("status")
        assert stat.S_IMODE((state / "run").stat().st_mode) == 0o700


async def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setattr(control, "endpoint", lambda state, name="control": tmp_path / "link" / "x.sock")
    with pytest.raises(NobodyThereError, match="not private"):
        ask(tmp_path, "status", {})


GARBAGE = {
    "nothing": b"",
    "an empty line": b"\n",
    "no JSON": b"hello\n",
    "a list": b"[1]\n",
    "no verb": b'{"args": {}}\n',
    "arguments that are none": b'{"verb": "x", "args": 7}\n',
    "too deep": b"[" * 100_000 + b"\n",
    "no UTF-8": b"\xff\xfe\n",
    "no end of the line": b'{"verb": "x"}',
    "a wrong token": json.dumps({"verb": "x", "token": "\u00e9"}).encode() + b"\n",
    "half a character": b'{"verb": "x", "token": "\\ud800"}\n',
}


async def test_garbage_is_answered_and_harms_nobody(state):
    async with Serving(state) as serving:
        for name, data in GARBAGE.items():
            answer = json.loads(await serving.raw(data))
            if name != "no end of the line":
                assert answer["error"]["kind"] == "request", name
        assert await serving.ask("status")


async def test_a_huge_request_is_refused_and_the_next_is_served(state, monkeypatch):
    monkeypatch.setattr(control_server, "LIMIT", 1000)
    async with Serving(state) as serving:
        assert "more than 1000 bytes" in (await serving.raw(b"x" * 5000 + b"\n")).decode()
        assert await serving.ask("status")


async def test_a_huge_answer_arrives_whole(state):
    async with Serving(state) as serving:
        text = "\u00e9" * 3_000_000
        assert (await serving.ask("x", text=text, timeout=20))["result"]["text"] == text


async def test_two_callers_do_not_wait_for_each_other(state):
    async with Serving(state) as serving:
        slow = asyncio.create_task(serving.ask("slow", seconds=0.6))
        began = time.monotonic()
        assert await serving.ask("status")
        assert time.monotonic() - began < 0.5
        assert (await slow)["result"]["verb"] == "slow"


async def test_a_caller_that_goes_away_harms_nobody(state):
    async with Serving(state) as serving:
        for data in (b"", b'{"verb": "slow", "args": {"seconds": 0.05}}\n'):
            caller = socket.socket(socket.AF_UNIX)
            caller.connect(str(endpoint(state)))
            caller.sendall(data)
            caller.close()
        await asyncio.sleep(0.1)
        assert await serving.ask("status")


async def test_a_caller_that_says_nothing_is_let_go(state, monkeypatch):
    monkeypatch.setattr(control_server, "PATIENCE", 0.1)
    async with Serving(state):
        reader, writer = await asyncio.open_unix_connection(str(endpoint(state)))
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()


async def test_an_agent_that_does_not_answer_in_time(state):
    async with Serving(state) as serving:
        with pytest.raises(TimeoutError, match="did not answer 'slow'"):
            await serving.ask("slow", timeout=0.1, seconds=1)


async def test_a_fault_of_ours_ends_that_one_question_only(state):
    async with Serving(state) as serving:
        with pytest.raises(NobodyThereError):
            await serving.ask("broken")
        assert (await serving.ask("odd"))["result"] == "?"
        assert await serving.ask("status")


async def test_an_agent_that_ends_while_somebody_waits_complains_about_nothing(state):
    wrong = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: wrong.append(context))
    async with Serving(state) as serving:
        waiting = asyncio.create_task(serving.raw(b'{"verb": "slow", "args": {"seconds": 30}}\n'))
        while not (tasks := [one for one in asyncio.all_tasks() if "_serve" in str(one.get_coro())]):
            await asyncio.sleep(0.01)
        for one in tasks:
            one.cancel()  # as `asyncio.run` does at its end
        assert await waiting == b""
    assert wrong == []


DYING = {"no answer": b"", "half an answer": b'{"result": {"x"', "no object": b"[]\n"}


@pytest.mark.parametrize("said", DYING.values(), ids=DYING)
def test_an_agent_that_dies_in_the_middle_is_nobody(state, said):
    (state / "run").mkdir(parents=True, mode=0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(endpoint(state)))
    listener.listen()

    def serve():
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(said)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(NobodyThereError):
        ask(state, "status", {}, 5)
    thread.join()
    listener.close()


def test_the_asking_side_imports_little():
    source = Path(control.__file__).read_text()
    assert not [line for line in source.splitlines() if line.startswith(("import asyncio", "from roosync"))]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(control, "LOOK_AFTER", 0.1)
    monkeypatch.setattr(control, "AT_ONCE", 0.5)


async def test_an_agent_that_takes_its_time_is_waited_for(state, impatient):
    async with Serving(state) as serving:
        assert (await serving.ask("slow", seconds=0.5))["result"]["verb"] == "slow"


def test_an_agent_that_is_stopped_is_told_as_that_long_before_its_answer_is_due(state, impatient):
    endpoint(state).parent.mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as stopped:  # the kernel takes the callers in, and nobody serves them
        stopped.bind(str(endpoint(state)))
        stopped.listen()
        began = time.monotonic()
        with pytest.raises(HangsError, match="stopped, or hangs"):
            ask(state, "status", {}, timeout=60.0)
        assert time.monotonic() - began < 5


def test_status_says_so_without_asking_again(state, impatient, monkeypatch, capsys):
    monkeypatch.setenv("ROOSYNC_STATE", str(state))
    endpoint(state).parent.mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(endpoint(state)))
        stopped.listen()
        assert quick("status", as_json=False) == 1
    assert "stopped, or hangs" in capsys.readouterr().err
