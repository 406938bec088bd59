"""The questions of a proposal as text: where the values differ, who has what there, and what is suggested.

A person who answers a question about two long values should not have to read both: a leaf that differs is shown with
its sides, of a list only what the others do not have. `*` marks what is suggested.
"""

from itertools import takewhile
from typing import Any

from roosync_agent.characters import harmless, shell_word
from roosync_agent.cli.text import beside_it, value_text
from roosync_agent.wording import heard, tr, trn

LEAVES = 8  # of one question; more are in the JSON
LENGTH = 300  # characters of one value
LINES, WIDE = 8, 100  # of a text, and characters of one of them
UNION = -1  # as in roosync_protocol.consolidation.together, which is not imported to print a page


def question_lines(question: dict[str, Any]) -> list[str]:
    leaves = question.get("leaves") or []
    shown = [leaf for leaf in leaves if leaf["path"] or leaf.get("shared") is not None]
    reason = question["reason"].partition("; ")[0] if shown else question["reason"]  # the leaves say the rest
    lines = ["? " + beside_it(harmless(question["key"]), harmless(heard(reason)))]
    own = question["suggestion"]["take"] == "special"  # then what a leaf alone would get is not what happens
    for leaf in shown[:LEAVES]:
        lines += _leaf(leaf, own=own)
    if (left := len(shown) - LEAVES) > 0:
        more = trn("{count} more place differs: {command}", "{count} more places differ: {command}", left,
                   command="roosync baseline show --json")  # fmt: skip
        lines.append(f"    ... {more}")
    if not shown:
        taken = question["suggestion"].get("machine")
        lines += _sides(question["candidates"], [taken in one["machines"] for one in question["candidates"]])
    return [*lines, "    " + tr("suggested: {answer}", answer=_answer(question))]


def settled_lines(answer: dict[str, Any]) -> list[str]:
    """What was decided without a question because it hardly matters which; a person may look over it."""
    found = [(key, one) for key, one in answer["provenance"].items() if one.get("source") == "settled"]
    if not found:
        return []
    lines = ["", tr("Settled without a question, because each way is of low risk or they fit together:")]
    for key, one in found:
        why = f"    ({harmless(heard(one['why']))})" if one.get("why") else ""
        value = _clipped(answer["commons"].get(key), 60)
        lines.append("  " + beside_it(harmless(key), f"{value}{why}"))
    return lines


def _answer(question: dict[str, Any]) -> str:
    suggestion = question["suggestion"]
    how = f"--take {suggestion['machine']}" if suggestion["take"] == "machine" else f"--{suggestion['take']}"
    return f"roosync baseline choose {shell_word(question['key'])} {how}"


def _leaf(leaf: dict[str, Any], *, own: bool) -> list[str]:
    path = ".".join(harmless(str(step)) for step in leaf["path"])
    if leaf.get("shared") is None:
        why = f"    ({harmless(heard(leaf['why']))})" if leaf["path"] else ""
        head = [f"    {path}{why}"] if path else []
        return head + _sides(leaf["sides"], [at == leaf["pick"] for at in range(len(leaf["sides"]))])
    common = trn("{count} element in common", "{count} elements in common", leaf["shared"])
    if own or leaf["pick"] == UNION:
        common += "; " + (tr("suggested: each keeps its own") if own else tr("suggested: all of them"))
    return [f"    {path + ': ' if path else ''}{common}", *(_more(side) for side in leaf["sides"])]


def _more(side: dict[str, Any]) -> str:
    value = side.get("value")
    elements: list[Any] = value if isinstance(value, list) else []
    machines = ", ".join(side["machines"])
    if not elements:
        return "      " + tr("{machines} has nothing more", machines=machines)
    more = _elements(elements)
    return "      " + trn(
        "{machines} has {count} more: {elements}", "{machines} has {count} more: {elements}",
        len(elements), machines=machines, elements=more,
    )  # fmt: skip


def _elements(elements: list[Any]) -> str:
    text = ""
    for at, element in enumerate(elements):
        told = value_text(element)
        if len(text) + len(told) > LENGTH:
            left = trn("and {count} more", "and {count} more", len(elements) - at)
            return f"{text}, ... {left}" if text else f"{told[:LENGTH]} ..."
        text += f", {told}" if text else told
    return text


def _sides(sides: list[dict[str, Any]], picked: list[bool]) -> list[str]:
    """Each value and who has it; texts from the line where they begin to differ."""
    texts = [
        value.removesuffix("\n").split("\n")
        for side in sides
        if isinstance(value := side.get("value"), str) and "\n" in value
    ]
    alike = takewhile(lambda lines: len(set(lines)) == 1, zip(*texts, strict=False))
    same = len(list(alike)) if len(texts) == len(sides) > 1 else 0
    return [line for side, one in zip(sides, picked, strict=True) for line in _side(side, "*" if one else " ", same)]


def _side(side: dict[str, Any], mark: str, same: int) -> list[str]:
    """Each line of a text with its `|`, so that none poses as another line of the page."""
    value, machines = side.get("value"), ", ".join(side["machines"])
    if not isinstance(value, str) or "\n" not in value:
        shown = _clipped(value, LENGTH) if "value" in side else tr("(not there)")
        return [f"      {mark} {shown}    {machines}"]
    lines = value.removesuffix("\n").split("\n")
    shown_lines = [f"          | {_cut(harmless(line), WIDE)}" for line in lines[same : same + LINES]]
    left = len(lines) - same - len(shown_lines)
    above = trn("(below {count} line that are the same)", "(below {count} lines that are the same)", same)
    of = trn("{left} more of {count} line", "{left} more of {count} lines", len(lines), left=left)
    more = [f"          ... {of}"] if left else []
    head = f"      {mark} {machines}:" + (f"    {above}" if same else "")
    return [head, *(shown_lines or [f"          {tr('(ends here)')}"]), *more]


def _clipped(value: Any, length: int) -> str:
    return _cut(value_text(value) or '""', length)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]} ... {_left(len(text) - length)}"


def _left(count: int) -> str:
    return trn("{count} more characters", "{count} more characters", count)
