"""The views in the founding formats (dashboard, roadmap, packages, reports): made from the bus, which is the truth.

    sync-dashboard.json   sync-roadmap.md   configs/baseline.json   configs/<version>/baseline.json
    configs/incoming/<machine>/manifest.json, and each file as it was published
    reports/status.*   reports/divergences/<decision>.md   reports/requests/<id>.md   reports/cycles/<cycle>.*

Written at `init`, on demand, and kept fresh by whoever holds the orchestrator's lease. What stays and what goes is told
in docs/exports.md.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec
from msgspec.structs import replace

from roosync_agent.collecting.reference import Library
from roosync_agent.exports import Exported, File, Folder, json_bytes
from roosync_broker.errors import BusError
from roosync_protocol import reports, request
from roosync_protocol.baseline import MalformedContent
from roosync_protocol.baseline_file import to_value
from roosync_protocol.cycle import ENDED
from roosync_protocol.cycle.metrics import evidence_of
from roosync_protocol.entity import Skipped
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision
from roosync_protocol.overview import Overview, overview
from roosync_protocol.package import HostilePackageError, Manifest, read_contents, read_manifest
from roosync_protocol.reports import Language
from roosync_protocol.secrets import find_secrets, scrub

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

DASHBOARD, ROADMAP = "sync-dashboard.json", "sync-roadmap.md"
DOCUMENTS: Mapping[str, Callable[[Overview, list[Decision]], bytes]] = {  # made of what is known, without contents
    DASHBOARD: lambda seen, decisions: json_bytes(reports.dashboard(seen, decisions)),
    ROADMAP: lambda _, decisions: reports.roadmap(decisions).encode(),
}
INCOMING, REPORTS = "configs/incoming/", "reports/"
MOST = 500  # decisions, requests and cycles with a report of their own
_WHOLE: WeakKeyDictionary[Library, dict[Path, dict[str, str]]] = WeakKeyDictionary()  # machine -> manifest
PACKAGE_LIMIT = 32 * 1024 * 1024  # bytes of one machine's files: whoever publishes more fills nobody's disk


async def write_views(
    fleet: Fleet,
    me: str,
    folder: Path,
    library: Library | None,
    now: datetime,
    present: Mapping[str, datetime] | None = None,
    language: Language = "en",
    *,
    thorough: bool = False,
) -> Exported:
    """Without a library only what needs no contents is written, and nothing that came in is taken away.

    A package that this process has written whole is not looked at again while its manifest is the same: with a thousand
    machines each turn of the orchestrator would stat thousands of files. `thorough` looks at all of them.
    """
    into = await asyncio.to_thread(Folder, folder)
    files = list(_known(fleet, me, present, now, into, language))
    skipped: list[Skipped] = []
    mirrors, spared = [f"{REPORTS}divergences/", f"{REPORTS}requests/"], []
    if library is not None:
        files += await _baseline(fleet, library, skipped)
        mirrors.append(INCOMING)
        whole = _WHOLE.setdefault(library, {}).setdefault(folder, {})
        fresh: dict[str, str] = {}
        for machine, report in fleet.packages().items():
            base = f"{INCOMING}{machine}/"
            if not thorough and whole.get(machine) == report.manifest:
                spared.append(base)
                continue
            fresh[machine] = report.manifest
            try:
                files += await _package(fleet, library, machine, report.manifest, into, skipped)
            except (BusError, HostilePackageError) as error:
                spared.append(base)  # what came in before stays
                skipped.append(Skipped(path=base, reason=scrub(str(error))[:500]))
    done = await asyncio.to_thread(into.write, files, mirrors=mirrors, spared=spared)
    done = replace(done, skipped=(*done.skipped, *skipped))
    if library is not None:
        bad = {one.path.split("/")[2] for one in done.skipped if one.path.startswith(INCOMING)}
        whole |= {machine: sha for machine, sha in fresh.items() if machine not in bad}
        for machine in bad | (whole.keys() - fleet.packages().keys()):
            whole.pop(machine, None)
    return done


async def export(machine: "Machine", folder: str | None = None, language: str = "en") -> dict[str, Any]:
    """The same on demand, into any folder."""
    from roosync_agent.operations.reports.reporting import spoken

    into = Path(folder) if folder else machine.settings.export_folder
    present, now = await machine.present(), machine.session.now()
    done = await write_views(
        machine.fleet, machine.name, into, machine.library, now, present, language=spoken(language), thorough=True
    )
    return {"folder": str(into), "written": [], "unchanged": [], "removed": [], "skipped": [],
            **msgspec.to_builtins(done)}  # fmt: skip


class Document(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    text: str


async def document(machine: "Machine", name: str) -> Document:
    """One of `DOCUMENTS` as it would be exported now; nothing is written."""
    from roosync_agent.operations.membership.lawmaking import RefusedRequestError

    if name not in DOCUMENTS:
        raise RefusedRequestError(f"there is no document {name!r}; there are {', '.join(DOCUMENTS)}")
    decisions = list(machine.fleet.decisions())
    seen = overview(machine.fleet, machine.name, await machine.present(), machine.session.now())
    return Document(name=name, text=DOCUMENTS[name](seen, decisions).decode())


# -- inside


def _known(
    fleet: Fleet, me: str, present: Mapping[str, datetime] | None, now: datetime, into: Folder, language: Language
) -> Iterator[File]:
    """What needs no contents."""
    from roosync_agent.operations.reports import reporting

    decisions = list(fleet.decisions())
    seen = overview(fleet, me, present, now)
    yield File(name=DASHBOARD, data=DOCUMENTS[DASHBOARD](seen, decisions), ignoring="lastUpdate")
    yield File(name=ROADMAP, data=DOCUMENTS[ROADMAP](seen, decisions))
    fields = reports.status_fields(seen)
    yield File(name=f"{REPORTS}status.json", data=json_bytes(fields), ignoring="timestamp")
    text = reports.status_report(seen, reporting.last_action(fleet, me), reporting.reached(fleet), language)
    yield File(name=f"{REPORTS}status.md", data=text.encode(), ignoring="heading")
    open_ones = [(d, made) for d in decisions if (made := reporting.asked(fleet, d)) and d.status != "applied"]
    for decision, made in open_ones[:MOST]:
        text = reports.divergence_report(decision, language)
        yield File(name=f"{REPORTS}divergences/{decision.id}.md", data=text.encode())
        text = reports.coordination_request(made, language)
        yield File(name=f"{REPORTS}requests/{decision.id}.md", data=text.encode())
    taken = {decision.id for decision, _ in open_ones[:MOST]}  # a request may be given any id, also a decision's
    waiting = [one for one in fleet.requests() if one.status not in request.ENDED and one.id not in taken]
    for one in waiting[:MOST]:
        text = reports.coordination_request(reports.as_asked(one), language)
        yield File(name=f"{REPORTS}requests/{one.id}.md", data=text.encode())
    yield from _cycles(fleet, me, now, into, language)


def _cycles(fleet: Fleet, me: str, now: datetime, into: Folder, language: Language) -> Iterator[File]:
    """The report of a cycle that ended is written once: what comes after is no part of it."""
    for cycle in fleet.cycles()[-MOST:]:
        name = f"{REPORTS}cycles/{cycle.id}"
        ended = f"{name}.metrics.json"  # written last, and only then
        if into.has(ended):
            yield from (File(name=one, data=None) for one in (f"{name}.json", f"{name}.md", ended))
            continue
        made = reports.closing_report(cycle, evidence_of(cycle, fleet), me, now)
        yield File(name=f"{name}.json", data=json_bytes(reports.closing_fields(made)), ignoring="timestamp")
        text = reports.closing_markdown(made, language)
        yield File(name=f"{name}.md", data=text.encode(), ignoring="heading")
        if cycle.status in ENDED:
            yield File(name=ended, data=json_bytes(made.metrics))


async def _baseline(fleet: Fleet, library: Library, skipped: list[Skipped]) -> list[File]:
    law = fleet.law.baseline
    if law is None:
        return []
    try:
        commons, overlays = await library.whole(law)
    except (BusError, MalformedContent) as error:
        skipped.append(Skipped(path="configs/baseline.json", reason=scrub(str(error))[:500]))
        return []
    data = json_bytes(to_value(law.version, law.revision, commons, overlays))
    names = ("configs/baseline.json", f"configs/{law.version}/baseline.json")
    return [File(name=name, data=data) for name in names]


async def _package(
    fleet: Fleet, library: Library, machine: str, sha256: str, into: Folder, skipped: list[Skipped]
) -> list[File]:
    """The manifest and what it lists, in public form; contents that are there already are not fetched again."""
    base = f"{INCOMING}{machine}/"
    manifest = read_manifest(await library.bytes_of(sha256), machine)
    named = tuple(file for file in manifest.files if not find_secrets([file.path]))
    if len(named) < len(manifest.files):
        skipped.append(Skipped(path=base, reason="the names of some of its files look secret; they are left out"))
    shown: Manifest = replace(
        manifest, version=scrub(manifest.version), description=scrub(manifest.description), files=named
    )
    files = [File(name=f"{base}manifest.json", data=json_bytes(shown))]
    if sum(file.size for file in manifest.files) > PACKAGE_LIMIT:
        skipped.append(Skipped(path=base, reason=f"its files have more than the {PACKAGE_LIMIT} bytes exported"))
        return files
    public = fleet.law.policy.public_names
    for file in named:
        name = base + file.path
        if into.has(name, file.hash, file.size):
            files.append(File(name=name, data=None))
            continue
        data = await library.bytes_of(file.hash)
        read_contents(file, data)  # what is no published form is not exported
        if looks := find_secrets(msgspec.json.decode(data), public):
            reason = f"it still has a secret at {', '.join(scrub(one) for one in looks[:3])}"
            skipped.append(Skipped(path=name, reason=reason))
        else:
            files.append(File(name=name, data=data))
    return files
