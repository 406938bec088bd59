"""A known secret is found in a text in whichever way it is spelled there."""

import json

import pytest

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.secrets import hide
from roosync_protocol.secrets.spelling import spellings


@pytest.mark.parametrize(
    ("stored", "ways"),
    [
        ("hunter2", {"hunter2"}),
        ('a"b\\c', {'a"b\\c', 'a\\"b\\\\c'}),
        ("mot de passé", {"mot de passé", "mot de pass\\u00e9"}),
        ("a\nb", {"a\nb", "a\\nb"}),
        ("\0json:12345", {"12345"}),
        ("x\0json:y", {"x\0json:y", "x\\u0000json:y"}),  # the mark stands at the beginning, or is none
        ("", {""}),
    ],
)
def test_each_way_that_a_secret_may_stand_in_a_file(stored, ways):
    assert spellings(stored) == ways


@pytest.mark.parametrize("secret", ['s3cr3t-with-\u00e9-and-"quotes"', 1234567890])
def test_what_hiding_keeps_is_found_in_the_file_it_came_from(secret):
    value = {"command": "x", "env": {"API_TOKEN": secret}}
    _, found = hide(Entity(key="roo.mcp/x", kind=Kind.MCP_SERVER, value=value))
    ways = spellings(*found.values())
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert any(way in text for way in ways)
