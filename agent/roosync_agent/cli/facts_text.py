"""One fact of the bus in one line, as a person reads it: who did what, to what, and what came of it.

A table by kind. A kind that is not in it is shown with its subject, so nothing is hidden from `roosync tail`.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from roosync_agent.cli.text import folded, harmless, many, paint

LEVELS = {1: "warning", 2: "a person must act", 3: "EMERGENCY"}
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
    parts = [m.status, many(m.divergences_count, "divergence")]
    parts += [f"{m.pending_decisions} pending"] if m.pending_decisions else []
    parts += [f"baseline {m.baseline_version}"] if m.baseline_version else []
    parts += [f"quarantined: {', '.join(sorted(m.quarantine))}"] if m.quarantine else []
    parts += ["paused"] if m.paused else []
    return ", ".join(parts)


def _decision(m: Any) -> str:
    who = f" by policy {m.policy_proof.policy_revision}" if m.policy_proof and m.status == "approved" else ""
    ask = ", rollback asked" if m.rollback_requested and m.status == "applied" else ""
    last = f": {'; '.join(m.log[-2:])}" if m.log and m.status in GONE_WRONG else ""
    risk = f", {m.action}, risk {m.risk}" if m.status == "pending" else ""
    attempt = f", attempt {m.attempt}" if m.attempt > 1 else ""
    return f"{m.id} {m.status}{who}{ask}: {m.entity} on {m.machine}{risk}{attempt}{last}"


def _cycle(m: Any) -> str:
    step = f"{m.reached[-1].checkpoint.upper()} reached" if m.reached else "started"
    if (
        m.status == "running" and abs(m.timestamp - m.entered) > MOMENT
    ):  # it moved nowhere: a warning, or another leader
        warned = m.escalations and abs(m.timestamp - m.escalations[-1].at) < MOMENT
        step = "warns" if warned else f"goes on, led by {m.agent}"
    machines = many(len(m.participants) - len(m.excused), "machine")
    strict = ", strict" if m.strict else ""
    again = f", round {m.round}" if m.round else ""
    if m.status == "done":
        return f"{m.id} done: {step}, {machines}"
    if m.status == "aborted":
        return f"{m.id} aborted at {m.checkpoint.upper()}{': ' + m.note if m.note else ''}"
    if m.status == "waiting":
        return f"{m.id} waits for a person at {m.checkpoint.upper()}{again}: {m.waiting_for}"
    return f"{m.id} {step}; {m.checkpoint.upper()} awaited from {machines}{strict}{again}"


def _arrival(m: Any) -> str:
    saw = f"{m.status}, {many(m.divergences_count, 'divergence')}" if m.status != "unknown" else "not compared yet"
    again = f", round {m.round}" if m.round else ""
    return f"is at {m.checkpoint.upper()} of {m.cycle}{again}: {saw}"


def _request(m: Any) -> str:
    to = "the operators" if m.to == "op-any" else m.to
    if m.status == "requested":
        waits = ", not to be begun yet" if m.dependencies == "waiting" else ""
        return f"{m.id} {m.asker} asks {to} for {m.kind}: {m.action} (within {m.timeout_minutes:g} min{waits})"
    outcome = f": {m.outcome}" if m.outcome else ""
    return f"{m.id} {m.action} {m.status} by {m.agent}{outcome}"


def _alarm(m: Any) -> str:
    about = f" ({m.about})" if m.about else ""
    return f"level {m.level}, {LEVELS.get(m.level, '?')}: {m.reason}{about}"


def _audit(m: Any) -> str:
    if m.phase == "before":
        return f"before: {m.action} {m.about}"
    last = f" ({m.details.strip().splitlines()[-1][:120]})" if m.details.strip() else ""
    came = f" -> {m.outcome or 'done'}" if m.outcome != m.action else ""
    return f"after: {m.action} {m.about}{came}{last}"


def _package(m: Any) -> str:
    whole = "" if m.complete else ", not complete"
    return f"published {m.version}: {many(m.files, 'file')}, {m.entities} things{whole}"


def _proposal(m: Any) -> str:
    asks = f", {many(m.arbitrations, 'question')} open" if m.arbitrations else ""
    return f"{m.id} {m.status}: {m.commons} common, {many(len(m.packages), 'package')}{asks}"


def _divergence(m: Any) -> str:
    first = ", ".join(one.field for one in m.divergences[:3])
    more = f" and {m.total - 3} more" if m.total > 3 else ""
    return f"{many(m.total, 'divergence')} from {m.reference}{': ' + first + more if first else ''}"


def _metric(m: Any) -> str:
    found = f"{m.divergences_resolved} of {m.divergences_detected} divergences resolved"
    return f"{m.test_session}: {m.duration_minutes:g} min, {found}, {m.decisions_rollback} rolled back"


def _member(m: Any) -> str:
    return f"{m.machine} revoked" if m.revoked else f"{m.machine} is a member until {_day(m.expires)}"


def _policy(m: Any) -> str:
    paused = "the fleet is paused" if m.paused else f"paused: {', '.join(sorted(m.paused_machines)) or 'nobody'}"
    return f"revision {m.revision}; {paused}"


def _day(moment: Any) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "further notice"


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
    "inventory": lambda m: "said what it is and has",
    "baseline": lambda m: f"{m.version} is in force (revision {m.revision}){': ' + m.note if m.note else ''}",
    "roster": lambda m: f"operators: {', '.join(n for n, one in sorted(m.operators.items()) if not one.revoked)}",
    "invitation": lambda m: f"{m.id}: a machine may join with a code",
    "enrol": lambda m: f"{m.agent} asks to join with {m.code}",
}
