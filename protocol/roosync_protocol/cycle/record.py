"""Who may move a cycle from where to where, and what a state may change: judged by everybody, in the stream's order.

The holder of the orchestrator's lease moves it; operators start, excuse, resume and abort. A state carries the token
of the lease it was written under: an older holder that wakes up moves nothing.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.cycle import ENDED, ROUTES, after, first
from roosync_protocol.cycle import before as checkpoint_before
from roosync_protocol.decision import By, Place, best_told
from roosync_protocol.envelope import Heard
from roosync_protocol.law import Law
from roosync_protocol.leaps import led_from, too_far
from roosync_protocol.messages import Cycle
from roosync_protocol.names import is_operator

TRANSITIONS: dict[str, dict[str, By]] = {
    "": {"running": By.MACHINE | By.OPERATOR},
    "running": {
        "running": By.MACHINE | By.OPERATOR,  # an operator: excuses a machine
        "waiting": By.MACHINE,
        "done": By.MACHINE,
        "aborted": By.OPERATOR,
    },
    "waiting": {
        "waiting": By.MACHINE | By.OPERATOR,
        "running": By.MACHINE | By.OPERATOR,  # a machine: the person answered what it waited for
        "aborted": By.OPERATOR,
    },
    "done": {},
    "aborted": {},
}
FIXED = ("route", "participants", "timeout_minutes", "required_version", "started", "after")


class FoldedCycle(Struct, frozen=True, kw_only=True):
    state: Cycle | None = None
    sequence: int = 0  # of the last message seen, valid or not: for compare-and-swap
    since: int = 0
    opener: str = ""  # who began it, or said the oldest word that is left, also when that one is no member any more
    named: frozenset[str] = frozenset()  # machines that operators excused, in states that counted or not
    refused: tuple[str, ...] = ()


def fold(heard: Iterable[Heard], law: Law, unread: Iterable[Place] = ()) -> FoldedCycle:
    """The record of these messages, which may come in any order and more than once."""
    ordered = sorted(heard, key=lambda one: one.sequence)

    def further(folded: FoldedCycle, one: Heard, whole: int) -> FoldedCycle:
        return advance(folded, one, law, whole=whole)

    return best_told(FoldedCycle(), ordered, further, led_from(ordered, law, unread))


def advance(folded: FoldedCycle, heard: Heard, law: Law, *, whole: int = 0) -> FoldedCycle:
    if heard.sequence <= folded.sequence:
        return folded
    new = heard.message
    if folded.sequence == 0:
        folded = replace(folded, opener=heard.speaker)
    if isinstance(new, Cycle) and is_operator(heard.speaker) and law.genuine(heard):
        folded = replace(folded, named=folded.named | new.excused.keys())
    reason = judge(folded.state, heard, law, gap=folded.since <= whole, since=folded.since, named=folded.named)
    if reason is None and isinstance(new, Cycle):
        return replace(folded, state=new, sequence=heard.sequence, since=heard.sequence)
    return replace(folded, sequence=heard.sequence, refused=(*folded.refused, f"{heard.speaker}: {reason}")[-20:])


def judge(
    before: Cycle | None,
    heard: Heard,
    law: Law,
    *,
    gap: bool = False,
    since: int = 0,
    named: frozenset[str] = frozenset(),
) -> str | None:
    """Why this message is not the next state of the cycle; None when it is.

    `gap`: states between may be gone; `since`: the sequence of the one before. `named`: the machines that operators
    excused, as far as their words are left.
    """
    new = heard.message
    if not isinstance(new, Cycle):
        return f"{type(new).__name__} is no cycle"
    if not law.genuine(heard):
        return f"not signed with the key of {heard.speaker!r}"
    by = By.OPERATOR if is_operator(heard.speaker) else By.MACHINE
    if by is By.MACHINE and not law.may_orchestrate(heard.speaker):
        return f"{heard.speaker!r} may not orchestrate"
    if new.checkpoint not in ROUTES[new.route]:
        return f"{new.checkpoint!r} is no checkpoint of the route {new.route!r}"
    if new.after >= heard.sequence:
        return "it can not have begun after it was said"
    if before is None:
        return _start_fault(new) if new.revision == 1 else None  # its beginning is gone from the broker
    if gap and before.status not in ENDED and new.revision > before.revision + 1:
        return too_far(before.revision, new.revision, since, heard.sequence) or _leap_fault(before, new, by, named)
    return _step_fault(before, new, by)


def _leap_fault(before: Cycle, new: Cycle, by: By, named: frozenset[str]) -> str | None:
    """What no steps in between, however many are gone, can have changed.

    No more than this: what is left of the beginning may itself be a step that did not count in its time. But a machine
    makes a gap by speaking often, so what only an operator may do is believed for an operator's own words: each state
    of theirs names all who are excused, and who ends a cycle is the last to speak.
    """
    if (new.status == "aborted" and by is By.MACHINE) or (new.status == "done" and by is By.OPERATOR):
        return f"{by.name} may not move it to {new.status!r}"
    if by is By.MACHINE and (unsaid := new.excused.keys() - before.excused.keys() - named):
        return f"only an operator excuses a machine, and none named {', '.join(sorted(unsaid)[:5])}"
    if any(getattr(before, name) != getattr(new, name) for name in FIXED):
        return "what a cycle is about may not change"
    if new.token < before.token:
        return _older_lease(before, new)
    return None


def _older_lease(before: Cycle, new: Cycle) -> str:
    return f"written under lease {new.token}, and {before.token} was seen already"


def _start_fault(new: Cycle) -> str | None:
    if new.status != "running" or new.checkpoint != first(new.route) or new.reached or new.round:
        return "a cycle begins at the first checkpoint of its route"
    if new.excused or new.stopped or new.failures or new.escalations:
        return "nothing can have happened in a cycle before it began"
    if len(set(new.participants)) < len(new.participants):
        return "a machine takes part twice"
    return None


def _step_fault(before: Cycle, new: Cycle, by: By) -> str | None:
    if not TRANSITIONS[before.status].get(new.status, By(0)) & by:
        return f"{by.name} may not move it from {before.status!r} to {new.status!r}"
    if new.revision != before.revision + 1:
        return f"revision {new.revision} does not follow {before.revision}"
    if any(getattr(before, name) != getattr(new, name) for name in FIXED):
        return "what a cycle is about may not change"
    if by is By.OPERATOR:
        return _operator_fault(before, new)
    if new.excused != before.excused:
        return "only an operator excuses a machine"
    if new.token < before.token:
        return _older_lease(before, new)
    if new.reached[: len(before.reached)] != before.reached or new.failures[: len(before.failures)] != before.failures:
        return "what was reached, or failed, is not unsaid"
    return _move_fault(before, new)


def _operator_fault(before: Cycle, new: Cycle) -> str | None:
    moved = ("checkpoint", "round", "reached", "failures", "token")
    if any(getattr(before, name) != getattr(new, name) for name in moved):
        return "an operator excuses, resumes and aborts; checkpoints are for the orchestrator"
    gone = before.excused.keys() - new.excused.keys()
    strangers = new.excused.keys() - set(new.participants)
    return f"excused are {', '.join(sorted(gone | strangers))}?" if gone or strangers else None


def _move_fault(before: Cycle, new: Cycle) -> str | None:
    """What one step of the orchestrator may do to the place: nothing, one checkpoint back, or one reached."""
    added = new.reached[len(before.reached) :]
    here = (new.checkpoint, new.round) == (before.checkpoint, before.round)
    if not added:
        back = (checkpoint_before(before.route, before.checkpoint), before.round + 1)
        if new.status == "done" or not (here or (new.checkpoint, new.round) == back):
            return f"from {before.checkpoint!r} it may not go to {new.checkpoint!r} in this way"
        return None
    if before.status != "running":
        return "it waits for a person, and reaches nothing meanwhile"
    if len(added) != 1 or (added[0].checkpoint, added[0].round) != (before.checkpoint, before.round):
        return "what is reached is the checkpoint that was awaited, and nothing else"
    following = after(before.route, before.checkpoint, divergences=added[0].divergences)
    wanted = ("done", before.checkpoint) if following is None else ("running", following)
    if (new.status, new.checkpoint) != wanted or new.round != before.round:
        return f"after {before.checkpoint!r} comes another checkpoint than {new.checkpoint!r}, or the end"
    return None
