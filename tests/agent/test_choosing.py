"""Choosing machines for a command: files, limits, several expressions; and asking each of those that are meant."""

import asyncio
import json
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner
from msgspec import to_builtins

from roosync_agent.cli import label as label_face
from roosync_agent.cli import machines as machines_face
from roosync_agent.cli import requests as requests_face
from roosync_agent.cli.choosing import MAX_FILE, chosen_text, expanded
from roosync_agent.cli.rollout_text import plan_text
from roosync_agent.operations.coordination import requests, settling
from roosync_agent.operations.machines import choosing, listing
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.labelling import label, planned
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.errors import UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import InventoryReport
from roosync_protocol.subjects import Subjects
from roosync_protocol.targeting import choose, parse

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NAMES = ("lab-1", "lab-2", "pc-3")


@pytest.fixture
async def here(tmp_path):
    """lab-1, in a fleet of three: lab-2 has told what it is, pc-3 never said anything."""
    bus, keys = MemoryBus(), {name: KeyPair.generate() for name in ("op-ann", *NAMES)}
    await topology.ensure(bus.link("keeper"), "home")

    def session(name):
        law = Law(fleet="home", root=keys["op-ann"].public)
        made = Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))
        made.now = lambda: NOW
        return made

    operator = session("op-ann")
    await lawmaking.found(operator, NAMES[0], keys[NAMES[0]].public, None)
    for name in NAMES[1:]:
        await lawmaking.admit(operator, name, keys[name].public)
    await label(operator, planned(operator.fleet.law, ["lab-1"], {"role": "dev"}))
    told = {"system": "linux", "tools": ["docker"]}
    await session("lab-2").say(InventoryReport(agent="lab-2", timestamp=NOW, inventory=told))
    state = State(tmp_path / "state")
    state.prepare()
    (tmp_path / "home").mkdir()
    settings = Settings(state=state.folder, home=tmp_path / "home", machine="lab-1", os="posix", home_as="/home/ana")
    machine = Machine(settings, state, session("lab-1"))
    await machine.session.refresh()
    return machine


MEANT = {  # what is given -> who is chosen
    "nothing": (None, "", NAMES),
    "no expression": ([], "", NAMES),
    "one": ("role=dev", "", ("lab-1",)),
    "either of two": (["pc-3", "role=dev"], "", ("lab-1", "pc-3")),
    "what is known of one alone": ("os=linux", "", ("lab-2",)),
    "who is present": ("present=yes", "", ("lab-1",)),
    "who is not": ("not present=yes", "", ("lab-2", "pc-3")),
    "so many": (None, "3", NAMES),
    "more than there are": ("lab-*", "10", ("lab-1", "lab-2")),
}


@pytest.mark.parametrize(("on", "limit", "names"), MEANT.values(), ids=MEANT)
async def test_who_is_chosen(here, on, limit, names):
    chosen = await choosing.choose_here(here, on, limit)
    assert tuple(chosen.machines) == names
    assert set(chosen.because) == set(names)
    assert chosen.of == 3


CLAIMS = {  # what is asked -> what of it only the machines say
    "lab-*": [],
    "role=dev": [],
    "label.role=dev": [],
    "orchestrates=yes": [],
    "os=linux": ["os"],
    "role=dev or has:docker or os=linux": ["has", "os"],
}


@pytest.mark.parametrize(("on", "claims"), CLAIMS.items(), ids=CLAIMS)
async def test_it_is_told_what_rests_on_the_word_of_machines_alone(here, on, claims):
    """A machine that lies about its facts is chosen: whoever signs for it has to know what that choice rests on."""
    found = await choosing.choose_here(here, on)
    assert found.claims == claims
    told = "could say falsely" in chosen_text(to_builtins(found))
    assert told is bool(claims)
    plan = {"waves": [found.machines], "cards": [], "nothing_to_do": [], "claims": claims}
    pace = {"max_fail_percentage": 0, "pause_seconds": 0, "timeout_minutes": 1}
    assert ("could say falsely" in plan_text(plan | {"pace": pace})) is told


