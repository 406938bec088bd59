"""The kinds of records, named once: how each is folded from its messages, and by what a record is known.

Whoever keeps, folds, reads again or advances records takes the kinds from `KINDS`; where their messages travel, and
with which fields a subject names them, is in `subjects.KINDS`. A new kind is one line in `RecordMessage`, and one here.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from roosync_protocol import decision, proposal, request
from roosync_protocol.cycle import record as cycle
from roosync_protocol.cycle.record import FoldedCycle
from roosync_protocol.decision import Folded, Place
from roosync_protocol.envelope import Heard, Verify
from roosync_protocol.law import Law
from roosync_protocol.messages import Cycle, Decision, Proposal, Request, Rollout
from roosync_protocol.proposal import FoldedProposal
from roosync_protocol.request import FoldedRequest
from roosync_protocol.rollout import record as rollout
from roosync_protocol.rollout.record import FoldedRollout
from roosync_protocol.subjects import BY_MESSAGE, BY_NAME

RecordMessage = Decision | Proposal | Cycle | Request | Rollout
R = TypeVar("R", bound=RecordMessage)
R_co = TypeVar("R_co", bound=RecordMessage, covariant=True)

Key = tuple[type, str, str]  # its kind, whom it is addressed to ("" for all), its id


class FoldedRecord(Protocol[R_co]):
    """What every fold gives: the state that counts, and what was said that does not."""

    @property
    def state(self) -> R_co | None: ...
    @property
    def sequence(self) -> int: ...  # of the last message seen, valid or not: for compare-and-swap
    @property
    def refused(self) -> tuple[str, ...]: ...


F_co = TypeVar("F_co", bound=FoldedRecord[RecordMessage], covariant=True)


class RecordKind(Struct, Generic[F_co], frozen=True):
    message: type[RecordMessage]
    fold: Callable[[Sequence[Heard], Law, Verify, Sequence[Place]], F_co]  # the last: messages that nobody can open


DECISION: RecordKind[Folded] = RecordKind(Decision, decision.fold)
PROPOSAL: RecordKind[FoldedProposal] = RecordKind(Proposal, proposal.fold)
CYCLE: RecordKind[FoldedCycle] = RecordKind(Cycle, lambda heard, law, _, unread: cycle.fold(heard, law, unread))
REQUEST: RecordKind[FoldedRequest] = RecordKind(Request, lambda heard, law, *_: request.fold(heard, law))
ROLLOUT: RecordKind[FoldedRollout] = RecordKind(Rollout, lambda heard, law, _, unread: rollout.fold(heard, law, unread))

_ALL: tuple[RecordKind[FoldedRecord[RecordMessage]], ...] = (DECISION, PROPOSAL, CYCLE, REQUEST, ROLLOUT)
KINDS: dict[type, RecordKind[FoldedRecord[RecordMessage]]] = {kind.message: kind for kind in _ALL}


def key_of(record: RecordMessage) -> Key:
    return _key(type(record), [str(getattr(record, field)) for field in BY_MESSAGE[type(record)].about])


def key_of_subject(subject: str) -> Key | None:
    """Of the record that a message belongs to; None when it belongs to none."""
    name, *about = subject.split(".")[2:] or [""]
    kind = BY_NAME.get(name)
    if kind is None or kind.message not in KINDS or len(about) != len(kind.about) + 1:  # the speaker comes last
        return None
    return _key(kind.message, about[:-1])


def _key(kind: type, about: Sequence[str]) -> Key:
    """As its subject names it: the id comes last, and before it at most whom it is addressed to."""
    return kind, "".join(about[:-1]), about[-1]
