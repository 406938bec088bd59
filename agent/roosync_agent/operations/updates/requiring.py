"""An operator requires a version: shown first, then signed as law, with a rollout that says who begins when.

The message names a version and carries no command: how a machine gets it is in that machine's own settings, and a tag
that does not exist is found out there, and told by name (docs/updates.md). The campaign is signed before its rollout is
posted: in between every machine waits, so a command that dies there has begun nothing.
"""

from typing import Any

from msgspec import ValidationError, convert
from msgspec.structs import replace

from roosync_agent.operations.machines.choosing import choose_here
from roosync_agent.operations.membership.lawmaking import RefusedRequestError, enact
from roosync_agent.operations.rollouts import pace as pacing
from roosync_agent.operations.rollouts.answering import stop
from roosync_agent.operations.rollouts.answers import Pace
from roosync_agent.operations.rollouts.moving import begin
from roosync_agent.operations.rollouts.words import called
from roosync_agent.operations.updates.answers import UpdateAnswer, UpdatePlan
from roosync_agent.operations.updates.showing import answer, in_force
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session, new_operation
from roosync_protocol.fleet import Fleet
from roosync_protocol.messages import Campaign, Rollout
from roosync_protocol.messages.law import GitCommit, GitRevision, Version
from roosync_protocol.names import some
from roosync_protocol.rollout import ENDED
from roosync_protocol.rollout.room import require_room
from roosync_protocol.targeting.facts import NO_RECIPE
from roosync_protocol.versions import at_least, same

SPELLED: tuple[tuple[str, Any, str], ...] = (  # what a person types -> its type, and what is said when it is none
    ("version", Version, "{!r} is no version: give two to four numbers, such as v0.3.0 or 0.3.0-rc.1"),
    ("tag", GitRevision, "{!r} is no name of a tag: letters, digits and . _ / + -, and a letter or digit first"),
    ("commit", GitCommit, "{!r} is no commit: give all 40 (or 64) hex digits, as `git rev-parse TAG^{{commit}}` does"),
)
LONGEST_SPLAY = 86_400.0


async def plan(
    machine: Machine,
    version: str,
    tag: str = "",
    commit: str = "",
    on: str = "",
    limit: str = "",
    seed: str = "",
    pace: dict[str, Any] | None = None,
    splay: float = 0.0,
    replace_: bool = False,
    note: str = "",
) -> UpdatePlan:
    """What `roosync update require` would sign. RefusedRequestError says why it makes no sense."""
    _spelled(version=version, tag=tag, commit=commit)
    careful = pacing.checked(convert(pace or {}, Pace))
    if not 0 <= splay <= LONGEST_SPLAY:
        raise RefusedRequestError(f"a splay of {splay:g} seconds is none; give 0 to {LONGEST_SPLAY:,.0f} (a day)")
    fleet = machine.fleet
    replaced = require_over(fleet, replace_)
    chosen = await choose_here(machine, on or None, limit, seed)
    meant = chosen.machines
    runs = {name: status.roosync_version if (status := fleet.status(name)) else "" for name in meant}
    _require_newer(version, runs)
    newer = {name: has for name, has in runs.items() if has and not at_least(version, has)}
    taking = [name for name in meant if name not in newer]
    if not replaced:
        pacing.require_free(fleet, taking, "update")
    pacing.require_knowing(fleet, taking)
    return UpdatePlan(
        version=version,
        tag=tag,
        commit=commit,
        waves=await pacing.in_waves(machine, taking, careful),
        runs={name: runs[name] for name in taking},
        newer=newer,
        splay_seconds=splay,
        pace=careful,
        without_recipe=[name for name in taking if _has_no_recipe(fleet, name)],
        claims=chosen.claims,
        replaces=replaced,
        note=note[:500],
    )


async def require(session: Session, wanted: UpdatePlan) -> UpdateAnswer:
    """Signs the campaign, and posts the rollout of the same id."""
    _spelled(version=wanted.version, tag=wanted.tag, commit=wanted.commit)
    require_over(session.fleet, bool(wanted.replaces))
    members = session.fleet.law.machines()
    if gone := [name for wave in wanted.waves for name in wave if name not in members]:
        raise RefusedRequestError(
            f"{gone[0]} is no machine of this fleet any more, and nothing was signed: begin again"
        )
    campaign, rollout = _signed(session, wanted)
    require_room(rollout)
    if (known := in_force(session.fleet)) is not None and known.id == wanted.replaces:
        await _end(session, known, f"replaced by {wanted.version}")
    if wanted.replaces:
        await _end_left(session, f"replaced by {wanted.version}")

    def make() -> Campaign:
        require_over(session.fleet, False)  # somebody else may have signed one since
        return replace(campaign, timestamp=session.now())

    await enact(session, make)
    await begin(session, rollout)
    return answer(session.fleet, campaign.id, session.now())


