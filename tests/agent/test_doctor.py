"""Each thing that `roosync doctor` looks at on this computer, broken on purpose, and what it then says."""

import asyncio
import http.server
import json
import os
import socket
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from roosync_agent.cli.doctor import doctor
from roosync_agent.cli.doctor_text import shown_diagnosis
from roosync_agent.operations.doctoring import (
    agent_here,
    assistants,
    broker_reached,
    diagnosing,
    durable,
    examining,
    folders,
    keys_kept,
    mending,
    room,
    service_kept,
    settings_read,
    table,
    unsaid,
)
from roosync_agent.operations.doctoring.findings import Diagnosis, Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient, Running, _part
from roosync_agent.running.where import SettingsError
from roosync_agent.state import Identity, State
from roosync_agent.updating.journal import Journal, Release
from roosync_broker import keys
from roosync_broker.children import OneAtATime
from roosync_broker.keys import KeyPair
from roosync_broker.probe import Glimpse
from roosync_broker.spool import Spool
from roosync_protocol.law import Law
from roosync_protocol.messages import Member

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
ROOT = KeyPair.generate()
posix = pytest.mark.skipif(os.name != "posix", reason="modes and Unix sockets")


def finding(**fields):
    plain = {"kind": "k", "severity": "warning", "about": "", "says": "it is", "matters": "it does", "mend": "so"}
    return Finding(**plain | fields)


@cache
def sealed():
    """Sealing takes half a second, on purpose."""
    return keys.seal(ROOT.seed, "four plain words here")


class Ana:
    """A machine with a state folder, as `roosync init` leaves it."""

    def __init__(self, base):
        self.home = base / "home"
        self.home.mkdir()
        self.state = State(base / "state")
        self.state.prepare()
        self.key = KeyPair.generate()
        keys.save(self.state.machine_key, self.key.seed)
        self.identity = Identity(
            fleet="home", machine="ana", root=ROOT.public, url="nats://127.0.0.1:1", operator="op-ana", embedded=True
        )
        self.state.save_identity(self.identity)
        keys.save(self.state.operator_key, sealed())
        self.env = {"ROOSYNC_STATE": str(self.state.folder), "ROOSYNC_HOME": str(self.home), "HOME": str(base)}
        self.running = []

    def patient(self, **env):
        made = Patient(self.env | env)
        made.running = self.running
        return made

    def settings(self, text):
        (self.state.folder / "config.toml").write_text(text, "utf-8")

    def member(self, founder="", **fields):
        plain = {"agent": "op-ana", "timestamp": NOW, "revision": 1, "machine": "ana", "key": self.key.public}
        member = Member(**plain | {"expires": NOW + timedelta(days=90)} | fields)
        others = {founder: replace(member, machine=founder, invitation=None)} if founder else {}
        self.state.save_law(Law(fleet="home", root=ROOT.public, members={"ana": member} | others))


@pytest.fixture
def ana(tmp_path):
    return Ana(tmp_path)


def found(check, patient):
    return {one.kind: one for one in check(patient).findings}


def kinds(check, patient):
    return [one.kind for one in check(patient).findings]


# -- all is well


@pytest.mark.parametrize("check", [settings_read.check, folders.check, keys_kept.check, unsaid.check, room.check])
def test_what_is_well_has_a_line_and_no_finding(ana, check):
    seen = check(ana.patient())
    assert (list(seen.findings), bool(seen.fine), seen.skipped) == ([], True, "")


# -- settings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('flet = "home"', "flet"),
        ("fleet = ", "can not be read as TOML"),
        ('targets = ["nothing.such"]', "targets"),
        ("[broker]\nport = 99999", "broker.port"),
    ],
)
def test_settings_that_can_not_be_used_are_named(ana, text, says):
    ana.settings(text)
    one = found(settings_read.check, ana.patient())["settings"]
    assert one.severity == "error"
    assert says in one.says


