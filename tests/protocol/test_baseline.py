"""Contents of a baseline: canonical bytes, hostile bytes, what a machine should have, versions, validation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.baseline import (
    Commons,
    MalformedContent,
    Overlay,
    decode_commons,
    decode_overlay,
    differences,
    effective,
    encode,
    next_version,
    problems,
    removed_for,
    validate,
)
from roosync_protocol.entity import Entity, Kind


def entity(key, value, kind=Kind.SETTING):
    return Entity(key=key, kind=kind, value=value)


def entities(**values):
    return {f"t/{name}": entity(f"t/{name}", value) for name, value in values.items()}


def test_equal_contents_are_equal_bytes():
    one = Commons(entities=entities(a={"x": 1, "y": 2.0}, b=[1]), removed=frozenset({"t/z", "t/y"}))
    other = Commons(entities=entities(b=[1.0], a={"y": 2, "x": 1}), removed=frozenset({"t/y", "t/z"}))
    assert encode(one) == encode(other)
    assert decode_commons(encode(one)) == one


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from("abc"), VALUES), st.frozensets(st.sampled_from(["t/a", "t/q"])))
def test_contents_survive_the_bus(values, keys):
    commons, overlay = (
        Commons(entities=entities(**values), removed=keys),
        Overlay(entities=entities(**values), excluded=keys),
    )
    assert decode_commons(encode(commons)) == commons
    assert decode_overlay(encode(overlay)) == overlay


HOSTILE = {
    "nothing": b"",
    "no object": b"[]",
    "no entities": b"{}",
    "no text": b'{"entities":{"t/\xff":{"kind":"setting","value":1}}}',
    "a key without a target": b'{"entities":{"/abc":{"kind":"setting","value":1}}}',
    "a key without a name": b'{"entities":{"abc/":{"kind":"setting","value":1}}}',
    "a key without both": b'{"entities":{"abc":{"kind":"setting","value":1}}}',
    "an endless key": b'{"entities":{"t/' + b"a" * 700 + b'":{"kind":"setting","value":1}}}',
    "a kind of the future": b'{"entities":{"t/a":{"kind":"program","value":1}}}',
    "a server that is no map": b'{"entities":{"t/a":{"kind":"mcp_server","value":[]}}}',
    "a text that is no text": b'{"entities":{"t/a":{"kind":"text","value":{}}}}',
    "a text that would be elsewhere": b'{"entities":{"t/../../x":{"kind":"text","value":""}}}',
    "a deep nest": b'{"entities":{"t/a":{"kind":"setting","value":' + b"[" * 100_000,
    "too much": b'{"entities":{"t/a":{"kind":"setting","value":"' + b"a" * (33 << 20) + b'"}}}',
    "too many removed": b'{"entities":{},"removed":[' + b",".join([b'"t/a"'] * 50_001) + b"]}",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_bytes_that_are_no_content_are_refused(data):
    with pytest.raises(MalformedContent):
        decode_commons(data)
    with pytest.raises(MalformedContent):
        decode_overlay(data.replace(b'"removed"', b'"excluded"'))


def test_fields_of_the_future_are_passed_over():
    assert decode_commons(b'{"entities":{},"removed":[],"colour":1}') == Commons()


def test_what_one_machine_should_have():
    commons = Commons(entities=entities(a=1, b=1, c=1) | {"u/a": entity("u/a", 1)}, removed=frozenset({"t/x", "t/y"}))
    overlay = Overlay(entities=entities(b=2, d=2, x=2), excluded=frozenset({"t/c", "t/y"}))
    have = effective(commons, overlay, {"t"})
    assert {key: e.value for key, e in have.items()} == {"t/a": 1, "t/b": 2, "t/d": 2, "t/x": 2}
    assert list(have) == sorted(have)
    assert effective(commons, None) == commons.entities
    assert removed_for(commons, overlay) == frozenset()
    assert removed_for(commons, None) == {"t/x", "t/y"}


ONE, MORE = Commons(entities=entities(a=1)), Commons(entities=entities(a=1, b=1))
CHANGED = Commons(entities=entities(a=2))
VERSIONS = {  # previous, given, before, after -> version
    "the first": (None, None, None, None, "1.0.0"),
    "the first, given": (None, "0.1.0", None, None, "0.1.0"),
    "something came": ("1.2.3", None, ONE, MORE, "1.3.0"),
    "something went": ("1.2.3", None, MORE, ONE, "1.3.0"),
    "a value changed": ("1.2.9", None, ONE, CHANGED, "1.2.10"),
    "nothing is known": ("1.2.3", None, None, None, "1.2.4"),
    "given": ("1.9.0", "1.10.0", ONE, CHANGED, "1.10.0"),
}


@pytest.mark.parametrize(("previous", "given", "before", "after", "expected"), VERSIONS.values(), ids=VERSIONS)
def test_next_version(previous, given, before, after, expected):
    assert next_version(previous, given, before, after) == expected


@pytest.mark.parametrize(
    "given", ["1.2.3", "1.2.2", "0.9.9", "1.2", "v1.3.0", "1.3.0-rc1", "1.03.0", "", "1.3.0\n", "١.0.0"]
)
def test_versions_that_are_none_or_not_greater_are_refused(given):
    with pytest.raises(ValueError, match="version"):
        next_version("1.2.3", given)


PROBLEMS = {
    "a home on Windows": ({"command": "C:\\Users\\x\\node.exe"}, "path of one machine"),
    "a home": ({"args": ["--root=/home/x/dev"]}, "path of one machine"),
    "a disk of the subsystem": ({"cwd": "/mnt/c/dev"}, "path of one machine"),
    "inside a command line": ({"command": "cd ~/dev"}, "path of one machine"),
}


@pytest.mark.parametrize(("value", "words"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_one_machine_owns_does_not_belong_into_the_commons(value, words):
    (problem,) = validate(Commons(entities=entities(a=value)))
    assert "t/a" in problem
    assert words in problem
    assert validate(Commons(), {"pc": Overlay(entities=entities(a=value))}) == []


FINE = [
    {"command": "/usr/bin/env"},
    "${home}/dev",
    "npx",
    "https://example.org/home/x",
    "/think step",
    "a\nb /home/x\n",
]


@pytest.mark.parametrize("value", FINE, ids=str)
def test_what_is_everywhere_may_be_common(value):
    assert validate(Commons(entities=entities(a=value))) == []


def test_a_secret_is_found_in_commons_and_overlays():
    value = {"env": {"GITHUB_TOKEN": "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"}}
    found = {"t/s": entity("t/s", value, Kind.MCP_SERVER)}
    assert "secret" in "".join(validate(Commons(entities=found)))
    assert "overlay of pc" in "".join(validate(Commons(), {"pc": Overlay(entities=found)}))


ANSWERS = {  # what is in the way -> the answer that ends it
    "a path": ({"command": "D:\\x.exe"}, "special"),
    "a secret": ({"env": {"GITHUB_TOKEN": "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"}}, "omit"),
    "both": ({"cwd": "/home/x", "env": {"GITHUB_TOKEN": "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"}}, "omit"),
}


@pytest.mark.parametrize(("value", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_what_is_in_the_way_is_known_with_what_ends_it(value, answer):
    found = problems(Commons(entities={"t/s": entity("t/s", value, Kind.MCP_SERVER)}))
    assert {(one.key, one.answer) for one in found} == {("t/s", answer)}


def test_a_key_can_not_be_wanted_and_removed():
    assert "both" in validate(Commons(entities=entities(a=1), removed=frozenset({"t/a"})))[0]


def test_differences_between_versions():
    old = Commons(entities=entities(a=1, b={"alwaysAllow": ["x", "y"]}, c=1))
    new = Commons(entities=entities(a=2, b={"alwaysAllow": ["y", "x"]}, d=1))
    assert differences(old, new) == (["t/d"], ["t/c"], ["t/a"])
