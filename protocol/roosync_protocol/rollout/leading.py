"""What the holder of the orchestrator's lease makes of how the machines stand: the next state, or nothing to do.

From the records alone: whoever takes the lease over goes on from the same place, and what was written down is not
written again. The default is to stop: a wave in which more failed than allowed is the last one, until a person says how
it goes on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.messages import Result, Rollout
from roosync_protocol.rollout import PASSING, awaited, opened, too_many
from roosync_protocol.rollout.commands import command
from roosync_protocol.rollout.room import LONGEST, fitted
from roosync_protocol.rollout.standing import End

LED = frozenset({"running", "waiting"})  # while it waits, those that began end, and that is written down
MOVED = LED | {"done"}  # and the true end of who was away, after all is done


class View(Struct, frozen=True, kw_only=True):
    """What the leader sees at one moment. How long a wave is awaited is told by its own steady clock."""

    ends: Mapping[str, End]  # of the machines in `looked_at` that have ended
    silent: frozenset[str] = frozenset()  # machines that were asked directly, and did not answer
    asked: frozenset[str] = frozenset()  # machines that were asked since the time of the wave was over
    why: Mapping[str, str] = {}  # what machines that have not ended say that they wait for
    elapsed: float = 0.0  # seconds that the wave, or after its end the pause, lasts
    token: int = 0  # of its lease


def looked_at(rollout: Rollout) -> list[str]:
    """The machines whose end is to be looked up: who has not ended, and who may yet tell another end than was said.

    Also when it is done, and of machines that it went on without: what they say of themselves is written down.
    """
    if rollout.status not in MOVED:
        return []
    left = [machine for machine in opened(rollout) if machine not in rollout.results]
    return left + [machine for machine, result in rollout.results.items() if result.outcome in PASSING]


def next_state(rollout: Rollout, view: View, now: datetime) -> Rollout | None:
    """The state that follows now, with `revision` one higher; None when there is nothing to say.

    The caller fills in who says it and its operation id. Whoever holds an older lease than the one under which the
    rollout was moved last says nothing: somebody else leads since.
    """
    if rollout.status not in MOVED or view.token < rollout.token:
        return None
    made = rollout
    if found := _found(rollout, view):
        made = replace(rollout, results=rollout.results | found)
    if rollout.status in LED:
        made = _halted(made, now) if too_many(made) else _going_on(made, view, now)
    return replace(made, revision=rollout.revision + 1, token=view.token) if made != rollout else None


def due(rollout: Rollout, elapsed: float) -> float | None:
    """Seconds until somebody has to look at it again although nothing was heard; None: until something is."""
    if awaited(rollout):
        left = rollout.timeout_minutes * 60 - elapsed
        return left if left > 0 else None  # once it is over, the answers to direct questions wake who leads
    if rollout.status == "running" and rollout.ended is not None:
        return max(0.0, rollout.pause_seconds - elapsed)
    return None


def is_late(rollout: Rollout, elapsed: float) -> bool:
    """Is the time of the open wave over, and somebody still awaited?"""
    return elapsed >= rollout.timeout_minutes * 60 and bool(awaited(rollout))


def _found(rollout: Rollout, view: View) -> dict[str, Result]:
    """What is to be written down: ends, and what is said of those that have none."""
    ends = {m: view.ends[m] for m in looked_at(rollout) if m in view.ends}
    found = {m: Result(outcome=end.outcome, reason=fitted(end.reason, rollout)) for m, end in ends.items()}
    found = {machine: result for machine, result in found.items() if rollout.results.get(machine) != result}
    late = is_late(rollout, view.elapsed)
    for machine in awaited(rollout):
        if machine in found:
            continue
        if machine in view.silent and (not late or machine in view.asked):
            found[machine] = Result(outcome="unreachable", reason=fitted("it does not answer", rollout))
        elif late and machine in view.asked:
            minutes = f"{rollout.timeout_minutes:g} minutes"
            why = view.why.get(machine)
            said = f"not within {minutes}: {why}" if why else f"it answers, and did not end within {minutes}"
            found[machine] = Result(outcome="timed_out", reason=fitted(said, rollout))
    return found


def _halted(made: Rollout, now: datetime) -> Rollout:
    ended = made.ended if awaited(made) else made.ended or now
    return replace(made, status="waiting", ended=ended, waiting_for=asked(made))


def _going_on(made: Rollout, view: View, now: datetime) -> Rollout:
    if made.status == "waiting" or awaited(made):
        return replace(made, waiting_for=asked(made)) if made.status == "waiting" else made
    if made.wave + 1 == len(made.waves):
        return replace(made, status="done", ended=made.ended or now, waiting_for="")
    rested = made.ended is not None and view.elapsed >= made.pause_seconds
    if made.pause_seconds and not rested:
        return replace(made, ended=made.ended or now)
    return replace(made, wave=made.wave + 1, opened=now, ended=None, waiting_for="")


def asked(rollout: Rollout) -> str:
    """What a person is asked while it halts: who failed and how, and the commands that go on."""
    bad, resume = too_many(rollout), command(rollout, "resume")
    if not bad:
        return f"no more failed than it allows by now: `{resume}` goes on"
    ways = (
        f"`{resume}` tries them again, with --skip-failed it goes on without them, `{command(rollout, 'stop')}` ends it"
    )
    count = "1 machine" if len(bad) == 1 else f"{len(bad)} machines"
    room = LONGEST - len(f"{count} did not end well: ; {ways}")
    names = _some([f"{m} ({_how(rollout.results[m])})" for m in bad], room)
    return f"{count} did not end well: {names}; {ways}"[:LONGEST]


def _how(result: Result) -> str:
    outcome = result.outcome.replace("_", " ")
    return f"{outcome}: {result.reason}" if result.reason else outcome


def _some(names: Sequence[str], room: int) -> str:
    """As many as there is room for, at least the beginning of one; and how many more there are."""
    for many in range(min(len(names), 50), 1, -1):
        more = f", and {len(names) - many} more" if many < len(names) else ""
        text = ", ".join(names[:many]) + more
        if len(text) <= room:
            return text
    more = f", and {len(names) - 1} more" if len(names) > 1 else ""
    return names[0][: max(0, room - len(more))] + more
