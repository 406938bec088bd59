"""The table of what is stored covers the table of what is said, and every row has a bound."""

import json

import pytest

from roosync_broker import topology
from roosync_broker.errors import NoResponderError, OursError, UnavailableError
from roosync_broker.memory import MemoryBus
from roosync_broker.permissions import matches
from roosync_protocol.subjects import KINDS, Subjects


def test_every_kind_has_a_stream_with_a_bound():
    made = topology.configurations("home")
    for kind in KINDS:
        configuration = made[f"home-{kind.stream}"]
        post = Subjects("home").post(kind.name).replace("*", "x")
        assert [any(matches(pattern, post) for pattern in row["subjects"]) for row in made.values()].count(True) == 1
        assert any(matches(pattern, post) for pattern in configuration["subjects"])
        assert configuration["max_bytes"] > 0
        assert ("republish" in configuration) == kind.republished


def test_law_is_never_forgotten():
    law = topology.configurations("home")["home-LAW"]
    assert (law["discard"], law["max_msgs_per_subject"], law["max_age"]) == ("new", -1, 0)
    assert law["deny_delete"]
    assert law["deny_purge"]


def test_all_of_it_fits_into_the_embedded_server():
    rows = topology.configurations("home").values()
    assert sum(row["max_bytes"] for row in rows if row["storage"] == "file") < 8e9
    assert sum(row["max_bytes"] for row in rows if row["storage"] == "memory") < 256e6


def test_the_table_for_people():
    rows = topology.describe("home")
    assert {row["name"] for row in rows} == set(topology.configurations("home"))
    assert all(row["about"] for row in rows)


class Answers:
    """A link whose broker gives these answers, one after the other; the last one again and again."""

    connected = True

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def request(self, subject, data, timeout):
        self.asked.append(subject)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode()


def error(code, number, text="so"):
    return {"error": {"code": code, "err_code": number, "description": text}}


LEADERLESS, MADE = error(503, 10008), {"created": "2026-01-16T12:00:00Z"}
TOLD = {  # what the broker answers -> what is raised, and how often it was asked; None: the answer
    "there it is": ([MADE], None, 1),
    "after a change of leaders": ([UnavailableError("silent"), LEADERLESS, UnavailableError("silent"), MADE], None, 4),
    "no such stream": ([error(404, 10059)], (UnavailableError, "no stream home-WORK yet"), 1),
    "no JetStream": ([NoResponderError("nobody answers")], (NoResponderError, "nobody"), 1),
    "no majority, and it says so": ([LEADERLESS], (UnavailableError, "more than half"), None),
    "no majority, and it is silent": ([UnavailableError("silent")], (UnavailableError, "silent"), None),
}


@pytest.mark.parametrize(("answers", "raises", "times"), TOLD.values(), ids=TOLD)
async def test_what_is_asked_while_a_cluster_has_no_leader(answers, raises, times, monkeypatch):
    monkeypatch.setattr(topology, "PAUSE", 0.001)
    monkeypatch.setattr(topology, "API_TIMEOUT", topology.ASK_AGAIN + 0.1)
    link = Answers(*answers)
    if raises is None:
        assert await topology.incarnation(link, "home-WORK") == MADE["created"]
    else:
        with pytest.raises(raises[0], match=raises[1]):
            await topology.incarnation(link, "home-WORK")
    assert len(link.asked) == times if times else len(link.asked) > 5


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(error(400, 10005), UnavailableError), (LEADERLESS, UnavailableError), (error(500, 10023), OursError)],
)
async def test_a_stream_that_can_not_be_made_now_and_one_that_can_not_be_made(answer, kind):
    link = Answers(error(404, 10059), answer)
    with pytest.raises(kind):
        await topology.ensure(link, "home", 3)
    assert len(link.asked) == 2, "what changes something is asked once"


async def test_a_keeper_takes_no_kind_away_from_one_of_a_newer_version():
    bus = MemoryBus()
    link, asked = bus.link("keeper"), topology.configurations("home")["home-WORK"]
    await topology.ensure(link, "home")
    newer = [*asked["subjects"], "post.home.tomorrow.>"]
    await link.request("$JS.API.STREAM.UPDATE.home-WORK", json.dumps(asked | {"subjects": newer}).encode(), 1)
    assert await topology.ensure(link, "home") == []
    bounded = asked | {"subjects": newer, "max_bytes": 5}
    await link.request("$JS.API.STREAM.UPDATE.home-WORK", json.dumps(bounded).encode(), 1)
    assert await topology.ensure(link, "home") == ["changed home-WORK"]
    told = json.loads(await link.request("$JS.API.STREAM.INFO.home-WORK", b"", 1))["config"]
    assert (told["subjects"], told["max_bytes"]) == (newer, asked["max_bytes"])
