"""Machines as they are in life: a folder each, real processes, real commands, real signals.

A `Site` is one machine: a home folder, a state folder, an environment. `fleet` gives as many as a module wants,
and takes every process away at its end. Nothing is slept for: whatever takes time is waited for, with a bound.
"""

import codecs
import contextlib
import io
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from roosync_agent.running.control import NobodyThereError, ask

NOT_OURS = ("ROOSYNC_", "XDG_")  # of the environment that the tests run in
PATIENCE = float(os.environ.get("ROOSYNC_TEST_PATIENCE", "40"))  # seconds for anything that is waited for
STORAGE = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings"
MCP = f"{STORAGE}/mcp_settings.json"
MODES = f"{STORAGE}/custom_modes.yaml"


def until(what, holds, patience=PATIENCE):
    """Waits until `holds()` is true and returns what it gave; fails, saying `what` (a text, or what makes it)."""
    end = time.monotonic() + patience
    while not (found := holds()):
        if time.monotonic() > end:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {patience:g} s and it did not happen: {told}")
        time.sleep(0.03)
    return found


def free_port(host="127.0.0.1"):
    """One that nobody has, and that nobody is given by chance while ours is down: below the system's own range."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port


class Ran:
    """What a command gave."""

    def __init__(self, words, done):
        self.words = words
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"roosync {' '.join(self.words)} -> {self.code}\n{self.out}{self.err}"


class Site:
    """One machine. `said` collects everything its commands printed."""

    def __init__(self, base, name, prefix=()):
        self.base, self.name, self.prefix = base, name, list(prefix)
        self.home, self.state, self.log = base / "home", base / "state", base / "log"
        self.home.mkdir(parents=True)
        self.state.mkdir(mode=0o700)
        self.extra = {}
        self.process = None
        self.begun = []  # the processes that were started from here
        self.started = []  # those, with their children as they were seen
        self.said = []

    @property
    def env(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        own = {
            "HOME": str(self.base / "nobody"),
            "ROOSYNC_STATE": str(self.state),
            "ROOSYNC_HOME": str(self.home),
            "ROOSYNC_MACHINE": self.name,
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return kept | own | self.extra

    # -- files

    def path(self, name):
        return self.home / name

    def write(self, name, data):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def read(self, name):
        return (self.home / name).read_bytes()

    def settings(self, text):
        (self.state / "config.toml").write_text(text, "utf-8")

    # -- commands

    def roosync(self, *words, codes=(0,), env=None, timeout=90, stdin=None):
        done = subprocess.run(
            [*self.prefix, sys.executable, "-m", "roosync_agent", *words],
            env=self.env | (env or {}),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        ran = Ran(words, done)
        self.said += [ran.out, ran.err]
        assert codes is None or ran.code in codes, ran
        assert "Traceback" not in ran.err, ran
        return ran

    def json(self, *words, codes=(0, 2, 3, 4, 5), **options):
        return self.roosync(*words, "--json", codes=codes, **options).json

    def fails(self, *words, says, code=1, **options):
        """The command ends with an error that a person can read, naming `says`; returns the message."""
        ran = self.roosync(*words, codes=(code,), **options)
        told = ran.err or ran.out
        for part in [says] if isinstance(says, str) else says:
            assert part in told, ran
        assert "fault of roosync itself" not in told, ran
        return told

    def talk(self, *words):
        """A command that a person talks with: its lines are read, and answered, as they come."""
        process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "roosync_agent", *words],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(psutil.Process(process.pid))
        self.begun.append(self.started[-1])
        return process

    # -- the resident agent

    def begin(self, *words, env=None):
        """Starts a part that stays (`up`, `agent`, `broker`), or a command that waits for somebody."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "roosync_agent", *words],
                env=self.env | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started.append(psutil.Process(process.pid))
        self.begun.append(self.started[-1])
        return process

    def up(self, *words, env=None):
        """Starts the machine, and returns when its agent answers."""
        self.process = self.begin(*(words or ("up", "--port", "0")), env=env)
        until(f"the agent of {self.name} answers", self._answers)
        self.tree()
        return self

    def _answers(self):
        assert self.process.poll() is None, self.told()
        return self.status() is not None

    def told(self):
        return self.log.read_text("utf-8", "replace")[-4000:] if self.log.exists() else ""

    def tree(self):
        """Every process of this machine that lives now."""
        found = {}
        for process in self.started:
            with contextlib.suppress(psutil.Error):
                found |= {child.pid: child for child in [process, *process.children(recursive=True)]}
        known = {process.pid for process in self.started}
        self.started += [child for pid, child in found.items() if pid not in known]
        return [p for p in found.values() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    def process_of(self, *words):
        """The one process of this machine whose command line has all these words."""
        found = [p for p in self.tree() if all(any(word in part for part in _command(p)) for word in words)]
        assert len(found) == 1, (words, [_command(p) for p in self.tree()])
        return found[0]

    def stop(self, number=signal.SIGTERM):
        """A clean end; returns the exit code."""
        self.tree()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def ask(self, verb, **args):
        """The resident agent's answer over its socket: what a command would print as JSON."""
        answer = ask(self.state, verb, args, timeout=60.0)
        assert "error" not in answer, answer
        return answer["result"]

    def status(self):
        try:
            answer = ask(self.state, "status", {}, timeout=5.0)
        except (NobodyThereError, TimeoutError, OSError, json.JSONDecodeError):
            return None
        return answer.get("result", {}).get("overview")

    def row(self, machine=None):
        overview = self.status() or {"machines": []}
        return next((row for row in overview["machines"] if row["machine"] == (machine or self.name)), None)

    def states(self):
        return [row["state"] for row in (self.status() or {"machines": []})["machines"]]

    def until_synced(self, *others):
        """Every machine of the fleet agrees with the baseline in force, as this one sees it."""
        return until(
            lambda: f"everybody is synced; {self.name} sees {self.states()} and {self.open_decisions()}",
            lambda: (seen := self.states()) and set(seen) == {"synced"} and seen,
        )

    def open_decisions(self):
        return [(d["machine"], d["entity"], d["status"]) for d in self.decisions()]

    # -- decisions

    def decisions(self, *, machine=None, status=None, entity=None):
        listed = self.ask("decisions", everything=True)["decisions"]
        return [
            d
            for d in listed
            if machine in (None, d["machine"]) and status in (None, d["status"]) and entity in (None, d["entity"])
        ]

    def decision(self, status, *, machine=None, entity=None):
        """The one decision in this state, waited for."""
        return until(
            lambda: f"{entity} on {machine} is {status}, among {self.open_decisions()}",
            lambda: self.decisions(machine=machine, status=status, entity=entity),
        )[0]


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


class Fleet:
    """The machines of one module, in the order they were made; the first founds."""

    def __init__(self, folder):
        self.folder = folder
        self.sites = {}

    def site(self, name, prefix=()):
        site = Site(self.folder / name, name, prefix)
        self.sites[name] = site
        return site

    def found(self, site, *words, start=True):
        port = ("--port", str(free_port()))
        site.roosync("init", "--no-passphrase", "--fleet", "e2e", "--operator", "ana", *port, *words)
        return site.up() if start else site

    def join(self, host, site, *, start=True, address="127.0.0.1"):
        """By a code, as a person does it."""
        code = self.invite(host, "--machine", site.name, address=address)
        admitting = host.begin("admit", "--yes", "--minutes", "1")
        site.roosync("join", code)
        admitting.terminate()
        admitting.wait(PATIENCE)
        return site.up("agent") if start else site

    def invite(self, host, *words, address="127.0.0.1"):
        return host.json("invite", "--address", address, "--no-wait", *words)["code"]

    def publish(self, host):
        """A baseline out of everything that the machines have, every question as suggested."""
        expected = len(self.sites)
        until("a proposal", lambda: (host.status() or {}).get("proposal"))
        until("a proposal of everybody", lambda: len(host.ask("baseline_show")["machines"]) == expected)
        if host.status()["proposal"]["open_questions"]:
            host.roosync("baseline", "choose", "--suggested")
        host.roosync("baseline", "publish")

    def settle(self, host):
        """Approves whatever waits until everybody is in step."""

        def settled():
            waiting = list(host.decisions(status="pending"))
            if waiting:
                host.roosync("approve", "--all", "--risk", "critical", "--yes")
            return set(host.states()) == {"synced"}

        until("everybody is in step", settled)

    def agree(self, host):
        """A baseline of everybody, and everybody in step with it."""
        self.publish(host)
        self.settle(host)

    def in_step(self, founder, *others):
        """From homes that were laid to a fleet that is in step: founded, joined, agreed."""
        self.found(founder)
        for site in others:
            self.join(founder, site)
        self.agree(founder)

    def close(self):
        everything = {}
        for site in self.sites.values():
            for process in site.tree() + site.started:
                everything[process.pid] = process
        for site in reversed(self.sites.values()):
            for process in site.begun:  # their children are theirs to end: the agent before its broker
                with contextlib.suppress(psutil.Error):
                    process.terminate()
        _gone, alive = psutil.wait_procs(list(everything.values()), 25)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, 10)