@pytest.mark.parametrize(
    ("given", "identity", "running", "kind"),
    [
        (False, False, True, "error"),  # a service has its own folder, and the terminal none
        (True, False, True, "note"),  # a second agent may be meant
        (True, True, True, None),
        (True, False, False, None),
    ],
)
def test_two_states(ana, tmp_path, given, identity, running, kind):
    if not identity:
        (ana.state.folder / "identity.json").unlink()
    ana.running = [Running(7, "up", tmp_path / "other", replace(ana.identity, machine="ben"))] * running
    patient = ana.patient()
    if not given:
        patient.env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    one = found(settings_read.check, patient).get("two-states")
    assert (one.severity if one else None) == kind
    assert one is None or str(tmp_path / "other") in one.command


def test_the_usual_folder_has_the_fleet_and_the_variable_names_another(ana, tmp_path, monkeypatch):
    usual = tmp_path / "data" / "roosync"
    monkeypatch.setattr(settings_read, "state_folder", lambda env: usual)
    usual.mkdir(parents=True)
    State(usual).save_identity(ana.identity)
    (ana.state.folder / "identity.json").unlink()
    one = found(settings_read.check, ana.patient())["two-states"]
    assert (one.severity, one.command) == ("warning", "unset ROOSYNC_STATE")


def test_two_agents_of_one_id_on_this_computer(ana, tmp_path):
    ana.running = [
        Running(7, "agent", tmp_path / "copy", ana.identity),
        Running(8, "up", ana.state.folder, ana.identity),
    ]
    one = found(settings_read.check, ana.patient())["two-agents"]
    assert one.command == "kill 7"
    other = replace(ana.identity, root=KeyPair.generate().public)  # of another fleet that has the same name
    ana.running = [Running(7, "agent", tmp_path / "copy", other)]
    assert kinds(settings_read.check, ana.patient()) == []


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["python", "-m", "roosync_agent", "agent"], "agent"),
        (["/usr/bin/python3", "/home/a/.local/bin/roosync", "up", "--port", "0"], "up"),
        (["roosync.exe", "broker"], "broker"),
        (["roosync", "status"], ""),
        (["vim", "roosync"], ""),
        (["grep", "roosync_agent", "agent"], ""),
        ([], ""),
    ],
)
def test_which_processes_are_ours(words, part):
    assert _part(words) == part


# -- the state folder


@posix
@pytest.mark.parametrize(
    ("name", "mode", "severity"),
    [
        ("", 0o755, "error"),
        ("keys", 0o755, None),  # the folder above keeps everybody out
        ("keys/machine.nk", 0o644, "error"),
        ("keys/operator.json", 0o640, "error"),
    ],
)
def test_permissions(ana, name, mode, severity):
    path = ana.state.folder / name
    path.chmod(mode)
    one = found(folders.check, ana.patient()).get("permissions")
    assert (one.severity if one else None) == severity
    if one is not None:
        assert one.safe
        assert mending.mend(one, ana.state)
        assert stat.S_IMODE(path.stat().st_mode) == mode & 0o700
        assert "permissions" not in found(folders.check, ana.patient())


@posix
def test_a_settings_file_that_everybody_writes(ana, tmp_path):
    config = tmp_path / "conf" / "config.toml"
    config.parent.mkdir(mode=0o755)
    config.write_text('[apply]\ncheck = ["/bin/true"]\n')
    config.chmod(0o666)
    one = found(settings_read.check, ana.patient(ROOSYNC_CONFIG=str(config)))["permissions"]
    mending.mend(one, ana.state)
    assert stat.S_IMODE(config.stat().st_mode) == 0o644


@posix
def test_a_mend_does_not_follow_a_link(ana, tmp_path):
    target = tmp_path / "of somebody else"
    target.write_text("x")
    target.chmod(0o666)
    link = ana.state.keys / "link.nk"
    link.symlink_to(target)
    with pytest.raises(mending.MendError, match="link"):
        mending.mend(finding(kind="permissions", path=str(link), safe=True), ana.state)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666


@posix
def test_what_belongs_to_another_account(ana, monkeypatch):
    monkeypatch.setattr(folders, "own", lambda path: path.name != "machine.nk")
    one = found(folders.check, ana.patient())["owner"]
    assert "machine.nk" in one.says
    assert "sudo chown" in one.command


@pytest.mark.parametrize("name", ["identity.json", "law.json", "base.json", "update.json", "law_read.json"])
@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[]"])
def test_a_damaged_file_is_named(ana, name, data):
    (ana.state.folder / name).write_bytes(data)
    told = [one.says for one in folders.check(ana.patient()).findings if one.kind == "damaged"]
    assert len(told) == 1
    assert name in told[0]


