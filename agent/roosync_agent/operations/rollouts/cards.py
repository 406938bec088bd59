"""One card for what is the same change: a person reads it once, and it is signed for each machine by its own digest.

What makes two decisions the same is everything on their cards but the machine and the id, above all what will be
written and what stands there now. So twenty machines that are asked for one thing are one card, and the one among them
that has something else there is another.
"""

import asyncio
from collections.abc import Iterable

from roosync_agent.operations.decisions import facts
from roosync_agent.operations.decisions.deciding import find
from roosync_agent.operations.decisions.seen import seen, whole
from roosync_agent.operations.decisions.showing import card
from roosync_agent.operations.rollouts.answers import Asked, SharedCard
from roosync_agent.running.machine import Machine
from roosync_protocol.digest import digest
from roosync_protocol.messages import Decision


def alike(decision: Decision) -> str:
    """A digest of all that a card shows, without whose it is."""
    sides = [decision.local.digest, decision.remote.digest, decision.wanted.digest, decision.surface]
    about = [decision.entity, decision.kind.value, decision.reference, decision.action, decision.risk]
    stands = [decision.status, len(decision.approvals), decision.reopened]
    if decision.reopened or decision.status != "pending":  # else how often something was asked before says nothing
        stands.append(decision.attempt)
    words = [decision.verdict, decision.justification, *decision.reasons, *decision.log]
    return digest([*about, *sides, *stands, *words])


async def of(machine: Machine, ids: list[str], most: int = 0, ask: bool = True) -> list[SharedCard]:
    """The cards of these ids; the first `most` of them, 0: all. `ask`: the machines, what they lack."""
    known = {decision.id: decision for decision in machine.fleet.decisions()}
    found = [known.get(id_) or find(machine.session, id_) for id_ in dict.fromkeys(ids)]
    return await shared(machine, found, most=most, ask=ask)


async def shared(
    machine: Machine, decisions: Iterable[Decision], *, most: int = 0, ask: bool = True
) -> list[SharedCard]:
    """The cards of these decisions, in the order of the first of each."""
    together: dict[str, list[Decision]] = {}
    for decision in decisions:
        together.setdefault(alike(decision), []).append(decision)
    chosen = list(together.values())[: most or None]
    groups = []
    for same in chosen:
        known = [await whole(machine.library, one) for one in same]
        groups.append([facts.Shown(decision=one) for one in known])
    found = await facts.gather(machine, groups, ask=ask)
    made = []
    for group, missing, same in zip(groups, found.missing, chosen, strict=True):
        asked = [Asked(machine=one.machine, id=one.id, seen=seen(one)) for one in same]
        made.append(SharedCard(card=card(machine.fleet, group[0], found, missing), decisions=asked))
        await asyncio.sleep(0)  # thousands of cards take a while, and the agent has to beat meanwhile
    return made
