"""The questions of a proposal as text: where the values differ, who has what there, and what is suggested.

A person who answers a question about two long values should not have to read both: a leaf that differs is shown with
its sides, of a list only what the others do not have. `*` marks what is suggested.
"""

from itertools import takewhile
from typing import Any

from roosync_agent.cli.text import harmless, many, shell_word, value_text

LEAVES = 8  # of one question; more are in the JSON
LENGTH = 300  # characters of one value
LINES, WIDE = 8, 100  # of a text, and characters of one of them
UNION = -1  # as in roosync_protocol.consolidation.together, which is not imported to print a page


def question_lines(question: dict[str, Any]) -> list[str]:
    leaves = question.get("leaves") or []
    shown = [leaf for leaf in leaves if leaf["path"] or leaf.get("shared") is not None]
    reason = question["reason"].partition("; ")[0] if shown else question["reason"]  # the leaves say the rest
    lines = [f"? {harmless(question['key'])}: {harmless(reason)}"]
    own = question["suggestion"]["take"] == "special"  # then what a leaf alone would get is not what happens
    for leaf in shown[:LEAVES]:
        lines += _leaf(leaf, own=own)
    if len(shown) > LEAVES:
        lines.append(f"    ... {len(shown) - LEAVES} more places differ: roosync baseline show --json")
    if not shown:
        taken = question["suggestion"].get("machine")
        lines += _sides(question["candidates"], [taken in one["machines"] for one in question["candidates"]])
    return [*lines, f"    suggested: {_answer(question)}"]


def settled_lines(answer: dict[str, Any]) -> list[str]:
    """What was decided without a question because it hardly matters which; a person may look over it."""
    found = [(key, one) for key, one in answer["provenance"].items() if one.get("source") == "settled"]
    if not found:
        return []
    lines = ["", "Settled without a question, because each way is of low risk or they fit together:"]
    for key, one in found:
        why = f"    ({harmless(one['why'])})" if one.get("why") else ""
        value = _clipped(answer["commons"].get(key), 60)
        lines.append(f"  {harmless(key)}: {value}{why}")
    return lines


def _answer(question: dict[str, Any]) -> str:
    suggestion = question["suggestion"]
    how = f"--take {suggestion['machine']}" if suggestion["take"] == "machine" else f"--{suggestion['take']}"
    return f"roosync baseline choose {shell_word(question['key'])} {how}"


def _leaf(leaf: dict[str, Any], *, own: bool) -> list[str]:
    path = ".".join(harmless(str(step)) for step in leaf["path"])
    if leaf.get("shared") is None:
        why = f"    ({harmless(leaf['why'])})" if leaf["path"] else ""
        head = [f"    {path}{why}"] if path else []
        return head + _sides(leaf["sides"], [at == leaf["pick"] for at in range(len(leaf["sides"]))])
    pick = "suggested: each keeps its own" if own else "suggested: all of them" if leaf["pick"] == UNION else ""
    common = f"{many(leaf['shared'], 'element')} in common" + (f"; {pick}" if pick else "")
    return [f"    {path + ': ' if path else ''}{common}", *(_more(side) for side in leaf["sides"])]


def _more(side: dict[str, Any]) -> str:
    value = side.get("value")
    elements: list[Any] = value if isinstance(value, list) else []
    told = f"{len(elements)} more: {_elements(elements)}" if elements else "nothing more"
    return f"      {', '.join(side['machines'])} has {told}"


def _elements(elements: list[Any]) -> str:
    text = ""
    for at, element in enumerate(elements):
        told = value_text(element)
        if len(text) + len(told) > LENGTH:
            return f"{text}, ... and {len(elements) - at} more" if text else f"{told[:LENGTH]} ..."
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
        shown = _clipped(value, LENGTH) if "value" in side else "(not there)"
        return [f"      {mark} {shown}    {machines}"]
    lines = value.removesuffix("\n").split("\n")
    shown_lines = [f"          | {_cut(harmless(line), WIDE)}" for line in lines[same : same + LINES]]
    left = len(lines) - same - len(shown_lines)
    above = f"    (below {many(same, 'line')} that are the same)" if same else ""
    more = [f"          ... {left} more of {many(len(lines), 'line')}"] if left else []
    return [f"      {mark} {machines}:{above}", *(shown_lines or ["          (ends here)"]), *more]


def _clipped(value: Any, length: int) -> str:
    return _cut(value_text(value) or '""', length)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]} ... {len(text) - length} more characters"
