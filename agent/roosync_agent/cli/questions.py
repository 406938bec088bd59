"""The questions of a proposal as text: where the values differ, who has what there, and what is suggested.

A person who answers a question about two long values should not have to read both: a leaf that differs is shown with
its sides, of a list only what the others do not have. `*` marks what is suggested.
"""

from typing import Any

from roosync_agent.cli.text import harmless, many, shell_word, value_text

LEAVES = 8  # of one question; more are in the JSON
LENGTH = 300  # characters of one value
UNION, OWN = -1, -2  # as in roosync_protocol.consolidation.together, which is not imported to print a page


def question_lines(question: dict[str, Any]) -> list[str]:
    leaves = question.get("leaves") or []
    shown = [leaf for leaf in leaves if leaf["path"] or leaf.get("shared") is not None]
    reason = question["reason"].partition("; ")[0] if shown else question["reason"]  # the leaves say the rest
    lines = [f"? {harmless(question['key'])}: {harmless(reason)}"]
    for leaf in shown[:LEAVES]:
        lines += _leaf(leaf)
    if len(shown) > LEAVES:
        lines.append(f"    ... {len(shown) - LEAVES} more places differ: roosync baseline show --json")
    if not shown:
        taken = question["suggestion"].get("machine")
        lines += [_side(candidate, taken in candidate["machines"]) for candidate in question["candidates"]]
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


def _leaf(leaf: dict[str, Any]) -> list[str]:
    path = ".".join(harmless(str(step)) for step in leaf["path"])
    if leaf.get("shared") is None:
        why = f"    ({harmless(leaf['why'])})" if leaf["path"] else ""
        head = [f"    {path}{why}"] if path else []
        return head + [_side(side, at == leaf["pick"]) for at, side in enumerate(leaf["sides"])]
    pick = {UNION: "suggested: all of them", OWN: "suggested: each keeps its own"}.get(leaf["pick"], "")
    common = f"{many(leaf['shared'], 'element')} in common" + (f"; {pick}" if pick else "")
    return [f"    {path + ': ' if path else ''}{common}", *(_more(side) for side in leaf["sides"])]


def _more(side: dict[str, Any]) -> str:
    value = side.get("value")
    elements: list[Any] = value if isinstance(value, list) else []
    return f"      {', '.join(side['machines'])} has {len(elements)} more: {_elements(elements)}"


def _elements(elements: list[Any]) -> str:
    text = ""
    for at, element in enumerate(elements):
        told = value_text(element)
        if len(text) + len(told) > LENGTH:
            return f"{text}, ... and {len(elements) - at} more" if text else f"{told[:LENGTH]} ..."
        text += f", {told}" if text else told
    return text or "nothing"


def _side(side: dict[str, Any], picked: bool) -> str:
    value = _clipped(side["value"], LENGTH) if "value" in side else "(not there)"
    return f"      {'*' if picked else ' '} {value}    {', '.join(side['machines'])}"


def _clipped(value: Any, length: int) -> str:
    text = value_text(value) or '""'
    return text if len(text) <= length else f"{text[:length]} ... {len(text) - length} more characters"
