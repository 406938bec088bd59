"""A question of a consolidation: who has what, what is suggested and why, and where to look.

A person who answers eleven questions about two machines should not have to read eleven pairs of values:
the reason names the leaves that differ, or how much two long lists share.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET, Struct

from roosync_protocol.consolidation.together import COMPARED, OWN, Candidate, Dispute, Together, together
from roosync_protocol.consolidation.votes import Group
from roosync_protocol.diff import changes, equal
from roosync_protocol.digest import canonical
from roosync_protocol.entity import Kind
from roosync_protocol.messages import Choice

LEAVES = 40  # of one question; who differs in more differs in the whole
NAMED = 6  # of them in the reason
LENGTH = 80  # characters of a value in the reason


class Arbitration(Struct, frozen=True, kw_only=True):
    key: str
    kind: Kind
    candidates: tuple[Candidate, ...]  # most machines first, absence last
    suggestion: Choice
    reason: str  # for a person: why it is asked, and why this is suggested
    leaves: tuple[Dispute, ...] = ()  # where the values differ, who has what there, which is suggested; at most LEAVES


def question(key: str, groups: Sequence[Group], absent: tuple[str, ...], time: Mapping[str, datetime]) -> Arbitration:
    """The question about one entity; `groups` are the values there are, most machines first, `absent` who has none."""
    candidates = [Candidate(value=g.entity.value, machines=g.machines, newest=g.newest) for g in groups]
    if absent:
        candidates.append(Candidate(machines=absent, newest=max(time[machine] for machine in absent)))
    made = together(key, groups)
    suggestion, reason = _suggest(groups, len(absent), made)
    return Arbitration(
        key=key,
        kind=groups[0].entity.kind,
        candidates=tuple(candidates),
        suggestion=suggestion,
        reason="; ".join(filter(None, (reason, _where(key, groups, made.disputes)))),
        leaves=made.disputes[:LEAVES],
    )


def _suggest(groups: Sequence[Group], absent: int, made: Together) -> tuple[Choice, str]:
    have = sum(len(group.machines) for group in groups)
    if len(groups) == 1:
        return Choice(take="special"), f"only {have} of {have + absent} machines have it: special to them?"
    top = groups[0]
    if 2 * len(top.machines) > have:
        choice = Choice(take="machine", machine=top.machines[0])
        return choice, f"{len(groups)} values: {len(top.machines)} of {have} machines agree on one"
    choice, why = _no_majority(groups, made)
    return choice, f"{len(groups)} values and no majority: {why}"


def _no_majority(groups: Sequence[Group], made: Together) -> tuple[Choice, str]:
    leaves = [dispute for dispute in made.disputes if not dispute.path or dispute.pick < 0]  # others say it by the leaf
    why = ", ".join(dict.fromkeys(dispute.why for dispute in leaves))
    if any(dispute.pick == OWN for dispute in made.disputes):
        return Choice(take="special"), why
    whole = next((d.sides[d.pick] for d in made.disputes if d.path == () and d.pick >= 0), None)
    machines = whole.machines if whole else next((g.machines for g in groups if equal(g.entity, made.entity)), None)
    if machines:
        return Choice(take="machine", machine=machines[0]), why or f"{machines[0]} has what is suggested for each leaf"
    return Choice(take="union"), why or "what each has, put together"


def _where(key: str, groups: Sequence[Group], disputes: Sequence[Dispute]) -> str:
    """Where the values differ, so that a person need not read hundreds of lines to see it."""
    if len(groups) < 2:
        return ""
    values = [group.entity.value for group in groups[:COMPARED]]
    if not disputes or (disputes[0].path == () and all(isinstance(value, dict) for value in values)):
        kind = groups[0].entity.kind
        named = sorted({".".join(map(str, c.path[:2])) for v in values[1:] for c in changes(values[0], v, kind, key)})
        return f"they differ in {', '.join(named[:NAMED])}{', ...' if len(named) > NAMED else ''}"
    told = [_elements(d) if d.shared is not None else _leaf(d) for d in disputes if d.path or d.shared is not None]
    more = [f"and {len(told) - NAMED} more leaves differ"] if len(told) > NAMED else []
    return "; ".join(told[:NAMED] + more)


def _leaf(dispute: Dispute) -> str:
    if dispute.pick == OWN:
        return f"{_named(dispute)}{' or '.join(map(_side, dispute.sides[:4]))}, {dispute.why}"
    pick = dispute.sides[dispute.pick]
    others = " or ".join(_side(side) for side in dispute.sides[:4] if side is not pick)
    return f"{_named(dispute)}{_side(pick)} rather than {others}, {dispute.why}"


def _elements(dispute: Dispute) -> str:
    own = [(len(side.value), side.machines) for side in dispute.sides[:4] if isinstance(side.value, list)]
    more = ", ".join(f"{many} more on {', '.join(machines[:3])}" for many, machines in own)
    return f"{_named(dispute)}the lists share {dispute.shared} element{'s' * (dispute.shared != 1)} ({more})"


def _named(dispute: Dispute) -> str:
    return f"{'.'.join(map(str, dispute.path))}: " if dispute.path else ""


def _side(side: Candidate) -> str:
    text = "nothing" if side.value is UNSET else canonical(side.value).decode()
    text = text if len(text) <= LENGTH else f"{text[: LENGTH - 4]} ..."
    return f"{text} ({', '.join(side.machines[:3])}{', ...' if len(side.machines) > 3 else ''})"