def test_no_fleet_and_no_folder(tmp_path):
    patient = Patient({"ROOSYNC_STATE": str(tmp_path / "none"), "ROOSYNC_HOME": str(tmp_path), "HOME": str(tmp_path)})
    patient.running = []
    assert kinds(folders.check, patient) == ["no-fleet"]
    for check in table.HERE:
        assert isinstance(check.run(patient), Seen)
    assert not (tmp_path / "none").exists()  # nothing is written


# -- keys


def _key_gone(ana):
    ana.state.machine_key.unlink()


def _key_damaged(ana):
    ana.state.machine_key.write_text("SUnonsense")


def _key_of_another(ana):
    ana.member(key=KeyPair.generate().public)


def _plain(ana):
    keys.save(ana.state.operator_key, ROOT.seed)


def _absent(ana):
    ana.state.operator_key.unlink()


def _operator_damaged(ana):
    ana.state.operator_key.write_text('{"format": "roosync"')


KEYS = {
    "the machine's is gone": (_key_gone, "machine-key", "error"),
    "the machine's is damaged": (_key_damaged, "machine-key", "error"),
    "the machine's is not the member's": (_key_of_another, "machine-key", "error"),
    "the operator's has no passphrase": (_plain, "unprotected", "warning"),
    "the operator's is gone": (_absent, "operator-key-absent", "error"),
    "the operator's is damaged": (_operator_damaged, "operator-key", "error"),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys(ana, case):
    breaking, kind, severity = KEYS[case]
    breaking(ana)
    seen = found(keys_kept.check, ana.patient())
    assert list(seen) == [kind]
    assert seen[kind].severity == severity
    assert ROOT.seed not in repr(seen)
    assert ana.key.seed not in repr(seen)


def test_the_operators_key_is_sealed(ana):
    _plain(ana)
    mending.seal_operator_key(ana.state, "a passphrase of words")
    assert keys.unseal(keys.load(ana.state.operator_key), "a passphrase of words") == ROOT.seed
    assert kinds(keys_kept.check, ana.patient()) == []
    with pytest.raises(mending.MendError, match="already"):
        mending.seal_operator_key(ana.state, "another")


# -- the agent


@posix
def test_no_agent_and_what_it_left(ana):
    socket_path = agent_here.endpoint(ana.state.folder)
    socket_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path))
    seen = found(agent_here.check, ana.patient())
    assert list(seen) == ["agent-away", "socket"]
    assert mending.mend(seen["socket"], ana.state)
    assert not socket_path.exists()
    assert kinds(agent_here.check, ana.patient()) == ["agent-away"]


def test_a_socket_of_an_agent_that_starts_now_stays(ana):
    lock = OneAtATime(ana.state.run / "agent.lock")
    assert lock.acquire()
    with pytest.raises(mending.MendError, match="runs on this folder"):
        mending.mend(finding(kind="socket", path=str(ana.state.run / "control.sock"), safe=True), ana.state)
    assert kinds(agent_here.check, ana.patient()) == ["agent-silent"]
    lock.release()


def test_up_runs_and_its_agent_does_not(ana):
    lock = OneAtATime(ana.state.run / "up.lock")
    assert lock.acquire()
    assert "again and again" in found(agent_here.check, ana.patient())["agent-away"].says
    lock.release()


@posix
@pytest.mark.parametrize(
    ("running", "command", "says"),
    [
        ([("agent", False)], "kill -9 70", "it hangs"),
        ([("agent", True)], "kill -CONT 70", "is stopped (process 70)"),
        ([("up", True), ("broker", True), ("agent", True)], "kill -CONT 70 71 72", "is stopped (process 72)"),
        ([("up", True), ("agent", False)], "kill -9 71", "it hangs"),
        ([], "roosync up", "it hangs"),
    ],
    ids=["it hangs", "it is stopped", "Ctrl-Z stopped all", "another one is stopped", "nobody sees it"],
)
def test_an_agent_that_does_not_answer(ana, monkeypatch, running, command, says):
    monkeypatch.setattr(agent_here, "SOON", 0.1)
    path = agent_here.endpoint(ana.state.folder)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    ana.running = [
        Running(70 + at, what, ana.state.folder, ana.identity, stopped) for at, (what, stopped) in enumerate(running)
    ]
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        one = found(agent_here.check, ana.patient())["agent-hangs"]
    assert one.command == command
    assert says in one.says


