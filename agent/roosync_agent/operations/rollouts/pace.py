"""How carefully a rollout goes, checked before anybody is shown anything; and whom it would come to in which order."""

from collections.abc import Iterable

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts.answers import Pace
from roosync_agent.operations.rollouts.words import called
from roosync_agent.running.machine import Machine
from roosync_agent.running.own_reports import EMBEDDED
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Rollout
from roosync_protocol.names import some
from roosync_protocol.rollout import ENDED
from roosync_protocol.rollout.commands import command
from roosync_protocol.rollout.waves import cut
from roosync_protocol.versions import at_least

KNOWN = "0.2.0"  # the first version whose machines wait for their wave
LIMITS = {  # field -> smallest (None: above 0), largest, what it is
    "pause_seconds": (0.0, 604_800.0, "a pause of {} seconds is none; give 0 to 604,800 (a week)"),
    "max_fail_percentage": (0.0, 100.0, "{} percent that may fail is none; give 0 to 100"),
    "timeout_minutes": (None, 100_000.0, "a time-out of {} minutes is none; give more than 0, and at most 100,000"),
}


def checked(pace: Pace) -> Pace:
    """RefusedRequestError when it is no pace."""
    for name, (least, most, fault) in LIMITS.items():
        value = getattr(pace, name)
        if not (value <= most and (value > 0 if least is None else value >= least)):
            raise RefusedRequestError(fault.format(f"{value:g}"))
    return pace


async def in_waves(machine: Machine, machines: Iterable[str], pace: Pace) -> list[list[str]]:
    """Who begins when. Machines that are there come first: an absent canary would tell nothing, and halt everything.

    The last of them are the one that is asked, where a person works, and one that says that it runs the broker: what
    is wrong is not tried there first. RefusedRequestError when there are no such waves.
    """
    present = await machine.present() or {}

    def spared(name: str) -> bool:
        told = machine.fleet.inventory(name)
        return name == machine.name or (told is not None and told.inventory.get("broker") == EMBEDDED)

    ordered = sorted(machines, key=lambda name: (name not in present, spared(name), name))
    try:
        return [list(wave) for wave in cut(ordered, canary=pace.canary, waves=pace.waves)]
    except ValueError as error:
        raise RefusedRequestError(f"{error}: see --canary and --waves") from None


def require_free(fleet: Fleet, machines: Iterable[str], purpose: str, ours: Rollout | None = None) -> None:
    """RefusedRequestError when one of the machines takes part in an open rollout of this kind.

    `ours`: one that was posted a moment ago as prepared. Whoever posted second sees the first, and gives way: that is
    one that was said earlier in the stream, or that runs already.
    """
    wanted = set(machines)
    mine = fleet.rollout(ours.id).since if ours is not None else None
    for other in fleet.rollouts():
        both = sorted(wanted & {machine for wave in other.waves for machine in wave})
        if other.status in ENDED or other.purpose != purpose or not both:
            continue
        later = mine is not None and other.status == "prepared" and fleet.rollout(other.id).since >= mine
        if not later:
            take = f"{some(both)} takes part" if len(both) == 1 else f"{some(both)} take part"
            raise RefusedRequestError(
                f"{take} in {other.id}, which is {called(other.status)}: end it first with "
                f"`{command(other, 'stop')}`, or wait for it with `{command(other, 'watch')}`"
            )


def require_knowing(fleet: Fleet, machines: Iterable[str]) -> None:
    """RefusedRequestError when one of the machines runs a version that knows no rollouts.

    It would wait for no wave: it applies what is approved at once, also after a halt.
    """
    statuses = {machine: status for machine in machines if (status := fleet.status(machine))}
    older = {name: one.roosync_version for name, one in statuses.items() if not at_least(one.roosync_version, KNOWN)}
    if older:
        names = ", ".join(f"{name} ({version or 'no version'})" for name, version in sorted(older.items()))
        raise RefusedRequestError(
            f"roosync before {KNOWN} waits for no wave and would begin at once: {names}. Update by hand there first, "
            f"or leave them out: --on 'not ({' or '.join(sorted(older))})'"
        )
