"""The changes of a fleet in words, a line for each, where there is no screen."""

import json
from collections.abc import Iterator
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.cli.watch.following import Seen
from roosync_agent.wording import heard, tr

OF_MACHINE = ("seen", "state", "roosync_version", "baseline_version", "waiting_for")


def changed(before: Seen, now: Seen) -> Iterator[str]:
    """What is different, in words; nothing when a person would see no difference."""
    if now.trouble:
        yield f"! {harmless(heard(now.trouble))}"
        return
    if before.trouble:
        yield f"! {tr('The agent answers again.')}"
    if now.away != before.away:
        yield f"! {tr('The broker does not answer.') if now.away else tr('The broker is back.')}"
    if not before.overview:
        yield _at_first(now.overview)
        return
    yield from _machines(before.overview, now.overview)
    yield from _decisions(before, now)
    yield from _others(before, now)


def _at_first(fleet: dict[str, Any]) -> str:
    return tr(
        "Fleet {fleet}: {status}, machines: {machines}, pending decisions: {pending}",
        fleet=harmless(fleet["fleet"]), status=fleet["status"], machines=len(fleet["machines"]),
        pending=fleet["pending_decisions"],
    )  # fmt: skip


def _machines(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    if before["status"] != now["status"]:
        yield tr("fleet: {before} -> {now}", before=before["status"], now=now["status"])
    known = {row["machine"]: row for row in before["machines"]}
    for row in now["machines"]:
        old = known.pop(row["machine"], {})
        told = [f"{old.get(name) or '-'} -> {row[name] or '-'}" for name in OF_MACHINE if old.get(name) != row[name]]
        if bool(old.get("paused")) != bool(row.get("paused")):
            told.append(tr("paused") if row.get("paused") else tr("goes on"))
        if told:
            yield f"{harmless(row['machine'])}: {harmless(', '.join(told))}"
    for name in known:
        yield tr("{machine}: it is no member any more", machine=harmless(name))


def _decisions(before: Seen, now: Seen) -> Iterator[str]:
    known = {(row["id"], row["machine"]): row for row in before.decisions}
    for row in now.decisions:
        old = known.pop((row["id"], row["machine"]), None)
        if old is None or (old["status"], old["failed"]) != (row["status"], row["failed"]):
            yield f"{row['id']}  {row['status']}  {row['risk']}  {harmless(row['entity'])} {_on(row)}"
    for row in known.values():
        yield f"{row['id']}  {tr('ended')}  {row['risk']}  {harmless(row['entity'])} {_on(row)}"


def _on(row: dict[str, Any]) -> str:
    return tr("on {machine}", machine=harmless(row["machine"]))


def _others(before: Seen, now: Seen) -> Iterator[str]:
    for name, word in (("cycles", tr("cycle")), ("rollouts", tr("rollout"))):
        known = {one["id"]: one for one in before.overview.get(name, ())}
        for one in now.overview.get(name, ()):
            if known.pop(one["id"], None) != one:
                place = one.get("checkpoint") or f"{one.get('wave')}/{one.get('waves')}"
                yield harmless(f"{word} {one['id']}: {one['status']} {place} {heard(one['waiting_for'])}").rstrip()
        for id_ in known:
            yield f"{word} {harmless(id_)}: {tr('ended')}"
    if (unread := now.overview.get("mail_unread", 0)) != before.overview.get("mail_unread", 0):
        yield tr("unread mail {count}", count=unread)


def line(seen: Seen, text: str) -> str:
    return f"{seen.at.strftime('%H:%M:%S') if seen.at else '--:--:--'}  {text}"


def as_json(seen: Seen) -> str:
    """The overview, with what stands in its way; `roosync status --json` has the same."""
    text = json.dumps(seen.overview | {"trouble": seen.trouble, "away": seen.away}, ensure_ascii=True)
    return text.replace("\x7f", "\\u007f")
