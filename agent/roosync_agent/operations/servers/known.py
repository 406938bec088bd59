"""What is known of the fleet's MCP servers: the machines' packages and the baseline in force, read once for a command.

The person's view, and what is signed afterwards, are both made from this.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches

from msgspec import UNSET, Struct

from roosync_agent.collecting.reference import BASELINE, Library
from roosync_agent.operations.membership.lawmaking import NotYetError, RefusedRequestError
from roosync_agent.session import Session
from roosync_agent.targets import TABLE, TargetSpec
from roosync_agent.targets.base import WORKSPACE
from roosync_protocol.baseline import Commons, Overlay
from roosync_protocol.entity import Entities, Entity, Kind, declared
from roosync_protocol.names import known as known_names
from roosync_protocol.servers.table import Held, ServerRow, ServerTable, server_table

HOLDERS: dict[str, TargetSpec] = {spec.name: spec for spec in TABLE if spec.kind is Kind.MCP_SERVER}
_OTHERS = frozenset(spec.name for spec in TABLE if spec.kind is not Kind.MCP_SERVER)
NONE_YET = "it has published no package yet: `roosync up`, or `roosync publish` there"


class Known(Struct, frozen=True, kw_only=True):
    held: tuple[Held, ...]
    commons: Commons
    overlays: dict[str, Overlay]
    machines: tuple[str, ...]  # of the fleet
    present: frozenset[str] | None  # that answer now; None: that could not be read
    unknown: dict[str, str]  # machines without a package that counts, with the reason
    unread: dict[str, dict[str, str]] = {}  # by machine: targets whose servers nobody could see, with the reason
    version: str = ""  # of the baseline in force

    def table(self) -> ServerTable:
        return server_table(
            list(self.held),
            self.commons,
            self.overlays,
            version=self.version,
            holders=frozenset(HOLDERS),
            unknown=self.unknown,
            unread=self.unread,
        )

    def row(self, name: str) -> ServerRow:
        """All about one server; RefusedRequestError when nobody has it."""
        rows = self.table().servers
        for row in rows:
            if row.name == name:
                return row
        gone = sorted(key for key in self.commons.removed if key.split("/", 1)[1] == name)
        if gone:
            raise RefusedRequestError(f"no machine has {name!r}, and baseline {self.version} takes it away already")
        names = [row.name for row in rows]
        near = get_close_matches(name, names, 3, 0.5)
        known = f"known are {', '.join(names[:10])}" if names else "no machine has published one"
        hint = f"did you mean {', '.join(near)}?" if near else known
        raise RefusedRequestError(f"no machine and no baseline has an MCP server {name!r}; {hint}")

    def servers(self, name: str) -> Iterator[tuple[str, Entity]]:
        """Where it stands: machine and entity, in one order."""
        for one in self.held:
            for key in sorted(one.entities):
                entity = one.entities[key]
                if is_server(entity) and entity.name == name:
                    yield one.machine, entity

    def agreed(self, name: str) -> Iterator[tuple[str, Entity]]:
        """What the baseline in force says of it: "" for the commons, else the machine to which it is special."""
        overlays = ((machine, overlay.entities) for machine, overlay in sorted(self.overlays.items()))
        for owner, entities in (("", self.commons.entities), *overlays):
            for key in sorted(entities):
                if is_server(entities[key]) and entities[key].name == name:
                    yield owner, entities[key]

    def answers(self, machine: str) -> bool:
        return self.present is None or machine in self.present

    def require_machines(self, machines: list[str]) -> None:
        if unknown := [machine for machine in machines if machine not in self.machines]:
            there = known_names(unknown[0], self.machines)
            raise RefusedRequestError(f"{unknown[0]!r} is no machine of this fleet; its machines are {there}")

    def require_baseline(self, what: str) -> None:
        if not self.version:
            raise NotYetError(
                f"{what} a server is a change of the baseline, and none is published yet: `roosync baseline propose` "
                "makes one from the machines' packages, `roosync baseline publish` signs it"
            )


async def gather(
    session: Session, library: Library, present: Mapping[str, datetime] | None, here: Held | None = None
) -> Known:
    """The latest package of each machine and the baseline in force. `present`: None when nobody could tell.

    `here`: what one machine knows of itself, instead of its package.
    """
    law = session.fleet.law
    held = [here] if here is not None else []
    unknown: dict[str, str] = {}
    reports = session.fleet.packages()
    others = [name for name in law.machines() if here is None or name != here.machine]
    packages, faults = await library.packages(name for name in others if name in reports)
    for name in others:
        if name not in packages:
            unknown[name] = f"its package does not count: {faults[name]}" if name in faults else NONE_YET
            continue
        package = packages[name]
        silent = present is not None and name not in present
        since = f"it does not answer; this is its package of {reports[name].timestamp:%Y-%m-%d %H:%M} UTC"
        targets = frozenset(package.report.targets)
        entities = _asked_about(session, name) | package.entities
        entities = {key: e for key, e in entities.items() if e.kind is not Kind.MCP_SERVER or is_server(e)}
        held.append(Held(machine=name, entities=entities, targets=targets, as_of=since if silent else ""))
    unread = {name: found for name in law.machines() if (found := _unread(session, name))}
    commons, overlays = await library.whole(law.baseline) if law.baseline else (Commons(), {})
    return Known(
        held=tuple(sorted(held, key=lambda one: one.machine)),
        commons=commons,
        overlays=overlays,
        version=law.baseline.version if law.baseline else "",
        machines=tuple(law.machines()),
        present=None if present is None else frozenset(present),
        unknown=unknown,
        unread=unread,
    )


def is_server(entity: Entity) -> bool:
    """A machine may call anything a server; removing it would take that away from all who have it as what it is."""
    return entity.kind is Kind.MCP_SERVER and entity.target.partition("@")[0] not in _OTHERS


def _asked_about(session: Session, machine: str) -> Entities:
    """Servers that it asks to give up: it says so a moment before its next package is there."""
    return {
        d.entity: Entity(key=d.entity, kind=d.kind, value=d.local.value)
        for d in session.fleet.decisions(machine)
        if (d.status, d.reference, d.kind, d.wanted.digest) == ("pending", BASELINE, Kind.MCP_SERVER, None)
        and d.local.value is not UNSET
    }


def _unread(session: Session, machine: str) -> dict[str, str]:
    """Files of servers that this machine could not read, or does not believe, by its own word."""
    status = session.fleet.status(machine)
    told = {**status.quarantine, **status.unread} if status is not None else {}
    return {target: why for target, why in told.items() if declared(target) in HOLDERS}


def means(named: str, target: str) -> bool:
    """Does a person who says `cursor`, `cursor.mcp`, `roo@insiders` or `roo.mcp@insiders` mean this target?"""
    plain, at, flavour = target.partition("@")
    return named in (target, plain, plain.split(".")[0], plain.removesuffix(".mcp") + at + flavour)


def of_a_person(spec: TargetSpec) -> bool:
    """Does it lie in the home folder, and not in each project?"""
    return WORKSPACE not in spec.folder


def holder(named: str) -> tuple[str, TargetSpec]:
    """The target that a person means to give a server to, and its declaration; RefusedRequestError for none."""
    plain, at, flavour = named.partition("@")
    for name, spec in HOLDERS.items():
        by_assistant = of_a_person(spec) and plain == name.split(".")[0]
        if by_assistant or (plain == name and (flavour or of_a_person(spec))):
            return name + at + flavour, spec
    known = sorted({name.split(".")[0] for name in HOLDERS})
    raise RefusedRequestError(f"{named!r} is no assistant that holds MCP servers; known are {', '.join(known)}")
