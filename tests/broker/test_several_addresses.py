"""A member of a cluster: it is refused when every node refuses, tells each trouble once, and spreads over the nodes."""

import pytest

from roosync_broker import replies
from roosync_broker.connection import Connection
from roosync_broker.errors import (
    FullError,
    NobodyListensError,
    NoResponderError,
    OursError,
    RefusedError,
    StaleError,
    UnavailableError,
)
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair
from roosync_broker.link import MESSAGE_ID, Receipt, post_until_stored
from roosync_broker.server import EmbeddedServer, free_port


@pytest.fixture
async def second(tmp_path):
    """Another server, with keys of its own: the first one's are not known there."""
    async with EmbeddedServer(tmp_path / "second", fleet="second", port=0) as server:
        yield server


async def test_a_node_that_does_not_know_us_yet_is_not_the_last_word(broker, second):
    for _ in range(4):  # whichever comes first
        told = []
        urls = f"{second.url},{broker.url}"
        link = await connect(urls, broker.keeper_keys, name="a", timeout=10, on_error=told.append)
        assert link.connected
        await link.close()
        assert all(isinstance(error, RefusedError) for error in told)


async def test_refused_by_all_is_refused_at_once(broker, second):
    with pytest.raises(RefusedError, match="does not accept this key"):
        await connect(
            f"{second.url},{broker.url}", KeyPair.generate(), name="a", timeout=20, on_error=lambda error: None
        )


async def test_nobody_listens_anywhere(broker, monkeypatch):
    monkeypatch.setattr("roosync_broker.connection.STARTING", 0.0)
    urls = ",".join(f"nats://127.0.0.1:{free_port()}" for _ in range(3))
    told = []
    with pytest.raises(NobodyListensError):
        await connect(urls, broker.keeper_keys, name="a", timeout=20, patient=False, on_error=told.append)
    assert len({str(error) for error in told}) == len(told) == 3


async def test_each_trouble_is_told_once(broker, monkeypatch):
    import roosync_broker.connection as connection

    monkeypatch.setattr(connection, "STARTING", 0.0)
    monkeypatch.setattr(connection, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(connection, "LONGEST_DELAYS", ((Exception, 0.002),))
    urls = ",".join(f"nats://127.0.0.1:{free_port()}" for _ in range(2))
    told = []
    with pytest.raises(UnavailableError):
        await connect(urls, broker.keeper_keys, name="a", timeout=0.5, on_error=told.append)
    assert len(told) == 2


async def test_members_spread_over_the_nodes(broker, monkeypatch):
    first = []

    async def dial(self, url, lost):
        first.append(url)
        raise UnavailableError("away")

    monkeypatch.setattr(Connection, "_dial", dial)
    for _ in range(60):
        with pytest.raises(UnavailableError):
            await connect("a,b,c", broker.keeper_keys, name="a", timeout=0.001, on_error=lambda error: None)
    assert set(first) == {"a", "b", "c"}


ANSWERS = {  # error number, code -> what it is for the poster
    (10158, 409): UnavailableError,  # the first try is still on its way through the cluster
    (10008, 503): UnavailableError,
    (10009, 500): UnavailableError,
    (10118, 500): UnavailableError,
    (10005, 503): UnavailableError,
    (10071, 400): StaleError,
    (10164, 400): StaleError,
    (10077, 503): FullError,
    (10047, 500): FullError,
    (10052, 400): OursError,
}


@pytest.mark.parametrize(("answer", "kind"), ANSWERS.items(), ids=str)
def test_what_a_cluster_answers(answer, kind):
    assert type(replies.failure(*answer, "so", "post.home.status.a")) is kind


class Leaderless:
    """A link to a cluster that chooses a leader: silent, then nobody, then a first try under way, then stored."""

    connected = True

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def post(self, subject, data, headers=None, *, expect=None, timeout=12.0):
        self.asked.append((headers[MESSAGE_ID], timeout))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_post_outlives_a_change_of_leaders(monkeypatch):
    import roosync_broker.link as link

    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr(link.asyncio, "sleep", sleep)
    away = [UnavailableError("silent"), *[NoResponderError("nobody")] * 6, UnavailableError("in process")]
    cluster = Leaderless(*away, Receipt(7, duplicate=True))
    assert (await post_until_stored(cluster, "post.x", b"", {MESSAGE_ID: "o-1"})).sequence == 7
    assert {name for name, _ in cluster.asked} == {"o-1"}
    assert max(timeout for _, timeout in cluster.asked) <= 5
    assert max(waited) <= 2
    assert sum(waited) > 10, "a change of leaders takes some seconds"


async def test_a_cluster_without_a_majority_is_told(monkeypatch):
    import roosync_broker.link as link

    monkeypatch.setattr(link, "TRY_FOR", -1.0)
    cluster = Leaderless(*[UnavailableError("silent")] * 20)
    with pytest.raises(UnavailableError):
        await post_until_stored(cluster, "post.x", b"", {MESSAGE_ID: "o-1"})
    assert len(cluster.asked) == 1
