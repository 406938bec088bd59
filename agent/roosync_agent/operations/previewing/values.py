"""What a baseline would change against the one in force: each value with its risk, what executes, and for whom.

A machine applies by itself what the baseline brings when the policy says so; its own edits are always asked about.
What a machine has is what it published last.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from roosync_agent.collecting.reference import NothingToCompareError, Received
from roosync_agent.operations.answers import Missing, Open, Shown
from roosync_agent.operations.baseline.effects import questions
from roosync_agent.operations.decisions import facts
from roosync_agent.operations.decisions.showing import found_marks, shown
from roosync_agent.operations.previewing.answers import ValueChange
from roosync_agent.running.machine import Machine
from roosync_broker.errors import BusError
from roosync_protocol.baseline import Commons, Overlay, effective, removed_for
from roosync_protocol.digest import digest
from roosync_protocol.entity import Entity, Kind, target_of
from roosync_protocol.proof import RISKS
from roosync_protocol.risk import assess, surface
from roosync_protocol.risk.unasked import unasked
from roosync_protocol.risk_names import danger


class Content(Struct, frozen=True):
    """A baseline, whole."""

    commons: Commons
    overlays: Mapping[str, Overlay]


class Row(Struct, frozen=True, kw_only=True):
    key: str
    machine: str  # "": common
    before: Entity | None
    after: Entity | None
    how: str
    comments: tuple[str, ...] = ()


async def changes(machine: Machine, commons: Commons, overlays: Mapping[str, Overlay]) -> list[ValueChange]:
    """Everything that is new, changed or gone against the baseline in force, the gravest first."""
    old, new = await in_force(machine), Content(commons, overlays)
    packages, _ = await machine.library.packages(machine.fleet.packages())
    rows = [*_common(old.commons, commons), *_special(old, new)]
    who = [_who(machine, row, old, new, packages) for row in rows]
    fresh = {row.key: row.after for row in rows if row.after is not None and not row.machine}
    asked = {row.key: [*by, *asks] for row, (by, asks, _) in zip(rows, who, strict=True) if not row.machine}
    items = await questions(machine, asked, fresh)
    missing = await facts.lacking_each(machine, {key: (fresh[key], of) for key, of in items.items()})
    made = [_change(row, of, packages, missing.get(row.key, Missing())) for row, of in zip(rows, who, strict=True)]
    return sorted(made, key=lambda one: (-danger(one.risk), one.entity, one.machine))


async def in_force(machine: Machine) -> Content:
    """Empty while there is none, or when nobody can read it: then everything is new."""
    law = machine.fleet.law.baseline
    try:
        return Content(*await machine.library.whole(law)) if law is not None else Content(Commons(), {})
    except (BusError, NothingToCompareError, ValueError):
        machine.session.require_bus()
        return Content(Commons(), {})


def _common(old: Commons, new: Commons) -> Iterator[Row]:
    keys = old.entities.keys() | new.entities.keys() | (new.removed - old.removed)
    for key in sorted(keys):
        before, after = old.entities.get(key), new.entities.get(key)
        told = new.placing.comments.get(key, ())
        if _same(before, after) and before is not None and told == old.placing.comments.get(key, ()):
            continue
        how = _how(before, after, removed=key in new.removed)
        yield Row(key=key, machine="", before=before, after=after, how=how, comments=tuple(told))


def _special(old: Content, new: Content) -> Iterator[Row]:
    for machine in sorted(old.overlays.keys() | new.overlays.keys()):
        own, will = old.overlays.get(machine, Overlay()), new.overlays.get(machine, Overlay())
        was, becomes = effective(old.commons, own), effective(new.commons, will)
        for key in sorted(_spoken_of(own) | _spoken_of(will)):
            entries = [(key in one.excluded, key in one.removed) for one in (own, will)]
            if _same(own.entities.get(key), will.entities.get(key)) and entries[0] == entries[1]:
                continue
            how = _how(was.get(key), becomes.get(key), removed=key in removed_for(new.commons, will))
            yield Row(key=key, machine=machine, before=was.get(key), after=becomes.get(key), how=how)


def _spoken_of(overlay: Overlay) -> set[str]:
    return overlay.entities.keys() | overlay.excluded | overlay.removed


def _how(before: Entity | None, after: Entity | None, *, removed: bool) -> str:
    if after is None:
        return "removed" if removed else "left out"
    return "new" if before is None else "changed"


def _same(one: Entity | None, other: Entity | None) -> bool:
    return _digest(one) == _digest(other)


def _digest(entity: Entity | None) -> str | None:
    return digest(entity.value) if entity is not None else None


def _who(
    machine: Machine, row: Row, old: Content, new: Content, packages: Mapping[str, Received]
) -> tuple[list[str], list[str], list[str]]:
    """Who would apply it by itself, who would be asked, and of whom it is not known."""
    by_itself: list[str] = []
    asks: list[str] = []
    silent: list[str] = []
    law = machine.fleet.law
    for name in [row.machine] if row.machine else law.machines():
        will = new.overlays.get(name, Overlay())
        if not row.machine and row.key in _spoken_of(will):
            continue  # it has its own, which is a row of its own when it changes
        received = packages.get(name)
        if received is None:
            silent.append(name)
            continue
        if target_of(row.key) not in received.report.targets:
            continue
        have = received.entities.get(row.key)
        gone = row.after is None and row.key not in removed_for(new.commons, will)
        if gone or _same(have, row.after):
            continue
        brought = _same(have, effective(old.commons, old.overlays.get(name)).get(row.key))
        risk = RISKS[_risk(row, have)[0]]
        alone = brought and risk != "critical" and law.policy.answers.get(risk) == "automatic"
        (by_itself if alone and not law.paused(name) else asks).append(name)
    return by_itself, asks, silent


def _risk(row: Row, before: Entity | None) -> tuple[Any, list[str]]:
    one = row.after or row.before or before
    kind = one.kind if one is not None else Kind.SETTING
    found = assess(row.key, kind, _value(before), _value(row.after))
    return found.risk, list(found.reasons)


def _change(
    row: Row, who: tuple[list[str], list[str], list[str]], packages: Mapping[str, Received], missing: Missing
) -> ValueChange:
    one, before, after = (row.after or row.before), _value(row.before), _value(row.after)
    kind = one.kind if one is not None else Kind.SETTING
    risk, reasons = _risk(row, row.before)
    value = _digest(row.after)
    both = row.before is not None and row.after is not None
    absent = "before" if row.before is None else "after"
    return ValueChange(
        entity=row.key,
        kind=kind.value,
        machine=row.machine,
        how=row.how,
        local_value=before,
        wanted=after,
        wanted_absent=row.after is None,
        risk=RISKS[risk],
        reasons=reasons,
        changes=shown(before, after, kind, row.key)
        if both
        else [Shown(path=[], before=before, after=after, absent=absent)],
        executes=surface(kind, after) if row.after is not None else None,
        unasked=[Open(path=u.path, what=u.what, why=u.why, new=u.new) for u in unasked(row.after, before)]
        if row.after is not None
        else [],
        runs_on=sorted(n for n, of in packages.items() if value and _digest(of.entities.get(row.key)) == value),
        by_itself=who[0],
        asks=who[1],
        silent=who[2],
        comments=list(row.comments),
        marks=found_marks({"entity": row.key, "before": before, "wanted": after, "comments": list(row.comments)}),
        needs=missing.needs,
        asked=missing.asked,
        lacks=missing.lacks,
        unsure=missing.unsure,
        not_said=missing.not_said,
    )


def _value(entity: Entity | None) -> Any:
    return entity.value if entity is not None else None
