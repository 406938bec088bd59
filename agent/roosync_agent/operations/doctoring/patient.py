"""What the checks of this computer look at: settings, state folder, who runs on it. Each part may be broken.

Made once for an examination, so that every check speaks of the same moment; what can not be read is None here, with the
reason beside it.
"""

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from roosync_agent.connect import broker_at, url_of
from roosync_agent.running.where import SettingsError, state_folder
from roosync_agent.settings import Settings, load
from roosync_agent.state import Identity, State, StateError
from roosync_protocol.law import Law


@dataclass(frozen=True)
class Running:
    """A process of roosync on this computer that stays: `up`, `agent` or `broker`."""

    pid: int
    what: str
    state: Path | None  # None: its environment can not be read
    identity: Identity | None = None
    stopped: bool = False  # by Ctrl-Z or a signal: it does nothing, not even end, before it goes on


@dataclass
class Patient:
    env: Mapping[str, str]
    monitor: str = ""  # the monitoring address of the broker, where a person named it
    broken: list[str] = field(default_factory=list)  # files of the state folder that can not be understood: why

    @cached_property
    def state(self) -> State:
        """SettingsError when ROOSYNC_STATE names no folder: nothing else can be looked at then."""
        return State(state_folder(self.env))

    @cached_property
    def settings_trouble(self) -> str:
        try:
            load(dict(self.env))
        except (SettingsError, OSError) as error:
            return str(error)
        return ""

    @cached_property
    def settings(self) -> Settings:
        """Those in force, or the plain ones where the file is broken."""
        try:
            return load(dict(self.env))
        except (SettingsError, OSError):
            home = Path(self.env.get("ROOSYNC_HOME") or Path.home())
            return Settings(state=self.state.folder, home=home, config=self.state.folder / "config.toml")

    @cached_property
    def identity(self) -> Identity | None:
        try:
            return self.state.identity()
        except StateError as error:
            self.broken.append(str(error))
            return None

    @cached_property
    def law(self) -> Law | None:
        try:
            return self.state.law()
        except StateError as error:
            self.broken.append(str(error))
            return None

    @property
    def embedded(self) -> bool:
        """Does this machine run the fleet's broker?"""
        return self.identity is not None and self.identity.embedded and self.settings.nats is None

    @property
    def urls(self) -> list[str]:
        if self.identity is None:
            return []
        return [part.strip() for part in url_of(self.settings, self.identity).split(",") if part.strip()]

    @property
    def broker_at(self) -> str:
        """Where the broker is started; "" for this machine."""
        return broker_at(self.settings, self.identity, self.law) if self.identity is not None else ""

    @cached_property
    def running(self) -> list[Running]:
        """Every `roosync up`, `agent` and `broker` of this account on this computer, this process left out."""
        import psutil

        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and (what := _part(process.cmdline())):
                    found.append(_running(process.pid, what, process))
        return found


PARTS = ("up", "agent", "broker")


def _part(words: list[str]) -> str:
    """Which part of roosync a command line is of; "" when of none."""
    for at, word in enumerate(words[:-1]):
        name = Path(word).name.removesuffix(".exe")
        if name == "roosync" or (word == "roosync_agent" and words[at - 1] == "-m"):
            return words[at + 1] if words[at + 1] in PARTS else ""
    return ""


def _running(pid: int, what: str, process: object) -> Running:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        stopped = process.status() == psutil.STATUS_STOPPED
        state = state_folder(process.environ())
    except (psutil.Error, OSError, SettingsError):
        return Running(pid, what, None)
    try:
        identity = State(state).identity()
    except StateError:
        identity = None
    return Running(pid, what, state, identity, stopped)


def own(path: Path) -> bool:
    """Is it of this account? Always, where the system has no such thing."""
    return sys.platform == "win32" or path.lstat().st_uid == os.getuid()
