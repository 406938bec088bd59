"""Clients that are wrong in every way: what they send is answered or refused, memory is bounded, the agent unharmed."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import psutil
import pytest

from roosync_agent.mcp_server import desk, strangers, wire
from roosync_agent.mcp_server import http as over_http
from roosync_agent.running import loopback
from roosync_agent.running.control_server import ControlServer
from roosync_agent.state import StateError

PATIENCE = 30.0
MEGABYTE = 1 << 20
HELLO = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bad", "version": "1"}},
}  # fmt: skip


class Resident:
    """A control socket that counts who asks at the same time; `slow` holds an answer back."""

    def __init__(self, state):
        self.server = ControlServer(state, self.answer)
        self.now = self.most = self.asked = 0
        self.slow = asyncio.Event()
        self.slow.set()

    async def answer(self, verb, args):
        if verb == "wait_change":
            await asyncio.sleep(args["wait"])
            return {"result": {"mark": "a.1", "kinds": [], "everything": False}}
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.slow.wait()
            await asyncio.sleep(0.001)
        finally:
            self.now -= 1
        if verb == "message_inbox":
            return {"result": {"messages": [], "unread": 0}}
        return (
            {"result": {"decisions": [], "pending": 0}}
            if verb == "decisions"
            else {"result": {"name": "", "text": "x"}}
        )


@pytest.fixture
def state(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "state"


@pytest.fixture
async def resident(state):
    there = Resident(state)
    await there.server.start()
    yield there
    there.slow.set()
    await there.server.stop()


@asynccontextmanager
async def started(state, *words):
    env = {name: value for name, value in os.environ.items() if not name.startswith("ROOSYNC_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "roosync_agent", "mcp", *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=env | {"ROOSYNC_STATE": str(state), "ROOSYNC_HOME": str(state.parent / "home")}, limit=8 * MEGABYTE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def connected(state):
    async with started(state) as process:
        await send(process, HELLO)
        assert (await answer_to(process, 0))["result"]["serverInfo"]["name"] == "roosync"
        await send(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield process


async def send(process, *messages):
    for message in messages:
        process.stdin.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
    await process.stdin.drain()


async def answer_to(process, *ids):
    """The answer to each of the ids; of one, itself."""
    found = {}
    async with asyncio.timeout(PATIENCE):
        while set(ids) - found.keys():
            line = await process.stdout.readline()
            assert line, (await process.stderr.read()).decode()[-3000:]
            message = json.loads(line)
            if message.get("id") is not None:
                assert message["id"] not in found, "answered twice"
                found[message["id"]] = message
    return found[ids[0]] if len(ids) == 1 else found


def request(id_, method="ping", **params):
    return {"jsonrpc": "2.0", "id": id_, "method": method, **({"params": params} if params else {})}


def read(id_):
    return request(id_, "resources/read", uri="roosync://roadmap")


NONSENSE = [
    b"{\n", b'{"jsonrpc": "2.0", "id": 1, "method": \n', b"\n\n\n", b"\x00\xff\xfe\n", b"[]\n", b"null\n", b'"x"\n',
    b'{"jsonrpc": "1.0", "id": 5, "method": "ping"}\n', b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}\n',
    b"[" * 200_000 + b"\n", b'{"jsonrpc": "2.0", "id": 77, "result": {}}\n', b"1e999\n",
    b'{"jsonrpc":"2.0","method":"notifications/nothing"}\n',
    b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "nobody"}}\n',
]  # fmt: skip
REFUSED = [
    ("nothing/at-all", {}), ("tools/call", {}), ("tools/call", {"name": 7}), ("tools/call", {"name": "x" * 1000}),
    ("tools/call", {"name": "roosync_get_status", "arguments": []}), ("resources/read", {"uri": 7}),
    ("resources/read", {}),
    ("resources/subscribe", {"uri": {"a": 1}}), ("resources/list", {"cursor": 7}), ("prompts/get", {"name": ["x"]}),
    ("completion/complete", {"ref": "x"}), ("logging/setLevel", {"level": "debug"}), ("initialize", {"x": 1}),
]  # fmt: skip


async def test_nonsense_is_passed_over_and_wrong_requests_are_refused(state, resident):
    async with connected(state) as process:
        await send(process, *NONSENSE)
        await send(process, *(request(100 + i, method, **params) for i, (method, params) in enumerate(REFUSED)))
        found = await answer_to(process, *range(100, 100 + len(REFUSED)))
        for number, asked in enumerate(REFUSED):
            told = found[100 + number]
            assert "error" in told or told["result"].get("isError"), (asked, told)
            assert "Traceback" not in json.dumps(told)
        await send(process, read(999))
        assert (await answer_to(process, 999))["result"]["contents"]


async def test_a_line_without_end_is_not_kept(state, resident):
    async with connected(state) as process:
        before = psutil.Process(process.pid).memory_info().rss
        for _ in range(150):
            await send(process, b"x" * MEGABYTE)
        held = psutil.Process(process.pid).memory_info().rss - before
        await send(process, b"\n", request(1))
        assert (await answer_to(process, 1))["result"] == {}
        assert held < 40 * MEGABYTE, held


async def test_a_thousand_calls_at_once_are_each_answered_once_and_few_reach_the_agent_together(state, resident):
    async with connected(state) as process:
        sending = asyncio.create_task(send(process, *(read(number) for number in range(1, 1001))))
        found = await answer_to(process, *range(1, 1001))
        await sending
        assert resident.most <= desk.AT_ONCE + 1  # and one that looks for changes
        told = [one["error"]["message"] if "error" in one else "read" for one in found.values()]
        assert {text.split(":")[0] for text in told} <= {"read", "busy"}, set(told)
        assert told.count("read") >= desk.WAITING


async def test_who_does_not_read_is_not_read_from(state, resident):
    """Neither its requests nor our answers pile up here; the answers come when it reads again."""
    async with connected(state) as process:
        process.stdout._transport.pause_reading()
        process.stdin.transport.set_write_buffer_limits(high=1 << 30)
        for number in range(1, 40_001):
            process.stdin.write(json.dumps(request(number)).encode() + b"\n")
        left = -1
        async with asyncio.timeout(PATIENCE):
            while left != (left := process.stdin.transport.get_write_buffer_size()):
                await asyncio.sleep(1)
        assert left > MEGABYTE  # it stopped taking them
        assert psutil.Process(process.pid).memory_info().rss < 250 * MEGABYTE
        process.stdout._transport.resume_reading()
        assert len(await answer_to(process, *range(1, 2_001))) >= 2_000


async def test_a_call_that_was_cancelled_frees_its_place(state, resident):
    resident.slow.clear()
    async with connected(state) as process:
        many = range(1, desk.AT_ONCE + 1)
        await send(process, *(read(number) for number in many))
        async with asyncio.timeout(PATIENCE):
            while resident.now < desk.AT_ONCE:
                await asyncio.sleep(0.01)
        for number in many:
            await send(process, request(None, "notifications/cancelled", requestId=number) | {"id": None})
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
            await send(process, cancelled)
        asked = resident.asked
        await send(process, read(50))
        async with asyncio.timeout(PATIENCE):
            while resident.asked == asked:  # it has a place, though nobody was answered
                await asyncio.sleep(0.01)
        resident.slow.set()
        assert "result" in await answer_to(process, 50)


@pytest.mark.parametrize("how", ["input", "output", "signal"])
async def test_it_ends_when_its_client_does(state, resident, how):
    resident.slow.clear()
    async with connected(state) as process:
        await send(process, read(1))  # one is being answered
        if how == "input":
            process.stdin.close()
        elif how == "output":
            process.stdout._transport.close()
            await send(process, request(2))
        else:
            process.terminate()
        code = await asyncio.wait_for(process.wait(), 10)
        told = (await process.stderr.read()).decode()
        assert code == (130 if how == "signal" else 0), told
        assert "Traceback" not in told, told


async def test_lines_are_cut_from_whatever_arrives():
    """The line before and after one that is too long are whole, wherever the chunks end."""
    incoming, feed = os.pipe()
    sink = os.open(os.devnull, os.O_WRONLY)
    pipe = wire.Wire(incoming, sink)
    pipe.start()
    text = b"first\r\n\n" + b"y" * (wire.LINE + wire.CHUNK) + b"\nlast\xff\nno end"

    def write():
        for at in range(0, len(text), 50_001):
            os.write(feed, text[at : at + 50_001])
        os.close(feed)

    writing = asyncio.create_task(asyncio.to_thread(write))
    async with asyncio.timeout(PATIENCE):
        assert [line async for line in pipe] == ["first\r", "last\ufffd"]
    await writing
    os.close(sink)


# -- over HTTP


@asynccontextmanager
async def serving(state):
    async with started(state, "--http", "--port", "0") as process:
        told = (await asyncio.wait_for(process.stderr.readline(), PATIENCE)).decode()
        port = int(told.rsplit(":", 1)[1].split("/")[0])
        yield process, Caller(port, loopback.token(state))


class Caller:
    def __init__(self, port, token):
        self.port = port
        self.headers = {
            "Authorization": f"Bearer {token}", "Host": f"127.0.0.1:{port}", "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }  # fmt: skip

    async def __call__(self, body=HELLO, method="POST", path="/mcp", **headers):
        """Status, session id and text of an answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {n: v for n, v in self.headers.items() if n.lower() not in {g.lower() for g in given}}
        return await asyncio.to_thread(
            self._call, method, path, data, kept | {n: v for n, v in given.items() if v is not None}
        )

    def _call(self, method, path, data, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in (headers | {"Content-Length": str(len(data))}).items():
                connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("mcp-session-id"), answer.read(65536).decode()
        finally:
            connection.close()


async def test_over_http_only_this_computer_with_the_token_is_served(state, resident):
    async with serving(state) as (process, call):
        newer = {"mcp_protocol_version": "2026-07-28"}
        evil = f"evil.example:{call.port}"
        for expected, given in (
            (200, {}),
            (200, {"Host": f"localhost:{call.port}"}),
            (401, {"Authorization": None}),
            (401, {"Authorization": "Bearer "}),
            (401, {"Authorization": call.headers["Authorization"][:-1]}),
            (401, {"Authorization": call.headers["Authorization"] + "0"}),
            (401, {"Authorization": call.headers["Authorization"].replace("Bearer", "Basic")}),
            (421, {"Host": evil}),
            (421, {"Host": evil, **newer}),
            (421, {"Host": "127.0.0.1"}),
            (403, {"Origin": "http://evil.example"}),
            (403, {"Origin": f"http://127.0.0.1:{call.port}"}),
            (403, {"Origin": "null", **newer}),
        ):
            status, _, text = await call(**given)
            assert status == expected, (given, status, text)
        assert (await call(b"{"))[0] == 400
        assert (await call(b"x" * 2 * MEGABYTE))[0] == 413
        assert (await call(path="/"))[0] == 404
        assert (await call(method="PUT"))[0] == 405
        assert (await call(Content_Type="text/plain"))[0] == 400
        assert (state / "mcp-token").stat().st_mode & 0o777 == 0o600
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_who_has_no_token_holds_no_place(state, resident):
    """Other accounts of this computer reach loopback too; they say nothing, or a word now and then."""
    async with serving(state) as (process, call):
        idle = [await asyncio.open_connection("127.0.0.1", call.port) for _ in range(over_http.CONNECTIONS + 20)]
        for _, writer in idle[-40:]:
            writer.write(b"POST /mcp HTTP/1.1\r\n")
        assert (await call())[0] == 200
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(_ended(reader) for reader, _ in idle[: over_http.CONNECTIONS - strangers.MOST]))
        assert len(psutil.Process(process.pid).net_connections()) <= strangers.MOST + 10
        for _, writer in idle:
            writer.close()


