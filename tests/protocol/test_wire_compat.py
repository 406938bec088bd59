"""A fleet is never updated at one moment: what releases N-1 and N say to each other is understood by both.

`tests/wire/<version>/` has what a fleet of that release really said (`tests/wire/record.py`), what it made of it, and
its description of the protocol. Today's code has to read it in the same way, and may only say what those readers can
read.
"""

import base64
import importlib.util
import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from roosync_broker.keys import KeyPair, verify
from roosync_protocol import __version__, envelope
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import MalformedError, Member, decode, encode
from roosync_protocol.messages.base import NO_TEXT
from roosync_protocol.subjects import BY_MESSAGE, BY_NAME, Subjects
from roosync_protocol.versions import at_least

WIRE = Path(__file__).parents[1] / "wire"
DOCS = Path(__file__).parents[2] / "docs" / "asyncapi.json"
RELEASES = sorted(folder for folder in WIRE.iterdir() if (folder / "expected.json").exists())
# What a field may say today and a reader of that release refuses, with the reason why it does no harm there.
# (release, "Schema.field"): reason
WIDENED: dict[tuple[str, str], str] = {}

NOT_OURS = re.compile(r"/(tmp|home|root|work|var|private)/.{30}|\bghp_\w+|\bS[UAO][A-Z2-7]{56}\b|PRIVATE KEY")

each_release = pytest.mark.parametrize("folder", RELEASES, ids=lambda folder: folder.name)


