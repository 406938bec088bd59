"""Law: what operators sign and machines obey. One root key is pinned by every machine that joined."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from roosync_protocol.messages.base import Law, Line, Moment, PublicKey, Sha256, Token
from roosync_protocol.names import MachineId, OneMachine, OperatorId
from roosync_protocol.risk_names import RiskName

Label = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.-]{0,39}\Z")]
LabelValue = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")]
Version = Annotated[str, Meta(pattern=r"^v?[0-9]{1,9}(\.[0-9]{1,9}){1,3}([-+.]?[0-9A-Za-z][0-9A-Za-z.+-]{0,40})?\Z")]
GitRevision = Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._/+-]{0,199})?\Z")]  # no option of git, no range
GitCommit = Annotated[str, Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?\Z")]
Answer = Literal["automatic", "one", "two"]  # who has to say yes
DEFAULT_ANSWERS: dict[RiskName, Answer] = {
    "none": "automatic",
    "low": "automatic",
    "medium": "one",
    "high": "one",
    "critical": "one",
}


class Operator(Struct, frozen=True, kw_only=True):
    key: PublicKey
    revoked: bool = False


class Roster(Law, tag="roosync.v1.roster", frozen=True, kw_only=True):
    """The operators of the fleet. The first one is signed by the pinned root."""

    operators: Annotated[dict[OperatorId, Operator], Meta(min_length=1, max_length=1_000)]
    certificate: Annotated[str, Meta(max_length=20_000)] | None = None  # PEM of the broker's, for when it turns to TLS
    observers: Annotated[dict[Token, PublicKey], Meta(max_length=1_000)] = {}


class Member(Law, tag="roosync.v1.member", frozen=True, kw_only=True):
    machine: MachineId
    key: PublicKey
    may_orchestrate: bool = True
    revoked: bool = False
    returned: Moment | None = None  # when it was admitted again after a revocation: older approvals ended with that
    invitation: Token | None = None  # the code it joined with: a code admits one machine
    labels: Annotated[dict[Label, LabelValue], Meta(max_length=50)] = {}  # by which an operator chooses machines


class Invitation(Law, tag="roosync.v1.invitation", frozen=True, kw_only=True):
    """A one-time code: whoever holds its key may ask to join until it expires, and do nothing else."""

    id: Token
    key: PublicKey
    machine: MachineId | None = None  # when set, only this name may join with it
    may_orchestrate: bool = True
    withdrawn: bool = False


class Policy(Law, tag="roosync.v1.policy", frozen=True, kw_only=True):
    """Who must say yes to a change of each risk class, and where automatic application is off."""

    MACHINES = ("paused_machines", "resumed")

    answers: dict[RiskName, Answer] = field(default_factory=lambda: dict(DEFAULT_ANSWERS))
    paused: bool = False
    paused_machines: frozenset[OneMachine] = frozenset()
    resumed: dict[OneMachine, Moment] = {}  # ends a machine's own pause that is older
    public_names: frozenset[Line] = frozenset()  # env and header names whose values are no secret


class Baseline(Law, tag="roosync.v1.baseline", frozen=True, kw_only=True):
    """The agreed configuration: hashes of the commons and of each machine's overlay."""

    MACHINES = ("overlays",)

    version: Line
    commons: Sha256
    overlays: Annotated[dict[OneMachine, Sha256], Meta(max_length=20_000)] = {}
    provenance: Sha256 | None = None
    proposal: Token | None = None
    note: Line = ""


class Campaign(Law, tag="roosync.v1.campaign", frozen=True, kw_only=True):
    """UPDATE_REQUIRED: these machines are to run this version. How is told by each machine's own settings.

    It names a version and carries no command (5-protocols). The newest one is in force; in which order the machines
    begin stands in the rollout of the same id.
    """

    MACHINES = ("machines",)

    id: Token
    version: Version
    tag: GitRevision = ""  # what a recipe that uses git checks out; "" leaves it to the recipe
    commit: GitCommit = ""  # what the tag has to name there, when the operator said so: tags can be moved
    machines: Annotated[tuple[OneMachine, ...], Meta(min_length=1, max_length=20_000)]
    splay_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 0.0  # over which the machines of a wave begin
    withdrawn: bool = False
    note: Line = ""
