"""Where each message travels, and who may post it: one table, from which the rest is made.

    post.<fleet>.<kind>[.<about>...].<speaker>       what a speaker posts; a stream stores it
    roosync.<fleet>.<kind>[.<about>...].<speaker>    what was stored; only the server publishes here

The speaker is always the last token, so the broker's permissions keep anybody from speaking in the
name of somebody else. Streams, permissions and the protocol reference are generated from KINDS.
"""

from enum import Flag, auto

from msgspec import Struct

from roosync_protocol import messages as m
from roosync_protocol.names import is_operator, token


class Who(Flag):
    """Who may post a kind of message."""

    MACHINE = auto()  # any member; where the kind is about a machine, that machine only
    ORCHESTRATOR = auto()  # members that may orchestrate
    OPERATOR = auto()
    JOINER = auto()  # the holder of a one-time code


class SubjectKind(Struct, frozen=True):
    name: str
    message: type[m.Message] | None  # None: not a message (contents)
    about: tuple[str, ...]  # names of the message's fields that stand between kind and speaker; "=x" is a constant
    who: Who
    stream: str
    own: bool = False  # the first `about` token must be the speaking machine itself
    republished: bool = True


KINDS: tuple[SubjectKind, ...] = (
    SubjectKind("inventory", m.InventoryReport, (), Who.MACHINE, "REPORTS"),
    SubjectKind("package", m.PackageReport, (), Who.MACHINE, "REPORTS"),
    SubjectKind("status", m.StatusReport, (), Who.MACHINE, "REPORTS"),
    SubjectKind("divergence", m.DivergenceReport, (), Who.MACHINE, "REPORTS"),
    SubjectKind("metric", m.MetricReport, (), Who.MACHINE, "REPORTS"),
    SubjectKind("arrival", m.Arrival, ("cycle", "checkpoint"), Who.MACHINE, "REPORTS"),
    SubjectKind("update", m.UpdateReport, (), Who.MACHINE, "REPORTS"),
    SubjectKind("alarm", m.Alarm, ("id",), Who.MACHINE | Who.OPERATOR, "REPORTS"),
    SubjectKind("audit", m.Audit, (), Who.MACHINE | Who.OPERATOR, "AUDIT"),
    SubjectKind("decision", m.Decision, ("machine", "id"), Who.MACHINE | Who.OPERATOR, "WORK", own=True),
    SubjectKind("proposal", m.Proposal, ("id",), Who.ORCHESTRATOR | Who.OPERATOR, "WORK"),
    SubjectKind("cycle", m.Cycle, ("id",), Who.ORCHESTRATOR | Who.OPERATOR, "WORK"),
    SubjectKind("request", m.Request, ("to", "id"), Who.MACHINE | Who.OPERATOR, "WORK"),  # the fold knows who answers
    SubjectKind("rollout", m.Rollout, ("id",), Who.ORCHESTRATOR | Who.OPERATOR, "WORK"),
    SubjectKind("mail", m.Mail, ("to", "id"), Who.MACHINE | Who.OPERATOR, "MAIL"),  # once for each recipient
    SubjectKind("roster", m.Roster, ("=main",), Who.OPERATOR, "LAW"),
    SubjectKind("policy", m.Policy, ("=main",), Who.OPERATOR, "LAW"),
    SubjectKind("baseline", m.Baseline, ("=main",), Who.OPERATOR, "LAW"),
    SubjectKind("campaign", m.Campaign, ("=main",), Who.OPERATOR, "LAW"),
    SubjectKind("member", m.Member, ("machine",), Who.OPERATOR, "LAW"),
    SubjectKind("invitation", m.Invitation, ("id",), Who.OPERATOR, "LAW"),
    SubjectKind("enrol", m.Enrolment, ("code",), Who.JOINER, "ENROL"),
    SubjectKind("content", None, ("*", "*"), Who.MACHINE | Who.OPERATOR, "CONTENTS", republished=False),
)
BY_NAME = {kind.name: kind for kind in KINDS}
BY_MESSAGE = {kind.message: kind for kind in KINDS if kind.message}
HEARD = tuple(kind for kind in KINDS if kind.republished and kind.stream != "MAIL")  # by every member; mail by none
FOR_ALL = frozenset({"cycle", "proposal", "rollout", "alarm", "enrol"})  # with the law: what every machine follows
ADDRESSED = frozenset({"decision", "request"})  # the first place is the machine that it is about
UNFOLDED = frozenset({"audit", "metric"})
OWN = (
    "inventory",
    "package",
    "status",
    "divergence",
    "arrival",
    "update",
)  # what a machine said, to see that it is there
STREAMS = tuple(dict.fromkeys(kind.stream for kind in KINDS))


