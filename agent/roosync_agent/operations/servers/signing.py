"""One yes for many machines: a revision of the baseline, and an approval for each decision that follows from it.

The person saw a plan; the session here belongs to the operator. Each machine still decides by itself whether the
approval fits what it has, so a decision is only signed when it asks exactly what was shown. Follows the bus: what a
machine says wakes it, and a whole look at the end makes good for a message that was lost.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from roosync_agent.collecting.reference import BASELINE, Library
from roosync_agent.operations.audited import audited
from roosync_agent.operations.baseline.promoting import in_force, revise
from roosync_agent.operations.decisions.deciding import approve
from roosync_agent.operations.decisions.seen import seen
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.servers.known import Known, gather
from roosync_agent.operations.servers.plans import (
    Contents,
    Place,
    Removal,
    Share,
    plan_removal,
    plan_share,
    removed_baseline,
    shared_baseline,
)
from roosync_agent.session import Session
from roosync_broker.errors import BusError
from roosync_broker.link import Stored
from roosync_broker.presence import Presence
from roosync_protocol.decision import AGAIN, decision_id
from roosync_protocol.digest import digest
from roosync_protocol.messages import Decision
from roosync_protocol.proof import needed_approvals

TRIES = 3  # of one signature, when somebody else moves the decision at the same moment
FINAL = frozenset({"done", "refused", "second"})


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one server in one assistant on one machine."""

    machine: str
    key: str
    state: str  # done | refused | second (operator) | waiting | silent
    detail: str = ""
    decision: str = ""


class Carried(Struct, frozen=True, kw_only=True):
    name: str
    version: str  # of the baseline that says so
    revision: int
    outcomes: list[Outcome]
    unknown: dict[str, str]  # machines of which nothing is known: they ask when they come
    unread: dict[str, str] = {}  # "<target> on <machine>": they ask once it can be read


async def remove(session: Session, expected: str, asked: Mapping[str, object], patience: float) -> Carried:
    """Takes a server away as it was shown (`expected`: the plan's `seen`). RefusedRequestError when that has changed.

    `asked`: the arguments of `plan_removal`. `patience`: seconds to wait for the machines that answer.
    """
    library, follows = Library(session), in_force(session)
    known = await _known(session, library)
    plan = plan_removal(known, **asked)  # type: ignore[arg-type]
    _require_shown(plan.seen, expected)
    following = _Following(session, {(p.machine, p.key): (p, None) for p in plan.places}, changed_may_go=True)
    contents = removed_baseline(known, plan)
    where = f" on {', '.join(plan.machines)}" if plan.machines else ""
    note = f"removes {plan.name}{where}"
    return await _carry_out(session, library, known, following, contents, follows, note, plan, patience)


async def share(session: Session, expected: str, asked: Mapping[str, object], patience: float) -> Carried:
    """Makes a server part of the baseline for other assistants, as it was shown."""
    library, follows = Library(session), in_force(session)
    known = await _known(session, library)
    plan = plan_share(known, **asked)  # type: ignore[arg-type]
    _require_shown(plan.seen, expected)
    wanted = {key: digest(value) for key, value in plan.entities.items()}  # type: ignore[arg-type]
    following = _Following(session, {(p.machine, p.key): (p, wanted[p.key]) for p in plan.places})
    note = f"shares {plan.name} of {plan.source} with {', '.join(plan.targets)}"
    contents = shared_baseline(known, plan)
    return await _carry_out(session, library, known, following, contents, follows, note, plan, patience)


async def _carry_out(
    session: Session,
    library: Library,
    known: Known,
    following: "_Following",
    contents: Contents,
    follows: int,
    note: str,
    plan: Removal | Share,
    patience: float,
) -> Carried:
    deed, _, about = note.partition(" ")
    async with audited(session, f"mcp server: {deed}", plan.name, about) as told, following:
        if contents != (known.commons, known.overlays):  # else it is law already, and only the machines are asked again
            await revise(session, library, *contents, None, note, follows=follows)
        outcomes = await following.until_settled(patience)
        told.outcome = law.version if (law := session.fleet.law.baseline) else "done"
    law = session.fleet.law.baseline
    return Carried(
        name=plan.name,
        version=law.version if law else "",
        revision=law.revision if law else 0,
        outcomes=outcomes,
        unknown={m: why for m, why in known.unknown.items() if not plan.machines or m in plan.machines},
        unread=plan.unread if isinstance(plan, Removal) else {},
    )


async def _known(session: Session, library: Library) -> Known:
    try:
        present = await Presence(session.link, session.subjects.fleet).present()
    except BusError:
        session.require_bus()
        present = None  # who is there is not known, so everybody is waited for
    return await gather(session, library, present)


def _require_shown(now: str, shown: str) -> None:
    if now != shown:
        raise RefusedRequestError("the fleet changed after this was shown, and nothing was signed: ask again")


