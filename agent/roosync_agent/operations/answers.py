"""What operations answer: typed, and turned into the same JSON for every face (`--json`, MCP, the socket).

Values are in public form: secrets are `{"$secret": address}`, paths are tokens.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct


class Shown(Struct, frozen=True, kw_only=True):
    """One leaf that differs."""

    path: list[str | int]
    before: Any = None
    after: Any = None
    absent: str = ""  # "before" or "after" when that side has nothing


class DiffRow(Struct, frozen=True, kw_only=True):
    machine: str
    type: str  # config | files | settings
    field: str  # the entity
    verdict: str
    risk: str
    decision_id: str
    status: str
    reference: str
    suggested_action: str
    justification: str
    changes: list[Shown] = []


class NotRead(Struct, frozen=True, kw_only=True):
    """Something that is there and could not be read: whether it is in step is not known."""

    target: str
    path: str  # "" when it is the whole target
    reason: str


class Comparison(Struct, frozen=True, kw_only=True):
    agent: str
    timestamp: datetime
    reference: str
    baseline_version: str
    status: str  # Synced | Diverged
    divergences_count: int
    divergences: list[DiffRow]
    accepted: list[str] = []  # differences that a person said may stay
    only_here: list[str] = []  # things the reference does not speak of
    quarantine: dict[str, str] = {}
    not_read: list[NotRead] = []  # what "Synced" says nothing about
    not_read_there: list[str] = []  # the same on the machine that this one is compared with, as it told
    not_here: dict[str, int] = {}  # targets whose assistant is not on this machine, and how many things they would have
    skipped: list[str] = []


class DiffList(Struct, frozen=True, kw_only=True):
    agent: str
    timestamp: datetime
    divergences_count: int
    divergences: list[DiffRow]


class FileRow(Struct, frozen=True, kw_only=True):
    path: str
    type: str
    hash: str
    size: int
    entities: list[str] = []


class CollectAnswer(Struct, frozen=True, kw_only=True):
    machine: str
    timestamp: datetime
    version: str
    dry_run: bool
    complete: bool
    files: list[FileRow]
    entities: int
    skipped: list[dict[str, str]]
    quarantine: dict[str, str]
    secrets: list[str]  # addresses of what was replaced; never a value
    written: str = ""  # where the package lies, when it was written
    published: bool = False
    manifest: str = ""


class DecisionRow(Struct, frozen=True, kw_only=True):
    id: str
    machine: str
    entity: str
    type: str
    risk: str
    status: str
    action: str
    attempt: int
    reference: str
    created: datetime
    expires: datetime
    failed: bool = False  # its apply failed, and no person has answered since
    log: list[str] = []  # of a failed one: the last that its machine said


class DecisionList(Struct, frozen=True, kw_only=True):
    decisions: list[DecisionRow]
    pending: int
    failed: int = 0  # of which the apply failed, and that a person has not answered since


class Card(Struct, frozen=True, kw_only=True):
    """All that a person needs to answer a decision."""

    id: str
    machine: str
    entity: str
    kind: str
    type: str
    field: str
    verdict: str
    reference: str
    local_value: Any
    remote_value: Any
    wanted: Any
    wanted_absent: bool
    suggested_action: str
    justification: str
    risk: str
    reasons: list[str]
    executes: Any  # the executable surface of what would stand
    changes: list[Shown]
    status: str
    attempt: int
    approvals: list[str]
    policy_approved: bool
    created: datetime
    expires: datetime
    runs_on: list[str]  # machines whose published package has exactly this value already
    undo: str
    snapshot: str
    log: list[str]
    refused: list[str]  # messages about it that do not count, with the reason
    hash: str
    answer: str = ""  # the other answer than the suggested one that this card is about
    seen: str = ""  # digest of all that is decided; who signs after this card asks for it


class AppliedRow(Struct, frozen=True, kw_only=True):
    field: str
    decision_id: str
    status: str
    risk: str
    detail: str = ""


class ApplyAnswer(Struct, frozen=True, kw_only=True):
    agent: str
    reference: str
    dry_run: bool
    applied: int
    waiting: int  # for a person
    failed: int
    rows: list[AppliedRow]
    files: list[dict[str, str]] = []  # dry run: path and unified diff, secrets hidden


class BaselineAnswer(Struct, frozen=True, kw_only=True):
    """A proposal or a published baseline, as a person reads it."""

    kind: str  # proposal | baseline
    id: str
    status: str
    version: str
    revision: int
    machines: list[str]
    commons: dict[str, Any]
    overlays: dict[str, dict[str, Any]]
    comments: dict[str, list[str]] = {}  # entity of the commons -> lines that are written above it where it is new
    removed: list[str] = []
    arbitrations: list[dict[str, Any]] = []
    pending: dict[str, list[str]] = {}  # entity -> machines that lack it and would be asked
    excluded: dict[str, str] = {}  # machine or target left out, with the reason
    provenance: dict[str, Any] = {}
    problems: list[str] = []  # what stands against validating it
    report: str = ""
    signed_by: str = ""
    published: datetime | None = None
