"""An assistant over MCP, on machines that run: the SDK's client, each answer checked against its schema by that client.

The person is a process: `roosync unlock` on a pseudo terminal, at which somebody answers as the test says.
"""

import contextlib
import sys
import threading

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from roosync_agent.mcp_server.desk import Office
from roosync_agent.mcp_server.server import build
from roosync_agent.mcp_server.tools import TABLE
from roosync_agent.settings import load

SIGNED = {row.name for row in TABLE if row.annotations.destructive_hint} - {
    "roosync_apply_config",
    "roosync_apply_decision",
}
CALLED = set()


class Failed(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.kind = error["kind"]


class Assistant:
    """Calls tools; what an answer is, it is by its schema, or the client says so."""

    def __init__(self, client):
        self.client = client

    async def __call__(self, name, /, **args):
        CALLED.add(f"roosync_{name}")
        result = await self.client.call_tool(f"roosync_{name}", args)
        if result.is_error:
            import json

            raise Failed(json.loads(result.content[0].text)["error"])
        assert len(result.content[0].text) < 60_000
        return result.structured_content


@contextlib.asynccontextmanager
async def assistant(site):
    """Of this machine, in this process."""
    office = Office(lambda: load(site.env))
    async with Client(build(office)) as client:
        yield Assistant(client)


class Person:
    """Whoever sits at the terminal of `roosync unlock`: types `answer` at each question; "" leaves them open."""

    def __init__(self, terminal, answer):
        self.answer, self.terminal = answer, terminal
        terminal.until("Ctrl-C locks.")
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._sit, daemon=True)
        self._thread.start()

    @property
    def said(self):
        return self.terminal.said

    def _sit(self):
        answered = 0
        while not self._gone.is_set():
            self.terminal.read(0.05)
            asked = self.said.count("[y/N]: ")
            if self.answer and asked > answered:
                self.terminal.type(f"{self.answer}\n")
                answered = asked

    def leave(self):
        self._gone.set()
        self._thread.join(5)
        self.terminal.process.terminate()
        self.terminal.ended(15)


@pytest.fixture
def person(typed):
    """`with person(site, "n") as somebody`: the key is unlocked meanwhile."""

    @contextlib.contextmanager
    def sits(site, answer="y"):
        somebody = Person(typed(site, "unlock", columns=0, lines=0, env={"TERM": "dumb", "NO_COLOR": "1"}), answer)
        try:
            yield somebody
        finally:
            somebody.leave()

    return sits


@pytest.fixture(scope="module")
def alpha(fleets, homes):
    """The operator's machine of two that have joined, and agreed on nothing yet."""
    fleet = fleets()
    alpha = homes.lay(fleet.site("alpha"))
    fleet.found(alpha)
    alpha.other = homes.lay(fleet.site("beta"))
    alpha.other.write(homes.rule, "# Rules\n\n- Be short.\n")
    fleet.join(alpha, alpha.other)
    return alpha


async def until(what, asks):
    """Waits until `asks()` gives something true."""
    with anyio.fail_after(40):
        while not (found := await asks()):
            await anyio.sleep(0.1)
        return found
    raise AssertionError(what)


async def test_an_assistant_and_a_person_bring_two_machines_into_step(alpha, homes, person):
    async with assistant(alpha) as call:
        assert (await call("init"))["outcome"] == "done"
        await until("both are there", lambda: _both_published(call))
        proposal = await until("a proposal of both", lambda: _proposal_of_both(call))
        assert proposal["question_count"] >= 1
        assert "roosync_choose_baseline" in proposal["next"][0]

        asked = await call("choose_baseline", choice="suggested")  # nobody has unlocked
        assert asked["outcome"] == "needs_person"
        assert "roosync baseline choose --suggested" in asked["command"]
        assert "roosync unlock" in asked["next"][0]
        with pytest.raises(Failed, match="questions are open"):
            await call("publish_baseline")
        with person(alpha) as somebody:
            for tool, args in (("choose_baseline", {"choice": "suggested"}), ("validate_baseline", {})):
                done = await call(tool, **args)
                assert done["outcome"] == "done", (done, somebody.said)
                assert (await call(tool, **args))["outcome"] == "done"  # again: nobody is asked
            done = await call("publish_baseline", note="the first")
            assert done["outcome"] == "done", (done, somebody.said)
            assert "roosync baseline publish" in somebody.said
        listed = await until("decisions", lambda: _pending(call))
        card = await call("get_decision_details", decision_id=listed["rows"][0]["id"])
        assert card["status"] == "pending"
        assert card["hash"]
        with person(alpha):
            done = await call("approve_decisions", risk="critical")
            assert done["outcome"] == "done", done
        await until("both are in step", lambda: _in_step(call))


async def _both_published(call):
    return len((await call("list_machines"))["rows"]) == 2


