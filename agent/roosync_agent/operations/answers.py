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
    decisions: list[DecisionRow]  # those that were asked for, from `offset` on
    pending: int
    failed: int = 0  # of which the apply failed, and that a person has not answered since
    total: int = 0  # rows there would be without a limit
    offset: int = 0
    risks: dict[str, int] = {}  # how many of all these rows have which risk, the gravest first


class Origin(Struct, frozen=True, kw_only=True):
    """A machine whose published package holds exactly the value that would stand."""

    machine: str
    file: str  # on it, as packages name files: <target>/<file>
    version: str  # of its package
    published: datetime


class Agreed(Struct, frozen=True, kw_only=True):
    """The baseline that asks for the value: who signed it, when, and what was written down about the value then."""

    version: str
    revision: int
    signed_by: str
    published: datetime
    why: str = ""
    had_by: list[str] = []  # machines that had it when it was agreed


class Yes(Struct, frozen=True, kw_only=True):
    """One approval that counts: an operator's, or the policy's by the machine itself."""

    by: str  # an operator, or "policy"
    at: datetime | None  # when it was signed; of a policy, when that came into force
    signed_by: str = ""  # of a policy: the operator who signed it
    revision: int = 0  # of a policy


class Lack(Struct, frozen=True, kw_only=True):
    """What one machine said, asked at this moment, that it has not."""

    machine: str
    kind: str  # program | secret
    name: str  # a program as the value names it; a secret by its place in the value


class Open(Struct, frozen=True, kw_only=True):
    """What the value lets an assistant do without asking, as it would stand."""

    path: str  # in the value, dotted
    what: Any
    why: str
    new: bool  # it was not so before


class Missing(Struct, frozen=True, kw_only=True):
    """What the machines that would get a value said, asked at this moment, that they have not for it."""

    needs: list[str] = []  # "program npx", "secret env/TOKEN": what the value needs where it stands
    asked: list[str] = []
    lacks: list[Lack] = []
    unsure: list[Lack] = []  # what a machine can not say of itself
    not_said: dict[str, str] = {}  # machine -> why it said nothing: silence is no yes


class Mark(Struct, frozen=True, kw_only=True):
    """A text of the card with characters that nobody sees, that move others, or that pass for others."""

    where: str  # "wanted", "local" and so on, then the path in it
    total: int
    hidden: list[str]  # "U+202E RIGHT-TO-LEFT OVERRIDE"
    posing: list[str]  # letters of another script in a Latin word


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
    whole: bool = True  # False: the value that would stand is too large to travel, and nobody has published it
    agreed: Agreed | None = None  # of what is compared with the baseline
    origins: list[Origin] = []  # who published exactly the value that would stand, the first publication first
    yes: list[Yes] = []  # who said yes, and since when
    unasked: list[Open] = []
    needs: list[str] = []  # "program npx", "secret env/TOKEN": what the value needs where it stands
    asked: list[str] = []  # machines that were asked whether they have that
    lacks: list[Lack] = []
    unsure: list[Lack] = []  # what a machine can not say of itself
    not_said: dict[str, str] = {}  # machine -> why it said nothing: silence is no yes
    marks: list[Mark] = []


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


class Effect(Struct, frozen=True, kw_only=True):
    """What a common value that is not agreed yet would mean for the machines."""

    new: bool  # else it changes what is agreed
    risk: str
    reasons: list[str]
    missing: Missing = Missing()
    marks: list[Mark] = []


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
    mends: dict[str, str] = {}  # entity that is in the way -> the answer that ends it: special | omit
    report: str = ""
    signed_by: str = ""
    published: datetime | None = None
    effects: dict[str, Effect] = {}  # of a proposal, by entity: what is new, or other than in the baseline in force
