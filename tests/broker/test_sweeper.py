"""Only what nothing mentions is swept, and only when it is old."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from roosync_broker import sweeper, topology
from roosync_broker.contents import FRESH, GRACE, PART, Contents
from roosync_broker.errors import OursError, UnavailableError
from roosync_broker.jetstream import connect
from roosync_broker.sweeper import sweep
from roosync_protocol.subjects import Subjects

FLEET = "sweep"
HOME = Subjects(FLEET)


@pytest.fixture
async def link(broker):
    link = await connect(broker.url, broker.keeper_keys, name="keeper")
    await topology.ensure(link, FLEET)
    yield link
    for name in topology.configurations(FLEET):
        await link.request(f"$JS.API.STREAM.DELETE.{name}", b"", 5)
    await link.close()


async def test_mark_and_sweep(link):
    contents = Contents(link, HOME, "a")
    file = await contents.put(b"a file that a manifest names")
    large = await contents.put(b"x" * (PART + 1))
    manifest = await contents.put(f'{{"files":["{file}"]}}'.encode())
    overlay = await contents.put(f'{{"large":"{large}"}}'.encode())
    orphan = await contents.put(b"y" * (3 * PART))
    lonely = await contents.put(f"mentions {orphan}, and nobody mentions it".encode())
    await link.post(f"post.{FLEET}.package.a", f'{{"manifest":"{manifest}"}}'.encode())
    await link.post(f"post.{FLEET}.baseline.main.op-x", f"no json {overlay}".encode())
    await link.post(f"post.{FLEET}.status.a", ("0" * 64).encode())  # mentions what is not there

    later = datetime.now(UTC) + GRACE
    assert await sweep(link, FLEET, datetime.now(UTC)) == 0  # all of it is young
    assert await sweep(link, FLEET, later - timedelta(minutes=1)) == 0
    assert await sweep(link, FLEET, later + timedelta(minutes=1)) == 2
    for kept in (file, large, manifest, overlay):
        assert await contents.get(kept)
    for gone in (orphan, lonely):
        with pytest.raises(UnavailableError):
            await contents.get(gone)
    assert await sweep(link, FLEET, later + timedelta(minutes=1)) == 0


async def test_a_bad_content_does_not_end_the_sweep(link):
    sha256 = "1" * 64
    await link.post(HOME.content(sha256, "0", "evil"), b"other bytes", {"Roosync-Parts": "1"})
    await link.post(f"post.{FLEET}.package.a", sha256.encode())
    orphan = await Contents(link, HOME, "a").put(b"orphan")
    assert await sweep(link, FLEET, datetime.now(UTC) + 2 * GRACE) == 1
    with pytest.raises(UnavailableError):
        await Contents(link, HOME, "a").get(orphan)


async def test_a_content_that_is_about_to_become_old_is_stored_again(link):
    now = datetime.now(UTC)
    contents = Contents(link, HOME, "a", now=lambda: now)
    await contents.put(b"data")
    first = await link.last(f"{FLEET}-CONTENTS", ["post.>"])
    await contents.put(b"data")
    assert await link.last(f"{FLEET}-CONTENTS", ["post.>"]) == first
    now += FRESH + timedelta(minutes=1)
    await contents.put(b"data")
    assert (await link.last(f"{FLEET}-CONTENTS", ["post.>"]))[0].sequence == 2


async def test_an_empty_stream(link):
    assert await sweep(link, FLEET, datetime.now(UTC)) == 0


REFUSALS = {
    "nobody leads the cluster at this moment": ({"code": 503, "err_code": 10008, "description": "unavailable"}, None),
    "nobody leads it for long": ({"code": 503, "err_code": 10008, "description": "unavailable"}, UnavailableError),
    "there is no such stream": ({"code": 404, "err_code": 10059, "description": "stream not found"}, OursError),
}


@pytest.mark.parametrize(("refusal", "error"), REFUSALS.values(), ids=REFUSALS)
async def test_a_purge_waits_for_a_leader_and_not_for_ever(monkeypatch, refusal, error):
    monkeypatch.setattr(sweeper, "PAUSE", 0.0)
    monkeypatch.setattr(sweeper, "API_TIMEOUT", 0.05 if error is UnavailableError else 12.0)
    asked = []

    class Cluster:
        async def request(self, subject, data, timeout):
            asked.append(subject)
            away = error is not None or len(asked) == 1
            return msgspec.json.encode({"error": refusal} if away else {"success": True})

    if error is None:
        await sweeper.purge(Cluster(), "sweep-WORK", "post.>")
        assert len(asked) == 2
    else:
        with pytest.raises(error, match=refusal["description"]):
            await sweeper.purge(Cluster(), "sweep-WORK", "post.>")
        assert (len(asked) == 1) == (error is OursError)
