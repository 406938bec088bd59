"""A managed home folder in a temporary one, with the few verbs that tests of the disk work need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from roosync_agent.applying.apply import Outcome, execute
from roosync_agent.applying.apply import recover as recover_state
from roosync_agent.applying.plan import Plan, plan
from roosync_agent.applying.rollback import roll_back
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.collection import Cache, Collection
from roosync_agent.collecting.places import layout
from roosync_agent.files.door import Door, RealDoor
from roosync_agent.targets import TABLE, TargetSpec
from roosync_protocol.entity import Entity, Kind
from roosync_protocol.placing import NOWHERE, Placing

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
ROO = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/"
KINDS = {"mcp": Kind.MCP_SERVER, "modes": Kind.MODE, "rules": Kind.TEXT, "memory": Kind.TEXT}


def entity(key: str, value: Any) -> Entity:
    """An entity in public form, its kind taken from its key."""
    target = key.split("/")[0].split("@")[0]
    shipped = {spec.name: spec.kind for spec in TABLE}
    return Entity(key=key, kind=shipped.get(target) or KINDS.get(target.split(".")[1], Kind.SETTING), value=value)


@dataclass
class Home:
    """The person's home at `base`, and beside it the agent's state folder."""

    MCP: ClassVar[str] = ROO + "mcp_settings.json"
    MODES: ClassVar[str] = ROO + "custom_modes.yaml"
    NOW: ClassVar[datetime] = NOW

    base: Path
    state: Path
    system: Any = "posix"
    spelled: str = ""
    specs: Sequence[TargetSpec] = TABLE
    door: Door = field(default_factory=RealDoor)

    def write(self, name: str, data: str | bytes) -> Path:
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def read(self, name: str) -> str:
        return (self.base / name).read_bytes().decode()

    def files(self) -> dict[str, bytes]:
        """Every file below the home, temporaries of ours included."""
        return {p.relative_to(self.base).as_posix(): p.read_bytes() for p in self.base.rglob("*") if p.is_file()}

    def layout(self) -> Any:
        return layout(self.door, self.base, {}, self.system, spelled_home=self.spelled)

    def collect(self, cache: Cache | None = None, **options: Any) -> Collection:
        return collect(self.door, self.layout(), self.specs, cache=cache, **options)

    def plan(self, *changes: tuple[str, Any], placing: Placing = NOWHERE, **options: Any) -> Plan:
        """From (key, public value), None for what shall go; `options` are those of collecting."""
        wanted = {key: None if value is None else entity(key, value) for key, value in changes}
        return plan(self.door, self.collect(**options), wanted, placing)

    def execute(self, made: Plan, **options: Any) -> Outcome:
        given = {"label": "d-1", "now": NOW, "collect_again": self.collect} | options
        return execute(made, self.door, self.state, **given)

    def apply(self, *changes: tuple[str, Any], **options: Any) -> Outcome:
        made = self.plan(*changes)
        assert not made.refusals, made.refusals
        return self.execute(made, **options)

    def recover(self) -> list[str]:
        return list(recover_state(self.state, self.door, now=NOW))

    def roll_back(self, snapshot: str, *, exact: bool = False) -> Outcome:
        return roll_back(
            snapshot, self.door, self.state, self.collect(), now=NOW, collect_again=self.collect, exact=exact
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home in which Roo Code is installed and has no file yet."""
    (tmp_path / "ana" / ROO).mkdir(parents=True)
    return Home(tmp_path / "ana", tmp_path / "state")


@pytest.fixture
def new_home(tmp_path: Path) -> Callable[..., Home]:
    def make(name: str = "ana", **options: Any) -> Home:
        (tmp_path / name).mkdir()
        return Home(tmp_path / name, tmp_path / f"{name}-state", **options)

    return make
