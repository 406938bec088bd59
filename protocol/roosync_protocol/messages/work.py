"""Records that machines and operators advance together: decisions, proposals, cycles, requests and rollouts.

Which transition is whose is a table in the module of each; here is only what a state says.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from roosync_protocol.entity import Kind
from roosync_protocol.messages.base import Count, Dated, EntityKey, Line, Moment, Prose, Record, Sha256, Signed, Token
from roosync_protocol.names import MachineId, OneMachine
from roosync_protocol.risk_names import RiskName

DecisionStatus = Literal[
    "pending",
    "approved",
    "rejected",
    "promoted",
    "kept_special",
    "superseded",
    "expired",
    "applying",
    "applied",
    "failed",
    "rolled_back",
    "rollback_failed",
    "overwritten",
]
Action = Literal["merge", "override_local", "override_remote", "keep_special"]


class Side(Struct, frozen=True, kw_only=True):
    """One side of a divergence, in public form. `value` is left out when it is absent or too large to travel here."""

    digest: Sha256 | None  # None: the entity is absent on this side
    value: Any | UnsetType = UNSET
    size: Count = 0  # bytes of the canonical value


class Approval(Dated, frozen=True, kw_only=True):
    """What an operator signs. It names exactly what may execute; any other content voids it (6-trust)."""

    fleet: Token
    operator: Token
    machine: MachineId
    decision: Token
    entity: EntityKey  # ids are short hashes, and whoever names entities could make two with one id
    attempt: Annotated[int, Meta(ge=1)]
    action: Action
    wanted: Sha256 | None  # digest of the whole public value that will stand; None: the entity goes
    surface: Sha256  # digest of what executes
    issued: Moment
    expires: Moment
    rollout: Line = ""


class PolicyProof(Struct, frozen=True, kw_only=True):
    """The machine's own yes: the signed policy said that this class applies by itself."""

    policy_revision: Count
    risk: RiskName


class Decision(Record, tag="roosync.v1.decision", frozen=True, kw_only=True):
    """What is to be done about one divergence of one machine. 5-protocols, "Decision"."""

    machine: MachineId  # the designated machine: it alone applies
    entity: EntityKey
    kind: Kind
    category: Literal["config", "files", "settings"]  # "type" in the founding protocol's report
    reference: Annotated[str, Meta(pattern=r"^(baseline|machine:[a-z0-9][a-z0-9-]{0,62})\Z")]
    reference_revision: Count = 0
    verdict: Line
    local: Side
    remote: Side
    wanted: Side
    action: Action
    justification: Prose
    risk: RiskName
    reasons: tuple[Line, ...] = ()
    surface: Sha256
    status: DecisionStatus
    attempt: Annotated[int, Meta(ge=1, le=10_000)] = 1
    created: Moment
    expires: Moment
    approvals: Annotated[tuple[Signed, ...], Meta(max_length=5)] = ()
    policy_proof: PolicyProof | None = None
    reopened: bool = False  # an operator opened this attempt again after a failure: a policy may not approve it
    declined: Annotated[tuple[Sha256, ...], Meta(max_length=50)] = ()  # questions that no policy may say yes to again
    rollback_requested: bool = False
    rollback_exact: bool = False  # with the request: the bytes from before, also over what was edited since
    snapshot: Line = ""
    log: Annotated[tuple[Line, ...], Meta(max_length=60)] = ()


class PackageRef(Struct, frozen=True, kw_only=True):
    machine: MachineId
    manifest: Sha256
    version: Line


ProposalStatus = Literal["open", "arbitrated", "validated", "published", "superseded"]


class Choice(Struct, frozen=True, kw_only=True):
    """A person's answer to one arbitration."""

    take: Literal["machine", "union", "special", "omit"]  # union: what each has, put together
    machine: MachineId | None = None  # with take=machine: whose value becomes common


class Proposal(Record, tag="roosync.v1.proposal", frozen=True, kw_only=True):
    """A golden baseline that a person reads, arbitrates, validates and publishes."""

    status: ProposalStatus
    after_revision: Count  # of the baseline it follows; 0 for the first
    packages: Annotated[tuple[PackageRef, ...], Meta(max_length=20_000)]
    report: Sha256  # the whole consolidation: commons, overlays, arbitrations, provenance
    commons: Count
    overlays: Count
    arbitrations: Count  # questions still open
    choices: dict[EntityKey, Choice] = {}
    validated: Signed | None = None  # an operator's signature over the report's hash
    version: Line = ""


CycleRoute = Literal["coordination", "deployment"]
CycleStatus = Literal["running", "waiting", "done", "aborted"]  # waiting: for a person
Checkpoint = Literal["init", "status", "diffs", "resolution", "final", "version", "collected", "baseline", "synced"]


class Reached(Dated, frozen=True, kw_only=True):
    checkpoint: Checkpoint
    round: Count
    at: Moment
    divergences: Count = 0  # that were open then, over all participants


class Escalation(Dated, frozen=True, kw_only=True):
    """A trigger of the table in 5-protocols: 1 warning, 2 a person must act, 3 emergency."""

    level: Annotated[int, Meta(ge=1, le=3)]
    reason: Line
    checkpoint: Checkpoint
    round: Count
    at: Moment
    trigger: Annotated[str, Meta(max_length=63)] = ""  # of that table, by the names in `cycle.triggers`


