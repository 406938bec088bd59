"""What a person sees of a decision before they sign, and the proof that this is what is signed.

Between the card and the signature its machine may have said something else under the same id, so the card carries
a digest (`seen`) and the signing command refuses a decision that has another one. What the machine says about the
danger of its own decision is not believed either: the risk is judged again from the values (6-trust).
"""

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from roosync_agent.collecting.reference import BASELINE, Library, NothingToCompareError
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.stepping import stands
from roosync_broker.errors import BusError
from roosync_protocol.decision import AGAIN
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entities
from roosync_protocol.messages import Decision, Side
from roosync_protocol.messages.work import Action
from roosync_protocol.package import HostilePackageError
from roosync_protocol.proof import RISKS, shown
from roosync_protocol.risk import assess, surface_digest
from roosync_protocol.risk_names import RiskName

PROMOTES = ("override_remote", "keep_special")
REMEMBERED = 30_000  # judgements
_judged: dict[tuple[object, ...], tuple[RiskName, list[str]]] = {}


def seen(decision: Decision) -> str:
    """A digest of all that the answer is about; any other content has another one."""
    sides = [decision.local.digest, decision.remote.digest, decision.wanted.digest]
    place = [decision.machine, decision.id, decision.entity, decision.kind.value, decision.reference]
    ended = ["ended"] if decision.status in AGAIN else []  # a yes opens it again: whoever saw it wait did not mean that
    return digest([*place, decision.attempt, decision.action, *sides, decision.surface, *ended])


def require_seen(decision: Decision, expected: str | None) -> None:
    """RefusedRequestError when this is not what the person was shown."""
    if expected is not None and seen(decision) != expected:
        raise RefusedRequestError(
            f"{decision.id} changed after it was shown ({stands(decision)}), and nothing was signed: "
            f"look at it again with `roosync decision show {decision.id}`"
        )


def answered_with(decision: Decision, action: Action | None) -> Decision:
    """The decision as it would be approved with another answer than the suggested one."""
    if action in (None, decision.action) or action in PROMOTES:
        return decision
    if action == "override_local" and decision.action == "merge":
        if not shown(decision.remote):
            raise RefusedRequestError("the baseline's value is too large to be chosen from here; change it in the file")
        surface = surface_digest(decision.kind, _value(decision.remote))
        return replace(decision, action=action, wanted=decision.remote, surface=surface)
    raise RefusedRequestError(_not_offered(decision, str(action)))


def _not_offered(decision: Decision, action: str) -> str:
    """What happened, whose fault it is, what to do next; without a key, so that it can be asked again at once."""
    here, there = decision.machine, "the baseline" if decision.reference == BASELINE else decision.reference[8:]
    if action == "merge" and decision.reference != BASELINE:
        why = f"{here} and {there} have no earlier value in common from which it could be seen who changed what"
    elif action == "merge" and decision.verdict == "conflict":
        why = f"{here} and {there} changed the same place in it, so no value keeps both changes"
    elif action == "merge":
        why = f"only two changes of one agreed value can be merged, and this is no such case ({decision.verdict})"
    else:
        why = f"it is answered with {decision.action} as suggested"
    ways = [f"`roosync decision approve {decision.id}` ({decision.action})"]
    if decision.reference == BASELINE:
        ways += ["--action override_remote", "--action keep_special"]
    by_hand = f", or merge by hand in the file on {here}: it is compared again by itself" if action == "merge" else ""
    return (
        f"{decision.id} can not be answered with {action}, and nothing was signed: {why}. That is nobody's mistake. "
        f"Next: {', '.join(ways)}, or `roosync decision reject {decision.id}`{by_hand}"
    )


def step(decision: Decision, action: str | None) -> tuple[Side, Side]:
    """What changes into what, by this answer: promoting makes the machine's value the agreed one."""
    return (decision.remote, decision.local) if action in PROMOTES else (decision.local, decision.wanted)


def judged(decision: Decision, action: str | None = None) -> tuple[RiskName, list[str]]:
    """The risk and its reasons by the rules of whoever reads, as far as the values are known.

    A value is what its digest says (`sides_fault`), so what was judged once is remembered: lists of thousands are asked
    for again and again.
    """
    before, after = step(decision, action)
    known = shown(before, after)
    about = (decision.entity, decision.kind, before.digest, after.digest, known, decision.risk, action in PROMOTES)
    found = _judged.get((*about, decision.reasons))
    if found is None:
        if len(_judged) >= REMEMBERED:
            _judged.clear()
        found = _judged[*about, decision.reasons] = _judge(decision, before, after, action)
    return found[0], list(found[1])


def _judge(decision: Decision, before: Side, after: Side, action: str | None) -> tuple[RiskName, list[str]]:
    if not shown(before, after):
        return decision.risk, ["not all of it can be shown, so its risk could not be judged", *decision.reasons]
    claimed: RiskName = "none" if action in PROMOTES else decision.risk
    try:
        found = assess(decision.entity, decision.kind, _value(before), _value(after))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return "critical", ["its values can not be judged"]
    names = list(RISKS.values())
    risk = max(RISKS[found.risk], claimed, key=names.index)
    more = [] if risk == RISKS[found.risk] else [f"its machine calls it {claimed}"]
    return risk, [*found.reasons, *more]


async def whole(library: Library, decision: Decision) -> Decision:
    """With the values that are too large to travel inside, where a baseline or package still has them by their hash."""
    if shown(decision.local, decision.remote, decision.wanted):
        return decision
    known: dict[str, Any] = {}
    for entities in (await _reference(library, decision), await _package(library, decision.machine)):
        if (entity := entities.get(decision.entity)) is not None:
            known[digest(entity.value)] = entity.value
    sides = {name: getattr(decision, name) for name in ("local", "remote", "wanted")}
    found = {
        name: replace(side, value=known[side.digest])
        for name, side in sides.items()
        if side.value is UNSET and side.digest in known
    }
    return replace(decision, **found)


async def require_shown(library: Library, decision: Decision) -> None:
    """Nobody signs blind: what would stand must be known here, and its surface be the one that is signed."""
    if shown(decision.wanted):
        return  # `sides_fault` compared it with its digests when it was heard
    wanted = (await whole(library, decision)).wanted
    if not shown(wanted):
        raise RefusedRequestError(
            f"{decision.id} is too large to be shown, and nobody on the bus has the value by its hash; it can not be "
            f"approved. `roosync publish` on {decision.machine}, or put it into the file by hand"
        )
    if surface_digest(decision.kind, _value(wanted)) != decision.surface:
        raise RefusedRequestError(
            f"{decision.id} names another surface than the value it wants: {decision.machine} lies"
        )


async def _reference(library: Library, decision: Decision) -> Entities:
    try:
        if decision.reference == BASELINE:
            return (await library.of_baseline(decision.machine)).entities
        return (await library.of_machine(decision.reference.removeprefix("machine:"))).entities
    except (BusError, NothingToCompareError, HostilePackageError, ValueError):
        return {}


async def _package(library: Library, machine: str) -> Entities:
    try:
        return (await library.package(machine)).entities
    except (BusError, NothingToCompareError, HostilePackageError):
        return {}


def _value(side: Side) -> Any:
    return None if side.digest is None else side.value
