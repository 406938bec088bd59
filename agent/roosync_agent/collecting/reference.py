"""What a machine compares itself with: the published baseline, or the package of another machine.

Contents come from the bus by their hash and are checked before anything in them is used. They never
change, so what was read once is kept in memory.
"""

from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct

from roosync_agent.session import Session
from roosync_broker.errors import BusError
from roosync_protocol import baseline as content
from roosync_protocol import package
from roosync_protocol.entity import Entities, Entity, target_of
from roosync_protocol.messages import Baseline, PackageReport
from roosync_protocol.names import known as known_names
from roosync_protocol.placing import NOWHERE, Placing

BASELINE = "baseline"
KEPT = 64 * 1024 * 1024  # bytes of contents kept in memory
FEW, FILE = 20, 1024 * 1024  # files, and bytes of each, that are read because somebody else asks


class NothingToCompareError(Exception):
    """There is no such baseline or package yet; says what is missing and how to get it."""


class Reference(Struct, frozen=True, kw_only=True):
    """The other side of a comparison, in public form."""

    name: str  # "baseline" or "machine:<id>"
    revision: int
    version: str
    entities: Entities
    removed: frozenset[str] = frozenset()
    placing: Placing = NOWHERE

    def for_targets(self, targets: frozenset[str], unreadable: frozenset[str] = frozenset()) -> "Reference":
        """Only what belongs to targets that this machine has, without what could not be read here."""
        return Reference(
            name=self.name,
            revision=self.revision,
            version=self.version,
            entities={k: e for k, e in self.entities.items() if target_of(k) in targets and k not in unreadable},
            removed=frozenset(k for k in self.removed if target_of(k) in targets and k not in unreadable),
            placing=self.placing,
        )


class Received(Struct, frozen=True, kw_only=True):
    """A package whose every byte was checked against its manifest."""

    report: PackageReport
    manifest: package.Manifest
    entities: Entities
    placing: Placing = NOWHERE
    files: dict[str, str] = {}  # entity -> the file of the manifest that holds it


class Library:
    """Contents by hash, read once. Knows the way from a law or a report to the entities behind it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._baseline: tuple[Baseline, Reference] | None = None  # the law, and what it says of this machine

    async def bytes_of(self, sha256: str) -> bytes:
        if sha256 in self._kept:
            self._kept.move_to_end(sha256)
            return self._kept[sha256]
        data = await self._session.contents.get(sha256, package.MAX_CONTENT)
        self._kept[sha256] = data
        self._size += len(data)
        while self._size > KEPT and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1])
        return data

    async def package(self, machine: str) -> Received:
        """The latest package of a machine; HostilePackageError when it is not what it says."""
        report = self._session.fleet.package(machine)
        if report is None:
            raise NothingToCompareError(self._no_package(machine))
        manifest = package.read_manifest(await self.bytes_of(report.manifest), machine)
        entities: Entities = {}
        files: dict[str, str] = {}
        placing = Placing()
        for file in manifest.files:
            found = package.read_contents(file, await self.bytes_of(file.hash))
            if twice := entities.keys() & found.entities.keys():
                raise package.HostilePackageError(f"the package of {machine!r} has {sorted(twice)[0]!r} in two files")
            entities |= found.entities
            files |= dict.fromkeys(found.entities, file.path)
            placing = placing.beside(found.placing)
        return Received(report=report, manifest=manifest, entities=entities, placing=placing, files=files)

    async def published(self, machine: str, key: str) -> Entity | None:
        """One thing of a machine's latest package, reading no more of it than FEW files of its target, each FILE bytes.

        For who did not choose to read it: a member may publish as much as it likes.
        """
        report = self._session.fleet.package(machine)
        if report is None:
            raise NothingToCompareError(self._no_package(machine))
        manifest = package.read_manifest(await self.bytes_of(report.manifest), machine)
        files = [file for file in manifest.files if file.type == target_of(key) and file.size <= FILE][:FEW]
        for file in files:
            if (found := package.read_contents(file, await self.bytes_of(file.hash)).entities.get(key)) is not None:
                return found
        return None

    async def packages(self, machines: Iterable[str]) -> tuple[dict[str, Received], dict[str, str]]:
        """The latest package of each of these machines; and of the others, why theirs does not count.

        UnavailableError when the broker is away and one of them would have to come from it: nobody is called unknown
        for that, and nobody waits for it once a machine.
        """
        received: dict[str, Received] = {}
        faults: dict[str, str] = {}
        for machine in machines:
            try:
                received[machine] = await self.package(machine)
            except (NothingToCompareError, package.HostilePackageError) as error:
                faults[machine] = str(error)
            except BusError as error:
                self._session.require_bus()
                faults[machine] = str(error)
        return received, faults

    async def of_machine(self, machine: str) -> Reference:
        received = await self.package(machine)
        return Reference(
            name=f"machine:{machine}",
            revision=0,
            version=received.manifest.version,
            entities=received.entities,
            placing=received.placing,
        )

    async def of_baseline(self, machine: str) -> Reference:
        """What the published baseline says this machine should have."""
        law = self._session.fleet.law.baseline
        if law is None:
            raise NothingToCompareError(self._no_baseline())
        if self._baseline is not None and self._baseline[0] is law and machine == self._session.name:
            return self._baseline[1]  # a law is never changed, and neither are the contents that it names
        commons, overlay = await self.parts(law, machine)
        made = Reference(
            name=BASELINE,
            revision=law.revision,
            version=law.version,
            entities=content.effective(commons, overlay),
            removed=content.removed_for(commons, overlay),
            placing=commons.placing,
        )
        if machine == self._session.name:
            self._baseline = law, made
        return made

    async def parts(self, law: Baseline, machine: str) -> tuple[content.Commons, content.Overlay | None]:
        commons = content.decode_commons(await self.bytes_of(law.commons))
        named = law.overlays.get(machine)
        return commons, content.decode_overlay(await self.bytes_of(named)) if named else None

    async def whole(self, law: Baseline) -> tuple[content.Commons, dict[str, content.Overlay]]:
        """The commons and every overlay of a baseline."""
        commons = content.decode_commons(await self.bytes_of(law.commons))
        overlays = {m: content.decode_overlay(await self.bytes_of(sha)) for m, sha in sorted(law.overlays.items())}
        return commons, overlays

    def _no_package(self, machine: str) -> str:
        known = self._session.fleet.law.machines()
        if machine not in known:
            return f"{machine!r} is no machine of this fleet; its machines are {known_names(machine, known)}"
        return f"{machine!r} has not published a package yet; run `roosync publish` there"

    def _no_baseline(self) -> str:
        fleet = self._session.fleet
        if proposal := fleet.open_proposal():
            return f"no baseline is published yet; read the proposal with `roosync baseline show {proposal.id}`"
        have = [m for m, report in fleet.packages().items() if report.complete]
        missing = [m for m in fleet.law.machines() if m not in have]
        if len(fleet.law.machines()) < 2:
            return "this fleet has one machine, and a baseline needs two: `roosync invite` lets a second one join"
        waits = f"; no complete package yet from {', '.join(missing)}" if missing else ""
        return f"no baseline is published yet{waits}; `roosync baseline propose` makes one from two packages or more"
