"""A server as another assistant's, and baselines with it and without it."""

from datetime import UTC, datetime

import pytest

from roosync_protocol.baseline import (
    Commons,
    Overlay,
    decode_commons,
    decode_overlay,
    effective,
    encode,
    removed_for,
    validate,
)
from roosync_protocol.consolidation import Choice, Collected, consolidate
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.forms import FormError
from roosync_protocol.servers import Dialect, Servers
from roosync_protocol.servers.identity import logical
from roosync_protocol.servers.sharing import require_words, shared, with_on, with_server, without_on, without_servers

T0 = datetime(2026, 1, 16, tzinfo=UTC)


def server(key, **value):
    return Entity(key=key, kind=Kind.MCP_SERVER, value=value)


def secret(key, place):
    return {"$secret": f"{key}/{place}"}


GITHUB = server(
    "cursor.mcp/github",
    command="npx",
    args=["-y", {"$parts": ["--token=", secret("cursor.mcp/github", "args/--token")]}],
    env={"TOKEN": secret("cursor.mcp/github", "env/TOKEN"), "LOG": "debug", "REF": "${env:HOME_OF_X}"},
    cwd="${home}/src",
    disabled=True,
    alwaysAllow=["*"],
    trust=True,
    timeout=60,
)


def test_only_what_the_server_is_travels():
    made = shared(GITHUB, "roo.mcp")
    assert made.key == "roo.mcp/github"
    assert made.value == {
        "command": "npx",
        "args": ["-y", {"$parts": ["--token=", secret("roo.mcp/github", "args/--token")]}],
        "env": {"TOKEN": secret("roo.mcp/github", "env/TOKEN"), "LOG": "debug", "REF": "${env:HOME_OF_X}"},
        "cwd": "${home}/src",
        "disabled": True,
    }
    assert logical(made) == logical(GITHUB)


def test_a_secret_of_another_entity_is_not_made_its_own():
    forged = server("cursor.mcp/github", command="x", env={"A": secret("roo.mcp/other", "env/A")})
    assert shared(forged, "claude.mcp").value["env"] == {"A": secret("roo.mcp/other", "env/A")}


@pytest.mark.parametrize(
    ("dialect", "value", "says"),
    [
        (Dialect(words={"http": "http"}), {"url": "https://a.example", "type": "sse"}, "no server of type 'sse'"),
        (Dialect(reference=""), {"command": "x", "env": {"A": "${env:A}"}}, "does not put one in there"),
        (Dialect(reference="", env_names="env_vars"), {"command": "x", "env": {"A": "${env:A}"}}, ""),
        (
            Dialect(reference="", env_names="env_vars"),
            {"command": "x", "args": ["${env:A}"]},
            "does not put one in there",
        ),
        (Dialect(disables=False), {"command": "x", "disabled": True}, "it is off"),
        (Dialect(disables=False, words={}), {"url": "u", "type": "sse", "disabled": True}, "type"),
        (Dialect(remote="http"), {"url": "https://a.example"}, "does not say its transport"),
        (Dialect(), {"url": "https://a.example", "type": "sse"}, ""),
        (Dialect(line=True, env="environment", enabled=True, local="local"), GITHUB.value, ""),
        (Dialect(), GITHUB.value, ""),
        (Dialect(), {}, "neither what to start nor where to call"),  # an extension starts it, known by its name
        (Dialect(), {"disabled": True}, "neither what to start"),
        (
            Dialect(reference="${%s}"),
            {"command": "x", "env": {"A": "${A_KEY}"}},
            r"in env it names A_KEY .* plain text",
        ),
        (Dialect(reference="$%s"), {"command": "sh", "args": ["-c", "x $A_B"]}, r"write \$\{env:A_B\} there first"),
        (Dialect(reference="${%s}"), {"command": "x", "env": {"A": "$A_KEY ${env:B}"}}, ""),
    ],
)
def test_an_assistant_without_words_is_refused(dialect, value, says):
    entity = shared(server("cursor.mcp/github", **value), "x.mcp")
    if not says:
        require_words(Servers(dialect), entity)
        return
    with pytest.raises(FormError, match=says):
        require_words(Servers(dialect), entity)


