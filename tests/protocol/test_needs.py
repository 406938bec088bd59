"""What a change needs, and the signed question about it: nothing can be probed, and no lie gets onto a card."""

import pytest

from roosync_broker.keys import verify
from roosync_protocol import needs
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.needs import Answer, Asked, Need, NotSaidError, Question, Told, needs_of
from roosync_protocol.programs import programs

SERVERS = {  # value -> the programs it names
    "a command": ({"command": "npx", "args": ["-y", "x"]}, ["npx"]),
    "behind env": ({"command": "env", "args": ["A=1", "uvx", "y"]}, ["env", "uvx"]),
    "behind switches nobody knows": ({"command": "env", "args": ["-u", "A", "uvx"]}, ["env"]),
    "a path with blanks": ({"command": "C:/Program Files/x/y.exe"}, ["C:/Program Files/x/y.exe"]),
    "a line": ({"command": "npx -y foo"}, ["npx"]),
    "a list": ({"command": ["docker", "run"]}, ["docker"]),
    "a map": ({"command": {"path": "zed", "args": ["a"]}}, ["zed"]),
    "an address": ({"url": "https://a.example"}, []),
    "a secret": ({"command": {"$secret": "roo.mcp/a/command"}}, []),
    "no text": ({"command": 5, "args": "x"}, []),
    "something to move the cursor": ({"command": "npx\x1b[2J"}, []),
    "far too long": ({"command": "a" * 301}, []),
}
HOOKS = {"PreToolUse": [{"hooks": [{"type": "command", "command": c} for c in ("jq -r .x", "$DIR/x.sh", "a; b")]}]}
SETTINGS = {
    "hooks": ("claude.settings/hooks", HOOKS, ["jq"]),
    "a line": ("claude.settings/statusLine", {"type": "command", "command": "starship prompt"}, ["starship"]),
    "a list": ("codex.config/notify", ["python3", "a.py"], ["python3"]),
    "a path": ("roo.profiles/claudeCodePath", "${home}/bin/claude", ["${home}/bin/claude"]),
    "nothing that starts": ("claude.settings/model", "opus", []),
}


def server(value):
    return Entity(key="roo.mcp/a", kind=Kind.MCP_SERVER, value=value)


@pytest.mark.parametrize(("value", "names"), SERVERS.values(), ids=SERVERS)
def test_the_programs_of_a_server(value, names):
    assert [program.name for program in programs(server(value))] == names


@pytest.mark.parametrize(("key", "value", "names"), SETTINGS.values(), ids=SETTINGS)
def test_the_programs_of_a_setting(key, value, names):
    assert [program.name for program in programs(Entity(key=key, kind=Kind.SETTING, value=value))] == names


def test_where_a_value_says_that_its_program_is():
    value = {"command": "./x", "cwd": "${home}/y", "env": {"PATH": "/opt/bin"}}
    (program,) = programs(server(value))
    assert (program.folder, program.path) == ("${home}/y", "/opt/bin")


def test_needs_are_each_told_once_and_bounded():
    env = {f"T{number}": {"$secret": f"roo.mcp/a/env/T{number}"} for number in range(100)}
    found = needs_of(server({"command": "npx", "env": env}))
    assert found[:2] == (Need("program", "npx"), Need("secret", "env/T0"))
    assert len(found) == needs.MOST_NEEDS


# -- the signed question

NONCE = "0123456789abcdef"
NEEDED = frozenset({Need("program", "npx"), Need("secret", "env/T")})


def question(**other):
    given = {"fleet": "home", "machine": "pc-b", "asker": "pc-a", "nonce": NONCE, "asked": (Asked(decision="d-1"),)}
    return Question(**given | other)


def asked(world, signer="pc-a", **other):
    pair = world.key(signer)
    return needs.ask(question(**other), pair.public, pair.sign)


def read_question(world, data):
    return needs.read_question(data, "pc-b", "pc-a", world.law, verify)


