"""An answer over the control socket says when it is of before: the broker was away as it was given."""

import asyncio
from types import SimpleNamespace

import pytest

from roosync_agent.cli import running
from roosync_agent.operations import served
from roosync_agent.running import reaching


class Quiet:
    async def look_around(self):
        return None


def machine(reachable):
    return SimpleNamespace(session=SimpleNamespace(reachable=reachable), following=Quiet())


@pytest.fixture(autouse=True)
def one_verb(monkeypatch):
    async def requests(machine, **args):
        if args:
            raise ValueError("no such thing")
        return ["r-1"]

    monkeypatch.setitem(served.VERBS, "requests", requests)


@pytest.mark.parametrize(
    ("reachable", "args", "answer"),
    [
        (True, {}, {"result": ["r-1"]}),
        (False, {}, {"result": ["r-1"], "away": True}),
        (False, {"id_": 1}, {"error": {"kind": "request", "message": "no such thing"}}),
    ],
    ids=["there", "away", "an error"],
)
async def test_what_was_heard_before_the_broker_went_away_is_marked(reachable, args, answer):
    assert await served.answer(machine(reachable), "requests", args) == answer


@pytest.mark.parametrize("verb", ["cycle_show", "cycle_metrics", "cycle_report", "status", "requests"])
async def test_who_only_looks_does_not_wait_for_a_turn_that_takes_long(monkeypatch, verb):
    async def looks(machine):
        return "seen"

    monkeypatch.setitem(served.VERBS, verb, looks)
    busy = machine(True)
    busy.turn = asyncio.Lock()
    await busy.turn.acquire()
    async with asyncio.timeout(1):
        assert await served.answer(busy, verb, {}) == {"result": "seen"}


def test_a_command_tells_it_once_for_as_long_as_it_lasts(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ROOSYNC_STATE", str(tmp_path))
    monkeypatch.setattr(running, "_away", [False])
    told = []
    for away in (False, True, True, False, True):
        answer = {"result": [], **({"away": True} if away else {})}
        monkeypatch.setattr("roosync_agent.running.control.ask", lambda *_, answer=answer, **__: answer)
        assert running.ask_machine("requests") == []
        told.append("heard before it went away" in capsys.readouterr().err)
    assert told == [False, True, False, False, True]


OLDER = {  # what is asked -> how an agent that has not heard of it answers
    "a verb": ("ask_the_moon", {}),
    "a deed": ("preview", {"deed": "ask_the_moon", "given": {}}),
}


@pytest.mark.parametrize(("verb", "args"), OLDER.values(), ids=OLDER)
async def test_an_agent_of_an_older_version_is_to_be_restarted(verb, args, monkeypatch):
    answer = await served.answer(machine(True), verb, args)
    monkeypatch.setattr(reaching.control, "ask", lambda *_, **__: answer)
    told = reaching.answer_of(SimpleNamespace(state=None), verb, args)["error"]
    assert told["kind"] == "request"
    assert "end `roosync up` on this machine, start it again" in told["message"]
