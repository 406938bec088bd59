"""The closing report of a cycle: how it went, what went wrong and why, and whether it reached what it was for.

The success criteria of the deployment route are those of seed 003: every agent in the version, a baseline that a person
validated, one synchronisation of each agent at least, no critical configuration lost. What is not known is not met.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, to_builtins

from roosync_protocol.cycle import ENDED
from roosync_protocol.cycle.metrics import Evidence, metric_report, of_cycle, took, undone
from roosync_protocol.cycle.participant import open_divergences
from roosync_protocol.markdown import code, plain
from roosync_protocol.messages import Baseline, Cycle, Decision, StatusReport
from roosync_protocol.reports.words import Language, checkpoint_name, report, say, stamp
from roosync_protocol.secrets import scrub
from roosync_protocol.versions import at_least

HIGH = frozenset({"high", "critical"})
NAMED = 10  # machines or things that one line names


class Step(Struct, frozen=True, kw_only=True):
    """A checkpoint that was reached. `seconds` since the one before, or since the start."""

    checkpoint: str
    round: int
    at: datetime
    seconds: float
    divergences: int


class Undone(Struct, frozen=True, kw_only=True):
    """An attempt that failed or was taken back, and what the machine said of it."""

    machine: str
    field: str
    decision_id: str
    attempt: int
    at: datetime | None
    reason: str


class Criterion(Struct, frozen=True, kw_only=True):
    name: str  # of `NAMES`
    met: bool
    found: str  # the figure or the names behind it


class Closing(Struct, frozen=True, kw_only=True):
    """The whole report; of a running cycle as far as it has come."""

    agent: str
    timestamp: datetime
    cycle: str
    route: str
    status: str
    started: datetime
    ended: datetime | None
    participants: tuple[str, ...]
    excused: dict[str, str]
    checkpoints: tuple[Step, ...]
    divergences_per_phase: dict[str, int]
    accepted_differences: tuple[str, ...]
    rollbacks: tuple[Undone, ...]
    escalations: tuple[dict[str, Any], ...]
    criteria: tuple[Criterion, ...]
    metrics: dict[str, Any]  # the founding protocol's metric report
    waiting_for: str = ""
    note: str = ""

    @property
    def successful(self) -> bool:
        return self.status == "done" and all(one.met for one in self.criteria)


def closing_report(cycle: Cycle, evidence: Evidence, agent: str, now: datetime) -> Closing:
    ours = [d for d in evidence.decisions if d.machine in cycle.participants]
    metrics = to_builtins(metric_report(cycle, evidence, agent, now))
    phases: dict[str, int] = {}
    for one in cycle.reached:
        name = one.checkpoint.upper()
        phases[name] = max(phases.get(name, 0), one.divergences)
    return Closing(
        agent=agent,
        timestamp=now,
        cycle=cycle.id,
        route=cycle.route,
        status=cycle.status,
        started=cycle.started,
        ended=(cycle.reached[-1].at if cycle.status == "done" and cycle.reached else cycle.timestamp)
        if cycle.status in ENDED
        else None,
        participants=cycle.participants,
        excused={machine: scrub(why) for machine, why in sorted(cycle.excused.items())},
        checkpoints=tuple(_steps(cycle)),
        divergences_per_phase=phases,
        accepted_differences=tuple(
            f"{d.machine}: {d.entity}" for d in ours if d.status == "rejected" and d.reference == "baseline"
        ),
        rollbacks=tuple(_rollbacks(cycle, evidence)),
        escalations=tuple(
            {
                "level": e.level,
                "trigger": e.trigger,
                "checkpoint": e.checkpoint.upper(),
                "at": stamp(e.at),
                "reason": scrub(e.reason),
            }
            for e in cycle.escalations
        ),
        criteria=tuple(_criteria(cycle, ours, evidence)),
        metrics={name: value for name, value in metrics.items() if name not in ("type", "agent", "timestamp")},
        waiting_for=scrub(cycle.waiting_for),
        note=scrub(cycle.note),
    )


def closing_fields(closing: Closing) -> dict[str, Any]:
    """What `--json` prints and the exports hold."""
    return {**to_builtins(closing), "successful": closing.successful}


def _steps(cycle: Cycle) -> Iterable[Step]:
    for one, seconds in zip(cycle.reached, took(cycle), strict=True):
        yield Step(
            checkpoint=one.checkpoint.upper(), round=one.round, at=one.at, seconds=seconds, divergences=one.divergences
        )


def _rollbacks(cycle: Cycle, known: Evidence) -> Iterable[Undone]:
    """Each failed or withdrawn attempt once, with its last line; by whatever of the record is still there."""
    for key, said in sorted(undone(cycle, known).items()):
        found = _attempt(key)
        if found is None:
            continue
        machine, id_, attempt = found
        told = next((e.reason for e in cycle.escalations if id_ in e.reason), "")
        yield Undone(
            machine=machine,
            field=said.entity if said else "",
            decision_id=id_,
            attempt=attempt,
            at=said.timestamp if said else None,
            reason=scrub(_reason(said) if said else told),
        )


def _reason(said: Decision) -> str:
    last = said.log[-1] if said.log else said.status
    return f"taken back by a person: {last}" if said.rollback_requested else last


def _attempt(failure: str) -> tuple[str, str, int] | None:
    machine, _, rest = failure.partition("/")
    id_, _, number = rest.rpartition("/")
    return (machine, id_, int(number)) if id_ and number.isascii() and number.isdigit() else None


def _criteria(cycle: Cycle, ours: list[Decision], evidence: Evidence) -> Iterable[Criterion]:
    taking = [m for m in cycle.participants if m not in cycle.excused]
    statuses = {m: evidence.statuses[m] for m in taking if m in evidence.statuses}
    if cycle.route == "deployment":
        yield _in_version(cycle, taking, statuses)
        yield _validated(evidence.baseline)
        yield _share("synchronised", taking, [m for m, s in statuses.items() if s.last_sync is not None])
    else:
        yield _share("in_step", taking, [m for m, s in statuses.items() if s.status == "synced"])
        left = [f"{d.machine}: {d.entity}" for d in open_divergences(ours, taking)]
        yield Criterion(name="resolved", met=not left, found=_names(left) or "0")
    yield _nothing_lost(of_cycle(cycle, evidence), statuses)


def _in_version(cycle: Cycle, taking: list[str], statuses: Mapping[str, StatusReport]) -> Criterion:
    """Without a required version, the newest one that an agent of the cycle has."""
    versions = {m: s.roosync_version for m, s in statuses.items() if s.roosync_version}
    required = cycle.required_version
    if not required:
        required = next((v for v in versions.values() if all(at_least(v, other) for other in versions.values())), "")
    there = [m for m, version in versions.items() if required and at_least(version, required)]
    shared = _share("in_version", taking, there)
    return Criterion(name=shared.name, met=shared.met, found=f"{required or '?'}: {shared.found}")


def _share(name: str, taking: list[str], there: list[str]) -> Criterion:
    missing = [m for m in taking if m not in there]
    share = f"{len(there)}/{len(taking)} ({len(there) / len(taking):.0%})" if taking else "0/0"
    found = f"{share}; {_names(missing)}" if missing else share
    return Criterion(name=name, met=bool(taking) and not missing, found=found)


def _validated(baseline: Baseline | None) -> Criterion:
    if baseline is None:
        return Criterion(name="validated", met=False, found="-")
    found = f"{baseline.version}, revision {baseline.revision}, {baseline.agent}"
    return Criterion(name="validated", met=True, found=found)


def _nothing_lost(ours: list[Decision], statuses: Mapping[str, StatusReport]) -> Criterion:
    """Lost: could not be put back; went without a person's yes; or is not there to be believed (quarantine)."""
    lost = []
    for decision in ours:
        gone = decision.status == "applied" and decision.wanted.digest is None and decision.local.digest is not None
        if decision.status == "rollback_failed" or (gone and decision.risk in HIGH and not decision.approvals):
            lost.append(f"{decision.machine}: {decision.entity}")
    lost += [f"{machine}: {target}" for machine, s in statuses.items() for target in sorted(s.quarantine)]
    return Criterion(name="nothing_lost", met=not lost, found=_names(lost) or "0")