async def _ended(reader):
    with contextlib.suppress(ConnectionError):
        assert await reader.read(1) == b""


async def test_a_stranger_is_turned_out_after_a_while(monkeypatch):
    monkeypatch.setattr(strangers, "WITHIN", 0.05)
    room, turned_out = strangers.Strangers(), []

    class Line:
        def __init__(self, name):
            self.abort = lambda: turned_out.append(name)

    room.came(("127.0.0.1", 1), Line("says nothing"))
    room.came(("127.0.0.1", 2), Line("has the token"))
    room.known(["127.0.0.1", 2])
    async with asyncio.timeout(PATIENCE):
        while not turned_out:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert turned_out == ["says nothing"]


async def test_sessions_are_bounded_and_end(state, resident):
    async with serving(state) as (process, call):
        opened = await asyncio.gather(*(call() for _ in range(50)))
        assert {status for status, _, _ in opened} == {200}
        more = [await call() for _ in range(over_http.MOST_SESSIONS - 50 + 3)]
        assert [status for status, _, _ in more][-3:] == [503, 503, 503]
        session = opened[0][1]
        assert (await call(b"", method="DELETE", Mcp_Session_Id=session))[0] == 200
        assert (await call(request(1), Mcp_Session_Id=session))[0] == 404
        assert (await call())[0] == 200  # who comes back has a place
        assert psutil.Process(process.pid).memory_info().rss < 250 * MEGABYTE
        assert (await call(request(2), Mcp_Session_Id=opened[1][1]))[0] == 200