class Subjects(Struct, frozen=True):
    """The subject space of one fleet."""

    fleet: str

    def __post_init__(self) -> None:
        token(self.fleet)

    def of(self, message: m.Message) -> str:
        """The one subject on which this message is posted."""
        kind = BY_MESSAGE[type(message)]
        about = (part[1:] if part[0] == "=" else str(getattr(message, part)) for part in kind.about)
        return ".".join(("post", self.fleet, kind.name, *map(token, about), token(message.agent)))

    def verify(self, subject: str, message: m.Message) -> None:
        """The broker guards who uses a subject; a reader checks again, for the broker may not be what it was."""
        kind, speaker = BY_MESSAGE[type(message)], message.agent
        theirs = Who.OPERATOR if is_operator(speaker) else ~Who.OPERATOR
        foreign = kind.own and not is_operator(speaker) and getattr(message, kind.about[0]) != speaker
        if foreign or not kind.who & theirs:
            raise m.MalformedError(f"{speaker!r} may not post {subject!r}")
        if subject != self.of(message):
            raise m.MalformedError(f"a {type(message).__name__} of {message.agent!r} arrived on {subject!r}")

    def post(self, kind: str, *about: str, speaker: str = "*") -> str:
        """A filter over posts, as streams and direct gets use it: missing places are wildcards."""
        return self._filter("post", kind, about, speaker)

    def fact(self, kind: str, *about: str, speaker: str = "*") -> str:
        """A filter over facts, as subscribers use it."""
        return self._filter("roosync", kind, about, speaker)

    def record(self, kind: str, *about: str) -> str:
        """Every speaker's messages on one record: the scope of a compare-and-swap."""
        return self.post(kind, *about)

    def record_of(self, message: m.Message) -> str:
        """The same of the record that this message is a state of."""
        return self.of(message).rpartition(".")[0] + ".*"

    def stream(self, stream: str) -> str:
        return f"{self.fleet}-{stream}"

    def content(self, sha256: str, part: str, speaker: str) -> str:
        return f"post.{self.fleet}.content.{sha256}.{part}.{speaker}"

    def call(self, machine: str, verb: str, caller: str) -> str:
        """Core request and reply: `roosync-rpc.<fleet>.<machine>.<verb>.<caller>`."""
        return f"roosync-rpc.{self.fleet}.{machine}.{verb}.{caller}"

    def granted(self, speaker: str, *, orchestrates: bool = False) -> list[str]:
        """What this speaker may post: the list that is written into the broker's permissions."""
        rights = Who.OPERATOR if is_operator(speaker) else Who.MACHINE | (Who.ORCHESTRATOR if orchestrates else Who(0))
        return [self._grant(kind, token(speaker)) for kind in KINDS if kind.who & rights]

    def heard(self) -> list[str]:
        """What every member may listen to, kind by kind. Mail is not among it."""
        return [f"roosync.{self.fleet}.{kind.name}.>" for kind in HEARD]

    def followed(self) -> list[str]:
        """Of `heard`, what is folded into the view of a fleet; the rest is read from its stream when somebody asks."""
        return [self.fact(kind.name) for kind in HEARD if kind.name not in UNFOLDED]

    def concerning(self, machine: str) -> list[str]:
        """Of `heard`, what a machine has to follow while it neither leads nor compares itself with everybody.

        What holds for all (law, cycles, proposals, alarms, who asks to join), and what is about it, or was said by it.
        """
        return [self.fact(kind.name, *self._about(kind, machine)) for kind in KINDS if self._concerns(kind)] + [
            self.fact(kind.name, speaker=machine) for kind in KINDS if kind.name in OWN
        ]

    def records_concerning(self, machine: str) -> list[str]:
        """The same of the stream of records, as filters over posts."""
        kinds = [kind for kind in KINDS if kind.stream == "WORK" and self._concerns(kind)]
        return [self.post(kind.name, *self._about(kind, machine)) for kind in kinds]

    def _concerns(self, kind: SubjectKind) -> bool:
        return kind.stream == "LAW" or kind.name in FOR_ALL or kind.name in ADDRESSED

    def _about(self, kind: SubjectKind, machine: str) -> tuple[str, ...]:
        return (machine,) if kind.name in ADDRESSED else ()

    def _grant(self, kind: SubjectKind, speaker: str) -> str:
        about = [part[1:] if part[0] == "=" else "*" for part in kind.about]
        if kind.own and not is_operator(speaker):
            about[0] = speaker
        return ".".join(("post", self.fleet, kind.name, *about, speaker))

    def _filter(self, root: str, kind: str, about: tuple[str, ...], speaker: str) -> str:
        shape = BY_NAME[kind].about
        given = list(about) + ["*"] * (len(shape) - len(about))
        named = [part[1:] if part[0] == "=" else place for part, place in zip(shape, given, strict=True)]
        return ".".join((root, self.fleet, kind, *named, speaker))


def fact_to_post(subject: str) -> str:
    """roosync.home.status.a -> post.home.status.a: signatures cover the subject of the post."""
    head, _, rest = subject.partition(".")
    return f"post.{rest}" if head == "roosync" else subject


def speaker_of(subject: str) -> str:
    return subject.rsplit(".", 1)[-1]
