"""The table of MCP servers on a terminal of 80 columns: a letter for each variant, in one place for each machine.

    SERVER  claude  roo        1 alpha  2 beta  3 gamma
    github  AA.     A-b        capital: on; small: off; -: not there; .: the assistant is not on that machine

With more machines than fit side by side, a cell counts: `A18 B2 b1 -3`.
"""

from collections import Counter
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from roosync_agent.characters import harmless, shell_word
from roosync_agent.cli.changes import block, ordered
from roosync_agent.cli.text import next_line, table
from roosync_agent.columns import columns, hanging, width
from roosync_agent.wording import heard, tr

WIDE = 80
SIDE_BY_SIDE = 12  # machines whose letters stand beside one another
LONG = 28  # characters of a server's name in the table


def table_text(found: dict[str, Any]) -> str:
    if not found["servers"]:
        return "\n".join(
            [tr("No machine has published an MCP server."), *_doubts(found), "", next_line("roosync targets")]
        )
    machines = found["machines"]
    lines = [_machines(machines)]
    held = {cell["target"] for row in found["servers"] for cell in row["cells"]}
    agreed = {word.split(" of ")[0] for row in found["servers"] for v in row["variants"] for word in v["baseline"]}
    targets = sorted(held | agreed)
    rows = [(row, _short(row["name"])) for row in found["servers"]]
    cells = {(row["name"], target): _cell(found, row, target) for row, _ in rows for target in targets}
    for shown in _blocks(targets, [name for _, name in rows], cells, found):
        heads = (tr("SERVER"), *(harmless(label(target)) for target in shown))
        lines += ["", table([(name, *(cells[row["name"], t] for t in shown)) for row, name in rows], heads)]
    lines += [
        "",
        *hanging(tr("A, B: what is started; a, b: the same, off"), width(), 2),
        *hanging(tr("-: not there; .: no such assistant on that machine"), width(), 2),
        "",
    ]
    for row, name in rows:
        lines += _variants(found, row, name)
    return "\n".join([*lines, *_doubts(found), "", next_line("roosync mcp-servers show NAME")])


def shown_text(found: dict[str, Any]) -> str:
    """One server in full: each place, each variant, and what the others have in another way."""
    row = found["servers"][0]
    lines = [tr("MCP server {server}", server=harmless(row["name"])), ""]
    rows = [
        (
            cell["machine"],
            cell["target"],
            cell["variant"],
            tr("off") if cell["off"] else tr("on"),
            ", ".join(cell["own"]) or "-",
        )
        for cell in row["cells"]
    ]
    heads = (tr("MACHINE"), tr("ASSISTANT"), tr("VARIANT"), "", tr("FIELDS OF THE ASSISTANT'S OWN"))
    lines += [table(rows, heads)] if rows else [tr("It stands on no machine that has published.")]
    first = row["variants"][0] if row["variants"] else None
    for variant in row["variants"]:
        lines += ["", f"{variant['letter']}  {harmless(variant['runs'])}"]
        for name, value in ordered(variant["server"], "mcp_server").items():
            lines += [f"   {line}" for line in block("=", harmless(name), _plain(value))]
        if variant is not first and first is not None:
            fields = ", ".join(_differences(first, variant))
            lines += ["   " + tr("other than {variant}: {fields}", variant=first["letter"], fields=fields)]
        lines += [f"   {_secrets(variant)}"] if variant["secrets"] else []
        lines += [f"   {_agreed(found, variant)}"]
    if row["removed"]:
        gone = {"version": found["baseline_version"], "targets": ", ".join(map(harmless, row["removed"]))}
        lines += ["", tr("Baseline {version} takes it away from {targets}", **gone)]
    return "\n".join([*lines, *_doubts(found), "", *_next(row)])


def place_line(place: dict[str, Any]) -> str:
    return f"{harmless(place['machine'])}  {harmless(place['target'])}"


def label(target: str) -> str:
    """`roo.mcp@insiders` is `roo@insiders` at the head of a column."""
    plain, at, flavour = target.partition("@")
    return plain.removesuffix(".mcp") + at + flavour


def _machines(machines: list[str]) -> str:
    if len(machines) > SIDE_BY_SIDE:
        return tr("{count} machines; a cell counts them: A18 B2 -3", count=len(machines))
    lines, line = [], tr("Machines:")
    place = columns(line)
    for number, machine in enumerate(machines, 1):
        word = f"  {number} {harmless(machine)}"
        if len(line) + len(word) > WIDE:
            lines.append(line)
            line = " " * place
        line += word
    return "\n".join([*lines, line])


