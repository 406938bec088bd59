"""Installing, taking away and looking at the service, by what the system has: systemd, launchd, Task Scheduler.

The file and the commands are worked out first (`plan`), so that `--dry-run` shows exactly what would be done.
"""

import getpass
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.service import units
from roosync_agent.running.where import state_folder
from roosync_broker.children import OneAtATime

Manager = Literal["systemd", "launchd", "Task Scheduler"]
KEPT = ("ROOSYNC_STATE", "ROOSYNC_HOME", "ROOSYNC_CONFIG", "ROOSYNC_FLEET", "ROOSYNC_MACHINE", "ROOSYNC_NATS",
        "ROOSYNC_NATS_SERVER")  # fmt: skip
FOLDERS = ("ROOSYNC_STATE", "ROOSYNC_HOME", "ROOSYNC_CONFIG")
WITHIN = 60.0  # seconds for a command of the manager; starting waits for nothing of ours
TOOLS: dict[Manager, str] = {"systemd": "systemctl", "launchd": "launchctl", "Task Scheduler": "schtasks"}


class Plan(Struct, kw_only=True, frozen=True):
    """What would be written and asked of the manager."""

    manager: Manager
    name: str
    path: Path
    text: str
    begin: list[list[str]]  # from the next login on
    start: list[list[str]]  # now
    end: list[list[str]]
    look: list[str]  # exit code 0: it runs, or is there to run


class ServiceStatus(Struct, kw_only=True, frozen=True):
    manager: Manager
    name: str
    path: str
    file: Literal["absent", "ours", "changed", "foreign"]
    runs: bool | None = None  # None: the manager does not answer
    why: str = ""  # it does not
    by_hand: bool = False  # `roosync up` runs, and not by the manager
    lingers: bool | None = None  # systemd: also while nobody is logged in; None elsewhere, or unknown


class ServiceDone(Struct, kw_only=True, frozen=True):
    manager: Manager
    name: str
    path: str
    text: str
    commands: list[str]
    done: bool  # False: it was only shown
    started: bool = False
    notes: list[str] = []


class NoManagerError(RefusedRequestError):
    """The system's manager of services is not there, or does not answer this person."""


def plan(state: Path, environ: Mapping[str, str], *, system: str = sys.platform, home: Path | None = None) -> Plan:
    """For this state folder; each has a service of its own. `system` as sys.platform."""
    home = home or Path.home()
    kept = {name: environ[name] for name in KEPT if environ.get(name)}
    kept |= {name: os.path.abspath(Path(kept[name]).expanduser()) for name in FOLDERS if name in kept}  # noqa: PTH100
    usual = state_folder({name: value for name, value in environ.items() if name != "ROOSYNC_STATE"})
    more = "" if state == usual else "-" + hashlib.sha256(os.fsencode(state)).hexdigest()[:8]
    command = (sys.executable, "-P", "-m", "roosync_agent", "up")
    if system == "win32":
        return _of_windows(state, f"roosync{more}", kept)
    if system == "darwin":
        return _of_macos(home, f"org.roosync.agent{more}", command, kept | {"PATH": environ.get("PATH", os.defpath)})
    return _of_linux(home, f"roosync{more}.service", command, kept, environ)


def _of_linux(
    home: Path, name: str, command: tuple[str, ...], kept: dict[str, str], environ: Mapping[str, str]
) -> Plan:
    folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user"
    text = units.systemd_unit(units.Service(name=name, command=command, environment=kept))
    ask = ["systemctl", "--user"]
    return Plan(
        manager="systemd",
        name=name,
        path=folder / name,
        text=units.marked(text, lambda line: f"# {line}"),
        begin=[[*ask, "daemon-reload"], [*ask, "enable", name]],
        start=[[*ask, "start", name]],
        end=[[*ask, "disable", "--now", name]],
        look=[*ask, "is-active", "--quiet", name],
    )


def _of_macos(home: Path, name: str, command: tuple[str, ...], kept: dict[str, str]) -> Plan:
    log = str(home / "Library" / "Logs" / f"{name}.log")
    text = units.launchd_agent(units.Service(name=name, command=command, environment=kept, log=log))
    path = home / "Library" / "LaunchAgents" / f"{name}.plist"
    domain = f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"
    return Plan(
        manager="launchd",
        name=name,
        path=path,
        text=units.marked(text, lambda line: f"<!-- {line} -->"),
        begin=[],  # it reads the folder at login
        start=[["launchctl", "bootstrap", domain, str(path)]],
        end=[["launchctl", "bootout", f"{domain}/{name}"]],
        look=["launchctl", "print", f"{domain}/{name}"],
    )


def _of_windows(state: Path, name: str, kept: dict[str, str]) -> Plan:
    """A task sets no environment and shows a console: a few lines set it, and write to a log instead."""
    program = Path(sys.executable).with_name("pythonw.exe")
    log = str(state / "service.log")
    start = (
        f"import os, sys; os.environ.update({kept!r}); "
        f"sys.stdout = sys.stderr = open({log!r}, 'a', encoding='utf-8', buffering=1); "
        "sys.argv = ['roosync', 'up']; from roosync_agent.cli.main import main; main()"
    )
    person = f"{os.environ.get('USERDOMAIN', '')}\\{getpass.getuser()}".lstrip("\\")
    service = units.Service(name=name, command=(str(program), "-P", "-c", start), user=person)
    path = state / f"{name}.xml"
    return Plan(
        manager="Task Scheduler",
        name=name,
        path=path,
        text=units.marked(units.windows_task(service), lambda line: f"<!-- {line} -->"),
        begin=[["schtasks", "/Create", "/TN", name, "/XML", str(path), *(["/F"] if path.exists() else [])]],
        start=[["schtasks", "/Run", "/TN", name]],
        end=[["schtasks", "/End", "/TN", name], ["schtasks", "/Delete", "/TN", name, "/F"]],
        look=["schtasks", "/Query", "/TN", name],
    )


