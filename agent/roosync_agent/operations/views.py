"""The views in the founding formats (dashboard, roadmap ...): made from the bus, which is the truth.

Written at `init`, on demand, and kept fresh by whoever holds the orchestrator's lease.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from roosync_agent.collecting.reference import Library
from roosync_agent.exports import Exported, export
from roosync_broker.errors import BusError
from roosync_protocol import reports
from roosync_protocol.baseline_file import to_value
from roosync_protocol.fleet import Fleet
from roosync_protocol.overview import overview
from roosync_protocol.package import HostilePackageError, Manifest, read_manifest


async def write_views(
    fleet: Fleet,
    me: str,
    folder: Path,
    library: Library | None,
    now: datetime,
    present: Mapping[str, datetime] | None = None,
) -> Exported:
    """Without a library only what needs no contents is written."""
    decisions = list(fleet.decisions())
    seen = overview(fleet, me, present, now)
    baseline, manifests = (None, {}) if library is None else await _contents(fleet, library)
    return export(
        folder,
        dashboard=reports.dashboard(seen, decisions),
        roadmap=reports.roadmap(decisions),
        baseline=baseline,
        manifests=manifests,
    )


async def _contents(fleet: Fleet, library: Library) -> tuple[Mapping[str, Any] | None, dict[str, Manifest]]:
    baseline = None
    if law := fleet.law.baseline:
        commons, overlays = await library.whole(law)
        baseline = to_value(law.version, law.revision, commons, overlays)
    manifests = {}
    for machine, report in fleet.packages().items():
        try:
            manifests[machine] = read_manifest(await library.bytes_of(report.manifest), machine)
        except (BusError, HostilePackageError):
            continue  # whoever compares with it is told; a view leaves it out
    return baseline, manifests