@pytest.fixture(scope="module")
def fleets(tmp_path_factory):
    """Makes fleets, each in a folder of its own; ends all of their processes with the module."""
    made = []

    def make():
        made.append(Fleet(tmp_path_factory.mktemp("fleet")))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()
        shutil.rmtree(fleet.folder, ignore_errors=True)


@pytest.fixture
def new_fleet(tmp_path):
    """A fleet for one test."""
    fleet = Fleet(tmp_path / "fleet")
    yield fleet
    fleet.close()


ALPHA_MCP = """{
  // the servers that everybody uses
  "mcpServers": {
    "github": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github"],
      "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "%(token)s"}, // mine
      "alwaysAllow": ["search_issues"]
    },
    "files": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "%(home)s/projects"]
    },
    "fetch": {"command": "uvx", "args": ["mcp-server-fetch"], "timeout": 60} /* slow */
  }
}
"""
ALPHA_MODES = """# modes of the team
customModes:
  - slug: review
    name: Review
    roleDefinition: You review changes.   # short
    groups: [read]
  - slug: docs
    name: Docs
    roleDefinition: |-
      You write documentation.
      Plainly.
    groups:
      - read
      - edit
"""
RULES = "# Rules\n\n- Be kind.\n- Never commit a secret.\n"


def lay(site, *, crlf=False, token="ghp_0123456789abcdefghijABCDEFGHIJ456789"):
    """A home with Roo Code and Claude Code in it; with CRLF it is the same configuration, spelled otherwise."""

    def spelled(text):
        return text.replace("\n", "\r\n") if crlf else text

    site.write(MCP, spelled(ALPHA_MCP % {"token": token, "home": site.home}))
    site.write(MODES, spelled(ALPHA_MODES))
    site.write(".roo/rules/00-base.md", spelled(RULES))
    site.write(".claude/CLAUDE.md", spelled("# Memory\n\nAnswer in French.\n"))
    site.write(".claude/settings.json", '{\n  "model": "opus",\n  "cleanupPeriodDays": 30,\n  "theme": "dark"\n}\n')
    return site


