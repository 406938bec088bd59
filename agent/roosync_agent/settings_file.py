"""The settings file a person writes (config.toml), checked against a schema: an unknown key is an error.

fleet = "home"
machine = "ana-laptop"

[apply]
check = ["/usr/local/bin/my-check"]      # runs after files were written; not zero restores them
"""

import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from roosync_agent.collecting.places import system_of
from roosync_agent.running.where import plain_path
from roosync_agent.settings import Settings, SettingsError, UpdateSettings
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


Word = Annotated[str, Field(min_length=1, max_length=4_000, pattern="^[^\\x00]*$")]  # of an argument list
Variable = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Words = Annotated[list[Word], Field(min_length=1, max_length=200)]


class UpdateSection(_Section):
    """The recipe by which this machine takes a new version, and its bounds."""

    recipe: Literal["git", "uv", "custom"] | None = None
    source: Annotated[str, Field(pattern="^([^-\\x00][^\\x00]*)?$", max_length=2_000)] = ""
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._/+{}-]{0,199}$")] = "v{version}"
    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?$")] = "roosync"
    build: Annotated[list[Words], Field(max_length=50)] | None = None
    start: Words | None = None
    environment: dict[Variable, Word] = {}
    supervisor: Literal["up", "service"] = "up"
    step_timeout: float = Field(default=900.0, gt=0, le=86_400)
    health_timeout: float = Field(default=60.0, ge=1, le=3_600)
    disk_reserve_mb: int = Field(default=500, ge=0)
    release_limit_mb: int = Field(default=2_000, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needs = {"git": ("source",), "uv": (), "custom": ("build", "start"), None: ()}[self.recipe]
        if missing := [name for name in needs if not getattr(self, name)]:
            raise ValueError(f"recipe {self.recipe!r} needs {' and '.join(missing)}")
        return self


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
    update: UpdateSection = UpdateSection()


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
        update=_update(found.update, settings.config.parent),
    )


def _update(found: UpdateSection, beside: Path) -> UpdateSettings:
    """A source that is a path starts at the settings file's folder; a URL, and ssh's `host:path`, stay as they are."""
    source = found.source
    if source and "://" not in source and (Path(source).is_absolute() or not re.match("[^/\\\\]{2,}:", source)):
        source = str(beside / Path(source).expanduser())
    given = found.model_dump() | {
        "recipe": found.recipe or "",
        "source": source,
        "build": None if found.build is None else tuple(map(tuple, found.build)),
        "start": tuple(found.start or ()),
    }
    return UpdateSettings(**given)


def _require_known(settings: Settings, found: SettingsFile) -> None:
    """A name that only a broken file of the person's own could declare is told where that file is, not here."""
    own = OwnTargets(settings.own_targets).read(found.this_machine.os or system_of(sys.platform), TABLE)
    try:
        select(found.targets, (*TABLE, *own.specs))
    except ValueError as error:
        if not own.faults and not own.elsewhere:
            raise SettingsError(f"{settings.config}: targets: {error}") from error
