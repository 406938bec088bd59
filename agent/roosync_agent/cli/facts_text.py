"""One fact of the bus in one line, as a person reads it: who did what, to what, and what came of it.

A table by kind. A kind that is not in it is shown with its subject, so nothing is hidden from `roosync tail`.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.columns import folded, paint
from roosync_agent.wording import heard, mark, tr, trn

LEVELS = {1: mark("warning"), 2: mark("a person must act"), 3: mark("EMERGENCY")}
TONES = {1: "warn", 2: "bad", 3: "bad"}


def fact_line(kind: str, message: Any, about: str, *, colour: bool = False, who: int = 16, room: int = 0) -> str:
    """`kind` and `about` are those of the subject; `message` is decoded and signed by whom it names.

    `who`: columns of the speaker's name. `room`: columns of a line, beyond which it is folded; 0: never.
    """
    say = WORDS.get(kind)
    text = harmless(say(message) if say else about)
    tone = TONES.get(getattr(message, "level", 0), "")
    head = f"{message.timestamp:%H:%M:%S}  {message.agent:<{who}}  {kind:<10}  "
    lines = folded(text, room, len(head))
    return "\n".join(
        [head + paint(lines[0].lstrip(), tone, colour), *(paint(line, tone, colour) for line in lines[1:])]
    )


def told_otherwise(message: Any) -> bool:
    """Is this an audit line about something whose own record, or end, is shown anyway?"""
    if getattr(message, "phase", "") not in ("before", "after"):
        return False
    return message.phase == "before" or message.about[:2] in RECORDS or message.action in SPOKEN


RECORDS = frozenset({"c-", "d-", "p-", "r-"})  # what the ids of records begin with
SPOKEN = frozenset({"publish package", "publish baseline", "set policy", "enrol", "renew membership", "set roster"})


MOMENT = timedelta(milliseconds=50)
GONE_WRONG = frozenset({"failed", "rolled_back", "rollback_failed", "overwritten"})


def _status(m: Any) -> str:
    parts = [m.status, _divergences(m.divergences_count)]
    parts += [tr("{number} pending", number=m.pending_decisions)] if m.pending_decisions else []
    parts += [tr("baseline {version}", version=m.baseline_version)] if m.baseline_version else []
    parts += [tr("quarantined: {targets}", targets=", ".join(sorted(m.quarantine)))] if m.quarantine else []
    parts += [tr("paused")] if m.paused else []
    return ", ".join(parts)


def _divergences(count: int) -> str:
    return trn("{count} divergence", "{count} divergences", count)


def _machines(count: int) -> str:
    return trn("{count} machine", "{count} machines", count)


def _round(m: Any) -> list[str]:
    return [tr("round {number}", number=m.round)] if m.round else []


def _decision(m: Any) -> str:
    status = m.status
    if m.policy_proof and m.status == "approved":
        status = tr("{status} by policy {revision}", status=status, revision=m.policy_proof.policy_revision)
    if m.rollback_requested and m.status == "applied":
        status = tr("{status}, rollback asked", status=status)
    parts = [tr("{id} {status}: {thing} on {machine}", id=m.id, status=status, thing=m.entity, machine=m.machine)]
    parts += [m.action, tr("risk {risk}", risk=m.risk)] if m.status == "pending" else []
    parts += [tr("attempt {number}", number=m.attempt)] if m.attempt > 1 else []
    last = f": {'; '.join(map(heard, m.log[-2:]))}" if m.log and m.status in GONE_WRONG else ""
    return ", ".join(parts) + last


def _cycle(m: Any) -> str:
    step = tr("{checkpoint} reached", checkpoint=m.reached[-1].checkpoint.upper()) if m.reached else tr("started")
    if (
        m.status == "running" and abs(m.timestamp - m.entered) > MOMENT
    ):  # it moved nowhere: a warning, or another leader
        warned = m.escalations and abs(m.timestamp - m.escalations[-1].at) < MOMENT
        step = tr("warns") if warned else tr("goes on, led by {machine}", machine=m.agent)
    machines = _machines(len(m.participants) - len(m.excused))
    at = m.checkpoint.upper()
    if m.status == "done":
        return tr("{id} done: {step}, {machines}", id=m.id, step=step, machines=machines)
    if m.status == "aborted":
        return tr("{id} aborted at {checkpoint}", id=m.id, checkpoint=at) + (f": {heard(m.note)}" if m.note else "")
    if m.status == "waiting":
        told = [tr("{id} waits for a person at {checkpoint}", id=m.id, checkpoint=at), *_round(m)]
        return f"{', '.join(told)}: {heard(m.waiting_for)}"
    told = [
        tr("{id} {step}; {checkpoint} awaited from {machines}", id=m.id, step=step, checkpoint=at, machines=machines)
    ]
    return ", ".join([*told, *([tr("strict")] if m.strict else []), *_round(m)])


def _arrival(m: Any) -> str:
    saw = f"{m.status}, {_divergences(m.divergences_count)}" if m.status != "unknown" else tr("not compared yet")
    told = [tr("is at {checkpoint} of {cycle}", checkpoint=m.checkpoint.upper(), cycle=m.cycle), *_round(m)]
    return f"{', '.join(told)}: {saw}"


def _request(m: Any) -> str:
    told = {"id": m.id, "asker": m.asker, "kind": m.kind, "action": m.action, "minutes": f"{m.timeout_minutes:g}"}
    to = tr("the operators") if m.to == "op-any" else m.to
    if m.status == "requested" and m.dependencies == "waiting":
        return tr(
            "{id} {asker} asks {to} for {kind}: {action} (within {minutes} min, not to be begun yet)", to=to, **told
        )
    if m.status == "requested":
        return tr("{id} {asker} asks {to} for {kind}: {action} (within {minutes} min)", to=to, **told)
    outcome = f": {heard(m.outcome)}" if m.outcome else ""
    return (
        tr("{id} {action} {status} by {machine}", id=m.id, action=m.action, status=m.status, machine=m.agent) + outcome
    )


def _alarm(m: Any) -> str:
    about = f" ({m.about})" if m.about else ""
    means = tr(LEVELS[m.level]) if m.level in LEVELS else "?"
    return tr("level {level}, {means}: {reason}", level=m.level, means=means, reason=heard(m.reason)) + about


def _audit(m: Any) -> str:
    if m.phase == "before":
        return tr("before: {action} {thing}", action=m.action, thing=m.about)
    last = f" ({heard(m.details.strip().splitlines()[-1])[:120]})" if m.details.strip() else ""
    came = f" -> {m.outcome or tr('done')}" if m.outcome != m.action else ""
    return tr("after: {action} {thing}", action=m.action, thing=m.about) + came + last


def _package(m: Any) -> str:
    files = trn("{count} file", "{count} files", m.files)
    told = tr("published {version}: {files}, {things} things", version=m.version, files=files, things=m.entities)
    return told if m.complete else f"{told}, {tr('not complete')}"


def _proposal(m: Any) -> str:
    packages = trn("{count} package", "{count} packages", len(m.packages))
    told = [f"{m.id} {m.status}: {tr('{number} common', number=m.commons)}", packages]
    told += [trn("{count} question open", "{count} questions open", m.arbitrations)] if m.arbitrations else []
    return ", ".join(told)


def _divergence(m: Any) -> str:
    first = ", ".join(one.field for one in m.divergences[:3])
    more = " " + trn("and {count} more", "and {count} more", m.total - 3) if m.total > 3 else ""
    told = trn(
        "{count} divergence from {reference}", "{count} divergences from {reference}", m.total, reference=m.reference
    )
    return told + (f": {first}{more}" if first else "")


def _metric(m: Any) -> str:
    return tr(
        "{session}: {minutes} min, {resolved} of {detected} divergences resolved, {back} rolled back",
        session=m.test_session,
        minutes=f"{m.duration_minutes:g}",
        resolved=m.divergences_resolved,
        detected=m.divergences_detected,
        back=m.decisions_rollback,
    )


def _member(m: Any) -> str:
    if m.revoked:
        return tr("{machine} revoked", machine=m.machine)
    if not m.expires:
        return tr("{machine} is a member until further notice", machine=m.machine)
    return tr("{machine} is a member until {day}", machine=m.machine, day=f"{m.expires:%Y-%m-%d}")


def _policy(m: Any) -> str:
    names = ", ".join(sorted(m.paused_machines)) or tr("nobody")
    paused = tr("the fleet is paused") if m.paused else tr("paused: {machines}", machines=names)
    return f"{tr('revision {number}', number=m.revision)}; {paused}"


def _baseline(m: Any) -> str:
    told = tr("{version} is in force (revision {revision})", version=m.version, revision=m.revision)
    return f"{told}: {m.note}" if m.note else told


def _roster(m: Any) -> str:
    names = ", ".join(name for name, one in sorted(m.operators.items()) if not one.revoked)
    return tr("operators: {names}", names=names)


WORDS: dict[str, Callable[[Any], str]] = {
    "status": _status,
    "decision": _decision,
    "cycle": _cycle,
    "arrival": _arrival,
    "request": _request,
    "alarm": _alarm,
    "audit": _audit,
    "package": _package,
    "proposal": _proposal,
    "divergence": _divergence,
    "metric": _metric,
    "member": _member,
    "policy": _policy,
    "inventory": lambda m: tr("said what it is and has"),
    "baseline": _baseline,
    "roster": _roster,
    "invitation": lambda m: tr("{id}: a machine may join with a code", id=m.id),
    "enrol": lambda m: tr("{machine} asks to join with {code}", machine=m.agent, code=m.code),
}