async def test_a_limit_chooses_the_same_machines_again(here):
    by_seed = {}
    for seed in ("", "0", "1", "2", "3", "4", "5"):
        chosen = await choosing.choose_here(here, "all", "1", seed)
        assert chosen.machines == (await choosing.choose_here(here, "all", "30%", seed)).machines
        assert (chosen.meant, chosen.limit, chosen.seed) == (3, "1", seed or "0")
        by_seed[seed] = chosen.machines
    assert by_seed[""] == by_seed["0"]
    assert len({tuple(names) for names in by_seed.values()}) > 1


REFUSED = {
    "a stranger": ("lab-9", "", "no machine of this fleet"),
    "a stranger beside others": (["all", "lab-9"], "", "no machine of this fleet"),
    "a pattern of nobody": (["all", "x-*"], "", "'x-\\*' means no machine"),
    "nobody, and one who never said": ("has:podman", "", "of lab-1, pc-3 nothing is known yet"),
    "half an expression": ("(lab-1", "", "has no end"),
    "an empty one": ("", "", "which machines"),
    "nobody by a limit": ("all", "0", "--limit: 0 is nobody"),
    "a limit that is none": ("all", "some", "--limit: 'some' is no number"),
    "more than all": ("all", "101%", "--limit: 101% is more than all"),
    "a file, which no agent reads": ("@/etc/passwd", "", "read by the command line alone"),
}


@pytest.mark.parametrize(("on", "limit", "says"), REFUSED.values(), ids=REFUSED)
async def test_what_can_not_be_chosen_is_said(here, on, limit, says):
    with pytest.raises(RefusedRequestError, match=says):
        await choosing.choose_here(here, on, limit)


async def test_presence_that_can_not_be_read_is_not_guessed(here):
    async def away():
        raise UnavailableError("the broker is away")

    here.presence.present = away
    for on in ("present=yes", "not present=yes", "lab-1 or present=no"):
        with pytest.raises(RefusedRequestError, match="could not be read"):
            await choosing.choose_here(here, on)
    assert (await choosing.choose_here(here, "lab-*")).machines == ["lab-1", "lab-2"]


async def test_each_machine_is_shown_with_what_it_can_be_chosen_by(here):
    answer = await listing.listed(here, "lab-*")
    first, second = answer.machines
    assert (first.labels, first.has_known, first.because) == ({"role": "dev"}, False, ["lab-*"])
    assert (second.facts["os"], second.has, second.seen) == ("linux", ["docker"], "silent")


async def test_each_of_several_is_asked(here):
    asked = await requests.ask_each(here, "lab-* or pc-3", action="publish")
    assert [one.to for one in asked.requests] == list(NAMES)
    assert len({one.id for one in asked.requests}) == 3
    with pytest.raises(RefusedRequestError, match="means no machine"):
        await requests.ask_each(here, "role=prod", action="publish")
    with pytest.raises(RefusedRequestError):
        await requests.ask_each(here, "all", action="rm -rf /")
    assert len(here.fleet.requests()) == 3


async def test_who_could_not_be_asked_is_named(here):
    advance = here.session.advance

    async def failing(record, after):
        if record.to == "lab-2":
            raise UnavailableError("the broker is away")
        return await advance(record, after)

    here.session.advance = failing
    asked = await requests.ask_each(here, "all", action="publish")
    assert [one.to for one in asked.requests] == ["lab-1", "pc-3"]
    assert asked.failed == {"lab-2": "the broker is away"}


# -- files


FILES = {  # what a file holds -> the machines it means
    "names": ("lab-1\nlab-2\n", ["lab-1", "lab-2"]),
    "comments and blank lines": ("# all of them\n\n  lab-1  # the first\r\n#lab-2\n", ["lab-1"]),
    "expressions": ("lab-* and not lab-1\npc-3", ["lab-2", "pc-3"]),
    "a mark at its beginning": ("\ufefflab-1\n", ["lab-1"]),
}


@pytest.mark.parametrize(("text", "names"), FILES.values(), ids=FILES)
async def test_a_file_of_machines(here, tmp_path, text, names):
    file = tmp_path / "some names"
    file.write_bytes(text.encode())
    machines = choosing.known(here.fleet, ())
    assert choose(parse(expanded(f'@"{file}"')), machines) == names
    other = expanded(f'not @"{file}" or lab-1')
    assert set(choose(parse(other), machines)) == {*NAMES} - {*names} | {"lab-1"}


