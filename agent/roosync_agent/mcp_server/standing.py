"""How things stand that a person is asked to sign with one of the rarer commands: level, not edge.

A tool looks here before it asks, and after it: what is so already is told as done, and nobody is asked again.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from roosync_agent.mcp_server.desk import Desk, ToolFault

Given = Mapping[str, Any]
Look = Callable[[Desk, Given], Awaitable[tuple[bool, str]]]  # is it so already; how it stands, in a word


async def _paused(desk: Desk, given: Given) -> tuple[bool, str]:
    return given["machine"] in (found := (await desk.ask("policy_show"))["paused_machines"]), _paused_text(found)


async def _resumed(desk: Desk, given: Given) -> tuple[bool, str]:
    found = await desk.ask("policy_show")
    me = (await desk.ask("status"))["overview"]["agent"]
    machine = given.get("machine", me)
    paused = machine in found["paused_machines"] or (machine == me and found["paused_here"])
    return not paused and not found["paused"], _paused_text(found["paused_machines"])


def _paused_text(machines: list[str]) -> str:
    return f"paused: {', '.join(machines)}" if machines else "no machine is paused by an operator"


async def _policy(desk: Desk, given: Given) -> tuple[bool, str]:
    answers = (await desk.ask("policy_show"))["answers"]
    wanted = dict(one.split("=", 1) for one in given["settings"] if "=" in one)
    return all(answers.get(risk) == way for risk, way in wanted.items()), ", ".join(
        f"{risk}={way}" for risk, way in answers.items()
    )


async def _revoked(desk: Desk, given: Given) -> tuple[bool, str]:
    known = {one["machine"] for one in (await desk.ask("machines"))["machines"]}
    gone = given["machine"] not in known
    if gone:
        try:
            await desk.ask("preview", deed="revoke", given={"name": given["machine"]})
        except ToolFault as fault:
            if "revoked already" not in str(fault):
                raise  # a name that no machine ever had
    return gone, "no member" if gone else "a member"


async def _labelled(desk: Desk, given: Given) -> tuple[bool, str]:
    found = (await desk.ask("machines", on=given["on"]))["machines"]
    taken = {one[:-1] for one in given["settings"] if "=" not in one}
    wanted = dict(one.split("=", 1) for one in given["settings"] if "=" in one)
    is_so = [wanted.items() <= one["labels"].items() and not taken & one["labels"].keys() for one in found]
    return bool(found) and all(is_so), f"{sum(is_so)} of {len(found)} machines"


async def _restored(desk: Desk, given: Given) -> tuple[bool, str]:
    law = next((one for one in await desk.ask("baseline_versions") if one["in_force"]), None)
    if law is None:
        return False, "none"
    wanted = given["version"]  # restored it has a version of its own, and says of which it was made
    return law["version"] == wanted or law["note"] == f"restores {wanted}", law["version"]


def _rollout(*ends: str) -> Look:
    async def look(desk: Desk, given: Given) -> tuple[bool, str]:
        status = (await desk.ask("rollout_show", id_=given.get("id")))["status"]
        return status in ends, status

    return look


async def _required(desk: Desk, given: Given) -> tuple[bool, str]:
    try:
        found = await desk.ask("update_show")
    except ToolFault:  # none was required yet
        return False, "none"
    holds = found["in_force"] and not found["withdrawn"]
    return holds and found["version"] == given["version"], f"{found['version']}{'' if holds else ', withdrawn'}"


async def _withdrawn(desk: Desk, given: Given) -> tuple[bool, str]:
    found = await desk.ask("update_show")
    return found["withdrawn"], f"{found['version']}{', withdrawn' if found['withdrawn'] else ''}"


async def _excused(desk: Desk, given: Given) -> tuple[bool, str]:
    found = await desk.ask("cycle_show")
    return given["machine"] in found["excused"], found["status"]


def _cycle(is_so: Callable[[dict[str, Any]], bool]) -> Look:
    async def look(desk: Desk, given: Given) -> tuple[bool, str]:
        found = await desk.ask("cycle_show", id_=given.get("id"))
        return is_so(found), found["status"]

    return look


def _request(status: str) -> Look:
    async def look(desk: Desk, given: Given) -> tuple[bool, str]:
        found = (await desk.ask("request_show", id_=given["id"]))["status"]
        return found == status, found

    return look


LOOKS: dict[str, Look] = {
    "pause": _paused,
    "resume": _resumed,
    "set_policy": _policy,
    "revoke": _revoked,
    "label": _labelled,
    "restore_baseline": _restored,
    "resume_rollout": _rollout("running", "done"),
    "stop_rollout": _rollout("stopped"),
    "require_update": _required,
    "resume_update": _rollout("running", "done"),
    "withdraw_update": _withdrawn,
    "excuse_from_cycle": _excused,
    "resume_cycle": _cycle(lambda found: found["status"] == "running" and not found["stopped"]),
    "abort_cycle": _cycle(lambda found: found["status"] == "aborted"),
    "request_done": _request("done"),
    "refuse_request": _request("refused"),
}  # what is not here can be asked for again: renewing twice is no harm
