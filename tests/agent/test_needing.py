"""What a machine lacks for a change: how it looks for itself, and what an asker believes of what comes back."""

import asyncio
import os
import stat
from dataclasses import replace as with_fields

import pytest

from roosync_agent.operations.coordination import lacking, needing, pinging
from roosync_agent.operations.coordination.needing import Item, Said
from roosync_agent.operations.membership import lawmaking
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_broker.permissions import matches, rights
from roosync_protocol import needs
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.needs import Answer, Asked, Need, Told
from roosync_protocol.subjects import Subjects

ADDRESS = "roo.mcp/git/env/TOKEN"
VALUE = {"command": "npx", "args": ["-y", "git@1"], "env": {"TOKEN": {"$secret": ADDRESS}}}
NPX, TOKEN = Need("program", "npx"), Need("secret", "env/TOKEN")


def entity(value, key="roo.mcp/git", kind=Kind.MCP_SERVER):
    return Entity(key=key, kind=kind, value=value)


# -- looking for oneself


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder on the path of the agent, with `npx`; and one that is not, with `serve`."""
    for name in ("bin/npx", "opt/serve", "opt/text"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(path.stat().st_mode | (stat.S_IXUSR if name != "opt/text" else 0))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


LOOKED_FOR = {  # command and more of the value, may paths be looked at -> there, lacking, or not known (None)
    "on the path": ({"command": "npx"}, False, True),
    "not on the path": ({"command": "serve"}, False, False),
    "on the value's own path": ({"command": "serve", "env": {"PATH": "FOLDER/opt"}}, True, True),
    "on a path that nobody signed": ({"command": "serve", "env": {"PATH": "FOLDER/opt"}}, False, None),
    "by its path": ({"command": "FOLDER/opt/serve"}, True, True),
    "by a path without anything": ({"command": "FOLDER/opt/none"}, True, False),
    "a file that is no program": ({"command": "FOLDER/opt/text"}, True, False),
    "by a path that nobody signed": ({"command": "FOLDER/opt/serve"}, False, None),
    "in its own folder": ({"command": "./serve", "cwd": "FOLDER/opt"}, True, True),
    "in the folder that is open": ({"command": "./serve"}, True, None),
    "in a place of this machine": ({"command": "${home}/none"}, True, False),
    "in a place it does not have": ({"command": "${workspace:shop}/x"}, True, False),
    "by a variable": ({"command": "$HOME/x"}, True, None),
    "an address": ({"url": "https://a.example"}, False, True),
}


@pytest.mark.skipif(os.name != "posix", reason="programs are files with a mode")
@pytest.mark.parametrize(("value", "by_path", "there"), LOOKED_FOR.values(), ids=LOOKED_FOR)
def test_a_program_is_looked_for_as_its_assistant_would(home, programs, value, by_path, there):
    def here(inner):
        return (
            inner.replace("FOLDER", str(programs)) if isinstance(inner, str) else {k: here(v) for k, v in inner.items()}
        )

    lacks, unsure = lacking.missing(home.collect(), entity(here(value)), by_path=by_path)
    assert (bool(lacks), bool(unsure)) == (there is False, there is None)


def test_a_secret_is_there_in_a_file_in_a_sibling_or_in_the_keyrings_list(home, programs):
    assert lacking.missing(home.collect(), entity(VALUE), by_path=False)[0] == [TOKEN]
    kept = with_fields(home.collect(), stored={ADDRESS: ""}.get)
    assert lacking.missing(kept, entity(VALUE), by_path=False) == ([], [])
    home.write(home.MCP, '{"mcpServers": {"git": {"command": "npx", "env": {"TOKEN": "ghp_' + "a1B2" * 9 + '"}}}}')
    assert lacking.missing(home.collect(), entity(VALUE), by_path=False) == ([], [])


# -- asking others


@pytest.fixture
async def world(tmp_path):
    """Alpha asks, beta is asked; the broker's permissions are the real ones."""
    bus = MemoryBus()
    await topology.ensure(bus.link("keeper"), "home")
    keys = {name: KeyPair.generate() for name in ("op-ann", "alpha", "beta")}
    law = Law(fleet="home", root=keys["op-ann"].public)

    def session(name):
        return Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))

    operator = session("op-ann")
    await lawmaking.found(operator, "alpha", keys["alpha"].public, None)
    await lawmaking.admit(operator, "beta", keys["beta"].public)
    machines = []
    for name in ("alpha", "beta"):
        home, state = tmp_path / name / "home", State(tmp_path / name / "state")
        (home / ".claude").mkdir(parents=True)
        state.prepare()
        made = Machine(Settings(state=state.folder, home=home, machine=name, os="posix"), state, session(name))
        await made.session.refresh()
        machines.append(made)
    return machines[0], machines[1], keys


