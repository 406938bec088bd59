"""Two hosts that share nothing but a cable: network namespaces, TLS, a join by code, and the cable pulled out.

Each namespace has its own loopback, so whatever stays on one computer can not be reached from the other one by
accident. A listener on the cable writes down every byte, to read what somebody on the network would read.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from roosync_agent.operations.membership.codes import read_code, write_code
from roosync_broker.tls import fingerprint_of, make_certificate

IP = shutil.which("ip")
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not hasattr(os, "geteuid"), reason="network namespaces are of Linux"),
    pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="only root may make network namespaces"),
    pytest.mark.skipif(IP is None, reason="there is no `ip` on this machine (package iproute2)"),
]
A, B = "192.0.2.1", "192.0.2.2"  # documentation range, RFC 5737: no route of the real machine is meant

LISTENER = """
import socket, sys
cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
cable.bind((sys.argv[1], 0))
with open(sys.argv[2], "wb", buffering=0) as out:
    print("ready", flush=True)
    while True:
        try:
            out.write(cable.recv(65536))
        except OSError:  # the cable is out
            pass
"""
LOOK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 3) as s:
        print(s.makefile("rb").readline().decode())
except OSError as error:
    print(type(error).__name__)
"""
IMPOSTOR = """
import json, socket, ssl, sys
listener = socket.create_server((sys.argv[1], 0))
context = None
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
info = {"server_id": "NX", "server_name": "e2e-broker", "version": "2.15.1", "proto": 1, "headers": True,
        "max_payload": 1048576, "nonce": "abcdefghijk", "auth_required": True, "tls_required": context is not None}
print(listener.getsockname()[1], flush=True)
while True:
    s, _ = listener.accept()
    s.settimeout(5)
    try:
        s.sendall(b"INFO " + json.dumps(info, separators=(",", ":")).encode() + b"\\r\\n")
        heard = (context.wrap_socket(s, server_side=True) if context else s).recv(4096)
    except OSError as error:
        heard = b""
    print(json.dumps(heard.decode("latin-1")), flush=True)
    s.close()
"""


