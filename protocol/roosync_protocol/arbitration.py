"""A question of a consolidation: who has what, what is suggested and why, and where to look.

A person who answers eleven questions about two machines should not have to read eleven pairs of values:
the reason names the leaves that differ, or how much two long lists share.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET, Struct

from roosync_protocol.diff import State, changes
from roosync_protocol.entity import Kind
from roosync_protocol.messages import Choice
from roosync_protocol.shapes import parts, root
from roosync_protocol.votes import Group


class Candidate(Struct, frozen=True, kw_only=True):
    """One possible answer: a value (UNSET: not to have it), who has it, and when the latest of them was collected."""

    value: State = UNSET
    machines: tuple[str, ...]
    newest: datetime


class Arbitration(Struct, frozen=True, kw_only=True):
    key: str
    kind: Kind
    candidates: tuple[Candidate, ...]  # most machines first, absence last
    suggestion: Choice
    reason: str  # for a person: why it is asked, and why this is suggested


def question(key: str, groups: Sequence[Group], absent: tuple[str, ...], time: Mapping[str, datetime]) -> Arbitration:
    """The question about one entity; `groups` are the values there are, most machines first, `absent` who has none."""
    candidates = [Candidate(value=g.entity.value, machines=g.machines, newest=g.newest) for g in groups]
    if absent:
        candidates.append(Candidate(machines=absent, newest=max(time[machine] for machine in absent)))
    suggestion, reason = _suggest(groups, len(absent))
    return Arbitration(
        key=key,
        kind=groups[0].entity.kind,
        candidates=tuple(candidates),
        suggestion=suggestion,
        reason="; ".join(filter(None, (reason, _where(key, groups)))),
    )


def _suggest(groups: Sequence[Group], absent: int) -> tuple[Choice, str]:
    have = sum(len(group.machines) for group in groups)
    if len(groups) == 1:
        return Choice(take="special"), f"only {have} of {have + absent} machines have it: special to them?"
    top = groups[0]
    if 2 * len(top.machines) > have:
        choice = Choice(take="machine", machine=top.machines[0])
        return choice, f"{len(groups)} values: {len(top.machines)} of {have} machines agree on one"
    newest = max(groups, key=lambda g: g.newest)
    choice = Choice(take="machine", machine=newest.machines[0])
    return choice, f"{len(groups)} values and no majority: {newest.machines[0]} was collected last"


def _where(key: str, groups: Sequence[Group]) -> str:
    """Where the values differ, so that a person need not read hundreds of lines to see it."""
    kind, values = groups[0].entity.kind, [group.entity.value for group in groups]
    if len(groups) < 2:
        return ""
    if all(isinstance(value, dict) for value in values):
        found = {
            ".".join(map(str, change.path[:2])) for v in values[1:9] for change in changes(values[0], v, kind, key)
        }
        return f"they differ in {', '.join(sorted(found)[:6])}{', ...' if len(found) > 6 else ''}"
    lists = [parts(root(kind, key), value) if isinstance(value, list) else None for value in values]
    named = [set(elements) for elements in lists if elements is not None]
    if len(named) < len(groups):
        return ""
    everywhere = len(set.intersection(*named))
    own = ", ".join(
        f"{len(names) - everywhere} more on {', '.join(group.machines[:3])}"
        for names, group in list(zip(named, groups, strict=True))[:4]
    )
    return f"the lists share {everywhere} elements ({own})"