@pytest.fixture(scope="session")
def homes():
    """What the sample home is made of, and how it is laid."""

    class Homes:
        mcp, modes, rule, memory = MCP, MODES, ".roo/rules/00-base.md", ".claude/CLAUDE.md"
        more_rules = tuple(f".roo/rules/{number:02}-more.md" for number in range(1, 6))

    Homes.lay = staticmethod(lay)
    return Homes


@pytest.fixture(scope="session")
def pair(tmp_path_factory, homes):
    """alpha and beta in step with baseline 1.0.0, shared by modules that leave them in step and under the policy."""
    fleet = Fleet(tmp_path_factory.mktemp("pair"))
    alpha, beta = (homes.lay(fleet.site(name), crlf=name == "beta") for name in ("alpha", "beta"))
    for site in (alpha, beta):
        for name in homes.more_rules:
            site.write(name, f"# {name}\n")
    try:
        fleet.in_step(alpha, beta)
        yield fleet
    finally:
        fleet.close()


@pytest.fixture(scope="session")
def waiting():
    """`until(what, holds, patience)`."""
    return until


@pytest.fixture
def port():
    return free_port()


@pytest.fixture(scope="session")
def new_port():
    """`free_port()`, for fixtures that need several."""
    return free_port


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """When a test fails, what the machines said is shown with it."""
    report = yield
    if report.failed:
        for name, fixture in item.funcargs.items():
            if isinstance(fixture, Fleet):
                for site in fixture.sites.values():
                    report.sections.append((f"{name}: the log of {site.name}", site.told()))
    return report


