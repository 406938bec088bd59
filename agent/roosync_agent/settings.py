"""Where an agent lives and what it manages: a TOML file, overridden by the environment.

    ROOSYNC_STATE            keys, journal, snapshots, spool, exports (default: the platform's data folder)
    ROOSYNC_HOME             the home folder whose configuration is managed (default: the user's)
    ROOSYNC_FLEET            name of the fleet
    ROOSYNC_MACHINE          explicit id of this machine; the host name is only a first proposal
    ROOSYNC_NATS             URL of an external server, instead of the embedded one
    ROOSYNC_PASSPHRASE_FILE  the operator's passphrase, for automation
    ROOSYNC_CONFIG           the settings file (default: config.toml in the state folder)

The file is checked against its schema (`settings_file`) when it exists.
"""

import os
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from roosync_agent.running.where import SettingsError as SettingsError
from roosync_agent.running.where import folder, own_home, state_folder
from roosync_protocol.names import machine_id, propose, token


@dataclass(frozen=True, kw_only=True)
class UpdateSettings:
    """How this machine takes a new version: the recipe is here, never in a message (docs/updates.md)."""

    recipe: Literal["", "git", "uv", "custom"] = ""  # "": a campaign is refused
    source: str = ""  # of the git recipe: URL or path
    tag: str = "v{version}"  # that names a version there, when the campaign names none
    package: str = "roosync"  # of the uv recipe, perhaps with extras
    build: tuple[tuple[str, ...], ...] | None = None  # argument lists, run in the release's folder
    start: tuple[str, ...] = ()  # that begins the program
    environment: dict[str, str] = field(default_factory=dict)  # added, for building and running
    supervisor: Literal["up", "service"] = "up"  # who starts the new version
    step_timeout: float = 900.0  # seconds
    health_timeout: float = 60.0  # seconds, in which the new version has to be well
    disk_reserve_mb: int = 500
    release_limit_mb: int = 2_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    state: Path
    home: Path
    fleet: str | None = None
    machine: str | None = None
    nats: str | None = None
    passphrase_file: Path | None = None
    config: Path = Path()
    os: str | None = None  # windows | macos | posix; None: what this machine is
    home_as: str | None = None  # how this machine's own programs spell the home folder, when not as its path
    targets: tuple[str, ...] = ()  # empty: all
    check: tuple[str, ...] = ()  # a command of this machine that says whether applied files are good
    check_timeout: float = 20.0  # seconds
    exports: Path | None = None
    plain: bool = False  # clear text to a broker on another host, asked for in so many words
    port: int | None = None  # of the embedded broker; None: the one used last time, at first 4222
    lease_seconds: float = 15.0  # for which nobody leads after the leader died; said by the broker's machine for all
    public_names: frozenset[str] = frozenset()
    labels: dict[str, str] = field(default_factory=dict)
    workspaces: dict[str, str] = field(default_factory=dict)
    update: UpdateSettings = UpdateSettings()

    @property
    def own_targets(self) -> Path:
        """The folder of the targets that a person declares: beside the settings file."""
        return (self.config.parent if self.config.name else self.state) / "targets"

    @property
    def export_folder(self) -> Path:
        return self.exports or self.state / "exports"


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise SettingsError(
            f"{path} can not be looked at: {error.strerror}; run this as the user whose folder it is, or name one of "
            "your own with ROOSYNC_STATE"
        ) from error


def load(environ: dict[str, str] | None = None) -> Settings:
    """The settings in force; SettingsError names the one that is wrong."""
    env = dict(os.environ) if environ is None else environ
    state = state_folder(env)
    settings = Settings(
        state=state,
        home=folder(env, "ROOSYNC_HOME", lambda: own_home(env)),
        config=folder(env, "ROOSYNC_CONFIG", lambda: state / "config.toml"),
    )
    if "ROOSYNC_CONFIG" in env and not settings.config.exists():
        raise SettingsError(f"ROOSYNC_CONFIG names {settings.config}, and there is no such file")
    if _there(settings.config):
        from roosync_agent.settings_file import read

        settings = read(settings, home_given="ROOSYNC_HOME" in env)
    settings = replace(
        settings,
        fleet=env.get("ROOSYNC_FLEET") or settings.fleet,
        machine=env.get("ROOSYNC_MACHINE") or settings.machine,
        nats=env.get("ROOSYNC_NATS") or settings.nats,
    )
    if given := env.get("ROOSYNC_PASSPHRASE_FILE"):
        settings = replace(settings, passphrase_file=Path(given).expanduser().absolute())
    return _checked(settings)


def proposed_machine() -> str:
    return propose(socket.gethostname().split(".")[0])


def _checked(settings: Settings) -> Settings:
    try:
        if settings.machine is not None:
            machine_id(settings.machine)
        if settings.fleet is not None:
            token(settings.fleet)
    except ValueError as error:
        raise SettingsError(f"{error} (from ROOSYNC_MACHINE, ROOSYNC_FLEET or {settings.config})") from error
    if settings.home.resolve().is_relative_to(settings.state.resolve()):
        raise SettingsError(
            f"ROOSYNC_STATE ({settings.state}) holds the managed home ({settings.home}); choose a folder of its own"
        )
    return settings
