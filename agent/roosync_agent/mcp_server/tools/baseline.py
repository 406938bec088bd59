"""Tools about the baseline: propose it, read it, and ask a person for its answers and its signature."""

from typing import Any, Literal

from msgspec import Struct, structs

from roosync_agent.mcp_server.asking import Signing, ask_person, unasked
from roosync_agent.mcp_server.desk import Desk, ToolFault, typed
from roosync_agent.mcp_server.pages import paged
from roosync_agent.mcp_server.parameters import Entity, Id, Limit, Line, Machine, Offset, Version, Wait
from roosync_agent.mcp_server.tool import ASKS, READS, SAYS_ONCE, Row

Take = Literal["suggested", "machine", "union", "special", "omit"]


class Baseline(Struct, frozen=True, kw_only=True):
    kind: str
    id: str
    status: str
    version: str
    revision: int
    machines: list[str]
    common_count: int
    common: list[str]
    left: int
    missing_on: dict[str, list[str]]
    special: dict[str, list[str]]
    removed: list[str]
    question_count: int
    questions: list[dict[str, Any]]
    excluded: dict[str, str]
    problems: list[str]
    signed_by: str = ""
    published: str | None = None


async def propose_baseline(desk: Desk) -> Baseline:
    return _shown(desk, await desk.ask("baseline_propose"), 50, 0)


async def get_baseline(desk: Desk, which: Id | None = None, limit: Limit = 50, offset: Offset = 0) -> Baseline:
    return _shown(desk, await desk.ask("baseline_show", id_=which), limit, offset)


class Versions(Struct, frozen=True, kw_only=True):
    total: int
    left: int
    rows: list[dict[str, Any]]


async def list_baseline_versions(desk: Desk, limit: Limit = 20, offset: Offset = 0) -> Versions:
    found = list(reversed(await desk.ask("baseline_versions")))
    return typed(Versions, paged(desk, found, limit, offset))


async def choose_baseline(
    desk: Desk, choice: Take, field: Entity | None = None, machine: Machine | None = None, wait_seconds: Wait = 45
) -> Signing:
    if (choice == "machine") != (machine is not None) or (choice != "suggested" and field is None):
        raise ToolFault("arguments", "choice=machine names a machine; every choice but suggested names a field")
    shown = await desk.ask("baseline_show")
    _require_proposal(shown)
    asked = [one for one in shown["arbitrations"] if field in (None, one["key"])]
    way = {"suggested": ["--suggested"], "machine": ["--take", machine or ""]}.get(choice, [f"--{choice}"])
    words = ["baseline", "choose", *way, *([field] if field else [])]
    if not asked and field and choice != "omit" and not _has(shown, field):
        raise ToolFault("missing", f"{shown['id']} has no field {field!r}", "roosync_get_baseline names the fields")
    if not asked:
        return _over(desk, shown, words, "no such question is open")
    return await _signed(desk, shown, words, wait_seconds, {"questions": asked})


async def validate_baseline(desk: Desk, wait_seconds: Wait = 45) -> Signing:
    shown = await desk.ask("baseline_show")
    _require_proposal(shown)
    words = ["baseline", "validate", shown["id"]]
    if shown["status"] == "validated":
        return _over(desk, shown, words, f"{shown['id']} is validated")
    if shown["arbitrations"]:
        raise ToolFault("missing", f"{len(shown['arbitrations'])} questions are open", "roosync_choose_baseline")
    return await _signed(desk, shown, words, wait_seconds, _summary(shown))


async def publish_baseline(
    desk: Desk, version: Version | None = None, note: Line = "", wait_seconds: Wait = 45
) -> Signing:
    shown = await desk.ask("baseline_show")
    options = [*(["--version", version] if version else []), *(["--note", note] if note else [])]
    words = ["baseline", "publish", *options, *([shown["id"]] if shown["kind"] == "proposal" else [])]
    if shown["kind"] == "baseline" and version not in (None, shown["version"]):
        _require_proposal(shown)
    if shown["kind"] == "baseline":
        return _over(desk, shown, words, f"baseline {shown['version']} is in force, and no proposal waits")
    if shown["arbitrations"]:
        raise ToolFault("missing", f"{len(shown['arbitrations'])} questions are open", "roosync_choose_baseline")
    return await _signed(desk, shown, words, wait_seconds, _summary(shown))