ITEM = Item(asked=Asked(decision="d-1"), entity=entity(VALUE), digest=digest(VALUE))


async def said_by(alpha, *items, patience=0.2):
    return (await needing.ask_each(alpha, {"beta": items or [ITEM]}, patience))["beta"]


async def lie(beta, keys, signer="beta", **other):
    """Beta's place on the bus says this, whatever it is asked."""

    async def answer(asked):
        question = needs.read_question(asked.data, "beta", "alpha", beta.fleet.law, verify)
        given = {"fleet": "home", "machine": "beta", "nonce": question.nonce, "told": (Told(wanted=ITEM.digest),)}
        return needs.reply(Answer(**given | other), keys[signer].public, keys[signer].sign)

    await beta.session.link.serve("roosync-rpc.home.beta.needs.*", answer)


async def test_what_a_machine_says_is_told(world):
    alpha, beta, keys = world
    await lie(beta, keys, told=(Told(wanted=ITEM.digest, lacks=(TOKEN,), unsure=(NPX,)),))
    assert await said_by(alpha) == [Said(lacks=(TOKEN,), unsure=(NPX,))]


LIES = {
    "signed by another": ({"signer": "alpha"}, "not signed with the key of beta"),
    "to another question": ({"nonce": "f" * 16}, "to another question"),
    "in another's name": ({"machine": "alpha"}, "to another question"),
    "of names that nobody asked about": ({"told": (Told(lacks=(Need("program", "x"),)),)}, "does not need"),
    "about more than was asked": ({"told": (Told(),) * 3}, "3 things"),
    "about another value": ({"told": (Told(wanted="0" * 64, lacks=(NPX,)),)}, "another value by now"),
    "about a value that is gone": ({"told": (Told(),)}, "another value by now"),
}


@pytest.mark.parametrize(("other", "says"), LIES.values(), ids=LIES)
async def test_a_lie_is_told_as_silence(world, other, says):
    alpha, beta, keys = world
    await lie(beta, keys, **other)
    (said,) = await said_by(alpha)
    assert says in said.why
    assert (said.lacks, said.unsure) == ((), ())


async def test_bytes_that_are_no_answer(world):
    alpha, beta, _ = world

    async def answer(asked):
        return b"\x1b[2J" * 100_000

    await beta.session.link.serve("roosync-rpc.home.beta.needs.*", answer)
    (said,) = await said_by(alpha)
    assert said.why == "an answer that can not be read: 400000 bytes"


async def test_who_is_off_who_is_old_and_who_hangs_are_told_apart(world):
    alpha, beta, _ = world
    assert [one.why for one in await said_by(alpha)] == ["no agent of it is connected"]
    await pinging.serve(beta)
    assert [one.why for one in await said_by(alpha)] == [needing.OLD]

    async def hang(asked):
        await asyncio.sleep(60)

    await beta.session.link.serve("roosync-rpc.home.beta.needs.*", hang)
    async with asyncio.timeout(2):
        assert [one.why for one in await said_by(alpha)] == ["no answer within 0.2 s"]


