"""Which records may leave the bus: those that ended long ago, and that nothing which stays needs (3-bus, "WORK").

A record is cleared whole or not at all, so nobody reads a part of it as its beginning. What a person refused, what
failed, and what remembers such an answer never leaves: it is what keeps the same question from being asked, or
answered by a policy, again. The highest attempt of a decision lies in its machine's own journal, which outlives it.
"""

import re
from collections.abc import Iterable, Mapping, Set
from datetime import datetime, timedelta

from msgspec import Struct

from roosync_protocol import cycle, proposal, request, rollout
from roosync_protocol.decision import declined_after
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Decision

GRACE = timedelta(days=30)  # after the last word about a record
CLEARED = frozenset({"applied", "promoted", "kept_special", "superseded"})  # ends of a decision that ask for no memory
_WORD = re.compile(rb"[a-z0-9][a-z0-9-]*")

Key = tuple[str, ...]  # kind, and what its subject names: ("decision", machine, id), ("cycle", id) ...


class Told(Struct):
    """What the bus holds about one record, whether it counts or not."""

    newest: datetime  # when the last message was stored, by the broker's clock
    words: frozenset[bytes] = frozenset()  # the ids of records that its messages name, whatever they say about them

    def add(self, time: datetime, data: bytes, ids: Set[bytes]) -> None:
        """One more message; `ids` are those of every record that there is."""
        self.newest = max(self.newest, time)
        self.words |= ids & frozenset(_WORD.findall(data))


def leaving(fleet: Fleet, told: Mapping[Key, Told], now: datetime) -> list[Key]:
    """The records to be cleared away, of all that the bus has; `fleet` is the view made of the same messages."""
    going = {key for key, one in told.items() if one.newest < now - GRACE and _over(fleet, key, now)}
    going -= _answers_needed(fleet)
    while back := _needed(fleet, told, going):
        going -= back
    return sorted(going)


def _over(fleet: Fleet, key: Key, now: datetime) -> bool:
    match key:
        case ("decision", machine, id_):
            state = fleet.decision(machine, id_).state
            return state is not None and state.status in CLEARED and not _remembers(state)
        case ("proposal", id_):
            law, kept = fleet.law.baseline, fleet.proposal(id_).state
            return kept is not None and kept.status in proposal.ENDED and not (law and law.proposal == id_)
        case ("cycle", id_):
            run = fleet.cycle(id_).state
            return run is not None and run.status in cycle.ENDED
        case ("rollout", id_):  # of the campaign in force: a machine that comes back late asks it whether it may begin
            rolled, campaign = fleet.rollout(id_).state, fleet.law.campaign
            return rolled is not None and rolled.status in rollout.ENDED and not (campaign and campaign.id == id_)
        case ("request", to, id_):
            asked = fleet.request(to, id_).state
            # Before its time is over, a message of it that comes again would be a request again.
            return (
                asked is not None and request.standing(asked, now) in request.ENDED and request.deadline(asked) <= now
            )
    return False  # a kind that this version does not know


def _remembers(state: Decision) -> bool:
    """Would the machine's next attempt know of questions to which a policy may not say yes, or is something due yet?"""
    return bool(declined_after(state)) or state.rollback_requested


def _answers_needed(fleet: Fleet) -> set[Key]:
    """Proposals whose operator's answers a proposal that still waits rests on."""
    wanted = {one for p in fleet.proposals() if p.status not in proposal.ENDED for one in p.choices.items()}
    return {("proposal", p.id) for p in fleet.proposals() if wanted & set(p.choices.items())}


def _needed(fleet: Fleet, told: Mapping[Key, Told], going: set[Key]) -> set[Key]:
    """What of `going` is mentioned by a record that stays, or is part of a cycle that stays."""
    staying = [key for key in told if key not in going]
    words = {word for key in staying for word in told[key].words}
    named = {key for key in going if key[-1].encode() in words}
    return named | set(_of_cycles(fleet, staying, going))


def _of_cycles(fleet: Fleet, staying: Iterable[Key], going: set[Key]) -> Iterable[Key]:
    """The report of a cycle is made of the decisions that moved since it began, and of what it asked for."""
    runs = [run for key in staying if key[0] == "cycle" and (run := fleet.cycle(key[-1]).state)]
    since: dict[str, datetime] = {}
    for run in runs:
        for machine in run.participants:
            since[machine] = min(run.started, since.get(machine, run.started))
    ids = {run.id for run in runs}
    for key in going:
        if key[0] == "decision" and key[1] in since:
            state = fleet.decision(key[1], key[2]).state
            if state is not None and state.timestamp >= since[key[1]]:
                yield key
        elif key[0] == "request" and (asked := fleet.request(key[1], key[2]).state) and asked.cycle in ids:
            yield key
