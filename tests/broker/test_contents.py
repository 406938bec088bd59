"""Contents: put once, got back whole, whoever else stored what under the same hash."""

import hashlib

import pytest

from roosync_broker.contents import PART, PARTS, Contents
from roosync_broker.errors import ContentError, UnavailableError
from roosync_protocol.subjects import Subjects

SIZES = [0, 1, PART - 1, PART, PART + 1, 3 * PART + 7, 20 * PART]


async def count(link, world):
    return len([message async for message in link.read(f"{world.fleet}-CONTENTS", "post.>")])


def contents(link, world, speaker=None):
    return Contents(link, Subjects(world.fleet), speaker or link.name)


@pytest.mark.parametrize("size", SIZES)
async def test_there_and_back(world, size):
    a, b = await world.link("a"), await world.link("b")
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    sha256 = await contents(a, world).put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert await contents(b, world).get(sha256) == data
    stored = await count(a, world)
    assert stored == max(1, -(-size // PART))
    assert await contents(b, world).put(data) == sha256  # somebody stored it: nothing is posted
    assert await contents(a, world).put(data) == sha256
    assert await count(a, world) == stored


async def test_what_many_stored_is_asked_of_few(world):
    """A thousand machines may store the same content at once: nobody reads a thousand copies of it."""
    names = [f"m{number}" for number in range(6)]
    links = [await world.link(name) for name in names]
    subjects, sha256 = Subjects(world.fleet), hashlib.sha256(b"the same").hexdigest()
    for number, link in enumerate(links):
        head = {"Nats-Msg-Id": f"c-{number}", PARTS: "1"}
        await link.post(subjects.content(sha256, "0", names[number]), b"the same", head)
    asked, last = [], links[0].last

    async def noted(stream, wanted):
        found = await last(stream, wanted)
        asked.extend(found)
        return found

    links[0].last = noted
    one = contents(links[0], world)
    assert await one.get(sha256) == b"the same"
    assert await one.put(b"the same") == sha256
    assert asked == []
    assert await count(links[1], world) == len(names)


async def test_what_is_not_there(world):
    link = await world.link("a")
    with pytest.raises(UnavailableError):
        await contents(link, world).get("0" * 64)


async def test_a_content_larger_than_the_reader_wants(world):
    link = await world.link("a")
    sha256 = await contents(link, world).put(b"x" * 2 * PART)
    for limit in (PART, 2 * PART - 1):
        with pytest.raises(ContentError):
            await contents(link, world).get(sha256, limit)
    assert len(await contents(link, world).get(sha256, 2 * PART)) == 2 * PART


BAD = {  # part -> (bytes, headers) that somebody else stored under the same hash
    "other bytes": {0: (b"evil", {PARTS: "1"})},
    "no count": {0: (b"evil", {})},
    "a count that is none": {0: (b"evil", {PARTS: "-1"})},
    "a count of another script": {0: (b"evil", {PARTS: "\u0661"})},
    "far too many": {0: (b"evil", {PARTS: "999999"})},
    "a part is missing": {0: (b"evil", {PARTS: "3"}), 2: (b"x", {PARTS: "3"})},
    "a part too large for the whole": {0: (b"x" * 900_000, {PARTS: "2"}), 1: (b"x" * 900_000, {PARTS: "2"})},
    "the middle of nowhere": {7: (b"evil", {PARTS: "1"})},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_bad_parts_of_another_are_in_nobodys_way(world, bad):
    evil, honest = await world.link("evil"), await world.link("honest")
    data = b"y" * (PART + 100)
    sha256 = hashlib.sha256(data).hexdigest()
    for part, (body, headers) in bad.items():
        await evil.post(f"post.{world.fleet}.content.{sha256}.{part}.evil", body, headers)
    with pytest.raises((ContentError, UnavailableError)):
        await contents(honest, world).get(sha256)
    await contents(honest, world).put(data)
    assert await contents(evil, world).get(sha256) == data


async def test_a_content_that_was_swept_away_can_be_stored_again(world):
    if world.kind == "memory":
        pytest.skip("the twin has no sweeper")
    link = await world.link("a")
    sha256 = await contents(link, world).put(b"data")
    await link.request(f"$JS.API.STREAM.PURGE.{world.fleet}-CONTENTS", b"", 5)
    await contents(link, world).put(b"data")
    assert await contents(link, world).get(sha256) == b"data"
