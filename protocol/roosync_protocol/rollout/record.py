"""Who may move a rollout from where to where, and what a state may change: judged by everybody, in the stream's order.

Operators create, run, resume and stop it, and go on without machines; the holder of the orchestrator's lease opens the
waves and writes down how each machine ended. So every machine sees for itself that a halt was honoured: a wave that
was opened in spite of one is no state of the record, and opens no gate.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.decision import By, Place, best_told
from roosync_protocol.envelope import Heard
from roosync_protocol.law import Law
from roosync_protocol.leaps import led_from, too_far
from roosync_protocol.messages import Result, Rollout
from roosync_protocol.names import is_operator, some
from roosync_protocol.rollout import GOOD, PASSING, awaited, opened, too_many
from roosync_protocol.rollout.room import fitted

TRANSITIONS: dict[str, dict[str, By]] = {
    "": {"prepared": By.OPERATOR, "running": By.OPERATOR},  # running: of purpose update
    "prepared": {"running": By.OPERATOR, "stopped": By.OPERATOR},
    "running": {
        "running": By.MACHINE | By.OPERATOR,  # an operator: goes on without a machine
        "waiting": By.MACHINE,
        "done": By.MACHINE,
        "stopped": By.OPERATOR,
    },
    "waiting": {
        "waiting": By.MACHINE | By.OPERATOR,
        "running": By.OPERATOR,
        "stopped": By.OPERATOR,
    },
    "done": {"done": By.MACHINE},  # a machine that was away tells how it ended
    "stopped": {},
}
FIXED = ("purpose", "waves", "items", "max_fail_percentage", "pause_seconds", "timeout_minutes", "started")
NOTE = "the note is the operator's"
BEGINS = {"decisions": "prepared", "update": "running"}


class FoldedRollout(Struct, frozen=True, kw_only=True):
    state: Rollout | None = None
    sequence: int = 0  # of the last message seen, valid or not: for compare-and-swap
    since: int = 0  # of the message that made the state
    accepted: frozenset[str] = frozenset()  # machines without which operators go on, in states that counted or not
    round: int = 0  # the latest one that an operator named
    refused: tuple[str, ...] = ()


def fold(heard: Iterable[Heard], law: Law, unread: Iterable[Place] = ()) -> FoldedRollout:
    """The record of these messages, which may come in any order and more than once."""
    ordered = sorted(heard, key=lambda one: one.sequence)

    def further(folded: FoldedRollout, one: Heard, whole: int) -> FoldedRollout:
        return advance(folded, one, law, whole=whole)

    return best_told(FoldedRollout(), ordered, further, led_from(ordered, law, unread))


def advance(folded: FoldedRollout, heard: Heard, law: Law, *, whole: int = 0) -> FoldedRollout:
    """One message further. A state that was made up to the sequence `whole` may have had successors that are gone."""
    if heard.sequence <= folded.sequence:
        return folded  # delivered twice
    new = heard.message
    if isinstance(new, Rollout) and is_operator(heard.speaker) and law.genuine(heard):
        folded = replace(folded, accepted=folded.accepted | new.accepted, round=max(folded.round, new.round))
    reason = judge(folded.state, heard, law, gap=folded.since <= whole, said=folded)
    if reason is None and isinstance(new, Rollout):
        return replace(folded, state=new, sequence=heard.sequence, since=heard.sequence)
    return replace(folded, sequence=heard.sequence, refused=(*folded.refused, f"{heard.speaker}: {reason}")[-20:])


def judge(
    before: Rollout | None, heard: Heard, law: Law, *, gap: bool = False, said: FoldedRollout | None = None
) -> str | None:
    """Why this message is not the next state of the rollout; None when it is.

    `gap`: states between may be gone. `said`: what operators named, as far as their words are left.
    """
    new = heard.message
    if not isinstance(new, Rollout):
        return f"{type(new).__name__} is no rollout"
    if not law.genuine(heard):
        return f"not signed with the key of {heard.speaker!r}"
    by = By.OPERATOR if is_operator(heard.speaker) else By.MACHINE
    if by is By.MACHINE and not law.may_orchestrate(heard.speaker):
        return f"{heard.speaker!r} may not orchestrate"
    if fault := _shape_fault(new):
        return fault
    if before is None:  # the broker keeps the latest words of each speaker, so a word of an operator is always left
        if by is By.MACHINE:
            return "only an operator begins a rollout"
        return _start_fault(new) if new.revision == 1 else None  # its beginning is gone from the broker
    if any(getattr(before, name) != getattr(new, name) for name in FIXED):
        return "what a rollout is about may not change"
    if gap and before.status != "stopped" and new.revision > before.revision + 1:
        said = said or FoldedRollout()
        far = too_far(before.revision, new.revision, said.since, heard.sequence)
        return far or _leap_fault(before, new, by, said)
    return _step_fault(before, new, by)


def _shape_fault(new: Rollout) -> str | None:
    """What holds of every state."""
    machines = list(chain.from_iterable(new.waves))
    known = set(machines)
    if not all(new.waves):
        return "a wave without a machine"
    if len(known) < len(machines):
        return "a machine is in two waves"
    if new.wave >= len(new.waves):
        return f"it has {len(new.waves)} waves, and no wave {new.wave + 1}"
    if new.items.keys() != (known if new.purpose == "decisions" else set()) or not all(new.items.values()):
        return "the machines of its waves and those of its decisions are not the same"
    if long := [machine for machine, result in new.results.items() if result.reason != fitted(result.reason, new)]:
        return f"the reasons leave no room for the others': {some(sorted(long))}"
    strangers = (new.results.keys() | new.accepted) - known
    return f"not in any wave: {some(sorted(strangers))}" if strangers else None


def _start_fault(new: Rollout) -> str | None:
    if new.status != BEGINS[new.purpose]:
        return f"a rollout of purpose {new.purpose!r} begins as {BEGINS[new.purpose]!r}, and not as {new.status!r}"
    if new.wave or new.round or new.results or new.accepted or new.ended is not None or new.token or new.waiting_for:
        return "nothing can have happened in a rollout before it began"
    return None


def _leap_fault(before: Rollout, new: Rollout, by: By, said: FoldedRollout) -> str | None:
    """What no steps in between, however many are gone, can have changed.

    A machine makes a gap by speaking often, so what only an operator may do is believed for an operator's own words:
    whoever runs or resumes a rollout is heard before a machine goes on with it.
    """
    if not _reachable(before.status, new.status, by):
        return f"{by.name} may not move it from {before.status!r} to {new.status!r}"
    if new.round < before.round or new.wave < before.wave or new.token < before.token:
        return "it does not go on from what is known of the record"
    if by is By.MACHINE and (
        new.round > max(before.round, said.round) or new.accepted - before.accepted - said.accepted
    ):
        return "no operator said so"
    if by is By.MACHINE and new.note != before.note:
        return NOTE
    if before.accepted - new.accepted:
        return "whom the rollout goes on without is not unsaid"
    again = new.round > before.round
    kept = {m: one for m, one in before.results.items() if not again or one.outcome in GOOD}
    if fault := _unsaid(kept, new):
        return fault
    if new.wave and not new.round and (fault := _open_fault(replace(new, wave=new.wave - 1))):
        return fault  # in a later round, who failed in an earlier wave is tried again
    return _wave_fault(new, new.wave) or (_end_fault(new) if new.status == "done" else None)


def _reachable(since: str, to: str, by: By) -> bool:
    """Can it have come there? An operator may have spoken after steps of machines that are gone, not the other way."""
    seen, todo = {since}, [since]
    while todo:
        for status, who in TRANSITIONS[todo.pop()].items():
            if who & by or by is By.OPERATOR:
                todo += [status] if status not in seen else []
                seen.add(status)
    return to in seen and any(steps.get(to, By(0)) & by for since, steps in TRANSITIONS.items() if since)


def _step_fault(before: Rollout, new: Rollout, by: By) -> str | None:
    if not TRANSITIONS[before.status].get(new.status, By(0)) & by:
        return f"{by.name} may not move it from {before.status!r} to {new.status!r}"
    if new.revision != before.revision + 1:
        return f"revision {new.revision} does not follow {before.revision}"
    return _operator_fault(before, new) if by is By.OPERATOR else _move_fault(before, new)


def _operator_fault(before: Rollout, new: Rollout) -> str | None:
    if (before.wave, before.token) != (new.wave, new.token):
        return "waves are opened by the orchestrator"
    if before.accepted - new.accepted:
        return "whom the rollout goes on without is not unsaid"
    resumed = before.status == "waiting" and new.status == "running"
    if new.round not in ((before.round, before.round + 1) if resumed else (before.round,)):
        return f"round {new.round} does not follow {before.round}"
    taken = before.results.keys() - new.results.keys()
    if any(before.results.get(machine) != result for machine, result in new.results.items()):
        return "how a machine ended is the orchestrator's to say"
    if taken and new.round == before.round:
        return "what failed is tried again in a new round"
    if any(before.results[machine].outcome in GOOD for machine in taken):
        return "only what failed is tried again"
    begins = resumed or before.status == "prepared"
    return "the wave is open already" if new.opened != before.opened and not begins else None


def _move_fault(before: Rollout, new: Rollout) -> str | None:
    """What one step of the orchestrator may do: write down ends, and open the next wave when the last one allows it."""
    if (new.round, new.accepted) != (before.round, before.accepted):
        return "only an operator has it tried again, or goes on without a machine"
    if new.note != before.note:
        return NOTE
    if new.token < before.token:
        return f"written under lease {new.token}, and {before.token} was seen already"
    if fault := _unsaid(before.results, new):
        return fault
    if early := new.results.keys() - set(opened(before)):
        return f"the wave of {some(sorted(early))} is not open"
    if before.status == "done" and (new.wave, new.opened, new.ended) != (before.wave, before.opened, before.ended):
        return "it has ended; only how a machine that was away ended is still told"
    if new.wave == before.wave and new.ended != before.ended and (before.ended is not None or awaited(new)):
        return "when a wave ended is told once, and then"  # the time it is awaited begins anew with each such moment
    if new.status == "done":
        return _end_fault(new)
    if new.wave == before.wave:
        return "the wave was opened before" if new.opened != before.opened else None
    if new.ended is not None:
        return "a wave that is opened has not ended"
    if new.wave != before.wave + 1 or new.status != "running":
        return f"after wave {before.wave + 1} comes another one than {new.wave + 1}"
    return _wave_fault(new, new.wave) or _open_fault(replace(new, wave=before.wave))


def _unsaid(known: Mapping[str, Result], new: Rollout) -> str | None:
    """An end that was written down stands; what was said of a machine that did not tell it is replaced by its end."""
    for machine, result in known.items():
        if new.results.get(machine) != result and (result.outcome not in PASSING or machine not in new.results):
            return f"how {machine} ended is not unsaid"
    return None


def _wave_fault(new: Rollout, wave: int) -> str | None:
    bad = too_many(new, wave)
    return f"too many failed to go on: {some(sorted(bad))}" if bad else None


def _open_fault(new: Rollout) -> str | None:
    left = awaited(new)
    return f"still awaited: {some(sorted(left))}" if left else None


def _end_fault(new: Rollout) -> str | None:
    if new.wave + 1 < len(new.waves):
        return "there are waves that were not opened"
    return _wave_fault(new, len(new.waves)) or _open_fault(new)
