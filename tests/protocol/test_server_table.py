"""Server x assistant x machine, from packages made as data."""

import random

import pytest

from roosync_protocol.baseline import Commons, Overlay
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.servers.table import Held, command_line, letter, server_table

HOLDERS = frozenset({"roo.mcp", "cursor.mcp"})


def server(key, **value):
    return Entity(key=key, kind=Kind.MCP_SERVER, value=value)


def held(machine, *entities, targets=("roo.mcp",)):
    return Held(machine=machine, entities={e.key: e for e in entities}, targets=frozenset(targets))


def token(key):
    return {"TOKEN": {"$secret": f"{key}/env/TOKEN"}}


A = server("roo.mcp/x", command="npx", args=["x"], env=token("roo.mcp/x"), alwaysAllow=["*"])
SAME = server("cursor.mcp/x", command="npx", args=["x"], env=token("cursor.mcp/x"), disabled=True)
OTHER = server("roo.mcp/x", command="docker", args=["run", "x"])
MODE = Entity(key="roo.modes/x", kind=Kind.MODE, value={"slug": "x"})


def table(*machines, commons=None, overlays=None):
    return server_table(list(machines), commons or Commons(), overlays or {}, version="1.0.0", holders=HOLDERS)


def test_the_same_server_in_two_assistants_is_one_variant():
    found = table(held("m", A, SAME, MODE), held("n", OTHER), held("o", targets=["cursor.mcp", "roo.modes"]))
    (row,) = found.servers
    assert [(c.machine, c.target, c.variant, c.off, c.own) for c in row.cells] == [
        ("m", "cursor.mcp", "A", True, ()),
        ("m", "roo.mcp", "A", False, ("alwaysAllow",)),
        ("n", "roo.mcp", "B", False, ()),
    ]
    assert [variant.runs for variant in row.variants] == ["npx x", "docker run x"]
    assert row.variants[0].secrets == ("env/TOKEN",)
    assert found.targets == {"cursor.mcp": ("m", "o"), "roo.mcp": ("m", "n")}


@pytest.mark.parametrize(
    "change",
    [{"args": ["y"]}, {"env": {}}, {"env": {"TOKEN": "${env:TOKEN}"}}, {"cwd": "/"}, {"url": "https://a"}],
    ids=str,
)
def test_whatever_is_started_in_another_way_is_another_variant(change):
    (row,) = table(held("m", A), held("n", server("roo.mcp/x", **{**A.value, **change}))).servers
    assert {cell.variant for cell in row.cells} == {"A", "B"}


def test_what_the_baseline_says_of_each_variant():
    commons = Commons(entities={SAME.key: SAME}, removed=frozenset({"roo.mcp/x", "roo.mcp/y", "roo.modes/x"}))
    (row,) = table(held("m", A), commons=commons, overlays={"n": Overlay(entities={OTHER.key: OTHER})}).servers
    assert [(v.letter, v.baseline) for v in row.variants] == [("A", ("cursor.mcp",)), ("B", ("roo.mcp of n",))]
    assert row.removed == ("roo.mcp",)
    assert {cell.machine for cell in row.cells} == {"m"}


def test_any_order_of_the_packages_gives_the_same_letters():
    machines = [
        held(f"m{n}", server("roo.mcp/x", command=f"c{n % 7}"), server("roo.mcp/y", command="y")) for n in range(30)
    ]
    first = table(*machines)
    for seed in range(5):
        random.Random(seed).shuffle(machines)
        assert table(*machines) == first


def test_more_variants_than_letters():
    assert [letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]
    (row,) = table(*(held(f"m{n}", server("roo.mcp/x", command=f"c{n}")) for n in range(60))).servers
    assert len({cell.variant for cell in row.cells}) == 60


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"command": "npx", "args": ["-y", "@a/b@1.2"]}, "npx -y @a/b@1.2"),
        ({"command": "C:\\x\\y.exe"}, "C:\\x\\y.exe"),
        ({"command": "sh", "args": ["-c", "a | b"]}, 'sh -c "a | b"'),
        ({"command": "x", "args": [{"$secret": "/args/0"}]}, "x <secret args/0>"),
        ({"command": "x", "args": [{"$parts": ["--t=", {"$secret": "/args/--t"}]}]}, "x --t=<secret args/--t>"),
        ({"url": "https://a.example/mcp?x=1", "type": "sse"}, "https://a.example/mcp?x=1"),
        ({"command": "x", "args": [1, True, None, ""]}, 'x 1 true null ""'),
        ({"command": "x", "args": "y z"}, 'x "y z"'),
        ({}, "?"),
        ([], "?"),
    ],
)
def test_what_is_started_on_one_line(value, line):
    assert command_line(value) == line
