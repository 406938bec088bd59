"""Where a new entity stands and which comment lines it brings; hostile lines are dropped."""

import random
from datetime import UTC, datetime

import pytest

from roosync_protocol.baseline import Commons, decode_commons, encode
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.package import FileContent, HostilePackageError, build, read_contents
from roosync_protocol.placing import LENGTH, LINES, NOWHERE, Placing, gathered, joined, readable

PLACES = {
    "after its neighbour": ("abcde", "c", "ab", 2),
    "after the nearest that is here": ("abcde", "d", "ae", 1),
    "before the one behind, when none before is here": ("abcde", "a", "xe", 1),
    "first": ("abcde", "a", "bcde", 0),
    "nobody known": ("abcde", "c", "xyz", None),
    "its source says nothing": ("abde", "c", "ab", None),
    "nothing here": ("abc", "b", "", None),
}


@pytest.mark.parametrize(("order", "name", "here", "index"), PLACES.values(), ids=PLACES)
def test_it_goes_next_to_the_neighbour_that_its_source_has(order, name, here, index):
    placing = Placing(order={"roo.modes": tuple(order)})
    assert placing.index(f"roo.modes/{name}", list(here)) == index


ORDERS = {
    "one": (["abc"], "abc"),
    "what others have more": (["abc", "axbc", "abyc"], "axbyc"),
    "before all": (["bc", "abc"], "abc"),
    "strangers go to the end": (["ab", "xy"], "abxy"),
    "the first one wins": (["ab", "ba"], "ab"),
}


@pytest.mark.parametrize(("orders", "wanted"), ORDERS.values(), ids=ORDERS)
def test_orders_are_joined_without_moving_what_is_there(orders, wanted):
    assert "".join(joined(map(tuple, orders))) == wanted
    assert joined([joined(map(tuple, orders)), *map(tuple, orders)]) == joined(map(tuple, orders))


UNREADABLE = {
    "a line end": ("one\ntwo",),
    "a line separator": ("one\u2028two",),
    "what turns the direction": ("one\u202etwo",),
    "nothing to see": ("one\u200btwo",),
    "a control": ("one\x1b[2Jtwo",),
    "too long": ("x" * (LENGTH + 1),),
    "too many": ("x",) * (LINES + 1),
    "a secret": ("why", "token: ghp_" + "FAKEfake" * 4 + "1234"),
    "a password in words": ("the password is hunter2horse",),
    "a folder of one person": ("see /home/alice/project for more",),
    "an order to an editor": ("vim: set ft=sh:",),
    "another one": ("yaml-language-server: $schema=https://a.example/s.json",),
    "a rule": ("---- servers ----",),
    "what looks like a member": ('"b": {"command": "x"},',),
    "a sign that can not be seen": ("one\ufe01two",),
    "a secret over two lines": ("-----BEGIN PRIVATE KEY-----", "A" * 40),
}


@pytest.mark.parametrize("lines", UNREADABLE.values(), ids=UNREADABLE)
def test_comments_that_may_not_travel_are_dropped_wherever_they_come_from(lines):
    assert readable(lines) == ()
    assert received(entities={"a": {}}, comments={"a": lines}).comments == {}
    sent = Commons(placing=Placing(comments={"roo.mcp/a": lines[:LINES]}))
    if all(len(line) <= LENGTH for line in lines) and len(lines) <= LINES:
        assert decode_commons(encode(sent)).placing.comments == {}


def received(kind=Kind.MCP_SERVER, target="roo.mcp", **content):
    """The places of a package's file, as another machine reads them."""
    made = build("pc-b", "1.0.0", datetime(2026, 1, 16, tzinfo=UTC), [
        FileContent(target=target, path="x", format="jsonc", kind=kind, **content)
    ])  # fmt: skip
    file = made.manifest.files[0]
    try:
        return read_contents(file, made.contents[file.hash]).placing
    except HostilePackageError:  # a line that is too long: the file is refused
        return NOWHERE


def test_what_is_said_of_entities_that_are_not_there_is_dropped():
    placing = received(entities={"a": {}}, order=("x", "a", "y", "a"), comments={"a": ("why",), "x": ("who",)})
    assert placing == Placing(order={"roo.mcp": ("a",)}, comments={"roo.mcp/a": ("why",)})


def test_a_comment_goes_by_itself():
    placing = Placing(order={"t": ("a",)}, comments={"t/a": ("x",), "t/b": ("y",)})
    assert placing.without_comment("t/a") == Placing(order={"t": ("a",)}, comments={"t/b": ("y",)})
    assert placing.without_comment("t/c") is placing


def test_texts_have_no_places():
    assert received(Kind.TEXT, "roo.rules", entities={"a": "x"}, order=("a",), comments={"a": ("why",)}) == NOWHERE


def test_a_long_order_is_joined_in_one_walk():
    many = tuple(map(str, range(200_000)))
    made = joined([many[::3], many, ("x", *many[:10], "y")])
    assert made[:3] == ("x", "0", "1")
    assert len(made) == len(many) + 2


def test_ordinary_comments_travel():
    assert readable(("why: see docs/modes.md", "", "# é 💻")) == ("why: see docs/modes.md", "", "# é 💻")


def test_a_baseline_without_places_has_the_bytes_that_it_always_had():
    assert b"placing" not in encode(Commons())
    placed = Commons(placing=Placing(order={"roo.mcp": ("b", "a")}, comments={"roo.mcp/a": ("why",)}))
    assert decode_commons(encode(placed)) == placed


@pytest.mark.parametrize("value", [None, 1.5, "\U0001f3d7\ufe0f", {"a": [1.0, None]}])
def test_a_baseline_of_any_value_has_places(value):
    entity = Entity(key="roo.mcp/a", kind=Kind.MCP_SERVER, value={"x": value})
    content = Commons(
        entities={entity.key: entity}, placing=Placing(order={"roo.mcp": ("a",)}, comments={"roo.mcp/a": ("why",)})
    )
    assert decode_commons(encode(content)) == content


def test_what_is_gathered_does_not_depend_on_the_order_of_machines():
    rng = random.Random(1)
    names = "abcdefgh"
    placings = {
        f"pc-{n}": Placing(
            order={"roo.mcp": tuple(rng.sample(names, 6))}, comments={f"roo.mcp/{c}": (f"{n}{c}",) for c in names[n:]}
        )
        for n in range(4)
    }
    sources = {f"roo.mcp/{c}": tuple(rng.sample(sorted(placings), 2)) for c in names}
    made = gathered(placings, sources, NOWHERE)
    for _ in range(5):
        shuffled = dict(rng.sample(list(placings.items()), 4))
        assert gathered(shuffled, {k: tuple(reversed(v)) for k, v in sources.items()}, NOWHERE) == made
    assert gathered(placings, sources, made) == made
    assert set(made.order["roo.mcp"]) == set(names)
    assert gathered({}, {"roo.mcp/a": None}, made) == made.only(["roo.mcp/a"]), "no package speaks of it"
    assert gathered(placings, {"roo.mcp/h": ()}, made).comments == {}, "whoever has it has no comment on it any more"