def replied(world, signer="pc-b", **other):
    given = {"fleet": "home", "machine": "pc-b", "nonce": NONCE, "told": (Told(wanted="0" * 64),)} | other
    pair = world.key(signer)
    return needs.reply(Answer(**given), pair.public, pair.sign)


def read_reply(world, data):
    return needs.read_reply(data, question(), [NEEDED], world.law, verify)


def test_a_question_of_a_member_is_read_and_answered(world):
    assert read_question(world, asked(world)) == question()
    told = Told(wanted="0" * 64, lacks=(Need("program", "npx"),), unsure=(Need("secret", "env/T"),))
    assert read_reply(world, replied(world, told=(told,))) == (told,)


NO_QUESTIONS = {
    "signed by another machine": (lambda w: asked(w, "pc-b"), "not signed with the key"),
    "signed by a stranger": (lambda w: asked(w, "stranger"), "not signed with the key"),
    "of another fleet": (lambda w: asked(w, fleet="work"), "somebody else"),
    "to another machine": (lambda w: asked(w, machine="pc-a"), "somebody else"),
    "in another's name": (lambda w: asked(w, asker="op-ann"), "somebody else"),
    "without anything": (lambda w: asked(w, asked=()), "length"),
    "about too much": (lambda w: asked(w, asked=(Asked(decision="d-1"),) * 101), "length"),
    "with a name that is none": (lambda w: asked(w, asked=(Asked(decision="d" * 64),)), "length"),
    "huge": (lambda w: b" " * (needs.MOST + 1), "bytes"),
    "no JSON": (lambda w: b"\xff\xfe", None),
    "deep": (lambda w: b"[" * 100_000, None),
    "an answer": (lambda w: replied(w), None),
}


@pytest.mark.parametrize(("made", "says"), NO_QUESTIONS.values(), ids=NO_QUESTIONS)
def test_what_is_no_question_is_left_without_an_answer(world, made, says):
    with pytest.raises(ValueError, match=says):
        read_question(world, made(world))


def test_whoever_was_revoked_asks_nothing(world):
    data = asked(world)
    world.enact(world.member("pc-a", revoked=True))
    with pytest.raises(ValueError, match="not signed with the key"):
        read_question(world, data)


EVIL = Need("program", "npx\n  Lacks       nothing")
LIES = {
    "signed by another": (lambda w: replied(w, "pc-a"), "not signed with the key of pc-b"),
    "in another's name": (lambda w: replied(w, machine="pc-a"), "another question"),
    "to another question": (lambda w: replied(w, nonce="f" * 16), "another question"),
    "about more": (lambda w: replied(w, told=(Told(),) * 2), "2 things"),
    "about nothing": (lambda w: replied(w, told=()), "0 things"),
    "naming what is not needed": (lambda w: replied(w, told=(Told(lacks=(EVIL,)),)), "does not need"),
    "unsure of what is not needed": (lambda w: replied(w, told=(Told(unsure=(EVIL,)),)), "does not need"),
    "too many names": (lambda w: replied(w, told=(Told(lacks=(Need("program", "npx"),) * 61),)), "can not be read"),
    "huge": (lambda w: b"x" * (needs.MOST + 1), "can not be read"),
    "no JSON": (lambda w: b"{", "can not be read"),
    "a question": (lambda w: asked(w, "pc-b"), "can not be read"),
}


@pytest.mark.parametrize(("made", "says"), LIES.values(), ids=LIES)
def test_a_lie_says_nothing(world, made, says):
    with pytest.raises(NotSaidError, match=says):
        read_reply(world, made(world))


def test_an_answer_has_room_for_so_much_and_says_nothing_of_the_rest(world):
    long = tuple(Need("secret", f"{number}{'x' * 690}") for number in range(60))
    fits = needs.fitting([Told(wanted="0" * 64, lacks=long)] * 10)
    assert [bool(one.why) for one in fits] == [False] * 3 + [True] * 7
    assert len(replied(world, told=fits)) < needs.MOST