# -- the service


@pytest.fixture
def unit(ana, monkeypatch):
    """The unit that this terminal would install, and what its manager says of it."""
    monkeypatch.setattr(service_kept.managing, "_require_manager", lambda wanted: None)
    monkeypatch.setattr(service_kept.managing, "_lingers", lambda: True)
    says = SimpleNamespace(runs=True)
    monkeypatch.setattr(service_kept.managing, "_runs", lambda wanted: says.runs)
    monkeypatch.setattr(service_kept.managing.Path, "home", lambda: ana.home)
    says.plan = service_kept.managing.plan(ana.state.folder, ana.env)
    says.plan.path.parent.mkdir(parents=True, exist_ok=True)
    return says


def test_no_service(ana, unit):
    assert service_kept.check(ana.patient()).fine.startswith("none is installed")


def test_a_service_that_runs_does_not_run_and_lingers_not(ana, unit, monkeypatch):
    unit.plan.path.write_text(unit.plan.text)
    assert kinds(service_kept.check, ana.patient()) == []
    monkeypatch.setattr(service_kept.managing, "_lingers", lambda: False)
    expected = ["service-lingers"] if unit.plan.manager == "systemd" else []
    assert kinds(service_kept.check, ana.patient()) == expected
    unit.runs = False
    assert [one.severity for one in service_kept.check(ana.patient()).findings] == ["warning"]


def test_a_service_with_another_home_than_the_terminal(ana, unit):
    unit.plan.path.write_text(unit.plan.text.replace(str(ana.home), "/home/other"))
    (one,) = service_kept.check(ana.patient()).findings
    assert (one.kind, "ROOSYNC_HOME" in one.says, "ROOSYNC_STATE" in one.says) == ("service-settings", True, False)


def test_the_service_has_a_folder_that_the_terminal_does_not_name(ana, unit):
    (ana.state.folder / "identity.json").unlink()
    text = unit.plan.text.replace(str(ana.state.folder), "/var/other")
    unit.plan.path.with_name(f"roosync-other{unit.plan.path.suffix}").write_text(text)
    one = found(service_kept.check, ana.patient())["two-states"]
    assert one.command == "export ROOSYNC_STATE=/var/other"


# -- the broker


class Listens:
    """A port on which something says `hello` to whoever comes."""

    def __init__(self, hello):
        self.hello = hello
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"nats://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                taken, _ = self.socket.accept()
            except OSError:
                return
            taken.sendall(self.hello)
            taken.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@pytest.mark.parametrize(
    ("hello", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "broker-foreign"),
        (b"", "broker-foreign"),
        (b"INFO nonsense\r\n", "broker-foreign"),
        (b"x" * 200_000, "broker-foreign"),
        (b'INFO {"server_id":"N","nonce":"abcdefghijk","auth_required":true}\r\n', "broker-lost"),
        (b'INFO {"server_id":"N"}\r\n', "broker-keyless"),
    ],
)
def test_what_listens_at_the_address(ana, hello, kind):
    with Listens(hello) as there:
        assert kind in kinds(broker_reached.check, ana.patient(ROOSYNC_NATS=there.url))


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("nats://127.0.0.1:1", "broker-refused"),
        ("nats://no-such-host.invalid:4222", "broker-name"),
        ("nats://:4222", "broker-address"),
        ("nats://127.0.0.1:port", "broker-address"),
    ],
)
def test_an_address_that_leads_nowhere(ana, url, kind):
    one = found(broker_reached.check, ana.patient(ROOSYNC_NATS=url))[kind]
    assert one.severity == "error"
    assert url in one.says


