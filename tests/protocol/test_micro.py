"""What `nats micro ls` is told, read by another implementation of ADR-32."""

import json

import pytest
from nats.micro.service import ServiceInfo, ServicePing, ServiceStats

from roosync_protocol import micro


@pytest.fixture
def service(world):
    served = micro.Served(started=world.now)
    return micro.Service(fleet="home", machine="pc-a", version="0.1.0", served=served)


READERS = {"PING": ServicePing, "INFO": ServiceInfo, "STATS": ServiceStats}


@pytest.mark.parametrize("verb", READERS)
def test_another_implementation_reads_it(service, verb):
    read = READERS[verb].from_dict(json.loads(service.answer(verb)))
    assert (read.name, read.id, read.version) == ("roosync-home", "pc-a", "0.1.0")
    assert read.type == f"io.nats.micro.v1.{verb.lower()}_response"
    assert read.metadata["machine"] == "pc-a"
    if verb != "PING":
        assert [one.subject for one in read.endpoints] == ["roosync-rpc.home.pc-a.ping.*"]


def test_the_counts(service, world):
    service.served.count(300)
    service.served.count(100, "no ping")
    told = json.loads(service.answer("STATS"))
    assert told["started"] == "2026-01-16T12:00:00.000000Z"
    (endpoint,) = told["endpoints"]
    assert {name: endpoint[name] for name in endpoint if name not in ("name", "subject", "queue_group")} == {
        "num_requests": 2,
        "num_errors": 1,
        "last_error": "no ping",
        "processing_time": 400,
        "average_processing_time": 200,
        "data": None,
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [("0.1.0", "0.1.0"), ("1.2.3-rc.1", "1.2.3-rc.1"), ("0.2.0.dev3+g12", "0.2.0"), ("unknown", "0.0.0")],
)
def test_a_version_that_the_protocol_takes(world, given, told):
    service = micro.Service(fleet="home", machine="pc-a", version=given, served=micro.Served(started=world.now))
    said = json.loads(service.answer("PING"))
    assert (said["version"], said["metadata"]["roosync"]) == (told, given)


def test_subjects():
    assert micro.answered("home", "pc-a")[:4] == [
        "$SRV.PING",
        "$SRV.PING.roosync-home",
        "$SRV.PING.roosync-home.pc-a",
        "$SRV.INFO",
    ]
    assert len(micro.answered("home", "pc-a")) == 9
    assert [micro.verb_of(subject) for subject in micro.asked("home")] == [v for v in micro.VERBS for _ in range(3)]


def test_it_is_asked_for_nothing_else(service):
    with pytest.raises(ValueError, match="SCHEMA"):
        service.answer("SCHEMA")