def _signed(session: Session, wanted: UpdatePlan) -> tuple[Campaign, Rollout]:
    """The two messages of one campaign."""
    id_, now = "u-" + new_operation()[2:12], session.now()
    campaign = Campaign(
        agent=session.name,
        timestamp=now,
        revision=1,
        id=id_,
        version=wanted.version,
        tag=wanted.tag,
        commit=wanted.commit,
        machines=tuple(name for wave in wanted.waves for name in wave),
        splay_seconds=wanted.splay_seconds,
        note=wanted.note[:500],
    )
    rollout = Rollout(
        agent=session.name,
        timestamp=now,
        id=id_,
        revision=1,
        operation_id=new_operation(),
        purpose="update",
        status="running",
        waves=tuple(map(tuple, wanted.waves)),
        max_fail_percentage=wanted.pace.max_fail_percentage,
        pause_seconds=wanted.pace.pause_seconds,
        timeout_minutes=wanted.pace.timeout_minutes,
        started=now,
        opened=now,
        note=f"{wanted.version}{': ' if wanted.note else ''}{wanted.note}"[:500],
    )
    return campaign, rollout


async def withdraw(session: Session, reason: str = "") -> UpdateAnswer:
    """Nothing more is begun of the campaign in force. Who has the new version keeps it."""
    campaign, left = withdrawable(session.fleet)
    if campaign is not None:
        await _end(session, campaign, reason or "withdrawn")
    await _end_left(session, reason or "withdrawn")
    return answer(session.fleet, campaign.id if campaign is not None else left[-1].id, session.now())


def withdrawable(fleet: Fleet) -> tuple[Campaign | None, list[Rollout]]:
    """The campaign in force, and what is open of earlier ones. RefusedRequestError when there is neither."""
    campaign, left = in_force(fleet), _left(fleet)
    if campaign is None and not left:
        raise RefusedRequestError("no update is required, so there is nothing to withdraw: `roosync update show`")
    return campaign, left


def require_over(fleet: Fleet, replace_: bool) -> str:
    """The id of the campaign that a new one replaces; RefusedRequestError while one runs and nobody said to."""
    known = in_force(fleet)
    state = fleet.rollout(known.id).state if known is not None else None
    if known is None or (state is not None and state.status in ENDED):
        left = _left(fleet)
        if left and not replace_:
            raise RefusedRequestError(
                f"{left[-1].id} is required no more, and is {called(left[-1].status)}, because a command died before "
                "it ended it: `roosync update withdraw` does so, or --replace"
            )
        return left[-1].id if left else ""
    if not replace_:
        stands = called(state.status) if state is not None else "signed, and its rollout was not posted"
        raise RefusedRequestError(
            f"{known.id} requires {known.version}, and is {stands}: `roosync update show`; `roosync update withdraw` "
            "ends it, and --replace does so and requires this version instead"
        )
    return known.id


# -- inside


async def _end(session: Session, campaign: Campaign, reason: str) -> None:
    """Withdrawn by law first: from then on nobody begins, whatever becomes of the rollout."""

    def make() -> Campaign:
        known = session.fleet.law.campaign
        if known is None or known.id != campaign.id:
            raise RefusedRequestError(f"{campaign.id} was replaced at the same moment: `roosync update show`")
        return replace(known, agent=session.name, timestamp=session.now(), withdrawn=True)

    await enact(session, make)
    state = session.fleet.rollout(campaign.id).state
    if state is not None and state.status not in ENDED:
        await stop(session, campaign.id, reason)


def _left(fleet: Fleet) -> list[Rollout]:
    """Open rollouts of updates that are in force no more: what withdrew them died before it stopped them."""
    known = in_force(fleet)
    updates = [one for one in fleet.rollouts() if one.purpose == "update" and one.status not in ENDED]
    return [one for one in updates if known is None or one.id != known.id]


async def _end_left(session: Session, reason: str) -> None:
    for one in _left(session.fleet):
        await stop(session, one.id, reason)


def _has_no_recipe(fleet: Fleet, machine: str) -> bool:
    """By its own word; of one that never told it nothing is guessed."""
    told = fleet.inventory(machine)
    return told is not None and told.inventory.get("update") == NO_RECIPE


def _spelled(**given: str) -> None:
    for name, type_, fault in SPELLED:
        try:
            convert(given[name], type_)
        except ValidationError:
            raise RefusedRequestError(fault.format(given[name][:100])) from None


def _require_newer(version: str, runs: dict[str, str]) -> None:
    """RefusedRequestError when every machine that is meant has this version, or a newer one."""
    if not all(has and at_least(has, version) for has in runs.values()):
        return
    newer = [f"{name} {has}" for name, has in runs.items() if not same(has, version)]
    what = f"{version} or a newer version ({some(newer)})" if newer else version
    who = f"every machine that is meant runs {what}" if len(runs) > 1 else f"{next(iter(runs))} runs {what}"
    raise RefusedRequestError(f"{who} already, and an update takes nobody back: `roosync machines` shows who runs what")