@pytest.mark.parametrize(
    ("embedded", "stage", "law", "kind", "says"),
    [
        (True, "refused", None, "broker-refused", "it is not started"),
        (False, "refused", None, "broker-refused", "no broker listens on that port"),
        (False, "silent", None, "broker-silent", "does not answer at all"),
        (False, "plain", None, "broker-plain", "without TLS"),
        (False, "certificate", None, "broker-certificate", "another certificate"),
        (False, "key", {"revoked": True}, "broker-key", "was revoked"),
        (False, "key", None, "broker-key", "is no member of home yet"),
        (False, "key", {}, "broker-key", "it was revoked since"),
        (True, "key", {}, "broker-key", "the broker of another fleet (work-broker-1)"),
        (True, "foreign", None, "broker-foreign", "another program has the port"),
    ],
)
def test_each_trouble_with_the_broker_is_told_apart(ana, monkeypatch, embedded, stage, law, kind, says):
    ana.state.save_identity(replace(ana.identity, embedded=embedded))
    if law is not None:
        ana.member(**law)

    async def seen(url, *_, **__):
        return Glimpse(url=url, stage=stage, says="", server_name="work-broker-1")

    monkeypatch.setattr(broker_reached, "glimpse", seen)
    one = found(broker_reached.check, ana.patient())[kind]
    assert says in one.says
    assert one.severity == "error"


@pytest.mark.parametrize(
    ("embedded", "founder", "where"),
    [(True, "ana", ""), (False, "ben", "ben"), (False, "", "127.0.0.1")],
    ids=["it runs here", "where the fleet was founded", "nobody knows who founded it"],
)
@pytest.mark.parametrize("stage", ["refused", "mute"])
def test_a_broker_is_started_on_the_machine_that_runs_it(ana, monkeypatch, embedded, founder, where, stage):
    ana.state.save_identity(replace(ana.identity, embedded=embedded, url="nats://127.0.0.1:4222"))
    ana.member(invitation=None if founder == "ana" else "i-1", founder=founder)

    async def seen(url, *_, **__):
        return Glimpse(url=url, stage=stage, says="")

    monkeypatch.setattr(broker_reached, "glimpse", seen)
    one = found(broker_reached.check, ana.patient())[f"broker-{stage}"]
    assert one.where == where
    told = examining.diagnosis([(table.Here("broker", "", lambda _: Seen("")), Seen("", [one]))], "ana", "", 0.0)
    text = shown_diagnosis(msgspec.to_builtins(told))
    assert text.endswith(f"Next: {one.command}    (on {where})" if where else f"Next: {one.command}")
    assert not where or f"{one.command}    (on {where})\n" in text


def test_one_node_of_a_cluster_that_is_down_is_a_warning(ana, monkeypatch):
    async def seen(url, *_, **__):
        return Glimpse(url=url, stage="well" if url.endswith("1") else "refused")

    monkeypatch.setattr(broker_reached, "glimpse", seen)
    listed = broker_reached.check(ana.patient(ROOSYNC_NATS="nats://a:1,nats://b:2")).findings
    assert [(one.about, one.severity) for one in listed] == [("nats://b:2", "warning")]


def test_no_nats_server(ana, monkeypatch):
    assert "nats-server" not in found(broker_reached.check, ana.patient())
    monkeypatch.setenv("ROOSYNC_NATS_SERVER", "/no/such/program")
    assert found(broker_reached.check, ana.patient())["nats-server"].severity == "error"


