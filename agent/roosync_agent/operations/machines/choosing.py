"""Which machines a person means, for every command that has to do with several of them: one way to choose.

What was chosen is told by name, with the reason, before anything is done; whoever signs, signs those names.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_protocol.fleet import Fleet
from roosync_protocol.names import nearest, some
from roosync_protocol.overview import MachineRow, machine_rows
from roosync_protocol.rollout.waves import limit as limited
from roosync_protocol.targeting import (
    LABEL,
    Candidate,
    Expression,
    TargetError,
    candidates,
    chosen_because,
    parse,
)

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

SIGNED = frozenset({"orchestrates"})  # facts that stand in the law


class Chosen(Struct, frozen=True, kw_only=True):
    machines: list[str]
    because: dict[str, list[str]]  # of each machine, the conditions that it fulfils
    expression: str
    of: int  # machines of the fleet
    meant: int  # of them by the expression, before the limit
    limit: str = ""
    seed: str = ""  # of the limit
    claims: list[str] = []  # what was asked of machines that only they say of themselves: a ground for no trust


async def choose_here(
    machine: "Machine", on: str | Sequence[str] | None = None, limit: str = "", seed: str = ""
) -> Chosen:
    """As `chosen`, of the fleet as this machine sees it now."""
    asked = any("present" in one.facts for one in parsed(on, ()))
    present = await machine.present() if asked else {}
    return chosen(machine.fleet, present, on, limit, seed, me=machine.name, now=machine.session.now())


def chosen(
    fleet: Fleet,
    present: Mapping[str, datetime] | None,
    on: str | Sequence[str] | None = None,
    limit: str = "",
    seed: str = "",
    *,
    me: str,
    now: datetime,
) -> Chosen:
    """The machines that `on` means, all of them without it, by name; of them so many as `limit` says.

    `on`: an expression, or several of which one has to hold, each for at least one machine. `present` as in `overview`.
    RefusedRequestError shows what nobody can mean, or tells that nobody is meant.
    """
    expressions = parsed(on, present)
    machines = known(fleet, ())
    labels = {key for one in machines for key in one.labels}
    if any(key.removeprefix(LABEL) not in labels for one in expressions for key in one.facts):
        machines = known(fleet, machine_rows(fleet, me, present, now))  # in a large fleet this is what takes time
    return chosen_among(machines, expressions, limit, seed)


def known(fleet: Fleet, rows: Sequence[MachineRow]) -> list[Candidate]:
    """What can be asked of each machine; names and labels alone without the rows of an overview."""
    if rows:
        return candidates(fleet, rows)
    members = fleet.law.members
    return [Candidate(name=name, labels=members[name].labels) for name in fleet.law.machines()]


def chosen_among(
    machines: Sequence[Candidate], expressions: Sequence[Expression], limit: str = "", seed: str = ""
) -> Chosen:
    """The machines for which one of the expressions holds, all of them without any; of them so many as `limit` says."""
    if not machines:
        raise RefusedRequestError("this fleet has no machine")
    because: dict[str, tuple[str, ...]] = {} if expressions else {one.name: () for one in machines}
    for expression in expressions:
        try:
            found = chosen_because(expression, machines)
        except TargetError as error:
            raise RefusedRequestError(str(error)) from None
        if not found:
            raise RefusedRequestError(_nobody(expression, machines))
        because = found | because
    names = [one.name for one in machines if one.name in because]
    taken = limited_to(names, limit, seed)
    return Chosen(
        machines=taken,
        because={name: list(because[name]) for name in taken},
        expression=" or ".join(one.text for one in expressions),
        of=len(machines),
        meant=len(names),
        limit=limit,
        seed=(seed or "0") if limit else "",
        claims=_claims(machines, expressions),
    )


def limited_to(names: list[str], limit: str, seed: str = "") -> list[str]:
    """So many of them as `limit` says, by `seed`; all without one. RefusedRequestError when it is none."""
    try:
        return limited(names, limit, seed or "0") if limit else names
    except ValueError as error:
        raise RefusedRequestError(f"--limit: {error}") from None


def parsed(on: str | Sequence[str] | None, present: object) -> list[Expression]:
    """The expressions; RefusedRequestError when they ask who is present and that could not be read (None)."""
    try:
        expressions = [parse(text) for text in ([on] if isinstance(on, str) else list(on or ()))]
    except TargetError as error:
        raise RefusedRequestError(str(error)) from None
    if present is None and any("present" in one.facts for one in expressions):
        raise RefusedRequestError(
            "which machines are present could not be read: the broker does not answer; leave `present` out, or wait"
        )
    return expressions


# -- inside


def _claims(machines: Sequence[Candidate], expressions: Sequence[Expression]) -> list[str]:
    """The keys of the expressions that are neither labels, which an operator signed, nor told by the law."""
    labels = {key for one in machines for key in one.labels}
    asked = {key for one in expressions for key in one.facts}
    return sorted(key for key in asked if key not in SIGNED and key.removeprefix(LABEL) not in labels)


def _nobody(expression: Expression, machines: Sequence[Candidate]) -> str:
    """Why nobody is meant, as far as it can be told, and where to look."""
    names = [one.name for one in machines]
    near = "" if expression.facts else nearest(re.sub(r"[*?\[\]\s]", "", expression.text[:100]), names)
    silent = [one.name for one in machines if one.has is None] if expression.facts else []
    told = f"; of {', '.join(silent[:5])} nothing is known yet" if silent and "has" in expression.facts else ""
    there = near or f"; its machines: {some(names, 10)}"
    return (
        f"{expression.text[:200]!r} means no machine of this fleet{there}{told}\n"
        "What is known of them: roosync machines --facts"
    )