async def _proposal_of_both(call):
    try:
        found = await call("get_baseline")
    except Failed:  # none yet
        return None
    return found if len(found["machines"]) == 2 else None


async def _pending(call):
    found = await call("list_decisions")
    return found if found["pending"] else None


async def _in_step(call):
    return (await call("get_status"))["states"] == {"synced": 2}


async def test_a_decision_is_declined_left_waiting_approved_and_rolled_back(alpha, homes, person):
    alpha.write(homes.rule, "# Rules\n\n- Something else.\n")
    async with assistant(alpha) as call:
        compared = await until("a divergence", lambda: _diverged(call))
        id_ = compared["rows"][0]["decision_id"]
        assert (await call("approve_decision", decision_id=id_, wait_seconds=0))["outcome"] == "prepared"
        before = await call("get_decision_details", decision_id=id_)
        with person(alpha, "n"):
            done = await call("approve_decision", decision_id=id_)
            assert (done["outcome"], done["state"]) == ("declined", "pending")
        with person(alpha, "") as somebody:  # does not answer yet
            done = await call("reject_decision", decision_id=id_, reason="no", wait_seconds=0.5)
            assert (done["outcome"], done["state"]) == ("waiting", "pending")
            somebody.answer = "n"
            await until("an answer", lambda: _said(somebody, "--reason no", 1))
            done = await call("approve_decision", decision_id=id_, wait_seconds=0.5)
            assert done["outcome"] == "declined"
        assert (await call("get_decision_details", decision_id=id_))["attempt"] == before["attempt"]
        with person(alpha, "") as somebody:
            done = await call("approve_decision", decision_id=id_, wait_seconds=0.5)
            assert done["outcome"] == "waiting"
            assert done["about"]["hash"] == before["hash"]
            somebody.answer = "y"  # while nobody waits for it
            await until("it is approved", lambda: _left(call, id_, "pending"))
            done = await call("approve_decision", decision_id=id_)
            assert done["outcome"] == "done", done
            assert somebody.said.count("[y/N]: ") == 1
            assert (await call("approve_decision", decision_id=id_))["says"].startswith(f"{id_} is ")  # level
            await until("it is applied", lambda: _status(call, id_, "applied"))
            assert b"Something else" not in alpha.read(homes.rule)
            done = await call("rollback_decision", decision_id=id_)
            assert done["outcome"] == "done", done
        await until("it is rolled back", lambda: _status(call, id_, "rolled_back"))
        with person(alpha):
            done = await call("approve_decision", decision_id=id_, action="override_local")
            assert done["outcome"] == "done", done
        await until("it is applied", lambda: _status(call, id_, "applied"))
        found = await call("apply_decision", decision_id=id_)
        assert found["failed"] == 0
        assert (await call("list_diffs"))["total"] == 0


async def _diverged(call):
    found = await call("compare_config")
    return found if found["rows"] else None


async def _said(somebody, text, questions):
    return text in somebody.said and somebody.said.count("[y/N]: ") == questions and not somebody.said.endswith(": ")


async def _left(call, id_, status):
    return not await _status(call, id_, status)


async def _status(call, id_, status):
    return (await call("get_decision_details", decision_id=id_))["status"] == status