class Typed:
    """A command on a terminal of its own (a pty): what it wrote, what is typed, and how large the terminal is.

    `said` is all that was written, its lines ended by \\n; `passed` the part of it that the last `until` waited for.
    """

    def __init__(self, site, words, *, columns=80, lines=24, env=None, program=None, cwd=None):
        import fcntl
        import pty
        import struct
        import termios

        self.said, self.passed, self.words = "", "", words
        self._seen = 0
        self._decoded = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        master, slave = pty.openpty()
        self.fd = master
        self._size = lambda c, n: fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", n, c, 0, 0))
        self._size(columns, lines)
        self.before = termios.tcgetattr(slave)
        self._slave, self._attributes = slave, lambda: termios.tcgetattr(slave)
        given = (
            {name: value for name, value in site.env.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | (env or {})
        )

        def own_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        program = program or [sys.executable, "-m", "roosync_agent", *words]
        self.process = subprocess.Popen(
            program, env=given, cwd=cwd, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=own_terminal,
        )  # fmt: skip
        site.started.append(psutil.Process(self.process.pid))
        site.begun.append(site.started[-1])

    def type(self, text):
        os.write(self.fd, text.encode())
        return self

    def interrupt(self, what):
        """Ctrl-C until this was written: Python misses one that comes just before it begins to read a line."""
        self.read(0.1)
        for _ in range(5):
            self.type("\x03")
            with contextlib.suppress(AssertionError):
                return self.until(what, patience=4)
        return self.until(what)

    def resize(self, columns, lines):
        self._size(columns, lines)

    def read(self, seconds=0.0):
        """What came since, waited for at most so long."""
        while select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:  # nobody has the other end any more
                break
            if not data:
                break
            self.said += self._decoded.decode(data)
            seconds = 0.0
        return self.said

    def until(self, *texts, patience=PATIENCE):
        """Waits until one of these was written after what was waited for before."""
        end = time.monotonic() + patience
        while not (found := [at + len(one) for one in texts if (at := self.said.find(one, self._seen)) >= 0]):
            rest = self.said[self._seen :][-3000:]
            assert time.monotonic() < end, f"{self.words}: {texts} was not written: {rest!r}"
            known, ended = len(self.said), self.process.poll() is not None
            assert len(self.read(0.05)) > known or not ended, f"{self.words}: it ended without {texts}: {rest!r}"
        self.passed, self._seen = self.said[self._seen : min(found)], min(found)
        return self

    def ended(self, patience=PATIENCE):
        """Its exit code."""
        end = time.monotonic() + patience
        while self.process.poll() is None:
            self.read(0.02)
            assert time.monotonic() < end, f"{self.words} goes on: {self.said[-3000:]!r}"
        self.read(0.02)
        return self.process.returncode

    @property
    def as_before(self):
        """Is the terminal as it was before the command?"""
        return self._attributes() == self.before

    def hang_up(self):
        """The window of the terminal is closed."""
        os.close(self.fd)
        self.fd = -1

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in {self.fd, self._slave} - {-1}:
            os.close(descriptor)


@pytest.fixture
def typed():
    """`typed(site, "watch", columns=80)`: a command on a terminal."""
    made = []

    def make(site, *words, **options):
        made.append(Typed(site, words, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