def test_a_target_without_a_form_takes_what_there_is():
    require_words(None, shared(GITHUB, "x.mcp"))


# -- baselines

A, B = server("roo.mcp/a", command="a"), server("roo.mcp/b", command="b")
COMMONS = Commons(entities={A.key: A, B.key: B})
OVERLAYS = {"m": Overlay(entities={A.key: server(A.key, command="own")}), "n": Overlay(excluded=frozenset({A.key}))}


def test_what_is_removed_is_removed_for_everybody():
    commons, overlays = without_servers(COMMONS, OVERLAYS, frozenset({A.key}))
    for machine in ("m", "n", "o"):
        assert set(effective(commons, overlays.get(machine))) == {B.key}
        assert removed_for(commons, overlays.get(machine)) == {A.key}
    assert validate(commons, overlays) == []
    back = with_server(commons, A.key, A)
    assert (back.entities, back.removed) == (COMMONS.entities, frozenset())


def test_one_machine_gives_up_what_the_others_keep():
    overlays = {"m": without_on(OVERLAYS["m"], frozenset({A.key}))}
    assert set(effective(COMMONS, overlays["m"])) == {B.key}
    assert removed_for(COMMONS, overlays["m"]) == {A.key}
    assert set(effective(COMMONS, overlays.get("o"))) == {A.key, B.key}
    assert decode_overlay(encode(overlays["m"])) == overlays["m"]
    again = with_on(overlays["m"], [A])
    assert set(effective(COMMONS, again)) == {A.key, B.key}
    assert removed_for(COMMONS, again) == frozenset()


def test_a_baseline_of_before_has_the_bytes_that_it_had():
    assert encode(OVERLAYS["n"]) == b'{"entities":{},"excluded":["roo.mcp/a"]}'
    assert decode_commons(encode(COMMONS)).entities == COMMONS.entities


def collected(machine, *entities):
    return Collected(
        machine=machine,
        collected_at=T0,
        targets=frozenset({"roo.mcp"}),
        entities={entity.key: entity for entity in entities},
    )


@pytest.mark.parametrize(
    ("previous", "everybody"),
    [
        (without_servers(COMMONS, {}, frozenset({A.key})), True),
        ((COMMONS, {"m": without_on(None, frozenset({A.key}))}), False),
    ],
    ids=["everywhere", "on one machine"],
)
def test_old_packages_and_a_new_baseline_do_not_bring_it_back(previous, everybody):
    packages = [collected("m", A, B), collected("n", A, B), collected("o", B)]
    commons, overlays = consolidate(packages, {}, previous=previous).baseline()
    again, overlays = consolidate(packages, {}, previous=(commons, overlays)).baseline()
    assert A.key in removed_for(again, overlays.get("m"))
    assert A.key not in effective(again, overlays.get("m"))
    for machine in ("n", "newcomer"):
        assert (A.key in removed_for(again, overlays.get(machine))) is everybody
        assert (A.key in effective(again, overlays.get(machine))) is not everybody


def test_who_gave_it_up_is_not_said_to_lack_it():
    previous = (COMMONS, {"m": without_on(None, frozenset({A.key}))})
    made = consolidate([collected("m", B), collected("n", A, B), collected("o", B)], {}, previous=previous)
    assert made.missing.get(A.key, ()) == ("o",)


def test_only_a_person_brings_it_back():
    previous = without_servers(COMMONS, {}, frozenset({A.key}))
    packages = [collected("m", A, B), collected("n", A, B)]
    choice = {A.key: Choice(take="machine", machine="m")}
    assert A.key in consolidate(packages, choice, previous=previous).baseline()[0].entities