class Cycle(Record, tag="roosync.v1.cycle", frozen=True, kw_only=True):
    """A run of some machines through checkpoints, together. 5-protocols, "Cycle"."""

    MACHINES = ("participants", "excused")

    route: CycleRoute
    status: CycleStatus
    participants: Annotated[tuple[OneMachine, ...], Meta(min_length=1, max_length=20_000)]  # before anything is asked
    excused: dict[OneMachine, Line] = {}  # by an operator, with the reason
    checkpoint: Checkpoint  # the one that is awaited; of an ended cycle the last
    round: Count = 0  # grows with each return to an earlier checkpoint: arrivals of before do not count any more
    strict: bool = False  # there are divergences: each step is checked together
    timeout_minutes: Annotated[float, Meta(gt=0, le=100_000)]  # for each checkpoint
    required_version: Line = ""
    started: Moment
    after: Count = 0  # the newest sequence of the stream of records then: what stood before is not the cycle's doing
    entered: Moment  # when the awaited checkpoint began to be awaited
    reached: Annotated[tuple[Reached, ...], Meta(max_length=200)] = ()
    escalations: Annotated[tuple[Escalation, ...], Meta(max_length=200)] = ()
    failures: Annotated[tuple[Line, ...], Meta(max_length=200)] = ()  # counted attempts: machine/id/attempt
    listed: Annotated[tuple[Token, ...], Meta(max_length=1_000)] = ()  # decisions that were open when DIFFS was reached
    noticed: Annotated[tuple[Line, ...], Meta(max_length=500)] = ()  # triggers that were told: each is told once
    stopped: Annotated[int, Meta(ge=0, le=3)] = 0  # level of the escalation for which it waits
    waiting_for: Line = ""  # what a person is asked, when the cycle waits
    token: Count = 0  # of the orchestrator's lease: an older holder moves nothing
    note: Line = ""


RequestKind = Literal["approval", "execution", "verification"]
RequestStatus = Literal["requested", "accepted", "done", "failed", "refused", "expired"]


class Request(Record, tag="roosync.v1.request", frozen=True, kw_only=True):
    """Somebody is asked for something, and finds it also when they were away. 5-protocols, "Coordination request"."""

    to: Token  # a machine, an operator, or any operator (`request.ANY_OPERATOR`)
    kind: RequestKind  # "type" in the founding protocol's form
    target: Annotated[str, Meta(min_length=1, max_length=100)]  # a decision's id, or a machine
    action: Line  # of a machine: a name of `request.ACTIONS`; of a person: what to do, in words
    status: RequestStatus
    asker: Token
    asked: Moment
    timeout_minutes: Annotated[float, Meta(gt=0, le=100_000)]
    dependencies: Literal["ready", "waiting"] = "ready"  # waiting: not to be begun yet
    cycle: Annotated[str, Meta(max_length=63)] = ""  # that it belongs to, if any
    checkpoint: Annotated[str, Meta(max_length=63)] = ""
    outcome: Prose = ""  # what came of it


RolloutStatus = Literal["prepared", "running", "waiting", "done", "stopped"]  # waiting: it halted, a person is asked
Outcome = Literal["ok", "changed", "failed", "refused", "unreachable", "timed_out"]  # ok: there was nothing to change


class Result(Struct, frozen=True, kw_only=True):
    """How one machine ended in a rollout; a machine that is not named yet is awaited."""

    outcome: Outcome
    reason: Line = ""


class Rollout(Record, tag="roosync.v1.rollout", frozen=True, kw_only=True):
    """One approval for many machines: who begins when, and how each of them ended. 5-protocols, "Decision".

    It executes nothing and approves nothing: decisions that name it in their approvals, or the campaign of its id, wait
    until it opens the wave of their machine.
    """

    MACHINES = ("waves", "items", "results", "accepted")

    purpose: Literal["decisions", "update"]
    status: RolloutStatus
    waves: Annotated[tuple[tuple[OneMachine, ...], ...], Meta(min_length=1, max_length=20_000)]  # a canary comes first
    items: dict[
        OneMachine, Annotated[tuple[Token, ...], Meta(max_length=500)]
    ] = {}  # its decisions, of purpose decisions
    max_fail_percentage: Annotated[float, Meta(ge=0, le=100)] = 0.0  # of a wave's machines; more than that halts
    pause_seconds: Annotated[float, Meta(ge=0, le=604_800)] = 0.0  # between the end of a wave and the next
    timeout_minutes: Annotated[float, Meta(gt=0, le=100_000)]  # for each wave
    started: Moment
    wave: Count = 0  # the last one that was opened, from 0
    opened: Moment  # when it was
    ended: Moment | None = None  # when its last machine ended: the pause begins
    round: Count = 0  # grows when an operator has what failed tried again
    results: dict[OneMachine, Result] = {}
    accepted: Annotated[frozenset[OneMachine], Meta(max_length=20_000)] = (
        frozenset()
    )  # an operator goes on without them
    waiting_for: Line = ""  # what a person is asked, when it waits
    token: Count = 0  # of the orchestrator's lease: an older holder moves nothing
    note: Line = ""