class Page(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (json.dumps({"jetstream": {"config": {"sync_interval": 120_000_000_000, "sync_always": True}}}), "always"),
        (json.dumps({"jetstream": {"config": {"sync_interval": 120_000_000_000}}}), "120 s"),
        ("<html>", None),
        ("[" * 100_000, None),
        ("[]", None),
        (json.dumps({"jetstream": {}}), None),
    ],
)
def test_the_sync_interval_of_a_broker_of_ones_own(ana, body, says):
    ana.state.save_identity(replace(ana.identity, embedded=False))
    page = type("Own", (Page,), {"body": body.encode()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        patient = ana.patient()
        patient.monitor = f"http://127.0.0.1:{server.server_port}"
        seen = durable.check(patient)
        server.shutdown()
    expected = {"always": [], None: ["sync-interval-unknown"]}.get(says, ["sync-interval"])
    assert [one.kind for one in seen.findings] == expected
    assert not seen.findings or says is None or says in seen.findings[0].says


@pytest.mark.parametrize(("line", "well"), [("  sync_interval: always  # so", True), ("  sync_interval: 2m", False)])
def test_the_sync_interval_of_the_embedded_broker(ana, line, well):
    ana.state.broker.mkdir(mode=0o700)
    (ana.state.broker / "nats-server.conf").write_text(f"jetstream {{\n{line}\n}}\n")
    assert (kinds(durable.check, ana.patient()) == []) is well


# -- what is left, and room


def test_messages_that_wait(ana):
    spool = Spool(ana.state.folder / "spool" / "ana", max_intents=2)
    for number in range(2):
        spool.add("post.home.audit.ana", b"x", {"Nats-Msg-Id": f"o-{number}"})
    with pytest.raises(Exception, match="2"):
        spool.add("post.home.audit.ana", b"x", {"Nats-Msg-Id": "o-2"})
    seen = found(unsaid.check, ana.patient())
    assert seen["spool"].severity == "note"
    assert seen["spool"].says.startswith("2 messages of ana wait")
    assert seen["spool-lost"].severity == "warning"


@pytest.mark.parametrize(("age", "kind"), [(0.0, None), (3600.0, "unfinished")], ids=["at this moment", "an hour ago"])
def test_a_change_that_was_interrupted(ana, age, kind):
    record = {"transaction": "t", "label": "d-1", "snapshot": "s", "phase": "committed", "steps": []}
    (ana.state.folder / "journal").mkdir(mode=0o700)
    record["time_ns"] = int((time.time() - age) * 1e9)
    (ana.state.folder / "journal" / "journal.json").write_text(json.dumps(record))
    assert kinds(unsaid.check, ana.patient()) == ([kind] if kind else [])


def test_a_journal_that_can_not_be_read(ana):
    (ana.state.folder / "journal").mkdir(mode=0o700)
    (ana.state.folder / "journal" / "journal.json").write_bytes(b"\xff")
    assert found(unsaid.check, ana.patient())["journal"].severity == "error"


@pytest.mark.parametrize(
    ("phase", "severity"), [("trying", "warning"), ("return_failed", "error"), ("confirmed", None)]
)
def test_an_update_that_did_not_end(ana, phase, severity):
    old = Release(version="0.1.0")
    ana.state.write("update.json", Journal(campaign="c", revision=1, version="0.2.0", phase=phase, old=old, began=NOW))
    one = found(unsaid.check, ana.patient()).get("update")
    assert (one.severity if one else None) == severity


@pytest.mark.parametrize(("free", "severity"), [(10, "error"), (300, "warning"), (5_000, None)])
def test_a_disk_without_room(ana, monkeypatch, free, severity):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: SimpleNamespace(free=free * room.MIB))
    one = found(room.check, ana.patient()).get("disk")
    assert (one.severity if one else None) == severity


def test_backups_beyond_what_is_meant(ana, monkeypatch):
    monkeypatch.setattr(room, "KEEP_BYTES", 100)
    folder = ana.state.folder / "snapshots" / "s-1"
    folder.mkdir(parents=True)
    (folder / "0.bin").write_bytes(b"x" * 200)
    assert kinds(room.check, ana.patient()) == ["snapshots"]


# -- assistants


def test_no_assistant(ana):
    assert "no-assistant" in kinds(assistants.check, ana.patient())


def test_assistants_files(ana):
    (ana.home / ".claude").mkdir()
    (ana.home / ".claude.json").write_text('{"mcpServers": {"a": {"command": "no-such-program-at-all"}}}')
    (ana.home / ".claude" / "settings.json").write_text("{ not json")
    seen = found(assistants.check, ana.patient())
    assert seen["program"].about == "no-such-program-at-all"
    assert "target-not-read" in seen
    ana.settings('targets = ["claude.settings"]')
    assert "target-left-out" in found(assistants.check, ana.patient())


@pytest.mark.parametrize(
    ("value", "program"),
    [
        ({"command": "no-such-thing"}, "no-such-thing"),
        ({"command": "sh"}, None),
        ({"command": "no-such-thing", "disabled": True}, None),
        ({"command": "${home}/bin/no-such-server"}, None),  # the assistant fills something in
        ({"command": "/no/such/program"}, "/no/such/program"),
        ({"command": "env", "args": ["A=b", "no-such-thing"]}, "no-such-thing"),
        ({"url": "https://example.com"}, None),
        ({"command": 5}, None),
    ],
)
def test_the_program_of_a_server(ana, value, program):
    (ana.home / ".claude").mkdir()
    (ana.home / ".claude.json").write_text(json.dumps({"mcpServers": {"a": value}}))
    one = found(assistants.check, ana.patient()).get("program")
    assert (one.about if one else None) == program


@pytest.mark.parametrize(
    ("program", "following"),
    [("uvx", "Next: pip install uv"), ("no-such-thing", "Next: roosync doctor    (when that is done)")],
)
def test_what_comes_next_mends_something(program, following):
    lacks = finding(kind="program", about=program, command=assistants.INSTALLS.get(program, ""))
    told = examining.diagnosis([(table.Here("assistants", "", lambda _: Seen("")), Seen("", [lacks]))], "", "", 0.0)
    assert shown_diagnosis(msgspec.to_builtins(told)).endswith(following)


# -- running them


def test_a_check_that_fails_or_hangs_is_a_finding_and_the_others_go_on(ana):
    go = threading.Event()

    def broken(patient):
        raise KeyError("inside")

    def hangs(patient):
        go.wait(30)
        return Seen("late")

    def well(patient):
        return Seen("fine")

    checks = [
        table.Here("broken", "", broken),
        table.Here("hangs", "", hangs, 0.2),
        table.Here("well", "", well),
    ]
    began = time.monotonic()
    told = examining.diagnosis(examining.examine_here(ana.patient(), checks), "ana", "none", 0.0)
    go.set()
    assert time.monotonic() - began < 5
    assert [(one.kind, one.about) for one in told.findings] == [("check-failed", "broken"), ("check-late", "hangs")]
    assert [area.state for area in told.areas] == ["warning", "warning", "well"]


@pytest.mark.parametrize(
    ("severities", "code"), [([], 0), (["note"], 0), (["warning", "note"], 2), (["note", "error", "warning"], 1)]
)
def test_the_worst_comes_first_and_makes_the_exit_code(severities, code):
    findings = [finding(severity=severity, about=str(at)) for at, severity in enumerate(severities)]
    check = table.Here("x", "", lambda patient: Seen(""))
    told = examining.diagnosis([(check, Seen("", findings))], "ana", "none", 0.0)
    order = ["error", "warning", "note"]
    assert [one.severity for one in told.findings] == sorted(severities, key=order.index)
    assert told.exit_code == code
    assert isinstance(told, Diagnosis)


def test_every_safe_finding_has_a_mend():
    source = "".join(path.read_text() for path in (table_folder()).glob("*.py"))
    for part in source.split("Finding(")[1:]:
        if "safe=True" in part.split("\n    )")[0]:
            kind = part.split('kind="')[1].split('"')[0]
            assert kind in mending.MENDS


def table_folder():
    return Path(table.__file__).parent


def test_the_page_names_every_check_and_every_mend():
    page = (table_folder().parents[3] / "docs" / "doctor.md").read_text("utf-8")
    for check in (*table.HERE, *table.FLEET):
        assert f"| {check.name} | {check.looks_at} |" in page
    for kind in mending.MENDS:
        assert f"| `{kind}` |" in page


def test_a_hostile_server_name_stays_in_a_string(ana):
    """What a configuration says is shown by the face with every escape spelled out."""
    told = [finding(about="\x1b[2J", says="\x1b[2Jgone\u202e", command="rm\x07")]
    check = table.Here("assistants", "", lambda patient: Seen(""))
    shown = shown_diagnosis(msgspec.to_builtins(examining.diagnosis([(check, Seen("", told))], "ana", "none", 0.0)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x07" not in shown


def test_the_fleets_checks_are_skipped_when_nobody_looked():
    told = examining.diagnosis(examining.nobody_looked("there is no fleet here"), "", "", 0.0)
    assert {area.state for area in told.areas} == {"not looked at"}
    assert told.exit_code == 0


async def test_a_check_of_the_fleet_that_takes_too_long():
    class Quiet:
        reachable = True

    class Machine:
        session = Quiet()

    async def slow(machine):
        await asyncio.sleep(30)

    async def broken(machine):
        raise ZeroDivisionError("inside")

    checks = [table.OfFleet("slow", "", slow, 0.05), table.OfFleet("broken", "", broken)]
    told = examining.diagnosis(await examining.examine_fleet(Machine(), checks), "ana", "resident", 0.0)
    assert [one.kind for one in told.findings] == ["check-late", "check-failed"]


def test_a_broker_that_is_cut_off_is_told_once():
    here, fleet = (table.Here(name, "", lambda patient: Seen("")) for name in ("broker", "clocks"))
    cut = examining.diagnosis([(here, Seen("", [finding(kind="broker-mute", severity="error")]))], "", "", 0.0)
    late = examining.diagnosis([(fleet, examining.late("clocks", 5))], "", "", 0.0)
    told = examining.together(cut, late, "ana", "resident", 1.0)
    assert [one.kind for one in told.findings] == ["broker-mute"]
    assert [area.state for area in told.areas] == ["error", "not looked at"]
    well = examining.diagnosis([(here, Seen("fine"))], "", "", 0.0)
    assert [one.kind for one in examining.together(well, late, "ana", "resident", 1.0).findings] == ["check-late"]


# -- the command


@pytest.fixture
def run(ana, monkeypatch):
    def invoke(*words, typed=""):
        found = ana.patient()
        monkeypatch.setattr("roosync_agent.operations.doctoring.patient.Patient", lambda *_: found)
        for name, value in ana.env.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(doctor, words, input=typed)

    return invoke


def test_the_key_is_sealed_after_a_question(ana, run):
    _plain(ana)
    assert "no passphrase" in run("--mend", "unprotected", typed="n\n").output
    assert keys.load(ana.state.operator_key) == ROOT.seed
    done = run("--mend", "unprotected", typed="y\nfour plain words\nfour plain words\n")
    assert "is sealed" in done.output
    assert keys.unseal(keys.load(ana.state.operator_key), "four plain words") == ROOT.seed
    assert "four plain words" not in done.output


@pytest.mark.parametrize("typed", ["y\n\n", "y\na\nb\n"], ids=["none", "two that differ"])
def test_a_passphrase_that_is_none(ana, run, typed):
    _plain(ana)
    assert run("--mend", "unprotected", typed=typed).exit_code != 0
    assert keys.load(ana.state.operator_key) == ROOT.seed


@pytest.mark.parametrize("words", [("--yes",), ("--dry-run",), ("--mend", "nothing-such")])
def test_what_makes_no_sense(run, words):
    assert run(*words).exit_code == 2  # click's; the command line makes 1 of it


@pytest.mark.parametrize("columns", ["1", "20", "400"])
def test_absurd_widths(ana, run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    _plain(ana)
    assert run("--all").exit_code == 1


@pytest.mark.parametrize("state", [" ", "~nobody-known/x"])
def test_a_state_folder_that_names_none_is_told_once(monkeypatch, state):
    in_threads = []
    monkeypatch.setattr(threading, "excepthook", in_threads.append)
    with pytest.raises(SettingsError, match="ROOSYNC_STATE"):
        diagnosing.diagnose(Patient({"ROOSYNC_STATE": state}))
    assert in_threads == []


@posix
def test_after_a_mend_the_diagnosis_says_what_comes_next(ana, run):
    ana.state.machine_key.chmod(0o644)
    _plain(ana)
    said = run("--mend", "permissions", "--yes").output
    assert "is 0600 now" in said
    assert said.count("Next: ") == 1
    assert "Nothing was mended here." in (said := run("--mend", "unprotected", typed="n\n").output)
    assert said.endswith("Next: roosync doctor\n")


def test_a_law_that_ends_is_renewed_with_the_usual_question(ana, run, monkeypatch):
    asked = []
    law = finding(kind="law", about="the roster", says="the roster expires on 2026-01-20", command="roosync renew")
    told = examining.diagnosis([(table.Here("law", "", lambda patient: Seen("")), Seen("", [law]))], "ana", "", 0.0)
    monkeypatch.setattr("roosync_agent.operations.doctoring.diagnosing.diagnose", lambda patient: told)
    monkeypatch.setattr("roosync_agent.cli.fleet.signed", lambda work, *_: asked.append(work) or ["the roster"])
    run("--mend", "law", "--yes")
    run("--mend", "law", typed="n\n")
    assert asked == []
    assert "Renewed" in run("--mend", "law", typed="y\n").output
    assert len(asked) == 1
