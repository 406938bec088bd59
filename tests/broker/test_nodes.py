"""The folders of a cluster's nodes: what is made, what is refused, and that the servers take it."""

import json
import os
import stat
import subprocess

import pytest

from roosync_broker.errors import InTheWayError, KeyFileError, OursError
from roosync_broker.nodes import make_nodes, node_note, open_node, read_node
from roosync_broker.server import find_server

GOOD = {
    "a=10.0.0.1:4222": ("nats://10.0.0.1:4222", "10.0.0.1:6222"),
    "b=node.example:4222/7000": ("nats://node.example:4222", "node.example:7000"),
    "c=[fd00::3]:4223": ("nats://[fd00::3]:4223", "[fd00::3]:6223"),
    "d=127.0.0.1:4222/": ("nats://127.0.0.1:4222", "127.0.0.1:6222"),
}
BAD = (
    "", "a", "a=", "=10.0.0.1:4222", "a=10.0.0.1", "a=10.0.0.1:0", "a=10.0.0.1:99999", "a=:4222", "a=10.0.0.1:4222/x",
    "a=10.0.0.1:4222/70000", "A b=10.0.0.1:4222", "../x=10.0.0.1:4222", "a=10.0.0.1:64000", "a=x:4222/-1",
)  # fmt: skip


@pytest.mark.parametrize(("text", "reached"), GOOD.items(), ids=GOOD)
def test_a_node_as_a_person_writes_it(text, reached):
    node = read_node(text)
    assert (node.url, node.route) == reached


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_node(text):
    with pytest.raises(ValueError, match="is no node"):
        read_node(text)


def three(folder, host="10.0.0.", **more):
    nodes = [read_node(f"{name}={host}{number}:4222") for number, name in enumerate("abc", 1)]
    return make_nodes(folder / "nodes", "home", nodes, **more)


def test_each_has_keys_of_its_own_and_all_have_one_certificate(tmp_path):
    folders = three(tmp_path)
    brokers = [open_node(folder) for folder in folders]
    assert [folder.name for folder in folders] == ["a", "b", "c"]
    assert len({broker.certificate for broker in brokers}) == 1
    assert len({pair.public for broker in brokers for pair in (broker.keeper_keys, broker.system_keys)}) == 6
    for folder, broker in zip(folders, brokers, strict=True):
        text = (folder / "nats-server.conf").read_text()
        assert broker.keeper_keys.public in (folder / "users.conf").read_text()
        assert broker.system_keys.public in text
        assert str(tmp_path) not in text, "a folder is carried to its host"
        assert "verify: true" in text
        if os.name == "posix":
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_they_know_each_other(tmp_path):
    a = three(tmp_path)[0]
    text = (a / "nats-server.conf").read_text()
    assert 'routes: ["nats://10.0.0.2:6222", "nats://10.0.0.3:6222"]' in text
    note = node_note(a)
    assert note.urls == "nats://10.0.0.1:4222,nats://10.0.0.2:4222,nats://10.0.0.3:4222"
    assert (note.url, note.replicas, note.fleet) == ("nats://10.0.0.1:4222", 3, "home")


@pytest.mark.parametrize(("host", "tls"), [("10.0.0.", 2), ("127.0.0.", 1)])
def test_clients_speak_tls_off_loopback_and_routes_always(tmp_path, host, tls):
    text = (three(tmp_path, host)[0] / "nats-server.conf").read_text()
    assert text.count("tls {") == tls


def test_the_copies(tmp_path):
    assert node_note(three(tmp_path / "1", replicas=1)[0]).replicas == 1
    one = make_nodes(tmp_path / "2", "home", [read_node("a=127.0.0.1:4222")])
    assert node_note(one[0]).replicas == 1
    assert "cluster {" not in (one[0] / "nats-server.conf").read_text()
    with pytest.raises(OursError, match="5 copies need as many nodes"):
        three(tmp_path / "3", replicas=5)


REFUSED = {
    "two names": (("a=10.0.0.1:4222", "a=10.0.0.2:4222"), "the same name"),
    "two addresses": (("a=10.0.0.1:4222", "b=10.0.0.1:4222/9000"), "the same url"),
    "two routes": (("a=10.0.0.1:4222/9000", "b=10.0.0.1:4223/9000"), "the same route"),
}


@pytest.mark.parametrize(("nodes", "why"), REFUSED.values(), ids=REFUSED)
def test_nodes_that_are_in_each_others_way(tmp_path, nodes, why):
    with pytest.raises(OursError, match=why):
        make_nodes(tmp_path, "home", [read_node(node) for node in nodes])
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    kept = (three(tmp_path)[1] / "keeper.seed").read_bytes()
    with pytest.raises(InTheWayError, match="its keys may be in use"):
        three(tmp_path)
    assert (tmp_path / "nodes" / "b" / "keeper.seed").read_bytes() == kept


BROKEN = {
    "no note": ("node.json", None, OursError, "as `roosync broker nodes` made it"),
    "a note that is none": ("node.json", b"[]", OursError, "can not be read"),
    "no certificate": ("certificate.pem", None, OursError, "the certificate of the node"),
    "bytes for a certificate": ("certificate.pem", b"\xff", OursError, "the certificate of the node"),
    "no key": ("keeper.seed", None, KeyFileError, "no key at"),
}


@pytest.mark.parametrize(("name", "data", "kind", "why"), BROKEN.values(), ids=BROKEN)
def test_a_folder_with_something_missing(tmp_path, name, data, kind, why):
    folder = three(tmp_path)[0]
    (folder / name).unlink()
    if data is not None:
        (folder / name).write_bytes(data)
    with pytest.raises(kind, match=why):
        open_node(folder)


@pytest.mark.parametrize("host", ["127.0.0.", "10.0.0."])
def test_the_server_takes_the_configuration(tmp_path, host):
    for folder in three(tmp_path, host):
        done = subprocess.run(
            [str(find_server()), "-t", "-c", "nats-server.conf"], cwd=folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads((folder / "node.json").read_text())["fleet"] == "home"
