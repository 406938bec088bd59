"""`roosync service`: the files for three systems, read back; what is not ours stays; a manager that plays along or not.

The manager is a script that notes what it is asked: none of these tests touches the one of this computer.
"""

import configparser
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.service import managing, units
from roosync_agent.operations.service.managing import NoManagerError
from roosync_broker.children import OneAtATime

SYSTEMS = ("linux", "darwin", "win32")
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
HOSTILE = {  # a folder's name -> it comes back as it was
    "plain": "state",
    "blanks": "my state",
    "quotes": "a \"quoted\" 'one'",
    "a percent sign": "100%h",
    "a dollar": "a$HOME${x}",
    "backslash": "a\\nb",
    "markup": "<a>&amp;]]>",
    "not Latin": "état-данные",
}


def wanted(tmp_path, system, **environ):
    state = Path(environ.get("ROOSYNC_STATE", tmp_path / "state"))
    return managing.plan(state, environ, system=system, home=tmp_path / "home")


def systemd_words(text):
    """As systemd reads a command: quotes and backslashes, %% and $$."""
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(text)]


def read(plan):
    """(command, environment) as the manager would read them; of Windows what its Python is told to do."""
    if plan.manager == "systemd":
        unit = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
        unit.optionxform = str
        lines = re.findall(r"^Environment=(.*)$", plan.text, re.MULTILINE)
        unit.read_string(plan.text)
        environment = dict(shlex.split(line)[0].replace("%%", "%").split("=", 1) for line in lines)
        return systemd_words(unit["Service"]["ExecStart"]), environment
    if plan.manager == "launchd":
        found = plistlib.loads(plan.text.encode())
        return found["ProgramArguments"], found["EnvironmentVariables"]
    task = ET.fromstring(plan.text.encode("utf-16"))
    action = task.find(f"{TASK}Actions/{TASK}Exec")
    return [action.find(f"{TASK}Command").text, action.find(f"{TASK}Arguments").text], {}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_written_is_read_as_it_was_meant(tmp_path, system, name):
    folder = str(tmp_path / name)
    plan = wanted(tmp_path, system, ROOSYNC_STATE=folder, ROOSYNC_PASSPHRASE_FILE="/secret", PATH="/bin")
    command, environment = read(plan)
    if system == "win32":
        assert command[0].endswith("pythonw.exe")
        assert repr(folder)[1:-1].replace('"', '\\"') in command[1] or repr(folder)[1:-1] in command[1]
        assert "'roosync', 'up'" in command[1]
    else:
        assert command == [sys.executable, "-P", "-m", "roosync_agent", "up"]
        assert environment.pop("ROOSYNC_STATE") == folder
        assert environment == ({"PATH": "/bin"} if system == "darwin" else {})
    assert "/secret" not in plan.text, "a passphrase is for a person, or for a file that is named on purpose"
    assert units.whose(plan.text) == "ours"
    assert units.whose(plan.text.replace("up", "down", 1)) in ("changed", "foreign")
    assert units.whose(plan.text + "\n") == "changed"