async def test_the_other_tools_answer_as_their_schemas_say(alpha, homes, person):
    async with assistant(alpha) as call:
        assert (await call("get_machine_inventory", machine="beta"))["machine"] == "beta"
        assert (await call("ping"))["answered"] == 2
        assert (await call("get_history", about="alpha", limit=3))["rows"]
        assert (await call("list_locks"))["agent"] == "alpha"
        assert isinstance((await call("doctor"))["findings"], list)
        assert (await call("collect_config", targets=["roo"]))["dry_run"] is True
        assert (await call("publish_config", description="again"))["published"] is True
        assert (await call("apply_config"))["dry_run"] is True
        assert (await call("list_baseline_versions"))["total"] == 1
        assert "proposal" in (await call("propose_baseline"))["kind"] + "proposal"
        assert (await call("list_targets"))["total"] > 3
        assert (await call("explain", what="roo.mcp/github"))["kind"] == "entity"
        assert (await call("list_mcp_servers", name="github"))["rows"]
        found = await call("list_secrets")
        assert found["rows"]
        assert "ghp_" not in str(found)
        assert (await call("show_quarantine"))["rows"] == []
        assert (await call("get_policy"))["operators"] == ["op-ana"]
        assert (await call("request", on="beta", action="verify"))["rows"]
        assert (await call("request", action="may I go on?"))["rows"][0]["type"] == "approval"
        assert (await call("list_requests", everything=True))["total"] >= 1
        cycle = await call("start_cycle", note="with an assistant")
        assert (await call("get_cycle", cycle_id=cycle["id"]))["participants"] == ["alpha", "beta"]
        assert (await call("list_cycles"))["rows"][0]["id"] == cycle["id"]
        assert (await call("list_rollouts"))["total"] == 0
        for tool, kind in (("get_rollout", "request"), ("get_update", "request")):
            with pytest.raises(Failed) as failed:
                await call(tool)
            assert failed.value.kind == kind
        with pytest.raises(Failed):
            await call("start_rollout", entity="nothing/*")
        assert (await call("ask_operator", what="invite"))["outcome"] == "needs_person"
        done = await call("ask_operator", what="label", on="beta", settings=["role=dev"])
        assert (done["outcome"], "label beta role=dev" in done["command"]) == ("needs_person", True)
        with person(alpha) as somebody:
            done = await call("ask_operator", what="label", on="beta", settings=["role=dev"])
            assert (done["outcome"], done["state"]) == ("done", "1 of 1 machines"), (done, somebody.said)
            asked = somebody.said.count("[y/N]: ")
            again = await call("ask_operator", what="label", on="beta", settings=["role=dev"])
            assert (again["outcome"], again["says"]) == ("done", "it is so already")
            assert somebody.said.count("[y/N]: ") == asked
        rows = (await call("list_machines", on="role=dev"))["rows"]
        assert [row["machine"] for row in rows] == ["beta"]
        assert (await call("pause"))["paused"] is True
        with person(alpha):
            assert (await call("ask_operator", what="resume", machine="alpha"))["outcome"] == "done"
        plan = await call("share_mcp_server", name="fetch", source="roo.mcp", to=["claude"], wait_seconds=0)
        assert plan["outcome"] == "prepared"
        with person(alpha) as somebody:
            sharing = {"name": "fetch", "source": "roo.mcp", "to": ["claude"]}
            await until("it is shared", lambda: _done(call, "share_mcp_server", sharing, somebody))
            removing = {"name": "fetch", "assistants": ["claude"]}
            await until("it is removed", lambda: _done(call, "remove_mcp_server", removing, somebody))


async def _done(call, tool, args, somebody):
    """Machines move while the plan is shown: then nothing is signed, and it is asked again."""
    found = await call(tool, **args)
    assert found["outcome"] == "done" or "ask again" in found["says"], (found, somebody.said)
    return found["outcome"] == "done"


async def test_mail(alpha):
    async with assistant(alpha) as call, assistant(alpha.other) as other:
        sent = await call("send_message", to=["beta"], subject="hello", body="a\u202eb")
        assert sent["stored"] == 1
        letter = (await until("it came", lambda: _letters(other)))[0]
        read = await other("get_message", message_id=letter["id"])
        assert read["body"] == "a<U+202E>b"
        assert (await other("reply_message", message_id=letter["id"], body="thanks"))["to"] == ["alpha"]
        assert (await other("mark_message_read", message_ids=[letter["id"]], unread=True))["rows"]
        assert (await other("archive_message", message_ids=[letter["id"]]))["rows"][0]["status"] == "archived"


async def _letters(call):
    return (await call("read_inbox"))["rows"]


async def test_a_process_serves_an_assistant_over_standard_input_and_output(alpha, person):
    server = StdioServerParameters(command=sys.executable, args=["-m", "roosync_agent", "mcp"], env=alpha.env)
    heard = []

    async def progress(done, total, message):
        heard.append(message)

    async with Client(server, client_info=None) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {row.name for row in TABLE}
        found = await client.call_tool("roosync_get_status", {})
        assert found.structured_content["agent"] == "alpha"
        alpha.write(".roo/rules/00-base.md", "# Rules\n\n- Over a pipe.\n")
        call = Assistant(client)
        id_ = (await until("a divergence", lambda: _diverged(call)))["rows"][0]["decision_id"]
        with person(alpha, "") as somebody:
            arguments = {"decision_id": id_, "wait_seconds": 3.0}
            done = await client.call_tool("roosync_approve_decision", arguments, progress_callback=progress)
            assert done.structured_content["outcome"] == "waiting"
            assert heard, "progress was told"
            assert "(MCP)" in somebody.said


async def test_an_agent_that_is_stopped_meanwhile_is_told_in_words(alpha):
    async with assistant(alpha.other) as call:
        assert (await call("get_status"))["rows"]
        alpha.other.stop()
        found = await call("get_status")  # worked out here, over a connection of its own
        assert any("no agent runs here" in note for note in found["notes"])
        alpha.stop()  # and the broker with it
        assert "error" in {one["severity"] for one in (await call("doctor"))["findings"]}
        with pytest.raises(Failed) as failed:
            await call("get_status")
        assert failed.value.kind == "bus"
        assert (await call("explain", what="roo.mcp/github"))["not_known"]
        alpha.up()
        alpha.other.up("agent")
        assert await until("it is back", lambda: _answers(call))


async def _answers(call):
    with contextlib.suppress(Failed):
        return "notes" not in await call("get_status")


def test_every_tool_was_called():
    assert {row.name for row in TABLE} == CALLED
