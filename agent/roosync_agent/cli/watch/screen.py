"""The fleet as lines of a screen: so many columns, so many lines, and none more, however few there are.

Everything that came from a machine goes through `harmless` before its columns are counted.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from roosync_agent.characters import brief, harmless
from roosync_agent.cli.text import TONES, beside_it
from roosync_agent.cli.watch.following import Seen
from roosync_agent.cli.watch.lines import Line, drawn, folded_lines, padded
from roosync_agent.cli.watch.view import View
from roosync_agent.columns import columns
from roosync_agent.wording import heard, tr, trn
from roosync_protocol.risk_names import RISK_NAMES

LOW = 8  # lines; below, only the pane that is looked at is shown between title and last line
ROOMY = 62  # columns; below, a row shows only what it can not be understood without
NAME = 24  # columns of a machine's name at most
ROUTES = {
    "coordination": ("INIT", "STATUS", "DIFFS", "RESOLUTION", "FINAL"),
    "deployment": ("VERSION", "COLLECTED", "BASELINE", "SYNCED"),
}


def frame(view: View, seen: Seen, wide: int, high: int, *, colour: bool) -> list[str]:
    """The whole screen."""
    foot = [_foot(view, seen)] if high > 1 else []
    if view.text is not None:
        return _text(view, foot, wide, high, colour)
    head = _head(seen, wide)[: max(1, high // 4)] if high > 2 else []
    room = high - len(head) - len(foot)
    body = _body(view, seen, wide, room)
    lines = [*head, *body, *[[("", "")]] * (room - len(body)), *foot]
    return [drawn(line, wide, colour) for line in lines[:high]]


def _text(view: View, foot: list[Line], wide: int, high: int, colour: bool) -> list[str]:
    assert view.text is not None
    lines = folded_lines(view.text(), wide)
    view.page = max(1, high - len(foot))
    view.top = max(0, min(view.top, len(lines) - view.page))
    shown = lines[view.top : view.top + view.page]
    return [*shown, *[""] * (view.page - len(shown)), *(drawn(line, wide, colour) for line in foot)]


# -- head and foot


def _head(seen: Seen, wide: int) -> list[Line]:
    fleet = seen.overview
    status = fleet["status"]
    title = tr("Fleet {fleet}, seen by {agent}", fleet=harmless(fleet["fleet"]), agent=harmless(fleet["agent"]))
    clock = seen.at.strftime("%H:%M:%S") if seen.at else ""
    lines: list[Line] = [
        [(title, "bold"), ("   ", ""), (harmless(status), TONES.get(status, "warn")), (f"   {clock}", "dim")]
    ]
    if trouble := seen.trouble or (tr("The broker does not answer: this was heard before.") if seen.away else ""):
        lines.append([(f"! {harmless(heard(trouble))}", "bad")])
    count = fleet["divergences_count"]
    told = [
        tr("baseline {version}", version=harmless(fleet["baseline_version"] or "-")),
        tr("divergences {count}", count="?" if count is None else count),
        tr("pending {count}", count=fleet["pending_decisions"]),
        tr("unread mail {count}", count=fleet.get("mail_unread", 0)),
    ]
    if asked := fleet.get("requests_waiting"):
        told.append(tr("requests {count}", count=asked))
    if fleet.get("paused"):
        told.append(tr("PAUSED"))
    lines.append([("   ".join(told), "")])
    lines += [[(f"! {harmless(heard(warning))}", "warn")] for warning in fleet.get("warnings", ())]
    return lines


def _foot(view: View, seen: Seen) -> Line:
    if view.typing:
        return [(f"/{view.words}_", "bold")]
    if view.notice:
        return [(view.notice, "warn")]
    if view.text is not None:
        return [(tr("q back   j k scroll   a approve   r reject"), "dim")]
    if seen.trouble:
        return [(tr("q quit   (what is shown was seen before)"), "warn")]
    return [(tr("? help   a approve   r reject   s show   / filter   Tab machines   q quit"), "dim")]


# -- panes


def _body(view: View, seen: Seen, wide: int, room: int) -> list[Line]:
    if room < LOW:
        return _pane(view, seen, view.pane, wide, room)
    fixed = _work(seen)[: room // 3]
    left = room - len(fixed) - (1 if fixed else 0)
    other = "machines" if view.pane == "decisions" else "decisions"
    least = min(len(view.rows(seen, other)) + 2, max(3, left // 3))
    own = _pane(view, seen, view.pane, wide, left - least)
    beside = _pane(view, seen, other, wide, min(left - len(own), left))
    panes = {view.pane: own, other: beside}
    lines = list(panes["machines"])
    lines += [*fixed, [("", "")]] if fixed else []
    return [*lines, *panes["decisions"]][:room]


def _pane(view: View, seen: Seen, pane: str, wide: int, room: int) -> list[Line]:
    """A head, the rows around the chosen one, and an empty line where there is room for one."""
    if room <= 0:
        return []
    rows, at = view.rows(seen, pane), view.place(seen, pane)
    with_head = room > 1
    fit = room - with_head
    looked_at = view.pane == pane
    if looked_at:
        view.page = max(1, fit)
    top = max(0, min(max(view.tops[pane], at - fit + 1), at, len(rows) - fit))
    view.tops[pane] = top
    near, chosen = range(top, min(len(rows), top + fit)), at if looked_at else -1
    if pane == "machines":
        lines = _machines([rows[number] for number in near], len(rows), wide, chosen - top)
    else:
        lines = [
            _decisions_head(view, seen, rows),
            *(_decision(rows[number], wide, number == chosen) for number in near),
        ]
    if not rows:
        lines.append([("  " + _nothing(view, pane), "dim")])
    lines = lines if with_head else lines[1:]
    return [*lines, *([[("", "")]] if len(lines) < room else [])]


def _nothing(view: View, pane: str) -> str:
    if pane == "decisions" and view.words:
        return tr("No decision has these words; Esc shows all.")
    return tr("No decision waits.") if pane == "decisions" else tr("No machine yet.")


def _machine_cells(row: dict[str, Any]) -> list[tuple[str, str]]:
    state = row["state"] + (f" ({tr('paused')})" if row.get("paused") else "")
    return [
        (harmless(row["machine"]), ""),
        (harmless(row["seen"]), TONES.get(row["seen"], "")),
        (harmless(state), TONES.get(row["state"], "")),
        (brief(harmless(row["roosync_version"] or "-"), 12), ""),
        (harmless(row["baseline_version"] or "-"), ""),
        (harmless(heard(row["waiting_for"] or "-")), ""),
    ]


def _machines(rows: Sequence[dict[str, Any]], count: int, wide: int, chosen: int) -> list[Line]:
    """The head, and these rows; `count` machines there are in all. Columns as wide as what is shown in them."""
    heads = [
        tr("MACHINES {count}", count=count),
        tr("SEEN"),
        tr("STATE"),
        tr("VERSION"),
        tr("BASELINE"),
        tr("WAITS FOR"),
    ]
    shown = heads if wide >= ROOMY else heads[:3]
    cells = [_machine_cells(row) for row in rows]
    most = [max([columns(head), *(min(NAME, columns(row[at][0])) for row in cells)]) for at, head in enumerate(shown)]
    most[0] = min(most[0], max(3, wide - 12))
    rooms = [most[0] + 2, *most[1:]]  # the sign of the chosen row stands before its first column
    lines: list[Line] = [
        [("  ".join([padded(head, room) for head, room in zip(shown, rooms, strict=True)]).rstrip(), "bold")]
    ]
    for number, row in enumerate(cells):
        sign = [("> " if number == chosen else "  ", "")]
        last = len(shown) - 1
        parts = [
            (text if at == last else padded(text, most[at]) + "  ", tone)
            for at, (text, tone) in enumerate(row[: last + 1])
        ]
        lines.append(_row([*sign, *parts], number == chosen))
    return lines


def _decisions_head(view: View, seen: Seen, rows: Sequence[dict[str, Any]]) -> Line:
    risks = Counter(row["risk"] for row in rows)
    told = ", ".join(f"{risks[risk]} {risk}" for risk in reversed(RISK_NAMES) if risks[risk])
    title = tr("DECISIONS {count}", count=len(rows)) + (f": {told}" if told else "")
    some = tr("of {count}, with {words}", count=len(seen.decisions), words=view.words) if view.words else ""
    return [(title, "bold"), (f"   {some}" if some else "", "warn")]


def _decision(row: dict[str, Any], wide: int, chosen: bool) -> Line:
    status = "failed" if row["failed"] else row["status"]
    told = ("" if status == "pending" else f"   {status}") + f"   {row['id']}"
    what = f"{harmless(row['entity'])} {tr('on {machine}', machine=harmless(row['machine']))}"
    risk = padded(harmless(row["risk"]), min(9, max(1, wide // 4))) + " "
    cells = [("> " if chosen else "  ", ""), (risk, TONES.get(row["risk"], ""))]
    if wide < ROOMY:
        return _row([*cells, (what, "")], chosen)
    return _row([*cells, (padded(what, wide - columns(risk) - 2 - columns(told)), ""), (told, "dim")], chosen)


def _row(cells: Sequence[tuple[str, str]], chosen: bool) -> Line:
    return [(text, "chosen" if chosen else tone) for text, tone in cells]


def _work(seen: Seen) -> list[Line]:
    """What the fleet does together: cycles as lines of checkpoints, rollouts, and what a person is asked."""
    lines: list[Line] = [_cycle(one) for one in seen.cycles]
    for one in seen.overview.get("rollouts", ()):
        place = tr("Rollout {id}: {status}, wave {wave} of {waves}", id=harmless(one["id"]), status=one["status"],
                   wave=one["wave"], waves=one["waves"])  # fmt: skip
        asked = harmless(heard(one["waiting_for"]))
        lines.append([(place, "bad" if asked else ""), (f"   {asked}" if asked else "", "")])
    if proposal := seen.overview.get("proposal"):
        asked = trn("{count} question to answer", "{count} questions to answer", proposal["open_questions"])
        lines.append(
            [(tr("A baseline is proposed: {questions}", questions=asked), "warn"), ("   roosync baseline show", "")]
        )
    return lines


def _cycle(one: dict[str, Any]) -> Line:
    """Its checkpoints in their order; the awaited one stands out, and whoever is awaited is named."""
    route = ROUTES.get(one["route"], (one["checkpoint"].upper(),))
    here = one["checkpoint"].upper()
    at = route.index(here) if here in route else 0
    parts: list[tuple[str, str]] = [(tr("Cycle {id}", id=harmless(one["id"])) + "  ", "")]
    for number, name in enumerate(route):
        tone = "good" if number < at else "bold" if number == at else "dim"
        parts.append((f"[{name}]" if number == at else name.lower(), tone))
        parts.append((" - " if number + 1 < len(route) else "", "dim"))
    if one["waiting_for"] or one["stopped"]:
        return [
            *parts,
            (
                "   " + beside_it(tr("a person is asked"), harmless(heard(one["waiting_for"] or one["next_step"]))),
                "bad",
            ),
        ]
    if one["waits_for"]:
        parts.append(("   " + beside_it(tr("awaited"), harmless(", ".join(one["waits_for"]))), "warn"))
    return parts


def machine_text(row: dict[str, Any]) -> list[str]:
    """All that is known of a machine, for who wants to see more than its row."""
    told = [
        (tr("Machine"), row["machine"]), (tr("Seen"), row["seen"]), (tr("State"), row["state"]),
        (tr("Version"), row["roosync_version"] or "-"), (tr("Baseline"), row["baseline_version"] or "-"),
        (tr("Divergences"), "-" if row["divergences_count"] is None else row["divergences_count"]),
        (tr("Pending decisions"), row["pending_decisions"]), (tr("Waits for"), heard(row["waiting_for"] or "-")),
    ]  # fmt: skip
    notes = [f"! {harmless(heard(note))}" for note in row.get("notes", ())]
    room = max(len(name) for name, _ in told) + 2
    return [*(f"{name:<{room}}{harmless(value)}" for name, value in told), *([""] if notes else []), *notes]