async def test_open_streams_and_calls_end_with_it(state, resident):
    async with serving(state) as (process, call):
        _, session, _ = await call()
        await call({"jsonrpc": "2.0", "method": "notifications/initialized"}, Mcp_Session_Id=session)
        stream = asyncio.create_task(call(b"", method="GET", Mcp_Session_Id=session))
        resident.slow.clear()
        waiting = asyncio.create_task(call(read(1), Mcp_Session_Id=session))
        async with asyncio.timeout(PATIENCE):
            while not resident.now:
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
        assert (await stream)[0] == 200
        assert (await waiting)[0] in (200, 503)
        told = (await process.stderr.read()).decode()
        assert "Traceback" not in told, told


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.evil.example"])
def test_it_does_not_listen_beyond_this_computer(host):
    with pytest.raises(StateError, match="loopback"):
        loopback.bound(host, 0)


def test_a_taken_port_and_a_token_that_others_may_read_are_told(tmp_path):
    with loopback.bound("127.0.0.1", 0) as held, pytest.raises(StateError, match="--port"):
        loopback.bound("localhost", held.getsockname()[1])
    assert loopback.token(tmp_path) == loopback.token(tmp_path)
    loopback.token_file(tmp_path).chmod(0o644)
    with pytest.raises(StateError, match="others may read"):
        loopback.token(tmp_path)
    loopback.token_file(tmp_path).write_text("short\n")
    with pytest.raises(StateError, match="no token"):
        loopback.token(tmp_path)


def test_nobody_is_asked_for_more_than_it_may():
    office = desk.Office(lambda: SimpleNamespace(state=None))
    for _ in range(desk.WAITING):
        office.enter()
    with pytest.raises(desk.ToolFault, match="calls are being answered"):
        office.enter()
