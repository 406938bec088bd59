"""What a machine tells about itself. The next report replaces the last one, so none has to be spooled.

The field names of StatusReport, Divergence and MetricReport are those of the founding protocol
(5-protocols, "Reports, field for field"); what we add has a default.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from roosync_protocol.messages.base import Count, EntityKey, Line, Message, Moment, Prose, Sha256, Token
from roosync_protocol.risk_names import RiskName

SyncStatus = Literal["synced", "diverged", "unknown"]  # unknown: there is no baseline to compare with yet


class InventoryReport(Message, tag="roosync.v1.inventory", frozen=True, kw_only=True):
    """What the machine is and has; names only, never a secret."""

    inventory: Annotated[dict[str, Any], Meta(max_length=200)]


class PackageReport(Message, tag="roosync.v1.package", frozen=True, kw_only=True):
    """The announcement of a package whose contents are all stored already."""

    version: Line
    manifest: Sha256  # of the manifest's bytes
    files: Count
    entities: Count
    complete: bool
    targets: tuple[Line, ...] = ()  # assistants' targets that exist on this machine
    skipped: tuple[Line, ...] = ()


class StatusReport(Message, tag="roosync.v1.status", frozen=True, kw_only=True):
    machines_detected: Count
    status: SyncStatus
    divergences_count: Count
    pending_decisions: Count = 0
    accepted_differences: Count = 0
    baseline_version: Line = ""
    baseline_revision: Count = 0
    roosync_version: Line = ""
    paused: bool = False
    quarantine: dict[str, Line] = {}  # target -> why its state is not believed
    corrupt: tuple[Line, ...] = ()  # what was shown to be damaged: contents that are not what their signed hash says
    unread: dict[str, Line] = {}  # target that is there and could not be read at all -> why: nothing is known of it
    skipped: tuple[Line, ...] = ()  # single things that could not be read, each with its reason
    only_here: Count | None = None  # things that the baseline does not speak of: not shared, and no divergence
    notes: tuple[Line, ...] = ()  # what a person should know: expired law, missing secrets by name
    last_sync: Moment | None = None  # when this machine was last found, or brought, in step


class Divergence(Struct, frozen=True, kw_only=True):
    type: Literal["config", "files", "settings"]
    field: EntityKey
    decision_id: Token
    risk: RiskName
    verdict: Line


class DivergenceReport(Message, tag="roosync.v1.divergence", frozen=True, kw_only=True):
    divergences: Annotated[tuple[Divergence, ...], Meta(max_length=2_000)]
    total: Count  # when more than the message holds
    reference: Line = "baseline"


class MetricReport(Message, tag="roosync.v1.metric", frozen=True, kw_only=True):
    test_session: Line
    duration_minutes: float
    checkpoints_reached: tuple[Line, ...]
    sync_latency_avg_seconds: float
    decisions_total: Count
    decisions_success: Count
    decisions_rollback: Count
    divergences_detected: Count
    divergences_resolved: Count


class Arrival(Message, tag="roosync.v1.arrival", frozen=True, kw_only=True):
    """A machine says that it has reached a checkpoint of a cycle, and what it saw there."""

    cycle: Token
    checkpoint: Token
    round: Count
    status: SyncStatus = "unknown"
    divergences: Sha256 | None = None  # digest of the fleet's open divergences as this machine lists them
    divergences_count: Count = 0  # of its own
    accepted: Count = 0
    version: Line = ""
    baseline_revision: Count = 0
    package: Sha256 | None = None  # the manifest of its latest complete package


UpdatePhase = Literal["waiting", "updating", "confirmed", "unneeded", "refused", "returned", "return_failed"]


class UpdateReport(Message, tag="roosync.v1.update", frozen=True, kw_only=True):
    """How far a machine is with the campaign in force; every phase is an end but `waiting` and `updating`."""

    campaign: Token
    phase: UpdatePhase
    version: Line  # that it runs now
    before: Line = ""  # that it ran when it began
    wanted: Line = ""
    reason: Line = ""  # why it waits, refused, or went back
    began: Moment | None = None
    round: Count = 0  # of the campaign's rollout, in which this was tried: a later one has what failed tried again
    log: Annotated[tuple[Line, ...], Meta(max_length=50)] = ()  # the last lines of the recipe, without secrets


class Alarm(Message, tag="roosync.v1.alarm", frozen=True, kw_only=True):
    """Escalation 1 warning, 2 a person must act, 3 emergency (5-protocols)."""

    id: Token
    level: Annotated[int, Meta(ge=1, le=3)]
    reason: Prose
    about: Line = ""


class Audit(Message, tag="roosync.v1.audit", frozen=True, kw_only=True):
    """One action, told before it is done and again after; never carries a value of a configuration."""

    action: Line
    phase: Literal["before", "after"]
    about: Line = ""
    outcome: Line = ""
    details: Prose = ""
