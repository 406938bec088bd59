"""Lists of decisions on a terminal: the first of many, how many have which risk, and what became of those answered."""

from collections.abc import Iterator
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.cli.outcomes_text import accounted, counted
from roosync_agent.cli.text import next_line, reference_text, table_with_lines
from roosync_agent.columns import hanging, width
from roosync_agent.wording import heard, mark, tr, trn

LESSER = ("none", "low")  # that a person may well approve together
# head of a column -> the row's member, and what is usual there: a column of nothing else is left out
COLUMNS: dict[str, tuple[str, object]] = {
    mark("DECISION"): ("id", None),
    mark("MACHINE"): ("machine", None),
    mark("FIELD"): ("entity", None),
    mark("COMPARED WITH"): ("reference", "baseline"),
    mark("RISK"): ("risk", None),
    mark("STATUS"): ("status", None),
    mark("ACTION"): ("action", "override_local"),
    mark("TRY"): ("attempt", 1),
}


def listed_text(found: dict[str, Any]) -> str:
    """The table; below each whose apply failed, what its machine said last, and that a person is waited for."""
    rows = found["decisions"]
    if not rows:
        return tr("No decision waits.")
    shown = {head: name for head, (name, usual) in COLUMNS.items() if {row[name] for row in rows} != {usual}}
    cells = [[reference_text(row[n]) if n == "reference" else row[n] for n in shown.values()] for row in rows]
    lines = table_with_lines(cells, [tr(head) for head in shown], [_below(row) for row in rows])
    return "\n".join([*lines, "", *_counts(found), *_following(found)])


def _below(row: dict[str, Any]) -> str:
    if not row["failed"]:
        return ""
    told = tr("failed: approve again or reject")
    return told + "".join(f" ({heard(line)})" for line in row["log"])


def _counts(found: dict[str, Any]) -> Iterator[str]:
    count = trn("{count} pending", "{count} pending", found["pending"])
    if found["failed"]:
        count += ", " + trn("{count} failed", "{count} failed", found["failed"])
    yield f"{count}."
    total = found.get("total") or len(found["decisions"])
    if total > len(found["decisions"]):
        risks = ", ".join(f"{number} {risk}" for risk, number in found["risks"].items())
        told = tr("Shown: {shown} of {total} ({risks}).", shown=len(found["decisions"]), total=total, risks=risks)
        yield from hanging(told, width(), 2)


def _following(found: dict[str, Any]) -> Iterator[str]:
    rows = found["decisions"]
    waiting = [row for row in rows if row["failed"] or row["status"] == "pending"]
    one = f"roosync decision show {waiting[0]['id']}" if len(waiting) == 1 else "roosync decision show ID"
    yield next_line(one)
    place = " " * len(tr("Next: {command}", command=""))
    if sum(row["risk"] in LESSER and row["status"] == "pending" for row in rows) > 1:
        yield place + "roosync approve --all --risk low" + f"    ({tr('each is shown first')})"
    if found.get("total", 0) > len(rows):
        yield place + "roosync decisions --limit 0" + f"    ({tr('all; --machine and --risk choose')})"


def approved_text(answer: dict[str, Any]) -> str:
    """What was signed, and with --wait how each machine ended."""
    lines = [_line(row) for row in answer["decisions"]]
    if "machines" in answer:
        lines += ["", *accounted(answer["machines"]), "", counted(answer["machines"])]
    if left := answer.get("left"):
        lines += ["", trn("{count} decision still waits.", "{count} decisions still wait.", left)]
    return "\n".join([*lines, "", next_line("roosync status")])


def step_text(row: dict[str, Any]) -> str:
    """One decision after a step of a person."""
    return f"{_line(row)}\n\n{next_line('roosync status')}"


def _line(row: dict[str, Any]) -> str:
    where = tr("{entity} on {machine}", entity=harmless(row["entity"]), machine=row["machine"])
    return f"{row['id']}  {row['status']}  {where}"
