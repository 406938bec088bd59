"""The approval card as text: what a person reads before they sign. The same change on many machines is one card.

What will execute is shown whole; nothing in it can move the cursor or hide.
"""

from collections.abc import Sequence
from typing import Any

from roosync_agent.cli.changes import Told, block, ordered, told
from roosync_agent.cli.text import TONES, hanging, harmless, many, paint, reference_text, want_colour, width

OWN = {"drift", "local_deletion", "join_differs", "conflict", "delete_modify"}  # this machine has a say of its own
AGAIN = {"rolled_back", "rejected", "overwritten", "rollback_failed"}  # of these an operator opens another attempt


def card_text(card: dict[str, Any], *, following: bool = True, full: bool = False, machines: Sequence[str] = ()) -> str:
    """The approval card.

    `following`: the commands that answer it come last; left out where the question is asked right below.
    `full`: a text that changed as the whole old and the whole new one, instead of the lines that differ.
    `machines`: all that are asked for exactly this, when the card stands for several decisions.
    """
    changed = told(_changes(card), card["kind"], full=full)
    colour = want_colour()
    approved = ", ".join(card["approvals"]) or ("by policy" if card["policy_approved"] else "by nobody yet")
    risk = paint(card["risk"], TONES.get(card["risk"], "good"), colour)
    lines = [
        *_heads(card, machines),
        *_line("What", f"{harmless(card['verdict'])}: {harmless(card['justification'])}"),
        *_line("Compared", f"with {reference_text(card['reference'])}"
               + ("" if card["reference"] == "baseline" else ", not with the baseline")),
        f"  Risk        {risk}",
        *(part for reason in card["reasons"] for part in hanging(f"{'':14}- {harmless(reason)}", width(), 16)),
        *_line("Suggested", card["suggested_action"]),
        *_answer_text(card),
        "  Changes",
        *(f"    {line}" for line in changed.lines),
    ]  # fmt: skip
    if changed.left:
        way = f"roosync decision show {card['id']} --full"
        lines.append(f"    ({many(changed.left, 'line')} that did not change left out; old and new in full: {way})")
    if card["wanted_absent"]:
        gone = {"override_remote": "every machine", "keep_special": "what this machine should have"}
        lines += _line("Afterwards", f"it is gone from {gone.get(card['answer'], 'this machine')}")
    elif isinstance(card["executes"], dict) and card["executes"]:
        lines += ["  Executes", *(f"    {line}" for line in _executes(card, changed))]
    if not card["wanted_absent"]:  # who lacks it already is not counted
        lines += _line("Already on", ", ".join(card["runs_on"]) or "no machine")
    undo = "roosync decision rollback ID, each by its own" if len(machines) > 1 else card["undo"]
    lines += _line("Approved", approved) + _line("Expires", f"{card['expires'][:16]} UTC")
    lines += [*_line("Undo", undo), f"  Hash        {card['hash']}"]
    for title, found in (("Log", card["log"]), ("Not counted", card["refused"])):
        lines += [f"  {title}"] if found else []
        lines += [part for line in found for part in hanging(f"    {harmless(line)}", width(), 6)]
    return "\n".join([*lines, *(_following(card) if following else [])])


def _line(title: str, text: str) -> list[str]:
    return hanging(f"  {title:<12}{text}", width(), 14)


def _heads(card: dict[str, Any], machines: Sequence[str]) -> list[str]:
    """Which decision it is; of several the machines by name, all of them."""
    state = f"{card['status']}, attempt {card['attempt']}"
    if len(machines) < 2:
        return hanging(f"{card['id']}   {harmless(card['entity'])} on {card['machine']}   {state}", width(), 2)
    what = f"{harmless(card['entity'])} on {len(machines)} machines, the same on each   {card['status']}"
    return [*hanging(what, width(), 2), *_line("Machines", ", ".join(map(harmless, machines)))]


def _changes(card: dict[str, Any]) -> list[dict[str, Any]]:
    """What changes; of a text that is known on both sides all of it, so that what is around a change can be shown."""
    promoted = card["answer"] in ("override_remote", "keep_special")
    before, after = (card["remote_value"], card["local_value"]) if promoted else (card["local_value"], card["wanted"])
    in_part = [change["path"] for change in card["changes"]] != [[]]
    if in_part and isinstance(before, str) and isinstance(after, str):
        return [{"path": [], "before": before, "after": after, "absent": ""}]
    found: list[dict[str, Any]] = card["changes"]
    return found


def _executes(card: dict[str, Any], changed: Told) -> list[str]:
    """All of it; only a text of a mode that stands above in full is not printed twice."""
    lines, above = [], []
    for name, value in ordered(card["executes"], card["kind"]).items():
        if card["kind"] == "mode" and name in changed.whole and isinstance(value, str) and "\n" in value:
            above.append(name)
        else:
            lines += block("=", harmless(name), value)
    return [*lines, f"(in full above, under Changes: {', '.join(map(harmless, above))})"] if above else lines


def _following(card: dict[str, Any]) -> list[str]:
    """Every answer that can be given, in words: which side wins is what a person decides here."""
    approve = f"roosync decision approve {card['id']}"
    if card["status"] != "pending" and card["status"] not in AGAIN:
        return []
    answers = [(approve, f"make the changes above on {card['machine']}")]
    if card["reference"] == "baseline" and card["verdict"] in OWN:
        answers.append((f"{approve} --action override_remote", f"what {card['machine']} has, for every machine"))
    if card["reference"] == "baseline":
        answers.append((f"{approve} --action keep_special", f"{card['machine']} keeps its own, for good"))
    if card["status"] != "rejected":
        answers.append((f"roosync decision reject {card['id']}", "leave this difference as it is"))
    longest = max(len(command) for command, _ in answers)
    heads = ["Next: ", *["      "] * (len(answers) - 1)]
    lines = (f"{head}{command:{longest}}   {what}" for head, (command, what) in zip(heads, answers, strict=True))
    return ["", *(part for line in lines for part in hanging(line, width(), 10))]


def _answer_text(card: dict[str, Any]) -> list[str]:
    """Another answer than the suggested one, in words: promoting is about every machine of the fleet."""
    meaning = {
        "override_remote": "this machine's value becomes the agreed one, FOR EVERY MACHINE OF THE FLEET",
        "keep_special": "this machine's value stays, for it alone",
    }
    return (
        _line("Answer", f"{card['answer']}: {meaning.get(card['answer'], '')}".rstrip(": ")) if card["answer"] else []
    )