@pytest.fixture(scope="module")
def record():
    spec = importlib.util.spec_from_file_location("wire_record", WIRE / "record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def today():
    return json.loads(DOCS.read_text("utf-8"))


def described(folder):
    return json.loads((folder / "asyncapi.json").read_text("utf-8"))


# -- today's code reads what that release said


@each_release
def test_every_message_is_opened(record, folder):
    heard, faults = record.opened(folder)
    assert faults == {}
    said = {type(one.message).__name__ for _, one in heard}
    assert said == described(folder)["components"]["messages"].keys() - {"Content", "Mail"}, "each kind was recorded"


@each_release
def test_law_and_records_are_believed_in_the_same_way(record, folder):
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    assert not list(differences(expected, record.folded(folder), ""))


def differences(before, now, place):
    """Where today's reading is another one; a field that is new has to say nothing."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() | now.keys():
            if key in before and key in now:
                yield from differences(before[key], now[key], f"{place}/{key}")
            elif key in before or now[key] not in (None, "", 0, False, [], {}):
                yield f"{place}/{key}"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from differences(one, other, f"{place}/{number}")
    elif before != now:
        yield f"{place}: {before!r} became {now!r}"


@each_release
def test_nothing_of_this_workplace_and_no_secret_was_recorded(record, folder):
    texts = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    for line in record.lines(folder, "CONTENTS"):
        texts[line["subject"]] = base64.b64decode(line["bytes"]).decode()
    found = [(name, one[0]) for name, text in texts.items() for one in NOT_OURS.finditer(text)]
    assert not found


# -- and that release reads what today's code says


@each_release
def test_what_it_knew_still_stands_where_it_was(folder, today):
    before = described(folder)
    for name, channel in before["channels"].items():
        assert today["channels"].get(name, {}).get("address") == channel["address"], name
        assert today["channels"][name]["messages"] == channel["messages"], name
        assert today["channels"][name]["summary"] == channel["summary"], "who may post it, and where it is stored"
    for name, message in before["components"]["messages"].items():
        now = today["components"]["messages"][name]
        assert (now.get("name"), now.get("payload")) == (message.get("name"), message.get("payload")), name
        assert now.get("headers") == message.get("headers"), name


@each_release
def test_every_field_it_knew_is_there_and_says_what_it_said(folder, today):
    old, new = described(folder)["components"]["schemas"], today["components"]["schemas"]
    wrong = []
    for name, schema in old.items():
        if name not in new:
            wrong.append(f"{name} is gone")
            continue
        wrong += [f"{name}.{field} {fault}" for field, fault in compared(schema, new[name], (folder.name, name))]
    assert not wrong


def compared(old, new, where):
    """(field, what is wrong) of an object of both releases."""
    if "properties" not in old:
        yield from ((word, fault) for word, fault in [("", refuses(new, old)), ("", refuses(old, new))] if fault)
        return
    release, name = where
    for field, shape in old["properties"].items():
        if field not in new["properties"]:
            yield field, "is gone"
            continue
        now = new["properties"][field]
        if fault := refuses(now, shape):
            yield field, f"does not take what it took: {fault}"
        if (release, f"{name}.{field}") not in WIDENED and (fault := refuses(shape, now)):
            yield field, f"may say what {release} refuses: {fault}"
        if shape.get("default") != now.get("default"):
            yield field, "means something else when it is left out"
    for field in set(new.get("required", ())) - set(old.get("required", ())):
        yield field, f"is required, and {release} does not say it"


AT_MOST = ("maxLength", "maximum", "maxItems", "maxProperties", "exclusiveMaximum")
AT_LEAST = ("minLength", "minimum", "minItems", "minProperties", "exclusiveMinimum")
INSIDE = ("items", "additionalProperties", "propertyNames")


def refuses(reader, said):
    """Why a reader of one shape would refuse something of the other; "" when it takes all of it."""
    if "anyOf" in said:
        return next((fault for one in said["anyOf"] if (fault := refuses(reader, one))), "")
    if "anyOf" in reader:
        faults = [refuses(one, said) for one in reader["anyOf"]]
        return "" if "" in faults else faults[0]
    if "enum" in reader:
        more = set(map(str, said.get("enum", ["anything"]))) - set(map(str, reader["enum"]))
        return f"{sorted(more)}" if more else ""
    for word in ("$ref", "type", "pattern", "format"):
        if word in reader and reader[word] != said.get(word, "string" if word == "type" and "enum" in said else None):
            return f"{word} {said.get(word)} instead of {reader[word]}"
    for word in AT_MOST:
        if word in reader and said.get(word, float("inf")) > reader[word]:
            return f"{word} {said.get(word)}"
    for word in AT_LEAST:
        if word in reader and said.get(word, float("-inf")) < reader[word]:
            return f"{word} {said.get(word)}"
    if reader.get("uniqueItems") and not said.get("uniqueItems"):
        return "things twice"
    for word in INSIDE:
        if isinstance(reader.get(word), dict) and (fault := refuses(reader[word], said.get(word) or {})):
            return f"{word}: {fault}"
    return ""


REFUSED = {
    "another type": ({"type": "string"}, {"type": "integer"}),
    "a longer text": ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 10}),
    "any length": ({"type": "string", "maxLength": 9}, {"type": "string"}),
    "another word": ({"enum": ["a"]}, {"enum": ["a", "b"]}),
    "no word": ({"enum": ["a"]}, {"type": "string"}),
    "null": ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "in a list": ({"type": "array", "items": {"$ref": "A"}}, {"type": "array", "items": {"$ref": "B"}}),
    "a smaller number": ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 0}),
    "another pattern": ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}),
}


@pytest.mark.parametrize(("reader", "said"), REFUSED.values(), ids=REFUSED)
def test_the_comparison_sees(reader, said):
    assert refuses(reader, said)
    assert not refuses(said, said)
    assert not refuses(reader, reader)


@each_release
def test_what_it_said_is_said_today_with_every_field_that_it_needs(record, folder):
    """Through today's code and back: its fields say the same, and what was added is beside them."""
    schemas = described(folder)["components"]["schemas"]
    for stream in record.STREAMS:
        for line in record.lines(folder, stream):
            if record.CONTENT in line["subject"]:
                continue
            before, message = json.loads(line["data"]), decode(line["data"].encode())
            now = json.loads(encode(message))
            schema = schemas[type(message).__name__]
            assert now.keys() >= set(schema["required"]), line["subject"]
            assert now.keys() >= before.keys(), line["subject"]
            assert decode(json.dumps(now).encode()) == message


# -- what neither knows yet


def signed(pair, subject, data):
    """As a release to come would post it."""
    signature = base64.b64encode(pair.sign(b"%b%b\n%b\n%b" % (NO_TEXT, subject.encode(), b"o-1", data))).decode()
    return {envelope.ID: "o-1", envelope.SIGNER: pair.public, envelope.SIGNATURE: signature}


FRAME = {"agent": "pc-a", "timestamp": "2026-11-21T12:00:00Z"}
TOMORROW = {
    "a kind that nobody knows": ("post.wire.tomorrow.pc-a", FRAME | {"type": "roosync.v1.tomorrow"}),
    "a law that nobody knows": ("post.wire.tomorrow.main.pc-a", FRAME | {"type": "roosync.v1.tomorrow"}),
    "another version of a kind": ("post.wire.status.pc-a", FRAME | {"type": "roosync.v2.status"}),
    "a state that nobody knows": (
        "post.wire.request.pc-a.r-1.pc-a",
        FRAME | {"type": "roosync.v1.request", "status": "delegated"},
    ),
}


@pytest.mark.parametrize(("subject", "body"), TOMORROW.values(), ids=TOMORROW)
def test_what_is_of_a_release_to_come_is_refused_and_changes_nothing(record, subject, body):
    heard, _ = record.opened(RELEASES[-1])
    root = next(one.signer for stream, one in heard if stream == "LAW")
    fleet, data = Fleet(Law(fleet="wire", root=root), verify), msgspec.json.encode(body)
    for number, (_, one) in enumerate(heard):
        if number == len(heard) // 2:
            with pytest.raises(MalformedError):
                envelope.unseal(Subjects("wire"), subject, data, signed(KeyPair.generate(), subject, data), verify, 7)
            fleet.hear_unread(subject, 100_000)
        fleet.hear(one)
    expected = json.loads((RELEASES[-1] / "expected.json").read_text("utf-8"))
    said = json.loads(msgspec.json.encode(list(fleet.decisions())))
    assert not list(differences(expected["decisions"], said, ""))
    assert fleet.law.machines() == expected["machines"]


def test_a_field_of_a_release_to_come_is_left_out_and_the_rest_counts(record):
    subjects, pair = Subjects("wire"), KeyPair.generate()
    heard, _ = record.opened(RELEASES[-1])
    member = next(one.message for _, one in heard if isinstance(one.message, Member))
    member = replace(member, labels={"role": "build"})
    body = json.loads(encode(member)) | {"tomorrow": {"a": [1]}}
    subject, data = subjects.of(member), msgspec.json.encode(body)
    found = envelope.unseal(subjects, subject, data, signed(pair, subject, data), verify)
    assert found.message == member


@each_release
def test_new_messages_travel_where_no_message_of_that_release_does(folder):
    """Or its readers would take them for something else, and its broker store them there."""
    before = described(folder)
    known = {message["name"] for message in before["components"]["messages"].values() if "name" in message}
    taken = {channel["address"].split(".")[2] for channel in before["channels"].values()}
    for message, kind in BY_MESSAGE.items():
        if message.__struct_config__.tag not in known:
            assert kind.name not in taken, kind.name
    assert taken <= BY_NAME.keys()


def test_this_release_has_one_version_and_is_newer_than_what_was_recorded():
    project = tomllib.loads((DOCS.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    assert all(at_least(__version__, folder.name) for folder in RELEASES)