# -- inside


def _shown(desk: Desk, found: dict[str, Any], limit: int, offset: int) -> Baseline:
    page = paged(desk, sorted(found["commons"]), limit, offset)
    names = page["rows"]
    questions = found["arbitrations"][:limit]
    if found["kind"] == "proposal":
        desk.next.append(_following(found))
    else:
        desk.next.append("roosync_compare_config, or roosync_explain with a name of `common` for its value")
    return typed(Baseline, {
        **found, "common_count": page["total"], "common": names, "left": page["left"],
        "missing_on": {name: found["pending"][name] for name in names if found["pending"].get(name)},
        "special": {machine: list(overlay["entities"]) for machine, overlay in found["overlays"].items()},
        "question_count": len(found["arbitrations"]), "questions": questions,
    })  # fmt: skip


def _following(found: dict[str, Any]) -> str:
    if found["arbitrations"]:
        return "talk the questions over with the person; roosync_choose_baseline asks them to sign the answers"
    if found["status"] == "validated":
        return "roosync_publish_baseline"
    return "roosync_validate_baseline, then roosync_publish_baseline"


def _summary(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("id", "machines", "problems")} | {"common": sorted(found["commons"])}


def _require_proposal(found: dict[str, Any]) -> None:
    if found["kind"] != "proposal":
        raise ToolFault("missing", f"no proposal waits; baseline {found['version']} is in force",
                        "roosync_propose_baseline")  # fmt: skip


def _has(shown: dict[str, Any], field: str) -> bool:
    return any(field in found for found in (shown["commons"], *(one["entities"] for one in shown["overlays"].values())))


def _over(desk: Desk, found: dict[str, Any], words: list[str], says: str) -> Signing:
    desk.next.append(_following(found) if found["kind"] == "proposal" else "roosync_list_diffs")
    return unasked(desk, "done", words, says, found["status"])


async def _signed(desk: Desk, found: dict[str, Any], words: list[str], wait: float, about: dict[str, Any]) -> Signing:
    done = await ask_person(desk, words, wait, state=found["status"], about=about)
    if done.outcome in ("prepared", "needs_person"):
        return done
    now = await desk.ask("baseline_show")
    if done.outcome == "done":
        desk.next.append(_following(now) if now["kind"] == "proposal" else "roosync_list_diffs")
    return structs.replace(done, state=f"{now['kind']} {now['version'] or now['id']} {now['status']}")


ROWS = (
    Row("roosync_propose_baseline", propose_baseline, "Propose a baseline", SAYS_ONCE,
        "Consolidates the machines' latest packages into a proposal: what is common, what is special, what is "
        "asked."),
    Row("roosync_get_baseline", get_baseline, "Baseline", READS,
        "The proposal that waits, else the baseline in force; `which`: a proposal or version. Its questions are "
        "answered by a person."),
    Row("roosync_list_baseline_versions", list_baseline_versions, "Baseline versions", READS,
        "Published versions, newest first. An earlier one is restored with roosync_ask_operator."),
    Row("roosync_choose_baseline", choose_baseline, "Ask to answer questions", ASKS,
        "Asks the person to sign the answer to an open question of the proposal (`field`), or with suggested all "
        "of them."),
    Row("roosync_validate_baseline", validate_baseline, "Ask to validate", ASKS,
        "Asks the person to sign that the proposal is right. After all questions are answered."),
    Row("roosync_publish_baseline", publish_baseline, "Ask to publish the baseline", ASKS,
        "Asks the person to sign the proposal into law: every machine compares itself with it at once."),
)  # fmt: skip
