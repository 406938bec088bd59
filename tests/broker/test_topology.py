"""The table of what is stored covers the table of what is said, and every row has a bound."""

from roosync_broker import topology
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