def _cell(found: dict[str, Any], row: dict[str, Any], target: str) -> str:
    letters = {
        cell["machine"]: (cell["variant"] if len(cell["variant"]) == 1 else "+", cell["off"])
        for cell in row["cells"]
        if cell["target"] == target
    }
    has = found["targets"].get(target, ())
    marks = [
        (letters[m][0].lower() if letters[m][1] else letters[m][0])
        if m in letters
        else "?" if m in found["unknown"] else "-" if m in has else "."
        for m in found["machines"]
    ]  # fmt: skip
    if len(marks) <= SIDE_BY_SIDE:
        return "".join(marks)
    counted = Counter(mark for mark in marks if mark != ".")
    order = sorted(counted, key=lambda mark: (not mark.isalpha(), mark.upper(), mark.islower()))
    return " ".join(f"{mark}{counted[mark]}" for mark in order) or "."


def _blocks(
    targets: list[str], names: list[str], cells: dict[tuple[str, str], str], found: dict[str, Any]
) -> Iterator[list[str]]:
    """The columns, as many side by side as fit."""
    first = max(columns(tr("SERVER")), *(columns(name) for name in names))
    block: list[str] = []
    used = first
    for target in targets:
        width = 2 + max(len(label(target)), *(len(cells[row["name"], target]) for row in found["servers"]))
        if block and used + width > WIDE:
            yield block
            block, used = [], first
        block.append(target)
        used += width
    if block or not targets:
        yield block


def _variants(found: dict[str, Any], row: dict[str, Any], name: str) -> Iterator[str]:
    for variant in row["variants"]:
        yield _cut(f"{name}  {variant['letter']}  {harmless(variant['runs'])}")
        told = [_secrets(variant)] if variant["secrets"] else []
        yield from (line for text in [*told, _agreed(found, variant)] for line in _wrapped(text))
    if row["removed"]:
        gone = ", ".join(harmless(label(target)) for target in row["removed"])
        version = found["baseline_version"]
        yield from _wrapped(tr("baseline {version} takes it away: {targets}", version=version, targets=gone))


def _secrets(variant: dict[str, Any]) -> str:
    return tr("secrets: {names}", names=", ".join(map(harmless, variant["secrets"])))


def _agreed(found: dict[str, Any], variant: dict[str, Any]) -> str:
    if not found["baseline_version"]:
        return tr("there is no baseline yet")
    if not variant["baseline"]:
        return tr("not in the baseline")
    where = ", ".join(map(_place, variant["baseline"]))
    return tr("in baseline {version}: {where}", version=found["baseline_version"], where=where)


def _place(word: str) -> str:
    """`roo.mcp`, or `roo.mcp of beta` where it is that machine's own."""
    target, of, machine = map(harmless, word.partition(" of "))
    return tr("{target} of {machine}", target=target, machine=machine) if of else target


def _differences(first: dict[str, Any], other: dict[str, Any]) -> list[str]:
    names = [*dict.fromkeys([*first["server"], *other["server"]])]
    return [harmless(name) for name in names if first["server"].get(name) != other["server"].get(name)]


def _plain(value: Any) -> Any:
    """Secrets by their place: `/env/TOKEN` is the server's own `env/TOKEN`."""
    if isinstance(value, dict) and set(value) == {"$secret"}:
        return {"$secret": str(value["$secret"]).removeprefix("/")}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _doubts(found: dict[str, Any]) -> list[str]:
    said = [*found["unknown"].items(), *found["as_of"].items()]
    notes = [f"! {harmless(machine)}: {harmless(heard(why))}" for machine, why in said]
    for machine, targets in found["unread"].items():
        for target, why in targets.items():
            place = {"machine": harmless(machine), "target": harmless(target), "why": harmless(heard(why))}
            notes.append("! " + tr("{machine}, {target}: nobody can see what is there: {why}", **place))
    return ["", *notes] if notes else []


def _next(row: dict[str, Any]) -> list[str]:
    name = shell_word(row["name"])
    return [
        next_line(f"roosync mcp-servers share {name} --from ASSISTANT --to ASSISTANT"),
        f"{' ' * columns(next_line(''))}roosync mcp-servers remove {name} --everywhere",
    ]


def _short(name: str) -> str:
    return _cut(harmless(name), LONG)


def _wrapped(text: str) -> list[str]:
    return [_cut(line) for line in wrap(text, WIDE, initial_indent="    ", subsequent_indent="      ")]


def _cut(line: str, most: int = WIDE) -> str:
    if columns(line) <= most:
        return line
    while columns(line) > most - 3:
        line = line[: most - 3] if len(line) > most - 3 else line[:-1]
    return f"{line}..."
