"""Why a difference is no question: it belongs to each machine, or its values fit together.

Apart from what is done with the answer (`consolidate`), so that each reason can be read and tested alone.
"""

from collections.abc import Mapping, Sequence

from roosync_protocol import special
from roosync_protocol.consolidation import votes
from roosync_protocol.consolidation.together import together
from roosync_protocol.consolidation.votes import Group
from roosync_protocol.diff import equal
from roosync_protocol.entity import Entity, Kind

COPIED = "the assistant copies it from the profile in use"


def legitimate(voters: Sequence[str], groups: Sequence[Group], in_use: Mapping[str, Entity]) -> str | None:
    """Why each machine may keep its own; None when that is a question, or when nothing differs.

    `in_use`: for each machine the profile that its assistant uses, where there are profiles.
    """
    have = sum(len(group.machines) for group in groups)
    if len(groups) == 1 and have == len(voters):
        return None
    name = groups[0].entity.name
    is_setting = groups[0].entity.kind is Kind.SETTING
    if is_setting and name in special.FROM_PROFILE and votes.follows(voters, groups, in_use):
        return COPIED
    if len(groups) == 1:
        single = groups[0].machines[0] if have == 1 else ""
        if have < votes.quorum(len(voters)) and special.bound(groups[0].entity.value, single):
            return "it has a path or a name of its machine in it"
        return None
    values = [group.entity.value for group in groups]
    if len({group.entity.kind for group in groups}) == 1:
        if special.only(values, [g.machines[0] if len(g.machines) == 1 else "" for g in groups]):
            return "only paths and hosts differ"
        if is_setting:
            if name == special.PROFILE_IN_USE:
                return "the profile in use"
            if name in special.DERIVED:
                return "the assistant makes it from the profiles it has"
            if name in special.GENERATED and all(special.generated_ids(v) for v in values):
                return "ids that the assistant generated on each machine"
    return None


def stands(key: str, voters: Sequence[str], groups: Sequence[Group], old: Entity | None) -> bool:
    """Does the baseline's value stand, because whoever differs from it has a decision of its own about that?

    It was answered and signed; until everybody applied it, old values are no news. A majority that agrees on another
    value is, and so are several values of which none is the baseline's.
    """
    if old is None or len(groups) < 2:
        return False
    if any(len(g.machines) >= votes.quorum(len(voters)) and not equal(g.entity, old) for g in groups):
        return False
    return any(equal(old, group.entity) for group in groups) or equal(old, together(key, groups).entity)


def settled(key: str, voters: Sequence[str], groups: Sequence[Group], old: Entity | None) -> tuple[Entity, str] | None:
    """The value that nobody has to be asked about, and why; None when somebody has to be. `old`: the baseline's."""
    have = sum(len(group.machines) for group in groups)
    if len(groups) < 2 or (have < votes.quorum(len(voters)) and len(voters) != 2):
        return None
    made = together(key, groups)
    if not made.minor:
        return None
    if old is not None:
        keeps = equal(old, made.entity) or (made.disputes and any(equal(old, group.entity) for group in groups))
        return (old, "as in the baseline in force") if keeps else None
    if not made.disputes:
        return made.entity, "what each has, put together"
    leaves = ", ".join(".".join(map(str, d.path)) for d in made.disputes[:6])
    whys = ", ".join(dict.fromkeys(dispute.why for dispute in made.disputes))
    told = f"{whys}; of low risk, so nobody is asked"
    return made.entity, f"{leaves}: {told}" if leaves else told