class _Following:
    """The decisions that a plan expects: each is signed when it asks what was shown, and followed to its end."""

    def __init__(
        self,
        session: Session,
        expected: Mapping[tuple[str, str], tuple[Place, str | None]],
        *,
        changed_may_go: bool = False,
    ) -> None:
        self._session = session
        self._expected = expected
        self._changed_may_go = changed_may_go  # it was said that it goes, whatever it is
        self._moved = asyncio.Event()
        self._ids = {pair: decision_id(*pair, BASELINE) for pair in expected}
        self._open = set(expected)  # what is not settled yet
        self._heard = {machine for machine, _ in expected}  # who may have said something new about it
        self._signed: dict[tuple[str, str], datetime] = {}
        self._tries: dict[tuple[str, str], int] = {}
        self._refused: dict[tuple[str, str], str] = {}
        self._before = {pair: state.revision for pair in expected if (state := self._state(*pair)) is not None}

    async def __aenter__(self) -> "_Following":
        subjects = self._session.subjects
        facts = [subjects.fact("decision"), subjects.fact("status")]
        self._subscription = await self._session.link.follow(facts, self._on_fact)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._subscription.close()

    async def until_settled(self, patience: float) -> list[Outcome]:
        """Waits for the machines that answer, at most `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while not await self._settled():
                    await self._moved.wait()
                    self._moved.clear()
        except TimeoutError:
            await self._session.refresh()
            self._heard = {machine for machine, _ in self._open}
            await self._settled()
        return [self._outcome(*pair, last=True) for pair in self._expected]

    def _on_fact(self, stored: Stored) -> None:
        heard = self._session.take(stored)
        if heard is not None:
            self._heard.add(heard.message.machine if isinstance(heard.message, Decision) else heard.speaker)
            self._moved.set()

    async def _settled(self) -> bool:
        """Signs what can be signed now. True when nobody who answers is waited for."""
        heard, self._heard = self._heard, set()
        for pair in [pair for pair in self._open if pair[0] in heard]:
            await self._sign(pair)
            if self._outcome(*pair).state in FINAL:
                self._open.discard(pair)
        return not any(self._expected[pair][0].answers for pair in self._open)

    async def _sign(self, pair: tuple[str, str]) -> None:
        decision = self._state(*pair)
        if decision is None or pair in self._signed or pair in self._refused or not self._asks_this(pair, decision):
            return
        if decision.status != "pending" and decision.status not in AGAIN:
            return
        try:
            await approve(self._session, decision, expected=seen(decision))
        except RefusedRequestError as error:
            self._tries[pair] = self._tries.get(pair, 0) + 1
            if self._tries[pair] >= TRIES:
                self._refused[pair] = str(error)
            return
        self._signed[pair] = self._session.now()

    def _asks_this(self, pair: tuple[str, str], decision: Decision) -> bool:
        """Does it ask for what the person said yes to, about what they were shown?"""
        place, wanted = self._expected[pair]
        as_shown = decision.local.digest == place.digest
        return (
            decision.entity == place.key
            and decision.reference == BASELINE
            and decision.wanted.digest == wanted
            and decision.action == "override_local"
            and (as_shown or (self._changed_may_go and decision.local.digest is not None))
        )

    def _outcome(self, machine: str, key: str, *, last: bool = False) -> Outcome:
        place, _ = self._expected[machine, key]
        decision = self._state(machine, key)
        state, detail = self._judged((machine, key), decision)
        if decision is not None and decision.local.digest not in (None, place.digest) and state == "done":
            detail = "it had been changed there since it was shown"
        if state == "waiting" and last and not place.answers:
            state, detail = "silent", "it does not answer; it asks when it comes back"
        return Outcome(
            machine=machine, key=key, state=state, detail=detail, decision=decision.id if decision else ""
        )  # fmt: skip

    def _judged(self, pair: tuple[str, str], decision: Decision | None) -> tuple[str, str]:
        if pair in self._refused:
            return "refused", self._refused[pair]
        moved = decision is not None and decision.revision > self._before.get(pair, 0)
        if decision is None or not (moved or pair in self._signed):
            return "waiting", "it has not said anything about it yet"
        match decision.status:
            case "applied" if self._asks_this(pair, decision):
                return "done", ""
            case "superseded":
                return ("done", "it was as asked already") if self._is_so(pair) else ("waiting", "it looks again")
            case "rolled_back" | "rollback_failed" | "failed" | "overwritten" if pair in self._signed:
                return "refused", decision.log[-1] if decision.log else decision.status
            case "rejected" | "promoted" | "kept_special":
                return "refused", f"somebody answered otherwise: {decision.status}"
            case "pending" if pair in self._signed:
                given = len(decision.approvals)
                if given and given < needed_approvals(decision, self._session.fleet.law):
                    return "second", "a second operator has to approve it as well"
                return "refused", decision.log[-1] if decision.log else "it asks again"
            case "approved" | "applying":
                refusal = self._refusal(pair)
                return ("refused", refusal) if refusal else ("waiting", "it is approved, and not applied yet")
        if decision.status == "pending" and not self._asks_this(pair, decision):
            return "waiting", "it asks something else than was shown"
        return "waiting", f"it is {decision.status}"

    def _refusal(self, pair: tuple[str, str]) -> str:
        """Why the machine can not do what is approved, as its status tells."""
        machine, key = pair
        report = self._session.fleet.status(machine)
        if report is None or (pair in self._signed and report.timestamp < self._signed[pair]):
            return ""
        found = (note.removeprefix(f"{key} waits: ") for note in report.notes if note.startswith(f"{key} waits: "))
        return next(found, "")

    def _is_so(self, pair: tuple[str, str]) -> bool:
        return self._expected[pair][1] is None  # what went away by itself is gone

    def _state(self, machine: str, key: str) -> Decision | None:
        return self._session.fleet.decision(machine, self._ids[machine, key]).state