def ip(*words):
    done = subprocess.run([IP, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Network:
    """Two namespaces and the cable between them, with names of their own."""

    def __init__(self, folder):
        self.a, self.b = f"roosync-{os.getpid()}-a", f"roosync-{os.getpid()}-b"
        self.ends = f"rs{os.getpid()}a", f"rs{os.getpid()}b"
        self.heard = folder / "heard"
        self.listener = None

    def make(self):
        ip("netns", "add", self.a)
        ip("netns", "add", self.b)
        ip("link", "add", self.ends[0], "netns", self.a, "type", "veth", "peer", "name", self.ends[1], "netns", self.b)
        for space, end, address in ((self.a, self.ends[0], A), (self.b, self.ends[1], B)):
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "address", "add", f"{address}/30", "dev", end)
            ip("-n", space, "link", "set", end, "up")
        self.listener = self.start(self.b, LISTENER, self.ends[1], str(self.heard))

    def start(self, space, script, *words):
        """A script in a namespace, when it has said its first line; `first` is that line."""
        command = [IP, "netns", "exec", space, sys.executable, "-c", script, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        process.first = process.stdout.readline().strip()
        assert process.first, f"a script in {space} said nothing"
        return process

    def look(self, space, address, port):
        command = [IP, "netns", "exec", space, sys.executable, "-c", LOOK, address, str(port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    def cut(self):
        ip("-n", self.b, "link", "set", self.ends[1], "down")

    def mend(self):
        ip("-n", self.b, "link", "set", self.ends[1], "up")

    def processes(self, space):
        return [int(pid) for pid in ip("netns", "pids", space).split()]

    def close(self):
        end(self.listener)
        for space in (self.a, self.b):
            with contextlib.suppress(OSError):
                for pid in self.processes(space):
                    with contextlib.suppress(psutil.Error):
                        psutil.Process(pid).kill()
                ip("netns", "delete", space)  # takes its end of the cable along


def end(process):
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    if process is not None:
        process.stdout.close()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    made = Network(tmp_path_factory.mktemp("cable"))
    try:
        made.make()
    except OSError as error:
        made.close()
        if "not permitted" in str(error):
            pytest.skip(f"root may not make network namespaces here: {error}")
        raise
    yield made
    made.close()


@pytest.fixture(scope="module")
def fleet(network, fleets, homes):
    """alpha founded in one namespace, beta joined from the other. What was seen on the way is kept in `seen`."""
    made = fleets()
    alpha = made.site("alpha", (IP, "netns", "exec", network.a))
    beta = made.site("beta", (IP, "netns", "exec", network.b))
    homes.lay(alpha)
    homes.lay(beta, crlf=True, token="ghp_BETA456789abcdefghijABCDEFGHIJ012345")
    made.found(alpha)
    port = json.loads((alpha.state / "broker" / "listen.json").read_text())["port"]
    made.seen = seen = {"port": port, "before": network.look(network.b, A, port)}

    inviting = alpha.talk("invite", "--address", A, "--minutes", "1")
    printed = []
    for line in inviting.stdout:
        printed.append(line)
        if "roosync join " in line:
            break
    seen["code"] = printed[-1].split()[-1]
    joining = beta.talk("join", seen["code"])
    for line in inviting.stdout:
        printed.append(line)
        if "fingerprint" in line:
            break
    inviting.stdin.write("y\n")
    inviting.stdin.flush()
    printed.append(inviting.communicate(timeout=60)[0])
    seen["inviting"], seen["joining"] = "".join(printed), joining.communicate(timeout=60)[0]
    seen["codes"] = inviting.returncode, joining.returncode
    return made


@pytest.fixture(scope="module")
def started(fleet):
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    beta.up()  # as a person types it on every machine: it joined, so no second broker comes with it
    return alpha, beta


@pytest.fixture(scope="module")
def agreed(fleet, started):
    """A baseline by the three commands, and everybody in step."""
    alpha, beta = started
    fleet.publish(alpha)
    fleet.settle(alpha)
    beta.until_synced()
    return fleet


@pytest.fixture
def two(agreed):
    """alpha and beta, in step before the test and after it."""
    alpha, beta = agreed.sites["alpha"], agreed.sites["beta"]
    alpha.until_synced()
    yield alpha, beta
    alpha.until_synced()
    beta.until_synced()


# -- joining


def test_nothing_listens_on_the_network_until_somebody_is_invited_and_then_it_is_tls(network, fleet):
    seen = fleet.seen
    assert seen["before"] == "ConnectionRefusedError"
    assert '"tls_required":true' in network.look(network.b, A, seen["port"])
    assert '"tls_required":true' in network.look(network.a, "127.0.0.1", seen["port"]), "one listener, one rule"


def test_both_sides_show_the_same_fingerprint(fleet):
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    seen = fleet.seen
    assert seen["codes"] == (0, 0), (seen["inviting"], seen["joining"])
    there, here = (
        next(line.split(":", 1)[1].strip() for line in seen[side].splitlines() if "ingerprint" in line)
        for side in ("inviting", "joining")
    )
    assert there == here
    assert len(here) > 15
    pinned = json.loads((beta.state / "identity.json").read_text())
    certificate = (alpha.state / "broker" / "certificate.pem").read_text()
    assert fingerprint_of(pinned["certificate"]) == fingerprint_of(certificate) == read_code(seen["code"]).certificate
    assert pinned["url"] == f"nats://{A}:{seen['port']}"
    assert not (beta.state / "broker").exists()
    assert not (beta.state / "keys" / "operator.json").exists()


def test_a_code_is_used_once(network, fleet):
    gamma = Guest(fleet, network, "late")
    assert "ask for a new one" in gamma.fails("join", fleet.seen["code"], says="the code")


def test_a_code_that_names_another_certificate_is_refused(network, fleet):
    alpha = fleet.sites["alpha"]
    code = read_code(fleet.invite(alpha, address=A))
    wrong = fingerprint_of(make_certificate("e2e").pem)
    bent = write_code(replace(code, certificate=wrong))
    gamma = Guest(fleet, network, "bent")
    gamma.fails("join", bent, says=["its certificate is another", "Nothing was sent"])
    assert not (gamma.state / "identity.json").exists()


@pytest.mark.parametrize("tls", [True, False], ids=["another certificate", "no TLS"])
def test_an_impostor_is_told_nothing(network, fleet, tmp_path, tls):
    """Neither by a machine that joins, nor by one that joined: it takes no key, no name and no nonce to sign."""
    made = make_certificate("e2e")
    paths = [tmp_path / "certificate.pem", tmp_path / "certificate.key"]
    for path, text in zip(paths, (made.pem, made.key_pem), strict=True):
        path.write_text(text)
    impostor = network.start(network.a, IMPOSTOR, A, *(map(str, paths) if tls else ()))
    try:
        env = {"ROOSYNC_NATS": f"nats://{A}:{impostor.first}"}
        gamma = Guest(fleet, network, f"guest-{tls:d}")
        code = fleet.invite(fleet.sites["alpha"], address=A)
        gamma.fails("join", code, says="its certificate is another" if tls else "does not use TLS", env=env)
        member = Guest(fleet, network, f"member-{tls:d}", like=fleet.sites["beta"])
        member.fails(
            "status", says="shows another certificate than the one pinned" if tls else "does not use TLS", env=env
        )
        told = [json.loads(impostor.stdout.readline()) for _ in range(2)]
    finally:
        end(impostor)
    assert told == ["", ""]


def Guest(fleet, network, name, like=None):  # noqa: N802 (reads as one of the machines)
    """A further machine in beta's namespace that is no part of the fleet, or has a copy of a member's state."""
    site = type(fleet.sites["beta"])(fleet.folder / name, name, (IP, "netns", "exec", network.b))
    if like is not None:
        site.name = like.name
        for part in ("identity.json", "law.json", "keys"):
            source, there = like.state / part, site.state / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, there)
    return site


# -- the main job over the cable


def test_a_change_approved_on_one_host_is_applied_on_the_other(two, homes, waiting):
    alpha, beta = two
    assert [row["seen"] for row in alpha.status()["machines"]] == ["present", "present"]
    before = beta.read(homes.mcp)
    beta.write(homes.mcp, before.replace(b'"timeout": 60', b'"timeout": 5'))
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("beta has it", lambda: beta.read(homes.mcp) == before)
    alpha.until_synced()
    assert alpha.decision("applied", machine="beta")["id"] == asked["id"]


def test_a_short_cut_loses_nothing(two, homes, network, waiting):
    """An approval is given and beta drifts while nothing gets through."""
    alpha, beta = two
    mcp, rule = beta.read(homes.mcp), beta.read(homes.rule)
    beta.write(homes.mcp, mcp.replace(b'"timeout": 60', b'"timeout": 6'))
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    network.cut()
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    beta.write(homes.rule, rule + b"- Drifted in the dark.\r\n")
    time.sleep(3)  # a time without a cable: nothing can be waited for
    assert beta.read(homes.mcp) != mcp, "an approval does not travel without a cable"
    network.mend()
    waiting("the approved change arrived", lambda: beta.read(homes.mcp) == mcp)
    drifted = alpha.decision("pending", machine="beta", entity="roo.rules/rules/00-base.md")
    assert alpha.decision("applied", machine="beta", entity="roo.mcp/fetch")["id"] == asked["id"]
    alpha.roosync("decision", "approve", drifted["id"], "--yes")
    waiting("the rule is back", lambda: beta.read(homes.rule) == rule)


def test_a_long_cut_is_seen_as_silence_and_all_catches_up(two, homes, network, waiting):
    alpha, beta = two
    mcp, memory = {site.name: site.read(homes.mcp) for site in two}, beta.read(homes.memory)
    assert alpha.row("beta")["state"] == "synced"
    network.cut()
    beta.write(homes.memory, memory + b"Be short.\r\n")

    # the fleet goes on without beta: a new value is agreed
    alpha.write(homes.mcp, mcp["alpha"].replace(b'"timeout": 60', b'"timeout": 61'))
    own = alpha.decision("pending", machine="alpha", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", own["id"], "--action", "override_remote", "--yes")
    waiting("alpha is in step", lambda: alpha.row()["state"] == "synced")

    # neither side calls the other one present and synced for long
    waiting("alpha misses beta", lambda: alpha.row("beta")["seen"] == "silent")
    ran = alpha.roosync("status", codes=(5,))
    assert "beta" in ran.out
    assert "the machine to come back" in ran.out
    assert alpha.row("beta")["state"] != "synced", "it can not be in step with what it never heard of"
    waiting("beta misses alpha", lambda: beta.status() and beta.row("alpha")["seen"] in ("unknown", "silent"))
    assert beta.roosync("status", codes=(5,)).code == 5
    assert beta.roosync("diffs", codes=None).code in (0, 2, 3), "what is known is told without a broker"

    network.mend()
    waiting("beta is back", lambda: alpha.row("beta")["seen"] == "present")
    waiting("beta took the new value", lambda: beta.read(homes.mcp) == mcp["beta"].replace(b": 60", b": 61"))
    drifted = alpha.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")
    alpha.roosync("decision", "approve", drifted["id"], "--yes")
    waiting("the memory is back", lambda: beta.read(homes.memory) == memory)
    alpha.until_synced()
    seen = alpha.status(), beta.status()
    assert seen[0]["baseline_version"] == seen[1]["baseline_version"]
    assert [one["refused_total"] for one in seen] == [0, 0]
    assert [row["seen"] for row in seen[1]["machines"]] == ["present", "present"]


# -- a cycle over the cable


def test_a_cycle_waits_out_a_cut_while_everybody_compares_and_while_beta_applies(two, homes, network, waiting):
    """The cable is out at DIFFS, and again at RESOLUTION: everybody continues where it was, nothing is done twice."""
    alpha, beta = two
    mcp = beta.read(homes.mcp)
    beta.write(homes.mcp, mcp.replace(b'"timeout": 61', b'"timeout": 7'))
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    network.cut()
    started = alpha.json("cycle", "start", "--timeout", "3")
    time.sleep(20)  # a time without a cable: nothing can be waited for
    assert alpha.ask("cycle_show")["waits_for"] == ["beta"]
    network.mend()
    waiting("everybody compared", lambda: alpha.ask("cycle_show")["checkpoint"] == "resolution")
    network.cut()
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    time.sleep(5)
    assert beta.read(homes.mcp) != mcp
    network.mend()
    done = waiting("the cycle is done", lambda: (c := alpha.ask("cycle_show"))["status"] == "done" and c)
    assert done["id"] == started["id"]
    assert [one["checkpoint"] for one in done["reached"]] == ["init", "status", "diffs", "resolution", "final"]
    assert beta.read(homes.mcp) == mcp
    assert alpha.decision("applied", machine="beta", entity="roo.mcp/fetch")["id"] == asked["id"]
    waiting("beta knows it too", lambda: beta.ask("cycle_show")["status"] == "done")


# -- the end


def test_on_the_cable_is_nothing_to_read(agreed, network):
    heard = network.heard.read_bytes()
    assert b'"tls_required":true' in heard, "the listener hears"
    assert len(heard) > 100_000
    words = (
        "CONNECT {",
        "post.e2e",
        "roosync.e2e",
        "$JS.API",
        "roo.mcp",
        "mcpServers",
        "baseline",
        "ghp_",
        "timestamp",
    )
    assert [word for word in words if word.encode() in heard] == []


def test_both_hosts_stop_cleanly_and_leave_no_process(agreed, network):
    alpha, beta = agreed.sites["alpha"], agreed.sites["beta"]
    alpha.until_synced()
    assert beta.stop() == 0
    assert alpha.stop() == 0
    assert network.processes(network.a) == []
    assert network.processes(network.b) == [network.listener.pid]
    for site in (alpha, beta):
        assert not any(path.suffix == ".sock" for path in Path(site.state, "run").iterdir())