BAD_FILES = {
    "nothing in it": ("# nobody\n", "names no machine"),
    "a line that is none": ("lab-1\n\nlab-1 lab-2\n", "line 3: `and` or `or` is missing"),
    "a file in a file": ("@other", "line 1: a file is read"),
    "a parenthesis that would reach out of its line": ("lab-1) or (all", "line 1"),
    "no text": (b"\xff\xfe\x00", "no text in UTF-8"),
    "too long": (b"a\n" * MAX_FILE, "more than 1,048,576 bytes"),
}


@pytest.mark.parametrize(("data", "says"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_none(tmp_path, data, says):
    file = tmp_path / "names"
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(click.UsageError, match=says):
        expanded(f"@{file}")


@pytest.mark.parametrize("text", ["lab-1", "role=a@b", "name@host", "all"])
def test_what_is_no_file_stays(text):
    assert expanded(text) == text


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(click.UsageError, match="can not be read"):
            expanded(f"@{path}")


# -- the faces


VERBS = {
    "machines": listing.listed,
    "request_ask_each": requests.ask_each,
    "request_show": requests.show,
    "requests_settled": settling.requests,
}


class Asked:
    """The agent's answers, given by the operations themselves."""

    def __init__(self, machine):
        self.machine, self.verbs = machine, []

    def __call__(self, verb, **args):
        self.verbs.append(verb)
        made = VERBS[verb]
        return to_builtins(self.answer(made(self.machine, **args)), str_keys=True)

    def answer(self, made):
        return asyncio.run_coroutine_threadsafe(made, self.loop).result(10)


@pytest.fixture
async def run(here, monkeypatch):
    """Runs a command with these words beside the machine's own loop."""
    asked = Asked(here)
    asked.loop = asyncio.get_running_loop()
    for face in (machines_face, label_face, requests_face):
        monkeypatch.setattr(face, "ask_machine", asked)

    async def ran(command, *words):
        return await asyncio.to_thread(CliRunner().invoke, command, list(words))

    return ran


async def test_the_table_tells_why_where_it_differs(run):
    same = await run(machines_face.machines, "lab-*")
    assert "because" not in same.output
    assert same.output.endswith("\n2 of 3: lab-1; lab-2\n")
    different = await run(machines_face.machines, "role=dev or os=linux")
    assert "because role=dev" in different.output
    assert "because os=linux" in different.output
    limited = await run(machines_face.machines, "--on", "all", "--limit", "1", "--seed", "x")
    assert "1 of 3 machines that are meant, --limit 1 --seed x" in limited.output


async def test_two_ways_to_say_it_are_one_too_many(run):
    for words in (["lab-1", "--on", "lab-2"], ["--on", "lab-1", "--on", "lab-2"]):
        assert (await run(machines_face.machines, *words)).exit_code == 2
    assert (await run(requests_face.request, "lab-1", "--on", "lab-2", "--action", "publish")).exit_code == 2
    assert (await run(requests_face.request, "ask", "--action", "publish")).exit_code == 2


async def test_a_request_to_some(run, here):
    shown = await run(requests_face.request, "--on", "role=dev or pc-3", "--preview")
    assert "2 of 3" in shown.output
    assert not here.fleet.requests()
    done = await run(requests_face.request, "lab-*", "--action", "publish", "--json")
    assert done.exit_code == 0, done.output
    assert [one["to"] for one in json.loads(done.output)["requests"]] == ["lab-1", "lab-2"]
    for words in ("all", "lab-1 or lab-2", "not pc-3", "has:docker or lab-1", "(lab-1)", "role=*", "version<9"):
        assert requests_face._EXPRESSION.search(words), words
    for name in ("lab-1", "operators", "op-ann", "PC B", "not", "or", "allan", "nothing else"):
        assert not requests_face._EXPRESSION.search(name), name
    waited = await run(requests_face.request, "--on", "pc-3", "--action", "publish", "--wait", "0.01")
    assert waited.exit_code == 5
    assert "pc-3" in waited.output


async def test_labels_alone_are_listed(run):
    listed = await run(label_face.label)
    assert [line.split() for line in listed.output.splitlines()[:2]] == [["MACHINE", "LABELS"], ["lab-1", "role=dev"]]
    some = await run(label_face.label, "role=dev", "--json")
    assert json.loads(some.output) == [{"machine": "lab-1", "labels": {"role": "dev"}}]