def test_a_line_break_can_not_stand_in_a_unit(tmp_path):
    with pytest.raises(ValueError, match="line break"):
        wanted(tmp_path, "linux", ROOSYNC_STATE=str(tmp_path / "a\nExecStart=evil"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_state_folder_has_a_service_of_its_own(tmp_path, monkeypatch, system):
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = managing.plan(managing.state_folder({}), {}, system=system, home=tmp_path)
    other = managing.plan(tmp_path / "other", {"ROOSYNC_STATE": str(tmp_path / "other")}, system=system, home=tmp_path)
    assert usual.name in ("roosync.service", "org.roosync.agent", "roosync")
    assert other.name != usual.name
    assert other.path != usual.path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_itself_understands_the_unit(tmp_path):
    plan = wanted(tmp_path, "linux", ROOSYNC_STATE=str(tmp_path / 'a "b" %h $c'))
    unit = tmp_path / "roosync.service"
    unit.write_text(plan.text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=30
    )
    about_us = [line for line in done.stderr.splitlines() if "roosync.service" in line]
    assert not about_us, done.stderr


def test_it_agrees_with_the_unit_in_deploy(tmp_path):
    """deploy/roosync.service is the same by hand: what one says, the other says."""
    by_hand = (Path(__file__).parents[2] / "deploy" / "roosync.service").read_text("utf-8")
    ours = wanted(tmp_path, "linux").text
    for key in ("Type", "Restart", "RestartSec", "KillMode", "TimeoutStopSec", "UMask", "NoNewPrivileges", "WantedBy",
                "EnvironmentFile", "StartLimitIntervalSec", "StartLimitBurst"):  # fmt: skip
        line = re.compile(rf"^{key}=.*$", re.MULTILINE)
        assert line.findall(ours) == line.findall(by_hand), key


# -- doing it


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """A `systemctl` that notes what it is asked; with the file `broken` it answers nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()

    class Manager:
        asked = tmp_path / "asked"

        def said(self):
            return self.asked.read_text().splitlines() if self.asked.exists() else []

    script = folder / "systemctl"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {Manager.asked}\ncase "$2" in\n'
        f"is-active) [ -e {tmp_path}/active ]; exit $?;;\nstart) touch {tmp_path}/active;;\n"
        f"disable) rm -f {tmp_path}/active;;\nesac\n"
        f'[ -e {tmp_path}/broken ] && {{ echo "Failed to connect to bus" >&2; exit 1; }}\nexit 0\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    made = Manager()
    made.broken = tmp_path / "broken"
    return made


posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script plays the manager")


@posix
def test_it_is_installed_looked_at_and_taken_away(tmp_path, manager):
    plan, state = wanted(tmp_path, "linux"), tmp_path / "state"
    shown = managing.install(plan, state, dry_run=True)
    assert shown.done is False
    assert not plan.path.exists()
    assert "start" not in " ".join(manager.said())
    done = managing.install(plan, state)
    assert plan.path.read_text() == plan.text == done.text
    assert [line.split()[1] for line in manager.said() if "is-active" not in line and "show-env" not in line] == [
        "daemon-reload", "enable", "start",
    ]  # fmt: skip
    found = managing.status(plan, state)
    assert (found.file, found.runs, found.by_hand) == ("ours", True, False)
    again = managing.install(plan, state)
    assert again.started is False
    assert "runs already" in again.notes[0]
    gone = managing.uninstall(plan)
    assert gone.done
    assert not plan.path.exists()
    assert managing.status(plan, state).file == "absent"
    with pytest.raises(RefusedRequestError, match="no service is installed"):
        managing.uninstall(plan)


FILES = {"of somebody else": "[Unit]\nDescription=mine\n", "changed by hand": None}


@posix
@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_what_is_not_ours_is_not_written_over(tmp_path, manager, text):
    plan = wanted(tmp_path, "linux")
    plan.path.parent.mkdir(parents=True)
    plan.path.write_text(text or plan.text.replace("RestartSec=5", "RestartSec=50"))
    before = plan.path.read_bytes()
    for work in (lambda: managing.install(plan, tmp_path / "state"), lambda: managing.uninstall(plan)):
        with pytest.raises(RefusedRequestError, match="stays as it is: move it away first"):
            work()
    assert plan.path.read_bytes() == before


@posix
def test_an_up_that_runs_is_left_alone(tmp_path, manager):
    plan, state = wanted(tmp_path, "linux"), tmp_path / "state"
    lock = OneAtATime(state / "run" / "up.lock")
    assert lock.acquire()
    done = managing.install(plan, state)
    lock.release()
    assert "`roosync up` runs already" in done.notes[0]
    assert not any(line.split()[1] == "start" for line in manager.said())


@posix
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_without_a_manager_nothing_is_written(tmp_path, monkeypatch, system):
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = wanted(tmp_path, system)
    with pytest.raises(NoManagerError, match=f"this system has no {plan.manager}"):
        managing.install(plan, tmp_path / "state")
    assert not plan.path.exists()
    assert managing.status(plan, tmp_path / "state").runs is None


@posix
def test_a_manager_that_does_not_answer(tmp_path, manager):
    plan = wanted(tmp_path, "linux")
    manager.broken.touch()
    with pytest.raises(NoManagerError, match="Failed to connect to bus"):
        managing.install(plan, tmp_path / "state")
    assert not plan.path.exists()
