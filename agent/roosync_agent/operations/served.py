"""The verbs a resident agent answers over the control socket: one table.

A command without a resident agent runs the same functions on a machine of its own, so both give the same
answer. Nothing here needs the operator's key.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from roosync_agent.operations import explaining, machine_side, mail, secrets_seen, servers, sharing_in, waiting
from roosync_agent.operations.baseline import baselines
from roosync_agent.operations.coordination import cycling, pinging, requests, settling
from roosync_agent.operations.decisions import applying, comparing
from roosync_agent.operations.doctoring import examining
from roosync_agent.operations.faults import fault_of, words_of
from roosync_agent.operations.machines import listing
from roosync_agent.operations.membership import policy
from roosync_agent.operations.previewing import preview
from roosync_agent.operations.reports import history, locks, reporting, views
from roosync_agent.operations.rollouts import answering, cards, planning
from roosync_agent.operations.rollouts import showing as rollouts
from roosync_agent.operations.updates import requiring
from roosync_agent.operations.updates import showing as updates
from roosync_agent.running.changes import HERE
from roosync_agent.running.machine import Machine
from roosync_agent.updating import health
from roosync_protocol.secrets import scrub

log = logging.getLogger("roosync.control")

Verb = Callable[..., Awaitable[Any]]

VERBS: dict[str, Verb] = {
    "status": machine_side.status,
    "machines": listing.listed,
    "inventory": machine_side.inventory,
    "collect": machine_side.collect,
    "publish": machine_side.publish,
    "compare": comparing.compare,
    "diffs": machine_side.diffs,
    "decisions": machine_side.decisions,
    "decision_show": machine_side.decision_show,
    "decision_cards": cards.of,
    "apply": applying.apply,
    "apply_decision": applying.apply_decision,
    "quarantine_release": machine_side.quarantine_release,
    "pause": machine_side.pause,
    "preview": preview,
    "policy_show": policy.show,
    "export": views.export,
    "document": views.document,
    "explain": explaining.explain,
    "secrets": secrets_seen.secrets,
    "servers": servers.table,
    "servers_removal": servers.removal,
    "servers_share": servers.share,
    "history": history.history,
    "locks": locks.locks,
    "ping": pinging.ask,
    "doctor": examining.doctor,
    "update_health": health.health,
    "message_send": mail.send,
    "message_inbox": mail.inbox,
    "message_read": mail.read,
    "message_reply": mail.reply,
    "message_mark": mail.mark,
    "message_remove": mail.remove,
    "requests": requests.listed,
    "request_ask": requests.ask,
    "request_ask_each": requests.ask_each,
    "request_show": requests.show,
    "request_ready": requests.ready,
    "cycle_start": cycling.start,
    "cycle_show": cycling.show,
    "cycle_list": cycling.listed,
    "cycle_metrics": cycling.metrics,
    "cycle_report": reporting.cycle,
    "decisions_settled": settling.decisions,
    "requests_settled": settling.requests,
    "rollout_plan": planning.plan,
    "rollout_show": rollouts.show,
    "rollout_list": rollouts.listed,
    "rollout_resumption": answering.resumption,
    "update_plan": requiring.plan,
    "update_show": updates.show,
    "import_share": sharing_in.import_share,
    "imported": sharing_in.imported,
    "imported_compare": sharing_in.imported_compare,
    "imported_propose": sharing_in.imported_propose,
    "report_status": reporting.status,
    "report_divergence": reporting.divergence,
    "report_request": reporting.request,
    "baseline_propose": baselines.propose,
    "baseline_show": baselines.show,
    "baseline_versions": baselines.versions,
    "baseline_export": baselines.export_file,
    "wait_change": waiting.wait_change,
}
READ_ONLY = frozenset(
    {"status", "machines", "diffs", "decisions", "decision_show", "policy_show", "baseline_show", "baseline_versions"}
    | {"history", "locks", "ping", "doctor", "update_health", "requests", "request_show"}
    | {"document", "report_status", "report_divergence", "report_request", "imported"}
    | {"cycle_show", "cycle_list", "cycle_metrics", "cycle_report"}
    | {"decision_cards", "decisions_settled", "requests_settled"}
    | {"rollout_plan", "rollout_show", "rollout_list", "rollout_resumption", "update_plan", "update_show"}
    | {"wait_change", "preview"}
)

# Nothing on the bus tells what these change; who waits for a change is woken (`waiting`).
UNSAID = frozenset({"pause", "quarantine_release", "message_read", "message_mark", "message_remove"})

# Mail touches nothing that a turn works on, and does not wait for one.
APART = READ_ONLY | {verb for verb in VERBS if verb.startswith("message_")}


async def answer(machine: Machine, verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """The answer as JSON builtins: `{"result": ...}`, or `{"error": {"kind", "message"}}`.

    `"away": true` beside a result says that it is of before: the broker does not answer at this moment.
    """
    run = VERBS.get(verb)
    if run is None:
        return {"error": {"kind": "request", "message": f"this agent knows no {verb!r}; is it of an older version?"}}
    try:
        await machine.following.look_around()
        if verb in APART:
            result = await run(machine, **args)
        else:
            async with machine.turn:
                result = await run(machine, **args)
        if verb in UNSAID:
            machine.changes.note(HERE)
        away = {} if machine.session.reachable else {"away": True}
        return {"result": msgspec.to_builtins(result, str_keys=True), **away}
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            log.exception("%s failed in an unexpected way", verb)
            return {"error": {"kind": "internal", "message": scrub(f"{type(error).__name__}: {error}")}}
        return {"error": {"kind": fault, "message": scrub(words_of(error))}}