def install(wanted: Plan, state: Path, *, dry_run: bool = False) -> ServiceDone:
    """Writes the file and lets the manager begin. RefusedRequestError when that would write over what is not ours."""
    _require_ours(wanted)
    runs, notes, commands = _runs(wanted), [], [*wanted.begin]
    if runs:
        notes.append("it runs already: what is written now counts when it starts the next time")
    elif up_runs(state):
        notes.append("`roosync up` runs already: end it, and the service starts at the next login")
    else:
        commands += wanted.start
    if not dry_run:
        _require_manager(wanted)
        _write(wanted)
        for command in commands:
            _asked(command, wanted)
    return _done(wanted, commands, dry_run=dry_run, started=not dry_run and not notes, notes=notes)


def uninstall(wanted: Plan, *, dry_run: bool = False) -> ServiceDone:
    """Ends it and takes the file away. Keys, law and files stay."""
    _require_ours(wanted, there=True)
    notes = []
    if not dry_run:
        _require_manager(wanted)
        for command in wanted.end:
            try:
                _asked(command, wanted)
            except RefusedRequestError as error:  # it did not run, perhaps; the file goes all the same
                notes.append(str(error))
        wanted.path.unlink(missing_ok=True)
        if wanted.manager == "systemd":
            _asked(["systemctl", "--user", "daemon-reload"], wanted)
    return _done(wanted, wanted.end, dry_run=dry_run, notes=notes)


def status(wanted: Plan, state: Path) -> ServiceStatus:
    runs, why = None, ""
    try:
        _require_manager(wanted)
        runs = _runs(wanted)
    except NoManagerError as error:
        why = str(error)
    return ServiceStatus(
        manager=wanted.manager, name=wanted.name, path=str(wanted.path), file=_file(wanted), runs=runs, why=why,
        by_hand=up_runs(state) and not runs, lingers=_lingers() if wanted.manager == "systemd" else None,
    )  # fmt: skip


def up_runs(state: Path) -> bool:
    lock = OneAtATime(state / "run" / "up.lock")
    if lock.acquire():
        lock.release()
        return False
    return True


def _file(wanted: Plan) -> Literal["absent", "ours", "changed", "foreign"]:
    try:
        data = wanted.path.read_bytes()
    except FileNotFoundError:
        return "absent"
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    found = units.whose(text)
    return "ours" if found == "ours" else "changed" if found == "changed" else "foreign"


def _require_ours(wanted: Plan, *, there: bool = False) -> None:
    found = _file(wanted)
    if found == "absent" and there:
        raise RefusedRequestError(f"no service is installed: there is no {wanted.path}")
    if found == "foreign":
        raise RefusedRequestError(
            f"{wanted.path} was not written by `roosync service install`, and stays as it is: move it away first"
        )
    if found == "changed":
        raise RefusedRequestError(
            f"{wanted.path} was changed by hand since it was written, and stays as it is: move it away first"
        )


def _require_manager(wanted: Plan) -> None:
    """NoManagerError, before anything is written."""
    tool = TOOLS[wanted.manager]
    if shutil.which(tool) is None:
        raise NoManagerError(f"this system has no {wanted.manager}: {tool} is not there")
    if wanted.manager == "systemd":
        done = _ran(["systemctl", "--user", "show-environment"])
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NoManagerError(f"systemd does not answer for this user: {why}")


def _write(wanted: Plan) -> None:
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    new = wanted.path.with_name(f".{wanted.path.name}.new")
    new.write_bytes(wanted.text.encode("utf-16" if wanted.manager == "Task Scheduler" else "utf-8"))
    new.chmod(0o644)
    new.replace(wanted.path)


def _runs(wanted: Plan) -> bool:
    return shutil.which(wanted.look[0]) is not None and _ran(wanted.look).returncode == 0


def _lingers() -> bool | None:
    if shutil.which("loginctl") is None:
        return None
    done = _ran(["loginctl", "show-user", getpass.getuser(), "--property=Linger", "--value"])
    return done.stdout.strip() == "yes" if done.returncode == 0 else None


def _asked(command: Sequence[str], wanted: Plan) -> None:
    done = _ran(command)
    if done.returncode:
        why = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise RefusedRequestError(f"{wanted.manager} refused `{' '.join(command)}`: {why}")


def _ran(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - a command of the table above, no shell
            list(command), capture_output=True, text=True, errors="replace", timeout=WITHIN, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(list(command), 1, "", str(error))


def _done(wanted: Plan, commands: list[list[str]], *, dry_run: bool, started: bool = False,
          notes: Sequence[str] = ()) -> ServiceDone:  # fmt: skip
    return ServiceDone(
        manager=wanted.manager, name=wanted.name, path=str(wanted.path), text=wanted.text,
        commands=[" ".join(command) for command in commands], done=not dry_run, started=started, notes=list(notes),
    )  # fmt: skip
