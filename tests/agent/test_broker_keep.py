"""`roosync broker nodes|keep` and `init --node`, where a person asks for something that can not be."""

import json

import pytest

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.broker_keep import keepers, notes_of, run
from roosync_agent.state import Identity, State
from roosync_broker.children import OneAtATime
from roosync_broker.errors import InTheWayError, OursError
from roosync_broker.keys import KeyPair
from roosync_broker.nodes import make_nodes, node_note, read_node
from roosync_broker.server import free_port

ROOT = KeyPair.generate().public


@pytest.fixture
def folders(tmp_path):
    nodes = [read_node(f"{name}=127.0.0.1:{free_port()}/{free_port()}") for name in ("a", "b")]
    return make_nodes(tmp_path / "nodes", "home", nodes)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """A command line, its exit code and what it says; a machine of the fleet "home" lives in the state folder."""
    import sys

    from roosync_agent.cli import app

    state = State(tmp_path / "state")
    state.prepare()
    (tmp_path / "home").mkdir()
    for name, value in {"STATE": state.folder, "HOME": tmp_path / "home", "MACHINE": "alpha"}.items():
        monkeypatch.setenv(f"ROOSYNC_{name}", str(value))
    monkeypatch.delenv("ROOSYNC_NATS", raising=False)
    monkeypatch.delenv("ROOSYNC_FLEET", raising=False)

    def run(*words, member=True):
        if member:
            state.save_identity(Identity(fleet="home", machine="alpha", root=ROOT, url="nats://127.0.0.1:4222"))
        monkeypatch.setattr(sys, "argv", ["roosync", *map(str, words)])
        code = app.run()
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_nodes_says_what_comes_next(command, tmp_path):
    code, said = command("broker", "nodes", tmp_path / "x", "--node", f"a=127.0.0.1:{free_port()}")
    assert code == 0
    assert f"cd {tmp_path / 'x' / 'a'} && nats-server -c nats-server.conf" in said
    assert f"Next: roosync init --node {tmp_path / 'x' / 'a'}" in said
    assert node_note(tmp_path / "x" / "a").fleet == "home"


def test_nodes_for_programs(command, tmp_path):
    nodes = [word for name in "abc" for word in ("--node", f"{name}=127.0.0.1:{free_port()}/{free_port()}")]
    code, said = command("broker", "nodes", tmp_path / "x", "--fleet", "work", *nodes, "--json")
    told = json.loads(said)
    assert (code, told["fleet"], told["replicas"], len(told["folders"])) == (0, "work", 3, 3)


ASKED = {  # words, what is said
    "no node given": (("nodes", "{x}"), "Missing option '--node'"),
    "a node that is none": (("nodes", "{x}", "--node", "a"), "is no node: NAME=HOST:PORT"),
    "more copies than nodes": (("nodes", "{x}", "--node", "a=127.0.0.1:4222", "--replicas", "3"), "need as many nodes"),
    "a folder that is no node's": (("keep", "{x}"), "name the folder of one node"),
    "a root that is no key": (("keep", "{a}", "--root", "me"), "is no public key"),
    "nothing to keep": (("keep",), "Missing argument"),
    "the embedded one, that is elsewhere": ((), "the broker of this fleet is nats://127.0.0.1:4222"),
}


@pytest.mark.parametrize(("words", "says"), ASKED.values(), ids=ASKED)
def test_what_can_not_be(command, folders, tmp_path, words, says):
    code, said = command("broker", *(word.format(x=tmp_path / "x", a=folders[0]) for word in words))
    assert code == 1
    assert says in said
    assert "fault of roosync itself" not in said


def test_keep_on_a_host_of_another_fleet_asks_for_the_root(command, tmp_path):
    (other,) = make_nodes(tmp_path / "y", "other", [read_node("a=127.0.0.1:4222")])
    code, said = command("broker", "keep", other)
    assert code == 1
    assert "these nodes are of the fleet 'other'" in said
    assert "--root" in said


def test_keep_without_a_fleet(command, folders):
    code, said = command("broker", "keep", folders[0], member=False)
    assert code == 1
    assert "there is no fleet" in said


def test_init_on_nodes_of_another_name(command, folders):
    words = ("init", "--no-passphrase", "--fleet", "work", "--node", folders[0])
    code, said = command(*words, member=False)
    assert code == 1
    assert "nodes of a fleet named 'home'" in said


def test_nodes_of_two_fleets_are_kept_apart(folders, tmp_path):
    (other,) = make_nodes(tmp_path / "y", "other", [read_node("a=127.0.0.1:4222")])
    with pytest.raises(RefusedRequestError, match="keep each fleet by itself"):
        notes_of([folders[0], other])


def test_one_of_the_keepers_sweeps(folders):
    made = keepers(folders, ROOT)
    assert [keeper._does_sweep for keeper in made] == [True, False]
    with pytest.raises(OursError):
        keepers([folders[0], folders[0].parent], ROOT)


async def test_a_node_is_kept_once(folders):
    lock = OneAtATime(folders[1] / "keep.lock")
    assert lock.acquire()
    try:
        with pytest.raises(InTheWayError, match="a keeper runs already"):
            await run(folders, ROOT)
    finally:
        lock.release()
    first = OneAtATime(folders[0] / "keep.lock")
    assert first.acquire(), "what was taken before is given back"
    first.release()
