"""The settings file a person writes (config.toml), checked against a schema: an unknown key is an error.

fleet = "home"
machine = "ana-laptop"

[apply]
check = ["/usr/local/bin/my-check"]      # runs after files were written; not zero restores them
"""

import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roosync_agent.collecting.places import system_of
from roosync_agent.running.where import plain_path
from roosync_agent.settings import Settings, SettingsError
from roosync_agent.targets import TABLE, select
from roosync_agent.targets.user import OwnTargets

MAX_BYTES = 256 * 1024


Project = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=40)]  # it ends a target's name


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ApplySection(_Section):
    check: list[str] = []
    check_timeout: float = Field(default=20.0, gt=0, le=600)


class MachineSection(_Section):
    os: Literal["windows", "macos", "posix"] | None = None
    home_as: str | None = None
    labels: dict[str, str] = {}
    workspaces: dict[Project, str] = {}


class BrokerSection(_Section):
    plain: bool = False
    port: int | None = Field(default=None, ge=1, le=65535)
    lease_seconds: float = Field(default=15.0, ge=2, le=600)  # below that, a busy moment is taken for a death


class SettingsFile(_Section):
    fleet: str | None = None
    machine: str | None = None
    nats: str | None = None
    home: str | None = None
    targets: list[str] = []
    exports: str | None = None
    passphrase_file: str | None = None
    public_names: list[str] = []
    apply: ApplySection = ApplySection()
    this_machine: MachineSection = MachineSection()
    broker: BrokerSection = BrokerSection()


def read(settings: Settings, *, home_given: bool) -> Settings:
    """`settings` with what the file says; SettingsError names the key and the file.

    A relative path in it starts at the file's own folder: the agent and a command may be started anywhere.
    """
    try:
        data = settings.config.read_bytes()
        if len(data) > MAX_BYTES:
            raise SettingsError(f"{settings.config} has {len(data)} bytes; a settings file has at most {MAX_BYTES}")
        found = SettingsFile.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{settings.config} can not be read as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{settings.config}: {where}: {first['msg']}") from error
    _require_known(settings, found)

    def path(name: str, given: str | None) -> Path | None:
        try:
            return plain_path(settings.config.parent / Path(given).expanduser()) if given else None
        except RuntimeError as error:
            raise SettingsError(f"{settings.config}: {name}: {error}") from error

    home = path("home", found.home)
    return replace(
        settings,
        fleet=found.fleet,
        machine=found.machine,
        nats=found.nats,
        home=home if home and not home_given else settings.home,
        targets=tuple(found.targets),
        exports=path("exports", found.exports),
        passphrase_file=path("passphrase_file", found.passphrase_file),
        public_names=frozenset(found.public_names),
        check=tuple(found.apply.check),
        check_timeout=found.apply.check_timeout,
        os=found.this_machine.os,
        home_as=found.this_machine.home_as,
        labels=found.this_machine.labels,
        workspaces=found.this_machine.workspaces,
        plain=found.broker.plain,
        port=found.broker.port,
        lease_seconds=found.broker.lease_seconds,
    )


def _require_known(settings: Settings, found: SettingsFile) -> None:
    """A name that only a broken file of the person's own could declare is told where that file is, not here."""
    own = OwnTargets(settings.own_targets).read(found.this_machine.os or system_of(sys.platform), TABLE)
    try:
        select(found.targets, (*TABLE, *own.specs))
    except ValueError as error:
        if not own.faults and not own.elsewhere:
            raise SettingsError(f"{settings.config}: targets: {error}") from error