async def test_many_that_hang_keep_nobody_waiting(world, monkeypatch):
    alpha, _, _ = world

    async def hang(*_):
        await asyncio.sleep(60)

    monkeypatch.setattr(needing, "_told", hang)
    async with asyncio.timeout(2):
        found = await needing.ask_each(alpha, {f"pc-{number}": [ITEM] for number in range(500)}, 0.05)
    assert {one.why for said in found.values() for one in said} == {
        "no answer within 0.2 s, with many others to be asked"
    }


async def test_the_real_other_side_knows_its_own_decisions_only(world):
    alpha, beta, _ = world
    await lacking.serve(beta)
    assert [one.why for one in await said_by(alpha)] == ["it has not looked at its files yet"]
    await beta.look()
    elsewhere = Item(asked=Asked(source="machine:alpha", entity="roo.mcp/git"), entity=ITEM.entity, digest=ITEM.digest)
    assert [one.why for one in await said_by(alpha, ITEM, elsewhere)] == ["it knows no such change"] * 2


async def test_about_what_needs_nothing_nobody_is_asked(world):
    alpha, _, _ = world
    plain = Item(asked=Asked(decision="d-1"), entity=entity({"url": "https://a.example"}), digest="0" * 64)
    assert await said_by(alpha, plain) == [Said()]


async def test_hundreds_are_several_questions_and_one_answer(world, monkeypatch):
    alpha, beta, keys = world
    monkeypatch.setattr(needs, "MOST_ASKED", 2)
    asked = []

    async def answer(stored):
        question = needs.read_question(stored.data, "beta", "alpha", beta.fleet.law, verify)
        asked.append(len(question.asked))
        told = tuple(Told(wanted=ITEM.digest, lacks=(NPX,)) for _ in question.asked)
        given = Answer(fleet="home", machine="beta", nonce=question.nonce, told=told)
        return needs.reply(given, keys["beta"].public, keys["beta"].sign)

    await beta.session.link.serve("roosync-rpc.home.beta.needs.*", answer)
    assert await said_by(alpha, *[ITEM] * 5) == [Said(lacks=(NPX,))] * 5
    assert asked == [2, 2, 1]


async def test_a_flood_of_questions_is_bounded(world, monkeypatch):
    _, beta, _ = world
    monkeypatch.setattr(lacking, "WAITING", 3)
    await beta.look()
    answering = lacking.Answering(beta)
    question = needs.Question(fleet="home", machine="beta", asker="alpha", nonce="0" * 16, asked=(ITEM.asked,))
    found = await asyncio.gather(*(answering.about(question) for _ in range(10)), return_exceptions=True)
    assert [isinstance(one, ValueError) for one in found] == [False] * 3 + [True] * 7


async def test_one_that_floods_keeps_nobody_else_from_an_answer(world):
    _, beta, _ = world
    await beta.look()
    answering = lacking.Answering(beta)

    def ask(asker):
        question = needs.Question(fleet="home", machine="beta", asker=asker, nonce="0" * 16, asked=(ITEM.asked,))
        return answering.about(question)

    *flood, other = await asyncio.gather(*(ask("gamma") for _ in range(50)), ask("alpha"), return_exceptions=True)
    assert [isinstance(one, ValueError) for one in flood] == [False] * lacking.OF_ONE + [True] * (50 - lacking.OF_ONE)
    assert not isinstance(other, ValueError)


async def test_the_broker_lets_members_ask_and_answer(world):
    alpha, _, _ = world
    named = {one.name: one for one in rights(alpha.fleet.law, alpha.session.now())}
    asked, answered = "roosync-rpc.home.beta.needs.alpha", "roosync-rpc.home.beta.needs.*"
    assert any(matches(pattern, asked) for pattern in named["alpha"].publish)
    assert any(matches(pattern, answered) for pattern in named["beta"].subscribe)
    assert not any(matches(pattern, answered) for pattern in named["alpha"].subscribe)
    assert not any(matches(pattern, asked) for pattern in named["beta"].publish), "in the name of another"