def _names(names: list[str]) -> str:
    more = f" (+{len(names) - NAMED})" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


NAMES = {  # criterion: English, French
    "in_version": ("agents in the version", "agents dans la version"),
    "validated": ("baseline made and validated", "baseline générée et validée"),
    "synchronised": ("one synchronisation of each agent at least", "au moins une synchronisation réussie par agent"),
    "nothing_lost": ("no critical configuration lost", "aucune perte de configuration critique"),
    "in_step": ("every agent in step", "tous les agents synchronisés"),
    "resolved": ("no divergence left", "aucune divergence résiduelle"),
}


def closing_markdown(closing: Closing, language: Language = "en") -> str:
    def tr(english: str, french: str) -> str:
        return say(language, english, french)

    title = tr("Closing Report", "Rapport de Clôture")
    return report(
        f"{title} - {plain(closing.cycle)} - {stamp(closing.ended or closing.timestamp)}",
        (
            tr("Summary", "Synthèse"),
            ("Route", closing.route),
            (tr("Status", "Statut"), closing.status),
            (tr("Started", "Début"), stamp(closing.started)),
            (tr("Ended", "Fin"), stamp(closing.ended) if closing.ended else tr("not yet", "pas encore")),
            (tr("Agents", "Agents"), ", ".join(map(plain, closing.participants))),
            *(((tr("Waiting For", "En Attente de")), plain(closing.waiting_for)) for _ in [0] if closing.waiting_for),
            *((tr("Note", "Note"), plain(closing.note)) for _ in [0] if closing.note),
        ),
        (tr("Success Criteria", "Critères de Succès"), *_criteria_lines(closing, language)),
        (
            "Checkpoints",
            *(
                (checkpoint_name(s.checkpoint), f"{stamp(s.at)}, {s.seconds:g} s, divergences {s.divergences}")
                for s in closing.checkpoints
            ),
        ),
        (
            tr("Divergences per Phase", "Divergences par Phase"),
            *((name, str(count)) for name, count in closing.divergences_per_phase.items()),
        ),
        (tr("Accepted Differences", "Différences Acceptées"), *_bare(map(code, closing.accepted_differences), tr)),
        ("Rollbacks", *_bare(map(_rollback_line, closing.rollbacks), tr)),
        (
            tr("Escalations", "Escalades"),
            *_bare((f"{e['level']}, {e['checkpoint']}, {e['at']}: {plain(e['reason'])}" for e in closing.escalations),
                   tr),
        ),
        (
            tr("Excused Agents", "Agents Excusés"),
            *_bare((f"{plain(m)}: {plain(why)}" for m, why in closing.excused.items()), tr),
        ),
        (
            tr("Metrics", "Métriques"),
            *((name, _metric(value)) for name, value in closing.metrics.items()),
        ),
        language=language,
    )  # fmt: skip


def _criteria_lines(closing: Closing, language: Language) -> Iterable[tuple[str, str]]:
    for one in closing.criteria:
        word = say(language, "met" if one.met else "not met", "atteint" if one.met else "non atteint")
        yield say(language, *NAMES[one.name]).capitalize(), f"{word} ({plain(one.found)})"


def _rollback_line(one: Undone) -> str:
    where = f"{plain(one.machine)} {code(one.field)}" if one.field else plain(one.machine)
    return f"{where}, {code(one.decision_id)} ({one.attempt}): {plain(one.reason)}"


def _bare(lines: Iterable[str], tr: Any) -> list[tuple[str, str]]:
    return [("", line) for line in lines] or [("", tr("none", "aucun"))]


def _metric(value: Any) -> str:
    return ", ".join(map(plain, value)) or "-" if isinstance(value, list | tuple) else plain(str(value))
